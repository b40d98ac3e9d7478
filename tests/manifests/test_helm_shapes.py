"""Images in values alone: the customary shapes are certain, and a name whose registry may stand elsewhere is not."""

import pytest

from ecr_pull_through_cache.manifests.becoming import Becomings
from ecr_pull_through_cache.manifests.helm_shapes import guesses_of, override
from tests.corpus import DIGEST, HOST, corpus, mapping

SHAPES = {
    "repository and tag": ({"image": {"repository": "quay.io/a/b", "tag": "1"}}, {"image": {"repository": f"{HOST}/quay/a/b"}}),
    "registry and repository": (
        {"image": {"registry": "quay.io", "repository": "a/b", "tag": "1"}},
        {"image": {"registry": f"{HOST}/quay"}},
    ),
    "registry, repository and digest": (
        {"image": {"registry": "quay.io", "repository": "a/b", "tag": "1", "digest": DIGEST}},
        {},
    ),
    "a digest under another key": (
        {"image": {"repository": "quay.io/a/b", "tag": "1", "genericDigest": DIGEST, "useDigest": True}},
        {},
    ),
    "a digest that is not used": (
        {"image": {"repository": "quay.io/a/b", "tag": "1", "digest": DIGEST, "useDigest": False}},
        {"image": {"repository": f"{HOST}/quay/a/b"}},
    ),
    "registry and name": ({"image": {"registry": "quay.io", "name": "a/b"}}, {"image": {"registry": f"{HOST}/quay"}}),
    "registry and image": (
        {"controller": {"image": {"registry": "registry.k8s.io", "image": "ingress-nginx/controller", "tag": "v1", "digest": ""}}},
        {"controller": {"image": {"registry": f"{HOST}/k8s"}}},
    ),
    "a name of Docker Hub beside its registry": (
        {"image": {"registry": "docker.io", "repository": "nginx", "tag": "1"}},
        {"image": {"registry": f"{HOST}/docker-hub/library"}},
    ),
    "a tag in parts without a registry": (
        {"image": {"repository": "nginx", "tag": "1"}},
        {"image": {"repository": f"{HOST}/docker-hub/library/nginx"}},
    ),
    "a whole text": ({"sidecarImage": "quay.io/a/b:1"}, {"sidecarImage": f"{HOST}/quay/a/b:1"}),
    "a whole text under image": ({"a": {"image": "nginx:1"}}, {"a": {"image": f"{HOST}/docker-hub/library/nginx:1"}}),
    "another registry": ({"image": {"repository": "mcr.microsoft.com/x"}}, {}),
    "a tag that carries a digest": ({"image": {"repository": "quay.io/a/b", "tag": f"1@{DIGEST}"}}, {}),
    "a name that is no image": ({"name": "nginx", "repository": ""}, {}),
}  # fmt: skip


@pytest.mark.parametrize(("values", "expected"), SHAPES.values(), ids=SHAPES)
def test_the_customary_shapes(values, expected):
    assert override(mapping(), [((), values)]).values == expected


ELSEWHERE = {
    "a registry at the top": {"registry": "registry.example.org/agents", "worker": {"image": {"name": "worker", "tag": "7"}}},
    "a null registry and a default": {
        "defaultRegistry": "registry.example.org",
        "image": {"registry": None, "repository": "team/controller", "tag": "1"},
    },
    "a hub": {"global": {"hub": "docker.io/mesh"}, "proxy": {"image": "sidecar"}},
    "a registry and a namespace": {
        "imageRegistry": "quay.io",
        "imageNamespace": "certs",
        "webhook": {"image": {"name": "webhook", "tag": "v1"}},
    },
    "a global registry": {"global": {"image": {"registry": "registry.k8s.io"}}, "a": {"image": {"repository": "a/b", "tag": "1"}}},
}  # fmt: skip


@pytest.mark.parametrize("values", ELSEWHERE.values(), ids=ELSEWHERE)
def test_a_name_is_not_taken_for_one_of_docker_hub_where_another_value_may_name_its_registry(values):
    result = override(mapping(), [((), values)])
    assert result.values == {}
    assert all("its registry may stand in another value" in why for why in result.left.values())


def test_what_cannot_be_overridden_is_said():
    values = {"images": [{"image": "quay.io/a/b:1"}], "image": {"repository": "mcr.microsoft.com/x"}}
    left = override(mapping(), [((), values)]).left
    assert left["images[0]"].endswith("override the list yourself")
    assert left["image.repository"] == "mcr.microsoft.com/x: no rule caches this registry"


def test_every_whole_reference_becomes_what_the_mapping_says_or_is_left():
    cache = mapping()
    images = corpus()
    result = override(cache, [((), {f"i{n}": {"image": image} for n, image in enumerate(images)})])
    for number, image in enumerate(images):
        got = result.values.get(f"i{number}", {}).get("image", image)
        assert got == cache.map(image) or (got == image and f"i{number}.image" in result.left), image


def test_values_for_a_chart_within_a_chart_stand_below_its_key():
    values = {"image": {"repository": "quay.io/a/b"}}
    assert override(mapping(), [(("db",), values)]).values == {"db": {"image": {"repository": f"{HOST}/quay/a/b"}}}


def test_a_guess_says_where_and_why():
    (guess,) = guesses_of(Becomings(mapping()), {"image": {"repository": "quay.io/a/b", "digest": DIGEST}})
    assert (guess.place, guess.is_pinned, dict(guess.changes)) == (("image", "repository"), True, {})
