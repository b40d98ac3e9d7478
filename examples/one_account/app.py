"""One account, one Region: four upstreams, a cluster's nodes that may pull from them, and its admission policy as a file."""

import aws_cdk as cdk

from ecr_pull_through_cache import (
    CreationTemplateSettings,
    ImageRewritePolicy,
    LifecyclePolicy,
    NodePullPolicy,
    PullThroughCache,
    Upstream,
    UpstreamCache,
    UpstreamCredentials,
)

NODE_ROLES = ["demo-node-role"]


class CacheStack(cdk.Stack):
    """The cache, and who uses it."""

    def __init__(self, scope: cdk.App, id: str, *, env: cdk.Environment) -> None:
        super().__init__(scope, id, env=env)
        docker_hub = UpstreamCredentials(self, "DockerHub", secret_name="docker-hub")
        cache = PullThroughCache(
            self,
            "Cache",
            upstreams={
                "k8s": Upstream.KUBERNETES,
                "ecr-public": Upstream.ECR_PUBLIC,
                "quay": Upstream.QUAY,
                "docker-hub": UpstreamCache(upstream=Upstream.DOCKER_HUB, credentials=docker_hub),
            },
            settings=CreationTemplateSettings(lifecycle=LifecyclePolicy.expire_after(days=90)),
        )
        NodePullPolicy(self, "NodePullPolicy", cache=cache, role_names=NODE_ROLES)
        ImageRewritePolicy(self, "ImageRewritePolicy", cache=cache)


app = cdk.App()
CacheStack(app, "Cache", env=cdk.Environment(account="111122223333", region="eu-west-1"))
app.synth()
