"""The command line ``ecr-pull-through``: a thin layer over the package's modules.

Each module of this folder is one command and has a ``register`` that adds it. Slow imports stand in the function that needs
them, so that every other command starts at once.
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from .._version import __version__
from ..errors import UserError
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
    warm,
)
from ._usage import Commands, UsageError, sentence

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
    check,
    backfill,
    purge,
):
    _module.register(app)


def main() -> None:
    """Run the console script: a user's mistake is one sentence on standard error and exit code 2."""
    try:
        sys.exit(app(standalone_mode=False))
    except UserError as mistake:
        print(f"error: {mistake}", file=sys.stderr)
        sys.exit(2)
    except UsageError as mistake:
        print(f"error: {sentence(mistake)}", file=sys.stderr)
        sys.exit(2)
    except typer.Abort:
        print("aborted", file=sys.stderr)
        sys.exit(1)
    except RecursionError:
        print("error: something given is nested too deeply, or contains itself", file=sys.stderr)
        sys.exit(2)
