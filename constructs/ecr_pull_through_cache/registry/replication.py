"""Replication of a registry's images to other Regions and accounts."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from aws_cdk import aws_ecr as ecr

from constructs import Construct

from .._checks import check_account, check_region, claim_singleton, error_at
from .._place import is_unresolved, place_of
from ..ecr import quotas
from ..errors import UserError
from ..images import ROOT

_FILTER = re.compile(r"(?:[a-z0-9]+(?:[._-][a-z0-9]*)*/)*[a-z0-9]*(?:[._-][a-z0-9]*)*", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class ReplicationDestination:
    """Where images are copied to.

    :param region: the destination's Region, or a token.
    :param account: the destination's account; the source's own if left out.
    :raises UserError: when either is not one.
    """

    region: str
    account: str | None = None

    def __post_init__(self) -> None:
        check_region(self.region)
        if self.account is not None:
            check_account(self.account)


@dataclass(frozen=True, kw_only=True)
class ReplicationRule:
    """What is copied where.

    :param destinations: at least one.
    :param repository_prefixes: prefixes of the repositories to copy, 2 to 256 characters; all repositories if left out.
    :raises UserError: when a prefix is not one that replication accepts, or there are too many.
    """

    destinations: tuple[ReplicationDestination, ...]
    repository_prefixes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.destinations:
            raise UserError("a replication rule has no destinations; give at least one")
        if len(self.repository_prefixes) > quotas.REPLICATION_FILTERS.value:
            raise UserError(
                f"a replication rule has {len(self.repository_prefixes)} repository prefixes; "
                f"the quota is {quotas.REPLICATION_FILTERS.value} {quotas.REPLICATION_FILTERS.name}"
            )
        for prefix in self.repository_prefixes:
            if prefix != ROOT and (not 2 <= len(prefix) <= 256 or not _FILTER.fullmatch(prefix)):
                raise UserError(
                    f"{prefix!r} is not a prefix that replication can filter by; allowed are 2 to 256 lower-case letters "
                    "and digits, joined by '.', '_', '-' or '/'"
                )


class ReplicationConfiguration(Construct):
    """The replication configuration of the registry that the stack is deployed to; there is one per account and Region.

    Only images that come after it are replicated, so rules should depend on it, as :class:`PullThroughCache` sees to.
    CloudFormation refuses to create it where the registry has one already: import that into this stack, or keep it where
    it is and leave this construct out. A second owner that writes by the API overwrites the first.

    https://docs.aws.amazon.com/AmazonECR/latest/userguide/replication.html

    :param scope: parent.
    :param id: id below the parent.
    :param rules: 1 to 10 rules with at most 25 different destinations.
    :raises UserError: when there is one already in this environment, a quota is exceeded, or a registry would replicate
        to itself.
    """

    def __init__(self, scope: Construct, id: str, *, rules: Sequence[ReplicationRule]) -> None:
        problem = _problem_of(scope, rules)
        if problem:
            raise error_at(scope, id, problem)
        claim_singleton(scope, id, "replication configuration")

        super().__init__(scope, id)
        self.rules = tuple(rules)
        """What is copied where."""
        l1 = ecr.CfnReplicationConfiguration
        own_account = place_of(scope).account
        self.resource = l1(
            self,
            "Resource",
            replication_configuration=l1.ReplicationConfigurationProperty(
                rules=[
                    l1.ReplicationRuleProperty(
                        destinations=[
                            l1.ReplicationDestinationProperty(region=d.region, registry_id=d.account or own_account)
                            for d in rule.destinations
                        ],
                        repository_filters=[
                            l1.RepositoryFilterProperty(filter=f"{prefix}/", filter_type="PREFIX_MATCH")
                            for prefix in rule.repository_prefixes
                            if prefix != ROOT
                        ]
                        or None,
                    )
                    for rule in self.rules
                ]
            ),
        )
        """The L1."""

    @property
    def destinations(self) -> tuple[ReplicationDestination, ...]:
        """Every destination once, in the order given."""
        return tuple(dict.fromkeys(d for rule in self.rules for d in rule.destinations))


def _problem_of(scope: Construct, rules: Sequence[ReplicationRule]) -> str | None:
    here = place_of(scope)
    unique = {(d.region, d.account or here.account) for rule in rules for d in rule.destinations}
    if not rules or len(rules) > quotas.REPLICATION_RULES.value:
        quota = quotas.REPLICATION_RULES
        return f"{len(rules)} replication rules are given; allowed are 1 to {quota.value} {quota.name}"
    if len(unique) > quotas.REPLICATION_DESTINATIONS.value:
        quota = quotas.REPLICATION_DESTINATIONS
        return f"{len(unique)} destinations are given; allowed are {quota.value} {quota.name}"
    if not is_unresolved(here.region) and (here.region, here.account) in unique:
        return f"the registry would replicate to itself in {here.region}; leave that destination out"
    return None
