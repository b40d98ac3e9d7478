"""The way to Amazon ECR from subnets without internet."""

from __future__ import annotations

from collections.abc import Sequence

import jsii
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam

from constructs import Construct

from .._checks import error_at
from .._props import checked
from ..registry.cache_registry import CacheRegistry


@checked
@jsii.implements(ec2.IConnectable)
class EcrEndpoints(Construct):
    """The VPC endpoints through which private subnets pull: ``ecr.api``, ``ecr.dkr`` and Amazon S3 for the layers.

    ECR cannot import through them what it must first fetch from upstream over the client's own way out: the first pull of
    an image needs one, or the image has to be in the cache before (``ecr-pull-through warm``).

    https://docs.aws.amazon.com/AmazonECR/latest/userguide/vpc-endpoints.html

    :param scope: parent.
    :param id: id below the parent.
    :param vpc: the VPC.
    :param subnets: subnets that get the interface endpoints, and whose route tables lead to S3; the private ones if left
        out.
    :param security_groups: security groups of the interface endpoints; if left out one is made that lets in HTTPS from
        the VPC.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        vpc: ec2.IVpc,
        subnets: ec2.SubnetSelection | None = None,
        security_groups: Sequence[ec2.ISecurityGroup] | None = None,
    ) -> None:
        if security_groups is not None and not security_groups:
            raise error_at(
                scope, id, "security_groups is empty; give at least one, or leave it out for one that is made"
            )
        super().__init__(scope, id)
        service = ec2.InterfaceVpcEndpointAwsService
        self.api = ec2.InterfaceVpcEndpoint(
            self, "Api", vpc=vpc, subnets=subnets, service=service.ECR, security_groups=security_groups
        )
        """Endpoint of ECR's API, where tokens come from."""
        self.docker = ec2.InterfaceVpcEndpoint(
            self, "Docker", vpc=vpc, subnets=subnets, service=service.ECR_DOCKER, security_groups=security_groups
        )
        """Endpoint of the registry itself."""
        self.layers = ec2.GatewayVpcEndpoint(
            self,
            "Layers",
            vpc=vpc,
            subnets=[subnets] if subnets else None,
            service=ec2.GatewayVpcEndpointAwsService.S3,
        )
        """Gateway endpoint of Amazon S3; its policy lets in the reading of ECR's layers alone. Add to the policy what else
        the VPC reads from S3."""
        registry = CacheRegistry.of(self)
        self.layers.add_to_policy(
            iam.PolicyStatement(
                sid="ReadEcrLayers",
                principals=[iam.AnyPrincipal()],
                actions=["s3:GetObject"],
                resources=[f"arn:{registry.partition}:s3:::prod-{registry.region}-starport-layer-bucket/*"],
            )
        )

    @property
    @jsii.member(jsii_name="connections")
    def connections(self) -> ec2.Connections:
        """The connections of both interface endpoints: ``endpoints.connections.allow_default_port_from(nodes)``."""
        groups = {
            group.security_group_id: group
            for endpoint in (self.api, self.docker)
            for group in endpoint.connections.security_groups
        }
        return ec2.Connections(security_groups=list(groups.values()), default_port=ec2.Port.tcp(443))
