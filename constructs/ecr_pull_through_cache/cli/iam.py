"""``iam``: print the least policy of the role that runs a command."""

from __future__ import annotations

import json
from collections.abc import Iterator
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import UserError
from ._options import CONFIG, AssumeRole, Config
from ._usage import Command
from .check import Skip

if TYPE_CHECKING:
    from ..configuration import ClusterPlan, Configuration, RegistryPlan
    from ..operations.least_privilege import Place


class Verb(StrEnum):
    """A command that calls AWS."""

    WARM = "warm"
    TRY = "try"
    BACKFILL = "backfill"
    CHECK = "check"
    PURGE = "purge"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(cls=Command)(iam)


def iam(
    verb: Annotated[Verb, typer.Argument(metavar="COMMAND", help="warm, backfill, check or purge.")],
    config: Config = CONFIG,
    account: Annotated[
        str | None,
        typer.Option(metavar="ACCOUNT", help="Account of the role; needed if there are several.", show_default=False),
    ] = None,
    prefix: Annotated[
        list[str] | None,
        typer.Option(metavar="PREFIX", help="Repository prefix; repeatable. Default: all of them.", show_default=False),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Allow changes, for backfill, purge and check --fix.")] = False,
    fix: Annotated[bool, typer.Option("--fix", help="As given to check.")] = False,
    skip: Annotated[
        list[Skip] | None, typer.Option(metavar="PART", help="As given to check; repeatable.", show_default=False)
    ] = None,
    unused_days: Annotated[
        int | None, typer.Option(metavar="DAYS", help="As given to check.", show_default=False)
    ] = None,
    replication: Annotated[bool, typer.Option("--replication", help="As given to backfill.")] = False,
    keep_rule: Annotated[bool, typer.Option("--keep-rule", help="As given to purge.")] = False,
    replicas: Annotated[bool, typer.Option("--replicas", help="As given to warm.")] = False,
    no_wait: Annotated[bool, typer.Option("--no-wait", help="As given to warm.")] = False,
    assume_role: AssumeRole = None,
) -> None:
    """Print the least IAM policy for a command.

    Give the options with which the command is run. With --assume-role, print the policy of the principal that assumes that
    role in each account. Default: the policy of the role itself.

    Example: ecr-pull-through iam backfill --yes --config environments/minimal.yaml
    """
    from ..configuration import load
    from ..operations.least_privilege import actions_of, caller_policy, policy_of

    skipped = skip or ()
    given = {
        "yes": yes,
        "fix": fix,
        "stale": unused_days is not None,
        "replication": replication,
        "replicas": replicas,
    }
    usual = {
        "images": not no_wait,
        "members": True,
        "nodes": True,
        "repositories": Skip.REPOSITORIES not in skipped,
        "rule": not keep_rule,
        "secret-values": Skip.SECRET_VALUES not in skipped,
        "settings": not replication,
        "wait": not no_wait,
    }
    configuration = load(config)
    options = {name for name, wanted in {**given, **usual}.items() if wanted}
    if any(registry.tags_repositories for registry in configuration.registries.values()):
        options.add("tags")
    statements = actions_of(verb, options)
    if assume_role is not None:
        accounts = {place.account for place in _places(configuration, verb, ())}
        print(json.dumps(caller_policy(accounts, assume_role, partition=_partition(configuration)), indent=2))
        return
    places = _of_account(list(_places(configuration, verb, tuple(prefix or ()))), account)
    print(json.dumps(policy_of(statements, places), indent=2))


def _of_account(places: list[Place], account: str | None) -> list[Place]:
    accounts = sorted({place.account for place in places})
    if account is None and len(accounts) == 1:
        account = accounts[0]
    if account not in accounts:
        given = "no account is given" if account is None else f"there is nothing in the account {account}"
        raise UserError(f"{given}; give --account with one of {', '.join(accounts)}")
    return [place for place in places if place.account == account]


def _places(configuration: Configuration, verb: str, prefixes: tuple[str, ...]) -> Iterator[Place]:
    for registry in configuration.registries.values():
        held = (
            registry.pulled_through
            if verb == "warm"
            else {*registry.pulled_through, *registry.pushed, *registry.replicated}
        )
        chosen = tuple(sorted(prefix for prefix in held if not prefixes or prefix in prefixes))
        if chosen or not prefixes:
            yield _place(registry, chosen)
    if verb == "check":
        for cluster in configuration.clusters.values():
            place = _of_cluster(cluster)
            if place.node_roles or place.member:
                yield place


def _place(registry: RegistryPlan, prefixes: tuple[str, ...]) -> Place:
    from ..operations.least_privilege import Place

    plans = [{**registry.pulled_through, **registry.pushed, **registry.replicated}[prefix] for prefix in prefixes]
    keys = {plan.template.kms_key for plan in plans}
    secrets = {plan.rule.credentials for plan in plans}
    roles = {plan.rule.role for plan in plans}
    return Place(
        account=registry.environment.account,
        region=registry.environment.region,
        prefixes=prefixes,
        replicate_to=registry.replicate_to,
        secrets=tuple(sorted(secret for secret in secrets if secret)),
        keys=tuple(sorted(key for key in keys if key)),
        upstream_roles=tuple(sorted(role for role in roles if role)),
    )


def _of_cluster(cluster: ClusterPlan) -> Place:
    from ..operations.least_privilege import Place

    place = cluster.environment
    roles = tuple(sorted(nodes.role for nodes in cluster.nodes))
    return Place(
        account=place.account,
        region=place.region,
        node_roles=roles,
        registry=False,
        member=place.account in cluster.registry.members,
    )


def _partition(configuration: Configuration) -> str:
    from ..images import partition_of

    region = next(iter(configuration.registries.values())).environment.region
    partition = partition_of(region)
    return partition.name if partition else "aws"
