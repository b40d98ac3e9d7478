"""``check``: what is deployed, against the configuration."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import UserError

if TYPE_CHECKING:
    from ..configuration import RegistryPlan
    from ..operations.checking import Checker, ExpectedRegistry, Finding


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(check)


def check(
    config: Annotated[Path, typer.Option(help="Configuration file.")],
    registry: Annotated[
        list[str] | None, typer.Option(help="Registry of the configuration; else all of them.", show_default=False)
    ] = None,
    fix: Annotated[bool, typer.Option("--fix", help="Say what CloudFormation cannot change and this can.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="With --fix: change it.")] = False,
    profile: Annotated[str | None, typer.Option(help="Profile of the AWS configuration.", show_default=False)] = None,
    assume_role: Annotated[
        str | None, typer.Option(help="Name of the role to assume in each account.", show_default=False)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, for programs.")] = False,
) -> None:
    """Compare rules, secrets, templates and replication with the configuration; exit with 1 if something differs.

    Example: ecr-pull-through check --config environments/minimal.yaml --assume-role ReadOnly
    """
    from ..configuration import load
    from ..operations.aws import Sessions
    from ..operations.checking import Checker

    plans = load(config).registries
    unknown = sorted(set(registry or ()) - set(plans))
    if unknown:
        raise UserError(f"{config}: there is no registry {unknown[0]!r}; there are {', '.join(plans)}")
    sessions = Sessions(profile=profile, assume_role=assume_role)
    left: list[Finding] = []
    failed = False
    for name in registry or plans:
        expected = expectation(plans[name])
        place = (expected.account, expected.region)
        try:
            checker = Checker(sessions.client("ecr", *place), sessions.client("secretsmanager", *place))
            left += _mended(checker, checker.check(expected), yes=yes) if fix else checker.check(expected)
        except UserError as error:
            print(f"{name}: {error}", file=sys.stderr)
            failed = True
    _report(left, as_json=as_json)
    if failed or left:
        raise typer.Exit(2 if failed else 1)


def _mended(checker: Checker, findings: list[Finding], *, yes: bool) -> list[Finding]:
    """What is left after the changes that only the API can make."""
    left = []
    for finding in findings:
        if finding.credential_arn is None:
            left.append(finding)
            continue
        if yes:
            checker.fix(finding)
        else:
            left.append(finding)
        done = "now uses" if yes else "would be given, with --yes,"
        print(f"{finding.registry}: {finding.subject}: {done} {finding.credential_arn}", file=sys.stderr)
    return left


def _report(findings: list[Finding], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps([vars(finding) for finding in findings], indent=2))
        return
    for finding in findings:
        print(f"{finding.registry}: {finding.subject}: {finding.problem}")


def expectation(plan: RegistryPlan) -> ExpectedRegistry:
    """What a registry of the configuration should be like."""
    from ..operations.checking import ExpectedRegistry, ExpectedRule

    caching = {"PULL_THROUGH_CACHE", *(["REPLICATION"] if plan.sources else [])}
    return ExpectedRegistry(
        name=plan.name,
        account=plan.environment.account,
        region=plan.environment.region,
        rules=tuple(
            ExpectedRule(
                prefix=prefix,
                upstream_url=cache.cached.upstream.url,
                upstream_prefix=cache.cached.upstream_repository_prefix,
                credentials=cache.credentials,
            )
            for prefix, cache in plan.caches.items()
        ),
        templates={
            **dict.fromkeys(plan.caches, frozenset(caching)),
            **dict.fromkeys(plan.arrives, frozenset({"REPLICATION"})),
            **dict.fromkeys(plan.copies, frozenset({"CREATE_ON_PUSH"})),
        },
        replicate_to=frozenset((to.account, to.region) for to in plan.replicate_to),
    )
