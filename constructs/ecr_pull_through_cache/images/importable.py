"""Which images a cache can import, and lists of them."""

from __future__ import annotations

import re
from collections.abc import Iterable

from ..errors import UserError
from .mapping import CacheMapping, Reason
from .reference import ImageReference

_PLATFORM = re.compile(r"[a-z0-9]+/[a-z0-9_]+(/[a-z0-9.]+)?", re.ASCII)


_NOT_SENT = (Reason.PLACEHOLDER, Reason.EXCLUDED, Reason.NOT_SELECTED, Reason.NAME_TOO_LONG)


def check_platform(platform: str) -> str:
    """A platform as an image index names it: system and architecture, and its variant where there is one.

    https://github.com/opencontainers/image-spec/blob/main/image-index.md

    :param platform: for example ``linux/arm64`` or ``linux/arm/v7``.
    :raises UserError: when it is none.
    """
    if not _PLATFORM.fullmatch(platform):
        raise UserError(f"{platform!r} is not a platform; a platform is named like 'linux/arm64'")
    return platform


def why_not_importable(image: str, mapping: CacheMapping) -> str | None:
    """Why an image cannot be imported into a cache, in a sentence; ``None`` when nothing is known against it.

    :param image: a reference, with the upstream's name or the cache's.
    :param mapping: the cache.
    """
    try:
        reference = ImageReference.parse(image)
        reason = mapping.decide(image).reason
    except UserError as error:
        return str(error)
    if reason is Reason.NO_RULE:
        known = ", ".join(dict.fromkeys(rule.upstream.host for rule in mapping.rules))
        return f"{image!r} is not an image of an upstream that is cached here; cached are {known}"
    if reason is Reason.ALREADY_CACHED and mapping.upstream_of(image) is None:
        known = ", ".join(rule.repository_prefix for rule in mapping.rules)
        return f"{image!r} lies below no prefix that is cached here; there are {known}"
    if reason is Reason.NOT_ALLOWED:
        return f"{image!r} is not an image that the allow list of its upstream names; add its repository under 'allow'"
    if reason is Reason.REPLICA_ONLY:
        return f"{image!r} cannot be imported into a registry that holds replicas only; import it where they come from"
    if reason in _NOT_SENT:
        return f"{image!r} is not sent to the cache: {reason.value}"
    if reference.digest and not reference.tag:
        return f"{image!r} is pinned by its digest alone, and ECR imports by tags; write NAME:TAG@DIGEST"
    return None


def listed_images(lines: Iterable[str]) -> tuple[str, ...]:
    """The images of a list, each once: one a line, and what follows a ``#`` is a comment.

    :param lines: its lines.
    """
    return tuple(dict.fromkeys(filter(None, (line.partition("#")[0].strip() for line in lines))))
