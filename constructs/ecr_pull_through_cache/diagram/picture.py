"""The contents of a diagram, independent of Mermaid and SVG."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..images import ROOT

if TYPE_CHECKING:
    from ..configuration import CachePlan, ClusterPlan, Configuration, RegistryPlan


@dataclass(frozen=True, kw_only=True)
class Source:
    """An upstream registry as one registry caches it.

    :param host: host of the upstream, and the part of it that is cached.
    :param prefix: the repository prefix with a ``/``, or ``(no prefix)``.
    :param pushed: whether images are pushed by others instead of pulled through.
    """

    host: str
    prefix: str
    pushed: bool = False


@dataclass(frozen=True, kw_only=True)
class Puller:
    """A cluster, an account or the organisation.

    :param name: what it is called.
    :param lines: what else is to be said about it.
    :param is_cluster: whether it is a cluster of the configuration.
    """

    name: str
    lines: tuple[str, ...] = ()
    is_cluster: bool = True


@dataclass(frozen=True, kw_only=True)
class Row:
    """A registry, with what comes into it and who pulls from it.

    :param name: its name.
    :param place: account and Region.
    :param role: what it does.
    :param sources: the upstreams it caches.
    :param pullers: who pulls.
    :param replicates_to: names of the registries that it copies to.
    """

    name: str
    place: str
    role: str
    sources: tuple[Source, ...]
    pullers: tuple[Puller, ...]
    replicates_to: tuple[str, ...]


def rows(configuration: Configuration) -> tuple[Row, ...]:
    """A row for each registry: those that replicate first, each followed by its destinations."""
    names = {plan.environment: plan.name for plan in configuration.registries.values()}
    made = {
        name: _row(plan, tuple(names[to] for to in plan.replicate_to), configuration.clusters.values())
        for name, plan in configuration.registries.items()
    }
    order: list[str] = []
    for name in sorted(made, key=lambda name: (not made[name].replicates_to, name)):
        order += [found for found in (name, *made[name].replicates_to) if found not in order]
    return tuple(made[name] for name in order)


def _row(plan: RegistryPlan, replicates_to: tuple[str, ...], clusters: Iterable[ClusterPlan]) -> Row:
    here = sorted((cluster for cluster in clusters if cluster.registry.name == plan.name), key=lambda c: c.name)
    named = {cluster.environment.account for cluster in here}
    others = [f"account {account}" for account in plan.pullers.accounts if account not in named]
    if plan.pullers.organization:
        others.append(f"all of {plan.pullers.organization}")
    return Row(
        name=plan.name,
        place=f"{plan.environment.account} · {plan.environment.region}",
        role=_role(plan),
        sources=(*_sources(plan.pulled_through.values(), False), *_sources(plan.pushed.values(), True)),
        pullers=(*map(_puller, here), *(Puller(name=other, is_cluster=False) for other in others)),
        replicates_to=replicates_to,
    )


def _role(plan: RegistryPlan) -> str:
    does = [
        *(["pulls through"] if plan.pulled_through else []),
        *(["is pushed to"] if plan.pushed else []),
        *(["receives replicas"] if plan.sources else []),
    ]
    return ", ".join(does)


def _sources(plans: Iterable[CachePlan], pushed: bool) -> list[Source]:
    return [
        Source(
            host=_joined(plan.cached.upstream.host, plan.cached.upstream_repository_prefix),
            prefix="(no prefix)" if plan.cached.repository_prefix == ROOT else f"{plan.cached.repository_prefix}/",
            pushed=pushed,
        )
        for plan in sorted(plans, key=lambda plan: plan.cached.repository_prefix)
    ]


def _joined(host: str, part: str) -> str:
    return host if part == ROOT else f"{host}/{part}"


def _puller(cluster: ClusterPlan) -> Puller:
    imports = "may import" if cluster.imports and cluster.registry.pulled_through else "imports nothing"
    rewrites = cluster.rewrite.form.value if cluster.rewrite else "images not rewritten"
    return Puller(
        name=cluster.name,
        lines=(f"{cluster.environment.account} · {cluster.environment.region}", f"{imports} · {rewrites}"),
    )
