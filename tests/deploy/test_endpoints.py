"""The one stack of `environments/example.yaml` with VPC endpoints, in an engine that has these."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.deploy.deploying import Deployer
from tests.deploy.ministack import NAME, ministack
from tests.support import ROOT

PROD, FRANKFURT = "222233334444", "eu-central-1"
STACK = "cluster-prod-private"


@pytest.fixture(scope="module")
def aws(tmp_path_factory, record):
    folder: Path = tmp_path_factory.mktemp("endpoints")
    with ministack(folder) as port:
        deployer = Deployer(f"http://127.0.0.1:{port}", PROD, folder, record, NAME, mended=False)
        deployer.configuration = ROOT / "environments/example.yaml"
        deployer.bootstrap(PROD, FRANKFURT)
        trust = {
            "Version": "2012-10-17",
            "Statement": [
                {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
            ],
        }
        deployer.client("iam", FRANKFURT).create_role(
            RoleName="prod-private-nodes", AssumeRolePolicyDocument=json.dumps(trust)
        )
        yield deployer


def endpoints(aws) -> dict[str, list[str]]:
    found = aws.client("ec2", FRANKFURT).describe_vpc_endpoints()["VpcEndpoints"]
    assert {e["VpcId"] for e in found} <= {"vpc-0123456789abcdef0"}
    return {
        e["ServiceName"].removeprefix(f"com.amazonaws.{FRANKFURT}."): e["SubnetIds"] or e["RouteTableIds"]
        for e in found
    }


def test_endpoints_of_ecr_and_of_its_layers_are_made(aws):
    assert aws.deploy(STACK) == {"AWS::EC2::SecurityGroup", "AWS::EC2::VPCEndpoint", "AWS::IAM::ManagedPolicy"}
    subnets = ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"]
    tables = ["rtb-0123456789abcdef0", "rtb-0123456789abcdef1"]
    assert endpoints(aws) == {"ecr.api": subnets, "ecr.dkr": subnets, "s3": tables}
    aws.found("API", "AWS::EC2::VPCEndpoint", "AWS::IAM::ManagedPolicy")


def test_they_let_the_vpc_in_and_nobody_else(aws):
    groups = aws.client("ec2", FRANKFURT).describe_security_groups()["SecurityGroups"]
    ours = [g for g in groups if "Endpoints" in g["GroupName"]]
    assert len(ours) == 2
    for group in ours:
        (rule,) = group["IpPermissions"]
        assert (rule["FromPort"], rule["ToPort"]) == (443, 443)
        assert [r["CidrIp"] for r in rule["IpRanges"]] == ["10.20.0.0/16"]
    aws.found("API", "AWS::EC2::SecurityGroup")


def test_deploying_again_changes_nothing(aws):
    assert aws.deploy(STACK) == set()


def test_destroyed_nothing_is_left(aws):
    aws.destroy(STACK)
    assert endpoints(aws) == {}
    attached = aws.client("iam", FRANKFURT).list_attached_role_policies(RoleName="prod-private-nodes")[
        "AttachedPolicies"
    ]
    assert attached == []
