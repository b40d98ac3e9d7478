"""Helm values: the customary shapes, and a real helm to see that nothing is left upstream."""

import tarfile

import pytest
import yaml

from ecr_pull_through_cache.errors import UserError
from ecr_pull_through_cache.manifests.helm import chart_values, override
from tests.corpus import DIGEST, HOST, corpus, mapping
from tests.real.engines import layer_tool, run

SHAPES = {
    "repository and tag": ({"image": {"repository": "quay.io/a/b", "tag": "1"}}, {"image": {"repository": f"{HOST}/quay/a/b"}}),
    "registry and repository": (
        {"image": {"registry": "quay.io", "repository": "a/b", "tag": "1"}},
        {"image": {"registry": HOST, "repository": "quay/a/b"}},
    ),
    "registry, repository and digest": (
        {"image": {"registry": "quay.io", "repository": "a/b", "tag": "1", "digest": DIGEST}},
        {},
    ),
    "registry and name": ({"image": {"registry": "quay.io", "name": "a/b"}}, {"image": {"registry": HOST, "name": "quay/a/b"}}),
    "registry and image": (
        {"controller": {"image": {"registry": "registry.k8s.io", "image": "ingress-nginx/controller", "tag": "v1", "digest": ""}}},
        {"controller": {"image": {"registry": HOST, "image": "k8s/ingress-nginx/controller"}}},
    ),
    "an empty registry": (
        {"image": {"registry": "", "repository": "nginx", "tag": "1"}},
        {"image": {"registry": HOST, "repository": "docker-hub/library/nginx"}},
    ),
    "imageRegistry and repository": (
        {"thing": {"imageRegistry": "quay.io", "repository": "a/b"}},
        {"thing": {"imageRegistry": HOST, "repository": "quay/a/b"}},
    ),
    "a whole text": ({"sidecarImage": "quay.io/a/b:1"}, {"sidecarImage": f"{HOST}/quay/a/b:1"}),
    "a whole text under image": ({"a": {"image": "nginx:1"}}, {"a": {"image": f"{HOST}/docker-hub/library/nginx:1"}}),
    "deep below": (
        {"a": {"b": {"fooImage": {"repository": "bitnami/x"}}}},
        {"a": {"b": {"fooImage": {"repository": f"{HOST}/docker-hub/bitnami/x"}}}},
    ),
    "another registry": ({"image": {"repository": "mcr.microsoft.com/x"}}, {}),
    "a tag that carries a digest": ({"image": {"repository": "quay.io/a/b", "tag": f"1@{DIGEST}"}}, {}),
    "a name that is no image": ({"name": "nginx", "repository": ""}, {}),
    "global.imageRegistry": ({"global": {"imageRegistry": ""}, "image": {"registry": "quay.io", "repository": "a/b"}}, {"image": {"registry": HOST, "repository": "quay/a/b"}}),
}  # fmt: skip


@pytest.mark.parametrize(("values", "expected"), SHAPES.values(), ids=SHAPES)
def test_the_customary_shapes(values, expected):
    assert override(mapping(), [((), values)]).values == expected


def test_what_cannot_be_overridden_is_said():
    values = {"images": [{"image": "quay.io/a/b:1"}], "image": {"repository": "mcr.microsoft.com/x"}}
    left = override(mapping(), [((), values)]).left
    assert left["images[0]"].endswith("override the list yourself")
    assert left["image.repository"] == "mcr.microsoft.com/x: no rule caches this registry"


def test_every_reference_becomes_what_the_mapping_says():
    cache = mapping()
    images = corpus()
    result = override(cache, [((), {f"i{n}": {"image": image} for n, image in enumerate(images)})])
    got = [result.values.get(f"i{n}", {}).get("image", image) for n, image in enumerate(images)]
    assert got == [cache.map(image) for image in images]


VALUES = {
    "global": {"imageRegistry": ""},
    "image": {"registry": "docker.io", "repository": "bitnami/app", "tag": "1.2"},
    "sidecar": {"image": {"repository": "quay.io/prometheus/node-exporter", "tag": "v1"}},
    "initImage": "busybox:1",
    "redis": {"image": {"tag": "8"}},
}
TEMPLATE = """\
apiVersion: v1
kind: Pod
metadata: {name: app}
spec:
  initContainers:
    - {name: init, image: "{{ .Values.initImage }}"}
  containers:
    - name: app
      image: "{{ .Values.global.imageRegistry | default .Values.image.registry }}/{{ .Values.image.repository }}:{{ .Values.image.tag }}"
    - name: sidecar
      image: "{{ .Values.sidecar.image.repository }}:{{ .Values.sidecar.image.tag }}"
"""
REDIS = 'apiVersion: v1\nkind: Pod\nmetadata: {name: redis}\nspec:\n  containers:\n    - {name: redis, image: "{{ .Values.image.repository }}:{{ .Values.image.tag }}"}\n'


@pytest.fixture
def chart(tmp_path):
    """A chart in the shape of real ones, with a chart in it."""
    for path, values, template in (
        ("app", VALUES, TEMPLATE),
        ("app/charts/redis", {"image": {"repository": "redis", "tag": "7"}}, REDIS),
    ):
        folder = tmp_path / path
        (folder / "templates").mkdir(parents=True)
        (folder / "Chart.yaml").write_text(f"apiVersion: v2\nname: {folder.name}\nversion: 1.0.0\n")
        (folder / "values.yaml").write_text(yaml.safe_dump(values))
        (folder / "templates/pod.yaml").write_text(template)
    return tmp_path / "app"


def rendered(chart, *options):
    text = run([layer_tool("helm"), "template", "x", chart, *options]).stdout
    return [
        c["image"]
        for d in yaml.safe_load_all(text)
        if d
        for f in ("initContainers", "containers")
        for c in d["spec"].get(f, [])
    ]


@pytest.mark.engine
@pytest.mark.parametrize("packed", [False, True], ids=["folder", "tgz"])
def test_after_the_override_helm_itself_leaves_no_image_upstream(chart, tmp_path, packed):
    given = chart
    if packed:
        given = tmp_path / "app-1.0.0.tgz"
        with tarfile.open(given, "w:gz") as archive:
            archive.add(chart, "app")
    cache = mapping()
    (tmp_path / "cached.yaml").write_text(yaml.safe_dump(override(cache, chart_values(given)).values))
    before, after = rendered(chart), rendered(chart, "--values", tmp_path / "cached.yaml")
    assert sorted(after) == sorted(map(cache.map, before))
    assert all(image.startswith(HOST) for image in after)
    assert len(after) == 4


@pytest.mark.parametrize("name", ["nothing.yaml", "empty"])
def test_no_chart_is_one_sentence(tmp_path, name):
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="chart cannot be read|there is no values.yaml"):
        chart_values(tmp_path / name)
