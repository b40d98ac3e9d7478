"""ReplicationConfiguration: destinations, filters and the limits of ECR."""

import pytest

from ecr_pull_through_cache import ReplicationConfiguration, ReplicationDestination, ReplicationRule, UserError
from tests.support.templates import only, warnings

REGIONS = [
    "eu-central-1",
    "eu-north-1",
    "eu-west-2",
    "eu-west-3",
    "us-east-1",
    "us-east-2",
    "us-west-1",
    "us-west-2",
    "ca-central-1",
    "sa-east-1",
    "ap-south-1",
    "ap-south-2",
    "ap-east-1",
    "ap-southeast-1",
    "ap-southeast-2",
    "ap-southeast-3",
    "ap-southeast-4",
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-northeast-3",
    "me-south-1",
    "me-central-1",
    "il-central-1",
    "af-south-1",
    "eu-south-1",
    "eu-south-2",
]


def rule(*regions, prefixes=("k8s",), account=None):
    destinations = tuple(ReplicationDestination(region=region, account=account) for region in regions)
    return ReplicationRule(destinations=destinations, repository_prefixes=prefixes)


def test_replication_names_destinations_and_what_is_copied(stack):
    ReplicationConfiguration(
        stack, "R", rules=[rule("eu-central-1"), rule("us-east-1", prefixes=(), account="222233334444")]
    )
    first, second = only(stack, "AWS::ECR::ReplicationConfiguration")["ReplicationConfiguration"]["Rules"]
    assert first == {
        "Destinations": [{"Region": "eu-central-1", "RegistryId": "111122223333"}],
        "RepositoryFilters": [{"Filter": "k8s/", "FilterType": "PREFIX_MATCH"}],
    }
    assert second == {"Destinations": [{"Region": "us-east-1", "RegistryId": "222233334444"}]}


REPLICATION_REFUSED = {
    "itself": ([rule("eu-west-1")], "Stack/R: the registry would replicate to itself in eu-west-1"),
    "itself, by its account": ([rule("eu-west-1", account="111122223333")], "would replicate to itself"),
    "no rules": ([], "0 replication rules are given; allowed are 1 to 25"),
    "26 rules": ([rule("us-east-1")] * 26, "26 replication rules are given; allowed are 1 to 25"),
    "another partition": (
        [rule("us-east-1", "cn-north-1")],
        "ECR does not replicate from eu-west-1 to cn-north-1, which is in another partition",
    ),
    "26 destinations": ([rule(*REGIONS)], "26 destinations are given; allowed are 25"),
}


@pytest.mark.parametrize(("rules", "message"), REPLICATION_REFUSED.values(), ids=REPLICATION_REFUSED)
def test_replication_that_ecr_refuses(stack, rules, message):
    with pytest.raises(UserError, match=message):
        ReplicationConfiguration(stack, "R", rules=rules)


def test_25_destinations_are_allowed(stack):
    ReplicationConfiguration(stack, "R", rules=[rule(*REGIONS[:25])])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ReplicationDestination(region="eu-wset-1"), "'eu-wset-1' is not a Region .did you mean 'eu-west-1'"),
        (lambda: ReplicationDestination(region="eu-west-1", account="12"), "'12' is not an account"),
        (lambda: rule(), "has no destinations"),
        (lambda: rule("eu-west-1", prefixes=("A",)), "'A' is not a repository prefix"),
        (
            lambda: rule("eu-west-1", prefixes=tuple(f"p{n}" for n in range(101))),
            "101 repository prefixes are given for replication; allowed are 100",
        ),
    ],
)
def test_parts_of_replication_are_checked_when_they_are_made(make, message):
    with pytest.raises(UserError, match=message):
        make()


def test_root_beside_another_prefix_means_all_repositories(stack):
    ReplicationConfiguration(stack, "R", rules=[rule("us-east-1", prefixes=("ROOT", "team-a"))])
    (rendered,) = only(stack, "AWS::ECR::ReplicationConfiguration")["ReplicationConfiguration"]["Rules"]
    assert "RepositoryFilters" not in rendered


@pytest.mark.parametrize("count", [10, 11, 25])
def test_more_rules_than_one_page_of_aws_allows_are_warned_of(stack, count):
    ReplicationConfiguration(stack, "R", rules=[rule("us-east-1", prefixes=(f"p{n}",)) for n in range(count)])
    assert warnings(stack) == (["cdk-ecr-pull-through-cache:replicationRules"] if count > 10 else [])


def test_a_destination_in_a_new_region_is_warned_of(stack):
    ReplicationConfiguration(stack, "R", rules=[rule("sa-west-1")])
    assert warnings(stack) == ["cdk-ecr-pull-through-cache:newRegion"]
