"""A configuration as AWS should show it, built from the statements and settings that the constructs render."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from ..ecr import permissions, statements
from ..ecr.settings import POLICY_SCOPE
from ..images import ROOT
from ..operations.expected import (
    ExpectedMember,
    ExpectedNodes,
    ExpectedRegistry,
    ExpectedRule,
    ExpectedTemplate,
    Permission,
)
from .models import NodeKind

if TYPE_CHECKING:
    from .plan import CachePlan, ClusterPlan, RegistryPlan


def expected_registry(plan: RegistryPlan) -> ExpectedRegistry:
    """A registry of the configuration as it should be.

    :param plan: the registry.
    """
    caching = {"PULL_THROUGH_CACHE", *(["REPLICATION"] if plan.sources else [])}
    held = ((plan.pulled_through, caching), (plan.replicated, {"REPLICATION"}), (plan.pushed, {"CREATE_ON_PUSH"}))
    scope = plan.settings.registry_policy_scope
    return ExpectedRegistry(
        name=plan.name,
        registry=plan.environment,
        rules=tuple(_rule(plan, prefix, cache) for prefix, cache in plan.pulled_through.items()),
        templates={
            prefix: _template(plan, cache, frozenset(applied_for))
            for caches, applied_for in held
            for prefix, cache in caches.items()
        },
        replicate_to=frozenset(plan.replicate_to),
        replicated_prefixes=_or_root(plan.pulled_through, plan.pushed) if plan.replicate_to else frozenset(),
        registry_policy=tuple(registry_policy(plan)),
        account_settings={} if scope is None else {POLICY_SCOPE: scope},
        scanning=plan.settings.scan_type,
    )


def registry_policy(plan: RegistryPlan) -> Iterator[statements.Statement]:
    """The statements of a registry's policy.

    :param plan: the registry.
    """
    here = plan.environment
    if plan.pulled_through:
        yield from statements.registry_import(here, plan.importers, plan.importable, tags=plan.tags_repositories)
    if plan.settings.registry_policy_scope == "V2" and plan.held:
        yield from statements.registry_pull(here, plan.pullers, plan.held)
    sources = [source.account for source in plan.sources]
    for held in (plan.pulled_through, plan.replicated):
        if held:
            tags = any(cache.template.resource_tags for cache in held.values())
            yield from statements.registry_replication(here, sources, held, tags=tags)
    yield from upstream_grants(plan)


def check_policy_sizes(plan: RegistryPlan) -> None:
    """Refuse a registry whose policies ECR would refuse for their length.

    :param plan: the registry.
    :raises UserError: when one is too long; the message names the way out.
    """
    statements.check_size("registry policy", statements.document(registry_policy(plan)))
    statements.check_size(
        "repository policy", statements.document(statements.repository_pull(plan.environment, plan.pullers))
    )


def upstream_grants(plan: RegistryPlan) -> list[statements.Statement]:
    """The statements of a registry's policy for registries of other accounts whose upstream it is.

    :param plan: the upstream registry.
    """
    return [
        statement
        for downstream in plan.downstreams
        for statement in statements.upstream_grant(
            plan.environment, [downstream.account], [downstream.upstream_repository_prefix]
        )
    ]


def expected_nodes(cluster: ClusterPlan) -> Iterator[ExpectedNodes]:
    """The roles of a cluster's nodes as they should be.

    :param cluster: the cluster.
    """
    registry = cluster.registry
    allowed, denied = _permissions(registry, imports=cluster.imports and bool(registry.pulled_through))
    for nodes in cluster.nodes:
        yield ExpectedNodes(
            cluster=cluster.name,
            environment=cluster.environment,
            registry=registry.environment,
            role=nodes.role,
            allowed=allowed,
            denied=denied,
            trusted=_TRUSTED.get(nodes.kind, frozenset()) if nodes.kind else frozenset(),
        )


def expected_member(cluster: ClusterPlan) -> ExpectedMember | None:
    """The account of a cluster that pulls because it belongs to the organisation, ``None`` for another one.

    :param cluster: the cluster.
    """
    pullers = cluster.registry.pullers
    if pullers.organization is None or cluster.environment.account not in cluster.registry.members:
        return None
    return ExpectedMember(
        cluster=cluster.name,
        environment=cluster.environment,
        registry=cluster.registry.name,
        organization=pullers.organization,
    )


# https://docs.aws.amazon.com/eks/latest/userguide/create-node-role.html, .../pod-execution-role.html
# https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_execution_IAM_role.html
_TRUSTED: Mapping[NodeKind, frozenset[str]] = {
    NodeKind.MANAGED_NODE_GROUP: frozenset({"ec2.amazonaws.com", "ec2.amazonaws.com.cn"}),
    NodeKind.KARPENTER: frozenset({"ec2.amazonaws.com", "ec2.amazonaws.com.cn"}),
    NodeKind.AUTO_MODE: frozenset({"ec2.amazonaws.com", "ec2.amazonaws.com.cn"}),
    NodeKind.FARGATE: frozenset({"eks-fargate-pods.amazonaws.com"}),
    NodeKind.ECS: frozenset({"ecs-tasks.amazonaws.com"}),
}

_ANY = "any"
"""A repository to simulate with, where every one is treated alike."""
_NOT_ALLOWED = "not-in-the-allow-list"
"""A repository that no sensible allow list names."""


def _permissions(registry: RegistryPlan, *, imports: bool) -> tuple[tuple[Permission, ...], tuple[Permission, ...]]:
    """Expected permissions of roles, on one repository of each kind that their policy distinguishes."""
    here = registry.environment
    under = tuple(here.arn_for_repositories(prefix, name=_ANY) for prefix in registry.prefixes)
    pull = (
        Permission(actions=permissions.AUTHENTICATE, resources=()),
        Permission(actions=permissions.PULL, resources=under),
    )
    if not imports:
        return pull, (Permission(actions=permissions.IMPORT, resources=under),)
    tag = permissions.TAG if registry.tags_repositories else ()
    allowed, denied = list(pull), []
    for cache in registry.importable:
        names = [name.replace("*", _ANY) for name in cache.allow] or [_ANY]
        actions = permissions.IMPORT_INTO_KNOWN if cache.known_only else (*permissions.IMPORT, *tag)
        arns = tuple(here.arn_for_repositories(cache.prefix, name=name) for name in names)
        allowed.append(Permission(actions=actions, resources=arns))
        if cache.known_only:
            denied.append(Permission(actions=permissions.CREATE, resources=arns))
        if cache.allow:
            other = here.arn_for_repositories(cache.prefix, name=_NOT_ALLOWED)
            denied.append(Permission(actions=permissions.IMPORT_INTO_KNOWN, resources=(other,)))
    return tuple(_joined(allowed)), tuple(_joined(denied))


def _joined(some: list[Permission]) -> Iterator[Permission]:
    """The same with one for each list of actions: it is one call of the simulator."""
    found: dict[tuple[str, ...], tuple[str, ...]] = {}
    for permission in some:
        found[permission.actions] = (*found.get(permission.actions, ()), *permission.resources)
    for actions, resources in found.items():
        yield Permission(actions=actions, resources=resources)


def _rule(plan: RegistryPlan, prefix: str, cache: CachePlan) -> ExpectedRule:
    return ExpectedRule(
        prefix=prefix,
        upstream_url=cache.cached.upstream.url,
        upstream_prefix=cache.cached.upstream_repository_prefix,
        credentials=cache.rule.credentials,
        role=plan.environment.role_arn(cache.rule.role) if cache.rule.role else None,
    )


def _template(plan: RegistryPlan, cache: CachePlan, applied_for: frozenset[str]) -> ExpectedTemplate:
    pull = statements.repository_pull(plan.environment, plan.pullers)
    settings = replace(cache.template.settings, repository_policy=statements.document(pull) if pull else None)
    return ExpectedTemplate(applied_for=applied_for, settings=settings)


def _or_root(*prefixes: Mapping[str, CachePlan]) -> frozenset[str]:
    every = frozenset(prefix for some in prefixes for prefix in some)
    return frozenset({ROOT}) if ROOT in every else every
