"""``describe``: summarize the stacks of a configuration."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sized
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

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
    config: Annotated[Path, typer.Option(metavar="FILE", help="Configuration file.")] = Path(
        "environments/example.yaml"
    ),
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


def summary(configuration: Configuration) -> dict[str, Any]:
    """Return the summary as data."""
    return {
        "registries": {name: _registry(plan) for name, plan in configuration.registries.items()},
        "clusters": {name: _cluster(plan) for name, plan in configuration.clusters.items()},
    }


def _registry(plan: RegistryPlan) -> dict[str, Any]:
    return {
        "stack": f"ecr-pull-through-registry-{plan.name}",
        "account": plan.environment.account,
        "region": plan.environment.region,
        "host": plan.host,
        "upstreams": {prefix: cache.cached.upstream.host for prefix, cache in plan.pulled_through.items()},
        "pushed": {prefix: cache.cached.upstream.host for prefix, cache in plan.pushed.items()},
        "replicas": {prefix: cache.cached.upstream.host for prefix, cache in plan.replicated.items()},
        "replicateTo": [str(to) for to in plan.replicate_to],
        "pullAccounts": list(plan.pull_accounts),
        "organization": plan.organization,
        "warm": _warm(plan),
        "backfill": plan.backfill is not None,
        "dashboard": plan.dashboard is not None,
        "emptyOnDelete": plan.empty_on_delete,
        "warnings": dict(plan.warnings),
    }


def _warm(plan: RegistryPlan) -> dict[str, Any] | None:
    if plan.warm is None:
        return None
    return {"images": len(plan.warm.images) or "images.txt in the warmer's bucket", "schedule": plan.warm.schedule}


def _line(key: str, value: str) -> str:
    """A key of the configuration and its meaning, in columns."""
    return f"{key:14} {value}"


def _day_two(plan: RegistryPlan) -> Iterator[str]:
    if plan.warm:
        images = f"{len(plan.warm.images)} images" if plan.warm.images else "images.txt in the warmer's bucket"
        yield _line("warm", f"{images}{f', {plan.warm.schedule}' if plan.warm.schedule else ''}")
    if plan.backfill:
        yield _line("backfill", "existing repositories get the settings of their template")
    if plan.dashboard:
        yield _line("dashboard", "pulls, imports, failures, storage and quotas")
    if plan.empty_on_delete:
        yield _line("emptyOnDelete", "cached images are deleted with the stack")


def _cluster(plan: ClusterPlan) -> dict[str, Any]:
    return {
        "stack": f"ecr-pull-through-cluster-{plan.name}",
        "account": plan.environment.account,
        "region": plan.environment.region,
        "registry": plan.registry.name,
        "roles": {nodes.role: nodes.kind.value for nodes in plan.nodes},
        "imports": plan.imports and bool(plan.registry.pulled_through),
        "rewrite": plan.rewrite.form.value if plan.rewrite else None,
        "warnings": dict(plan.warnings),
    }


def _registries(configuration: Configuration) -> Tree:
    from rich.tree import Tree

    tree = Tree("[bold]registries")
    for name, plan in configuration.registries.items():
        branch = tree.add(f"[bold]{name}[/]  {plan.environment}  stack ecr-pull-through-registry-{name}")
        for key, plans in (
            ("upstreams", plan.pulled_through),
            ("mode: push", plan.pushed),
            ("replicas", plan.replicated),
        ):
            if plans:
                branch.add(_line(key, ", ".join(_image_sources(plans))))
        if plan.replicate_to:
            branch.add(_line("replicateTo", ", ".join(str(to) for to in plan.replicate_to)))
        others = [*plan.pull_accounts, *([plan.organization] if plan.organization else [])]
        if others:
            branch.add(_line("pull", ", ".join(others)))
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
        branch = tree.add(f"[bold]{name}[/]  {plan.environment}  stack ecr-pull-through-cluster-{name}")
        branch.add(_line("registry", plan.registry.name))
        branch.add(_line("import", "true" if plan.imports and plan.registry.pulled_through else "false, pull only"))
        roles = ", ".join(f"{nodes.role} ({nodes.kind.value})" for nodes in plan.nodes)
        branch.add(_line("nodes", roles or "none; attach the stack's policy to your roles"))
        if plan.rewrite:
            branch.add(_line("rewrite", plan.rewrite.form.value))
    return tree
