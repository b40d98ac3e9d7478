"""Names that stand where an image stands, and are replaced before anything is pulled."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

PLACEHOLDERS: Mapping[str, str] = MappingProxyType(
    {
        # https://istio.io/latest/docs/setup/additional-setup/sidecar-injection/#customizing-injection
        "auto": "Istio's injector replaces it with the image of the proxy",
    }
)
"""Known placeholders, each with the program that replaces it."""


def is_placeholder(text: str) -> bool:
    """Whether a text is a known placeholder rather than an image: a name without registry, path, tag and digest.

    :param text: what stands in a field for images, such as ``auto``.
    """
    return text in PLACEHOLDERS
