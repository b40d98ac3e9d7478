"""The stack of a cluster: what its nodes may pull, how they reach the registry, and how its images are rewritten."""

from __future__ import annotations

from collections.abc import Mapping

import aws_cdk as cdk

from constructs import Construct
from ecr_pull_through_cache import (
    CacheRegistry,
    ImageRewritePolicy,
    NodePullMode,
    NodePullPolicy,
    PullThroughCache,
    UpstreamCache,
)
from ecr_pull_through_cache.configuration import CachePlan, ClusterPlan
from ecr_pull_through_cache.configuration.models import Endpoints

from .acknowledgements import acknowledge
from .flags import set_flags


class ClusterStack(cdk.Stack):
    """One cluster of the configuration.

    :param scope: the app or a stage.
    :param id: id of the stack; see :attr:`ClusterPlan.stack_id`.
    :param cluster: the cluster's plan.
    :param tags: tags of the stack.
    """

    def __init__(
        self, scope: Construct, id: str, *, cluster: ClusterPlan, tags: Mapping[str, str] | None = None
    ) -> None:
        environment = cluster.environment
        super().__init__(
            scope,
            id,
            stack_name=cluster.stack_name,
            env=cdk.Environment(account=environment.account, region=environment.region),
            description=f"Amazon ECR pull through cache: the cluster {cluster.name}",
            tags=dict(tags or {}),
            analytics_reporting=False,
        )
        set_flags(self)
        registry = cluster.registry
        there = CacheRegistry(account=registry.environment.account, region=registry.environment.region)
        cache = PullThroughCache.from_attributes(
            self,
            "Cache",
            registry=there,
            upstreams=_upstreams(registry.pulled_through),
            replicas=_upstreams({**registry.pushed, **registry.replicated}),
            prepopulated=cluster.prepopulated,
            tags_repositories=registry.tags_repositories,
        )
        policy = NodePullPolicy(
            self,
            "NodePullPolicy",
            cache=cache,
            mode=None if cluster.imports else NodePullMode.PULL_ONLY,
            role_names=[nodes.role for nodes in cluster.nodes],
        )
        for number, arn in enumerate(policy.managed_policy_arns, start=1):
            cdk.CfnOutput(
                self,
                "NodePullPolicyArn" if number == 1 else f"NodePullPolicyArn{number}",
                value=arn,
                description="Attach this to further roles whose pods pull",
            )
        cdk.CfnOutput(self, "RegistryHost", value=registry.host, description="What cached images begin with")
        if cluster.rewrite is not None:
            ImageRewritePolicy(
                self,
                "ImageRewritePolicy",
                cache=cluster.mapping,
                form=cluster.rewrite.form,
                settings=cluster.policy_settings,
            )
        if cluster.endpoints is not None:
            _make_endpoints(self, cluster.endpoints)
        acknowledge(policy, repositories=["*", *(there.arn_for_repositories(prefix) for prefix in registry.prefixes)])
        for name, message in cluster.warnings.items():
            cdk.Annotations.of(self).add_warning_v2(f"cdk-ecr-pull-through-cache:{name}", message)


def _upstreams(plans: Mapping[str, CachePlan]) -> dict[str, UpstreamCache]:
    return {
        prefix: UpstreamCache(
            upstream=plan.cached.upstream,
            upstream_repository_prefix=plan.cached.upstream_repository_prefix,
            allow=plan.cached.allow,
            known_repositories_only=plan.rule.known_repositories_only,
        )
        for prefix, plan in plans.items()
    }


def _make_endpoints(scope: Construct, endpoints: Endpoints) -> None:
    # aws_ec2 takes longer to load than all the rest of a synthesis; most clusters have no endpoints here.
    from aws_cdk import aws_ec2 as ec2

    from ecr_pull_through_cache import EcrEndpoints

    zones = sorted(endpoints.subnets)
    vpc = ec2.Vpc.from_vpc_attributes(
        scope,
        "Vpc",
        vpc_id=endpoints.vpc,
        vpc_cidr_block=endpoints.cidr,
        availability_zones=zones,
        isolated_subnet_ids=[endpoints.subnets[zone] for zone in zones],
        isolated_subnet_route_table_ids=[endpoints.route_tables[zone] for zone in zones],
    )
    EcrEndpoints(scope, "Endpoints", vpc=vpc, subnets=ec2.SubnetSelection(subnet_type=ec2.SubnetType.PRIVATE_ISOLATED))
