"""``describe``: summarize the stacks of a configuration."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sized
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ._options import CONFIG, Config
from ._usage import Command

if TYPE_CHECKING:
    from rich.tree import Tree

    from ..configuration import CachePlan, ClusterPlan, Configuration, RegistryPlan


_WIDE = 1_000
"""Columns where no terminal limits the width."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(cls=Command)(describe)


def describe(
    config: Config = CONFIG,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Summarize the stacks that a configuration deploys.

    Example: ecr-pull-through describe --config environments/minimal.yaml
    """
    from ..configuration import load

    configuration = load(config)
    if as_json:
        print(json.dumps(summary(configuration), indent=2))
        return
    from rich.console import Console

    console = Console(highlight=False, width=None if sys.stdout.isatty() else _WIDE)
    console.print(_registries(configuration))
    if configuration.clusters:
        console.print(_clusters(configuration))
    plans: list[RegistryPlan | ClusterPlan] = [*configuration.registries.values(), *configuration.clusters.values()]
    for plan in plans:
        for message in plan.warnings.values():
            console.print(f"warning: {message}", markup=False, soft_wrap=True)
    environments = {plan.environment for plan in plans}
    console.print(f"{_count(plans, 'stack')} in {_count(environments, 'environment')}")


def _count(things: Sized, name: str) -> str:
    return f"{len(things)} {name}{'' if len(things) == 1 else 's'}"


def _assumed(plan: RegistryPlan) -> str:
    """The accounts of clusters that may pull only if they belong to the organisation."""
    return f"{', '.join(plan.members)} must belong to {plan.pullers.organization}"


def _upstream_grants(plan: RegistryPlan, configuration: Configuration) -> Iterator[dict[str, Any]]:
    """The statements that private ECR registries of other accounts need, so that this one can cache them."""
    from ..ecr.statements import upstream_grant

    made = {other.environment: other.name for other in configuration.registries.values()}
    for prefix, cache in sorted(plan.pulled_through.items()):
        upstream = cache.upstream_registry
        if upstream is None:
            continue
        for statement in upstream_grant(
            upstream, [plan.environment.account], [cache.cached.upstream_repository_prefix]
        ):
            owner = f"the stack of {made[upstream]} grants" if upstream in made else f"{upstream.account} must grant"
            where = f"{', '.join(statement['Resource'])} to {plan.environment.account}"
            yield {
                "prefix": prefix,
                "registry": str(upstream),
                "deployedBy": made.get(upstream),
                "statement": statement,
                "says": f"{owner} {', '.join(statement['Action'])} on {where}, by its registry policy or a repository policy",
            }


def summary(configuration: Configuration) -> dict[str, Any]:
    """Return the summary as data."""
    return {
        "registries": {name: _registry(plan, configuration) for name, plan in configuration.registries.items()},
        "clusters": {name: _cluster(plan) for name, plan in configuration.clusters.items()},
    }


def _registry(plan: RegistryPlan, configuration: Configuration) -> dict[str, Any]:
    return {
        "stack": plan.stack_name,
        "account": plan.environment.account,
        "region": plan.environment.region,
        "host": plan.host,
        "upstreams": {prefix: cache.cached.upstream.host for prefix, cache in plan.pulled_through.items()},
        "pushed": {prefix: cache.cached.upstream.host for prefix, cache in plan.pushed.items()},
        "replicas": {prefix: cache.cached.upstream.host for prefix, cache in plan.replicated.items()},
        "replicateTo": [str(to) for to in plan.replicate_to],
        "pullAccounts": list(plan.pullers.accounts),
        "organization": plan.pullers.organization,
        "members": list(plan.members),
        "pullInheritedFrom": list(plan.pull_inherited_from),
        "warm": _warm(plan),
        "backfill": plan.settings.backfill is not None,
        "dashboard": plan.settings.dashboard is not None,
        "emptyOnDelete": plan.settings.empty_on_delete,
        "upstreamGrants": [
            {key: value for key, value in grant.items() if key != "says"}
            for grant in _upstream_grants(plan, configuration)
        ],
        "warnings": dict(plan.warnings),
    }


def _warm(plan: RegistryPlan) -> dict[str, Any] | None:
    if plan.settings.warm is None:
        return None
    return {
        "images": len(plan.settings.warm.images) or "images.txt in the warmer's bucket",
        "schedule": plan.settings.warm.schedule,
    }


def _line(key: str, value: str) -> str:
    """A key of the configuration and its meaning, in columns."""
    return f"{key:14} {value}"


def _day_two(plan: RegistryPlan) -> Iterator[str]:
    if plan.settings.warm:
        images = (
            f"{len(plan.settings.warm.images)} images"
            if plan.settings.warm.images
            else "images.txt in the warmer's bucket"
        )
        yield _line("warm", f"{images}{f', {plan.settings.warm.schedule}' if plan.settings.warm.schedule else ''}")
    if plan.settings.backfill:
        yield _line("backfill", "existing repositories get the settings of their template")
    if plan.settings.dashboard:
        yield _line("dashboard", "pulls, imports, failures, storage and quotas")
    if plan.settings.empty_on_delete:
        yield _line("emptyOnDelete", "cached images are deleted with the stack")


def _cluster(plan: ClusterPlan) -> dict[str, Any]:
    return {
        "stack": plan.stack_name,
        "account": plan.environment.account,
        "region": plan.environment.region,
        "registry": plan.registry.name,
        "roles": {nodes.role: nodes.kind and nodes.kind.value for nodes in plan.nodes},
        "imports": plan.imports and bool(plan.registry.pulled_through),
        "rewrite": plan.rewrite.form.value if plan.rewrite else None,
        "warnings": dict(plan.warnings),
    }


def _registries(configuration: Configuration) -> Tree:
    from rich.tree import Tree

    tree = Tree("[bold]registries")
    for name, plan in configuration.registries.items():
        branch = tree.add(f"[bold]{name}[/]  {plan.environment}  stack {plan.stack_name}")
        for key, plans in (
            ("upstreams", plan.pulled_through),
            ("mode: push", plan.pushed),
            ("replicas", plan.replicated),
        ):
            if plans:
                branch.add(_line(key, ", ".join(_image_sources(plans))))
        if plan.replicate_to:
            branch.add(_line("replicateTo", ", ".join(str(to) for to in plan.replicate_to)))
        others = [*plan.pullers.accounts, *([plan.pullers.organization] if plan.pullers.organization else [])]
        if others:
            sources = ", ".join(plan.pull_inherited_from)
            branch.add(
                _line("pull", ", ".join(others) + (f"; inherited from {sources}, no imports" if sources else ""))
            )
        if plan.members:
            branch.add(
                _line("organization", f"{_assumed(plan)}; `check` asks {'it' if len(plan.members) == 1 else 'them'}")
            )
        for grant in _upstream_grants(plan, configuration):
            branch.add(_line("upstream", grant["says"]))
        for line in _day_two(plan):
            branch.add(line)
    return tree


def _image_sources(plans: Mapping[str, CachePlan]) -> list[str]:
    return [
        cache.cached.upstream.host if prefix == "ROOT" else f"{prefix} ({cache.cached.upstream.host})"
        for prefix, cache in sorted(plans.items())
    ]


def _clusters(configuration: Configuration) -> Tree:
    from rich.tree import Tree

    tree = Tree("[bold]clusters")
    for name, plan in configuration.clusters.items():
        branch = tree.add(f"[bold]{name}[/]  {plan.environment}  stack {plan.stack_name}")
        branch.add(_line("registry", plan.registry.name))
        branch.add(_line("import", "true" if plan.imports and plan.registry.pulled_through else "false, pull only"))
        roles = ", ".join(f"{nodes.role} ({nodes.kind.value})" if nodes.kind else nodes.role for nodes in plan.nodes)
        branch.add(_line("nodes", roles or "none; attach the stack's policy to your roles"))
        if plan.rewrite:
            branch.add(_line("rewrite", plan.rewrite.form.value))
    return tree
