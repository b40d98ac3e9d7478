"""Private subnets without internet access: endpoints, nodes that do not import, and a warmer that imports the images first."""

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_scheduler as scheduler

from ecr_pull_through_cache import (
    EcrEndpoints,
    ImageRewritePolicy,
    ImageWarmer,
    NodePullMode,
    NodePullPolicy,
    PinnedByDigest,
    PullThroughCache,
    Upstream,
)

IMAGES = [
    "registry.k8s.io/coredns/coredns:v1.13.1",
    "registry.k8s.io/ingress-nginx/controller:v1.14.0",
    "registry.k8s.io/pause:3.10.1",
]


class PrivateClusterStack(cdk.Stack):
    """The cache, and everything that a cluster in isolated subnets needs to pull from it."""

    def __init__(self, scope: cdk.App, id: str, *, env: cdk.Environment) -> None:
        super().__init__(scope, id, env=env)
        cache = PullThroughCache(self, "Cache", upstreams={"k8s": Upstream.KUBERNETES})
        ImageWarmer(
            self,
            "Warmer",
            cache=cache,
            images=IMAGES,
            schedule=scheduler.ScheduleExpression.rate(cdk.Duration.days(1)),
        )

        vpc = ec2.Vpc.from_vpc_attributes(
            self,
            "Vpc",
            vpc_id="vpc-0123456789abcdef0",
            vpc_cidr_block="10.20.0.0/16",
            availability_zones=["eu-west-1a", "eu-west-1b"],
            isolated_subnet_ids=["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"],
            isolated_subnet_route_table_ids=["rtb-0123456789abcdef0", "rtb-0123456789abcdef1"],
        )
        isolated = ec2.SubnetSelection(subnet_type=ec2.SubnetType.PRIVATE_ISOLATED)
        EcrEndpoints(self, "Endpoints", vpc=vpc, subnets=isolated)
        NodePullPolicy(
            self,
            "NodePullPolicy",
            cache=cache,
            mode=NodePullMode.PULL_ONLY,
            role_names=["private-nodes"],
        )
        # Every image is here before it is rolled out, so references with a digest may be rewritten too.
        mapping = cache.mapping(pinned_by_digest=PinnedByDigest.REWRITE)
        ImageRewritePolicy(self, "ImageRewritePolicy", cache=mapping)


app = cdk.App()
PrivateClusterStack(app, "PrivateCluster", env=cdk.Environment(account="111122223333", region="eu-west-1"))
app.synth()
