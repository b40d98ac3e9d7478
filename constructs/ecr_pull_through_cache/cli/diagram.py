"""``diagram``: draw a configuration."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ..errors import UserError
from ._options import CONFIG, Config
from ._usage import Command


class Format(StrEnum):
    """The format of the picture."""

    MERMAID = "mermaid"
    SVG = "svg"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(cls=Command)(diagram)


def diagram(
    config: Config = CONFIG,
    format: Annotated[Format, typer.Option(help="Format of the picture.")] = Format.MERMAID,
    output: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="File to write. Default: print it.", show_default=False),
    ] = None,
    into: Annotated[
        Path | None,
        typer.Option(
            metavar="PAGE",
            help="Markdown page to put the Mermaid chart into, between <!-- ecr-pull-through diagram --> and "
            "<!-- end of ecr-pull-through diagram -->.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Draw a configuration as Mermaid or SVG.

    Shows registries, upstreams, replication, clusters and the accounts that may pull.

    Example: ecr-pull-through diagram --config environments/minimal.yaml --format svg --output cache.svg
    """
    from .. import diagram as drawing
    from ..configuration import load

    if into is not None and (output is not None or format is not Format.MERMAID):
        raise UserError(
            "--into cannot be combined with --output or --format svg: it writes a Mermaid chart into a page"
        )
    configuration = load(config)
    text = drawing.svg(configuration) if format is Format.SVG else drawing.mermaid(configuration)
    try:
        if into is not None:
            page = into.read_text(encoding="utf-8")
            try:
                text = drawing.replaced(page, text)
            except UserError as error:
                raise UserError(f"{into}: {error}") from None
        target = into or output
        if target is None:
            print(text, end="")
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
    except OSError as error:
        if error.filename is None:
            raise  # it is the output's
        raise UserError(f"{error.filename}: {error.strerror}") from None
    print(f"{target} is written", file=sys.stderr)
