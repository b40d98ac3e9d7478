"""Names that stand where an image stands, and are none."""

import pytest

from ecr_pull_through_cache.images.placeholders import is_placeholder


def test_the_injector_of_istio_replaces_auto():
    assert is_placeholder("auto")


@pytest.mark.parametrize(
    "image", ["auto:1", "library/auto", "docker.io/auto", "auto@sha256:" + "a" * 64, "Auto", "", "nginx"]
)
def test_whatever_names_more_than_that_is_an_image(image):
    assert not is_placeholder(image)
