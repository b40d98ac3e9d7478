"""Options that select a mapping: a cluster or registry of a configuration, or a host and its upstreams."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import UserError, did_you_mean
from ..images import CachedUpstream, CacheMapping, PinnedByDigest, Upstream
from ._options import complete_clusters, complete_registries, registry_named

if TYPE_CHECKING:
    from ..configuration import ClusterPlan, RegistryPlan

Config = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Configuration file. Default: ECR_PULL_THROUGH_CONFIG, else cache.yaml if it exists.",
        show_default=False,
    ),
]
Cluster = Annotated[
    str | None,
    typer.Option(
        metavar="NAME", autocompletion=complete_clusters, help="Cluster of the configuration.", show_default=False
    ),
]
Registry = Annotated[
    str | None,
    typer.Option(
        "--registry",
        metavar="NAME",
        autocompletion=complete_registries,
        help="Registry of the configuration, instead of a cluster.",
        show_default=False,
    ),
]
Host = Annotated[
    str | None,
    typer.Option(
        "--host",
        metavar="HOST",
        help="Host of a private ECR registry, instead of a configuration. Default: ECR_PULL_THROUGH_HOST.",
        show_default=False,
    ),
]
Upstreams = Annotated[
    list[str] | None,
    typer.Option(
        "--upstream",
        metavar="PREFIX=HOST[/PART]",
        help="Upstream cached under a prefix of --host, such as k8s=registry.k8s.io; repeatable. "
        "Default: ECR_PULL_THROUGH_UPSTREAMS.",
        show_default=False,
    ),
]
Digests = Annotated[
    PinnedByDigest | None,
    typer.Option(
        "--pinned-by-digest",
        help="Treatment of references with a digest. Default: as the configuration says, or leave.",
        show_default=False,
    ),
]


def mapping_of(
    config: Path | None,
    cluster: str | None,
    registry: str | None,
    host: str | None,
    upstreams: list[str] | None,
    pinned_by_digest: PinnedByDigest | None = None,
) -> CacheMapping:
    """Select the mapping that the options name.

    :raises UserError: when they contradict each other, or select none.
    """
    if registry is not None and cluster is not None:
        raise UserError("--cluster and --registry cannot be combined: a cluster has its own registry")
    if host is None and not upstreams:
        found = configured(config, cluster, registry).mapping
        return found if pinned_by_digest is None else replace(found, pinned_by_digest=pinned_by_digest)
    if config is not None or cluster is not None or registry is not None:
        raise UserError(
            "--host and --upstream cannot be combined with --config, --cluster or --registry; "
            "use --config for a configured registry, --host and --upstream for any other"
        )
    if host is None:
        raise UserError(
            "--upstream is given without --host; add the host of the registry that caches it, "
            "with --host or ECR_PULL_THROUGH_HOST"
        )
    if not upstreams:
        raise UserError(
            "--host is given without --upstream; add the upstreams it caches: --upstream k8s=registry.k8s.io"
        )
    rules = [_rule(entry) for entry in upstreams]
    return CacheMapping.of(host, rules, pinned_by_digest=pinned_by_digest or PinnedByDigest.LEAVE)


def reverse_mappings_of(
    config: Path | None,
    cluster: str | None,
    registry: str | None,
    host: str | None,
    upstreams: list[str] | None,
) -> list[CacheMapping]:
    """The mappings for the way back: the one that the options select, and those of every registry of the configuration.

    An image may name any registry that a cluster of the configuration pulls from, so a configuration alone is enough.

    :raises UserError: when the options contradict each other, or select none.
    """
    selected: list[CacheMapping] = []
    if config is None or cluster is not None or registry is not None or host is not None or upstreams:
        selected.append(mapping_of(config, cluster, registry, host, upstreams))
    if config is None:
        return selected
    from ..configuration import load

    for plan in load(config).registries.values():
        # What is pushed or replicated into a registry came from an upstream, too.
        held = {**plan.replicated, **plan.pushed, **plan.pulled_through}
        selected.append(CacheMapping.of(plan.host, [held[prefix].cached for prefix in sorted(held)]))
    return selected


def configured(config: Path | None, cluster: str | None, registry: str | None) -> ClusterPlan | RegistryPlan:
    """Select the cluster or registry that the options name.

    :raises UserError: when there is none of that name.
    """
    if registry is not None and config is None:
        raise UserError(
            "--registry is given without --config; add the configuration's file, or use --host and --upstream"
        )
    return cluster_of(config, cluster) if registry is None or config is None else _caching(config, registry)


def cluster_of(config: Path | None, cluster: str | None) -> ClusterPlan:
    """Select the cluster of that name, or the only one.

    :raises UserError: when there is none of that name.
    """
    if config is None:
        raise UserError(
            "no cache is selected; give --config FILE with --cluster NAME or --registry NAME, "
            "or --host HOST with --upstream PREFIX=HOST"
        )
    from ..configuration import load

    clusters = load(config).clusters
    if not clusters:
        raise UserError(f"{config}: there is no cluster in it; give --registry with the name of a registry")
    if cluster is None and len(clusters) == 1:
        return next(iter(clusters.values()))
    if cluster is None or cluster not in clusters:
        given = (
            "no cluster is given"
            if cluster is None
            else f"there is no cluster {cluster!r}{did_you_mean(cluster, clusters)}"
        )
        raise UserError(f"{config}: {given}; give --cluster with one of {', '.join(clusters)}")
    return clusters[cluster]


def _caching(config: Path, registry: str) -> RegistryPlan:
    """Select the registry of that name, which has upstreams.

    :raises UserError: when there is none of that name, or it holds replicas only.
    """
    from ..configuration import load

    registries = load(config).registries
    found = registry_named(config, registries, registry)
    if not found.pulled_through:
        able = ", ".join(name for name, plan in registries.items() if plan.pulled_through) or "none does"
        raise UserError(f"{config}: {registry} pulls nothing through itself; those that do: {able}")
    return found


def _rule(entry: str) -> CachedUpstream:
    prefix, equals, upstream = entry.partition("=")
    if not (prefix and equals and upstream):
        raise UserError(f"--upstream {entry!r} is not PREFIX=HOST, such as k8s=registry.k8s.io")
    host, _, part = upstream.partition("/")
    return CachedUpstream(
        upstream=Upstream.from_host(host), repository_prefix=prefix, upstream_repository_prefix=part or "ROOT"
    )
