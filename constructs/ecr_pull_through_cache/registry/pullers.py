"""Who, besides the registry's own account, pulls from it."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass

from aws_cdk import aws_iam as iam

from .._checks import check_account
from .._place import is_unresolved
from ..ecr import permissions
from ..errors import UserError

_ORGANIZATION = re.compile(r"o-[a-z0-9]{10,32}", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class Pullers:
    """The accounts, or the organisation, whose clusters pull from a registry.

    :param accounts: accounts of 12 digits, or tokens.
    :param organization: id of the AWS organisation whose accounts all may pull: ``o-a1b2c3d4e5``.
    :raises UserError: when an account or the organisation is not one.
    """

    accounts: tuple[str, ...] = ()
    organization: str | None = None

    def __post_init__(self) -> None:
        for account in self.accounts:
            check_account(account)
        organization = self.organization
        if organization is None or is_unresolved(organization) or _ORGANIZATION.fullmatch(organization):
            return
        raise UserError(
            f"{organization!r} is not an organisation; its id looks like 'o-' and 10 to 32 lower-case letters and digits"
        )

    def __bool__(self) -> bool:
        return bool(self.accounts) or self.organization is not None

    @property
    def principals(self) -> list[iam.IPrincipal]:
        """The principals that policies of the registry name."""
        listed: list[iam.IPrincipal] = [iam.AccountPrincipal(account) for account in sorted(set(self.accounts))]
        if self.organization is not None:
            listed.append(iam.OrganizationPrincipal(self.organization))
        return listed

    def repository_policy(self, base: iam.PolicyDocument | None = None) -> iam.PolicyDocument | None:
        """A repository policy that lets them pull.

        https://docs.aws.amazon.com/AmazonECR/latest/userguide/repository-policy-examples.html

        :param base: a policy to add to; it is left as it is.
        :returns: the policy, or ``base`` where there is nobody to be let in.
        """
        if not self:
            return base
        if base is None:
            return iam.PolicyDocument(statements=self._statements)
        document = iam.PolicyDocument.from_json(base.to_json())
        document.add_statements(*self._statements)
        return document

    @functools.cached_property
    def _statements(self) -> list[iam.PolicyStatement]:
        """Made once: every template of a cache has a document of its own, and the same statements in it."""
        actions = list(permissions.PULL)
        statements = []
        if self.accounts:
            accounts = [iam.AccountPrincipal(account) for account in sorted(set(self.accounts))]
            statements.append(iam.PolicyStatement(sid="PullFromAccounts", principals=list(accounts), actions=actions))
        if self.organization is not None:
            organization = iam.OrganizationPrincipal(self.organization)
            statements.append(
                iam.PolicyStatement(sid="PullFromOrganization", principals=[organization], actions=actions)
            )
        return statements
