"""The reference that an image is to become, to the cache or back, and the texts that are as good."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from ..images import (
    DOCKER_HUB,
    CacheMapping,
    ImageReference,
    InvalidImageReference,
    Reason,
    split_registry,
)

NOT_OF_THE_CACHE = "no image of the cache"
"""Why an image stays on the way back."""
_ELSEWHERE = (Reason.NO_RULE, Reason.ALREADY_CACHED, Reason.PLACEHOLDER)


@dataclass(frozen=True, slots=True)
class Becoming:
    """The reference that one image is to become.

    :param image: the image as it is.
    :param accepted: the texts that may stand in its place, the first for choice.
    :param why_it_stays: why it stays where it is; ``None`` when it does not.
    :param is_of_concern: whether the rules of the cache know its registry.
    """

    image: str
    accepted: tuple[str, ...]
    why_it_stays: str | None = None
    is_of_concern: bool = True

    @property
    def has_no_rule(self) -> bool:
        """Whether it stays because no rule caches its registry."""
        return self.why_it_stays == Reason.NO_RULE.value

    @property
    def is_there(self) -> bool:
        """Whether it is an image of the cache already."""
        return self.why_it_stays == Reason.ALREADY_CACHED.value

    @property
    def is_pinned(self) -> bool:
        """Whether it stays because a digest pins it."""
        return self.why_it_stays == Reason.PINNED_BY_DIGEST.value


class Becomings:
    """Decides for images one by one; the decision itself is the mapping's.

    :param mapping: the mapping of images to the cache.
    :param back: the mappings of every registry whose images go back to their upstream. Default: images go to the cache.
    """

    def __init__(self, mapping: CacheMapping | None, *, back: Iterable[CacheMapping] = ()) -> None:
        self._back = tuple(back)
        self.mapping = mapping or self._back[0]
        reverse = bool(self._back)
        self.of = lru_cache(maxsize=65_536)(self._backwards if reverse else self._forwards)

    @property
    def hosts(self) -> tuple[str, ...]:
        """The hosts of the images that are to become something else."""
        if self._back:
            return tuple(dict.fromkeys(host for mapping in self._back for host in mapping.hosts))
        return self._upstream_hosts(self.mapping)

    @property
    def all_hosts(self) -> tuple[str, ...]:
        """The hosts of the images, before and after."""
        caches = [host for mapping in (self.mapping, *self._back) for host in mapping.hosts]
        upstreams = [host for mapping in (self.mapping, *self._back) for host in self._upstream_hosts(mapping)]
        return tuple(dict.fromkeys((*caches, *upstreams)))

    @staticmethod
    def _upstream_hosts(mapping: CacheMapping) -> tuple[str, ...]:
        hosts = dict.fromkeys(s.source.split("/")[0] for s in mapping.substitutions)
        return tuple(dict.fromkeys((*hosts, *(mapping.docker_hub_hosts if DOCKER_HUB in hosts else ()))))

    def _forwards(self, image: str, whole: bool) -> Becoming | None:
        """Decide on an image.

        :param whole: whether the text is all that its place holds: in words, a registry with a folder may be named.
        :returns: ``None`` for what is no image's name.
        """
        try:
            decision = self.mapping.decide(image)
        except InvalidImageReference:
            return None
        if decision.reason is not Reason.CACHED:
            concern = decision.reason not in _ELSEWHERE
            return Becoming(image, (image,), decision.reason.value, is_of_concern=concern)
        return Becoming(image, (decision.image, *(() if whole else self._as_folder(image))))

    def _backwards(self, image: str, whole: bool) -> Becoming | None:  # noqa: ARG002
        try:
            upstream = next(filter(None, (mapping.upstream_of(image) for mapping in self._back)), None)
        except InvalidImageReference:
            return None
        if upstream is None:
            return Becoming(image, (image,), NOT_OF_THE_CACHE, is_of_concern=False)
        return Becoming(image, (upstream,))

    def _as_folder(self, text: str) -> tuple[str, ...]:
        """``docker.io/istio`` in a text names a folder of images rather than ``docker.io/library/istio``."""
        reference = ImageReference.parse(text)
        host, path = split_registry(text)
        if host is None or reference.tag or reference.digest:
            return ()
        literal = f"{DOCKER_HUB if host in self.mapping.docker_hub_hosts else host}/{path}"
        hit = next((s for s in self.mapping.substitutions if f"{literal}/".startswith(s.source)), None)
        return (hit.target + literal[len(hit.source) :],) if hit else ()
