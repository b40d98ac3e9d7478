"""The override of a chart: a real helm renders the chart with it, and every image is compared with the mapping."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest
import yaml

from ecr_pull_through_cache.images import PinnedByDigest
from ecr_pull_through_cache.manifests.becoming import Becomings
from ecr_pull_through_cache.manifests.chart_files import read_chart
from ecr_pull_through_cache.manifests.helm import MOST_RENDERINGS, guess_override, verified_override
from ecr_pull_through_cache.manifests.helm_engine import Helm
from tests.corpus import DIGEST, HOST, mapping
from tests.real.engines import layer_tool, run

POD = "apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}}}\nspec:\n  containers:\n{containers}"


def pod(*images: str, name: str = "app") -> str:
    containers = "".join(f'    - {{name: c{n}, image: "{image}"}}\n' for n, image in enumerate(images))
    return POD.format(name=name, containers=containers)


def write(folder: Path, values: dict, *templates: str, **about: object) -> Path:
    (folder / "templates").mkdir(parents=True)
    chart = {"apiVersion": "v2", "name": folder.name, "version": "1.0.0", **about}
    (folder / "Chart.yaml").write_text(yaml.safe_dump(chart))
    (folder / "values.yaml").write_text(yaml.safe_dump(values))
    for number, template in enumerate(templates):
        (folder / f"templates/t{number}.yaml").write_text(template)
    return folder


def packed(chart: Path, to: Path) -> Path:
    with tarfile.open(to, "w:gz") as archive:
        archive.add(chart, chart.name)
    return to


def rendered(chart: Path, *values: Path) -> list[str]:
    options = [option for path in values for option in ("--values", path)]
    text = run([layer_tool("helm"), "template", "x", chart, *options]).stdout
    return [c["image"] for d in yaml.safe_load_all(text) if d for c in d["spec"]["containers"]]


def override(chart: Path, *files: Path, cache=None):
    return verified_override(Becomings(cache or mapping()), chart, files, Helm(program=str(layer_tool("helm"))))


def after(result, chart: Path, tmp_path: Path, *files: Path) -> list[str]:
    (tmp_path / "cached.yaml").write_text(yaml.safe_dump(result.values))
    return rendered(chart, *files, tmp_path / "cached.yaml")


REPOSITORY_AND_TAG = "{{ .Values.image.repository }}:{{ .Values.image.tag }}"
SHAPES = {
    "repository and tag": ({"image": {"repository": "quay.io/a/b", "tag": "1"}}, REPOSITORY_AND_TAG),
    "registry, repository and tag": (
        {"image": {"registry": "quay.io", "repository": "a/b", "tag": "1"}},
        "{{ .Values.image.registry }}/{{ .Values.image.repository }}:{{ .Values.image.tag }}",
    ),
    "a global registry over one's own": (
        {"global": {"imageRegistry": ""}, "image": {"registry": "docker.io", "repository": "bitnami/app", "tag": "1"}},
        "{{ .Values.global.imageRegistry | default .Values.image.registry }}/{{ .Values.image.repository }}:"
        "{{ .Values.image.tag }}",
    ),
    "a global registry with a path": (
        {"global": {"image": {"registry": "quay.io"}}, "image": {"name": "a/b", "tag": "1"}},
        "{{ .Values.global.image.registry }}/{{ .Values.image.name }}:{{ .Values.image.tag }}",
    ),
    "a path that the template writes": (
        {"registry": "quay.io", "tag": "1"}, "{{ .Values.registry }}/a/b:{{ .Values.tag }}",
    ),
    "a whole text": ({"initImage": "busybox:1"}, "{{ .Values.initImage }}"),
    "an official image of Docker Hub": ({"image": {"repository": "redis", "tag": "7"}}, REPOSITORY_AND_TAG),
    "a list": ({"images": ["quay.io/a/b:1"]}, "{{ index .Values.images 0 }}"),
    "keys that nobody expects": (
        {"hub": "quay.io/a", "component": "b", "rev": "1"},
        "{{ .Values.hub }}/{{ .Values.component }}:{{ .Values.rev }}",
    ),
}  # fmt: skip


@pytest.mark.engine
class TestWithHelm:
    @pytest.mark.parametrize("shape", SHAPES)
    def test_helm_renders_the_image_of_the_mapping(self, shape, tmp_path):
        values, image = SHAPES[shape]
        chart = write(tmp_path / "app", values, pod(image))
        result = override(chart)
        assert [found.image for found in result.right] == rendered(chart)
        assert after(result, chart, tmp_path) == [mapping().map(image) for image in rendered(chart)]
        assert result.is_all_right
        assert 2 <= result.renderings <= MOST_RENDERINGS

    def test_charts_below_it_under_their_aliases_in_folders_and_packed(self, tmp_path):
        about = {"dependencies": [{"name": "db", "version": "1.0.0", "alias": a} for a in ("sessions", "queue")]}
        about["dependencies"].append({"name": "cache", "version": "1.0.0"})
        chart = write(
            tmp_path / "app", {"image": {"repository": "quay.io/a/app", "tag": "1"}}, pod(REPOSITORY_AND_TAG), **about
        )
        write(
            chart / "charts/db",
            {"image": {"repository": "redis", "tag": "7"}},
            pod(REPOSITORY_AND_TAG, name="{{ .Chart.Name }}"),
        )
        inner = write(
            tmp_path / "cache",
            {"image": {"repository": "quay.io/a/cache", "tag": "2"}},
            pod(REPOSITORY_AND_TAG, name="cache"),
        )
        packed(inner, chart / "charts/cache-1.0.0.tgz")
        before = rendered(chart)
        assert len(before) == 4
        for given in (chart, packed(chart, tmp_path / "app-1.0.0.tgz")):
            result = override(given)
            assert result.is_all_right
            assert {"sessions", "queue", "cache", "image"} <= result.values.keys()
            assert after(result, given, tmp_path) == [mapping().map(image) for image in before]

    def test_the_user_s_own_values_count(self, tmp_path):
        chart = write(tmp_path / "app", {"image": {"repository": "quay.io/a/b", "tag": "1"}}, pod(REPOSITORY_AND_TAG))
        (tmp_path / "mine.yaml").write_text("image: {repository: registry.k8s.io/mine, tag: 9}\n")
        result = override(chart, tmp_path / "mine.yaml")
        assert after(result, chart, tmp_path, tmp_path / "mine.yaml") == [f"{HOST}/k8s/mine:9"]

    @pytest.mark.parametrize("rule", PinnedByDigest)
    def test_a_digest_follows_the_rule_for_digests(self, rule, tmp_path):
        values = {"image": {"repository": "quay.io/a/b", "tag": "1", "genericDigest": DIGEST}}
        chart = write(tmp_path / "app", values, pod(REPOSITORY_AND_TAG + "@{{ .Values.image.genericDigest }}"))
        cache = mapping(pinned_by_digest=rule)
        result = override(chart, cache=cache)
        assert after(result, chart, tmp_path) == [cache.map(rendered(chart)[0])]
        assert [found.image for found in result.pinned] == (rendered(chart) if rule is PinnedByDigest.LEAVE else [])

    def test_an_image_of_the_template_is_named_with_its_template(self, tmp_path):
        chart = write(
            tmp_path / "app", {"image": {"repository": "quay.io/a/b", "tag": "1"}}, pod(REPOSITORY_AND_TAG, "redis:7")
        )
        result = override(chart)
        (left,) = result.left
        assert (left.where, left.image) == ("app/templates/t0.yaml", "redis:7")
        assert "template" in left.why
        assert not result.is_all_right
        assert after(result, chart, tmp_path) == [f"{HOST}/quay/a/b:1", "redis:7"]

    def test_an_image_of_another_registry_keeps_its_registry(self, tmp_path):
        values = {"registry": "registry.example.org", "a": "team/controller:1"}
        chart = write(tmp_path / "app", values, pod("{{ .Values.registry }}/{{ .Values.a }}"))
        result = override(chart)
        assert result.values == {}
        assert [found.image for found in result.elsewhere] == ["registry.example.org/team/controller:1"]

    def test_a_value_that_is_part_of_a_name_too_is_left(self, tmp_path):
        values = {"app": "nginx", "tag": "1"}
        chart = write(tmp_path / "app", values, pod("{{ .Values.app }}:{{ .Values.tag }}", name="{{ .Values.app }}"))
        result = override(chart)
        assert result.values == {}
        assert [found.image for found in result.left] == ["nginx:1"]
        assert after(result, chart, tmp_path) == ["nginx:1"]
        assert result.renderings <= MOST_RENDERINGS

    def test_a_value_that_the_chart_demands_for_other_registries_is_set_and_said(self, tmp_path):
        refuses = (
            '{{- if and (ne .Values.image.registry "docker.io") (not .Values.global.security.allowInsecureImages) }}'
            '{{ fail "set global.security.allowInsecureImages" }}{{ end }}\n'
        )
        values = {
            "global": {"security": {"allowInsecureImages": False}},
            "image": {"registry": "docker.io", "repository": "bitnami/app", "tag": "1"},
        }
        image = "{{ .Values.image.registry }}/{{ .Values.image.repository }}:{{ .Values.image.tag }}"
        chart = write(tmp_path / "app", values, refuses + pod(image))
        result = override(chart)
        assert result.values["global"] == {"security": {"allowInsecureImages": True}}
        assert [place for place, _ in result.notes] == ["global.security.allowInsecureImages"]
        assert after(result, chart, tmp_path) == [f"{HOST}/docker-hub/bitnami/app:1"]

    def test_a_component_that_is_switched_off_is_guessed_and_not_verified(self, tmp_path):
        values = {"extra": {"enabled": False, "image": {"repository": "quay.io/a/extra", "tag": "1"}}}
        image = "{{ .Values.extra.image.repository }}:{{ .Values.extra.image.tag }}"
        chart = write(tmp_path / "app", values, "{{- if .Values.extra.enabled }}\n" + pod(image) + "{{- end }}\n")
        result = override(chart)
        assert [found.image for found in result.not_verified] == ["quay.io/a/extra:1"]
        assert not result.is_all_right
        (tmp_path / "on.yaml").write_text("extra: {enabled: true}\n")
        assert after(result, chart, tmp_path, tmp_path / "on.yaml") == [f"{HOST}/quay/a/extra:1"]

    def test_text_of_values_is_data(self, tmp_path):
        image = '{{ printf "quay.io/a" }}'
        values = {"image": {"repository": image, "tag": "1"}, "other": {"repository": "quay.io/a/b", "tag": "1"}}
        chart = write(tmp_path / "app", values, pod("{{ .Values.other.repository }}:{{ .Values.other.tag }}"))
        result = override(chart)
        assert result.values == {"other": {"repository": f"{HOST}/quay/a/b"}}


def test_without_helm_nothing_is_verified(tmp_path):
    chart = write(tmp_path / "app", {"image": {"repository": "quay.io/a/b", "tag": "1"}}, pod(REPOSITORY_AND_TAG))
    result = guess_override(Becomings(mapping()), read_chart(chart), [], "helm is absent")
    assert result.values == {"image": {"repository": f"{HOST}/quay/a/b"}}
    assert [(found.image, found.why) for found in result.not_verified] == [("quay.io/a/b:1", "helm is absent")]
    assert result.right == []
    assert result.renderings == 0
    assert not result.is_all_right


def test_a_dependency_that_is_not_at_hand_is_named(tmp_path):
    about = {"dependencies": [{"name": "db", "version": "1.0.0", "repository": "https://charts.example.org"}]}
    chart = write(tmp_path / "app", {}, **about)
    (missing,) = guess_override(Becomings(mapping()), read_chart(chart), [], "helm is absent").not_verified
    assert missing.where == "db"
    assert "helm dependency build" in missing.why
