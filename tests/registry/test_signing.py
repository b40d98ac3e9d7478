"""SigningConfiguration: signing profiles and repositories."""

import pytest

from ecr_pull_through_cache import SigningConfiguration, SigningRule, UserError
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
