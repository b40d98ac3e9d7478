"""Images brought into the cache before anybody needs them.

ECR imports an image when its manifest is asked for: nothing but manifests passes through the client.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, as_completed, wait
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol

from ..errors import UserError
from ..images import ImageReference
from .journal import Journal
from .registry import Manifest, RegistryClient, RegistryError


class State(Enum):
    """What became of an image."""

    DONE = "done"
    """It was imported, or was there; its layers are in ECR unless nobody waited for them."""
    EARLIER = "done earlier"
    """The journal of an interrupted run says so."""
    FAILED = "failed"


@dataclass(frozen=True, kw_only=True)
class Warmed:
    """What became of one image.

    :param image: the reference in the cache.
    :param state: what became of it.
    :param digest: digest of what its tag names.
    :param reason: why it failed.
    """

    image: str
    state: State
    digest: str | None = None
    reason: str | None = None


@dataclass(frozen=True, kw_only=True)
class WarmOptions:
    """How images are imported.

    :param platforms: platforms such as ``linux/arm64`` to import of an index; all of them if left out.
    :param referrers: whether signatures and bills of materials are imported too.
    :param concurrency: how many images at once.
    :param wait: seconds to wait for the layers of an image to be in ECR; 0 for not at all.
    """

    platforms: tuple[str, ...] = ()
    referrers: bool = False
    concurrency: int = 10
    wait: float = 900.0

    def wants(self, platform: dict[str, str]) -> bool:
        """Whether a platform is to be imported."""
        name = f"{platform.get('os')}/{platform.get('architecture')}"
        full = f"{name}/{platform['variant']}" if platform.get("variant") else name
        return not self.platforms or name in self.platforms or full in self.platforms


class Layers(Protocol):
    """Who knows which layers are in ECR."""

    def missing(self, repository: str, digests: Sequence[str]) -> Sequence[str]:
        """Those of the digests that are not there."""
        ...


@dataclass
class Report:
    """What became of all images.

    :param done: how many are there.
    :param earlier: how many were there already by the journal.
    :param failed: those that are not, with the reason.
    """

    done: int = 0
    earlier: int = 0
    failed: list[Warmed] = field(default_factory=list)

    def add(self, result: Warmed) -> None:
        """Count one image."""
        self.done += result.state is State.DONE
        self.earlier += result.state is State.EARLIER
        if result.state is State.FAILED:
            self.failed.append(result)


class Warmer:
    """Imports images through one registry.

    :param client: the registry.
    :param options: how images are imported.
    :param layers: who knows which layers are in ECR; without it nobody waits for them.
    """

    def __init__(
        self, client: RegistryClient, options: WarmOptions | None = None, *, layers: Layers | None = None
    ) -> None:
        self._client = client
        self._options = options or WarmOptions()
        self._layers = layers if self._options.wait > 0 else None
        self._stopped = threading.Event()

    def warm(
        self,
        images: Iterable[str],
        *,
        journal: Journal | None = None,
        on_result: Callable[[Warmed], None] = lambda _: None,
    ) -> Report:
        """Import images; what a journal says is done is passed over.

        :param images: references in the cache; each is looked at once.
        :param journal: where what is done is written down.
        :param on_result: called for each image.
        """
        report = Report()
        for result in self._results(_unique(images), journal):
            report.add(result)
            on_result(result)
            if journal is not None and result.state is State.DONE:
                journal.write(result.image, result.digest or "")
        return report

    def warm_one(self, image: str) -> Warmed:
        """Import one image.

        :param image: its reference in the cache.
        """
        try:
            digest = self._import(ImageReference.parse(image))
        except UserError as error:
            return Warmed(image=image, state=State.FAILED, reason=str(error))
        return Warmed(image=image, state=State.DONE, digest=digest)

    def _results(self, images: Iterator[str], journal: Journal | None) -> Iterator[Warmed]:
        """Results as they come; never more images in memory than are being worked on."""
        width = self._options.concurrency
        with ThreadPoolExecutor(max_workers=width) as pool:
            pending: set[Future[Warmed]] = set()
            try:
                for image in images:
                    if journal is not None and image in journal:
                        yield Warmed(image=image, state=State.EARLIER, digest=journal[image] or None)
                        continue
                    pending.add(pool.submit(self.warm_one, image))
                    if len(pending) >= 2 * width:
                        finished, pending = wait(pending, return_when=FIRST_COMPLETED)
                        yield from (future.result() for future in finished)
                yield from (future.result() for future in as_completed(pending))
            finally:
                self._stopped.set()
                pool.shutdown(wait=True, cancel_futures=True)

    def _import(self, reference: ImageReference) -> str:
        if reference.registry != self._client.host:
            raise RegistryError(f"it is an image of {reference.registry}, not of {self._client.host}")
        if reference.digest and not reference.tag:
            raise RegistryError(
                "it is pinned by its digest alone, and ECR imports an image by its tag only; "
                "give the tag that carries the digest: NAME:TAG@DIGEST"
            )
        repository = reference.repository
        top = self._client.manifest(repository, reference.tag or "latest")
        if reference.digest and top.digest != reference.digest:
            raise RegistryError(f"the tag {reference.tag} is now {top.digest}, not {reference.digest}")
        self._wait_for(repository, [blob for manifest in self._below(repository, top) for blob in manifest.blobs])
        if self._options.referrers:
            for digest in self._client.referrers(repository, top.digest):
                self._wait_for(repository, self._client.manifest(repository, digest).blobs)
        return top.digest

    def _below(self, repository: str, top: Manifest) -> list[Manifest]:
        """The manifests that hold layers: the image itself, or those of an index."""
        if not top.is_index:
            return [top]
        entries = [e for e in top.content.get("manifests", ()) if self._options.wants(e.get("platform") or {})]
        if not entries:
            offered = {
                f"{p.get('os')}/{p.get('architecture')}"
                for e in top.content.get("manifests", ())
                if (p := e.get("platform"))
            }
            raise RegistryError(
                f"it is not made for {', '.join(self._options.platforms)}, but for {', '.join(sorted(offered))}"
            )
        return [self._client.manifest(repository, entry["digest"]) for entry in entries]

    def _wait_for(self, repository: str, blobs: Sequence[str]) -> None:
        """Until ECR has finished its import it redirects to the upstream's own layers, which private subnets cannot
        reach: an image is there when its layers are.
        """
        if self._layers is None:
            return
        deadline = time.monotonic() + self._options.wait
        missing = list(dict.fromkeys(blobs))
        pause = 1.0
        while missing:
            missing = list(self._layers.missing(repository, missing))
            if not missing:
                return
            if time.monotonic() >= deadline or self._stopped.wait(min(pause, max(0.0, deadline - time.monotonic()))):
                raise RegistryError(
                    f"{len(missing)} of its layers are not in ECR after {self._options.wait:.0f} seconds; run this again"
                )
            pause = min(15.0, pause * 1.5)


def _unique(images: Iterable[str]) -> Iterator[str]:
    seen = set()
    for image in images:
        if image not in seen:
            seen.add(image)
            yield image
