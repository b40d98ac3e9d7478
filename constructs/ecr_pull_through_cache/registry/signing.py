"""Signing configuration: signatures that ECR creates for pushed images."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from aws_cdk import aws_ecr as ecr

from constructs import Construct

from .._checks import claim_singleton, error_at
from .._place import is_unresolved, place_of
from .._props import checked
from ..ecr import filters, quotas
from ..ecr.limits import WITHOUT_SIGNING
from ..errors import UserError
from ..images import ROOT

_PROFILE = re.compile(
    r"arn:aws(-[a-z]+)*:signer:(?P<region>[a-z0-9-]+):[0-9]{12}:/signing-profiles/[a-zA-Z0-9_]{2,}", re.ASCII
)


@checked
@dataclass(frozen=True, kw_only=True)
class SigningRule:
    """Repositories, and the profile that their images are signed with.

    :param signing_profile_arn: ARN of an AWS Signer profile for container images, or a token. The profile lies in the Region of
        the registry; its account may be another.
    :param repository_prefixes: 1 to 100 prefixes of the repositories; ``ROOT``, alone or beside others, means all
        repositories. Default: all repositories.
    :raises UserError: when the ARN is not that of a signing profile, or signing takes no filter for a prefix.
    """

    signing_profile_arn: str
    repository_prefixes: tuple[str, ...] = (ROOT,)

    def __post_init__(self) -> None:
        if not is_unresolved(self.signing_profile_arn) and not _PROFILE.fullmatch(self.signing_profile_arn):
            raise UserError(
                f"{self.signing_profile_arn!r} is not a signing profile; "
                "its ARN looks like 'arn:aws:signer:REGION:ACCOUNT:/signing-profiles/NAME'"
            )
        if not self.repository_prefixes:
            raise UserError(f"a signing rule has no repository prefixes; give at least one, or {ROOT} for all")
        _ = self.filters

    @property
    def filters(self) -> list[str]:
        """The filters in the words of the service; none where the images of all repositories are signed."""
        return filters.SIGNING.filters(self.repository_prefixes)

    @property
    def profile_region(self) -> str | None:
        """The Region of the signing profile, ``None`` where its ARN is a token."""
        match = _PROFILE.fullmatch(self.signing_profile_arn)
        return match["region"] if match else None


@checked
class SigningConfiguration(Construct):
    """The signing configuration of the registry that the stack is deployed to; there is one per account and Region.

    ECR signs an image with the identity that pushes it, which needs ``signer:SignPayload`` on the profile and may push the
    signature. What ECR imports through a rule is pushed by its service-linked role; AWS does not say whether such images are
    signed.

    https://docs.aws.amazon.com/AmazonECR/latest/userguide/managed-signing.html

    :param scope: parent.
    :param id: id below the parent.
    :param rules: 1 to 10 rules.
    :raises UserError: when there is one already in this environment, the number of rules is not allowed, the Region has no
        signing, or a profile lies in another Region.
    """

    def __init__(self, scope: Construct, id: str, *, rules: Sequence[SigningRule]) -> None:
        problem = _problem_of(place_of(scope).region, rules)
        if problem:
            raise error_at(scope, id, problem)
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
                        l1.RepositoryFilterProperty(filter=text, filter_type="WILDCARD_MATCH") for text in rule.filters
                    ]
                    or None,
                )
                for rule in rules
            ],
        )
        """The L1."""


def _problem_of(region: str, rules: Sequence[SigningRule]) -> str | None:
    quota = quotas.SIGNING_RULES
    if not 1 <= len(rules) <= quota.value:
        return f"{len(rules)} signing rules are given; allowed are 1 to {quota.value} {quota.name}"
    if region in WITHOUT_SIGNING:
        return (
            f"CloudFormation has no signing configuration of ECR in {region}; leave it out, or sign in another Region"
        )
    if is_unresolved(region):
        return None
    elsewhere = next((rule for rule in rules if rule.profile_region not in (None, region)), None)
    if elsewhere is not None:
        return (
            f"the signing profile {elsewhere.signing_profile_arn} lies in {elsewhere.profile_region}; ECR signs with profiles of "
            f"the registry's own Region, {region}"
        )
    return None
