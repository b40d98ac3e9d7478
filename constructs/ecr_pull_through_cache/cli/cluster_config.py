"""``cluster-config``: print configuration files of self-hosted clusters."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from ..errors import UserError
from ..manifests.clusters import KOPS_VERSION, ClusterKind
from ._mapping import Cluster, Config, Host, Registry, Upstreams, mapping_of
from ._usage import Command


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("cluster-config", cls=Command)(cluster_config)


def cluster_config(
    kind: Annotated[ClusterKind, typer.Argument(metavar="KIND", help="kubeadm, kops, containerd, k3s or cri-o.")],
    config: Config = None,
    cluster: Cluster = None,
    registry: Registry = None,
    host: Host = None,
    upstream: Upstreams = None,
    kops_version: Annotated[
        str, typer.Option(metavar="VERSION", help="Minor version of kOps; only for kops.")
    ] = KOPS_VERSION,
    output: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Folder to write the files to. Default: print them.", show_default=False),
    ] = None,
) -> None:
    """Print configuration files for self-hosted nodes.

    With them a cluster pulls its own images, such as kube-proxy, through the cache.

    Exit codes: 0 the files were made, 1 they were made and the runtime cannot mirror a part of a host, which is named,
    2 no file was made.

    Example: ecr-pull-through cluster-config kubeadm --host 111122223333.dkr.ecr.eu-west-1.amazonaws.com
    --upstream k8s=registry.k8s.io
    """
    from ..manifests.clusters import cluster_config as files_of
    from ..manifests.clusters import not_expressed

    mapping = mapping_of(config, cluster, registry, host, upstream)
    if mapping.exclude or mapping.only or mapping.allowed is not None:
        print(
            "these files send whole registries to the cache: "
            "the patterns of 'exclude', 'only' and 'allow' have no effect on them",
            file=sys.stderr,
        )
    for name, text in files_of(mapping, kind, kops_version=kops_version).items():
        if output is None:
            print(f"# --- {name}\n{text}")
            continue
        target = output / name.lstrip("/")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)
            if text.startswith("#!"):
                target.chmod(0o755)
        except OSError as error:
            raise UserError(f"{target}: {error.strerror}") from None
        print(target, file=sys.stderr)
    left = not_expressed(mapping, kind)
    for sentence in left:
        print(sentence, file=sys.stderr)
    if left:
        raise typer.Exit(1)
