"""``image``: print what image references become."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from ..images import InvalidImageReference
from ._mapping import Cluster, Config, Digests, Host, Registry, Upstreams, mapping_of, reverse_mappings_of
from ._usage import Command


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(cls=Command)(image)


def image(
    references: Annotated[
        list[str], typer.Argument(metavar="IMAGE...", help="Image references; - reads them from standard input.")
    ],
    config: Config = None,
    cluster: Cluster = None,
    registry: Registry = None,
    host: Host = None,
    upstream: Upstreams = None,
    pinned_by_digest: Digests = None,
    reverse: Annotated[bool, typer.Option("--reverse", help="Print upstream's names for cached images.")] = False,
    explain: Annotated[bool, typer.Option("--explain", help="Append the reason after a tab.")] = False,
) -> None:
    """Print the cached name of image references.

    Prints one line for each reference.

    Example: ecr-pull-through image registry.k8s.io/pause:3.10 --host 111122223333.dkr.ecr.eu-west-1.amazonaws.com
    --upstream k8s=registry.k8s.io
    """
    options = config, cluster, registry, host, upstream
    mappings = reverse_mappings_of(*options) if reverse else [mapping_of(*options, pinned_by_digest)]
    failed = False
    for reference in (r for given in references for r in (_lines() if given == "-" else [given])):
        try:
            if reverse:
                found = (mapping.upstream_of(reference) for mapping in mappings)
                result, why = next((image for image in found if image is not None), reference), ""
            else:
                decision = mappings[0].decide(reference)
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
