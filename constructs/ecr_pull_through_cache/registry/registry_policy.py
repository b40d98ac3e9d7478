"""The permissions that a registry gives other accounts: to replicate into it, and to import and pull through it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from weakref import WeakKeyDictionary

import jsii
from aws_cdk import Stack
from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_iam as iam

from constructs import Construct, IValidation

from .._checks import check_account, claim_singleton, error_at
from .._place import stack_of
from .._props import checked
from ..ecr import permissions, statements
from ..ecr.statements import Statement
from ..errors import UserError
from ..images import ROOT
from .cache_registry import CacheRegistry

DEFAULT_ID = "EcrRegistryPolicy"
"""Id, below its stack, of the registry policy that :meth:`RegistryPolicy.of` makes."""

_of_stack: WeakKeyDictionary[Stack, RegistryPolicy] = WeakKeyDictionary()


@checked
class RegistryPolicy(Construct):
    """The policy of the registry that the stack is deployed to; there is one per account and Region.

    Constructs of the app add their statements with :meth:`of` and :meth:`add_to_resource_policy`. CloudFormation refuses to
    create it where there is one already, and anyone who writes one by the API or by hand overwrites this: add what they need
    here. ECR accepts 10,240 characters.

    https://docs.aws.amazon.com/AmazonECR/latest/userguide/registry-permissions.html

    :param scope: parent.
    :param id: id below the parent.
    :param statements: statements to begin with. Default: none.
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
        self._granted = _Granted()
        self.node.add_validation(_Deployable(self))
        _of_stack[stack_of(scope)] = self

    @classmethod
    def of(cls, scope: Construct) -> RegistryPolicy:
        """The registry policy of a construct's stack, made when it is first asked for.

        :param scope: any construct of the stack.
        :raises UserError: when another stack of the app has the registry policy of this environment.
        """
        stack = stack_of(scope)
        return _of_stack.get(stack) or cls(stack, DEFAULT_ID)

    @classmethod
    def find(cls, scope: Construct) -> RegistryPolicy | None:
        """The registry policy of a construct's stack, if it was made already.

        :param scope: any construct of the stack.
        """
        return _of_stack.get(stack_of(scope))

    def add_to_resource_policy(self, statement: iam.PolicyStatement) -> None:
        """Add a statement.

        :param statement: its resources lie in this registry.
        """
        self.document.add_statements(statement)

    def add_statements(self, given: Iterable[Statement]) -> None:
        """Add statements of :mod:`ecr_pull_through_cache.ecr.statements`.

        A statement that differs from an earlier one in its principals alone, or in its resources alone, is merged with it, so
        that the policy stays short.

        :param given: statements as JSON; they may hold tokens.
        :raises UserError: when the policy becomes longer than ECR accepts.
        """
        for statement in given:
            added = self._granted.add(statement)
            if added is not None:
                self.document.add_statements(added)
        try:
            statements.check_size("registry policy", self._granted.document)
        except UserError as error:
            raise error_at(self, "", str(error)) from None

    def grant_replication(
        self, *accounts: str, repository_prefixes: Iterable[str] = (ROOT,), tags_repositories: bool = False
    ) -> None:
        """Let other accounts replicate images into this registry.

        https://docs.aws.amazon.com/AmazonECR/latest/userguide/registry-permissions-create-replication.html

        :param accounts: accounts of the sources, 12 digits or tokens; the registry's own needs no permission.
        :param repository_prefixes: prefixes of the replicas. Default: all.
        :param tags_repositories: whether a creation template of this registry sets resource tags on them.
        :raises UserError: when the form of an account is wrong, or the policy becomes too long.
        """
        for account in accounts:
            check_account(account)
        self.add_statements(
            statements.registry_replication(self.registry, accounts, repository_prefixes, tags=tags_repositories)
        )

    def grant_import(
        self, *principals: iam.IPrincipal, repository_prefixes: Iterable[str] = (ROOT,), tags_repositories: bool = False
    ) -> None:
        """Let principals of other accounts import images through the rules of this registry.

        It is one of three sides: their own policy (:class:`NodePullPolicy`) and the repository policy of the creation
        template must allow it too. See :class:`PullThroughCache`, which sees to both sides of the registry.

        https://docs.aws.amazon.com/AmazonECR/latest/userguide/pull-through-cache-iam.html

        :param principals: the principals that import.
        :param repository_prefixes: the prefixes under which they import. Default: all.
        :param tags_repositories: whether a creation template sets resource tags on the repositories.
        :raises UserError: when the policy becomes too long.
        """
        actions = (*permissions.IMPORT, *(permissions.TAG if tags_repositories else ()))
        resources = statements.repositories(self.registry, repository_prefixes)
        self.add_statements(_of_principal(principal, actions, resources) for principal in principals)

    def grant_upstream(self, *accounts: str, repository_prefixes: Iterable[str] = (ROOT,)) -> None:
        """Let registries of other accounts cache this one: it is the upstream of their pull through cache rules.

        https://docs.aws.amazon.com/AmazonECR/latest/userguide/pull-through-cache-private.html

        :param accounts: accounts of the registries that cache it, 12 digits or tokens; its own needs no permission.
        :param repository_prefixes: the parts of this registry that are cached. Default: all of it.
        :raises UserError: when the form of an account is wrong, or the policy becomes too long.
        """
        for account in accounts:
            check_account(account)
        self.add_statements(statements.upstream_grant(self.registry, accounts, repository_prefixes))


def _of_principal(principal: iam.IPrincipal, actions: Iterable[str], resources: Sequence[str]) -> Statement:
    fragment = principal.policy_fragment
    conditions: Mapping[str, Any] = fragment.conditions
    return {
        "Effect": "Allow",
        "Principal": {kind: list(who) for kind, who in fragment.principal_json.items()},
        "Action": list(actions),
        "Resource": list(resources),
        **({"Condition": conditions} if conditions else {}),
    }


class _Granted:
    """The statements that were granted so far, as JSON and as objects of CDK."""

    def __init__(self) -> None:
        self._statements: list[Statement] = []
        self._objects: dict[int, iam.PolicyStatement] = {}
        self._known: dict[tuple[str, str], Statement] = {}

    @property
    def document(self) -> dict[str, Any]:
        """The policy of these statements."""
        return statements.document(self._statements)

    def add(self, given: Statement) -> iam.PolicyStatement | None:
        """The object to add to the document, ``None`` where the statement was merged with an earlier one."""
        for part, merge in (("Principal", self._add_principals), ("Resource", self._add_resources)):
            earlier = self._known.get((part, _without(part, given)))
            if earlier is not None:
                self._forget(earlier)
                merge(earlier, given)
                self._remember(earlier)
                return None
        statement = {**given, "Principal": _copied(given["Principal"]), "Resource": list(given["Resource"])}
        self._statements.append(statement)
        self._objects[id(statement)] = iam.PolicyStatement.from_json(statement)
        self._remember(statement)
        return self._objects[id(statement)]

    def _add_principals(self, earlier: Statement, given: Statement) -> None:
        for kind, who in _copied(given["Principal"]).items():
            known = dict.fromkeys(earlier["Principal"].get(kind, ()))
            new = [one for one in who if one not in known]
            earlier["Principal"][kind] = [*known, *new]
            for one in new:
                self._objects[id(earlier)].add_principals(_principal(kind, one))

    def _add_resources(self, earlier: Statement, given: Statement) -> None:
        known = set(earlier["Resource"])
        new = [one for one in given["Resource"] if one not in known]
        earlier["Resource"] += new
        if new:
            self._objects[id(earlier)].add_resources(*new)

    def _remember(self, statement: Statement) -> None:
        for part in ("Principal", "Resource"):
            self._known[part, _without(part, statement)] = statement

    def _forget(self, statement: Statement) -> None:
        for part in ("Principal", "Resource"):
            del self._known[part, _without(part, statement)]


def _principal(kind: str, one: str) -> iam.IPrincipal:
    return iam.ArnPrincipal(one) if kind == "AWS" else iam.ServicePrincipal(one)


def _copied(principal: Mapping[str, Any]) -> dict[str, list[str]]:
    return {kind: [who] if isinstance(who, str) else list(who) for kind, who in principal.items()}


def _without(part: str, statement: Statement) -> str:
    """One text for all statements that differ in one part alone."""
    rest = {key: value for key, value in statement.items() if key != part}
    if "Principal" in rest:
        rest["Principal"] = {kind: sorted(who) for kind, who in _copied(rest["Principal"]).items()}
    for key in ("Action", "Resource"):
        if key in rest:
            rest[key] = sorted(rest[key])
    return json.dumps(rest, sort_keys=True)


@jsii.implements(IValidation)
class _Deployable:
    def __init__(self, policy: RegistryPolicy) -> None:
        self._policy = policy

    def validate(self) -> list[str]:
        document = self._policy.document
        if document.is_empty:
            return [
                "the registry policy has no statements; add one with add_to_resource_policy, or leave the policy out"
            ]
        try:
            statements.check_size("registry policy", stack_of(self._policy).resolve(document))
        except UserError as error:
            return [str(error)]
        return []
