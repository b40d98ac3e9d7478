"""``purge``: a rule, what it cached, and the replicas of that, removed."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import UserError

if TYPE_CHECKING:
    from datetime import datetime

    from ..operations.purging import Purger


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(purge)


def purge(
    prefix: Annotated[str, typer.Argument(help="Repository prefix of the rule.")],
    config: Annotated[Path, typer.Option(help="Configuration file.")],
    registry: Annotated[str, typer.Option(help="Registry of the configuration that has the rule.")],
    yes: Annotated[bool, typer.Option("--yes", help="Delete; else it is only shown what would be.")] = False,
    keep_rule: Annotated[bool, typer.Option("--keep-rule", help="Delete what is cached, and not the rule.")] = False,
    profile: Annotated[str | None, typer.Option(help="Profile of the AWS configuration.", show_default=False)] = None,
    assume_role: Annotated[
        str | None, typer.Option(help="Name of the role to assume in each account.", show_default=False)
    ] = None,
) -> None:
    """Delete the repositories that a rule made, their replicas, and the rule. Run it again after an interruption.

    Rewrite workloads back first: ecr-pull-through rewrite --reverse.

    Example: ecr-pull-through purge k8s --config environments/minimal.yaml --registry main
    """
    from ..configuration import load
    from ..operations.aws import Sessions
    from ..operations.purging import Purger

    plans = load(config).registries
    if registry not in plans:
        raise UserError(f"{config}: there is no registry {registry!r}; there are {', '.join(plans)}")
    sessions = Sessions(profile=profile, assume_role=assume_role)
    plan = plans[registry]
    own = Purger(sessions.client("ecr", plan.environment.account, plan.environment.region))
    created = own.rule_created(prefix)
    if created is None:
        raise UserError(f"{plan.environment} has no rule with the prefix {prefix!r}, so nobody knows what it made")
    failed = 0
    # A registry that pulls the same prefix through itself keeps what it has.
    holders = {p.environment: prefix in p.caches for p in plans.values()}
    for to in plan.replicate_to:
        if not holders.get(to, False):
            failed += _empty(Purger(sessions.client("ecr", to.account, to.region)), str(to), prefix, created, yes=yes)
    failed += _empty(own, str(plan.environment), prefix, created, yes=yes)
    if failed:
        print(f"{failed} repositories are left; the rule stays, so that this can be run again", file=sys.stderr)
        raise typer.Exit(1)
    if not keep_rule:
        print(f"{plan.environment}: rule {prefix}: {'deleted' if yes else 'would be deleted'}")
        if yes:
            own.delete_rule(prefix)
    if not yes:
        print("nothing was deleted; add --yes", file=sys.stderr)


def _empty(purger: Purger, place: str, prefix: str, created: datetime, *, yes: bool) -> int:
    """Delete the repositories of one registry; says how many could not be."""
    failed = 0
    for found in purger.find(prefix, created):
        if not found.removable:
            print(f"{place}: {found.repository}: left: it is older than the rule", file=sys.stderr)
            continue
        try:
            if yes:
                purger.delete_repository(found.repository)
        except UserError as error:
            print(f"{place}: {found.repository}: {error}", file=sys.stderr)
            failed += 1
            continue
        print(f"{place}: {found.repository}: {'deleted' if yes else 'would be deleted'}")
    return failed
