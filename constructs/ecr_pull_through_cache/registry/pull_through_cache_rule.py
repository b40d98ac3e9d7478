"""One upstream registry, cached under one repository prefix."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import jsii
from aws_cdk import Annotations
from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_iam as iam

from constructs import Construct, IValidation, Node

from .._checks import at, claim_prefix, count_of, error_at, warn_of_new_region
from .._place import is_unresolved, place_of
from .._props import checked
from ..ecr import permissions, quotas, secrets, statements
from ..ecr.statements import Importable, Who
from ..images import ROOT, CachedUpstream, Credentials, Upstream, check_prefix
from ._grants import Granting
from .cache_registry import CacheRegistry
from .pullers import Pullers
from .repository_creation_template import templates_for
from .upstream_credentials import UpstreamCredentials, check_credentials

if TYPE_CHECKING:
    from aws_cdk import aws_secretsmanager as secretsmanager

NOT_OURS = (
    "its policies are not of this app; let the account in where the registry is made (pullers), and say so here (pullers of "
    "from_attributes or from_prefix)"
)
"""Why an imported cache cannot let another account in."""

UNVERIFIED_PARTITION = "cdk-ecr-pull-through-cache:unverifiedPartition"
"""Id of the warning that AWS does not say whether ECR pulls through in the partition."""

CREDENTIAL_METADATA = "ecr-pull-through-cache:credential"
"""Metadata of the rule's resource: the credential it is to use, where CloudFormation has recorded another one."""


@runtime_checkable
class IPullThroughCacheRule(Protocol):
    """A pull through cache rule, of this app or of another one.

    :class:`PullThroughCacheRule` and the objects of its ``from_prefix`` have this shape; a class of your own may, too.
    """

    @property
    def node(self) -> Node:
        """The node in the construct tree."""

    @property
    def repository_prefix(self) -> str:
        """ECR's repository prefix, ``ROOT`` for none."""

    @property
    def registry(self) -> CacheRegistry:
        """The registry that the rule belongs to."""

    @property
    def importable(self) -> Importable:
        """The images that pulls may import."""

    @property
    def repository_arn_pattern(self) -> str:
        """ARN pattern of the repositories that the rule fills."""

    @property
    def tags_repositories(self) -> bool:
        """Whether a creation template sets resource tags, for which an import needs ``ecr:TagResource``."""

    def image_uri(self, repository: str, *, tag: str | None = None, digest: str | None = None) -> str:
        """The reference of a cached image.

        :param repository: path of the upstream repository: ``coredns/coredns``; ``library/nginx`` for Docker Hub's own.
        :param tag: tag. Default: none, which registries read as ``latest``.
        :param digest: digest with its algorithm. The first pull must be by tag. Default: none.
        """

    def grant(self, grantee: iam.IGrantable, *actions: str) -> iam.Grant:
        """Grant actions on the repositories that the rule fills.

        :param grantee: a principal. Where it is of another account, the registry policy or the repository policies allow it
            too.
        :param actions: actions of IAM: ``ecr:DescribeImages``.
        :raises UserError: when another account must be let in and the registry's policies are not of this app.
        """

    def grant_pull(self, grantee: iam.IGrantable) -> iam.Grant:
        """Grant pulls of images that are cached.

        :param grantee: a principal; see :meth:`grant`.
        """

    def grant_import(self, grantee: iam.IGrantable) -> iam.Grant:
        """Grant pulls, and with them the import of images that are not cached yet.

        :param grantee: a principal; see :meth:`grant`.
        """


class _Rule(Construct):
    """Methods of every rule, defined in this app or imported."""

    @property
    def repository_prefix(self) -> str:
        """ECR's repository prefix, ``ROOT`` for none."""
        raise NotImplementedError

    @property
    def registry(self) -> CacheRegistry:
        """The registry that the rule belongs to."""
        raise NotImplementedError

    @property
    def importable(self) -> Importable:
        """The images that pulls may import."""
        raise NotImplementedError

    @property
    def tags_repositories(self) -> bool:
        """Whether a creation template sets resource tags, for which an import needs ``ecr:TagResource``."""
        raise NotImplementedError

    @property
    def repository_arn_pattern(self) -> str:
        """ARN pattern of the repositories that the rule fills."""
        return self.registry.arn_for_repositories(self.repository_prefix)

    def image_uri(self, repository: str, *, tag: str | None = None, digest: str | None = None) -> str:
        """The reference of a cached image.

        :param repository: path of the upstream repository: ``coredns/coredns``; ``library/nginx`` for Docker Hub's own.
        :param tag: tag. Default: none, which registries read as ``latest``.
        :param digest: digest with its algorithm. The first pull must be by tag. Default: none.
        """
        return self.registry.image_uri(
            self.repository_prefix, repository, tag=tag, digest=digest, dotted=self._names_may_hold_dots
        )

    @property
    def _names_may_hold_dots(self) -> bool:
        """Whether the first part of a repository's name may look like a host, as in private ECR."""
        return False

    def grant(self, grantee: iam.IGrantable, *actions: str) -> iam.Grant:
        """Grant actions on the repositories that the rule fills.

        :param grantee: a principal. Where it is of another account, the registry policy or the repository policies allow it
            too.
        :param actions: actions of IAM: ``ecr:DescribeImages``.
        :raises UserError: when another account must be let in and the registry's policies are not of this app.
        """
        return self._granting().to(grantee, actions)

    def grant_pull(self, grantee: iam.IGrantable) -> iam.Grant:
        """Grant pulls of images that are cached.

        :param grantee: a principal; see :meth:`grant`.
        """
        return self._granting().to(grantee, permissions.PULL)

    def grant_import(self, grantee: iam.IGrantable) -> iam.Grant:
        """Grant pulls, and with them the import of images that are not cached yet, under this rule's prefix alone.

        :param grantee: a principal; see :meth:`grant`.
        """
        return self._granting().to(grantee, import_actions(tags=self.tags_repositories))

    def _granting(self) -> Granting:
        raise NotImplementedError


def import_actions(*, tags: bool) -> tuple[str, ...]:
    """The actions of a pull that imports.

    :param tags: whether a creation template sets resource tags.
    """
    return (*permissions.PULL, *permissions.IMPORT, *(permissions.TAG if tags else ()))


@checked
class PullThroughCacheRule(_Rule):
    """A pull through cache rule of the registry that the stack is deployed to.

    **What CloudFormation cannot change.** Every property of the resource is create-only and its identifier is the prefix,
    so a change that keeps the prefix fails with *already exists*. The upstream of a prefix is changed in two deployments: one
    without the rule, one with the new one; cached repositories stay. The role made for a cross-account upstream keeps its
    logical id, so its ARN stays. Credentials are rotated by writing a new value into the same secret. Where another secret
    must be used, give the old ARN as ``deployed_credential_arn``: the template stays as CloudFormation knows it, and
    ``ecr-pull-through check --fix`` moves the rule to the new secret through ``UpdatePullThroughCacheRule``.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ecr-pullthroughcacherule.html

    :param scope: parent.
    :param id: id below the parent. Keep it: the logical id follows from it.
    :param upstream: the upstream registry, or its host: ``registry.k8s.io``.
    :param repository_prefix: 2 to 30 characters, or ``ROOT`` for none.
    :param upstream_repository_prefix: the part of the upstream to cache; all of it if left out.
    :param credentials: secret with the JSON keys ``username`` and ``accessToken``, its name beginning
        ``ecr-pullthroughcache/``, in this account and Region; see :class:`UpstreamCredentials`.
    :param deployed_credential_arn: ARN of the secret that the rule was created with, where ``credentials`` is another.
    :param role: role that ECR assumes to read a private ECR upstream of another account; made if left out.
    :param allow: repositories that may be imported; see :class:`UpstreamCache`. Default: all of them.
    :param known_repositories_only: whether pulls may import into existing repositories alone. Default: they create new ones.
    :raises UserError: when a prefix is not ECR's, overlaps another rule's, the upstream needs credentials and has none, has
        some that ECR cannot read, or is this registry itself or one of another partition; or when the registry has 50 rules.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        upstream: Upstream | str,
        repository_prefix: str,
        upstream_repository_prefix: str = ROOT,
        credentials: secretsmanager.ISecret | UpstreamCredentials | None = None,
        deployed_credential_arn: str | None = None,
        role: iam.IRole | None = None,
        allow: Sequence[str] = (),
        known_repositories_only: bool = False,
    ) -> None:
        with at(scope, id):
            source = upstream if isinstance(upstream, Upstream) else Upstream.from_host(upstream)
            cached = CachedUpstream(
                upstream=source,
                repository_prefix=repository_prefix,
                upstream_repository_prefix=upstream_repository_prefix,
                allow=tuple(allow),
            )
        secret = credentials.secret if isinstance(credentials, UpstreamCredentials) else credentials
        _check_partition(scope, id, source)
        _check_need(scope, id, source, secret)
        if secret is not None:
            check_credentials(scope, id, secret)
        if deployed_credential_arn is not None and not is_unresolved(deployed_credential_arn):
            with at(scope, id):
                secrets.check_complete_arn(deployed_credential_arn)
        claim_prefix(scope, id, "pull through cache rule", cached.repository_prefix, nested=False)

        super().__init__(scope, id)
        self.cached = cached
        """Upstream and prefixes, for a :class:`CacheMapping`."""
        self.upstream = source
        """The upstream registry."""
        self._importable = Importable(
            prefix=cached.repository_prefix, allow=cached.allow, known_only=known_repositories_only
        )
        self._registry = CacheRegistry.of(scope)
        self._account = place_of(scope).account
        self._granted_untagged = False
        self.let_in = Who()
        """The other accounts that the cache of this rule lets pull."""
        self.let_import = Who()
        """The other accounts that the cache of this rule lets import."""
        self.credentials = secret
        """The secret in use, if any."""
        self.role = role or self._role_for(source)
        """The role that ECR assumes for the upstream, if it needs one."""
        self.resource = ecr.CfnPullThroughCacheRule(
            self,
            "Resource",
            ecr_repository_prefix=cached.repository_prefix,
            upstream_registry=source.name,
            upstream_registry_url=source.url,
            upstream_repository_prefix=None
            if cached.upstream_repository_prefix == ROOT
            else cached.upstream_repository_prefix,
            credential_arn=deployed_credential_arn or (secret.secret_arn if secret else None),
            custom_role_arn=self.role.role_arn if self.role else None,
        )
        """The L1."""
        if role is not None:
            # ECR checks the role when it makes the rule, so its policies come before.
            self.resource.node.add_dependency(role)
        if deployed_credential_arn is not None and secret is not None:
            self.resource.add_metadata(CREDENTIAL_METADATA, secret.secret_arn)
        _warn_of_the_unverified(self, place_of(scope).region)

    @classmethod
    def from_prefix(
        cls,
        scope: Construct,
        id: str,
        *,
        repository_prefix: str,
        registry: CacheRegistry | None = None,
        tags_repositories: bool = False,
        pullers: Pullers | None = None,
        allow: Sequence[str] = (),
        known_repositories_only: bool = False,
    ) -> IPullThroughCacheRule:
        """A rule that exists already, in this environment or another one.

        :param scope: parent.
        :param id: id below the parent.
        :param repository_prefix: the rule's repository prefix.
        :param registry: the registry it belongs to. Default: that of the stack's own environment.
        :param tags_repositories: whether a creation template sets resource tags there. Default: none does.
        :param pullers: the other accounts that the registry lets pull and import. Default: none.
        :param allow: repositories that may be imported; see :class:`UpstreamCache`. Default: all of them.
        :param known_repositories_only: whether pulls may import into existing repositories alone. Default: they create new
            ones.
        :raises UserError: when the prefix is not one that ECR accepts.
        """
        with at(scope, id):
            prefix = check_prefix(repository_prefix)
        importable = Importable(prefix=prefix, allow=tuple(allow), known_only=known_repositories_only)
        return _ImportedRule(
            scope, id, importable, registry or CacheRegistry.of(scope), tags_repositories, pullers or Pullers()
        )

    @property
    def repository_prefix(self) -> str:
        """ECR's repository prefix, ``ROOT`` for none."""
        return self.cached.repository_prefix

    @property
    def importable(self) -> Importable:
        """The images that pulls may import."""
        return self._importable

    @property
    def registry(self) -> CacheRegistry:
        """The registry of the stack's environment."""
        return self._registry

    @property
    def _names_may_hold_dots(self) -> bool:
        return self.upstream.account is not None

    @property
    def tags_repositories(self) -> bool:
        """Whether a creation template of the stack sets resource tags on the repositories that the rule fills."""
        return any(t.settings.resource_tags for t in templates_for(self, self.repository_prefix))

    def grant_import(self, grantee: iam.IGrantable) -> iam.Grant:
        """Grant pulls, and with them the import of images that are not cached yet, under this rule's prefix alone.

        :param grantee: a principal; see :meth:`grant`.
        """
        if not self.tags_repositories and not self._granted_untagged:
            self._granted_untagged = True
            self.node.add_validation(_TagsAreGranted(self))
        return super().grant_import(grantee)

    def _granting(self) -> Granting:
        prefix = self.repository_prefix
        return Granting(
            owner=self,
            registry=self._registry,
            prefixes=(prefix,),
            pullers=self.let_in,
            importers=self.let_import,
            templates=templates_for(self, prefix),
            importable=(self._importable,),
        )

    def _role_for(self, upstream: Upstream) -> iam.IRole | None:
        if upstream.account is None or upstream.region is None or upstream.account == self._account:
            return None
        granted = statements.upstream_role(
            self._registry,
            self.repository_prefix,
            CacheRegistry(account=upstream.account, region=upstream.region),
            self.cached.upstream_repository_prefix,
        )
        # Inline, so that the role never exists without it.
        return iam.Role(
            self,
            "Role",
            assumed_by=iam.ServicePrincipal("pullthroughcache.ecr.amazonaws.com"),
            description=f"Lets Amazon ECR pull images of {upstream.url} into the cache",
            inline_policies={"PullThrough": iam.PolicyDocument.from_json(statements.document(granted))},
        )


@jsii.implements(IValidation)
class _TagsAreGranted:
    """A template that tags and was made after a grant would need more than was granted."""

    def __init__(self, rule: PullThroughCacheRule) -> None:
        self._rule = rule

    def validate(self) -> list[str]:
        if not self._rule.tags_repositories:
            return []
        prefix = self._rule.repository_prefix
        message = (
            f"grant_import came before the creation template of {prefix!r}, so it lacks ecr:TagResource, "
            "which the template's resource tags need; make the template first"
        )
        return [message]


class _ImportedRule(_Rule):
    def __init__(
        self,
        scope: Construct,
        id: str,
        importable: Importable,
        registry: CacheRegistry,
        tags_repositories: bool,
        pullers: Pullers,
    ) -> None:
        super().__init__(scope, id)
        self._importable = importable
        self._registry = registry
        self._tags_repositories = tags_repositories
        self._pullers = pullers

    @property
    def repository_prefix(self) -> str:
        return self._importable.prefix

    @property
    def importable(self) -> Importable:
        return self._importable

    @property
    def registry(self) -> CacheRegistry:
        return self._registry

    @property
    def tags_repositories(self) -> bool:
        return self._tags_repositories

    def _granting(self) -> Granting:
        return Granting(
            owner=self,
            registry=self._registry,
            prefixes=(self._importable.prefix,),
            pullers=self._pullers,
            importers=self._pullers,
            importable=(self._importable,),
            refusal=NOT_OURS,
        )


def _check_partition(scope: Construct, id: str, upstream: Upstream) -> None:
    here = place_of(scope)
    why = upstream.why_not_pulled_through(account=here.account, region=here.region)
    if why is not None:
        raise error_at(scope, id, f"{why}, or let others push or replicate its images here (ReplicaRegistry)")
    if count_of(scope, "pull through cache rule") >= quotas.RULES.value:
        raise error_at(
            scope,
            id,
            f"the registry has {quotas.RULES.value} rules already; allowed are {quotas.RULES.value} {quotas.RULES.name}, "
            "which AWS does not raise",
        )


def _warn_of_the_unverified(rule: PullThroughCacheRule, region: str) -> None:
    why = rule.upstream.unverified_in(region)
    if why is not None:
        Annotations.of(rule).add_warning_v2(UNVERIFIED_PARTITION, why)
    warn_of_new_region(rule, region)


def _check_need(scope: Construct, id: str, upstream: Upstream, credentials: secretsmanager.ISecret | None) -> None:
    if upstream.credentials is Credentials.REQUIRED and credentials is None:
        raise error_at(
            scope, id, f"{upstream.url} needs credentials; give a secret, for example UpstreamCredentials(…).secret"
        )
    if upstream.credentials is Credentials.NONE and credentials is not None:
        raise error_at(scope, id, f"{upstream.url} takes no credentials; leave them out")
