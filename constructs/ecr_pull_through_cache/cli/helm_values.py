"""``helm-values``: print values that point a chart at the cache."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from ._mapping import Cluster, Config, Digests, Host, Registry, Upstreams, mapping_of
from ._usage import Command


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("helm-values", cls=Command)(helm_values)


def helm_values(
    chart: Annotated[Path, typer.Argument(metavar="CHART", help="A values.yaml, a chart's folder, or its .tgz.")],
    config: Config = None,
    cluster: Cluster = None,
    registry: Registry = None,
    host: Host = None,
    upstream: Upstreams = None,
    pinned_by_digest: Digests = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with 1 if an image of a cached upstream cannot be overridden.")
    ] = False,
) -> None:
    """Print Helm values that use cached images.

    Images that no value can override are listed on standard error.

    Example: ecr-pull-through helm-values values.yaml --host 111122223333.dkr.ecr.eu-west-1.amazonaws.com
    --upstream quay=quay.io > cached.yaml
    """
    from ..manifests.helm import chart_values, override
    from ..manifests.yaml_text import to_yaml

    result = override(mapping_of(config, cluster, registry, host, upstream, pinned_by_digest), chart_values(chart))
    if result.values:
        print(to_yaml([result.values]).removeprefix("---\n"), end="")
    for place, why in result.left.items():
        print(f"{place}: left: {why}", file=sys.stderr)
    print(f"{len(result.overridden)} images overridden, {len(result.left)} left", file=sys.stderr)
    if strict and result.left:
        raise typer.Exit(1)
