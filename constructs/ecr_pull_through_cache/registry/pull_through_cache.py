"""The whole cache of one registry: rules, templates, replication and permissions that match."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from aws_cdk import aws_iam as iam

from constructs import Construct

from .._checks import error_at
from .._place import group, place_of, settle
from ..ecr import permissions
from ..ecr.statements import Importable, registry_import
from ..errors import UserError
from ..images import ROOT, CacheMapping, PinnedByDigest, Upstream
from .cache_registry import CacheRegistry
from .pull_through_cache_rule import PullThroughCacheRule
from .pullers import Pullers
from .registry_policy import RegistryPolicy
from .replication import ReplicationConfiguration, ReplicationDestination, ReplicationRule
from .repository_creation_template import AppliedFor, CreationTemplateSettings, RepositoryCreationTemplate

if TYPE_CHECKING:
    from aws_cdk import aws_secretsmanager as secretsmanager


@dataclass(frozen=True, kw_only=True)
class UpstreamCache:
    """How one upstream registry is cached, where more is to be said than which one.

    :param upstream: the upstream registry.
    :param upstream_repository_prefix: the part of it to cache; all of it if left out.
    :param credentials: secret that ECR signs in with; see :class:`UpstreamCredentials`.
    :param recorded_credential_arn: see :class:`PullThroughCacheRule`.
    :param role: role that ECR assumes for a private ECR upstream of another account; made if left out.
    :param settings: what its repositories are created with; those of the cache if left out.
    """

    upstream: Upstream
    upstream_repository_prefix: str = ROOT
    credentials: secretsmanager.ISecret | None = None
    deployed_credential_arn: str | None = None
    role: iam.IRole | None = None
    settings: CreationTemplateSettings | None = None


class PullThroughCache(Construct):
    """A pull through cache for the registry that the stack is deployed to.

    One rule and one repository creation template for each prefix; replication, which comes before the rules so that
    nothing is pulled unreplicated; and for other accounts both permissions that a pull needs here: to import by the
    registry policy, to pull by the repository policy of the templates. The third is theirs: :class:`NodePullPolicy`.

    https://docs.aws.amazon.com/AmazonECR/latest/userguide/pull-through-cache.html

    :param scope: parent.
    :param id: id below the parent.
    :param upstreams: the upstream registry of each repository prefix; a prefix has 2 to 30 characters, ``ROOT`` is none.
    :param settings: what repositories are created with; mutable tags and AES-256 if left out.
    :param replicate_to: where cached images are copied to.
    :param replicate_also: prefixes of further repositories of this registry that are copied there.
    :param pullers: who pulls besides the registry's own account.
    :param importers: whose pulls may import, of those; all of them if left out.
    :param replicated_from: accounts whose registries replicate into this one under the same prefixes.
    :raises UserError: when there are no upstreams, or for what :class:`PullThroughCacheRule`,
        :class:`RepositoryCreationTemplate` and :class:`ReplicationConfiguration` refuse.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        upstreams: Mapping[str, Upstream | UpstreamCache],
        settings: CreationTemplateSettings | None = None,
        replicate_to: Sequence[ReplicationDestination] = (),
        replicate_also: Sequence[str] = (),
        pullers: Pullers | None = None,
        importers: Pullers | None = None,
        replicated_from: Sequence[str] = (),
    ) -> None:
        if not upstreams:
            raise error_at(scope, id, "no upstreams are given; give at least one, such as {'k8s': Upstream.KUBERNETES}")
        super().__init__(scope, id)
        settle(self, scope, id)
        self.registry = CacheRegistry.of(scope)
        """The registry of the stack's environment."""
        self.pullers = pullers or Pullers()
        """Who pulls besides the registry's own account."""
        self.importers = self.pullers if importers is None else importers
        """Whose pulls may import, of those."""
        caches = {prefix: _as_cache(upstream) for prefix, upstream in sorted(upstreams.items())}
        applied_for = (AppliedFor.PULL_THROUGH_CACHE, *((AppliedFor.REPLICATION,) if replicated_from else ()))
        self.templates = make_templates(
            self,
            {prefix: cache.settings or settings or CreationTemplateSettings() for prefix, cache in caches.items()},
            pullers=self.pullers,
            applied_for=applied_for,
        )
        """The repository creation template of each prefix."""
        self.replication = replicate(self, replicate_to, (*caches, *replicate_also))
        """The replication configuration, if images are copied anywhere."""
        self.rules = self._make_rules(caches)
        """The pull through cache rule of each prefix."""
        self.registry_policy = self._open_registry(replicated_from)
        """The registry policy of the stack, if it is needed."""

    @property
    def tags_repositories(self) -> bool:
        """Whether a template sets resource tags, for which a puller needs ``ecr:TagResource`` too."""
        return any(template.settings.resource_tags for template in self.templates.values())

    def mapping(self, *, pinned_by_digest: PinnedByDigest = PinnedByDigest.LEAVE) -> CacheMapping:
        """The mapping from upstream images to those of this cache.

        :param pinned_by_digest: the rule for references with a digest.
        """
        rules = [rule.cached for rule in self.rules.values()]
        return CacheMapping.of(self.registry.host, rules, pinned_by_digest=pinned_by_digest)

    def image_uri(
        self, repository_prefix: str, repository: str, *, tag: str | None = None, digest: str | None = None
    ) -> str:
        """The reference of a cached image.

        :param repository_prefix: prefix of one of the rules.
        :param repository: path of the upstream repository: ``coredns/coredns``.
        :param tag: its tag.
        :param digest: its digest with the algorithm.
        :raises UserError: when no rule has that prefix.
        """
        rule = self.rules.get(repository_prefix)
        if rule is None:
            raise UserError(
                f"{self.node.path}: no upstream is cached under {repository_prefix!r}; there are {', '.join(self.rules)}"
            )
        return rule.image_uri(repository, tag=tag, digest=digest)

    def grant_pull(self, grantee: iam.IGrantable) -> iam.Grant:
        """Let somebody of this account pull what is cached already, under every prefix.

        :param grantee: a role, user or group.
        """
        return self._grant(grantee, permissions.PULL)

    def grant_import(self, grantee: iam.IGrantable) -> iam.Grant:
        """Let somebody of this account pull, and by that import what is not cached yet.

        :param grantee: a role, user or group.
        """
        tag = permissions.TAG if self.tags_repositories else ()
        return self._grant(grantee, (*permissions.PULL, *permissions.IMPORT, *tag))

    def _grant(self, grantee: iam.IGrantable, actions: Iterable[str]) -> iam.Grant:
        sign_in = iam.Grant.add_to_principal(
            grantee=grantee, actions=list(permissions.AUTHENTICATE), resource_arns=["*"]
        )
        patterns = [rule.repository_arn_pattern for rule in self.rules.values()]
        return sign_in.combine(
            iam.Grant.add_to_principal(grantee=grantee, actions=list(actions), resource_arns=patterns)
        )

    def _make_rules(self, caches: Mapping[str, UpstreamCache]) -> Mapping[str, PullThroughCacheRule]:
        scope = group(self, "Rules")
        rules = {}
        for prefix, cache in caches.items():
            rules[prefix] = PullThroughCacheRule(
                scope,
                prefix,
                upstream=cache.upstream,
                repository_prefix=prefix,
                upstream_repository_prefix=cache.upstream_repository_prefix,
                credentials=cache.credentials,
                deployed_credential_arn=cache.deployed_credential_arn,
                role=cache.role,
            )
            rules[prefix].node.add_dependency(self.templates[prefix])
        if self.replication is not None:
            scope.node.add_dependency(self.replication)
        return rules

    def _open_registry(self, replicated_from: Sequence[str]) -> RegistryPolicy | None:
        prefixes = (ROOT,) if ROOT in self.rules else tuple(self.rules)
        if self.importers:
            caches = [Importable(prefix=prefix) for prefix in prefixes]
            RegistryPolicy.of(self).add_statements(
                registry_import(self.registry, self.importers, caches, tags=self.tags_repositories)
            )
        open_to_sources(self, replicated_from, prefixes, tags_repositories=self.tags_repositories)
        others = bool(self.importers) or bool(_other_accounts(self, replicated_from))
        return RegistryPolicy.of(self) if others else None


class ReplicaRegistry(Construct):
    """A registry that holds images which others bring: by replication, or by a push where ECR cannot pull through.

    Its repositories get their settings from repository creation templates of its own, because replication copies images
    and not settings, and the sources in other accounts are let in by its registry policy.

    https://docs.aws.amazon.com/AmazonECR/latest/userguide/replication-creation-templates.html

    :param scope: parent.
    :param id: id below the parent.
    :param repository_prefixes: prefixes of the repositories that arrive; ``ROOT`` for all.
    :param settings: what repositories are created with; mutable tags and AES-256 if left out.
    :param replicated_from: accounts whose registries replicate into this one.
    :param replicate_to: where images that were pushed are copied to; replicas themselves are not replicated on.
    :param pullers: who pulls besides the registry's own account.
    :param applied_for: what creates the repositories here; replication if left out.
    :raises UserError: when no prefix is given, or for what :class:`RepositoryCreationTemplate` refuses.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        repository_prefixes: Sequence[str],
        settings: CreationTemplateSettings | Mapping[str, CreationTemplateSettings] | None = None,
        replicated_from: Sequence[str] = (),
        replicate_to: Sequence[ReplicationDestination] = (),
        pullers: Pullers | None = None,
        applied_for: Sequence[AppliedFor] = (AppliedFor.REPLICATION,),
    ) -> None:
        if not repository_prefixes:
            raise error_at(scope, id, "no repository prefixes are given; give those of the images that arrive")
        super().__init__(scope, id)
        settle(self, scope, id)
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
        self.replication = replicate(self, replicate_to, tuple(self.templates))
        """The replication configuration, if images are copied anywhere."""
        tagged = any(template.settings.resource_tags for template in self.templates.values())
        open_to_sources(self, replicated_from, tuple(self.templates), tags_repositories=tagged)


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
    parent = group(scope, "Templates")
    registry = CacheRegistry.of(scope)
    return {
        prefix: RepositoryCreationTemplate(
            parent,
            prefix,
            prefix=prefix,
            applied_for=applied_for,
            settings=replace(chosen, repository_policy=pullers.repository_policy(registry, chosen.repository_policy)),
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


def _as_cache(upstream: Upstream | UpstreamCache) -> UpstreamCache:
    return upstream if isinstance(upstream, UpstreamCache) else UpstreamCache(upstream=upstream)
