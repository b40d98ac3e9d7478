"""Hub and spokes over an organisation: one account caches, another Region holds replicas, workload accounts pull."""

import aws_cdk as cdk

from ecr_pull_through_cache import (
    CacheRegistry,
    NodePullPolicy,
    Pullers,
    PullThroughCache,
    ReplicaRegistry,
    ReplicationDestination,
    Upstream,
)

ORGANIZATION = "o-exampleorg1"
HUB = "111122223333"
UPSTREAMS = {"k8s": Upstream.KUBERNETES, "ecr-public": Upstream.ECR_PUBLIC, "quay": Upstream.QUAY}
EVERYONE = Pullers(organization=ORGANIZATION)


class HubStack(cdk.Stack):
    """Caches the upstreams for the whole organisation, and copies what it cached."""

    def __init__(self, scope: cdk.App, id: str, *, env: cdk.Environment, replica_regions: list[str]) -> None:
        super().__init__(scope, id, env=env)
        PullThroughCache(
            self,
            "Cache",
            upstreams=UPSTREAMS,
            pullers=EVERYONE,
            replicate_to=[ReplicationDestination(region=region) for region in replica_regions],
        )


class ReplicaStack(cdk.Stack):
    """Holds what the hub cached, in another Region."""

    def __init__(self, scope: cdk.App, id: str, *, env: cdk.Environment) -> None:
        super().__init__(scope, id, env=env)
        ReplicaRegistry(self, "Replicas", repository_prefixes=list(UPSTREAMS), pullers=EVERYONE)


class SpokeStack(cdk.Stack):
    """The permissions of the nodes of a workload account. Where there are replicas alone, a pull cannot import."""

    def __init__(
        self, scope: cdk.App, id: str, *, env: cdk.Environment, registry: CacheRegistry, roles: list[str], imports: bool
    ) -> None:
        super().__init__(scope, id, env=env)
        cache = PullThroughCache.from_attributes(
            self,
            "Cache",
            registry=registry,
            upstreams=UPSTREAMS if imports else {},
            replicas={} if imports else UPSTREAMS,
        )
        NodePullPolicy(self, "NodePullPolicy", cache=cache, role_names=roles)


app = cdk.App()
ReplicaStack(app, "Replica", env=cdk.Environment(account=HUB, region="us-east-1"))
HubStack(app, "Hub", env=cdk.Environment(account=HUB, region="eu-west-1"), replica_regions=["us-east-1"])
SpokeStack(
    app,
    "ProdEurope",
    env=cdk.Environment(account="222233334444", region="eu-west-1"),
    registry=CacheRegistry(account=HUB, region="eu-west-1"),
    roles=["prod-eu-nodes"],
    imports=True,
)
SpokeStack(
    app,
    "ProdAmerica",
    env=cdk.Environment(account="222233334444", region="us-east-1"),
    registry=CacheRegistry(account=HUB, region="us-east-1"),
    roles=["prod-us-nodes"],
    imports=False,
)
app.synth()
