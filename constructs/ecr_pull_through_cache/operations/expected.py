"""A deployed configuration as it should be; :mod:`ecr_pull_through_cache.operations.checking` compares AWS with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..ecr.registry import EcrRegistry
from ..ecr.statements import Statement
from ..ecr.templates import TemplateSettings


@dataclass(frozen=True, kw_only=True)
class ExpectedRule:
    """A pull through cache rule as it should be.

    :param prefix: its repository prefix.
    :param upstream_url: URL of its upstream registry.
    :param upstream_prefix: the part of the upstream. Default: ``ROOT``, all of it.
    :param credentials: name or complete ARN of its secret. Default: none.
    :param role: ARN of the role that ECR assumes for the upstream. Default: not compared, because the stack makes it or none is
        needed.
    """

    prefix: str
    upstream_url: str
    upstream_prefix: str = "ROOT"
    credentials: str | None = None
    role: str | None = None


@dataclass(frozen=True, kw_only=True)
class ExpectedTemplate:
    """A repository creation template as it should be.

    :param applied_for: how the repositories come about: ``PULL_THROUGH_CACHE``, ``REPLICATION``, ``CREATE_ON_PUSH``.
    :param settings: their settings, the repository policy included.
    """

    applied_for: frozenset[str]
    settings: TemplateSettings = field(default_factory=TemplateSettings)


@dataclass(frozen=True, kw_only=True)
class ExpectedRegistry:
    """A registry as it should be.

    :param name: its name in the configuration.
    :param registry: its account and Region.
    :param rules: its pull through cache rules.
    :param templates: the repository creation template of each prefix.
    :param replicate_to: the registries that it replicates to.
    :param replicated_prefixes: prefixes of the repositories that are replicated; ``ROOT`` for all.
    :param registry_policy: statements that the registry policy must amount to; others may stand beside them.
    :param account_settings: account settings of ECR by name. Default: those that the configuration leaves alone.
    :param scanning: ``BASIC`` or ``ENHANCED``. Default: not compared.
    """

    name: str
    registry: EcrRegistry
    rules: tuple[ExpectedRule, ...] = ()
    templates: Mapping[str, ExpectedTemplate] = field(default_factory=dict)
    replicate_to: frozenset[EcrRegistry] = frozenset()
    replicated_prefixes: frozenset[str] = frozenset()
    registry_policy: tuple[Statement, ...] = ()
    account_settings: Mapping[str, str] = field(default_factory=dict)
    scanning: str | None = None


@dataclass(frozen=True, kw_only=True)
class Permission:
    """Actions on repositories, one of each kind that a policy tells apart.

    :param actions: the actions.
    :param resources: ARNs of repositories.
    """

    actions: tuple[str, ...]
    resources: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class ExpectedNodes:
    """A role that pulls for a cluster, as it should be.

    :param cluster: name of the cluster.
    :param environment: account of the role, and Region of the cluster.
    :param registry: the registry that it pulls from.
    :param role: name of the role, without its path.
    :param allowed: permissions that it must have.
    :param denied: permissions that it must not have.
    :param trusted: the services that must be able to assume it; one is enough. Default: not compared.
    """

    cluster: str
    environment: EcrRegistry
    registry: EcrRegistry
    role: str
    allowed: tuple[Permission, ...]
    denied: tuple[Permission, ...] = ()
    trusted: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True)
class ExpectedMember:
    """An account that pulls because it belongs to an organisation.

    :param cluster: name of a cluster in that account.
    :param environment: its account, and Region of the cluster.
    :param registry: name of the registry that lets the organisation in.
    :param organization: id of the organisation.
    """

    cluster: str
    environment: EcrRegistry
    registry: str
    organization: str
