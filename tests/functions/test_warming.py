"""A batch of the warmer, in this process, against a registry that is hostile."""

import json
from types import SimpleNamespace

import pytest

from ecr_pull_through_cache import CachedUpstream, CacheMapping, Upstream
from ecr_pull_through_cache.functions import contract, warming
from ecr_pull_through_cache.images import EcrHost
from ecr_pull_through_cache.operations.aws import AwsError
from tests.emulators.answers import answers, image, write
from tests.faults import Fault

HOST = "111122223333.dkr.ecr.eu-west-1.amazonaws.com"
MAPPING = CacheMapping.of(HOST, [CachedUpstream(upstream=Upstream.KUBERNETES, repository_prefix="k8s")])
FAULTS = [
    Fault(verb="function", fault="an odd manifest among the images of a batch", outcome="this image fails with a sentence, the others of the batch are done"),
    Fault(verb="function", fault="error messages of any length", outcome="each is cut; a batch stays below the 256 KiB that a state may give"),
    Fault(verb="function", fault="an image with the registry's dual-stack or FIPS host", outcome="it is the same image"),
]  # fmt: skip


class Token:
    def __call__(self, renew):
        return "Basic x"


class Everything:
    def __init__(self, *_):
        pass

    def missing(self, repository, digests):
        return []


@pytest.fixture
def registry(monkeypatch):
    with answers() as running:
        settings = contract.settings(MAPPING, registry_url=f"http://{running.host}", rounds=1)
        monkeypatch.setenv(contract.SETTINGS, json.dumps(settings))
        monkeypatch.setattr(warming, "_ecr", lambda region: (None, Token()))
        monkeypatch.setattr(warming, "EcrLayers", Everything)
        running.by_end["good"] = image()
        yield running


def run(*images, seconds=900):
    context = SimpleNamespace(get_remaining_time_in_millis=lambda: seconds * 1000)
    return warming.handler({"Items": [{"image": image} for image in images]}, context)


@pytest.mark.parametrize("bad", [image(layers=None), b"<html>", b"[" * 100_000, image(config="x")])
def test_an_odd_manifest_fails_its_image_alone(registry, bad):
    registry.by_end["bad"] = bad
    result = run("registry.k8s.io/a:bad", *(f"registry.k8s.io/b{n}:good" for n in range(19)))
    assert (len(result["done"]), len(result["failed"]), result["pending"]) == (19, 1, [])
    assert "cannot be used" in result["failed"][0]["reason"]


@pytest.mark.parametrize("host", EcrHost.of("111122223333", "eu-west-1").aliases)
def test_every_host_of_the_registry_is_its_own(registry, host):
    result = run(f"{host}/k8s/a:good")
    assert [done["image"] for done in result["done"]] == [f"{host}/k8s/a:good"]


def test_what_a_batch_gives_fits_into_a_state_whatever_is_said(registry):
    long = json.dumps({"errors": [{"code": "X" * 20_000, "message": "\x00ü" * 20_000}]}).encode()
    registry.by_end["bad"] = lambda handler: write(handler, 400, long)
    result = run(*(f"registry.k8s.io/b{n}:bad" for n in range(10)), *("😀" * 50_000 + str(n) for n in range(10)))
    assert len(result["failed"]) == 20
    assert len(json.dumps(result)) < 262_144 / 2


@pytest.mark.parametrize("items", [None, [], [5], ["x"], [{}], [{"image": None}], [{"image": ["x"]}], [[]]])
def test_entries_of_any_type_are_no_traceback(registry, items):
    result = warming.handler({"Items": items}, SimpleNamespace(get_remaining_time_in_millis=lambda: 900_000))
    assert result["done"] == []


def test_an_aws_that_gives_nothing_leaves_the_batch_to_the_next_round(registry, monkeypatch):
    def broken(region):
        raise AwsError("there is no way to AWS")

    monkeypatch.setattr(warming, "_ecr", broken)
    (failed,) = run("registry.k8s.io/a:good")["failed"]
    assert failed["reason"] == "there is no way to AWS"
