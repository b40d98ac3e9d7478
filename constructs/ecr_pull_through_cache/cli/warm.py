"""``warm``: import images into the cache before they are needed."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import typer

from ..errors import UserError
from ._console import complain, say_json
from ._mapping import Cluster, Config, Host, Registry, Upstreams, configured, mapping_of
from ._options import AssumeRole, Profile
from ._usage import Command

if TYPE_CHECKING:
    from ..images import CacheMapping, EcrHost
    from ..operations.presence import EcrReplicas
    from ..operations.warming import Report, Warmed, Warmer, WarmOptions


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(cls=Command)(warm)


def warm(
    images: Annotated[
        list[str],
        typer.Argument(metavar="IMAGE...", help="Image references, files of them (@FILE), or - for standard input."),
    ],
    config: Config = None,
    cluster: Cluster = None,
    registry: Registry = None,
    host: Host = None,
    upstream: Upstreams = None,
    platform: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PLATFORM", help="Platform, such as linux/arm64; repeatable. Default: all.", show_default=False
        ),
    ] = None,
    referrers: Annotated[
        bool, typer.Option("--referrers", help="Also import signatures and bills of materials.")
    ] = False,
    tags_from: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Tags of images that are pinned by digest: output of `inventory --output json`, or lines of NAME:TAG@DIGEST.",
            show_default=False,
        ),
    ] = None,
    concurrency: Annotated[int, typer.Option(metavar="N", min=1, max=200, help="Concurrent images.")] = 10,
    rate: Annotated[float, typer.Option(metavar="N", min=0, help="Requests per second; 0 for no limit.")] = 50,
    wait: Annotated[float, typer.Option(metavar="SECONDS", min=0, help="Time to wait until an image is in ECR.")] = 900,
    no_wait: Annotated[
        bool, typer.Option("--no-wait", help="Request manifests only; do not wait for the layers.")
    ] = False,
    replicas: Annotated[bool, typer.Option("--replicas", help="Also wait for the replicas in other Regions.")] = False,
    journal: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="File that records finished images, so that an interrupted run can continue.",
            show_default=False,
        ),
    ] = None,
    registry_url: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="URL of the registry, if it is not reached at its own host: a dual-stack host, a private proxy, or http on "
            "localhost.",
            show_default=False,
        ),
    ] = None,
    profile: Profile = None,
    assume_role: AssumeRole = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one line of JSON for each image.")] = False,
) -> None:
    """Import images into the cache without pulling a layer.

    Images are named as upstream names them, or as the cache does. An image is imported when its layers are in ECR.

    Exit codes: 0 all images are there, 1 some are not, 2 nothing could be done, 130 or 143 stopped by a signal; running it
    again continues.

    Example: ecr-pull-through warm registry.k8s.io/pause:3.10 --config environments/minimal.yaml --journal warm.journal
    """
    from ..images import PinnedByDigest
    from ..operations.aws import registry_of
    from ..operations.journal import Journal
    from ..operations.warming import WarmOptions

    if replicas and (no_wait or not wait):
        raise UserError("--replicas waits for the replicas, which --no-wait and --wait 0 do not; give one of them")
    mapping = mapping_of(config, cluster, registry, host, upstream, PinnedByDigest.REWRITE)
    place = registry_of(mapping.registry)
    options = WarmOptions(
        platforms=tuple(platform or ()), referrers=referrers, concurrency=concurrency, wait=0 if no_wait else wait
    )
    passed_over: Counter[str] = Counter()
    references = _cached(_read(images), mapping, passed_over, as_json=as_json)
    first = next(references, None)
    if first is None:
        raise UserError("no image of an upstream that is cached here is given; nothing to do")
    tags = dict(_tags(tags_from, mapping)) if tags_from else {}
    warmer = _warmer(
        place, mapping.registry, options, tags, rate=rate, url=registry_url,
        ecr=_clients(place, options, profile=profile, assume_role=assume_role),
        replicas=_Replication(_destinations(config, cluster, registry)) if replicas else None,
    )  # fmt: skip
    written = Journal(journal) if journal else None
    with _stopping(warmer) as signals:
        report = _run(
            lambda seen: warmer.warm(_chain(first, references), journal=written, on_result=seen),
            _count(images),
            as_json,
        )
    _print(report, passed_over, waited=options.wait > 0)
    if report.stopped:
        goes_on = "the same command goes on from the journal" if journal else "give --journal FILE, and it can go on"
        why = f": {report.why_stopped}" if report.why_stopped else ""
        complain(f"stopped after {report.seen} images{why}; {goes_on}")
        raise typer.Exit(128 + signals[0] if signals else 1)
    if report.failed or passed_over[_NOT_AN_IMAGE]:
        raise typer.Exit(1)


def _destinations(config: Path | None, cluster: str | None, registry: str | None) -> list[tuple[str, str]] | None:
    """Return the destinations in the configuration; ``None`` to request them from the registry."""
    if config is None:
        return None
    from ..configuration import ClusterPlan

    plan = configured(config, cluster, registry)
    source = plan.registry if isinstance(plan, ClusterPlan) else plan
    return [(place.account, place.region) for place in source.replicate_to]


class _Replication:
    """The destinations whose replicas are waited for. Default: those of the deployed replication configuration."""

    def __init__(self, destinations: Sequence[tuple[str, str]] | None) -> None:
        self._destinations = destinations

    def of(self, ecr: Any, account: str, client: Callable[[str], Any]) -> EcrReplicas:
        from ..operations.presence import EcrReplicas

        return EcrReplicas(ecr, account, client=client, destinations=self._destinations)


def _clients(
    place: EcrHost, options: WarmOptions, *, profile: str | None, assume_role: str | None
) -> Callable[[str], Any]:
    """Clients of ECR by Region, in the registry's account if there is a role to assume; else as whoever asks, for another
    account's registry may let them import.
    """
    from ..operations.aws import Sessions, ecr_client

    if assume_role is None:
        return lambda region: ecr_client(region, profile=profile, connections=options.concurrency)
    sessions = Sessions(profile=profile, assume_role=assume_role)
    return lambda region: sessions.client("ecr", place.account, region, connections=options.concurrency)


def _warmer(
    place: EcrHost,
    host: str,
    options: WarmOptions,
    tags: dict[str, str],
    *,
    rate: float,
    url: str | None,
    ecr: Callable[[str], Any],
    replicas: _Replication | None,
) -> Warmer:
    from ..operations.aws import EcrLayers, EcrToken
    from ..operations.presence import EcrImages
    from ..operations.proxies import proxy_for
    from ..operations.registry import RateLimit, RegistryClient
    from ..operations.warming import Warmer

    here = ecr(place.region)
    token = EcrToken(here)
    client = RegistryClient(
        host, authorization=token, rate=RateLimit(rate), connections=options.concurrency, url=url,
        proxy=proxy_for(url or f"https://{host}"), ca_certs=os.environ.get("AWS_CA_BUNDLE"),
    )  # fmt: skip
    token(False)  # whoever may not have one learns it once, and not for each image
    return Warmer(
        client,
        options,
        layers=EcrLayers(here, place.account),
        images=EcrImages(here, place.account) if options.wait else None,
        replicas=replicas.of(here, place.account, ecr) if replicas else None,
        tags=tags,
    )


@contextmanager
def _stopping(warmer: Warmer) -> Iterator[list[int]]:
    """The first signal gives what is under way a second to end, the second one ends the process."""
    received: list[int] = []

    def stop(number: int, _: object) -> None:
        received.append(number)
        signal.signal(number, signal.SIG_DFL)
        warmer.stop()
        # An output that nobody reads would keep the report, and this process, for ever.
        threading.Thread(target=_end, args=(128 + number,), daemon=True).start()
        if _waiting.for_input:
            raise _NoMoreInput

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _end(code: int) -> None:
    time.sleep(_LONGEST_STOP)
    os._exit(code)


class _NoMoreInput(BaseException):
    """A signal came while the next line of a pipe was waited for, which may never come."""


class _Waiting:
    """Whether the next line of a list is being waited for."""

    for_input = False


_waiting = _Waiting()
_LONGEST_LINE = 65_536
_LONGEST_STOP = 1.9
_UTF_16 = ("\udcff\udcfe", "\udcfe\udcff")
_NOT_AN_IMAGE = "not an image"


def _read(images: Iterable[str]) -> Iterator[str]:
    """References as they stand in arguments, files and standard input, one after the other and never all at once."""
    for given in images:
        if given == "-":
            yield from _lines(_of_stream(sys.stdin, "standard input"))
        elif given.startswith("@"):
            path = Path(given[1:])
            try:
                if path.is_char_device() or path.is_block_device():
                    raise UserError(f"{path}: a list of images is a file or a pipe, and this is a device")
                # What is no UTF-8 in a remark is no matter; in a reference it is no reference.
                with path.open(encoding="utf-8", errors="surrogateescape") as file:
                    yield from _lines(_of_stream(file, str(path)))
            except OSError as error:
                raise UserError(f"{path}: {error.strerror}") from None
        else:
            yield from _lines([given])


def _of_stream(stream: TextIO, name: str) -> Iterator[str]:
    first = True
    while True:
        try:
            _waiting.for_input = True
            line = stream.readline(_LONGEST_LINE)
        except _NoMoreInput:
            return
        except UnicodeDecodeError:
            raise UserError(f"{name}: this is not a list of images, which is text in UTF-8") from None
        finally:
            _waiting.for_input = False
        if not line:
            return
        if first and line.startswith(_UTF_16):
            raise UserError(f"{name}: this is text in UTF-16; write it in UTF-8")
        yield line.removeprefix("\ufeff") if first else line
        first = False


def _lines(lines: Iterable[str]) -> Iterator[str]:
    for line in lines:
        text = line.partition("#")[0].strip()
        if text:
            yield text


def _count(images: Sequence[str]) -> int | None:
    """Count the images, if that is possible beforehand: a pipe can be read only once."""
    pipes = [given for given in images if given == "-" or (given.startswith("@") and not Path(given[1:]).is_file())]
    return None if pipes else sum(1 for _ in _read(images))


def _chain(first: str, rest: Iterator[str]) -> Iterator[str]:
    yield first
    yield from rest


def _cached(images: Iterable[str], mapping: CacheMapping, passed_over: Counter[str], *, as_json: bool) -> Iterator[str]:
    from ..images import InvalidImageReference, Reason
    from ..operations.text import printable

    def not_an_image(image: str, why: str) -> None:
        passed_over[_NOT_AN_IMAGE] += 1
        complain(f"{printable(image, longest=200)}: {printable(why)}")
        if as_json:
            entry = {"image": image, "state": "failed", "digest": None, "wasThere": False}
            say_json({**entry, "reason": printable(why), "failure": _NOT_AN_IMAGE})

    for image in images:
        try:
            decision = mapping.decide(image)
            name = mapping.name_in_cache(image)
        except InvalidImageReference as error:
            not_an_image(image, str(error))
            continue
        if name is not None:
            yield name
        elif decision.reason is Reason.PLACEHOLDER:
            not_an_image(image, decision.reason.value)
        else:
            passed_over[decision.reason.value] += 1
            complain(f"{image}: passed over: {decision.reason.value}")


def _tags(path: Path, mapping: CacheMapping) -> Iterator[tuple[str, str]]:
    """The tags that a file knows to carry a digest, by repository in the cache and digest."""
    from ..images import ImageReference, InvalidImageReference

    try:
        text = path.read_text(encoding="utf-8-sig")
        if text.lstrip().startswith("["):
            known = [f"{_tagged(e['image'])}@{digest}" for e in json.loads(text) for digest in e["digests"]]
        else:
            known = list(_lines(text.splitlines()))
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from None
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        raise UserError(f"{path}: this is neither an inventory in JSON nor a list of NAME:TAG@DIGEST") from None
    for given in known:
        try:
            reference = ImageReference.parse(mapping.map(given))
        except InvalidImageReference as error:
            raise UserError(f"{path}: {error}") from None
        if reference.tag and reference.digest:
            yield f"{reference.name}@{reference.digest}", reference.tag


def _tagged(image: str) -> str:
    """A reference without its digest, with the tag that it means: what has neither means ``latest``."""
    name, _, digest = image.partition("@")
    return name if digest or ":" in name.rpartition("/")[2] else f"{name}:latest"


def _run(start: Callable[[Callable[[Warmed], None]], Report], count: int | None, as_json: bool) -> Report:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("importing"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("importing", total=count)

        def seen(result: Warmed) -> None:
            bar.advance(task)
            if as_json:
                say_json(_line(result))

        return start(seen)


def _line(result: Warmed) -> dict[str, object]:
    return {
        "image": result.image,
        "state": result.state.value,
        "digest": result.digest,
        "wasThere": result.was_there,
        "reason": result.reason,
        "failure": result.failure.value if result.failure else None,
    }


def _print(report: Report, passed_over: Counter[str], *, waited: bool) -> None:
    """The end report, on standard error: what failed by the kind of reason, and how many of what."""
    for failure, found in report.failures.items():
        complain(f"{failure.value}: {len(found)}")
        for failed in found:
            complain(f"  {failed.image}: {failed.reason}")
    unread = passed_over[_NOT_AN_IMAGE]
    for reason, count in passed_over.items():
        if count:
            complain(f"{reason}: {count}" if reason == _NOT_AN_IMAGE else f"passed over: {count}, {reason}")
    done = f"{report.done - report.were_there} imported, {report.were_there} there already"
    complain(
        f"{done if waited else f'{report.done} there or on their way'}, {report.earlier} done earlier, "
        f"{len(report.failed) + unread} failed"
    )
