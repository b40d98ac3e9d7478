"""One upstream registry, cached under one repository prefix."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from aws_cdk import Annotations, Stack
from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_iam as iam

from constructs import Construct, IConstruct

from .._checks import claim_prefix, count_of, error_at, warn_of_new_region
from .._place import place_of, stack_of
from ..ecr import permissions, quotas
from ..errors import UserError
from ..images import ROOT, CachedUpstream, Credentials, Upstream, check_prefix
from .cache_registry import CacheRegistry
from .upstream_credentials import check_credentials

if TYPE_CHECKING:
    from aws_cdk import aws_secretsmanager as secretsmanager

_of_stack: WeakKeyDictionary[Stack, dict[str, ecr.CfnPullThroughCacheRule]] = WeakKeyDictionary()

UNVERIFIED_PARTITION = "cdk-ecr-pull-through-cache:unverifiedPartition"
"""Id of the warning that AWS does not say whether ECR pulls through in the partition."""

CREDENTIAL_METADATA = "ecr-pull-through-cache:credential"
"""Metadata of the rule's resource: the credential it is to use, where CloudFormation has recorded another one."""


def rules_of(scope: IConstruct) -> Mapping[str, ecr.CfnPullThroughCacheRule]:
    """The rules that were made in a construct's stack so far, by their prefix: for what must come after them.

    :param scope: any construct of the stack.
    """
    return _of_stack.get(stack_of(scope), {})


class IPullThroughCacheRule(Construct):
    """A pull through cache rule, of this app or imported.

    Abstract: made by :class:`PullThroughCacheRule` and its ``from_prefix``.
    """

    @property
    @abstractmethod
    def repository_prefix(self) -> str:
        """ECR's repository prefix, ``ROOT`` for none."""

    @property
    @abstractmethod
    def registry(self) -> CacheRegistry:
        """The registry that the rule belongs to."""

    @property
    def repository_arn_pattern(self) -> str:
        """ARN pattern of the repositories that the rule fills."""
        return self.registry.arn_for_repositories(self.repository_prefix)

    def image_uri(self, repository: str, *, tag: str | None = None, digest: str | None = None) -> str:
        """The reference of a cached image.

        :param repository: path of the upstream repository: ``coredns/coredns``; ``library/nginx`` for Docker Hub's own.
        :param tag: its tag.
        :param digest: its digest with the algorithm. The first pull must be by tag.
        """
        return self.registry.image_uri(self.repository_prefix, repository, tag=tag, digest=digest)

    def grant_pull(self, grantee: iam.IGrantable) -> iam.Grant:
        """Let somebody pull what is cached already.

        :param grantee: a role, user or group of this account; for other accounts see :class:`NodePullPolicy`.
        """
        return self._grant(grantee, permissions.PULL)

    def grant_import(self, grantee: iam.IGrantable, *, tag: bool = False) -> iam.Grant:
        """Let somebody pull, and by that import what is not cached yet, under this rule's prefix alone.

        :param grantee: a role, user or group of this account.
        :param tag: whether the creation template sets resource tags, which the puller then needs permission for.
        """
        return self._grant(grantee, (*permissions.PULL, *permissions.IMPORT, *(permissions.TAG if tag else ())))

    def _grant(self, grantee: iam.IGrantable, actions: tuple[str, ...]) -> iam.Grant:
        sign_in = iam.Grant.add_to_principal(
            grantee=grantee, actions=list(permissions.AUTHENTICATE), resource_arns=["*"]
        )
        on_repositories = iam.Grant.add_to_principal(
            grantee=grantee, actions=list(actions), resource_arns=[self.repository_arn_pattern]
        )
        return sign_in.combine(on_repositories)


class PullThroughCacheRule(IPullThroughCacheRule):
    """A pull through cache rule of the registry that the stack is deployed to.

    **What CloudFormation cannot change.** Every property of the resource is create-only and its identifier is the prefix,
    so a change that keeps the prefix fails with *already exists*. The upstream of a prefix is changed in two deployments: one
    without the rule, one with the new one; cached repositories stay. The role made for a cross-account upstream keeps its
    logical id, so its ARN stays. Credentials are rotated by writing a new value into the same secret. Where another secret
    must be used, give the old ARN as ``recorded_credential_arn``: the template stays as CloudFormation knows it, and
    ``ecr-pull-through check --fix`` moves the rule to the new secret through ``UpdatePullThroughCacheRule``.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ecr-pullthroughcacherule.html

    :param scope: parent.
    :param id: id below the parent. Keep it: the logical id follows from it.
    :param upstream: the upstream registry.
    :param repository_prefix: 2 to 30 characters, or ``ROOT`` for none.
    :param upstream_repository_prefix: the part of the upstream to cache; all of it if left out.
    :param credentials: secret with the JSON keys ``username`` and ``accessToken``, its name beginning
        ``ecr-pullthroughcache/``, in this account and Region; see :class:`UpstreamCredentials`.
    :param recorded_credential_arn: ARN of the secret that the rule was created with, where ``credentials`` is another.
    :param role: role that ECR assumes to read a private ECR upstream of another account; made if left out.
    :raises UserError: when a prefix is not ECR's, overlaps another rule's, the upstream needs credentials and has none, has
        some that ECR cannot read, or is this registry itself or one of another partition; or when the registry has 50 rules.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        upstream: Upstream,
        repository_prefix: str,
        upstream_repository_prefix: str = ROOT,
        credentials: secretsmanager.ISecret | None = None,
        deployed_credential_arn: str | None = None,
        role: iam.IRole | None = None,
    ) -> None:
        try:
            cached = CachedUpstream(
                upstream=upstream,
                repository_prefix=repository_prefix,
                upstream_repository_prefix=upstream_repository_prefix,
            )
        except UserError as error:
            raise error_at(scope, id, str(error)) from None
        _check_partition(scope, id, upstream)
        _check_need(scope, id, upstream, credentials)
        claim_prefix(scope, id, "pull through cache rule", cached.repository_prefix, nested=False)

        super().__init__(scope, id)
        self.cached = cached
        """Upstream and prefixes, for a :class:`CacheMapping`."""
        self.upstream = upstream
        """The upstream registry."""
        self._registry = CacheRegistry.of(scope)
        if credentials is not None:
            check_credentials(scope, id, credentials)
        self.credentials = credentials
        """The secret in use, if any."""
        self.role = role or self._role_for(upstream)
        """The role that ECR assumes for the upstream, if it needs one."""
        self.resource = ecr.CfnPullThroughCacheRule(
            self,
            "Resource",
            ecr_repository_prefix=cached.repository_prefix,
            upstream_registry=upstream.name,
            upstream_registry_url=upstream.url,
            upstream_repository_prefix=None
            if cached.upstream_repository_prefix == ROOT
            else cached.upstream_repository_prefix,
            credential_arn=deployed_credential_arn or (credentials.secret_arn if credentials else None),
            custom_role_arn=self.role.role_arn if self.role else None,
        )
        """The L1."""
        _of_stack.setdefault(stack_of(scope), {})[cached.repository_prefix] = self.resource
        if deployed_credential_arn is not None and credentials is not None:
            self.resource.add_metadata(CREDENTIAL_METADATA, credentials.secret_arn)
        _warn_of_the_unverified(self)

    @classmethod
    def from_prefix(
        cls, scope: Construct, id: str, *, repository_prefix: str, registry: CacheRegistry | None = None
    ) -> IPullThroughCacheRule:
        """A rule that exists already, in this environment or another one.

        :param scope: parent.
        :param id: id below the parent.
        :param repository_prefix: the rule's repository prefix.
        :param registry: the registry it belongs to; that of the stack's own environment if left out.
        :raises UserError: when the prefix is not one that ECR accepts.
        """
        try:
            return _ImportedRule(scope, id, check_prefix(repository_prefix), registry)
        except UserError as error:
            raise error_at(scope, id, str(error)) from None

    @property
    def repository_prefix(self) -> str:
        """ECR's repository prefix, ``ROOT`` for none."""
        return self.cached.repository_prefix

    @property
    def registry(self) -> CacheRegistry:
        """The registry of the stack's environment."""
        return self._registry

    def _role_for(self, upstream: Upstream) -> iam.IRole | None:
        if upstream.account is None or upstream.region is None or upstream.account == self._registry.account:
            return None
        role = iam.Role(
            self,
            "Role",
            assumed_by=iam.ServicePrincipal("pullthroughcache.ecr.amazonaws.com"),
            description=f"Lets Amazon ECR pull images of {upstream.url} into the cache",
        )
        below = self.cached.upstream_repository_prefix
        source = CacheRegistry(account=upstream.account, region=upstream.region).arn_for_repositories(below)
        role.add_to_policy(
            iam.PolicyStatement(sid="ReadUpstream", actions=list(permissions.READ_ECR_UPSTREAM), resources=[source])
        )
        role.add_to_policy(
            iam.PolicyStatement(
                sid="WriteCache", actions=list(permissions.WRITE_ECR_CACHE), resources=[self.repository_arn_pattern]
            )
        )
        role.add_to_policy(iam.PolicyStatement(sid="SignIn", actions=list(permissions.AUTHENTICATE), resources=["*"]))
        return role


class _ImportedRule(IPullThroughCacheRule):
    def __init__(self, scope: Construct, id: str, prefix: str, registry: CacheRegistry | None) -> None:
        super().__init__(scope, id)
        self._prefix = prefix
        self._registry = registry or CacheRegistry.of(scope)

    @property
    def repository_prefix(self) -> str:
        return self._prefix

    @property
    def registry(self) -> CacheRegistry:
        return self._registry


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


def _warn_of_the_unverified(rule: PullThroughCacheRule) -> None:
    region = place_of(rule).region
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
