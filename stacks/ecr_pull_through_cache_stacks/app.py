"""The CDK app of a configuration: one stack for each registry and each cluster."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import aws_cdk as cdk

from ecr_pull_through_cache import UserError
from ecr_pull_through_cache.configuration import Configuration, load

from .cluster_stack import ClusterStack
from .registry_stack import RegistryStack


def new_app(out: Path | None = None) -> cdk.App:
    """Create an app without stacks.

    :param out: folder of the cloud assembly. Default: the one that the CDK CLI names, else a new temporary folder.
    """
    # cfn-lint checks every template in the tests; the validator that aws-cdk-lib runs at synth costs seconds a process.
    # The metadata is what the CDK CLI switches on, so that templates are the same with it and without.
    return cdk.App(
        builtin_cloud_formation_validation=False,
        stack_traces=False,  # they name temporary folders, so that no two assemblies would be the same
        outdir=None if out is None else str(out),
        context={"aws:cdk:enable-path-metadata": True, "aws:cdk:enable-asset-metadata": True},
    )


def build(app: cdk.App, path: str | Path) -> None:
    """Add the stacks of a configuration file to an app.

    :param app: the app.
    :param path: the file.
    :raises UserError: when the file has mistakes; all of them are listed.
    """
    add_stacks(app, load(path))


def add_stacks(scope: cdk.App | cdk.Stage, configuration: Configuration) -> None:
    """Add the stacks of a configuration.

    :param scope: the app, or a stage of it.
    :param configuration: the configuration; see :func:`~ecr_pull_through_cache.configuration.load`.
    """
    for registry in configuration.registries.values():
        RegistryStack(scope, registry.stack_id, registry=registry, tags=configuration.tags)
    for cluster in configuration.clusters.values():
        ClusterStack(scope, cluster.stack_id, cluster=cluster, tags=configuration.tags)


def main() -> None:
    """Synthesize the file that the context key ``config`` names, else ECR_PULL_THROUGH_CONFIG, else
    ``cache.yaml``. This is what ``cdk`` runs.
    """
    app = new_app()
    try:
        build(app, app.node.try_get_context("config") or os.environ.get("ECR_PULL_THROUGH_CONFIG") or "cache.yaml")
    except UserError as mistake:
        sys.exit(str(mistake))
    app.synth()
