"""``check``: compare what is deployed with the configuration."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import UserError
from ._console import complain, everywhere, progress
from ._options import CONFIG, AssumeRole, Concurrency, Config, Profile, Registries, chosen
from ._usage import Command

if TYPE_CHECKING:
    from ..operations.aws import Sessions
    from ..operations.checking import Checker, Finding
    from ..operations.expected import ExpectedMember, ExpectedNodes, ExpectedRegistry


class Skip(StrEnum):
    """A part of the check that can be skipped."""

    REPOSITORIES = "repositories"
    SECRET_VALUES = "secret-values"  # noqa: S105 - the name of a choice


Skipped = Annotated[
    list[Skip] | None,
    typer.Option(
        metavar="PART",
        help="Part to skip; repeatable. `repositories`: comparing existing repositories with their templates. "
        "`secret-values`: reading secrets; ECR's own validation still says whether it can use them.",
        show_default=False,
    ),
]
UnusedDays = Annotated[
    int | None,
    typer.Option(
        metavar="DAYS",
        min=1,
        help="Also list repositories without a pull in this many days.",
        show_default=False,
    ),
]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(cls=Command)(check)


def check(
    config: Config = CONFIG,
    registry: Registries = None,
    skip: Skipped = None,
    unused_days: UnusedDays = None,
    fix: Annotated[
        bool, typer.Option("--fix", help="Show fixes that only the ECR API can make; add --yes to apply them.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Apply the fixes of --fix.")] = False,
    concurrency: Concurrency = 8,
    profile: Profile = None,
    assume_role: AssumeRole = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Compare what is deployed with a configuration.

    Checks rules and their upstreams, secrets, creation templates, the registry policy, replication, scanning, the permissions
    of node roles, and repositories whose settings differ from their template, in every account and Region.

    Exit codes: 0 as configured, 1 something differs, 2 something could not be checked.

    Example: ecr-pull-through check --config environments/minimal.yaml --assume-role ReadOnly
    """
    from ..configuration import load
    from ..configuration.expectation import expected_member, expected_nodes, expected_registry
    from ..operations.aws import Sessions

    if yes and not fix:
        raise UserError("--yes applies the fixes of --fix; give both, or neither")
    configuration = load(config)
    plans = chosen(config, registry, of=configuration)
    clusters = [c for c in configuration.clusters.values() if c.registry.name in plans]
    skipped = skip or ()
    findings = _Findings()
    sessions = Sessions(profile=profile, assume_role=assume_role)
    with progress("repositories") as bar:
        work: dict[str, Callable[[], None]] = {}
        looks = _Looks(
            repositories=Skip.REPOSITORIES not in skipped,
            unused_days=unused_days,
            secret_values=Skip.SECRET_VALUES not in skipped,
            threads=concurrency,
        )
        fixing = yes if fix else None
        for name, plan in plans.items():
            work[name] = partial(
                _registry, expected_registry(plan), sessions, looks, findings, fixing, partial(bar, name)
            )
        roles = 0
        for cluster in clusters:
            member = expected_member(cluster)
            if member is not None:
                work[f"{member.cluster}: account {member.environment.account}"] = partial(
                    _member, member, sessions, findings
                )
            for nodes in expected_nodes(cluster):
                roles += 1
                work[f"{nodes.cluster}: {nodes.role}"] = partial(_nodes, nodes, sessions, findings)
        failed = everywhere(work, lambda name: work[name]())
    _report(findings.sorted((*plans, *(cluster.name for cluster in clusters))), as_json=as_json)
    differing = sum(not finding.notice for finding in findings.all)
    incomplete = bool(failed) or findings.incomplete
    complain(
        f"checked {_counted(len(plans), 'registry', 'registries')} and {_counted(roles, 'role', 'roles')}"
        f"{' (incomplete)' if incomplete else ''}: {_counted(differing, 'difference', 'differences')}"
    )
    if incomplete or differing:
        raise typer.Exit(2 if incomplete else 1)


def _counted(number: int, one: str, more: str) -> str:
    return f"{number} {one if number == 1 else more}"


@dataclass(frozen=True, kw_only=True)
class _Looks:
    """The parts of the check besides CloudFormation's resources, and the number of concurrent calls."""

    repositories: bool
    unused_days: int | None
    secret_values: bool
    threads: int


class _Findings:
    """Findings from several threads."""

    def __init__(self) -> None:
        self.all: list[Finding] = []
        self.incomplete = False
        self._lock = threading.Lock()

    def add(self, finding: Finding) -> None:
        """Add a finding."""
        with self._lock:
            self.all.append(finding)

    def on_error(self, name: str, error: UserError) -> None:
        """Note that something could not be checked."""
        complain(f"{name}: {error}")
        self.incomplete = True

    def sorted(self, order: tuple[str, ...]) -> list[Finding]:
        """Sort the findings in the order of the configuration."""
        return sorted(self.all, key=lambda finding: order.index(finding.registry))


def _registry(
    expected: ExpectedRegistry,
    sessions: Sessions,
    looks: _Looks,
    findings: _Findings,
    fixing: bool | None,
    bar: Callable[[int, int], None],
) -> None:
    from ..operations.checking import Checker

    here = expected.registry
    clients = [sessions.client(service, here.account, here.region) for service in ("ecr", "secretsmanager")]
    checker = Checker(*clients, read_secrets=looks.secret_values)
    on_error = partial(findings.on_error, expected.name)
    for finding in checker.check(expected, on_error=on_error):
        if fixing is None or not finding.given or not _fixed(checker, finding, on_error, yes=fixing):
            findings.add(finding)
    if looks.repositories:
        for finding in checker.repositories(expected, threads=looks.threads, on_progress=bar, on_error=on_error):
            findings.add(finding)
    if looks.unused_days is not None:
        for finding in checker.stale(
            expected, days=looks.unused_days, threads=looks.threads, on_progress=bar, on_error=on_error
        ):
            findings.add(finding)


def _nodes(expected: ExpectedNodes, sessions: Sessions, findings: _Findings) -> None:
    from ..operations.checking import NodeChecker

    iam = sessions.client("iam", expected.environment.account, expected.environment.region)
    for finding in NodeChecker(iam).check(expected):
        findings.add(finding)


def _member(expected: ExpectedMember, sessions: Sessions, findings: _Findings) -> None:
    from ..operations.checking import MemberChecker

    here = expected.environment
    for finding in MemberChecker(sessions.client("organizations", here.account, here.region)).check(expected):
        findings.add(finding)


def _fixed(checker: Checker, finding: Finding, on_error: Callable[[UserError], None], *, yes: bool) -> bool:
    """Make, or show, a fix that only the API can make."""
    from ..operations.aws import SignedOut

    try:
        if yes:
            checker.fix(finding)
    except SignedOut:
        raise
    except UserError as error:
        on_error(UserError(f"{finding.subject}: {error}"))
        return False
    done = "now uses" if yes else "would be given, with --yes,"
    complain(f"{finding.registry}: {finding.subject}: {done} {', '.join(finding.given.values())}")
    return yes


def _report(findings: list[Finding], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps([_entry(finding) for finding in findings], indent=2))
        return
    for finding in findings:
        if finding.notice:
            complain(f"{finding.registry}: {finding.subject}: {finding.problem}")
        else:
            print(f"{finding.registry}: {finding.subject}: {finding.problem}")


def _entry(finding: Finding) -> dict[str, object]:
    return {
        "registry": finding.registry,
        "subject": finding.subject,
        "problem": finding.problem,
        "credentialArn": finding.credential_arn,
        "customRoleArn": finding.custom_role_arn,
        "accountSetting": None if finding.account_setting is None else finding.given,
        "notice": finding.notice,
    }
