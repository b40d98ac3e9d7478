"""EcrEndpoints: the VPC endpoints that private subnets need."""

import aws_cdk as cdk
import pytest
from aws_cdk import aws_ec2 as ec2

from ecr_pull_through_cache import EcrEndpoints, UserError
from ecr_pull_through_cache.images import FIPS_REGIONS
from tests.support.templates import resources, warnings


def test_endpoints_reach_ecr_and_its_layers_and_nothing_else_in_s3(stack):
    vpc = ec2.Vpc(stack, "Vpc", max_azs=2, nat_gateways=0)
    EcrEndpoints(stack, "E", vpc=vpc, subnets=ec2.SubnetSelection(subnet_type=ec2.SubnetType.PRIVATE_ISOLATED))
    endpoints = resources(stack, "AWS::EC2::VPCEndpoint").values()
    assert sorted(e["VpcEndpointType"] for e in endpoints) == ["Gateway", "Interface", "Interface"]
    names = {str(e["ServiceName"]).rsplit(".", 1)[-1].strip("'}]") for e in endpoints}
    assert names == {"api", "dkr", "s3"}
    (gateway,) = (e for e in endpoints if e["VpcEndpointType"] == "Gateway")
    (statement,) = gateway["PolicyDocument"]["Statement"]
    assert statement["Action"] == "s3:GetObject"
    assert statement["Resource"] == "arn:aws:s3:::prod-eu-west-1-starport-layer-bucket/*"
    assert len(gateway["RouteTableIds"]) == 2


def test_who_may_reach_the_endpoints_is_said_by_their_connections(stack):
    vpc = ec2.Vpc(stack, "Vpc", max_azs=1, nat_gateways=0)
    it = EcrEndpoints(stack, "E", vpc=vpc, subnets=ec2.SubnetSelection(subnet_type=ec2.SubnetType.PRIVATE_ISOLATED))
    nodes = ec2.SecurityGroup(stack, "Nodes", vpc=vpc)
    nodes.connections.allow_to_default_port(it)
    rules = resources(stack, "AWS::EC2::SecurityGroupIngress").values()
    assert len(rules) == 2
    assert {rule["FromPort"] for rule in rules} == {443}


def isolated(stack):
    return ec2.Vpc(
        stack, "Vpc", max_azs=1, nat_gateways=0,
        subnet_configuration=[ec2.SubnetConfiguration(name="In", subnet_type=ec2.SubnetType.PRIVATE_ISOLATED)],
    )  # fmt: skip


def make(stack, **props):
    return EcrEndpoints(
        stack,
        "E",
        vpc=isolated(stack),
        subnets=ec2.SubnetSelection(subnet_type=ec2.SubnetType.PRIVATE_ISOLATED),
        **props,
    )


def test_dual_stack_endpoints_answer_over_both_addresses(stack):
    make(stack, dual_stack=True)
    made = resources(stack, "AWS::EC2::VPCEndpoint").values()
    assert [(e["IpAddressType"], e["DnsOptions"]) for e in made] == [
        ("dualstack", {"DnsRecordIpType": "dualstack"})
    ] * 3


@pytest.mark.parametrize("region", FIPS_REGIONS)
def test_fips_endpoints_stand_beside_the_ordinary_ones(app, region):
    stack = cdk.Stack(app, "There", env=cdk.Environment(account="111122223333", region=region))
    endpoints = make(stack, fips=True)
    names = {str(e["ServiceName"]) for e in resources(stack, "AWS::EC2::VPCEndpoint").values()}
    for service in ("ecr.api", "ecr.dkr", "ecr-fips.api", "ecr-fips.dkr"):
        assert f"com.amazonaws.{region}.{service}" in names
    assert warnings(stack) == ["cdk-ecr-pull-through-cache:fipsFirstPull"]
    assert len(endpoints.connections.security_groups) == 4


def test_a_region_without_fips_endpoints_is_refused(stack):
    with pytest.raises(
        UserError, match="Stack/E: ECR has no FIPS endpoints in eu-west-1; it has them in us-east-1, us-east-2"
    ):
        make(stack, fips=True)
