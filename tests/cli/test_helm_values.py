"""`helm-values`: values that point a chart at the cache, and the images it leaves."""

import shlex

import pytest
import yaml

from tests.corpus import HOST
from tests.real.engines import layer_tool, run
from tests.support.command_line import RULES, cli


def test_helm_values(tmp_path):
    (tmp_path / "values.yaml").write_text("image:\n  repository: nginx\n  tag: 1\nx: {image: quay.io/a/b}\n")
    done = cli("helm-values", tmp_path / "values.yaml", *RULES)
    assert yaml.safe_load(done.stdout) == {"image": {"repository": f"{HOST}/hub/library/nginx"}}
    assert "x.image: left: quay.io/a/b: no rule caches this registry" in done.stderr


def test_a_chart_that_is_not_there_is_one_sentence():
    assert (
        cli("helm-values", "nope", *RULES, expect=2).stderr
        == "error: nope: there is no such file or folder; give a chart's folder, its .tgz, or a values file\n"
    )


POD = (
    "apiVersion: v1\nkind: Pod\nmetadata: {name: app}\nspec:\n  containers:\n"
    '    - {name: a, image: "{{ .Values.image.repository }}:{{ .Values.image.tag }}"}\n'
)


@pytest.fixture
def chart(tmp_path):
    folder = tmp_path / "app"
    (folder / "templates").mkdir(parents=True)
    (folder / "Chart.yaml").write_text("apiVersion: v2\nname: app\nversion: 1.0.0\n")
    (folder / "values.yaml").write_text("image: {repository: nginx, tag: '1.27'}\n")
    (folder / "templates/pod.yaml").write_text(POD)
    return folder


@pytest.fixture
def helm(monkeypatch):
    program = str(layer_tool("helm"))
    monkeypatch.setenv("HELM", program)
    return program


def images(helm, chart, *options):
    text = run([helm, "template", "x", chart, *options]).stdout
    return [c["image"] for d in yaml.safe_load_all(text) if d for c in d["spec"]["containers"]]


CACHED = f"{HOST}/hub/library/nginx:1.27"


@pytest.mark.engine
class TestWithHelm:
    def test_the_summary_counts_what_helm_verified(self, chart, helm):
        done = cli("helm-values", chart, "--strict", *RULES)
        assert done.stderr == "Images: 1 right, 0 left, 0 not verified\n"

    def test_set_prints_arguments_that_helm_takes(self, chart, helm):
        arguments = shlex.split(cli("helm-values", chart, "--set", *RULES).stdout)
        assert images(helm, chart, *arguments) == [CACHED]

    def test_the_way_back_gives_what_was(self, chart, helm, tmp_path):
        (tmp_path / "cached.yaml").write_text(cli("helm-values", chart, *RULES).stdout)
        back = cli("helm-values", chart, "--values", tmp_path / "cached.yaml", "--reverse", *RULES)
        (tmp_path / "back.yaml").write_text(back.stdout)
        (image,) = images(helm, chart, "--values", tmp_path / "cached.yaml", "--values", tmp_path / "back.yaml")
        assert image == "docker.io/library/nginx:1.27"

    def test_the_last_of_several_values_files_counts(self, chart, helm, tmp_path):
        for name, tag in (("a", "1"), ("b", "2")):
            (tmp_path / name).write_text(f"image: {{repository: quay.io/x/{name}, tag: '{tag}'}}\n")
        given = [option for name in "ab" for option in ("--values", tmp_path / name)]
        rules = [*RULES, "--upstream", "quay=quay.io"]
        (tmp_path / "cached").write_text(cli("helm-values", chart, *given, *rules).stdout)
        assert images(helm, chart, *given, "--values", tmp_path / "cached") == [f"{HOST}/quay/x/b:2"]

    def test_values_come_from_standard_input(self, chart, helm):
        values = "image: {repository: registry.k8s.io/pause, tag: '3.10'}\n"
        done = cli("helm-values", chart, "--values", "-", *RULES, stdin=values)
        assert yaml.safe_load(done.stdout) == {"image": {"repository": f"{HOST}/k8s/pause"}}

    def test_strict_fails_where_an_image_stays(self, chart, helm):
        (chart / "templates/more.yaml").write_text(POD.replace("{{ .Values.image.repository }}", "redis"))
        done = cli("helm-values", chart, "--strict", *RULES, expect=1)
        assert "app/templates/more.yaml: left: redis:1.27: " in done.stderr
        assert done.stderr.endswith("Images: 1 right, 1 left, 0 not verified\n")

    def test_a_chart_that_helm_does_not_render_is_one_sentence(self, chart, helm):
        (chart / "templates/pod.yaml").write_text('{{ fail "no licence" }}')
        done = cli("helm-values", chart, *RULES, expect=2)
        assert "no licence" in done.stderr
        assert len(done.stderr.splitlines()) == 1


def test_without_helm_the_command_says_that_nothing_was_verified(chart, monkeypatch):
    monkeypatch.setenv("HELM", "/nowhere/helm")
    done = cli("helm-values", chart, *RULES)
    assert yaml.safe_load(done.stdout) == {"image": {"repository": f"{HOST}/hub/library/nginx"}}
    assert done.stderr.endswith("Images: 0 right, 0 left, 1 not verified; helm verified nothing\n")
    cli("helm-values", chart, "--strict", *RULES, expect=1)


def test_standard_input_may_be_the_values_file():
    done = cli("helm-values", "-", *RULES, stdin="image: {repository: nginx, tag: 1}\n")
    assert yaml.safe_load(done.stdout) == {"image": {"repository": f"{HOST}/hub/library/nginx"}}


@pytest.mark.parametrize("name", ["metrics-server/metrics-server", "oci://ghcr.io/a/b", "https://example.org/a.tgz"])
def test_a_chart_elsewhere_names_helm_pull(name):
    assert (
        f"this command downloads nothing; run `helm pull {name}`" in cli("helm-values", name, *RULES, expect=2).stderr
    )
