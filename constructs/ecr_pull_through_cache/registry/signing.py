"""Signatures that ECR makes itself when an image arrives."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from aws_cdk import aws_ecr as ecr

from constructs import Construct

from .._checks import claim_singleton, error_at
from .._place import is_unresolved
from ..errors import UserError
from ..images import ROOT

_PROFILE = re.compile(r"arn:[\w-]+:signer:[\w-]+:\d{12}:/signing-profiles/\w{2,}", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class SigningRule:
    """Which images are signed with which profile.

    :param signing_profile_arn: ARN of an AWS Signer profile for container images, or a token.
    :param repository_prefixes: prefixes of the repositories, ``ROOT`` for all.
    :raises UserError: when the ARN is not that of a signing profile.
    """

    signing_profile_arn: str
    repository_prefixes: tuple[str, ...] = (ROOT,)

    def __post_init__(self) -> None:
        if not is_unresolved(self.signing_profile_arn) and not _PROFILE.fullmatch(self.signing_profile_arn):
            raise UserError(
                f"{self.signing_profile_arn!r} is not a signing profile; "
                "its ARN looks like 'arn:aws:signer:REGION:ACCOUNT:/signing-profiles/NAME'"
            )


class SigningConfiguration(Construct):
    """The signing configuration of the registry that the stack is deployed to; there is one per account and Region.

    https://docs.aws.amazon.com/AmazonECR/latest/userguide/managed-signing.html

    :param scope: parent.
    :param id: id below the parent.
    :param rules: 1 to 10 rules.
    :raises UserError: when there is one already in this environment, or the number of rules is not allowed.
    """

    def __init__(self, scope: Construct, id: str, *, rules: Sequence[SigningRule]) -> None:
        if not 1 <= len(rules) <= 10:
            raise error_at(scope, id, f"{len(rules)} signing rules are given; allowed are 1 to 10")
        claim_singleton(scope, id, "signing configuration")

        super().__init__(scope, id)
        l1 = ecr.CfnSigningConfiguration
        self.resource = l1(
            self,
            "Resource",
            rules=[
                l1.RuleProperty(
                    signing_profile_arn=rule.signing_profile_arn,
                    repository_filters=[
                        l1.RepositoryFilterProperty(filter=f"{prefix}/*", filter_type="WILDCARD_MATCH")
                        for prefix in rule.repository_prefixes
                        if prefix != ROOT
                    ]
                    or None,
                )
                for rule in rules
            ],
        )
        """The L1."""
