"""The Lambda asset run bare: boto3 and what it needs, the zip, a batch of a map, and a real registry."""

import json
from dataclasses import replace

import pytest

from ecr_pull_through_cache import CachedUpstream, CacheMapping, Upstream
from ecr_pull_through_cache.functions.contract import SETTINGS, settings
from ecr_pull_through_cache.functions.warming import MARGIN
from tests.emulators.ecr_api import ecr_api
from tests.real.lambdas import Lambda, asset, runtime
from tests.real.registries import cache

HOST = "111122223333.dkr.ecr.eu-west-1.amazonaws.com"
HANDLER = "ecr_pull_through_cache.functions.warming.handler"
MAPPING = CacheMapping.of(HOST, [CachedUpstream(upstream=Upstream.KUBERNETES, repository_prefix="k8s")])

pytestmark = [pytest.mark.engine, pytest.mark.xdist_group("registry")]


@pytest.fixture(scope="module")
def registry():
    with cache() as running:
        for tag in ("3.9", "3.10"):
            running.upstream.image("pause", tag)
        running.digest = running.upstream.image("coredns/coredns", "v1.12.0")
        yield running


@pytest.fixture
def api():
    with ecr_api() as running:
        yield running


@pytest.fixture(scope="module")
def code(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lambda")
    return Lambda(asset(folder / "asset.zip"), runtime(folder / "runtime"))


@pytest.fixture
def lambda_(code, registry, api):
    def configured(**options):
        told = settings(MAPPING, registry_url=f"http://{registry.host}", **options)
        return replace(code, environment={SETTINGS: json.dumps(told), "AWS_ENDPOINT_URL_ECR": api.url})

    registry.faults.choose = lambda path: None
    return configured


def batch(*images):
    """What a Distributed Map with an ItemBatcher gives a child execution."""
    return {"Items": [{"image": image} for image in images]}


def test_a_batch_is_imported_with_what_lambda_has_and_nothing_else(lambda_):
    done = lambda_().invoke_all(HANDLER, batch("registry.k8s.io/pause:3.9", f"{HOST}/k8s/pause:3.10"))
    result = done["result"]
    assert [image["image"] for image in sorted(result["done"], key=str)] == [
        f"{HOST}/k8s/pause:3.10", "registry.k8s.io/pause:3.9",
    ]  # fmt: skip
    assert (result["failed"], result["pending"]) == ([], [])
    loaded = {name.partition(".")[0] for name in done["modules"]}
    assert not loaded & {"aws_cdk", "jsii", "pydantic", "yaml", "rich", "typer"}


def test_comments_and_empty_lines_of_a_list_are_no_images(lambda_):
    result = lambda_().invoke(HANDLER, batch("# what the clusters need", "", "registry.k8s.io/pause:3.9 # the sandbox"))
    assert [image["image"] for image in result["done"]] == ["registry.k8s.io/pause:3.9"]
    assert result["failed"] == []


def test_what_cannot_succeed_is_said_at_once_and_keeps_nothing_else_waiting(lambda_, registry):
    images = {
        "registry.k8s.io/pause:3.9": None,
        "registry.k8s.io/pause:none": "there is no image k8s/pause:none upstream",
        "docker.io/library/nginx": "no rule caches this registry",
        "Not An Image": "has an upper-case letter in its repository",
        f"registry.k8s.io/coredns/coredns:v1.12.0@sha256:{'0' * 64}": f"the tag v1.12.0 is now {registry.digest}",
    }
    result = lambda_().invoke(HANDLER, batch(*images))
    assert [image["image"] for image in result["done"]] == ["registry.k8s.io/pause:3.9"]
    assert result["pending"] == []
    reasons = {image["image"]: image["reason"] for image in result["failed"]}
    for image, reason in images.items():
        assert reason is None or reason in reasons[image]


def test_an_image_pinned_by_digest_is_imported_by_its_tag(lambda_, registry):
    image = f"registry.k8s.io/coredns/coredns:v1.12.0@{registry.digest}"
    result = lambda_().invoke(HANDLER, batch(image))
    assert result["done"] == [{"image": image, "digest": registry.digest}]


class TestPending:
    """Layers that are on their way, and registries that do not answer, cost no image and no time of Lambda."""

    def test_it_gives_back_in_time_what_is_not_finished(self, lambda_, api):
        api.looks = 1_000_000  # that often it says that layers are not there
        images = ("registry.k8s.io/pause:3.9", "registry.k8s.io/pause:3.10")
        result = lambda_().invoke(HANDLER, batch(*images), seconds=MARGIN + 2)
        assert (result["done"], result["failed"]) == ([], [])
        assert sorted(result["pending"]) == sorted(images)
        assert 15 <= result["pause"] <= 30

    def test_the_next_round_goes_on_with_what_is_pending(self, lambda_, registry):
        images = ("registry.k8s.io/pause:3.9", "registry.k8s.io/pause:3.10")
        registry.faults.choose = lambda path: "503" if "3.10" in path else None
        first = lambda_(rounds=3).invoke(HANDLER, batch(*images))
        assert ([i["image"] for i in first["done"]], first["pending"]) == ([images[0]], [images[1]])
        registry.faults.choose = lambda path: None
        asked = len(registry.faults.seen)
        second = lambda_(rounds=3).invoke(HANDLER, first)
        assert sorted(image["image"] for image in second["done"]) == sorted(images)
        assert second["pending"] == []
        assert not [path for path in registry.faults.seen[asked:] if path.endswith("/3.9")], "done is done"

    def test_after_the_last_round_it_has_failed_with_its_reason(self, lambda_, registry):
        registry.faults.choose = lambda path: "503"
        result = lambda_(rounds=2).invoke(HANDLER, {**batch(), "pending": ["registry.k8s.io/pause:3.9"], "round": 1})
        assert result["pending"] == []
        assert "503" in result["failed"][0]["reason"]

    def test_when_aws_takes_the_credentials_no_more_that_is_the_reason(self, lambda_, api):
        api.choose = lambda operation: "ExpiredTokenException"
        result = lambda_(rounds=1).invoke(HANDLER, batch("registry.k8s.io/pause:3.9"))
        (failed,) = result["failed"]
        assert failed["image"] == "registry.k8s.io/pause:3.9"
        assert "credentials" in failed["reason"]
