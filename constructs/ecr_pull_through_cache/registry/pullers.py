"""The accounts, besides the registry's own, that pull from it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from aws_cdk import aws_iam as iam

from .._checks import check_account
from .._place import is_unresolved
from .._props import checked
from ..ecr import statements
from ..ecr.registry import EcrRegistry
from ..errors import UserError

_ORGANIZATION = re.compile(r"o-[a-z0-9]{10,32}", re.ASCII)


@checked
@dataclass(frozen=True, kw_only=True)
class Pullers(statements.Who):
    """The accounts, or the organisation, whose clusters pull from a registry.

    :param accounts: accounts of 12 digits, or tokens. Default: none.
    :param organization: id of the AWS organisation whose accounts all may pull: ``o-a1b2c3d4e5``. Default: none.
    :raises UserError: when the form of an account or of the organisation's id is wrong.
    """

    def __post_init__(self) -> None:
        for account in self.accounts:
            check_account(account)
        organization = self.organization
        if organization is None or is_unresolved(organization) or _ORGANIZATION.fullmatch(organization):
            return
        raise UserError(
            f"{organization!r} is not an organisation; its id looks like 'o-' and 10 to 32 lower-case letters and digits"
        )

    def repository_policy(
        self, registry: EcrRegistry, base: iam.PolicyDocument | None = None
    ) -> iam.PolicyDocument | None:
        """A repository policy that lets them pull.

        https://docs.aws.amazon.com/AmazonECR/latest/userguide/repository-policy-examples.html

        :param registry: the registry of the repositories.
        :param base: a policy to add to; it is left as it is. Default: none.
        :returns: the policy, or ``base`` where there are no pullers.
        :raises UserError: when ECR would refuse it for its length.
        """
        if not self:
            return base
        pull = statements.repository_pull(registry, self)
        statements.check_size("repository policy", statements.document(pull))
        if base is None:
            return iam.PolicyDocument.from_json(statements.document(pull))
        document = iam.PolicyDocument.from_json(base.to_json())
        document.add_statements(*map(iam.PolicyStatement.from_json, pull))
        return document
