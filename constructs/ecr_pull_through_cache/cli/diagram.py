"""``diagram``: the configuration as a picture."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ..errors import UserError


class Format(StrEnum):
    """What the picture is written as."""

    MERMAID = "mermaid"
    SVG = "svg"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(diagram)


def diagram(
    config: Annotated[Path, typer.Option(help="Configuration file.")] = Path("environments/example.yaml"),
    format: Annotated[Format, typer.Option(help="What the picture is written as.")] = Format.MERMAID,
    output: Annotated[Path | None, typer.Option(help="File to write; else it is printed.", show_default=False)] = None,
    into: Annotated[
        Path | None,
        typer.Option(
            help="Page of Markdown to put the Mermaid chart into, between <!-- ecr-pull-through diagram --> and "
            "<!-- end of ecr-pull-through diagram -->.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Draw a configuration: registries, upstreams, replication, clusters and who may pull.

    Example: ecr-pull-through diagram --config environments/minimal.yaml --format svg --output cache.svg
    """
    from .. import diagram as drawing
    from ..configuration import load

    if into is not None and (output is not None or format is not Format.MERMAID):
        raise UserError("--into puts a Mermaid chart into a page; leave --output and --format out, or --into")
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
        raise UserError(f"{error.filename}: {error.strerror}") from None
    print(f"{target} is written", file=sys.stderr)
