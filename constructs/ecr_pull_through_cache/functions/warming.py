"""Images brought into the cache, batch by batch of a Step Functions Distributed Map.

A batch goes round until nothing of it is pending: what is done is not done again, what may still succeed is tried again
after a pause, and what cannot succeed is said at once.

https://docs.aws.amazon.com/step-functions/latest/dg/state-map-distributed.html
"""

from __future__ import annotations

import functools
import json
import os
import random
import threading
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ..errors import UserError
from ..images import CachedUpstream, CacheMapping, PinnedByDigest, Upstream, listed_images
from ..operations.aws import EcrLayers, EcrToken, ecr_client, registry_of
from ..operations.registry import Failure, RateLimit, RegistryClient, Retries
from ..operations.text import printable
from ..operations.warming import State, Warmed, Warmer, WarmOptions
from .contract import PER_BATCH, SETTINGS

MARGIN = 60.0
"""Seconds before Lambda's own time-out in which a batch is given back: longer than one request may take."""

_PASSING = frozenset(
    {Failure.NOT_COMPLETE, Failure.NO_ANSWER, Failure.RATE_LIMIT, Failure.UPSTREAM_RATE_LIMIT, Failure.OTHER}
)
# Waiting costs nothing in the state machine, and time of a function here.
_PATIENCE = 60.0
_FIRST_PAUSE, _LONGEST_PAUSE = 30.0, 900.0


def handler(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """Import what is pending of a batch.

    :param event: ``Items`` of the map, each with its ``image``; or what this returned for the batch before.
    :param context: Lambda's context, for the time that is left.
    :returns: ``done`` with digests, ``failed`` with reasons, ``pending`` images, the ``round`` and a ``pause`` in seconds.
    """
    given = json.loads(os.environ[SETTINGS])
    batch = _Batch(event, rounds=given["rounds"])
    wanted: dict[str, list[str]] = {}
    for image, original in _cached(batch.images, _mapping(given), batch):
        wanted.setdefault(image, []).append(original)
    if wanted:
        left = context.get_remaining_time_in_millis() / 1000 - MARGIN
        try:
            _warm(given, wanted, batch, left)
        except UserError as error:  # what is done stays done, and the rest is tried again
            batch.why_stopped = str(error)
    return batch.result()


def images_of(batch: Mapping[str, Any]) -> tuple[str, ...]:
    """The images of a batch of lines of a list.

    :param batch: ``Items`` of the map, each with its ``image``.
    """
    items = batch.get("Items") or ()
    return listed_images(str(item.get("image", "")) if isinstance(item, Mapping) else str(item) for item in items)


class _Batch:
    """A batch on its way: what became of each image so far."""

    def __init__(self, event: Mapping[str, Any], *, rounds: int) -> None:
        self.images = tuple(event.get("pending", ())) or images_of(event)
        self.why_stopped = "its batch ran out of time; run this again"
        self._last = rounds
        self._round = int(event.get("round", 0)) + 1
        self._done: list[dict[str, str]] = list(event.get("done", ()))
        self._failed: list[dict[str, str]] = list(event.get("failed", ()))
        self._seen: set[str] = set()
        self._reasons: dict[str, str] = {}

    def done(self, image: str, digest: str) -> None:
        self._seen.add(image)
        self._done.append({"image": image, "digest": digest})

    def failed(self, image: str, reason: str) -> None:
        self._seen.add(image)
        # Whoever wrote the list chose the one, and a registry the other: a batch of 20 stays below the 256 KiB of a state.
        self._failed.append({"image": printable(image), "reason": printable(reason)})

    def pending(self, image: str, reason: str) -> None:
        self._reasons[image] = reason

    def result(self) -> dict[str, Any]:
        pending = [image for image in self.images if image not in self._seen]
        if self._round >= self._last:
            for image in pending:
                self.failed(image, self._reasons.get(image, self.why_stopped))
            pending = []
        # Many batches wait for the same registry: they do not come back at once.
        pause = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2.0 ** (self._round - 1)) * (0.5 + random.random() / 2)  # noqa: S311
        return {
            "done": self._done,
            "failed": self._failed,
            "pending": pending,
            "round": self._round,
            "pause": round(pause),
        }


def _mapping(given: Mapping[str, Any]) -> CacheMapping:
    return CacheMapping(
        registry=given["registry"],
        rules=tuple(
            CachedUpstream(
                upstream=Upstream.from_host(host), repository_prefix=prefix, upstream_repository_prefix=below
            )
            for host, prefix, below in given["upstreams"]
        ),
        pinned_by_digest=PinnedByDigest.REWRITE,
    )


def _cached(images: Iterable[str], mapping: CacheMapping, batch: _Batch) -> Iterator[tuple[str, str]]:
    """The names that images have in the cache, with those they were given by."""
    for image in images:
        try:
            decision = mapping.decide(image)
            name = mapping.name_in_cache(image)
        except UserError as error:
            batch.failed(image, str(error))
            continue
        if name is not None:
            yield name, image
        else:
            batch.failed(image, decision.reason.value)


def _warm(given: Mapping[str, Any], wanted: Mapping[str, list[str]], batch: _Batch, seconds: float) -> None:
    """Import images, and give up what is not done when the time is over."""
    client, layers = _registry(given, len(wanted))
    options = WarmOptions(
        platforms=tuple(given["platforms"]),
        referrers=given["referrers"],
        concurrency=len(wanted),
        wait=max(1.0, min(seconds, _PATIENCE)),
    )
    warmer = Warmer(client, options, layers=layers)

    def seen(result: Warmed) -> None:
        for image in wanted[result.image]:
            if result.state is not State.FAILED:
                batch.done(image, result.digest or "")
            elif result.failure in _PASSING:
                batch.pending(image, result.reason or "")
            else:
                batch.failed(image, result.reason or "")

    timer = threading.Timer(max(0.0, seconds), warmer.stop)
    timer.start()
    try:
        report = warmer.warm(wanted, on_result=seen)
        batch.why_stopped = report.why_stopped or batch.why_stopped
    finally:
        timer.cancel()
        client.close()


def _registry(given: Mapping[str, Any], connections: int) -> tuple[RegistryClient, EcrLayers]:
    place = registry_of(given["registry"])
    ecr, token = _ecr(place.region)
    client = RegistryClient(
        given["registry"],
        authorization=token,
        retries=Retries(tries=5, longest=30.0),
        rate=RateLimit(given["rate"]),
        connections=connections,
        url=given["registryUrl"],
        timeout=30.0,
    )
    return client, EcrLayers(ecr, place.account)


@functools.cache
def _ecr(region: str) -> tuple[Any, EcrToken]:
    """Client and token outlive an invocation."""
    ecr = ecr_client(region, connections=PER_BATCH)
    return ecr, EcrToken(ecr)
