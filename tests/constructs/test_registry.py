"""What a registry has once: replication, policy, scanning, signing."""

import aws_cdk as cdk
import pytest
from aws_cdk import aws_iam as iam

from ecr_pull_through_cache import (
    PullTimeUpdateExclusion,
    RegistryPolicy,
    RegistryScanningConfiguration,
    ReplicationConfiguration,
    ReplicationDestination,
    ReplicationRule,
    ScanFrequency,
    ScanningRule,
    ScanType,
    SigningConfiguration,
    SigningRule,
    UserError,
)
from tests.constructs.support import only

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
    "no rules": ([], "0 replication rules are given; allowed are 1 to 10"),
    "eleven rules": ([rule("us-east-1")] * 11, "11 replication rules are given; allowed are 1 to 10"),
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
        (lambda: rule("eu-west-1", prefixes=("A",)), "'A' is not a prefix that replication can filter by"),
        (lambda: rule("eu-west-1", prefixes=tuple(f"p{n}" for n in range(101))), "has 101 repository prefixes"),
    ],
)
def test_parts_of_replication_are_checked_when_they_are_made(make, message):
    with pytest.raises(UserError, match=message):
        make()


SINGLETONS = {
    "replication configuration": lambda scope, id: ReplicationConfiguration(scope, id, rules=[rule("us-east-1")]),
    "registry policy": RegistryPolicy,
    "registry scanning configuration": RegistryScanningConfiguration,
    "signing configuration": lambda scope, id: SigningConfiguration(
        scope, id, rules=[SigningRule(signing_profile_arn=cdk.Fn.import_value("profile"))]
    ),
}


@pytest.mark.parametrize(("kind", "make"), SINGLETONS.items(), ids=SINGLETONS)
class TestSingletons:
    def test_a_second_one_is_refused_in_the_same_environment(self, app, stack, kind, make):
        make(stack, "First")
        other = cdk.Stack(app, "Other", env=cdk.Environment(account="111122223333", region="eu-west-1"))
        with pytest.raises(UserError) as error:
            make(other, "Second")
        assert str(error.value) == (
            f"Other/Second: a registry has only one {kind}, and Stack/First is it for aws://111122223333/eu-west-1; "
            "add to that one, or give this stack another env"
        )

    def test_another_region_has_its_own(self, app, stack, kind, make):
        make(stack, "First")
        make(cdk.Stack(app, "Other", env=cdk.Environment(account="111122223333", region="eu-west-2")), "Second")

    def test_stacks_of_any_environment_are_told_apart(self, app, kind, make):
        make(cdk.Stack(app, "One"), "First")
        make(cdk.Stack(app, "Two"), "Second")

    def test_apps_are_told_apart(self, kind, make):
        for _ in range(2):
            app = cdk.App()
            make(cdk.Stack(app, "S", env=cdk.Environment(account="111122223333", region="eu-west-1")), "First")


class TestRegistryPolicy:
    def statements(self, stack):
        return only(stack, "AWS::ECR::RegistryPolicy")["PolicyText"]["Statement"]

    def test_all_constructs_of_a_stack_share_one(self, stack):
        assert RegistryPolicy.of(stack) is RegistryPolicy.of(stack)

    def test_one_made_by_hand_is_the_one(self, stack):
        mine = RegistryPolicy(stack, "Mine")
        assert RegistryPolicy.of(stack) is mine

    def test_a_source_of_replication_may_create_and_replicate(self, stack):
        RegistryPolicy.of(stack).grant_replication("222233334444", repository_prefixes=["k8s"])
        (statement,) = self.statements(stack)
        assert statement["Action"] == ["ecr:CreateRepository", "ecr:ReplicateImage"]
        assert statement["Resource"] == "arn:aws:ecr:eu-west-1:111122223333:repository/k8s/*"
        assert "222233334444" in str(statement["Principal"])

    def test_importers_may_import_and_create(self, stack):
        RegistryPolicy.of(stack).grant_import(iam.OrganizationPrincipal("o-exampleorg1"))
        (statement,) = self.statements(stack)
        assert statement["Action"] == ["ecr:BatchImportUpstreamImage", "ecr:CreateRepository"]
        assert statement["Condition"] == {"StringEquals": {"aws:PrincipalOrgID": "o-exampleorg1"}}

    def test_an_empty_one_is_refused_at_synth(self, app, stack):
        RegistryPolicy(stack, "Empty")
        with pytest.raises(RuntimeError, match="the registry policy has no statements"):
            app.synth()


class TestScanning:
    def test_the_default_scans_everything_that_arrives(self, stack):
        RegistryScanningConfiguration(stack, "S")
        assert only(stack, "AWS::ECR::RegistryScanningConfiguration") == {
            "ScanType": "BASIC",
            "Rules": [
                {"ScanFrequency": "SCAN_ON_PUSH", "RepositoryFilters": [{"Filter": "*", "FilterType": "WILDCARD"}]}
            ],
        }

    def test_prefixes_are_scanned(self, stack):
        rule = ScanningRule(frequency=ScanFrequency.CONTINUOUS_SCAN, repository_prefixes=("k8s",))
        RegistryScanningConfiguration(stack, "S", scan_type=ScanType.ENHANCED, rules=[rule])
        (rendered,) = only(stack, "AWS::ECR::RegistryScanningConfiguration")["Rules"]
        assert rendered["RepositoryFilters"] == [{"Filter": "k8s/*", "FilterType": "WILDCARD"}]

    def test_the_basic_scanner_does_not_scan_continuously(self, stack):
        with pytest.raises(UserError, match="Stack/S: CONTINUOUS_SCAN does not go with BASIC"):
            RegistryScanningConfiguration(stack, "S", rules=[ScanningRule(frequency=ScanFrequency.CONTINUOUS_SCAN)])

    def test_a_frequency_is_given_once(self, stack):
        rules = [ScanningRule(frequency=ScanFrequency.SCAN_ON_PUSH, repository_prefixes=(p,)) for p in ("a1", "b1")]
        with pytest.raises(UserError, match="a scan frequency is given twice"):
            RegistryScanningConfiguration(stack, "S", rules=rules)


def test_signing_names_profile_and_repositories(stack):
    arn = "arn:aws:signer:eu-west-1:111122223333:/signing-profiles/containers"
    SigningConfiguration(stack, "S", rules=[SigningRule(signing_profile_arn=arn, repository_prefixes=("k8s",))])
    assert only(stack, "AWS::ECR::SigningConfiguration") == {
        "Rules": [
            {
                "SigningProfileArn": arn,
                "RepositoryFilters": [{"Filter": "k8s/*", "FilterType": "WILDCARD_MATCH"}],
            }
        ]
    }


def test_signing_with_something_else_is_refused():
    with pytest.raises(UserError, match="is not a signing profile"):
        SigningRule(signing_profile_arn="arn:aws:kms:eu-west-1:111122223333:key/1")


def test_pulls_of_a_role_do_not_count(stack):
    PullTimeUpdateExclusion(
        stack, "E", role=iam.Role.from_role_arn(stack, "R", "arn:aws:iam::111122223333:role/warmer")
    )
    assert only(stack, "AWS::ECR::PullTimeUpdateExclusion") == {"PrincipalArn": "arn:aws:iam::111122223333:role/warmer"}
