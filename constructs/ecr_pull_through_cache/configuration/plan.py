"""What follows from a configuration: for each registry and each cluster, both sides of everything."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..ecr.template_rules import PULL_THROUGH_CACHE, REPLICATION, cautions
from ..images import ROOT, CachedUpstream, CacheMapping, EcrHost, PinnedByDigest, is_new_region, new_region

if TYPE_CHECKING:
    from .models import Backfill, Dashboard, Endpoints, Nodes, Rewrite, Template, Warm

_SILENCE = "; 'acceptUnverified: true' silences this"


@dataclass(frozen=True, kw_only=True)
class Environment:
    """An account in a Region.

    :param account: 12 digits.
    :param region: for example ``eu-west-1``.
    """

    account: str
    region: str

    def __str__(self) -> str:
        return f"{self.account}/{self.region}"


@dataclass(frozen=True, kw_only=True)
class CachePlan:
    """One repository prefix of a registry.

    :param cached: upstream and prefixes.
    :param template: what its repositories are created with.
    :param credentials: name or complete ARN of the secret.
    :param recorded_credentials: complete ARN of the secret that the rule was created with, where it is another one.
    :param role: name of the role for a private ECR upstream.
    """

    cached: CachedUpstream
    template: Template
    credentials: str | None = None
    deployed_credentials: str | None = None
    role: str | None = None


@dataclass(frozen=True, kw_only=True)
class RegistryPlan:
    """A private ECR registry.

    :param name: its name in the configuration.
    :param environment: where it is.
    :param pulled_through: what it pulls through, by repository prefix.
    :param pushed: what others push into it, by repository prefix.
    :param arrives: what is replicated into it and not pulled through, by repository prefix.
    :param sources: the registries that replicate into it.
    :param replicate_to: where it replicates to.
    :param template: what its repositories are created with.
    :param pull_accounts: other accounts that pull from it.
    :param import_accounts: those of them whose pulls may import.
    :param organization: id of the organisation, all of which may pull and import.
    :param scan_type: ``BASIC`` or ``ENHANCED``, or ``None`` to leave the setting alone.
    :param warm: images that are imported before anybody pulls them, if any; the list that is given stands in ``images``.
    :param backfill: how repositories that exist already get what their template says, if they do.
    :param dashboard: the dashboard, if there is one.
    :param empty_on_delete: whether cached images go when the stack is deleted.
    :param accept_unverified: whether warnings about what AWS does not say of the Region are left out.
    """

    name: str
    environment: Environment
    pulled_through: Mapping[str, CachePlan]
    pushed: Mapping[str, CachePlan]
    replicated: Mapping[str, CachePlan]
    sources: tuple[Environment, ...]
    replicate_to: tuple[Environment, ...]
    template: Template
    pull_accounts: tuple[str, ...] = ()
    import_accounts: tuple[str, ...] = ()
    organization: str | None = None
    scan_type: str | None = None
    warm: Warm | None = None
    backfill: Backfill | None = None
    dashboard: Dashboard | None = None
    empty_on_delete: bool = False
    accept_unverified: bool = False

    @property
    def host(self) -> str:
        """Host of the registry in image references."""
        return EcrHost.of(self.environment.account, self.environment.region).host

    @property
    def prefixes(self) -> tuple[str, ...]:
        """Every repository prefix that the registry holds images under; ``ROOT`` alone where that is one."""
        prefixes = sorted({*self.pulled_through, *self.pushed, *self.replicated})
        return (ROOT,) if ROOT in prefixes else tuple(prefixes)

    @property
    def has_day_two(self) -> bool:
        """Whether anything runs in the registry's account besides ECR itself."""
        return bool(self.warm or self.backfill or self.dashboard or self.empty_on_delete)

    @property
    def mapping(self) -> CacheMapping:
        """What images become that the registry pulls through itself."""
        return CacheMapping(
            registry=self.host,
            rules=tuple(self.pulled_through[prefix].cached for prefix in sorted(self.pulled_through)),
        )

    @property
    def warnings(self) -> Mapping[str, str]:
        """What its owner should know, by a stable id."""
        region = self.environment.region
        found = {} if self.accept_unverified else self._unverified
        if is_new_region(region) and not self.accept_unverified:
            found["newRegion"] = f"the registry {self.name}: {new_region(region)}{_SILENCE}"
        arrives = {REPLICATION} if self.sources else set()
        created = {
            **{prefix: (plan, {PULL_THROUGH_CACHE, *arrives}) for prefix, plan in self.pulled_through.items()},
            **{prefix: (plan, {REPLICATION}) for prefix, plan in self.replicated.items()},
        }
        for prefix, (plan, created_by) in created.items():
            lifecycle = plan.template.lifecycle_policy
            for name, text in cautions(
                mutability=plan.template.image_tag_mutability,
                lifecycle=lifecycle.policy() if lifecycle else None,
                created_by=created_by,
            ).items():
                found.setdefault(name, f"the registry {self.name}, prefix {prefix}: {text}")
        return found

    @property
    def _unverified(self) -> dict[str, str]:
        for plan in self.pulled_through.values():
            why = plan.cached.upstream.unverified_in(self.environment.region)
            if why is not None:
                return {"unverifiedPartition": f"the registry {self.name}: {why}{_SILENCE}"}
        return {}

    @property
    def tags_repositories(self) -> bool:
        """Whether repositories are created with tags, for which a puller needs a permission."""
        return any(plan.template.resource_tags for plan in self.pulled_through.values())


@dataclass(frozen=True, kw_only=True)
class ClusterPlan:
    """A cluster.

    :param name: its name in the configuration.
    :param environment: where it is.
    :param registry: what it pulls from.
    :param nodes: the roles that pull.
    :param imports: whether its pulls may import.
    :param prepopulated: whether what runs here is brought to the registry before.
    :param rewrite: how images are rewritten at admission, if at all.
    :param endpoints: the VPC that gets endpoints, if any.
    """

    name: str
    environment: Environment
    registry: RegistryPlan
    nodes: tuple[Nodes, ...]
    imports: bool
    prepopulated: bool
    rewrite: Rewrite | None
    endpoints: Endpoints | None

    @property
    def mapping(self) -> CacheMapping:
        """What images become for this cluster.

        What a registry does not pull through itself is rewritten only for a cluster that is said to be pre-populated.
        """
        held = {**self.registry.pushed, **self.registry.replicated}
        imported = self.registry.pulled_through
        replica_only = not imported and not self.prepopulated
        plans = {**imported, **(held if self.prepopulated or not imported else {})}
        return CacheMapping(
            registry=self.registry.host,
            rules=tuple(plans[prefix].cached for prefix in sorted(plans)),
            pinned_by_digest=self.rewrite.pinned_by_digest if self.rewrite else PinnedByDigest.LEAVE,
            replica_only=replica_only,
        )

    @property
    def warnings(self) -> Mapping[str, str]:
        """What its owner should know, by a stable id."""
        found = {}
        region = self.environment.region
        if is_new_region(region) and not self.registry.accept_unverified:
            found["newRegion"] = f"the cluster {self.name}: {new_region(region)}"
        held = {**self.registry.pushed, **self.registry.replicated}
        if held and not self.prepopulated:
            found["replicaOnly"] = (
                f"the cluster {self.name} pulls from {self.registry.name}, which cannot import images under "
                f"{', '.join(sorted(held))}; they are left with their upstream. Give {self.registry.name} these upstreams too, "
                "or bring what runs here there before and set 'prepopulated: true'"
            )
        if self.rewrite and self.rewrite.pinned_by_digest is PinnedByDigest.REWRITE and not self.prepopulated:
            found["pinnedByDigest"] = (
                f"the cluster {self.name} rewrites references with a digest, but ECR cannot answer the first pull of an image "
                "by digest; bring images to the cache by tag first (ecr-pull-through warm) and set 'prepopulated: true'"
            )
        return found


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """A configuration, resolved.

    :param registries: by name.
    :param clusters: by name.
    :param tags: tags of every stack.
    """

    registries: Mapping[str, RegistryPlan]
    clusters: Mapping[str, ClusterPlan]
    tags: Mapping[str, str]
