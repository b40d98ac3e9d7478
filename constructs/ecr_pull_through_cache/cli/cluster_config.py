"""``cluster-config``: the files of self-hosted clusters."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from ..errors import UserError
from ._mapping import Cluster, Config, Host, Registry, Upstreams, mapping_of


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("cluster-config")(cluster_config)


def cluster_config(
    kind: Annotated[str, typer.Argument(help="kubeadm, kops, containerd, k3s or cri-o.")],
    config: Config = None,
    cluster: Cluster = None,
    registry: Registry = None,
    host: Host = None,
    upstream: Upstreams = None,
    output: Annotated[
        Path | None, typer.Option(help="Folder to write the files into; else they are printed.", show_default=False)
    ] = None,
) -> None:
    """Print the configuration with which a self-hosted cluster's own images come from the cache.

    Example: ecr-pull-through cluster-config kubeadm --host 111122223333.dkr.ecr.eu-west-1.amazonaws.com
    --upstream k8s=registry.k8s.io
    """
    from ..manifests.clusters import ClusterKind
    from ..manifests.clusters import cluster_config as files_of

    if kind not in [known.value for known in ClusterKind]:
        raise UserError(f"{kind!r} is not a kind of cluster; allowed are {', '.join(k.value for k in ClusterKind)}")
    for name, text in files_of(mapping_of(config, cluster, registry, host, upstream), ClusterKind(kind)).items():
        if output is None:
            print(f"# --- {name}\n{text}")
            continue
        target = output / name.lstrip("/")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)
        except OSError as error:
            raise UserError(f"{target}: {error.strerror}") from None
        print(target, file=sys.stderr)
