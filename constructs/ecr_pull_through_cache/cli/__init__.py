"""The command line ``ecr-pull-through``: thin, over the package's modules.

Each module of this folder has a ``register`` that adds its commands. What takes long to import is imported
where a command needs it, so that every other command starts at once.
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from .._version import __version__
from ..errors import UserError
from . import backfill, check, describe, diagram, iam, image, init, inventory, policy, purge, rewrite, warm
from . import cluster_config as clusters
from . import helm_values as charts

app = typer.Typer(
    name="ecr-pull-through",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(__version__)
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Put an Amazon ECR pull through cache between clusters and public registries, and live with it."""


for _area in (
    init,
    describe,
    diagram,
    image,
    rewrite,
    charts,
    clusters,
    policy,
    inventory,
    warm,
    check,
    backfill,
    purge,
    iam,
):
    _area.register(app)


def main() -> None:
    """Entry point of the console script: a user's mistake is one sentence on standard error and exit code 2."""
    try:
        app()
    except UserError as mistake:
        print(f"error: {mistake}", file=sys.stderr)
        sys.exit(2)
    except RecursionError:
        print("error: something given is nested too deeply, or contains itself", file=sys.stderr)
        sys.exit(2)
