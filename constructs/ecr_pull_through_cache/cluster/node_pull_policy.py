"""The managed policy of worker nodes."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import TYPE_CHECKING, TypedDict, cast

from aws_cdk import aws_iam as iam

from constructs import Construct

from .._checks import error_at
from .._place import is_unresolved, place_of
from .._props import checked
from ..ecr import statements
from ..ecr.registry import EcrRegistry
from ..ecr.statements import Importable

if TYPE_CHECKING:
    from ..registry.pull_through_cache import IPullThroughCache

_LONGEST_NAME = 128


class NodePullMode(Enum):
    """Whether a pull may import an image into the cache."""

    IMPORT = "import"
    """A pull imports an image that is not cached yet, and creates its repository."""
    PULL_ONLY = "pull-only"
    """Only images that are cached already can be pulled. Importing is denied, because AWS's own managed policies for nodes
    allow it on every repository."""


class NodePullPolicyProps(TypedDict, total=False):
    """The parameters of :class:`NodePullPolicy` besides its cache."""

    mode: NodePullMode | None
    roles: Sequence[iam.IRole]
    role_names: Sequence[str]
    managed_policy_name: str | None


@checked
class NodePullPolicy(Construct):
    """The managed policy with which worker nodes pull from the cache.

    For the node roles of managed node groups, Karpenter, EKS Auto Mode and self-managed nodes, the pod execution roles of
    Fargate and the task execution roles of ECS, in the registry's own account or another one. Across accounts it is one
    of three sides; the others are the registry policy and the repository policy. Where the cache is of this app and does not
    let this stack's account in, both are added; where it is not, its owner lets the account in (``pullers``).

    A managed policy holds 6,144 characters: where the prefixes need more, there are several policies.

    https://docs.aws.amazon.com/AmazonECR/latest/userguide/pull-through-cache-iam.html
    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html

    :param scope: parent.
    :param id: id below the parent.
    :param cache: the cache that the nodes pull from: a :class:`PullThroughCache`, or its ``from_attributes``.
    :param mode: whether their pulls import. Default: they do, unless the registry holds replicas only.
    :param roles: roles to attach it to. Default: none.
    :param role_names: names of existing roles of this account to attach it to. Default: none.
    :param managed_policy_name: name of the policy; a second one has ``-2`` after it. Default: CloudFormation chooses one.
    :raises UserError: when pulls are to import and the registry holds replicas only, or the name is too long.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        cache: IPullThroughCache,
        mode: NodePullMode | None = None,
        roles: Sequence[iam.IRole] = (),
        role_names: Sequence[str] = (),
        managed_policy_name: str | None = None,
    ) -> None:
        cache.registry.check_named_in(scope, id)
        mode = mode or (NodePullMode.IMPORT if cache.rules else NodePullMode.PULL_ONLY)
        if mode is NodePullMode.IMPORT and not cache.rules:
            raise error_at(
                scope, id, "the registry holds replicas only, so a pull cannot import; use NodePullMode.PULL_ONLY"
            )
        if managed_policy_name and not is_unresolved(managed_policy_name) and len(managed_policy_name) > _LONGEST_NAME:
            raise error_at(
                scope,
                id,
                f"the managed policy's name has {len(managed_policy_name)} characters; at most {_LONGEST_NAME} are allowed",
            )
        super().__init__(scope, id)
        _let_in(cache, place_of(scope).account, mode)
        self.mode = mode
        """Whether pulls import."""
        attached = [
            *roles,
            *(iam.Role.from_role_name(self, f"Role-{name}", name) for name in sorted(set(role_names))),
        ]
        documents = _documents(cache, mode)
        self.policies = tuple(
            iam.ManagedPolicy(
                self,
                "Resource" if number == 1 else f"Resource{number}",
                managed_policy_name=_numbered(managed_policy_name, number),
                description=f"Pull container images through the cache ({mode.value})"
                + (f", {number} of {len(documents)}" if len(documents) > 1 else ""),
                statements=[iam.PolicyStatement.from_json(statement) for statement in document],
                roles=attached,
            )
            for number, document in enumerate(documents, start=1)
        )
        """The managed policies; one, unless the prefixes need more."""

    @property
    def policy(self) -> iam.ManagedPolicy:
        """The first managed policy; see :attr:`policies` for all of them."""
        return self.policies[0]

    @property
    def resource(self) -> iam.CfnManagedPolicy:
        """The L1 of the first managed policy."""
        return cast("iam.CfnManagedPolicy", self.policy.node.default_child)

    @property
    def managed_policy_arn(self) -> str:
        """ARN of the first managed policy; see :attr:`managed_policy_arns` for all of them."""
        return self.policy.managed_policy_arn

    @property
    def managed_policy_arns(self) -> tuple[str, ...]:
        """ARN of every managed policy."""
        return tuple(policy.managed_policy_arn for policy in self.policies)

    def attach_to(self, role: iam.IRole) -> None:
        """Attach the policies to another role.

        :param role: a node role, pod execution role or task execution role.
        """
        for policy in self.policies:
            policy.attach_to_role(role)


def _let_in(cache: IPullThroughCache, account: str, mode: NodePullMode) -> None:
    """The registry's own two sides, where the cache is of this app and the nodes are of another account."""
    from ..registry.pull_through_cache import PullThroughCache

    theirs = cache.registry.account
    if not isinstance(cache, PullThroughCache) or is_unresolved(account) or is_unresolved(theirs) or account == theirs:
        return
    nodes = iam.AccountPrincipal(account)
    if mode is NodePullMode.IMPORT:
        cache.grant_import(nodes)
    else:
        cache.grant_pull(nodes)


def _documents(cache: IPullThroughCache, mode: NodePullMode) -> list[list[statements.Statement]]:
    """The statements of each managed policy."""
    limited = {importable.prefix: importable for importable in cache.importable}
    caches = [limited.get(prefix, Importable(prefix=prefix)) for prefix in cache.repository_prefixes]
    imports = mode is NodePullMode.IMPORT

    def of(registry: EcrRegistry) -> list[statements.Statement]:
        return statements.node_pull(registry, caches, imports=imports, tags=cache.tags_repositories)

    registry = cache.registry
    if not (is_unresolved(registry.account) or is_unresolved(registry.region)):
        return statements.split(of(registry))
    # Shared out by the longest values that the tokens can have, because their own length is not known yet.
    longest = _Longest(account="0" * 12, region="x" * 20)
    real = _texts(of(longest), of(registry))
    return [[_with(statement, real) for statement in document] for document in statements.split(of(longest))]


class _Longest(EcrRegistry):
    """A registry whose texts are as long as any."""

    @property
    def partition(self) -> str:
        return "aws-iso-b-xx"

    @property
    def host(self) -> str:
        raise NotImplementedError


def _texts(one: Sequence[statements.Statement], other: Sequence[statements.Statement]) -> dict[str, str]:
    """The text of the one for each ARN of the other."""
    found: dict[str, str] = {}
    for a, b in zip(one, other, strict=True):
        for key in ("Resource", "NotResource"):
            found.update(zip(a.get(key, ()), b.get(key, ()), strict=True))
        for key, value in a.get("Condition", {}).get("StringEquals", {}).items():
            found[value] = b["Condition"]["StringEquals"][key]
    return found


def _with(statement: statements.Statement, texts: dict[str, str]) -> statements.Statement:
    changed = dict(statement)
    for key in ("Resource", "NotResource"):
        if key in statement:
            changed[key] = [texts.get(arn, arn) for arn in statement[key]]
    if "Condition" in statement:
        equals = statement["Condition"]["StringEquals"]
        changed["Condition"] = {"StringEquals": {key: texts.get(value, value) for key, value in equals.items()}}
    return changed


def _numbered(name: str | None, number: int) -> str | None:
    return name if name is None or number == 1 else f"{name}-{number}"
