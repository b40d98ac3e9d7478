"""What worker nodes may do with the cache."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

from aws_cdk import aws_iam as iam

from constructs import Construct

from .._checks import error_at
from ..ecr import permissions
from ..errors import UserError
from ..images import check_prefix
from ..registry.cache_registry import CacheRegistry


class NodePullMode(Enum):
    """Whether a pull may bring a new image into the cache."""

    IMPORT = "import"
    """A pull imports what is not cached yet, and creates its repository."""
    PULL_ONLY = "pull-only"
    """Only what was imported by others can be pulled. Importing is denied, because AWS's own managed policies for nodes
    allow it on every repository."""


class NodePullPolicy(Construct):
    """The managed policy with which worker nodes pull from the cache.

    For the node roles of managed node groups, Karpenter, EKS Auto Mode and self-managed nodes, the pod execution roles of
    Fargate and the task execution roles of ECS, in the registry's own account or another one. Across accounts it is one
    of three sides; the others are the registry policy and the repository policy (see :class:`PullThroughCache`).

    https://docs.aws.amazon.com/AmazonECR/latest/userguide/pull-through-cache-iam.html

    :param scope: parent.
    :param id: id below the parent.
    :param registry: the registry that the nodes pull from.
    :param repository_prefixes: the repository prefixes they pull under; ``ROOT`` for every repository.
    :param mode: whether their pulls import.
    :param tag_on_create: whether the creation template sets resource tags, which the puller then needs permission for.
    :param roles: roles to attach it to.
    :param role_names: names of roles of this account to attach it to, which exist already.
    :param managed_policy_name: name of the policy; chosen by CloudFormation if left out.
    :raises UserError: when a prefix is not ECR's, or none is given.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        registry: CacheRegistry,
        repository_prefixes: Sequence[str],
        mode: NodePullMode = NodePullMode.IMPORT,
        tag_on_create: bool = False,
        roles: Sequence[iam.IRole] = (),
        role_names: Sequence[str] = (),
        managed_policy_name: str | None = None,
    ) -> None:
        if not repository_prefixes:
            raise error_at(
                scope, id, "no repository prefixes are given; give those of the rules the nodes pull through"
            )
        try:
            prefixes = [check_prefix(prefix, longest=256) for prefix in repository_prefixes]
        except UserError as error:
            raise error_at(scope, id, str(error)) from None

        super().__init__(scope, id)
        resources = [registry.arn_for_repositories(prefix) for prefix in prefixes]
        self.policy = iam.ManagedPolicy(
            self,
            "Resource",
            managed_policy_name=managed_policy_name,
            description=f"Pull container images through the cache ({mode.value})",
            statements=_statements(mode, resources, tag_on_create),
            roles=[
                *roles,
                *(iam.Role.from_role_name(self, f"Role-{name}", name) for name in sorted(set(role_names))),
            ],
        )
        """The managed policy."""

    def attach_to(self, role: iam.IRole) -> None:
        """Attach the policy to another role.

        :param role: a node role, pod execution role or task execution role.
        """
        self.policy.attach_to_role(role)


def _statements(mode: NodePullMode, resources: list[str], tag_on_create: bool) -> list[iam.PolicyStatement]:
    bring_in = [*permissions.IMPORT, *(permissions.TAG if tag_on_create else ())]
    imports = mode is NodePullMode.IMPORT
    return [
        iam.PolicyStatement(sid="SignIn", actions=list(permissions.AUTHENTICATE), resources=["*"]),
        iam.PolicyStatement(sid="PullCachedImages", actions=list(permissions.PULL), resources=resources),
        iam.PolicyStatement(
            sid="ImportNewImages" if imports else "ImportNothing",
            effect=iam.Effect.ALLOW if imports else iam.Effect.DENY,
            actions=bring_in if imports else list(permissions.IMPORT),
            resources=resources,
        ),
    ]
