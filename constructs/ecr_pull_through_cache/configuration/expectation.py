"""What AWS should say of a deployed configuration: what the stacks deploy, without synthesis.

A test compares it with the stacks' own templates, for every configuration there is.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from ..ecr import permissions
from ..images import ROOT, partition_of
from ..operations.checking import ExpectedNodes, ExpectedRegistry, ExpectedRule, ExpectedTemplate

if TYPE_CHECKING:
    from . import ClusterPlan, RegistryPlan
    from .models import Template


def expectation(plan: RegistryPlan) -> ExpectedRegistry:
    """What a registry of the configuration should be like."""
    caching = {"PULL_THROUGH_CACHE", *(["REPLICATION"] if plan.sources else [])}
    held = (
        *((prefix, cache, caching) for prefix, cache in plan.pulled_through.items()),
        *((prefix, cache, {"REPLICATION"}) for prefix, cache in plan.replicated.items()),
        *((prefix, cache, {"CREATE_ON_PUSH"}) for prefix, cache in plan.pushed.items()),
    )
    return ExpectedRegistry(
        name=plan.name,
        account=plan.environment.account,
        region=plan.environment.region,
        rules=tuple(
            ExpectedRule(
                prefix=prefix,
                upstream_url=cache.cached.upstream.url,
                upstream_prefix=cache.cached.upstream_repository_prefix,
                credentials=cache.credentials,
                role=f"arn:{_partition(plan)}:iam::{plan.environment.account}:role/{cache.role}"
                if cache.role
                else None,
            )
            for prefix, cache in plan.pulled_through.items()
        ),
        templates={
            prefix: _template(plan, cache.template, frozenset(applied_for)) for prefix, cache, applied_for in held
        },
        replicate_to=frozenset((to.account, to.region) for to in plan.replicate_to),
        replicated_prefixes=_or_root(plan.pulled_through, plan.pushed) if plan.replicate_to else frozenset(),
        registry_policy=tuple(_registry_policy(plan)),
        scanning=plan.scan_type,
    )


def expected_nodes(cluster: ClusterPlan) -> Iterator[ExpectedNodes]:
    """What the roles of a cluster's nodes should be allowed."""
    registry = cluster.registry
    imports = cluster.imports and bool(registry.pulled_through)
    bring_in = (*permissions.IMPORT, *(permissions.TAG if registry.tags_repositories else ()))
    for nodes in cluster.nodes:
        yield ExpectedNodes(
            cluster=cluster.name,
            account=cluster.environment.account,
            region=cluster.environment.region,
            role=nodes.role,
            allowed=(*permissions.AUTHENTICATE, *permissions.PULL, *(bring_in if imports else ())),
            denied=() if imports else permissions.IMPORT,
            # Simulated is one repository under each prefix; which one makes no difference.
            resources=tuple(_repositories(registry, prefix, name="any") for prefix in registry.prefixes),
        )


def _template(plan: RegistryPlan, template: Template, applied_for: frozenset[str]) -> ExpectedTemplate:
    statements = list(_pull_statements(plan))
    return ExpectedTemplate(
        applied_for=applied_for,
        mutability=template.image_tag_mutability,
        exclusions=frozenset(template.image_tag_mutability_exclusion_filters),
        encryption=template.encryption_type or ("KMS" if template.kms_key else "AES256"),
        key=template.kms_key,
        lifecycle=json.loads(template.lifecycle_policy.policy().to_text()) if template.lifecycle_policy else None,
        policy={"Version": "2012-10-17", "Statement": statements} if statements else None,
        tags=template.resource_tags,
    )


def _pull_statements(plan: RegistryPlan) -> Iterator[Mapping[str, Any]]:
    actions = list(permissions.PULL)
    if plan.pull_accounts:
        who = _principals(plan, plan.pull_accounts)
        yield {"Sid": "PullFromAccounts", "Effect": "Allow", "Principal": who, "Action": actions}
    if plan.organization is not None:
        yield {"Sid": "PullFromOrganization", "Effect": "Allow", "Action": actions, **_organization(plan.organization)}


def _registry_policy(plan: RegistryPlan) -> Iterator[Mapping[str, Any]]:
    cached = [_repositories(plan, prefix) for prefix in _or_root(plan.pulled_through)]
    if plan.pulled_through:
        allow = {"Effect": "Allow", "Action": list(permissions.IMPORT), "Resource": sorted(cached)}
        if plan.import_accounts:
            yield {**allow, "Principal": _principals(plan, plan.import_accounts)}
        if plan.organization is not None:
            yield {**allow, **_organization(plan.organization)}
    sources = {source.account for source in plan.sources} - {plan.environment.account}
    for account in sorted(sources):
        arriving = sorted({*cached, *(_repositories(plan, prefix) for prefix in plan.replicated)})
        yield {
            "Effect": "Allow",
            "Action": list(permissions.REPLICATE),
            "Principal": _principals(plan, (account,)),
            "Resource": arriving,
        }


def _organization(organization: str) -> Mapping[str, Any]:
    return {"Principal": {"AWS": "*"}, "Condition": {"StringEquals": {"aws:PrincipalOrgID": organization}}}


def _principals(plan: RegistryPlan, accounts: tuple[str, ...]) -> Mapping[str, list[str]]:
    return {"AWS": [f"arn:{_partition(plan)}:iam::{account}:root" for account in sorted(set(accounts))]}


def _repositories(plan: RegistryPlan, prefix: str, *, name: str = "*") -> str:
    place = plan.environment
    path = name if prefix == ROOT else f"{prefix}/{name}"
    return f"arn:{_partition(plan)}:ecr:{place.region}:{place.account}:repository/{path}"


def _partition(plan: RegistryPlan) -> str:
    partition = partition_of(plan.environment.region)
    return partition.name if partition else "aws"


def _or_root(*prefixes: Mapping[str, Any]) -> frozenset[str]:
    every = frozenset(prefix for some in prefixes for prefix in some)
    return frozenset({ROOT}) if ROOT in every else every
