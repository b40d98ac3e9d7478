"""Two owners of one registry: what happens when somebody else writes what exists once in an account and Region.

That a *first* deployment fails with "already exists" where somebody else's is there already is what AWS's own resource
handlers do; this engine overwrites instead, so it cannot be seen here.
"""

from __future__ import annotations

import json

import pytest
from botocore.exceptions import ClientError

from tests.deploy.deploying import PLATFORM, changed

REGION = "us-east-1"
CONFIGURATION = {
    "accounts": {"platform": PLATFORM},
    "registries": {
        "main": {
            "account": "platform",
            "region": REGION,
            "upstreams": {"k8s": "registry.k8s.io"},
            "replicateTo": ["west"],
            "pull": {"accounts": ["222233334444"]},
        },
        "west": {"account": "platform", "region": "us-west-2"},
    },
}
THEIR_POLICY = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "Theirs",
                "Effect": "Allow",
                "Principal": {"AWS": "arn:aws:iam::444455556666:root"},
                "Action": "ecr:ReplicateImage",
                "Resource": f"arn:aws:ecr:{REGION}:{PLATFORM}:repository/team/*",
            }
        ],
    }
)
THEIR_REPLICATION = {
    "rules": [
        {
            "destinations": [{"region": "eu-north-1", "registryId": PLATFORM}],
            "repositoryFilters": [{"filter": "team/", "filterType": "PREFIX_MATCH"}],
        }
    ]
}


@pytest.fixture(scope="module")
def aws(cloud):
    """Our stacks, and then somebody else who writes over what they made."""
    deployer = cloud.deployer
    deployer.bootstrap(PLATFORM, REGION, "us-west-2")
    deployer.configure(CONFIGURATION)
    deployer.deploy()
    assert deployer.check() == []
    ecr = deployer.client("ecr", REGION)
    ecr.put_registry_policy(policyText=THEIR_POLICY)
    ecr.put_replication_configuration(replicationConfiguration=THEIR_REPLICATION)
    return deployer


def theirs(aws) -> tuple[bool, bool]:
    """Whether the registry policy and the replication configuration are somebody else's."""
    ecr = aws.client("ecr", REGION)
    rules = ecr.describe_registry()["replicationConfiguration"]["rules"]
    return "Theirs" in ecr.get_registry_policy()["policyText"], rules == THEIR_REPLICATION["rules"]


def test_check_sees_it(aws):
    findings = "\n".join(aws.check())
    assert f"main: replication to {PLATFORM}/us-west-2: is not there" in findings
    assert "main: registry policy" in findings


def test_deploying_without_a_change_does_not_touch_it(aws):
    assert aws.deploy() == set()
    assert theirs(aws) == (True, True)


def test_a_deployment_that_changes_it_writes_ours_over_theirs(aws):
    configuration = changed(CONFIGURATION)
    configuration["registries"]["main"]["upstreams"]["quay"] = "quay.io"
    aws.configure(configuration)
    assert {"AWS::ECR::RegistryPolicy", "AWS::ECR::ReplicationConfiguration"} < aws.deploy()
    assert theirs(aws) == (False, False)
    assert aws.check() == []


def test_destroying_ours_takes_theirs_along(aws):
    ecr = aws.client("ecr", REGION)
    ecr.put_registry_policy(policyText=THEIR_POLICY)
    ecr.put_replication_configuration(replicationConfiguration=THEIR_REPLICATION)
    aws.destroy()
    assert ecr.describe_registry()["replicationConfiguration"]["rules"] == []
    with pytest.raises(ClientError, match="RegistryPolicyNotFoundException"):
        ecr.get_registry_policy()


def test_one_app_with_two_registries_in_one_place_is_refused(aws):
    configuration = changed(CONFIGURATION)
    configuration["registries"]["again"] = {"account": "platform", "region": REGION, "upstreams": {"quay": "quay.io"}}
    aws.configure(configuration)
    assert "us-east-1" in aws.cdk("synth", fails=True)
