"""The CDK app: one stack for each registry and each cluster of the configuration that the context key ``config`` names."""

import sys

import aws_cdk as cdk

from ecr_pull_through_cache import UserError
from ecr_pull_through_cache.configuration import load
from stacks import ClusterStack, RegistryStack


def build(app: cdk.App, path: str) -> None:
    """Add the stacks of a configuration file to an app."""
    configuration = load(path)
    for registry in configuration.registries.values():
        RegistryStack(app, registry.stack_id, registry=registry, tags=configuration.tags)
    for cluster in configuration.clusters.values():
        ClusterStack(app, cluster.stack_id, cluster=cluster, tags=configuration.tags)


if __name__ == "__main__":
    # cfn-lint checks every template in the tests; the validator that aws-cdk-lib runs at synth costs seconds a process.
    app = cdk.App(builtin_cloud_formation_validation=False)
    try:
        build(app, app.node.try_get_context("config") or "environments/example.yaml")
    except UserError as mistake:
        sys.exit(str(mistake))
    app.synth()
