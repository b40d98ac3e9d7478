"""A base and its overlays as one tree: whichever of them is rewritten, the build gives the mapped images."""

import shutil
import subprocess

import pytest
import yaml

from ecr_pull_through_cache.images import PinnedByDigest
from ecr_pull_through_cache.manifests import Rewriter
from tests.corpus import DIGEST, HOST, mapping
from tests.real.engines import layer_tool

HUB, QUAY = f"{HOST}/docker-hub/library", f"{HOST}/quay"
KUSTOMIZATION = "kustomization.yaml"


def rewrite(text: str, rule: PinnedByDigest = PinnedByDigest.LEAVE, **options: object) -> str:
    result = Rewriter(mapping(rule), **options).rewrite(text, KUSTOMIZATION)
    assert result.problem is None
    return result.text


def images(text: str) -> list[dict[str, str]]:
    return yaml.safe_load(text)["images"]


def test_an_entry_gets_a_second_one_that_is_named_by_the_cache():
    assert rewrite("images:\n- name: quay.io/a/web # ours\n  newTag: '2'\n") == (
        f"images:\n- name: quay.io/a/web # ours\n  newName: {QUAY}/a/web\n  newTag: '2'\n- name: {QUAY}/a/web\n  newTag: '2'\n"
    )


@pytest.mark.parametrize(
    "text",
    [
        'kind: Kustomization\napiVersion: kustomize.config.k8s.io/v1\nimages:\n  - newTag: "7.4"\n    name: redis\n',
        'images: [{newTag: "7.4", name: redis}]\n',
        "images:\n- {name: redis, newTag: '7.4'}\n",
        'images:\r\n- name: redis\r\n  newTag: "7.4"\r\n',
        'images:\n- name: redis\n  newTag: "7.4"',
        '{"images": [{"name": "redis", "newTag": "7.4"}]}',
        "\ufeffimages:\n- name: redis\n  newTag: '7.4'\n",
    ],
)
def test_in_any_order_and_style(text):
    assert images(rewrite(text)) == [
        {"name": "redis", "newName": f"{HUB}/redis", "newTag": "7.4"}, {"name": f"{HUB}/redis", "newTag": "7.4"}
    ]  # fmt: skip
    assert rewrite(rewrite(text)) == rewrite(text), "a second run changes nothing"


@pytest.mark.parametrize("pin", [f"digest: {DIGEST}", f"newTag: v1@{DIGEST}"])
def test_a_digest_stays_upstream_under_its_rule_also_where_the_base_names_the_cache(pin):
    text = f"images:\n- name: quay.io/a/web\n  {pin}\n"
    key = pin.partition(":")[0]
    value = pin.partition(": ")[2]
    assert images(rewrite(text)) == [
        {"name": "quay.io/a/web", key: value}, {"name": f"{QUAY}/a/web", "newName": "quay.io/a/web", key: value}
    ]  # fmt: skip
    assert images(rewrite(text, PinnedByDigest.REWRITE))[0]["newName"] == f"{QUAY}/a/web"


def test_a_local_name_with_a_digest_is_left():
    text = f"images:\n- name: Web\n  newName: quay.io/example/web\n  digest: {DIGEST}\n"
    assert rewrite(text) == text


def test_an_entry_for_another_registry_is_kept_for_the_cache_name_too():
    found = images(rewrite("images:\n- name: redis\n  newName: mcr.microsoft.com/redis\n"))
    assert found[1] == {"name": f"{HUB}/redis", "newName": "mcr.microsoft.com/redis"}


def test_images_that_a_base_pins_keep_their_name():
    text = "images:\n- name: quay.io/a/web\n  newName: quay.io/b/web\n"
    assert images(rewrite(text, pinned={"quay.io/a/web"}))[0] == {"name": "quay.io/a/web", "newName": "quay.io/b/web"}


@pytest.mark.parametrize(
    "text",
    [
        "replicas: 2\nimages:\n- name: nginx\n  tag: '1.27'\n",
        "apiVersion: batch.example/v1\nkind: Job\nimages:\n- name: web\n  path: /srv\n",
    ],
)
def test_files_that_are_no_kustomization_get_no_new_name(text):
    assert Rewriter(mapping()).rewrite(text, "values.yaml").text == text


def test_argo_cd_and_flux_have_the_same_entries():
    text = "kind: Application\napiVersion: argoproj.io/v1alpha1\nspec:\n  source:\n    kustomize:\n      images:\n      - quay.io/a/k:1\n"
    found = yaml.safe_load(rewrite(text))["spec"]["source"]["kustomize"]["images"]
    assert found == [f"quay.io/a/k={QUAY}/a/k:1", f"{QUAY}/a/k={QUAY}/a/k:1"]
    text = "kind: Kustomization\napiVersion: kustomize.toolkit.fluxcd.io/v1\nspec:\n  images:\n  - name: redis\n    newTag: '7'\n"
    assert len(yaml.safe_load(rewrite(text))["spec"]["images"]) == 2


BASE = """\
apiVersion: v1
kind: Pod
metadata: {name: web}
spec:
  containers:
  - {name: a, image: quay.io/a/web}
  - {name: b, image: "nginx:1.27"}
  - {name: c, image: controller:latest}
  - {name: d, image: "redis:7"}
"""
OVERLAY = f"""\
resources: [../base]
images:
- name: quay.io/a/web
  newTag: v2
- newTag: "1.29"
  name: nginx
- {{name: controller, newName: quay.io/a/controller, newTag: v3}}
- name: redis
  digest: {DIGEST}
"""


@pytest.mark.engine
@pytest.mark.slow
@pytest.mark.parametrize("rule", list(PinnedByDigest))
@pytest.mark.parametrize("rewritten", [("base", "overlay"), ("overlay",)])
def test_kustomize_builds_the_mapped_images(tmp_path, rule, rewritten):
    files = {
        "base/pod.yaml": BASE,
        f"base/{KUSTOMIZATION}": "resources: [pod.yaml]\n",
        f"overlay/{KUSTOMIZATION}": OVERLAY,
    }

    def build(change: bool) -> list[str]:
        shutil.rmtree(tmp_path / "tree", ignore_errors=True)
        for name, text in files.items():
            path = tmp_path / "tree" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            is_changed = change and name.startswith(rewritten)
            path.write_text(Rewriter(mapping(rule)).rewrite(text, name).text if is_changed else text)
        built = subprocess.check_output([layer_tool("kubectl"), "kustomize", tmp_path / "tree/overlay"], text=True)
        return [container["image"] for container in yaml.safe_load(built)["spec"]["containers"]]

    assert build(change=True) == [mapping(rule).map(image) for image in build(change=False)]
