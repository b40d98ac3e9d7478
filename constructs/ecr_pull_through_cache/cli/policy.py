"""``policy``: print the mapping as an admission policy."""

from __future__ import annotations

from typing import Annotated

import typer

from ..admission import FailurePolicy, PolicyForm, PolicySettings, render_policy
from ._mapping import Cluster, Config, Digests, Host, Registry, Upstreams, cluster_of, mapping_of
from ._usage import Command


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(cls=Command)(policy)


def policy(
    form: Annotated[
        PolicyForm | None,
        typer.Option(help="Kind of policy. Default: the cluster's, or mutating-policy.", show_default=False),
    ] = None,
    config: Config = None,
    cluster: Cluster = None,
    registry: Registry = None,
    host: Host = None,
    upstream: Upstreams = None,
    pinned_by_digest: Digests = None,
    audit: Annotated[bool, typer.Option("--audit", help="Print the report-only variant.")] = False,
    failure_policy: Annotated[
        FailurePolicy | None,
        typer.Option(
            help="Ignore admits Pods unchanged while the policy cannot be evaluated; Fail rejects them.",
            show_default=False,
        ),
    ] = None,
    exclude_namespace: Annotated[
        list[str] | None,
        typer.Option(metavar="NAMESPACE", help="Namespace to leave alone; repeatable.", show_default=False),
    ] = None,
    name: Annotated[str, typer.Option(metavar="NAME", help="Name of the policy.")] = "ecr-pull-through-cache",
) -> None:
    """Print an admission policy that rewrites images.

    The output is YAML for kubectl.

    Example: ecr-pull-through policy --form cluster-policy --host 111122223333.dkr.ecr.eu-west-1.amazonaws.com
    --upstream k8s=registry.k8s.io
    """
    from ..manifests.yaml_text import to_yaml

    rewrite = cluster_of(config, cluster).rewrite if registry is None and host is None and not upstream else None
    settings = PolicySettings(
        name=name,
        failure_policy=failure_policy or (FailurePolicy(rewrite.failure_policy) if rewrite else FailurePolicy.IGNORE),
        excluded_namespaces=tuple(exclude_namespace or (rewrite.excluded_namespaces if rewrite else ())),
    )
    kind = form or (rewrite.form if rewrite else PolicyForm.MUTATING_POLICY)
    mapping = mapping_of(config, cluster, registry, host, upstream, pinned_by_digest)
    print(to_yaml(render_policy(mapping, kind, settings, audit=audit)), end="")
