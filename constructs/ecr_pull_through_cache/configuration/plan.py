"""The resolved configuration: for each registry and each cluster, both sides of everything."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..admission import FailurePolicy, PolicySettings
from ..ecr.registry import EcrRegistry
from ..ecr.statements import Importable, Who
from ..ecr.template_rules import PULL_THROUGH_CACHE, REPLICATION, cautions
from ..images import ROOT, CachedUpstream, CacheMapping, PinnedByDigest, is_new_region, new_region

if TYPE_CHECKING:
    from .models import Cluster, Endpoints, Nodes, Registry, Rewrite, Template, UpstreamRule

_SILENCE = "; 'acceptUnverified: true' silences this"


@dataclass(frozen=True, kw_only=True)
class CachePlan:
    """One repository prefix of a registry.

    :param cached: upstream and prefixes.
    :param rule: its part of the configuration; that of the source, where the prefix holds replicas.
    :param template: the settings of its repositories, with all defaults.
    """

    cached: CachedUpstream
    rule: UpstreamRule
    template: Template

    @property
    def upstream_registry(self) -> EcrRegistry | None:
        """The private ECR registry that is the upstream, ``None`` for another upstream."""
        upstream = self.cached.upstream
        if upstream.account is None or upstream.region is None:
            return None
        return EcrRegistry(account=upstream.account, region=upstream.region)


@dataclass(frozen=True, kw_only=True)
class Downstream:
    """A registry whose upstream is this one.

    :param account: its account.
    :param upstream_repository_prefix: the part that it caches, ``ROOT`` for all.
    """

    account: str
    upstream_repository_prefix: str


@dataclass(frozen=True, kw_only=True)
class RegistryPlan:
    """A private ECR registry.

    :param name: its name in the configuration.
    :param environment: its account and Region.
    :param settings: its part of the configuration; the images of a file stand in ``warm.images``.
    :param template: the settings of its repositories, with all defaults.
    :param pulled_through: the upstreams that it pulls through, by repository prefix.
    :param pushed: the upstreams whose images are pushed into it, by repository prefix.
    :param replicated: the upstreams whose images are replicated into it and not pulled through, by repository prefix.
    :param sources: the registries that replicate into it.
    :param replicate_to: the registries that it replicates to.
    :param pullers: the other accounts, or the organisation, that pull from it.
    :param importers: those of them whose pulls may import.
    :param members: accounts of clusters that pull because they belong to the organisation, and for no other reason.
    :param pull_inherited_from: names of the registries that replicate to it and whose ``pull`` holds here.
    :param downstreams: registries of the configuration whose upstream is this one.
    """

    name: str
    environment: EcrRegistry
    settings: Registry
    template: Template
    pulled_through: Mapping[str, CachePlan]
    pushed: Mapping[str, CachePlan]
    replicated: Mapping[str, CachePlan]
    sources: tuple[EcrRegistry, ...]
    replicate_to: tuple[EcrRegistry, ...]
    pullers: Who
    importers: Who
    members: tuple[str, ...] = ()
    pull_inherited_from: tuple[str, ...] = ()
    downstreams: tuple[Downstream, ...] = ()

    @property
    def stack_id(self) -> str:
        """Id of its stack in the app."""
        return f"registry-{self.name}"

    @property
    def stack_name(self) -> str:
        """Name of its stack in CloudFormation."""
        return _stack_name(self.stack_id)

    @property
    def host(self) -> str:
        """Host of the registry in image references."""
        return self.environment.host

    @property
    def held(self) -> Mapping[str, CachePlan]:
        """Everything that the registry holds images of, by repository prefix."""
        return {**self.pulled_through, **self.pushed, **self.replicated}

    @property
    def prefixes(self) -> tuple[str, ...]:
        """Every repository prefix that the registry holds images under; ``ROOT`` alone where that is one."""
        return (ROOT,) if ROOT in self.held else tuple(sorted(self.held))

    @property
    def importable(self) -> tuple[Importable, ...]:
        """The images that pulls may import, by repository prefix."""
        return tuple(
            Importable(prefix=prefix, allow=cache.cached.allow, known_only=cache.rule.known_repositories_only)
            for prefix, cache in sorted(self.pulled_through.items())
        )

    @property
    def has_day_two(self) -> bool:
        """Whether anything runs in the registry's account besides ECR itself."""
        settings = self.settings
        return bool(settings.warm or settings.backfill or settings.dashboard or settings.empty_on_delete)

    @property
    def mapping(self) -> CacheMapping:
        """The mapping of the images that the registry pulls through itself."""
        return CacheMapping(
            registry=self.host,
            rules=tuple(self.pulled_through[prefix].cached for prefix in sorted(self.pulled_through)),
            exclude=self.settings.exclude,
            only=self.settings.only,
        )

    @property
    def warnings(self) -> Mapping[str, str]:
        """Messages for its owner, by a stable id."""
        region = self.environment.region
        accepted = self.settings.accept_unverified
        found = {} if accepted else self._unverified
        if is_new_region(region) and not accepted:
            found["newRegion"] = f"the registry {self.name}: {new_region(region)}{_SILENCE}"
        arrives = {REPLICATION} if self.sources else set()
        created = {
            **{prefix: (plan, {PULL_THROUGH_CACHE, *arrives}) for prefix, plan in self.pulled_through.items()},
            **{prefix: (plan, {REPLICATION}) for prefix, plan in self.replicated.items()},
        }
        for prefix, (plan, created_by) in created.items():
            settings = plan.template.settings
            for name, text in cautions(
                mutability=settings.image_tag_mutability, lifecycle=settings.lifecycle, created_by=created_by
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
    :param environment: its account and Region.
    :param registry: the registry it pulls from.
    :param settings: its part of the configuration.
    :param rewrite: how images are rewritten at admission, with all defaults; ``None`` if not at all.
    """

    name: str
    environment: EcrRegistry
    registry: RegistryPlan
    settings: Cluster
    rewrite: Rewrite | None

    @property
    def stack_id(self) -> str:
        """Id of its stack in the app."""
        return f"cluster-{self.name}"

    @property
    def stack_name(self) -> str:
        """Name of its stack in CloudFormation."""
        return _stack_name(self.stack_id)

    @property
    def nodes(self) -> tuple[Nodes, ...]:
        """The roles that pull, by name."""
        return tuple(sorted(self.settings.nodes, key=lambda nodes: nodes.role))

    @property
    def imports(self) -> bool:
        """Whether its pulls may import."""
        return self.settings.import_

    @property
    def prepopulated(self) -> bool:
        """Whether the images that run here are brought to the registry beforehand."""
        return self.settings.prepopulated

    @property
    def endpoints(self) -> Endpoints | None:
        """The VPC that gets endpoints, if any."""
        return self.settings.endpoints

    @property
    def mapping(self) -> CacheMapping:
        """The mapping of images for this cluster.

        Images that a registry does not pull through itself are rewritten only for a cluster that is said to be pre-populated.
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
            exclude=_or(self.settings.exclude, self.registry.settings.exclude),
            only=_or(self.settings.only, self.registry.settings.only),
        )

    @property
    def policy_settings(self) -> PolicySettings:
        """The settings of this cluster's admission policy."""
        if self.rewrite is None:
            return PolicySettings()
        return PolicySettings(
            failure_policy=FailurePolicy(self.rewrite.failure_policy),
            excluded_namespaces=self.rewrite.excluded_namespaces,
            opt_in=self.rewrite.opt_in,
        )

    @property
    def warnings(self) -> Mapping[str, str]:
        """Messages for its owner, by a stable id."""
        found = {}
        region = self.environment.region
        if is_new_region(region) and not self.registry.settings.accept_unverified:
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


def _or(own: tuple[str, ...] | None, registrys: tuple[str, ...]) -> tuple[str, ...]:
    return registrys if own is None else own


def _stack_name(stack_id: str) -> str:
    return f"ecr-pull-through-{stack_id}"


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
