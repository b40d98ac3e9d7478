"""Self-hosted clusters: the roles of control plane and workers, which pull like any other node."""

import aws_cdk as cdk
from aws_cdk import aws_iam as iam

from ecr_pull_through_cache import NodePullPolicy, PullThroughCache, Upstream


class SelfHostedStack(cdk.Stack):
    """The cache, and instance profiles for machines that kubeadm or kOps makes nodes of."""

    def __init__(self, scope: cdk.App, id: str, *, env: cdk.Environment) -> None:
        super().__init__(scope, id, env=env)
        cache = PullThroughCache(self, "Cache", upstreams={"k8s": Upstream.KUBERNETES, "quay": Upstream.QUAY})
        pull = NodePullPolicy(self, "NodePullPolicy", cache=cache)
        for name in ("ControlPlane", "Workers"):
            role = iam.Role(self, name, assumed_by=iam.ServicePrincipal("ec2.amazonaws.com"))
            pull.attach_to(role)
            iam.InstanceProfile(self, f"{name}Profile", role=role)
        cdk.CfnOutput(self, "NodePullPolicyArn", value=pull.managed_policy_arn, description="For kOps")
        cdk.CfnOutput(self, "RegistryHost", value=cache.registry.host, description="For cluster-config")


app = cdk.App()
SelfHostedStack(app, "SelfHosted", env=cdk.Environment(account="111122223333", region="eu-west-1"))
app.synth()
