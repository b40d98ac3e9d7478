"""SigningConfiguration: signing profiles and repositories."""

import json
from pathlib import Path

import aws_cdk as cdk
import pytest

from ecr_pull_through_cache import SigningConfiguration, SigningRule, UserError
from ecr_pull_through_cache.ecr.limits import WITHOUT_SIGNING
from tests.support.templates import only


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


def profile(region):
    return f"arn:aws:signer:{region}:111122223333:/signing-profiles/containers"


def configure(app, region, *rules):
    stack = cdk.Stack(app, "There", env=cdk.Environment(account="111122223333", region=region))
    SigningConfiguration(stack, "S", rules=rules)
    return stack


def test_root_beside_another_prefix_means_all_repositories(stack):
    rule = SigningRule(signing_profile_arn=profile("eu-west-1"), repository_prefixes=("ROOT", "team-a"))
    SigningConfiguration(stack, "S", rules=[rule])
    assert only(stack, "AWS::ECR::SigningConfiguration") == {"Rules": [{"SigningProfileArn": profile("eu-west-1")}]}


@pytest.mark.parametrize("region", WITHOUT_SIGNING)
def test_a_region_without_signing_is_refused(app, region):
    with pytest.raises(UserError, match=f"There/S: CloudFormation has no signing configuration of ECR in {region}"):
        configure(app, region, SigningRule(signing_profile_arn=profile(region)))


def test_a_profile_of_another_region_is_refused(app):
    with pytest.raises(
        UserError, match="lies in us-east-1; ECR signs with profiles of the registry's own Region, eu-west-1"
    ):
        configure(app, "eu-west-1", SigningRule(signing_profile_arn=profile("us-east-1")))


def test_a_profile_of_another_account_and_a_token_are_accepted(app):
    theirs = profile("eu-west-1").replace("111122223333", "222233334444")
    rules = [SigningRule(signing_profile_arn=arn) for arn in (theirs, cdk.Fn.import_value("Profile"))]
    assert len(only(configure(app, "eu-west-1", *rules), "AWS::ECR::SigningConfiguration")["Rules"]) == 2


@pytest.mark.parametrize(
    "prefixes", [("team--cache",), ("a__b",), ("k" * 256,), tuple(f"p{n}" for n in range(101)), ()]
)
def test_filters_that_signing_does_not_take_are_refused(prefixes):
    with pytest.raises(UserError):
        SigningRule(signing_profile_arn=profile("eu-west-1"), repository_prefixes=prefixes)


@pytest.mark.parametrize("count", [0, 11])
def test_the_number_of_rules_is_limited(stack, count):
    with pytest.raises(UserError, match=f"{count} signing rules are given; allowed are 1 to 10"):
        SigningConfiguration(stack, "S", rules=[SigningRule(signing_profile_arn=profile("eu-west-1"))] * count)


def test_the_regions_without_signing_are_those_of_the_schemas_of_cloudformation():
    import cfnlint

    folder = Path(cfnlint.__file__).parent / "data/schemas/providers"
    known = {path.stem: json.loads(path.read_text()) for path in folder.glob("*.json") if path.stem != "sam"}
    lacking = {region for region, types in known.items() if "AWS::ECR::SigningConfiguration" not in types}
    assert lacking == set(WITHOUT_SIGNING)
    assert "AWS::ECR::SigningConfiguration" in known["eu-west-1"]
