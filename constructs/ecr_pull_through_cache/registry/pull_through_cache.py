"""The whole cache of one registry: rules, templates, replication and permissions that match."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from aws_cdk import aws_iam as iam
from typing_extensions import Unpack

from constructs import Construct, Node

from .._checks import at, check_account, error_at
from .._place import place_of
from .._props import checked
from ..ecr import permissions
from ..ecr.statements import Importable, check_limits, registry_import
from ..errors import UserError
from ..images import ROOT, CachedUpstream, CacheMapping, PinnedByDigest, Upstream, check_prefix
from ._grants import Granting
from ._metrics import MetricOptions, metric_of
from .cache_registry import CacheRegistry
from .pull_through_cache_rule import NOT_OURS, IPullThroughCacheRule, PullThroughCacheRule, import_actions
from .pullers import Pullers
from .registry_policy import RegistryPolicy
from .replication import ReplicationConfiguration, ReplicationDestination, ReplicationRule
from .repository_creation_template import AppliedFor, CreationTemplateSettings, RepositoryCreationTemplate
from .upstream_credentials import UpstreamCredentials

if TYPE_CHECKING:
    from aws_cdk import aws_cloudwatch as cloudwatch
    from aws_cdk import aws_secretsmanager as secretsmanager

    from ..cluster.node_pull_policy import NodePullPolicy, NodePullPolicyProps
    from ..day_two.cache_dashboard import CacheDashboard, CacheDashboardProps
    from ..day_two.cache_removal import CacheRemoval
    from ..day_two.image_warmer import ImageWarmer, ImageWarmerProps
    from ..day_two.repository_backfill import RepositoryBackfill, RepositoryBackfillProps


@checked
@dataclass(frozen=True, kw_only=True)
class UpstreamCache:
    """The cache of one upstream registry with settings of its own.

    :param upstream: the upstream registry, or its host: ``registry.k8s.io``.
    :param upstream_repository_prefix: the part of it to cache. Default: all of it.
    :param credentials: secret that ECR signs in with; see :class:`UpstreamCredentials`. Default: none.
    :param deployed_credential_arn: see :class:`PullThroughCacheRule`. Default: the secret in ``credentials``.
    :param role: role that ECR assumes for a private ECR upstream of another account. Default: one that may read it.
    :param settings: settings of its repositories. Default: those of the cache.
    :param allow: repositories that may be imported, by their path below what the prefix stands for; ``*`` stands for any
        characters: ``("library/alpine", "bitnami/*")``. Default: all of them.
    :param known_repositories_only: whether pulls may import into existing repositories alone. Default: they create new ones.
    """

    upstream: Upstream | str
    upstream_repository_prefix: str = ROOT
    credentials: secretsmanager.ISecret | UpstreamCredentials | None = None
    deployed_credential_arn: str | None = None
    role: iam.IRole | None = None
    settings: CreationTemplateSettings | None = None
    allow: tuple[str, ...] = ()
    known_repositories_only: bool = False

    @property
    def registry(self) -> Upstream:
        """The upstream registry.

        :raises UserError: when ECR cannot pull through from its host.
        """
        return self.upstream if isinstance(self.upstream, Upstream) else Upstream.from_host(self.upstream)

    def under(self, repository_prefix: str) -> CachedUpstream:
        """The upstream as a rule with a repository prefix presents it.

        :param repository_prefix: ECR's repository prefix, or ``ROOT``.
        :raises UserError: when a prefix is not one that ECR accepts.
        """
        return CachedUpstream(
            upstream=self.registry,
            repository_prefix=repository_prefix,
            upstream_repository_prefix=self.upstream_repository_prefix,
            allow=tuple(self.allow),
        )


@runtime_checkable
class IPullThroughCache(Protocol):
    """A pull through cache, of this app or of another one: what the other constructs take as ``cache``.

    :class:`PullThroughCache` and the objects of its ``from_attributes`` have this shape; a class of your own may, too.
    """

    @property
    def node(self) -> Node:
        """The node in the construct tree."""

    @property
    def registry(self) -> CacheRegistry:
        """The registry that holds the cached images."""

    @property
    def rules(self) -> Mapping[str, IPullThroughCacheRule]:
        """The pull through cache rule of each repository prefix."""

    @property
    def templates(self) -> Mapping[str, RepositoryCreationTemplate]:
        """The repository creation template of each prefix, where they are of this app."""

    @property
    def repository_prefixes(self) -> tuple[str, ...]:
        """The repository prefixes of the images; ``ROOT`` alone where that is one of them."""

    @property
    def importable(self) -> tuple[Importable, ...]:
        """The images that pulls may import, by repository prefix."""

    @property
    def tags_repositories(self) -> bool:
        """Whether a creation template sets resource tags, for which an import needs ``ecr:TagResource``."""

    def mapping(self, *, pinned_by_digest: PinnedByDigest = PinnedByDigest.LEAVE) -> CacheMapping:
        """The mapping from upstream images to those of this cache.

        :param pinned_by_digest: the rule for references with a digest. Default: they are left alone.
        """

    def image_uri(
        self, repository_prefix: str, repository: str, *, tag: str | None = None, digest: str | None = None
    ) -> str:
        """The reference of a cached image.

        :param repository_prefix: prefix of one of the rules.
        :param repository: path of the upstream repository: ``coredns/coredns``.
        :param tag: tag. Default: none, which registries read as ``latest``.
        :param digest: digest with its algorithm. Default: none.
        :raises UserError: when no rule has that prefix.
        """

    def grant(self, grantee: iam.IGrantable, *actions: str) -> iam.Grant:
        """Grant actions on the repositories of every prefix.

        :param grantee: a principal. Where it is of another account, the registry policy or the repository policies allow it
            too.
        :param actions: actions of IAM: ``ecr:DescribeImages``.
        :raises UserError: when another account must be let in and the registry's policies are not of this app.
        """

    def grant_pull(self, grantee: iam.IGrantable) -> iam.Grant:
        """Grant pulls of images that are cached, under every prefix.

        :param grantee: a principal; see :meth:`grant`.
        """

    def grant_import(self, grantee: iam.IGrantable) -> iam.Grant:
        """Grant pulls, and with them the import of images that are not cached yet.

        :param grantee: a principal; see :meth:`grant`.
        """

    def metric(self, name: str, **options: Unpack[MetricOptions]) -> cloudwatch.Metric:
        """A metric of the registry that :class:`CacheDashboard` publishes.

        :param name: name of the metric: ``ImportsDone``.
        :param options: options of the metric.
        """

    def metric_imports(self, **options: Unpack[MetricOptions]) -> cloudwatch.Metric:
        """Imports that succeeded. Default: their sum in an hour.

        :param options: options of the metric.
        """

    def metric_failed_imports(self, **options: Unpack[MetricOptions]) -> cloudwatch.Metric:
        """Imports that failed. Default: their sum in an hour.

        :param options: options of the metric.
        """


class _Cache(Construct):
    """Methods of every cache, defined in this app or imported."""

    _registry: CacheRegistry

    @property
    def registry(self) -> CacheRegistry:
        """The registry that holds the cached images."""
        return self._registry

    @property
    def rules(self) -> Mapping[str, IPullThroughCacheRule]:
        """The pull through cache rule of each repository prefix."""
        raise NotImplementedError

    @property
    def templates(self) -> Mapping[str, RepositoryCreationTemplate]:
        """The repository creation template of each prefix, where they are of this app."""
        raise NotImplementedError

    @property
    def repository_prefixes(self) -> tuple[str, ...]:
        """The repository prefixes of the images; ``ROOT`` alone where that is one of them."""
        return (ROOT,) if ROOT in self.rules else tuple(self.rules)

    @property
    def importable(self) -> tuple[Importable, ...]:
        """The images that pulls may import, by repository prefix."""
        return tuple(rule.importable for rule in self.rules.values())

    @property
    def tags_repositories(self) -> bool:
        """Whether a creation template sets resource tags, for which an import needs ``ecr:TagResource``."""
        raise NotImplementedError

    def mapping(self, *, pinned_by_digest: PinnedByDigest = PinnedByDigest.LEAVE) -> CacheMapping:
        """The mapping from upstream images to those of this cache.

        :param pinned_by_digest: the rule for references with a digest. Default: they are left alone.
        """
        raise NotImplementedError

    def image_uri(
        self, repository_prefix: str, repository: str, *, tag: str | None = None, digest: str | None = None
    ) -> str:
        """The reference of a cached image.

        :param repository_prefix: prefix of one of the rules.
        :param repository: path of the upstream repository: ``coredns/coredns``.
        :param tag: tag. Default: none, which registries read as ``latest``.
        :param digest: digest with its algorithm. Default: none.
        :raises UserError: when no rule has that prefix.
        """
        rule = self.rules.get(repository_prefix)
        if rule is None:
            raise UserError(
                f"{self.node.path}: no upstream is cached under {repository_prefix!r}; there are {', '.join(self.rules)}"
            )
        return rule.image_uri(repository, tag=tag, digest=digest)

    def grant(self, grantee: iam.IGrantable, *actions: str) -> iam.Grant:
        """Grant actions on the repositories of every prefix.

        :param grantee: a principal. Where it is of another account, the registry policy or the repository policies allow it
            too.
        :param actions: actions of IAM: ``ecr:DescribeImages``.
        :raises UserError: when another account must be let in and the registry's policies are not of this app.
        """
        return self._granting().to(grantee, actions)

    def grant_pull(self, grantee: iam.IGrantable) -> iam.Grant:
        """Grant pulls of images that are cached, under every prefix.

        :param grantee: a principal; see :meth:`grant`.
        """
        return self._granting().to(grantee, permissions.PULL)

    def grant_import(self, grantee: iam.IGrantable) -> iam.Grant:
        """Grant pulls, and with them the import of images that are not cached yet.

        :param grantee: a principal; see :meth:`grant`.
        :raises UserError: when the registry holds replicas only.
        """
        if not self.rules:
            raise error_at(self, "", "the registry holds replicas only, so a pull cannot import; use grant_pull")
        return self._granting().to(grantee, import_actions(tags=self.tags_repositories))

    def metric(self, name: str, **options: Unpack[MetricOptions]) -> cloudwatch.Metric:
        """A metric of the registry that :class:`CacheDashboard` publishes.

        :param name: ``ImportsDone`` or ``ImportsFailed``; others are named in ``CacheDashboard.metric``.
        :param options: options of the metric.
        """
        import aws_cdk as cdk

        return metric_of(name, options, dimensions={}, defaults={"period": cdk.Duration.hours(1), "statistic": "Sum"})

    def metric_imports(self, **options: Unpack[MetricOptions]) -> cloudwatch.Metric:
        """Imports that succeeded. Default: their sum in an hour.

        :param options: options of the metric.
        """
        return self.metric("ImportsDone", **options)

    def metric_failed_imports(self, **options: Unpack[MetricOptions]) -> cloudwatch.Metric:
        """Imports that failed. Default: their sum in an hour.

        :param options: options of the metric.
        """
        return self.metric("ImportsFailed", **options)

    def add_node_pull_policy(self, id: str, **props: Unpack[NodePullPolicyProps]) -> NodePullPolicy:
        """Add the managed policy with which nodes of this stack's account pull.

        :param id: id below the cache.
        :param props: parameters of :class:`NodePullPolicy`.
        """
        from ..cluster.node_pull_policy import NodePullPolicy

        return NodePullPolicy(self, id, cache=self, **props)

    def add_warmer(self, id: str, **props: Unpack[ImageWarmerProps]) -> ImageWarmer:
        """Add a warmer, which imports images on a schedule and when their list changes.

        :param id: id below the cache.
        :param props: parameters of :class:`ImageWarmer`.
        """
        from ..day_two.image_warmer import ImageWarmer

        return ImageWarmer(self, id, cache=self, **props)

    def _granting(self) -> Granting:
        raise NotImplementedError


@checked
class PullThroughCache(_Cache):
    """A pull through cache for the registry that the stack is deployed to.

    One rule and one repository creation template for each prefix; replication, which comes before the rules so that every
    imported image is replicated; and for other accounts both permissions that a pull needs here: to import by the
    registry policy, to pull by the repository policy of the templates. The third is theirs: :class:`NodePullPolicy`.

    https://docs.aws.amazon.com/AmazonECR/latest/userguide/pull-through-cache.html

    :param scope: parent.
    :param id: id below the parent.
    :param upstreams: the upstream registry of each repository prefix, or its host; a prefix has 2 to 30 characters, ``ROOT``
        is none.
    :param settings: settings of the repositories. Default: mutable tags and AES-256.
    :param replicate_to: the destinations of replication, or the names of Regions of the same account. Default: none.
    :param replicate_also: prefixes of further repositories of this registry that are replicated. Default: none.
    :param pullers: the other accounts that pull. Default: none.
    :param importers: the other accounts, of those, whose pulls may import. Default: all of them.
    :param replicated_from: accounts whose registries replicate into this one under the same prefixes. Default: none.
    :param empty_on_delete: whether cached repositories are deleted with the stack; see :class:`CacheRemoval`. Default: they
        are kept.
    :raises UserError: when there are no upstreams, or for the reasons of :class:`PullThroughCacheRule`,
        :class:`RepositoryCreationTemplate` and :class:`ReplicationConfiguration`.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        upstreams: Mapping[str, Upstream | UpstreamCache | str],
        settings: CreationTemplateSettings | None = None,
        replicate_to: Sequence[ReplicationDestination | str] = (),
        replicate_also: Sequence[str] = (),
        pullers: Pullers | None = None,
        importers: Pullers | None = None,
        replicated_from: Sequence[str] = (),
        empty_on_delete: bool = False,
    ) -> None:
        if not upstreams:
            raise error_at(scope, id, "no upstreams are given; give at least one, such as {'k8s': Upstream.KUBERNETES}")
        with at(scope, id):
            caches = {prefix: _as_cache(upstream) for prefix, upstream in sorted(upstreams.items())}
            destinations = _destinations(replicate_to)
            check_limits(
                Importable(prefix=prefix, allow=cache.allow, known_only=cache.known_repositories_only)
                for prefix, cache in caches.items()
            )
            for account in replicated_from:
                check_account(account)
        super().__init__(scope, id)
        self._registry = CacheRegistry.of(scope)
        self.pullers = pullers or Pullers()
        """The other accounts that pull."""
        self.importers = self.pullers if importers is None else importers
        """The other accounts, of those, whose pulls may import."""
        applied_for = (AppliedFor.PULL_THROUGH_CACHE, *((AppliedFor.REPLICATION,) if replicated_from else ()))
        self._templates = make_templates(
            self,
            {prefix: cache.settings or settings or CreationTemplateSettings() for prefix, cache in caches.items()},
            pullers=self.pullers,
            applied_for=applied_for,
        )
        self.replication = replicate(self, destinations, (*caches, *replicate_also))
        """The replication configuration, if images are replicated."""
        self._rules = self._make_rules(caches)
        self._open_registry(replicated_from)
        self.removal = self.add_removal("Removal") if empty_on_delete else None
        """The construct that deletes cached repositories with the stack, if ``empty_on_delete`` asks for it."""

    @classmethod
    def from_attributes(
        cls,
        scope: Construct,
        id: str,
        *,
        upstreams: Mapping[str, Upstream | UpstreamCache | str],
        registry: CacheRegistry | None = None,
        replicas: Mapping[str, Upstream | UpstreamCache | str] | None = None,
        prepopulated: bool = False,
        tags_repositories: bool = False,
        pullers: Pullers | None = None,
    ) -> IPullThroughCache:
        """A cache that exists already, in this environment or another one.

        :param scope: parent.
        :param id: id below the parent.
        :param upstreams: the upstream registry of each repository prefix that the registry pulls through; empty where it
            holds replicas only.
        :param registry: the registry. Default: that of the stack's own environment.
        :param replicas: the upstream registry of each repository prefix whose images are replicated or pushed there, and
            cannot be imported by a pull. Default: none.
        :param prepopulated: whether every image that runs is there before it runs, so that images of ``replicas`` may be
            rewritten too. Default: no.
        :param tags_repositories: whether a creation template sets resource tags there. Default: none does.
        :param pullers: the other accounts that the registry lets pull and import. Default: none.
        :raises UserError: when a prefix is not one that ECR accepts, or none is given.
        """
        return _ImportedCache(
            scope,
            id,
            upstreams=upstreams,
            registry=registry,
            replicas=replicas,
            prepopulated=prepopulated,
            tags_repositories=tags_repositories,
            pullers=pullers,
        )

    @property
    def rules(self) -> Mapping[str, PullThroughCacheRule]:
        """The pull through cache rule of each repository prefix."""
        return self._rules

    @property
    def templates(self) -> Mapping[str, RepositoryCreationTemplate]:
        """The repository creation template of each prefix."""
        return self._templates

    @property
    def registry_policy(self) -> RegistryPolicy | None:
        """The registry policy of the stack, if there is one."""
        return RegistryPolicy.find(self)

    @property
    def tags_repositories(self) -> bool:
        """Whether a template sets resource tags, for which an import needs ``ecr:TagResource``."""
        return any(template.settings.resource_tags for template in self.templates.values())

    def mapping(self, *, pinned_by_digest: PinnedByDigest = PinnedByDigest.LEAVE) -> CacheMapping:
        """The mapping from upstream images to those of this cache.

        :param pinned_by_digest: the rule for references with a digest. Default: they are left alone.
        """
        rules = [rule.cached for rule in self.rules.values()]
        return CacheMapping.of(self.registry.host, rules, pinned_by_digest=pinned_by_digest)

    def add_backfill(self, id: str, **props: Unpack[RepositoryBackfillProps]) -> RepositoryBackfill:
        """Add a backfill, which brings the templates' settings to repositories that exist already.

        :param id: id below the cache.
        :param props: parameters of :class:`RepositoryBackfill`.
        """
        from ..day_two.repository_backfill import RepositoryBackfill

        return RepositoryBackfill(self, id, cache=self, **props)

    def add_removal(self, id: str) -> CacheRemoval:
        """Add a removal, which deletes cached repositories when the stack is deleted.

        :param id: id below the cache.
        """
        from ..day_two.cache_removal import CacheRemoval

        return CacheRemoval(self, id, cache=self)

    def add_dashboard(self, id: str, **props: Unpack[CacheDashboardProps]) -> CacheDashboard:
        """Add a dashboard of the registry, with alarms.

        :param id: id below the cache.
        :param props: parameters of :class:`CacheDashboard`.
        """
        from ..day_two.cache_dashboard import CacheDashboard

        return CacheDashboard(self, id, cache=self, **props)

    def _granting(self) -> Granting:
        return Granting(
            owner=self,
            registry=self.registry,
            prefixes=self.repository_prefixes,
            pullers=self.pullers,
            importers=self.importers,
            templates=tuple(self.templates.values()),
            importable=self.importable,
        )

    def _make_rules(self, caches: Mapping[str, UpstreamCache]) -> Mapping[str, PullThroughCacheRule]:
        scope = Construct(self, "Rules")
        rules = {}
        for prefix, cache in caches.items():
            rule = rules[prefix] = PullThroughCacheRule(
                scope,
                prefix,
                upstream=cache.upstream,
                repository_prefix=prefix,
                upstream_repository_prefix=cache.upstream_repository_prefix,
                credentials=cache.credentials,
                deployed_credential_arn=cache.deployed_credential_arn,
                role=cache.role,
                allow=cache.allow,
                known_repositories_only=cache.known_repositories_only,
            )
            rule.let_in, rule.let_import = self.pullers, self.importers
            rule.node.add_dependency(self.templates[prefix])
        if self.replication is not None:
            scope.node.add_dependency(self.replication)
        return rules

    def _open_registry(self, replicated_from: Sequence[str]) -> None:
        prefixes = self.repository_prefixes
        if self.importers:
            RegistryPolicy.of(self).add_statements(
                registry_import(self.registry, self.importers, self.importable, tags=self.tags_repositories)
            )
        open_to_sources(self, replicated_from, prefixes, tags_repositories=self.tags_repositories)


class _ImportedCache(_Cache):
    """A cache that is not of this app."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        upstreams: Mapping[str, Upstream | UpstreamCache | str],
        registry: CacheRegistry | None,
        replicas: Mapping[str, Upstream | UpstreamCache | str] | None,
        prepopulated: bool,
        tags_repositories: bool,
        pullers: Pullers | None,
    ) -> None:
        if not upstreams and not replicas:
            raise error_at(scope, id, "no upstreams are given; give those of the images that the registry holds")
        with at(scope, id):
            imported = {check_prefix(prefix): _as_cache(given) for prefix, given in sorted(upstreams.items())}
            self._imported = {prefix: cache.under(prefix) for prefix, cache in imported.items()}
            held = {check_prefix(prefix): _as_cache(given) for prefix, given in sorted((replicas or {}).items())}
            self._held = {prefix: cache.under(prefix) for prefix, cache in held.items()}
        super().__init__(scope, id)
        self._registry = registry or CacheRegistry.of(scope)
        self._prepopulated = prepopulated
        self._tags_repositories = tags_repositories
        self._pullers = pullers or Pullers()
        rules = Construct(self, "Rules")
        self._rules = {
            prefix: PullThroughCacheRule.from_prefix(
                rules,
                prefix,
                repository_prefix=prefix,
                registry=self._registry,
                tags_repositories=tags_repositories,
                pullers=self._pullers,
                allow=cache.allow,
                known_repositories_only=cache.known_repositories_only,
            )
            for prefix, cache in imported.items()
        }

    @property
    def rules(self) -> Mapping[str, IPullThroughCacheRule]:
        return self._rules

    @property
    def templates(self) -> Mapping[str, RepositoryCreationTemplate]:
        return {}

    @property
    def repository_prefixes(self) -> tuple[str, ...]:
        prefixes = sorted({*self._imported, *self._held})
        return (ROOT,) if ROOT in prefixes else tuple(prefixes)

    @property
    def tags_repositories(self) -> bool:
        return self._tags_repositories

    def mapping(self, *, pinned_by_digest: PinnedByDigest = PinnedByDigest.LEAVE) -> CacheMapping:
        held = self._held if self._prepopulated or not self._imported else {}
        known = {**self._imported, **held}
        return CacheMapping(
            registry=self.registry.host,
            rules=tuple(known[prefix] for prefix in sorted(known)),
            pinned_by_digest=pinned_by_digest,
            replica_only=not self._imported and not self._prepopulated,
        )

    def _granting(self) -> Granting:
        return Granting(
            owner=self,
            registry=self.registry,
            prefixes=self.repository_prefixes,
            pullers=self._pullers,
            importers=self._pullers,
            importable=self.importable,
            refusal=NOT_OURS,
        )


@checked
class ReplicaRegistry(Construct):
    """A registry that holds images which are replicated into it, or pushed where ECR cannot pull through.

    Its repositories get their settings from repository creation templates of its own, because replication copies images
    and not settings; its registry policy lets in the sources of other accounts.

    https://docs.aws.amazon.com/AmazonECR/latest/userguide/replication-creation-templates.html

    :param scope: parent.
    :param id: id below the parent.
    :param repository_prefixes: prefixes of the repositories that arrive; ``ROOT`` for all.
    :param settings: settings of the repositories, for all or by prefix. Default: mutable tags and AES-256.
    :param replicated_from: accounts whose registries replicate into this one. Default: none.
    :param replicate_to: the destinations of images that are pushed here, or the names of Regions of the same account; replicas
        themselves are not replicated on. Default: none.
    :param pullers: the other accounts that pull. Default: none.
    :param applied_for: how the repositories come about. Default: by replication.
    :raises UserError: when no prefix is given, or for the reasons of :class:`RepositoryCreationTemplate`.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        repository_prefixes: Sequence[str],
        settings: CreationTemplateSettings | Mapping[str, CreationTemplateSettings] | None = None,
        replicated_from: Sequence[str] = (),
        replicate_to: Sequence[ReplicationDestination | str] = (),
        pullers: Pullers | None = None,
        applied_for: Sequence[AppliedFor] = (AppliedFor.REPLICATION,),
    ) -> None:
        if not repository_prefixes:
            raise error_at(scope, id, "no repository prefixes are given; give those of the images that arrive")
        if not applied_for:
            raise error_at(scope, id, f"applied_for is empty; allowed are {', '.join(a.value for a in AppliedFor)}")
        with at(scope, id):
            destinations = _destinations(replicate_to)
            for account in replicated_from:
                check_account(account)
        super().__init__(scope, id)
        self.registry = CacheRegistry.of(scope)
        """The registry of the stack's environment."""
        by_prefix = settings if isinstance(settings, Mapping) else {}
        default = settings if isinstance(settings, CreationTemplateSettings) else CreationTemplateSettings()
        self.templates = make_templates(
            self,
            {prefix: by_prefix.get(prefix, default) for prefix in sorted(set(repository_prefixes))},
            pullers=pullers or Pullers(),
            applied_for=applied_for,
        )
        """The repository creation template of each prefix."""
        self.replication = replicate(self, destinations, tuple(self.templates))
        """The replication configuration, if images are copied anywhere."""
        tagged = any(template.settings.resource_tags for template in self.templates.values())
        open_to_sources(self, replicated_from, tuple(self.templates), tags_repositories=tagged)

    @property
    def repository_prefixes(self) -> tuple[str, ...]:
        """The repository prefixes of the images; ``ROOT`` alone where that is one of them."""
        return (ROOT,) if ROOT in self.templates else tuple(self.templates)


def replicate(
    scope: Construct, destinations: Sequence[ReplicationDestination], prefixes: Sequence[str]
) -> ReplicationConfiguration | None:
    """The replication configuration of a registry, below ``Replication``, if images are copied anywhere.

    :param scope: parent.
    :param destinations: where to.
    :param prefixes: prefixes of the repositories; ``ROOT`` for all.
    """
    if not destinations:
        return None
    filters = () if ROOT in prefixes else tuple(sorted(set(prefixes)))
    rule = ReplicationRule(destinations=tuple(destinations), repository_prefixes=filters)
    return ReplicationConfiguration(scope, "Replication", rules=[rule])


def make_templates(
    scope: Construct,
    settings: Mapping[str, CreationTemplateSettings],
    *,
    pullers: Pullers,
    applied_for: Sequence[AppliedFor],
) -> Mapping[str, RepositoryCreationTemplate]:
    """A repository creation template for each prefix, below ``Templates``, that lets the pullers in.

    :param scope: parent.
    :param settings: what the repositories of each prefix are created with.
    :param pullers: who pulls besides the registry's own account.
    :param applied_for: what creates the repositories.
    """
    parent = Construct(scope, "Templates")
    registry = CacheRegistry.of(scope)
    with at(scope, ""):
        policies = {
            prefix: pullers.repository_policy(registry, chosen.repository_policy) for prefix, chosen in settings.items()
        }
    return {
        prefix: RepositoryCreationTemplate(
            parent,
            prefix,
            prefix=prefix,
            applied_for=applied_for,
            settings=replace(chosen, repository_policy=policies[prefix]),
            description="Repositories of the pull through cache",
        )
        for prefix, chosen in settings.items()
    }


def open_to_sources(
    scope: Construct, accounts: Sequence[str], prefixes: Sequence[str], *, tags_repositories: bool
) -> None:
    """Let registries of other accounts replicate into the one of a construct.

    :param scope: any construct of the stack.
    :param accounts: the sources' accounts; the stack's own needs no permission.
    :param prefixes: repository prefixes of the replicas.
    :param tags_repositories: whether a creation template sets resource tags on the replicas' repositories.
    :raises UserError: when the form of an account is wrong.
    """
    others = _other_accounts(scope, accounts)
    if others:
        RegistryPolicy.of(scope).grant_replication(
            *others, repository_prefixes=prefixes, tags_repositories=tags_repositories
        )


def _other_accounts(scope: Construct, accounts: Sequence[str]) -> list[str]:
    return sorted(set(accounts) - {place_of(scope).account})


def _as_cache(upstream: Upstream | UpstreamCache | str) -> UpstreamCache:
    given = upstream if isinstance(upstream, UpstreamCache) else UpstreamCache(upstream=upstream)
    return replace(given, upstream=given.registry)


def _destinations(given: Sequence[ReplicationDestination | str]) -> list[ReplicationDestination]:
    return [to if isinstance(to, ReplicationDestination) else ReplicationDestination(region=to) for to in given]
