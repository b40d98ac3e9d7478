"""``describe``: what a configuration would deploy where."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from ..configuration import CachePlan, ClusterPlan, Configuration, RegistryPlan


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(describe)


def describe(
    config: Annotated[Path, typer.Option(help="Configuration file.")] = Path("environments/example.yaml"),
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, for programs.")] = False,
) -> None:
    """Say what a configuration would deploy where.

    Example: ecr-pull-through describe --config environments/minimal.yaml
    """
    from ..configuration import load

    configuration = load(config)
    if as_json:
        print(json.dumps(summary(configuration), indent=2))
        return
    from rich.console import Console

    console = Console(width=None)
    for table in (_registries(configuration), _clusters(configuration)):
        if table.row_count:
            console.print(table)
    for cluster in configuration.clusters.values():
        for message in cluster.warnings.values():
            console.print(f"warning: {message}", highlight=False, markup=False)
    count = len(configuration.registries) + len(configuration.clusters)
    environments = {r.environment for r in configuration.registries.values()}
    environments |= {c.environment for c in configuration.clusters.values()}
    console.print(f"{count} stacks in {len(environments)} environments", highlight=False)


def summary(configuration: Configuration) -> dict[str, Any]:
    """The same as data."""
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
        "upstreams": {prefix: cache.cached.upstream.host for prefix, cache in plan.caches.items()},
        "copies": {prefix: cache.cached.upstream.host for prefix, cache in plan.copies.items()},
        "replicas": {prefix: cache.cached.upstream.host for prefix, cache in plan.arrives.items()},
        "replicateTo": [str(to) for to in plan.replicate_to],
        "pullAccounts": list(plan.pull_accounts),
        "organization": plan.organization,
    }


def _cluster(plan: ClusterPlan) -> dict[str, Any]:
    return {
        "stack": f"ecr-pull-through-cluster-{plan.name}",
        "account": plan.environment.account,
        "region": plan.environment.region,
        "registry": plan.registry.name,
        "roles": {nodes.role: nodes.kind.value for nodes in plan.nodes},
        "imports": plan.imports and bool(plan.registry.caches),
        "rewrite": plan.rewrite.form.value if plan.rewrite else None,
        "warnings": dict(plan.warnings),
    }


def _registries(configuration: Configuration) -> Table:
    from rich.table import Table

    table = Table("registry", "account", "Region", "images", "replicates to", title="Registries", title_justify="left")
    for name, plan in configuration.registries.items():
        table.add_row(
            name,
            plan.environment.account,
            plan.environment.region,
            "\n".join(
                [
                    *_lines(plan.caches, "from"),
                    *_lines(plan.copies, "copied from"),
                    *_lines(plan.arrives, "replicas of"),
                ]
            ),
            "\n".join(str(to) for to in plan.replicate_to),
        )
        table.add_section()
    return table


def _lines(plans: Mapping[str, CachePlan], relation: str) -> list[str]:
    return [
        f"{'' if prefix == 'ROOT' else prefix}/ {relation} {cache.cached.upstream.host}"
        for prefix, cache in sorted(plans.items())
    ]


def _clusters(configuration: Configuration) -> Table:
    from rich.table import Table

    table = Table(
        "cluster", "account", "Region", "pulls from", "pulls import", "roles", "rewrites by",
        title="Clusters", title_justify="left",
    )  # fmt: skip
    for name, plan in configuration.clusters.items():
        table.add_row(
            name,
            plan.environment.account,
            plan.environment.region,
            plan.registry.name,
            "yes" if plan.imports and plan.registry.caches else "no",
            "\n".join(f"{nodes.role} ({nodes.kind.value})" for nodes in plan.nodes) or "attach it yourself",
            plan.rewrite.form.value if plan.rewrite else "nothing",
        )
    return table
