"""What an image becomes, both ways; the decision is the mapping's."""

import pytest

from ecr_pull_through_cache.images import Reason
from ecr_pull_through_cache.manifests.becoming import NOT_OF_THE_CACHE, Becomings
from tests.corpus import DIGEST, HOST, corpus, mapping


def test_every_reference_becomes_what_the_mapping_says():
    cache = mapping()
    becomings = Becomings(cache)
    for image in corpus():
        found = becomings.of(image, True)
        assert found is not None
        assert found.accepted == (cache.map(image),)


@pytest.mark.parametrize(
    ("image", "reason"),
    [
        (f"quay.io/a/b@{DIGEST}", Reason.PINNED_BY_DIGEST),
        ("mcr.microsoft.com/x", Reason.NO_RULE),
        (f"{HOST}/quay/a/b:1", Reason.ALREADY_CACHED),
    ],
)
def test_the_reason_why_an_image_stays_is_that_of_the_mapping(image, reason):
    found = Becomings(mapping()).of(image, True)
    assert found.why_it_stays == reason.value
    assert (found.is_pinned, found.has_no_rule, found.is_there) == tuple(
        reason is one for one in (Reason.PINNED_BY_DIGEST, Reason.NO_RULE, Reason.ALREADY_CACHED)
    )


def test_a_registry_with_a_folder_in_words_is_no_image_of_the_library():
    assert Becomings(mapping()).of("docker.io/istio", False).accepted == (
        f"{HOST}/docker-hub/library/istio",
        f"{HOST}/docker-hub/istio",
    )


def test_the_way_back_knows_every_registry_that_it_is_given():
    becomings = Becomings(None, back=[mapping()])
    assert becomings.of(f"{HOST}/quay/a/b:1", True).accepted == ("quay.io/a/b:1",)
    assert becomings.of("quay.io/a/b:1", True).why_it_stays == NOT_OF_THE_CACHE
    assert HOST in becomings.hosts
    assert {HOST, "quay.io", "docker.io"} <= set(becomings.all_hosts)


def test_what_is_no_reference_becomes_nothing():
    assert Becomings(mapping()).of("not an image", True) is None
