"""Which images run where, from which registry, and what each becomes through the cache."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from ..errors import UserError
from ..images import CacheMapping, ImageReference, InvalidImageReference, Reason

_DIGEST = re.compile(r"(?:^|@)(sha256:[0-9a-f]{64})$", re.ASCII)
_FIELDS = ("initContainers", "containers", "ephemeralContainers")


@dataclass(frozen=True, kw_only=True, order=True)
class Use:
    """One image in one place.

    :param image: the reference as it stands there.
    :param where: namespace and name of the Pod, or file.
    :param digest: the digest that was really pulled, where that is known.
    """

    image: str
    where: str
    digest: str | None = None


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One image, wherever it is used.

    :param image: the reference as it stands there.
    :param registry: the registry it is pulled from.
    :param cached: what it becomes, ``None`` when it stays.
    :param reason: why.
    :param digests: the digests that were really pulled.
    :param where: where it is used.
    """

    image: str
    registry: str
    cached: str | None
    reason: str
    digests: tuple[str, ...]
    where: tuple[str, ...]

    @property
    def to_warm(self) -> str | None:
        """What ``warm`` should import, ``None`` when nothing: a digest is imported by the tag that carries it."""
        return self.cached


def of_pods(text: str) -> Iterator[Use]:
    """The images of ``kubectl get pods -A -o json``.

    :raises UserError: when the text is something else.
    """
    try:
        data = json.loads(text)
        items = data.get("items", [data])
        for pod in items:
            yield from _of_pod(pod)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise UserError("this is not what `kubectl get pods -A -o json` prints") from None


def _of_pod(pod: dict[str, Any]) -> Iterator[Use]:
    metadata, spec, status = pod["metadata"], pod["spec"], pod.get("status", {})
    where = f"{metadata.get('namespace', 'default')}/{metadata['name']}"
    pulled = {
        (field, entry["name"]): entry.get("imageID", "")
        for field in _FIELDS
        for entry in status.get(f"{field.removesuffix('s')}Statuses") or ()
    }
    for field in _FIELDS:
        for container in spec.get(field) or ():
            match = _DIGEST.search(pulled.get((field, container["name"]), ""))
            yield Use(image=container["image"], where=where, digest=match[1] if match else None)
    for volume in spec.get("volumes") or ():
        if volume.get("image", {}).get("reference"):
            yield Use(image=volume["image"]["reference"], where=where)


def inventory(uses: Iterable[Use], mapping: CacheMapping) -> list[Entry]:
    """What is used, one entry for each image, in the order of registries and names.

    :param uses: images and their places.
    :param mapping: what images become.
    """
    grouped: dict[str, list[Use]] = {}
    for use in uses:
        grouped.setdefault(use.image, []).append(use)
    return sorted(
        (_entry(image, found, mapping) for image, found in grouped.items()), key=lambda e: (e.registry, e.image)
    )


def _entry(image: str, uses: list[Use], mapping: CacheMapping) -> Entry:
    digests = tuple(sorted({use.digest for use in uses if use.digest}))
    where = tuple(sorted({use.where for use in uses}))
    try:
        decision = mapping.decide(image)
        registry = ImageReference.parse(image).registry
    except InvalidImageReference as error:
        return Entry(image=image, registry="", cached=None, reason=str(error), digests=digests, where=where)
    cached = decision.image if decision.reason in (Reason.CACHED, Reason.ALREADY_CACHED) else None
    return Entry(
        image=image, registry=registry, cached=cached, reason=decision.reason.value, digests=digests, where=where
    )
