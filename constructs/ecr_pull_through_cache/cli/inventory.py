"""``inventory``: which images run where."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import UserError
from ._mapping import Cache, Cluster, Config, Digests, RegistryHost, mapping_of

if TYPE_CHECKING:
    from ..operations.inventory import Entry

_FORMS = ("table", "json", "csv", "images")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(inventory)


def inventory(
    pods: Annotated[
        str | None,
        typer.Argument(help="File of `kubectl get pods -A -o json`, or -; else kubectl is run.", show_default=False),
    ] = None,
    config: Config = None,
    cluster: Cluster = None,
    registry: RegistryHost = None,
    cache: Cache = None,
    pinned_by_digest: Digests = None,
    output: Annotated[str, typer.Option(help="table, json, csv, or images: the list that warm takes.")] = "table",
    context: Annotated[str | None, typer.Option(help="Context of the kubeconfig.", show_default=False)] = None,
) -> None:
    """Say which images run in a cluster, from where, and what each becomes through the cache.

    Example: kubectl get pods -A -o json | ecr-pull-through inventory - --config environments/minimal.yaml
    """
    from ..operations.inventory import inventory as taken
    from ..operations.inventory import of_pods

    if output not in _FORMS:
        raise UserError(f"--output {output!r} is not known; allowed are {', '.join(_FORMS)}")
    mapping = mapping_of(config, cluster, registry, cache, pinned_by_digest)
    entries = taken(of_pods(_pods(pods, context)), mapping)
    {"table": _table, "json": _json, "csv": _csv, "images": _images}[output](entries)


def _pods(source: str | None, context: str | None) -> str:
    if source == "-":
        return sys.stdin.read()
    if source is not None:
        try:
            return Path(source).read_text()
        except OSError as error:
            raise UserError(f"{source}: {error.strerror}") from None
    import shutil
    import subprocess

    kubectl = shutil.which("kubectl")
    if kubectl is None:
        raise UserError("kubectl is not on the path; give a file of `kubectl get pods -A -o json`, or - for a pipe")
    command = [
        kubectl,
        "get",
        "pods",
        "--all-namespaces",
        "--output",
        "json",
        *(["--context", context] if context else []),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - no shell, own arguments
    if done.returncode != 0:
        raise UserError(f"kubectl: {done.stderr.strip() or 'failed'}")
    return done.stdout


def _table(entries: list[Entry]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("image", "becomes", "pods")
    for entry in entries:
        table.add_row(entry.image, entry.cached or f"stays: {entry.reason}", str(len(entry.where)))
    Console(highlight=False, soft_wrap=not sys.stdout.isatty()).print(table)


def _json(entries: list[Entry]) -> None:
    from dataclasses import asdict

    print(json.dumps([asdict(entry) for entry in entries], indent=2))


def _csv(entries: list[Entry]) -> None:
    import csv

    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(["image", "registry", "cached", "reason", "digests", "where"])
    for e in entries:
        writer.writerow([e.image, e.registry, e.cached or "", e.reason, " ".join(e.digests), " ".join(e.where)])


def _images(entries: list[Entry]) -> None:
    for entry in entries:
        if entry.to_warm:
            print(entry.to_warm)
