"""``inventory``: list images and where they are used."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..operations.text import printable
from ._mapping import Cluster, Config, Digests, Host, Registry, Upstreams, mapping_of
from ._usage import Command
from .rewrite import ImagePath, ImagePaths, places_of

if TYPE_CHECKING:
    from ..manifests.finding import Left
    from ..operations.inventory import Entry, Use

_WIDE = 1_000
"""Columns of a table that no terminal limits."""
_COLUMNS = ("image", "registry", "cached", "reason", "hint", "toWarm", "digests", "where", "mention")


_LONGEST = 32_000
"""Characters of a cell: spreadsheets take no more."""
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a cell of a spreadsheet begins with that is computed."""


class Output(StrEnum):
    """The format of an inventory."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"
    IMAGES = "images"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(cls=Command)(inventory)


def inventory(
    sources: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[SOURCE]...",
            help="Pods of kubectl, manifests, charts, templates, cdk.out: files, folders, or - for standard input. "
            "Default: the Pods of the cluster, from kubectl.",
            show_default=False,
        ),
    ] = None,
    config: Config = None,
    cluster: Cluster = None,
    registry: Registry = None,
    host: Host = None,
    upstream: Upstreams = None,
    pinned_by_digest: Digests = None,
    output: Annotated[Output, typer.Option(help="Format; images is the list that warm takes.")] = Output.TABLE,
    values: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="Values file for charts; repeatable.", show_default=False),
    ] = None,
    mentions: Annotated[
        bool,
        typer.Option(
            "--mentions",
            help="With --output images, also list images that only arguments, variables and ConfigMaps name.",
        ),
    ] = False,
    image_path: ImagePath = None,
    image_paths: ImagePaths = None,
    context: Annotated[
        str | None, typer.Option(metavar="NAME", help="Context of the kubeconfig.", show_default=False)
    ] = None,
    kubeconfig: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Path of the kubeconfig.", show_default=False)
    ] = None,
) -> None:
    """List images, their uses and their cached names.

    The kind of each source is detected.

    Exit codes: 0 everything was read, 1 a part could not be read and the rest is printed, 2 nothing could be done.

    Example: kubectl get pods -A -o json | ecr-pull-through inventory - --config environments/minimal.yaml
    """
    from ..operations.inventory import inventory as taken
    from ._sources import Cluster as Place
    from ._sources import uses_of

    mapping = mapping_of(config, cluster, registry, host, upstream, pinned_by_digest)
    left: list[Left] = []
    places = places_of(image_path, image_paths)
    uses = uses_of(sources or [], Place(context=context, kubeconfig=kubeconfig), values or [], places)
    entries = taken(_sorted_out(uses, left), mapping)
    if output is Output.IMAGES:
        _images(entries, mentions=mentions)
    else:
        {Output.TABLE: _table, Output.JSON: _json, Output.CSV: _csv}[output](entries)
    for part in left:
        print(printable(f"{part.where}: {part.why}"), file=sys.stderr)
    mentioned = sum(entry.is_mention and entry.to_warm is not None for entry in entries)
    if output is Output.IMAGES and mentioned and not mentions:
        print(f"{mentioned} images are only mentioned and not listed; --mentions lists them too", file=sys.stderr)
    if any(part.is_broken for part in left):
        raise typer.Exit(1)


def _sorted_out(uses: Iterator[Use | Left], left: list[Left]) -> Iterator[Use]:
    from ..operations.inventory import Use

    for use in uses:
        if isinstance(use, Use):
            yield use
        else:
            left.append(use)


def _table(entries: list[Entry]) -> None:
    from rich.console import Console
    from rich.table import Column, Table
    from rich.text import Text

    def shown(text: str) -> Text:
        return Text(printable(text))  # no markup: brackets in a Pod's image are brackets

    names = ("image", "becomes", "pulled", "used")
    table = Table(*(Column(name, overflow="fold") for name in names))
    for entry in entries:
        pulled = ", ".join(digest[:19] for digest in entry.digests)
        used = f"{len(entry.where)}{' (mentioned)' if entry.is_mention else ''}"
        table.add_row(shown(entry.image), shown(entry.cached or f"stays: {entry.reason}"), shown(pulled), shown(used))
    console = Console(highlight=False, markup=False, emoji=False, width=None if sys.stdout.isatty() else _WIDE)
    console.print(table)
    stay: dict[str, set[str]] = {}
    for entry in entries:
        if entry.hint:
            stay.setdefault(entry.hint, set()).add(entry.registry)
    for hint, registries in stay.items():
        console.print(shown(f"{', '.join(sorted(registries))}: {hint}"))


def _row(entry: Entry) -> dict[str, Any]:
    values = (
        entry.image,
        entry.registry,
        entry.cached,
        entry.reason,
        entry.hint,
        entry.to_warm,
        list(entry.digests),
        list(entry.where),
        entry.is_mention,
    )
    return dict(zip(_COLUMNS, values, strict=True))


def _json(entries: list[Entry]) -> None:
    print(json.dumps([_row(entry) for entry in entries], indent=2))


def _csv(entries: list[Entry]) -> None:
    import csv

    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for entry in entries:
        writer.writerow([_cell(value) for value in _row(entry).values()])


def _cell(value: Any) -> str:
    """A cell that no spreadsheet takes for a formula: https://owasp.org/www-community/attacks/CSV_Injection."""
    if isinstance(value, bool):
        return str(value).lower()
    text = printable(" ".join(value) if isinstance(value, list) else value or "", longest=_LONGEST)
    return f"'{text}" if text.startswith(_FORMULA) else text


def _images(entries: list[Entry], *, mentions: bool) -> None:
    wanted = (entry.to_warm for entry in entries if mentions or not entry.is_mention)
    for image in dict.fromkeys(wanted):
        if image:
            print(image)
