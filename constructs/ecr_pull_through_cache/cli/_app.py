"""The application of the command line: its commands are the modules that ``GROUPS`` names."""

from __future__ import annotations

import importlib
import keyword
import sys
from typing import Annotated

import typer

from .._version import __version__
from ._usage import GROUPS, Commands

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


for _name in (name for names in GROUPS.values() for name in names):
    # `try` is no name of a module: PEP 8 appends an underscore to keywords.
    _module = f"{_name.replace('-', '_')}{'_' if keyword.iskeyword(_name) else ''}"
    importlib.import_module(f".{_module}", __package__).register(app)
