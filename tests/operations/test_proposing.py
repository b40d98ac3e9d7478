"""What is proposed to be cached: what runs, by the catalogue of upstreams."""

import json

import pytest

from ecr_pull_through_cache import UserError
from ecr_pull_through_cache.operations.proposing import images_of, propose

DIGEST = "sha256:" + "0" * 64


def pod(*images):
    containers = [{"name": f"c{n}", "image": image} for n, image in enumerate(images)]
    return {"metadata": {"name": "a", "namespace": "b"}, "spec": {"containers": containers}}


def test_upstreams_are_counted_by_images_and_not_by_pods():
    found = propose(["nginx", "redis:7", "nginx", "quay.io/a/b", "k8s.gcr.io/pause:3.1", f"registry.k8s.io/a@{DIGEST}"])
    assert found.upstreams == {"docker.io": 2, "registry.k8s.io": 2, "quay.io": 1}
    assert found.pinned == 1


def test_what_ecr_cannot_pull_through_is_said_by_host():
    found = propose(["mcr.microsoft.com/a", "mcr.microsoft.com/b", "gcr.io/c", "nginx"])
    assert found.impossible == {"mcr.microsoft.com": 2, "gcr.io": 1}


def test_images_that_lie_in_ecr_already_are_no_upstream():
    found = propose(["111122223333.dkr.ecr.eu-west-1.amazonaws.com/app:1", "example.azurecr.io/app:1"])
    assert (found.in_ecr, found.upstreams) == (1, {"example.azurecr.io": 1})


def test_what_is_no_image_is_counted_and_passed_over():
    assert propose(["Nginx", "nginx"]).unreadable == 1


def test_the_images_of_pods_and_of_an_inventory_are_read():
    assert list(images_of(json.dumps({"items": [pod("nginx", "redis")]}))) == ["nginx", "redis"]
    assert list(images_of(json.dumps([{"image": "nginx", "where": ["a/b"]}]))) == ["nginx"]


@pytest.mark.parametrize("text", ["", "nginx", "3", '[{"name": "nginx"}]', '{"items": [{}]}', "[1]"])
def test_anything_else_is_refused_in_one_sentence(text):
    with pytest.raises(UserError, match="this is (neither|not) what"):
        list(images_of(text))
