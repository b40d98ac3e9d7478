"""A cache for registry.k8s.io and Quay in your own CDK app, and a node role that may use it."""

import aws_cdk as cdk
from aws_cdk import aws_iam as iam

from ecr_pull_through_cache import PullThroughCache, Upstream


class PlatformStack(cdk.Stack):
    """A stack of yours."""

    def __init__(self, scope: cdk.App, id: str) -> None:
        super().__init__(scope, id)
        nodes = iam.Role(self, "Nodes", assumed_by=iam.ServicePrincipal("ec2.amazonaws.com"))

        cache = PullThroughCache(self, "Cache", upstreams={"k8s": Upstream.KUBERNETES, "quay": Upstream.QUAY})
        cache.grant_import(nodes)
        cdk.CfnOutput(self, "Pause", value=cache.image_uri("k8s", "pause", tag="3.10"))


app = cdk.App()
PlatformStack(app, "Platform")
app.synth()
