"""``image``: what one reference becomes."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from ..images import InvalidImageReference
from ._mapping import Cluster, Config, Digests, Host, Registry, Upstreams, mapping_of


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(image)


def image(
    references: Annotated[list[str], typer.Argument(help="Image references; - reads them from standard input.")],
    config: Config = None,
    cluster: Cluster = None,
    registry: Registry = None,
    host: Host = None,
    upstream: Upstreams = None,
    pinned_by_digest: Digests = None,
    reverse: Annotated[bool, typer.Option("--reverse", help="From the cache back to upstream.")] = False,
    explain: Annotated[bool, typer.Option("--explain", help="Say why, behind a tab.")] = False,
) -> None:
    """Print what image references become through the cache, one on a line.

    Example: ecr-pull-through image registry.k8s.io/pause:3.10 --host 111122223333.dkr.ecr.eu-west-1.amazonaws.com
    --upstream k8s=registry.k8s.io
    """
    mapping = mapping_of(config, cluster, registry, host, upstream, pinned_by_digest)
    failed = False
    for reference in (r for given in references for r in (_lines() if given == "-" else [given])):
        try:
            if reverse:
                result, why = mapping.upstream_of(reference) or reference, ""
            else:
                decision = mapping.decide(reference)
                result, why = decision.image, decision.reason.value
        except InvalidImageReference as mistake:
            print(f"error: {mistake}", file=sys.stderr)
            failed = True
            continue
        print(f"{result}\t{why}" if explain and why else result)
    if failed:
        raise typer.Exit(2)


def _lines() -> list[str]:
    return [line.strip() for line in sys.stdin if line.strip()]
