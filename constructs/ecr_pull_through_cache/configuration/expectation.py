"""What AWS should say of a deployed configuration: what the stacks deploy, without synthesis.

A test compares it with the stacks' own templates, for every configuration there is.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from ..ecr import permissions, statements
from ..ecr.registry import EcrRegistry
from ..ecr.statements import Importable, Who
from ..images import ROOT
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
                role=_registry(plan).role_arn(cache.role) if cache.role else None,
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
            resources=tuple(
                _registry(registry).arn_for_repositories(prefix, name="any") for prefix in registry.prefixes
            ),
        )


def _template(plan: RegistryPlan, template: Template, applied_for: frozenset[str]) -> ExpectedTemplate:
    pull = statements.repository_pull(_registry(plan), _who(plan, plan.pull_accounts))
    return ExpectedTemplate(
        applied_for=applied_for,
        mutability=template.image_tag_mutability,
        exclusions=frozenset(template.image_tag_mutability_exclusion_filters),
        encryption=template.encryption_type or ("KMS" if template.kms_key else "AES256"),
        key=template.kms_key,
        lifecycle=json.loads(template.lifecycle_policy.policy().to_text()) if template.lifecycle_policy else None,
        policy=statements.document(pull) if pull else None,
        tags=template.resource_tags,
    )


def _who(plan: RegistryPlan, accounts: tuple[str, ...]) -> Who:
    return Who(accounts=accounts, organization=plan.organization)


def _registry_policy(plan: RegistryPlan) -> Iterator[Mapping[str, Any]]:
    here = _registry(plan)
    caches = [Importable(prefix=prefix) for prefix in _or_root(plan.pulled_through)]
    if caches:
        importers = _who(plan, plan.import_accounts)
        yield from statements.registry_import(here, importers, caches, tags=plan.tags_repositories)
    sources = [source.account for source in plan.sources]
    for held in (plan.pulled_through, plan.replicated):
        if held:
            tags = any(cache.template.resource_tags for cache in held.values())
            yield from statements.registry_replication(here, sources, held, tags=tags)


def _registry(plan: RegistryPlan) -> EcrRegistry:
    return EcrRegistry(account=plan.environment.account, region=plan.environment.region)


def _or_root(*prefixes: Mapping[str, Any]) -> frozenset[str]:
    every = frozenset(prefix for some in prefixes for prefix in some)
    return frozenset({ROOT}) if ROOT in every else every
