"""The admission policy as a file of the cloud assembly, for those who deliver to clusters by Git."""

import aws_cdk as cdk

from ecr_pull_through_cache import (
    FailurePolicy,
    ImageRewritePolicy,
    PolicyForm,
    PolicySettings,
    PullThroughCache,
    Upstream,
)


class CacheStack(cdk.Stack):
    """The cache, and the policy of the clusters that use it. The stack has no access to any cluster."""

    def __init__(self, scope: cdk.App, id: str, *, env: cdk.Environment) -> None:
        super().__init__(scope, id, env=env)
        cache = PullThroughCache(self, "Cache", upstreams={"k8s": Upstream.KUBERNETES, "quay": Upstream.QUAY})
        ImageRewritePolicy(
            self,
            "ImageRewritePolicy",
            cache=cache,
            form=PolicyForm.MUTATING_POLICY,
            settings=PolicySettings(failure_policy=FailurePolicy.IGNORE),
        )


app = cdk.App()
CacheStack(app, "Cache", env=cdk.Environment(account="111122223333", region="eu-west-1"))
app.synth()
