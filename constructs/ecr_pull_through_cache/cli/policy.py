"""``policy``: print the mapping as an admission policy."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Annotated, Any

import typer

from ..admission import (
    FailurePolicy,
    PolicyForm,
    PolicySettings,
    RefusalSettings,
    render_policy,
    render_refusal,
)
from ..admission.kyverno_chart import install_command
from ..admission.kyverno_chart import kyverno_values as chart_values
from ..errors import UserError
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
    refuse: Annotated[
        bool, typer.Option("--refuse", help="Print the policy that refuses images from outside the cache instead.")
    ] = False,
    allow: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PATTERN",
            help="With --refuse, image to allow from elsewhere, such as quay.io/team/*; repeatable.",
            show_default=False,
        ),
    ] = None,
    kyverno_values: Annotated[
        bool, typer.Option("--kyverno-values", help="Print values for Kyverno's Helm chart instead.")
    ] = False,
    failure_policy: Annotated[
        FailurePolicy | None,
        typer.Option(
            help="Ignore admits Pods unchanged while the policy cannot be evaluated; Fail rejects them. Default: the "
            "cluster's, or Ignore; with --refuse Fail.",
            show_default=False,
        ),
    ] = None,
    exclude_namespace: Annotated[
        list[str] | None,
        typer.Option(metavar="NAMESPACE", help="Namespace to leave alone; repeatable.", show_default=False),
    ] = None,
    opt_in: Annotated[
        bool,
        typer.Option(
            "--opt-in", help="Rewrite only in namespaces with the label ecr-pull-through-cache/rewrite: enabled."
        ),
    ] = False,
    name: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Name of the policy. Default: ecr-pull-through-cache, with --refuse ecr-pull-through-cache-refuse.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Print an admission policy for images.

    The policy rewrites images, or with --refuse refuses those from outside the cache. The output is YAML for kubectl; what
    the cluster needs for it is written to standard error.

    Example: ecr-pull-through policy --form cluster-policy --host 111122223333.dkr.ecr.eu-west-1.amazonaws.com
    --upstream k8s=registry.k8s.io
    """
    from ..manifests.yaml_text import to_yaml

    if allow and not refuse:
        raise UserError("--allow is given without --refuse; add --refuse, or leave it out")
    if refuse and opt_in:
        raise UserError("--opt-in and --refuse cannot be combined: a policy that refuses holds in every namespace")
    plan = cluster_of(config, cluster) if registry is None and host is None and not upstream else None
    rewrite = plan.rewrite if plan else None
    kind = form or (rewrite.form if rewrite else PolicyForm.MUTATING_POLICY)
    mapping = mapping_of(config, cluster, registry, host, upstream, pinned_by_digest)
    if kyverno_values:
        print(to_yaml([chart_values(mapping)]), end="")
        return
    given = {
        "name": name,
        "failure_policy": failure_policy,
        "excluded_namespaces": tuple(exclude_namespace) if exclude_namespace else None,
    }
    chosen: dict[str, Any] = {key: value for key, value in given.items() if value is not None}
    if refuse:
        refusal = RefusalSettings(allowed=tuple(allow or ()))
        namespaces = (*refusal.excluded_namespaces, *(exclude_namespace or ()))
        refusal = replace(refusal, **{**chosen, "excluded_namespaces": namespaces})
        documents = render_refusal(mapping, kind, refusal, audit=audit)
    else:
        settings = plan.policy_settings if plan else PolicySettings()
        settings = replace(settings, **chosen, opt_in=opt_in or settings.opt_in)
        documents = render_policy(mapping, kind, settings, audit=audit)
    print(to_yaml(documents), end="")
    for line in _needs(kind, refuse=refuse):
        print(line, file=sys.stderr)


_KYVERNO = {
    PolicyForm.CLUSTER_POLICY: "Kyverno up to 1.19",
    PolicyForm.MUTATING_POLICY: "Kyverno 1.17 or newer",
}


def _needs(form: PolicyForm, *, refuse: bool) -> list[str]:
    """Explain what a cluster needs for a form, and how to get it."""
    if form is PolicyForm.MUTATING_ADMISSION_POLICY:
        return [f"this policy needs Kubernetes {'1.30' if refuse else '1.36'} or newer, and no controller"]
    needs = (
        f"this policy needs {_KYVERNO[form]} in the cluster; to install it with images from the cache, save the output of "
        "`ecr-pull-through policy --kyverno-values` with the same options as kyverno-values.yaml and run:"
    )
    found = [
        needs,
        f"  {install_command('kyverno-values.yaml')}",
    ]
    if form is PolicyForm.CLUSTER_POLICY:
        found.append(
            "Kyverno deprecates ClusterPolicy since 1.17 and will remove it; "
            "use --form mutating-policy from Kyverno 1.17 on, or --form mutating-admission-policy from Kubernetes 1.36 on"
        )
    return found
