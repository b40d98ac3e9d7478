"""The images in what helm renders, wherever they stand."""

from ecr_pull_through_cache.manifests.rendered_images import Reader

HOSTS = ("quay.io", "docker.io")


def images(text):
    read = Reader(HOSTS).read(text)
    return [s.text[slice(*span)] for s in read.scalars.values() for span in s.spans], read.unread


POD = """\
---
# Source: app/templates/pod.yaml
apiVersion: v1
kind: Pod
metadata: {name: p, labels: {image: "labels/none:1"}}
spec:
  initContainers: [{name: i, image: busybox}]
  containers:
    - name: c
      image: nginx:1
      args: [--sidecar-image=quay.io/a/b:1, --other-image, a/c:2, --log=quay.io]
      env: [{name: RELATED_IMAGE, value: "a/d:3"}, {name: PULL_SECRET, value: "a/none:1"}]
"""


def test_pods_arguments_and_environment():
    assert images(POD) == (["busybox", "nginx:1", "quay.io/a/b:1", "a/c:2", "a/d:3"], {})


def test_texts_of_config_maps_and_no_comment():
    text = "# Source: a/templates/c.yaml\nkind: ConfigMap\ndata:\n  x: |\n    # quay.io/a/no:1\n    image: a/b:1\n    use quay.io/a/c:1.\n"
    assert images(text) == (["quay.io/a/c:1", "a/b:1"], {}) or images(text) == (["a/b:1", "quay.io/a/c:1"], {})


def test_an_image_in_parts_of_a_custom_resource():
    text = "kind: Thing\napiVersion: x/v1\nspec:\n  part: {registry: quay.io, repository: a/b, tag: v1}\n"
    assert images(text) == (["quay.io/a/b:v1"], {})


def test_what_is_matched_is_no_image_that_is_pulled():
    text = (
        "apiVersion: kyverno.io/v1\nkind: ClusterPolicy\nspec:\n  rules:\n  - verifyImages:\n"
        '    - imageReferences: ["quay.io/a/*"]\n'
    )
    assert images(text) == ([], {})


def test_a_definition_is_passed_over_and_what_is_no_yaml_is_said():
    text = "kind: CustomResourceDefinition\nx: {image: quay.io/a/b}\n---\n# Source: a/templates/bad.yaml\nimage: [quay.io/a\n"
    found, unread = images(text)
    assert found == []
    assert list(unread) == ["a/templates/bad.yaml"]


def test_a_text_is_found_again_in_another_rendering():
    one = Reader(HOSTS).read(POD)
    two = Reader(HOSTS).read(POD.replace("nginx:1", "quay.io/x:1").replace("name: p,", "name: random-7,"))
    place = next(where for where, scalar in one.scalars.items() if scalar.text == "nginx:1")
    assert two.scalars[place].text == "quay.io/x:1"
