"""The commands, put together."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from .._version import __version__
from . import (
    backfill,
    check,
    cluster_config,
    describe,
    diagram,
    helm_values,
    iam,
    image,
    init,
    inventory,
    policy,
    purge,
    rewrite,
    try_,
    warm,
)
from ._usage import Commands

app = typer.Typer(
    name="ecr-pull-through",
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    invoke_without_command=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(__version__)
        raise typer.Exit


@app.callback()
def _root(
    context: typer.Context,
    version: Annotated[  # noqa: ARG001 - its callback prints it
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Set up and operate an Amazon ECR pull through cache."""
    if context.invoked_subcommand is None:
        print(context.get_help(), file=sys.stderr)
        raise typer.Exit(2)


for _module in (
    init,
    describe,
    diagram,
    iam,
    image,
    rewrite,
    helm_values,
    cluster_config,
    policy,
    inventory,
    warm,
    try_,
    check,
    backfill,
    purge,
):
    _module.register(app)
