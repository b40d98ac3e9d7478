"""Images brought into the cache before anybody needs them.

ECR imports an image when its manifest is asked for: nothing but manifests passes through the client.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol

from ..errors import UserError
from ..images import ImageReference
from .aws import SignedOut
from .failures import Failure, RegistryError, Stopped
from .journal import Journal
from .oci import MOST_ENTRIES, Entry, Manifest, Platform
from .registry import RegistryClient
from .text import printable

# Where signatures and bills of materials stand in registries without the referrers API, and where cosign puts them.
# https://github.com/opencontainers/distribution-spec/blob/main/spec.md#referrers-tag-schema
_REFERRER_TAGS = ("", ".sig", ".att", ".sbom")
_SILENT = 5
"""Images without an answer, one after the other, after which the registry is taken to be gone, or more if more are asked for."""
_DEEPEST = 3
"""How many indexes may stand in one another. Builders nest one in another at most."""
_TICK = 0.1
_GRACE = 0.9
"""Seconds that what is under way has when a run is stopped."""
_MOST_NAMED = 20
"""How many platforms are named in one sentence."""


class State(Enum):
    """The outcome of an import."""

    DONE = "done"
    """It was imported, or was there; its layers are in ECR unless nobody waited for them."""
    EARLIER = "done earlier"
    """The journal of an interrupted run says so."""
    FAILED = "failed"


@dataclass(frozen=True, kw_only=True)
class Warmed:
    """The result for one image.

    :param image: the reference in the cache.
    :param state: what became of it.
    :param digest: digest of what its tag names.
    :param was_there: whether ECR held that very image before this run asked for it.
    :param reason: why it failed, as a sentence.
    :param failure: what kind of reason it is.
    """

    image: str
    state: State
    digest: str | None = None
    was_there: bool = False
    reason: str | None = None
    failure: Failure | None = None


@dataclass(frozen=True, kw_only=True)
class WarmOptions:
    """Options of the import.

    :param platforms: platforms such as ``linux/arm64`` to import of an index; all of them if left out.
    :param referrers: whether signatures and bills of materials are imported too.
    :param concurrency: how many images at once.
    :param wait: seconds to wait for the layers of an image to be in ECR, and then for its replicas; 0 for not at all.
    """

    platforms: tuple[str, ...] = ()
    referrers: bool = False
    concurrency: int = 10
    wait: float = 900.0

    @property
    def mark(self) -> str:
        """The selection of an image's parts; a journal records images by name and selection."""
        marks = [
            *sorted(self.platforms),
            *(["referrers"] if self.referrers else []),
            *([] if self.wait else ["no wait"]),
        ]
        return "".join(f" {mark}" for mark in marks)

    def wants(self, platform: Platform | None) -> bool:
        """Whether a platform is to be imported.

        :param platform: the platform; ``None`` where an index does not say.
        """
        if not self.platforms:
            return True
        if platform is None:
            return False
        return str(platform) in self.platforms or f"{platform}/{platform.variant}" in self.platforms


class Layers(Protocol):
    """A lookup of layers in ECR."""

    def missing(self, repository: str, digests: Sequence[str]) -> Sequence[str]:
        """Those of the digests that are not there."""
        ...


class Images(Protocol):
    """A lookup of images in ECR."""

    def digest(self, repository: str, reference: str) -> str | None:
        """The digest of a tag's or digest's image, ``None`` when it is not there."""
        ...


class Replicas(Protocol):
    """A lookup of replicas of an image."""

    def missing(self, repository: str, digest: str) -> Sequence[str]:
        """The destinations that do not have it."""
        ...


@dataclass
class Report:
    """The results for all images.

    :param done: how many are there, after this run.
    :param were_there: how many of these ECR held before.
    :param earlier: how many were done already by the journal.
    :param failed: those that are not, with the reason.
    :param stopped: whether the run was stopped before it came to all of them.
    :param why_stopped: why it stopped by itself, if it did.
    """

    done: int = 0
    were_there: int = 0
    earlier: int = 0
    failed: list[Warmed] = field(default_factory=list)
    stopped: bool = False
    why_stopped: str | None = None

    @property
    def seen(self) -> int:
        """The number of images that the run processed."""
        return self.done + self.earlier + len(self.failed)

    @property
    def failures(self) -> Mapping[Failure, Sequence[Warmed]]:
        """The failed images by kind of failure, the most urgent kind first."""
        grouped = {kind: [w for w in self.failed if w.failure is kind] for kind in Failure}
        return {kind: found for kind, found in grouped.items() if found}

    def add(self, result: Warmed) -> None:
        """Count one image."""
        self.done += result.state is State.DONE
        self.were_there += result.state is State.DONE and result.was_there
        self.earlier += result.state is State.EARLIER
        if result.state is State.FAILED:
            self.failed.append(result)


class Warmer:
    """Imports images through one registry.

    :param client: the registry.
    :param options: how images are imported.
    :param layers: who knows which layers are in ECR; without it nobody waits for them.
    :param images: who knows which images are in ECR; without it nobody knows what was there before.
    :param replicas: who knows which replicas are there; without it nobody waits for them.
    :param tags: tags that are known to carry a digest, by ``HOST/REPOSITORY@DIGEST`` in the cache.
    """

    def __init__(
        self,
        client: RegistryClient,
        options: WarmOptions | None = None,
        *,
        layers: Layers | None = None,
        images: Images | None = None,
        replicas: Replicas | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        self._client = client
        self._options = options or WarmOptions()
        self._layers = layers if self._options.wait > 0 else None
        self._images = images
        self._replicas = replicas if self._options.wait > 0 else None
        self._mark = self._options.mark + (" replicas" if self._replicas else "")
        self._tags = tags or {}
        self._stopped = threading.Event()

    def stop(self) -> None:
        """Begin no further image and give up what is being waited for. A run that is under way returns its report."""
        self._stopped.set()
        self._client.stop()

    def warm(
        self,
        images: Iterable[str],
        *,
        journal: Journal | None = None,
        on_result: Callable[[Warmed], None] = lambda _: None,
    ) -> Report:
        """Import images; what a journal says is done is passed over. It stops when nothing
        can be had any more: AWS takes the credentials no longer, or the registry answers none of as many images as are
        asked for at once.

        :param images: references in the cache; each is looked at once. They are read as the work goes on.
        :param journal: where what is done is written down.
        :param on_result: called for each image.
        """
        report = Report()
        silent = 0
        for result in self._results(_unique(images), journal):
            if result.failure is Failure.SIGNED_OUT:
                report.why_stopped = result.reason
                self.stop()
                continue
            report.add(result)
            silent = silent + 1 if result.failure is Failure.NO_ANSWER else 0
            if silent >= max(self._options.concurrency, _SILENT) and not self._stopped.is_set():
                report.why_stopped = f"{result.reason}, whatever it is asked for"
                self.stop()
            if journal is not None and result.state is State.DONE:
                journal.write(result.image + self._mark, result.digest or "")
            on_result(result)
        report.stopped = self._stopped.is_set()
        return report

    def warm_one(self, image: str) -> Warmed:
        """Import one image. Whatever goes wrong is what became of this image, and of no other.

        :param image: its reference in the cache.
        """
        try:
            digest, was_there = self._import(ImageReference.parse(image))
        except UserError as error:
            return Warmed(image=image, state=State.FAILED, reason=str(error), failure=_failure_of(error))
        except Exception as error:
            reason = f"an unexpected error: {type(error).__name__}: {printable(str(error), longest=200)}"
            return Warmed(image=image, state=State.FAILED, reason=reason, failure=Failure.OTHER)
        return Warmed(image=image, state=State.DONE, digest=digest, was_there=was_there)

    def _results(self, images: Iterator[str], journal: Journal | None) -> Iterator[Warmed]:
        """Results as they come; never more images in memory than are being worked on."""
        width = self._options.concurrency
        pool = ThreadPoolExecutor(max_workers=width)
        pending: set[Future[Warmed | None]] = set()
        try:
            for image in images:
                if self._stopped.is_set():
                    break
                known = journal.get(image + self._mark) if journal is not None else None
                if known is not None:
                    yield Warmed(image=image, state=State.EARLIER, digest=known or None)
                    continue
                pending.add(pool.submit(self._unless_stopped, image))
                if len(pending) >= 2 * width:
                    yield from self._finished(pending)
            while pending:
                yield from self._finished(pending)
        except BaseException:
            self.stop()
            raise
        finally:
            # A thread that waits for an answer of AWS cannot be ended: it is left to itself when the run is stopped.
            pool.shutdown(wait=not self._stopped.is_set(), cancel_futures=True)

    def _finished(self, pending: set[Future[Warmed | None]]) -> Iterator[Warmed]:
        """The results of those that have finished, one at the least; those that do not finish after a stop are given up."""
        finished: set[Future[Warmed | None]] = set()
        while not finished and not self._stopped.is_set():
            finished = wait(pending, timeout=_TICK, return_when=FIRST_COMPLETED).done
        if self._stopped.is_set():
            finished = wait(pending, timeout=_GRACE).done
            pending.clear()
        pending -= finished
        for future in finished:
            result = None if future.cancelled() else future.result()
            if result is not None:
                yield result

    def _unless_stopped(self, image: str) -> Warmed | None:
        """Return the result for an image, or ``None`` if the run was stopped first."""
        if self._stopped.is_set():
            return None
        result = self.warm_one(image)
        gone = result.state is State.FAILED and result.failure is not Failure.SIGNED_OUT and self._stopped.is_set()
        return None if gone else result

    def _import(self, reference: ImageReference) -> tuple[str, bool]:
        if reference.registry != self._client.host:
            raise RegistryError(f"it is an image of {reference.registry}, not of {self._client.host}")
        repository = reference.repository
        tag = reference.tag or self._tags.get(f"{reference.name}@{reference.digest}")
        before = self._images.digest(repository, tag or reference.identifier) if self._images else None
        top = self._top(repository, tag, reference.digest)
        self._finish(repository, top, self._below(repository, top))
        if self._options.referrers:
            for manifest in self._referrers(repository, top.digest):
                self._finish(repository, manifest, self._listed(repository, manifest, everything=True))
        return top.digest, before == top.digest

    def _top(self, repository: str, tag: str | None, digest: str | None) -> Manifest:
        """Import by tag, because ECR imports no other way; existing images are found by digest."""
        moved = ""
        if tag or not digest:
            top = self._client.manifest(repository, tag or "latest")
            if digest is None or digest in top.digests:
                return top
            moved = f"the tag {tag} is now {top.digest}, not {digest}"
        try:
            return self._client.manifest(repository, str(digest))
        except RegistryError as error:
            if error.failure is not Failure.NO_SUCH_IMAGE:
                raise
        raise RegistryError(
            moved
            or "it is pinned by its digest alone, and ECR imports an image by its tag only; "
            "give the tag that carries the digest: NAME:TAG@DIGEST",
            failure=Failure.PINNED_BY_DIGEST,
        )

    def _finish(self, repository: str, top: Manifest, parts: Iterable[Manifest]) -> None:
        """Wait until ECR has the layers, and the replicas the image."""
        self._wait_for_layers(repository, [blob for part in parts for blob in part.blobs])
        if self._replicas is not None:
            replicas = self._replicas
            self._until(
                lambda: replicas.missing(repository, top.digest), lambda left: f"it is not in {', '.join(left)}"
            )

    def _referrers(self, repository: str, digest: str) -> Iterator[Manifest]:
        """List the referrers of a manifest, by the referrers API and by fallback tags."""
        seen = set()
        for found in self._client.referrers(repository, digest):
            seen.add(found)
            yield self._client.manifest(repository, found)
        for suffix in _REFERRER_TAGS:
            try:
                manifest = self._client.manifest(repository, f"{digest.replace(':', '-')}{suffix}")
            except RegistryError as error:
                if error.failure is not Failure.NO_SUCH_IMAGE:
                    raise
                continue
            if manifest.digest not in seen:
                yield manifest

    def _below(self, repository: str, top: Manifest) -> list[Manifest]:
        """The manifests that hold layers: the image itself, or those of an index for the platforms that are wanted."""
        found = self._listed(repository, top)
        if not found:
            offered = sorted({str(platform) for entry in top.entries for platform in entry.platforms})
            named = (
                ", ".join(printable(name, longest=50) for name in offered[:_MOST_NAMED]) or "no platform that it names"
            )
            raise RegistryError(f"it is not made for {', '.join(self._options.platforms)}, but for {named}")
        return found

    def _listed(self, repository: str, top: Manifest, *, everything: bool = False) -> list[Manifest]:
        """The manifests that hold layers, through indexes in indexes.

        :param everything: whether all platforms are wanted. Default: those of the options.
        :raises RegistryError: when one of them cannot be had, or there are too many.
        """
        found: dict[str, Manifest] = {}
        level: list[tuple[Manifest, _Wanted]] = [(top, _everything if everything else self._options.wants)]
        asked = 0
        for _ in range(_DEEPEST + 1):
            found.update((manifest.digest, manifest) for manifest, _ in level if not manifest.is_index)
            below = {
                entry.digest: (entry, inside) for index, wanted in level for entry, inside in _chosen(index, wanted)
            }
            asked += len(below)
            if asked > MOST_ENTRIES:
                raise RegistryError(f"it leads to more than {MOST_ENTRIES:,} manifests", failure=Failure.MALFORMED)
            if not below:
                return list(found.values())
            level = [(self._named(repository, entry), inside) for entry, inside in below.values()]
        raise RegistryError(f"its indexes stand in one another more than {_DEEPEST} deep", failure=Failure.MALFORMED)

    def _named(self, repository: str, entry: Entry) -> Manifest:
        """The manifest that an index names.

        :raises RegistryError: when it cannot be had, or is not what the index says.
        """
        manifest = self._client.manifest(repository, entry.digest)
        if entry.size not in (None, manifest.size):
            said = f"{entry.digest} has {manifest.size:,} bytes, and its index says {entry.size:,}"
            raise RegistryError(said, failure=Failure.MALFORMED)
        if entry.media_type not in ("", manifest.media_type):
            said = f"{entry.digest} is of the type {manifest.media_type}, and its index says {entry.media_type}"
            raise RegistryError(said, failure=Failure.MALFORMED)
        return manifest

    def _wait_for_layers(self, repository: str, blobs: Sequence[str]) -> None:
        """Until ECR has finished its import it redirects to the upstream's own layers, which private subnets cannot
        reach: an image is there when its layers are.
        """
        if self._layers is None:
            return
        layers, wanted = self._layers, list(dict.fromkeys(blobs))

        def missing() -> Sequence[str]:
            wanted[:] = layers.missing(repository, wanted) if wanted else []
            return wanted

        self._until(missing, lambda left: f"{len(left)} of its layers are not in ECR")

    def _until(self, missing: Callable[[], Sequence[str]], problem: Callable[[Sequence[str]], str]) -> None:
        deadline = time.monotonic() + self._options.wait
        pause = 1.0
        while left := missing():
            rest = deadline - time.monotonic()
            if rest <= 0:
                raise RegistryError(
                    f"{problem(left)} after {self._options.wait:.0f} seconds; run this again",
                    failure=Failure.NOT_COMPLETE,
                )
            if self._stopped.wait(min(pause, rest)):
                raise Stopped("it was stopped before its time; run it again to go on")
            pause = min(15.0, pause * 1.5)


_Wanted = Callable[[Platform | None], bool]


def _everything(_: Platform | None) -> bool:
    return True


def _chosen(index: Manifest, wanted: _Wanted) -> Iterator[tuple[Entry, _Wanted]]:
    """Select the entries of an index to request, and their options: an entry without a platform may hold anything."""
    for entry in index.entries:
        if any(map(wanted, entry.platforms or (None,))):
            yield entry, (lambda inner: inner is None or wanted(inner)) if entry.platforms else wanted
        elif entry.is_index and not entry.platforms:
            yield entry, wanted


def _failure_of(error: UserError) -> Failure:
    if isinstance(error, RegistryError):
        return error.failure
    return Failure.SIGNED_OUT if isinstance(error, SignedOut) else Failure.OTHER


def _unique(images: Iterable[str]) -> Iterator[str]:
    """Each image once. What was seen is kept as 16 bytes: a list of a million images is no matter."""
    seen = set()
    for image in images:
        known = hashlib.blake2b(image.encode(), digest_size=16).digest()
        if known not in seen:
            seen.add(known)
            yield image
