"""What a registry allows other accounts: replication into it, and imports through it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from weakref import WeakKeyDictionary

import jsii
from aws_cdk import Stack
from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_iam as iam

from constructs import Construct, IValidation

from .._checks import check_account, claim_singleton
from .._place import stack_of
from ..ecr import permissions
from ..images import ROOT
from .cache_registry import CacheRegistry

DEFAULT_ID = "EcrRegistryPolicy"
"""Id, below its stack, of the registry policy that :meth:`RegistryPolicy.of` makes."""

_of_stack: WeakKeyDictionary[Stack, RegistryPolicy] = WeakKeyDictionary()


class RegistryPolicy(Construct):
    """The policy of the registry that the stack is deployed to; there is one per account and Region.

    Constructs of the app add their statements with :meth:`of` and :meth:`add_to_policy`. CloudFormation refuses to create it
    where there is one already, and whoever writes one by the API or by hand overwrites this: add what they need here.

    https://docs.aws.amazon.com/AmazonECR/latest/userguide/registry-permissions.html

    :param scope: parent.
    :param id: id below the parent.
    :param statements: statements to begin with.
    :raises UserError: when there is one already in this environment.
    """

    def __init__(self, scope: Construct, id: str, *, statements: Sequence[iam.PolicyStatement] = ()) -> None:
        claim_singleton(scope, id, "registry policy")
        super().__init__(scope, id)
        self.document = iam.PolicyDocument(statements=list(statements))
        """The policy; statements may be added until synthesis."""
        self.resource = ecr.CfnRegistryPolicy(self, "Resource", policy_text=self.document)
        """The L1."""
        self.registry = CacheRegistry.of(scope)
        """The registry that the policy is of."""
        self.node.add_validation(_NotEmpty(self.document))
        _of_stack[stack_of(scope)] = self

    @classmethod
    def of(cls, scope: Construct) -> RegistryPolicy:
        """The registry policy of a construct's stack, made when it is first asked for.

        :param scope: any construct of the stack.
        :raises UserError: when another stack of the app has the registry policy of this environment.
        """
        stack = stack_of(scope)
        return _of_stack.get(stack) or cls(stack, DEFAULT_ID)

    def add_to_policy(self, statement: iam.PolicyStatement) -> None:
        """Add a statement.

        :param statement: its resources lie in this registry.
        """
        self.document.add_statements(statement)

    def grant_replication(self, account: str, *, repository_prefixes: Iterable[str] = (ROOT,)) -> None:
        """Let another account replicate images into this registry.

        https://docs.aws.amazon.com/AmazonECR/latest/userguide/registry-permissions-create-replication.html

        :param account: the source's account, 12 digits or a token.
        :param repository_prefixes: prefixes of the repositories that may come; ``ROOT`` for all.
        :raises UserError: when the account is not one.
        """
        check_account(account)
        self._allow(iam.AccountPrincipal(account), permissions.REPLICATE, repository_prefixes)

    def grant_import(self, *principals: iam.IPrincipal, repository_prefixes: Iterable[str] = (ROOT,)) -> None:
        """Let principals of other accounts import images through the rules of this registry.

        It is one of three sides: their own policy (:class:`NodePullPolicy`) and the repository policy of the creation
        template must allow it too. See :class:`PullThroughCache`, which sees to both sides of the registry.

        https://docs.aws.amazon.com/AmazonECR/latest/userguide/pull-through-cache-iam.html

        :param principals: who may import.
        :param repository_prefixes: under which prefixes; ``ROOT`` for all.
        """
        for principal in principals:
            self._allow(principal, permissions.IMPORT, repository_prefixes)

    def _allow(self, principal: iam.IPrincipal, actions: Iterable[str], repository_prefixes: Iterable[str]) -> None:
        self.add_to_policy(
            iam.PolicyStatement(
                principals=[principal],
                actions=list(actions),
                resources=[self.registry.repositories(prefix) for prefix in repository_prefixes],
            )
        )


@jsii.implements(IValidation)
class _NotEmpty:
    def __init__(self, document: iam.PolicyDocument) -> None:
        self._document = document

    def validate(self) -> list[str]:
        if self._document.is_empty:
            return ["the registry policy has no statements; add one with add_to_policy, or leave the policy out"]
        return []
