"""The choice of values: the fewest that make every image right, and none that makes another image wrong."""

import pytest

from ecr_pull_through_cache.manifests.becoming import Becomings
from ecr_pull_through_cache.manifests.helm_solving import Built, Piece, Slot, solve
from tests.corpus import HOST, mapping


def built(image, *parts):
    """An image whose parts are the values at some places."""
    found = Becomings(mapping()).of(image, True)
    pieces, at = [], 0
    for place, text in parts:
        start = image.index(text, at)
        at = start + len(text)
        pieces.append(Piece(start, at, Slot((place,), 0, len(text), text)))
    return Built(found, tuple(pieces))


def changes(*images, banned=None):
    solution = solve(list(images), banned)
    return {slot.place[0]: text for slot, text in solution.changes.items()}, solution.left


def test_one_registry_for_all_images_is_one_change():
    images = [built(f"quay.io/a/{n}:1", ("registry", "quay.io"), (n, f"a/{n}")) for n in "bcd"]
    assert changes(*images) == ({"registry": f"{HOST}/quay"}, {})


def test_a_registry_of_two_upstream_parts_needs_the_names_too():
    made, left = changes(
        built("quay.io/a/b:1", ("registry", "quay.io"), ("one", "a/b")),
        built("quay.io/argoproj/x:1", ("registry", "quay.io"), ("two", "argoproj/x")),
    )
    assert left == {}
    assert made["registry"] in (HOST, f"{HOST}/quay", f"{HOST}/argo")
    assert len(made) >= 2


def test_docker_hubs_library_is_in_the_path():
    assert changes(built("nginx:1", ("image", "nginx"))) == ({"image": f"{HOST}/docker-hub/library/nginx"}, {})


def test_a_value_that_another_image_needs_as_it_is_stays():
    made, left = changes(
        built("quay.io/a/b:1", ("registry", "quay.io"), ("one", "a/b")),
        built(f"quay.io/a/c@sha256:{'0' * 64}", ("registry", "quay.io"), ("two", "a/c")),
    )
    assert made == {}
    assert "pinned by digest" in left[0]
    assert "registry" in left[0]


@pytest.mark.parametrize(
    ("image", "why"),
    [
        (built("quay.io/a/b:1"), "put together in the template"),
        (built("quay.io/a/b:1", ("name", "a/b")), "the registry is written in the template"),
    ],
)
def test_what_no_value_makes_is_left_with_the_reason(image, why):
    made, left = changes(image)
    assert made == {}
    assert why in left[0]


def test_a_banned_value_is_not_changed_again():
    image = built("quay.io/a/b:1", ("image", "quay.io/a/b"))
    assert changes(image, banned={image.pieces[0].slot: "it does harm"}) == ({}, {0: "it does harm"})
