"""``backfill``: settings for repositories that were there before their creation template."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from ..errors import UserError


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(backfill)


def backfill(
    config: Annotated[Path, typer.Option(help="Configuration file.")],
    registry: Annotated[
        list[str] | None, typer.Option(help="Registry of the configuration; else all of them.", show_default=False)
    ] = None,
    prefix: Annotated[
        list[str] | None, typer.Option(help="Prefix of a creation template; else all of them.", show_default=False)
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Make the changes; else they are only shown.")] = False,
    profile: Annotated[str | None, typer.Option(help="Profile of the AWS configuration.", show_default=False)] = None,
    assume_role: Annotated[
        str | None, typer.Option(help="Name of the role to assume in each account.", show_default=False)
    ] = None,
) -> None:
    """Bring the settings of deployed creation templates to repositories that exist already, in every registry.

    Example: ecr-pull-through backfill --config environments/minimal.yaml --prefix k8s
    """
    from ..configuration import load
    from ..operations.aws import Sessions

    plans = load(config).registries
    unknown = sorted(set(registry or ()) - set(plans))
    if unknown:
        raise UserError(f"{config}: there is no registry {unknown[0]!r}; there are {', '.join(plans)}")
    sessions = Sessions(profile=profile, assume_role=assume_role)
    counts = {"changes": 0, "failed": 0}
    for name in registry or plans:
        place = plans[name].environment
        try:
            _one(name, sessions.client("ecr", place.account, place.region), tuple(prefix or ()), yes=yes, counts=counts)
        except UserError as error:
            print(f"{name}: {error}", file=sys.stderr)
            counts["failed"] += 1
    done = "made" if yes else "to be made with --yes"
    print(f"{counts['changes']} changes {done}, {counts['failed']} failed", file=sys.stderr)
    if counts["failed"]:
        raise typer.Exit(1)


def _one(name: str, ecr: object, prefixes: tuple[str, ...], *, yes: bool, counts: dict[str, int]) -> None:
    from ..operations.backfilling import Backfiller, Left

    filler = Backfiller(ecr)
    for step in filler.plan(prefixes):
        if isinstance(step, Left):
            print(f"{name}: {step.repository}: left: {step.reason}", file=sys.stderr)
            continue
        try:
            if yes:
                filler.apply(step)
        except UserError as error:
            print(f"{name}: {step.repository}: {step.what}: {error}", file=sys.stderr)
            counts["failed"] += 1
            continue
        counts["changes"] += 1
        print(f"{name}: {step.repository}: {step.what}")
