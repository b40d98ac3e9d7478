"""Manifests: images change, every other byte stays."""

import copy
import json

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from ecr_pull_through_cache.errors import UserError
from ecr_pull_through_cache.images import InvalidImageReference
from ecr_pull_through_cache.manifests import KNOWN, Mentions, Rewriter
from tests.corpus import HOST, corpus, mapping

HUB = f"{HOST}/docker-hub/library"


def rewrite(text, **options):
    return Rewriter(mapping(), **options).rewrite(text)


def changed(text, **options):
    return [(f.given, f.line) for f in rewrite(text, **options).changes]


SPECIMEN = """\
# A comment that names quay.io/a/b:1 stays.
apiVersion: apps/v1
kind: Deployment
metadata: {name: x, labels: {image: nginx}}
spec:
  template:
    spec:
      initContainers:
      - image: "busybox:1"   # and so does this
        name: 'i'
      containers:
        - name: a
          image: 'quay.io/a/b:1'
          ports: [{containerPort: 80}]
        -   image:    nginx
            name: b
      volumes:
      - name: v
        image:
          reference: registry.k8s.io/x:1
          pullPolicy: Always
      - name: w
        configMap: {name: image}
"""


def test_only_images_change():
    result = rewrite(SPECIMEN)
    expected = (
        SPECIMEN.replace('"busybox:1"', f'"{HUB}/busybox:1"')
        .replace("'quay.io/a/b:1'", f"'{HOST}/quay/a/b:1'")
        .replace("image:    nginx", f"image:    {HUB}/nginx")
        .replace("registry.k8s.io/x:1", f"{HOST}/k8s/x:1")
    )
    assert result.text == expected
    assert result.reported == ()


def test_line_ends_of_windows_and_a_missing_last_one_stay():
    text = SPECIMEN.replace("\n", "\r\n").rstrip()
    assert rewrite(text).text == rewrite(SPECIMEN).text.replace("\n", "\r\n").rstrip()


def test_bytes_that_are_no_text_stay():
    text = b"# \xff\xfe\n".decode("utf-8", "surrogateescape") + KINDS["Pod"]
    assert len(rewrite(text).changes) == 1
    assert rewrite(text).text.encode("utf-8", "surrogateescape").startswith(b"# \xff\xfe\n")


KINDS = {
    "Pod": "spec:\n  containers:\n  - image: nginx\n",
    "Deployment": "spec:\n  template:\n    spec:\n      containers:\n      - image: nginx\n",
    "CronJob": "spec:\n  jobTemplate:\n    spec:\n      template:\n        spec:\n          containers:\n          - image: nginx\n",
    "PodTemplate": "template:\n  spec:\n    containers:\n    - image: nginx\n",
    "Rollout": "spec:\n  template:\n    spec:\n      initContainers:\n      - image: nginx\n",
    "Prometheus": "spec:\n  image: nginx\n",
    "Alertmanager": "spec:\n  image: nginx\n",
    "Task": "spec:\n  steps:\n  - name: a\n    image: nginx\n",
    "Workflow": "spec:\n  templates:\n  - container:\n      image: nginx\n",
    "Cluster": "spec:\n  imageName: nginx\n",
}


@pytest.mark.parametrize(("kind", "body"), KINDS.items(), ids=KINDS)
class TestKinds:
    def test_alone(self, kind, body):
        assert changed(f"kind: {kind}\n{body}") == [("nginx", body.count("\n") + 1)]

    def test_with_its_kind_behind(self, kind, body):
        assert len(changed(f"{body}kind: {kind}\n")) == 1

    def test_as_an_item_of_a_list(self, kind, body):
        item = f"kind: {kind}\n{body}".replace("\n", "\n  ").rstrip()
        assert len(changed(f"kind: List\nitems:\n- {item}\n")) == 1

    def test_as_json(self, kind, body):
        document = yaml.safe_load(f"kind: {kind}\n{body}")
        for text in (
            json.dumps(document),
            json.dumps(document, indent=2),
            json.dumps({"kind": "List", "items": [document]}),
        ):
            assert len(changed(text)) == 1, text

    def test_among_other_documents(self, kind, body):
        assert (
            len(
                changed(
                    f"kind: ConfigMap\ndata:\n  image: nginx\n---\nkind: {kind}\n{body}---\nkind: Other\nspec:\n  image: nginx\n"
                )
            )
            == 1
        )


NOT_IMAGES = {
    "a key of a ConfigMap": "kind: ConfigMap\ndata:\n  image: nginx\n",
    "a custom resource nobody named": "kind: Unknown\nspec:\n  image: nginx\n",
    "a text block that looks like a Pod": "kind: ConfigMap\ndata:\n  x: |\n    containers:\n    - image: nginx\n",
    "a text block in a list": "a:\n- |\n  containers:\n  - image: nginx\n",
    "a template": "spec:\n  containers:\n  - image: {{ .Values.image }}\n",
    "a template in quotes": 'spec:\n  containers:\n  - image: "{{ .Values.image }}:1"\n',
    "a comment": "spec:\n  containers:\n  # - image: nginx\n  - name: x\n",
    "an image of the cache": f"spec:\n  containers:\n  - image: {HOST}/k8s/pause:1\n",
    "an image of another registry": "spec:\n  containers:\n  - image: mcr.microsoft.com/a\n",
    "an image pinned by digest": f"spec:\n  containers:\n  - image: nginx@sha256:{'a' * 64}\n",
    "an image that is none": "spec:\n  containers:\n  - image: Nginx\n",
    "nothing": "",
    "no manifest": "hello\nimage: nginx\n",
}


@pytest.mark.parametrize("text", NOT_IMAGES.values(), ids=NOT_IMAGES)
def test_what_is_no_image_stays(text):
    result = rewrite(text)
    assert result.text == text
    assert result.changes == ()


def test_templates_beside_images_are_no_hindrance():
    text = "spec:\n{{- if .Values.x }}\n  containers:\n  {{- range .Values.y }}\n  - name: a\n    image: nginx\n  {{- end }}\n{{- end }}\n"
    assert changed(text) == [("nginx", 6)]


def test_braces_among_bytes_that_are_no_text_are_left_and_said_to_be():
    text = b"# \xff\n".decode("utf-8", "surrogateescape") + '{"image": "nginx"}'
    assert rewrite(text).problem == "it is not UTF-8 text"


def test_a_kustomization():
    text = "images:\n- name: mcr.microsoft.com/x\n  newName: quay.io/a/nginx\n  newTag: '1'\n"
    assert rewrite(text).text == text.replace("quay.io/a", f"{HOST}/quay/a")


def test_names_that_are_no_images_of_a_kustomization_stay():
    text = "configMapGenerator:\n- name: nginx\n  files: [a]\nimages:\n- name: mcr.microsoft.com/x\n"
    assert rewrite(text).text == text


def test_broken_json_is_left_and_said_to_be():
    result = rewrite('{"kind": "Pod", "image": "nginx"')
    assert result.text == '{"kind": "Pod", "image": "nginx"'
    assert result.problem is not None


MENTIONS = """\
kind: Deployment
spec:
  template:
    spec:
      containers:
      - image: mcr.microsoft.com/x
        args: ["--reloader=quay.io/p/r:v1", --image, registry.k8s.io/pause:3.10]
        env:
        - name: IMAGE
          value: "ghcr.io/fluxcd/a:1, quay.io/b/c:2."
        - {name: URL, value: https://quay.io/api}
# quay.io/not/this:1
"""


class TestMentions:
    EXPECTED = ["quay.io/p/r:v1", "registry.k8s.io/pause:3.10", "ghcr.io/fluxcd/a:1", "quay.io/b/c:2"]

    def test_they_are_reported_with_their_place(self):
        result = rewrite(MENTIONS)
        assert [f.given for f in result.reported] == self.EXPECTED
        assert (result.reported[0].line, result.reported[0].column) == (7, 28)
        assert result.text == MENTIONS

    def test_they_are_rewritten_when_asked(self):
        result = rewrite(MENTIONS, mentions=Mentions.REWRITE)
        assert [f.given for f in result.changes] == self.EXPECTED
        assert f"--reloader={HOST}/quay/p/r:v1" in result.text
        assert "https://quay.io/api" in result.text

    def test_they_are_passed_over_when_asked(self):
        assert rewrite(MENTIONS, mentions=Mentions.IGNORE).reported == ()


def test_places_of_ones_own():
    places = KNOWN.adding(["Runner=spec.runners[].image"])
    assert len(changed("kind: Runner\nspec:\n  runners:\n  - image: nginx\n", places=places)) == 1
    with pytest.raises(UserError, match="'Runner' is not 'Kind=path.to.image'"):
        KNOWN.adding(["Runner"])


def test_rewriting_twice_changes_nothing_more():
    once = rewrite(SPECIMEN).text
    assert rewrite(once).text == once


def test_the_way_back():
    back = rewrite(rewrite(SPECIMEN).text, reverse=True).text
    assert back == SPECIMEN.replace('"busybox:1"', '"docker.io/library/busybox:1"').replace(
        "image:    nginx", "image:    docker.io/library/nginx"
    )


IMAGES = corpus(300)
CONTAINERS = st.lists(
    st.fixed_dictionaries(
        {"name": st.sampled_from(["a", "image: x", "- b", "#c", "ü", "'d'", "e: |"]), "image": st.sampled_from(IMAGES)},
        optional={"args": st.lists(st.text(alphabet="ab:-|#{}'\" \n", max_size=12), max_size=3), "env": st.none()},
    ),
    min_size=1, max_size=4,
)  # fmt: skip


def pod(containers):
    return {
        "kind": "Pod",
        "spec": {"x": {"image": "nginx"}, "containers": containers, "y": [["image: nginx"], {"image": "nginx"}]},
    }


@given(CONTAINERS, st.sampled_from([None, True, False]), st.sampled_from([2, 4]), st.booleans())
@settings(max_examples=300)
def test_however_yaml_is_written_the_same_images_change(containers, flow, indent, sort):
    document = pod(containers)
    text = yaml.safe_dump(
        document, default_flow_style=flow, indent=indent, sort_keys=sort, allow_unicode=True, width=10_000
    )
    expected = copy.deepcopy(document)
    for container in expected["spec"]["containers"]:
        container["image"] = mapping().map(container["image"])
    result = rewrite(text, mentions=Mentions.IGNORE)
    assert result.problem is None
    assert yaml.safe_load(result.text) == expected


@given(st.text(alphabet="abimge: -'\"|{}[]#\n\tn/.", max_size=120))
@settings(max_examples=300)
def test_whatever_a_file_holds_nothing_breaks(text):
    result = rewrite(text)
    try:
        assert not result.changes or result.text != text
    except InvalidImageReference:
        pytest.fail("an image that is none got through")
