"""Which images a cache can import, and lists of them."""

from __future__ import annotations

from collections.abc import Iterable

from ..errors import UserError
from .mapping import CacheMapping, Reason
from .reference import ImageReference


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
    if reason is Reason.REPLICA_ONLY:
        return f"{image!r} cannot be imported into a registry that holds replicas only; import it where they come from"
    if reference.digest and not reference.tag:
        return f"{image!r} is pinned by its digest alone, and ECR imports by tags; write NAME:TAG@DIGEST"
    return None


def listed_images(lines: Iterable[str]) -> tuple[str, ...]:
    """The images of a list, each once: one a line, and what follows a ``#`` is a comment.

    :param lines: its lines.
    """
    return tuple(dict.fromkeys(filter(None, (line.partition("#")[0].strip() for line in lines))))
