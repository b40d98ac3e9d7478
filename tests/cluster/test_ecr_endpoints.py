"""EcrEndpoints: the VPC endpoints that private subnets need."""

from aws_cdk import aws_ec2 as ec2

from ecr_pull_through_cache import EcrEndpoints
from tests.support.templates import resources


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
