"""Replication of a registry's images to other Regions and accounts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from aws_cdk import Annotations
from aws_cdk import aws_ecr as ecr

from constructs import Construct

from .._checks import check_account, check_region, claim_singleton, error_at, warn_of_new_region
from .._place import is_unresolved, place_of
from .._props import checked
from ..ecr import filters, quotas
from ..errors import UserError
from ..images import partition_name


@checked
@dataclass(frozen=True, kw_only=True)
class ReplicationDestination:
    """A registry that images are copied to.

    Source and destination must both have opted in to a Region that is not enabled by default.

    :param region: the destination's Region, or a token.
    :param account: the destination's account. Default: the source's own.
    :raises UserError: when either is not one.
    """

    region: str
    account: str | None = None

    def __post_init__(self) -> None:
        check_region(self.region)
        if self.account is not None:
            check_account(self.account)


@checked
@dataclass(frozen=True, kw_only=True)
class ReplicationRule:
    """Repositories, and the registries that they are copied to.

    :param destinations: at least one.
    :param repository_prefixes: at most 100 prefixes of the repositories; ``ROOT``, alone or beside others, means all
        repositories. Default: all repositories.
    :raises UserError: when a prefix is not one that replication accepts, or there are too many.
    """

    destinations: tuple[ReplicationDestination, ...]
    repository_prefixes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.destinations:
            raise UserError("a replication rule has no destinations; give at least one")
        _ = self.filters

    @property
    def filters(self) -> list[str]:
        """The filters in the words of the service; none where all repositories are copied."""
        return filters.REPLICATION.filters(self.repository_prefixes)


@checked
class ReplicationConfiguration(Construct):
    """The replication configuration of the registry that the stack is deployed to; there is one per account and Region.

    Only images that come after it are replicated, so rules should depend on it, as :class:`PullThroughCache` sees to.
    CloudFormation refuses to create it where the registry has one already: import that into this stack, or keep it where
    it is and leave this construct out. A second owner that writes by the API overwrites the first.

    https://docs.aws.amazon.com/AmazonECR/latest/userguide/replication.html

    :param scope: parent.
    :param id: id below the parent.
    :param rules: 1 to 25 rules with at most 25 different destinations. More than 10 are a warning: the user guide gives 10 on one
        page and 25 on another.
    :raises UserError: when there is one already in this environment, a quota is exceeded, a destination is in another
        partition, or a registry would replicate to itself.
    """

    def __init__(self, scope: Construct, id: str, *, rules: Sequence[ReplicationRule]) -> None:
        problem = _problem_of(scope, rules)
        if problem:
            raise error_at(scope, id, problem)
        claim_singleton(scope, id, "replication configuration")

        super().__init__(scope, id)
        self.rules = tuple(rules)
        """The rules."""
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
                            l1.RepositoryFilterProperty(filter=text, filter_type="PREFIX_MATCH")
                            for text in rule.filters
                        ]
                        or None,
                    )
                    for rule in self.rules
                ]
            ),
        )
        """The L1."""
        _warn(self)

    @property
    def destinations(self) -> tuple[ReplicationDestination, ...]:
        """Every destination once, in the order given."""
        return tuple(dict.fromkeys(d for rule in self.rules for d in rule.destinations))


def _problem_of(scope: Construct, rules: Sequence[ReplicationRule]) -> str | None:
    here = place_of(scope)
    unique = {(d.region, d.account or here.account) for rule in rules for d in rule.destinations}
    if not rules or len(rules) > quotas.REPLICATION_RULES_API.value:
        quota = quotas.REPLICATION_RULES_API
        return f"{len(rules)} replication rules are given; allowed are 1 to {quota.value} {quota.name}"
    if len(unique) > quotas.REPLICATION_DESTINATIONS.value:
        quota = quotas.REPLICATION_DESTINATIONS
        return f"{len(unique)} destinations are given; allowed are {quota.value} {quota.name}"
    if is_unresolved(here.region):
        return None
    if (here.region, here.account) in unique:
        return f"the registry would replicate to itself in {here.region}; leave that destination out"
    elsewhere = sorted(
        region for region, _ in unique if partition_name(region) not in (None, partition_name(here.region))
    )
    if elsewhere:
        return f"ECR does not replicate from {here.region} to {elsewhere[0]}, which is in another partition"
    return None


def _warn(configuration: ReplicationConfiguration) -> None:
    quota = quotas.REPLICATION_RULES
    if len(configuration.rules) > quota.value:
        Annotations.of(configuration).add_warning_v2(
            "cdk-ecr-pull-through-cache:replicationRules",
            f"{len(configuration.rules)} replication rules are given; AWS documents {quota.value} {quota.name} on its page of "
            f"quotas (25 in ca-central-1) and 25 on its page about replication, so a deployment may fail",
        )
    for region in sorted({destination.region for destination in configuration.destinations}):
        warn_of_new_region(configuration, region)
