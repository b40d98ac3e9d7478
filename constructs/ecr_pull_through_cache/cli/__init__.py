"""The command line ``ecr-pull-through``: thin, over the package's modules.

Each module of this folder has a ``register`` that adds its commands. What takes long to import is imported
where a command needs it, so that every other command starts at once.
"""

from __future__ import annotations

import sys

import typer

from ..errors import UserError

app = typer.Typer(
    name="ecr-pull-through",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Put an Amazon ECR pull through cache between clusters and public registries, and live with it.",
)


@app.callback()
def _root() -> None:
    """Options of every command would stand here; a callback keeps a single command a subcommand."""


def main() -> None:
    """Entry point of the console script: a user's mistake is one sentence on standard error and exit code 2."""
    try:
        app()
    except UserError as mistake:
        print(f"error: {mistake}", file=sys.stderr)
        sys.exit(2)
