"""Grants on the repositories of a cache, to principals of its own account and of others.

Within an account the policy of the identity is enough. Across accounts it is one of two sides: the registry policy must allow
imports, and the repository policy of the creation templates must allow pulls. A grant writes both sides where this app has
them, and is refused where it does not.

https://docs.aws.amazon.com/AmazonECR/latest/userguide/pull-through-cache-iam.html
https://docs.aws.amazon.com/AmazonECR/latest/userguide/repository-policies.html
"""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import jsii
from aws_cdk import Annotations, interfaces
from aws_cdk import aws_iam as iam
from jsii._reference_map import InterfaceDynamicProxy

from constructs import Construct

from .._checks import error_at
from .._place import is_unresolved
from ..ecr import permissions, statements
from ..ecr.statements import Importable, Who
from ..images import ROOT
from .cache_registry import CacheRegistry
from .registry_policy import RegistryPolicy
from .repository_creation_template import RepositoryCreationTemplate

BY_REGISTRY_POLICY = frozenset({*permissions.IMPORT, *permissions.TAG})
"""The actions that a registry policy allows other accounts; all others are allowed by repository policies."""

_ACCOUNT_OF_ARN = re.compile(r"arn:[^:]*:[^:]*:[^:]*:(\d{12}):.*", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class Granting:
    """The repositories that are granted, and the policies by which other accounts may be let in.

    :param owner: the construct that grants.
    :param registry: its registry.
    :param prefixes: repository prefixes.
    :param pullers: the other accounts that the registry lets pull already.
    :param importers: the other accounts that the registry lets import already.
    :param templates: the creation templates of the prefixes, where they are of this app.
    :param importable: the images that may be imported, where they are limited. Default: all.
    :param refusal: why this app cannot let other accounts in. Default: it can, by the registry policy and the templates.
    """

    owner: Construct
    registry: CacheRegistry
    prefixes: tuple[str, ...]
    pullers: Who = field(default_factory=Who)
    importers: Who = field(default_factory=Who)
    templates: tuple[RepositoryCreationTemplate, ...] = ()
    importable: tuple[Importable, ...] = ()
    refusal: str | None = None

    @property
    def arns(self) -> list[str]:
        """ARN patterns of the repositories."""
        return [self.registry.arn_for_repositories(prefix) for prefix in self.prefixes]

    def to(self, grantee: iam.IGrantable, actions: Sequence[str]) -> iam.Grant:
        """Grant actions on the repositories, and the token that every access to a registry needs.

        :param grantee: a principal of this account or of another one.
        :param actions: actions of IAM.
        :raises UserError: when the policies that another account needs are not of this app, or an identity's own policy
            cannot be written by it.
        """
        if not _is_grantable(grantee):
            raise error_at(
                self.owner, "", f"{grantee!r} is no principal; grant to a role, a user, a group or a principal"
            )
        who = _Grantee.of(grantee, self.registry)
        if who.has_policies and who.is_of_registry_account:
            return self._to_identity(grantee, who, actions)
        self.let_in(who.principal, who.account, actions)
        if not who.has_policies:
            return self._on_both_sides(grantee, actions)
        if not who.is_writable:
            Annotations.of(self.owner).add_warning_v2(
                "cdk-ecr-pull-through-cache:grantNeedsIdentityPolicy",
                f"the registry lets {who.name} in, whose own policy lies in the account {who.account} and cannot be written "
                "from this stack; attach a NodePullPolicy of a stack of that account to it",
            )
        return self._sign_in(grantee).combine(self._on_both_sides(grantee, actions))

    def _on_both_sides(self, grantee: iam.IGrantable, actions: Sequence[str]) -> iam.Grant:
        grants = [
            iam.Grant.add_to_principal_and_resource(
                grantee=grantee, actions=some, resource_arns=arns, resource=_Carrier(self.registry)
            )
            for some, arns in self._parts(actions)
        ]
        return functools.reduce(iam.Grant.combine, grants)

    def _parts(self, actions: Sequence[str]) -> list[tuple[list[str], list[str]]]:
        """Actions with the repositories that they are granted on: an allow list limits imports, and no pulls."""
        if not any(cache.is_limited for cache in self.importable):
            return [(list(actions), self.arns)]
        parts = [([action for action in actions if action not in BY_REGISTRY_POLICY], self.arns)]
        for allowed, arns in statements.import_parts(self.registry, self.importable, tags=True):
            parts.append(([action for action in actions if action in allowed], arns))
        return [(some, arns) for some, arns in parts if some]

    def let_in(self, principal: iam.IPrincipal, account: str | None, actions: Sequence[str]) -> None:
        """Let a principal that is not of the registry's account in, as far as it is not let in already.

        :param principal: the principal.
        :param account: its account, if it has one. All of the account is let in: a policy of ECR cannot name a role that does
            not exist yet, and the account's own policies decide which of its identities pull.
        :param actions: actions on the repositories.
        :raises UserError: when the policies of the registry are not of this app.
        """
        left = [action for action in actions if not self._is_let_in(action, account)]
        if not left:
            return
        if self.refusal is not None:
            name = f"the account {account}" if account else "the principal"
            raise error_at(self.owner, "", f"{name} is not let in by the registry {self.registry}: {self.refusal}")
        importing = [action for action in left if action in BY_REGISTRY_POLICY]
        if importing:
            self._open_registry(principal, account, importing)
        pulling = [action for action in left if action not in BY_REGISTRY_POLICY]
        for template in self._carriers() if pulling else ():
            template.add_to_repository_policy(_statement(self.registry, principal, account, pulling))

    def _carriers(self) -> list[RepositoryCreationTemplate]:
        """The templates whose repository policy lets pull what is granted, and nothing else."""
        found = [t for t in self.templates if any(_is_below(t.prefix, prefix) for prefix in self.prefixes)]
        if not found:
            raise error_at(
                self.owner,
                "",
                f"pulls of another account need a repository policy, and {', '.join(self.prefixes)} has no creation template of "
                "its own that could set one; make a RepositoryCreationTemplate for that prefix first",
            )
        return found

    def _is_let_in(self, action: str, account: str | None) -> bool:
        let_in = self.importers if action in BY_REGISTRY_POLICY else self.pullers
        if action not in (*BY_REGISTRY_POLICY, *permissions.PULL):
            return False
        return account in let_in.accounts or (let_in.organization is not None and account is not None)

    def _open_registry(self, principal: iam.IPrincipal, account: str | None, actions: Sequence[str]) -> None:
        policy = RegistryPolicy.of(self.owner)
        for some, arns in self._parts(actions):
            if account is None:
                policy.add_to_resource_policy(iam.PolicyStatement(principals=[principal], actions=some, resources=arns))
            else:
                policy.add_statements(Who(accounts=(account,)).statements(self.registry, some, resources=arns))

    def _to_identity(self, grantee: iam.IGrantable, who: _Grantee, actions: Sequence[str]) -> iam.Grant:
        if not who.is_writable:
            raise error_at(
                self.owner,
                "",
                f"{who.name} is of the account {who.account}, and its policy cannot be written from a stack of another "
                "account; grant it in a stack of its own account",
            )
        granted = self._sign_in(grantee)
        for some, arns in self._parts(actions):
            granted = granted.combine(iam.Grant.add_to_principal(grantee=grantee, actions=some, resource_arns=arns))
        return granted

    @staticmethod
    def _sign_in(grantee: iam.IGrantable) -> iam.Grant:
        return iam.Grant.add_to_principal(grantee=grantee, actions=list(permissions.AUTHENTICATE), resource_arns=["*"])


@dataclass(frozen=True, kw_only=True)
class _Grantee:
    """A principal as far as a grant depends on it.

    :param principal: the principal itself.
    :param name: its ARN, or its kind.
    :param account: its account, ``None`` where it is of none or of many.
    :param has_policies: whether it is an identity that policies can be attached to.
    :param is_writable: whether the stack it was made in can attach them.
    :param is_of_registry_account: whether it is of the registry's account, as far as that is known.
    """

    principal: iam.IPrincipal
    name: str
    account: str | None
    has_policies: bool
    is_writable: bool
    is_of_registry_account: bool

    @classmethod
    def of(cls, grantee: iam.IGrantable, registry: CacheRegistry) -> _Grantee:
        principal = grantee.grant_principal
        account = getattr(principal, "principal_account", None) or _account_of_arn(getattr(principal, "arn", ""))
        stack = getattr(principal, "stack", None)
        return cls(
            principal=principal,
            name=_name_of(principal),
            account=account,
            has_policies=not isinstance(principal, iam.PrincipalBase),
            is_writable=stack is None or _same_account(stack.account, account),
            is_of_registry_account=account is None or _same_account(registry.account, account),
        )


def _is_below(prefix: str, above: str) -> bool:
    return prefix == above or above == ROOT or prefix.startswith(f"{above}/")


def _same_account(one: str, other: str | None) -> bool:
    """As aws-cdk-lib has it: an account that is not known yet is taken for the same one."""
    return other is None or is_unresolved(one) or is_unresolved(other) or one == other


def _account_of_arn(arn: str) -> str | None:
    match = _ACCOUNT_OF_ARN.fullmatch(arn)
    return match[1] if match else None


def _name_of(principal: iam.IPrincipal) -> str:
    for name in ("role_arn", "user_arn", "group_arn", "arn"):
        arn = getattr(principal, name, None)
        if isinstance(arn, str) and not is_unresolved(arn):
            return arn
    node = getattr(principal, "node", None)
    return node.path if node is not None else type(principal).__name__


def _is_grantable(given: object) -> bool:
    types = [type(part) for part in given._delegates] if isinstance(given, InterfaceDynamicProxy) else [type(given)]
    return any(hasattr(kind, "grant_principal") for kind in types)


def _statement(
    registry: CacheRegistry, principal: iam.IPrincipal, account: str | None, actions: Sequence[str]
) -> iam.PolicyStatement:
    """A statement of a repository policy, which has no resources."""
    if account is None:
        return iam.PolicyStatement(principals=[principal], actions=list(actions))
    sid = "" if is_unresolved(account) else f"GrantTo{account}"
    (statement,) = Who(accounts=(account,)).statements(registry, actions)
    return iam.PolicyStatement.from_json({**({"Sid": sid} if sid else {}), **statement})


@jsii.implements(iam.IResourceWithPolicyV2)
class _Carrier:
    """The registry as aws-cdk-lib sees a resource with a policy; the policies themselves are written before."""

    def __init__(self, registry: CacheRegistry) -> None:
        self._registry = registry

    @property
    @jsii.member(jsii_name="env")
    def env(self) -> interfaces.ResourceEnvironment:
        return interfaces.ResourceEnvironment(account=self._registry.account, region=self._registry.region)

    @jsii.member(jsii_name="addToResourcePolicy")
    def add_to_resource_policy(self, statement: iam.PolicyStatement) -> iam.AddToResourcePolicyResult:  # noqa: ARG002
        return iam.AddToResourcePolicyResult(statement_added=True)
