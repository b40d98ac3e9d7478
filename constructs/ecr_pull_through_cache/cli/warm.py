"""``warm``: images brought into the cache before anybody needs them."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import UserError
from ._mapping import Cache, Cluster, Config, RegistryHost, mapping_of

if TYPE_CHECKING:
    from ..images import CacheMapping
    from ..operations.warming import Report, Warmed


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(warm)


def warm(
    images: Annotated[
        list[str], typer.Argument(help="Image references, files of them (@FILE), or - for standard input.")
    ],
    config: Config = None,
    cluster: Cluster = None,
    registry: RegistryHost = None,
    cache: Cache = None,
    platform: Annotated[
        list[str] | None, typer.Option(help="Platform to import, such as linux/arm64; else all.", show_default=False)
    ] = None,
    referrers: Annotated[bool, typer.Option("--referrers", help="Signatures and bills of materials too.")] = False,
    concurrency: Annotated[int, typer.Option(min=1, max=200, help="Images at once.")] = 10,
    rate: Annotated[float, typer.Option(min=0, help="Requests a second, 0 for no limit.")] = 50,
    wait: Annotated[float, typer.Option(min=0, help="Seconds to wait for the layers of an image.")] = 900,
    no_wait: Annotated[bool, typer.Option("--no-wait", help="Do not wait for layers to be in ECR.")] = False,
    journal: Annotated[
        Path | None, typer.Option(help="File of what is done; an interrupted run goes on from it.", show_default=False)
    ] = None,
    registry_url: Annotated[
        str | None,
        typer.Option(
            help="Where the registry is reached, if not under its own host: a private proxy, or http on the loopback.",
            show_default=False,
        ),
    ] = None,
    profile: Annotated[str | None, typer.Option(help="Profile of the AWS configuration.", show_default=False)] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="One line of JSON for each image on standard output.")
    ] = False,
) -> None:
    """Import images into the cache, upstream's names or the cache's, without pulling a layer.

    Example: ecr-pull-through warm registry.k8s.io/pause:3.10 --config environments/minimal.yaml --journal warm.journal
    """
    from ..images import PinnedByDigest
    from ..operations.aws import EcrLayers, EcrToken, ecr_client, registry_of
    from ..operations.journal import Journal
    from ..operations.registry import RateLimit, RegistryClient
    from ..operations.warming import Warmer, WarmOptions

    mapping = mapping_of(config, cluster, registry, cache, PinnedByDigest.REWRITE)
    place = registry_of(mapping.registry)
    references = list(_cached(_read(images), mapping))
    if not references:
        raise UserError("no image of an upstream that is cached here is given; nothing to do")
    ecr = ecr_client(place.region, profile=profile)
    client = RegistryClient(
        mapping.registry,
        authorization=EcrToken(ecr),
        rate=RateLimit(rate),
        connections=concurrency,
        url=registry_url,
    )
    options = WarmOptions(
        platforms=tuple(platform or ()), referrers=referrers, concurrency=concurrency, wait=0 if no_wait else wait
    )
    warmer = Warmer(client, options, layers=EcrLayers(ecr, place.account))
    written = Journal(journal) if journal else None
    report = _run(lambda seen: warmer.warm(references, journal=written, on_result=seen), len(references), as_json)
    for failed in report.failed:
        print(f"{failed.image}: {failed.reason}", file=sys.stderr)
    print(f"{report.done} imported, {report.earlier} done earlier, {len(report.failed)} failed", file=sys.stderr)
    if report.failed:
        raise typer.Exit(1)


def _read(images: Iterable[str]) -> Iterator[str]:
    for given in images:
        if given == "-":
            lines = sys.stdin.read().splitlines()
        elif given.startswith("@"):
            try:
                lines = Path(given[1:]).read_text().splitlines()
            except OSError as error:
                raise UserError(f"{given[1:]}: {error.strerror}") from None
        else:
            lines = [given]
        for line in lines:
            text = line.partition("#")[0].strip()
            if text:
                yield text


def _cached(images: Iterable[str], mapping: CacheMapping) -> Iterator[str]:
    from ..images import Reason

    for image in images:
        decision = mapping.decide(image)
        if decision.reason in (Reason.CACHED, Reason.ALREADY_CACHED):
            yield decision.image
        else:
            print(f"{image}: passed over: {decision.reason.value}", file=sys.stderr)


def _run(start: Callable[[Callable[[Warmed], None]], Report], count: int, as_json: bool) -> Report:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("importing"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("importing", total=count)

        def seen(result: Warmed) -> None:
            bar.advance(task)
            if as_json:
                line = {
                    "image": result.image,
                    "state": result.state.value,
                    "digest": result.digest,
                    "reason": result.reason,
                }
                print(json.dumps(line), flush=True)

        return start(seen)
