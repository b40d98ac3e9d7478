"""Which images run where, from which registry, and what each becomes through the cache."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import UserError
from ..images import (
    CacheMapping,
    EcrHost,
    ImageReference,
    InvalidImageReference,
    Reason,
    UnsupportedUpstream,
    Upstream,
)

_DIGEST = re.compile(
    r"@(sha256:[0-9a-f]{64})$", re.ASCII
)  # without a name before it, it is no manifest's but an image id
_NOT_PODS = "this is not what `kubectl get pods -A -o json` prints"
_ID = "an id that a node gave to an image, which names no repository"
_FIELDS = ("initContainers", "containers", "ephemeralContainers")


@dataclass(frozen=True, kw_only=True, order=True)
class Use:
    """One image in one place.

    :param image: the reference as it stands there.
    :param where: namespace and name of the Pod, or file.
    :param digest: the digest that was really pulled, where that is known.
    :param is_mention: whether an argument, a variable, a ConfigMap or another text names it, so that nobody knows whether it
        is pulled.
    """

    image: str
    where: str
    digest: str | None = None
    is_mention: bool = False


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One image, wherever it is used.

    :param image: the reference as it stands there.
    :param registry: the registry it is pulled from.
    :param cached: what it becomes, ``None`` when it stays.
    :param reason: why.
    :param digests: the digests that were really pulled.
    :param where: where it is used.
    :param hint: what can be done where it stays, empty where nothing need be.
    :param tagged: for an image that is pinned by digest alone, its cached form with a tag that is known to carry the
        digest: another use of it shows one.
    :param is_mention: whether nothing but arguments, variables, ConfigMaps and other texts name it.
    """

    image: str
    registry: str
    cached: str | None
    reason: str
    digests: tuple[str, ...]
    where: tuple[str, ...]
    hint: str = ""
    tagged: str | None = None
    is_mention: bool = False

    @property
    def to_warm(self) -> str | None:
        """The reference that ``warm`` should import, or ``None``. A digest is imported by a tag that carries it."""
        return self.tagged or self.cached


def of_pods(text: str) -> Iterator[Use]:
    """The images of ``kubectl get pods -A -o json``.

    :raises UserError: when the text is something else.
    """
    try:
        yield from of_pod_list(json.loads(text))
    except ValueError:
        raise UserError(_NOT_PODS) from None


def of_pod_list(data: Any) -> Iterator[Use]:
    """The images of a Pod or a list of Pods, as data.

    :raises UserError: when it is something else.
    """
    try:
        for pod in data.get("items", [data]):
            yield from _of_pod(pod)
    except (KeyError, TypeError, AttributeError):
        raise UserError(_NOT_PODS) from None


def are_pods(data: Any) -> bool:
    """Whether something is a Pod that runs, which a manifest of one does not, or a list of nothing but Pods."""
    if not isinstance(data, dict):
        return False
    kind = str(data.get("kind", "List"))
    if kind == "Pod":
        return "status" in data
    items = data.get("items")
    if not isinstance(items, list) or not kind.endswith("List"):
        return False
    if not items:
        return kind in ("List", "PodList")
    # The items of a PodList do not name their kind.
    return all(isinstance(item, dict) and item.get("kind", "Pod") == "Pod" and "spec" in item for item in items)


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
            match = _DIGEST.search(str(pulled.get((field, container["name"])) or ""))
            yield Use(image=_text(container["image"]), where=where, digest=match[1] if match else None)
    for volume in spec.get("volumes") or ():
        if volume.get("image", {}).get("reference"):
            yield Use(image=_text(volume["image"]["reference"]), where=where)


def _text(value: Any) -> str:
    """An image as it stands there; anything but a text is shown so that nobody takes it for an image."""
    return value if isinstance(value, str) else f"{value!r} (not a text)"


def inventory(uses: Iterable[Use], mapping: CacheMapping) -> list[Entry]:
    """List the images in use, one entry each, sorted by registry and name.

    :param uses: images and their places.
    :param mapping: what images become.
    """
    grouped: dict[str, list[Use]] = {}
    for use in uses:
        grouped.setdefault(use.image, []).append(use)
    tags = _tags(grouped)
    return sorted(
        (_entry(image, found, mapping, tags) for image, found in grouped.items()), key=lambda e: (e.registry, e.image)
    )


def _tags(grouped: Mapping[str, Sequence[Use]]) -> dict[str, str]:
    """The tags that are known to carry a digest, by ``HOST/REPOSITORY@DIGEST``: written beside it, or pulled by it."""
    tags = {}
    for image, uses in grouped.items():
        try:
            reference = ImageReference.parse(image)
        except InvalidImageReference:
            continue
        if reference.tag or not reference.digest:
            digests = {reference.digest} if reference.digest else {use.digest for use in uses}
            tags.update({f"{reference.name}@{digest}": reference.tag or "latest" for digest in digests if digest})
    return tags


def _entry(image: str, uses: Sequence[Use], mapping: CacheMapping, tags: Mapping[str, str]) -> Entry:
    digests = tuple(sorted({use.digest for use in uses if use.digest}))
    where = tuple(sorted({use.where for use in uses}))
    is_mention = all(use.is_mention for use in uses)
    if image.startswith("sha256:"):
        return Entry(
            image=image, registry="", cached=None, reason=_ID, digests=digests, where=where, is_mention=is_mention
        )
    try:
        decision = mapping.decide(image)
        reference = ImageReference.parse(image)
    except InvalidImageReference as error:
        return Entry(
            image=image,
            registry="",
            cached=None,
            reason=str(error),
            digests=digests,
            where=where,
            is_mention=is_mention,
        )
    cached = decision.image if decision.reason in (Reason.CACHED, Reason.ALREADY_CACHED) else None
    tag = tags.get(f"{reference.name}@{reference.digest}") if reference.digest and not reference.tag else None
    return Entry(
        image=image,
        registry=reference.registry,
        cached=cached,
        reason=decision.reason.value,
        digests=digests,
        where=where,
        hint=_hint(decision.reason, reference.registry),
        tagged=cached.replace("@", f":{tag}@") if cached and tag else None,
        is_mention=is_mention,
    )


def _hint(reason: Reason, registry: str) -> str:
    if reason is Reason.PINNED_BY_DIGEST:
        return "warm it by a tag that carries the digest, and set pinnedByDigest: rewrite"
    if reason is Reason.REPLICA_ONLY:
        return (
            "give the registry the upstream too, or warm the source registry with --replicas and set prepopulated: true"
        )
    if reason is not Reason.NO_RULE:
        return ""
    if EcrHost.parse(registry) is not None:
        return "it is in ECR already; a rule for that registry brings it nearer"
    try:
        Upstream.from_host(registry)
    except UnsupportedUpstream:
        return (
            "ECR has no pull through cache for this registry: copy the image into a repository of your own "
            "(mode: push in the configuration), or take the same software from a registry that it has"
        )
    return "ECR can pull through from there: add the upstream to the configuration"
