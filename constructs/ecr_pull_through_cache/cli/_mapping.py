"""The options by which every command is told its mapping: a configuration's cluster or registry, or a host and its rules."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import UserError
from ..images import CachedUpstream, CacheMapping, PinnedByDigest, Upstream
from ._accounts import registry_named

if TYPE_CHECKING:
    from ..configuration import ClusterPlan, RegistryPlan

Config = Annotated[
    Path | None, typer.Option(help="Configuration file; with --cluster or --registry.", show_default=False)
]
Cluster = Annotated[str | None, typer.Option(help="Cluster of the configuration.", show_default=False)]
RegistryHost = Annotated[
    str | None,
    typer.Option(
        "--registry",
        help="Registry of the configuration, or the host of one without a configuration.",
        show_default=False,
    ),
]
Cache = Annotated[
    list[str] | None,
    typer.Option(
        "--cache",
        metavar="PREFIX=UPSTREAM[/PART]",
        help="What is cached there, such as k8s=registry.k8s.io; may be given again.",
        show_default=False,
    ),
]
Digests = Annotated[
    PinnedByDigest | None,
    typer.Option("--pinned-by-digest", help="What happens to references with a digest.", show_default=False),
]


def mapping_of(
    config: Path | None,
    cluster: str | None,
    registry: str | None,
    cache: list[str] | None,
    pinned_by_digest: PinnedByDigest | None = None,
) -> CacheMapping:
    """The mapping that the options mean.

    :raises UserError: when they mean none.
    """
    if registry is not None and cluster is not None:
        raise UserError("give --cluster or --registry, not both: a cluster pulls from the registry of its own")
    if config is not None and cache:
        raise UserError(
            "--cache says what a registry caches of which there is no configuration; leave it or --config out"
        )
    if config is not None or registry is None:
        if cache:
            raise UserError("--cache is given without --registry; add the registry's host")
        found = configured(config, cluster, registry).mapping
        return found if pinned_by_digest is None else replace(found, pinned_by_digest=pinned_by_digest)
    if not cache:
        raise UserError(
            "--registry is given without --cache or --config; add what is cached there: --cache k8s=registry.k8s.io"
        )
    rules = [_rule(entry) for entry in cache]
    return CacheMapping.of(registry, rules, pinned_by_digest=pinned_by_digest or PinnedByDigest.LEAVE)


def configured(config: Path | None, cluster: str | None, registry: str | None) -> ClusterPlan | RegistryPlan:
    """The cluster or registry that the options name.

    :raises UserError: when there is none of that name.
    """
    return cluster_of(config, cluster) if registry is None or config is None else _caching(config, registry)


def cluster_of(config: Path | None, cluster: str | None) -> ClusterPlan:
    """The cluster of that name, or the only one.

    :raises UserError: when there is none of that name.
    """
    if config is None:
        raise UserError(
            "say what images become: --config FILE with --cluster NAME or --registry NAME, "
            "or --registry HOST --cache PREFIX=UPSTREAM"
        )
    from ..configuration import load

    clusters = load(config).clusters
    if not clusters:
        raise UserError(f"{config}: there is no cluster in it; give --registry with the name of a registry")
    if cluster is None and len(clusters) == 1:
        return next(iter(clusters.values()))
    if cluster is None or cluster not in clusters:
        given = "no cluster is given" if cluster is None else f"there is no cluster {cluster!r}"
        raise UserError(f"{config}: {given}; give --cluster with one of {', '.join(clusters)}")
    return clusters[cluster]


def _caching(config: Path, registry: str) -> RegistryPlan:
    """The registry of that name, which pulls something through.

    :raises UserError: when there is none of that name, or it only holds what others bring.
    """
    from ..configuration import load

    registries = load(config).registries
    found = registry_named(config, registries, registry)
    if not found.caches:
        able = ", ".join(name for name, plan in registries.items() if plan.caches) or "none does"
        raise UserError(f"{config}: {registry} pulls nothing through itself; those that do: {able}")
    return found


def _rule(entry: str) -> CachedUpstream:
    prefix, equals, upstream = entry.partition("=")
    if not (prefix and equals and upstream):
        raise UserError(f"--cache {entry!r} is not PREFIX=UPSTREAM, such as k8s=registry.k8s.io")
    host, _, part = upstream.partition("/")
    return CachedUpstream(
        upstream=Upstream.from_host(host), repository_prefix=prefix, upstream_repository_prefix=part or "ROOT"
    )
