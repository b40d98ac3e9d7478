"""The way to Amazon ECR from subnets without internet."""

from __future__ import annotations

from collections.abc import Sequence

import jsii
from aws_cdk import Annotations
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam

from constructs import Construct

from .._checks import error_at
from .._place import is_unresolved, place_of
from .._props import checked
from ..images import FIPS_REGIONS
from ..registry.cache_registry import CacheRegistry

_FIPS = (("Api", "api"), ("Docker", "dkr"))


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
    :param dual_stack: whether the endpoints answer over IPv6 too; VPC and subnets need IPv6 addresses. Default: IPv4 alone.
    :param fips: whether there are FIPS endpoints besides, for clients that name the host
        ``ACCOUNT.dkr.ecr-fips.REGION.amazonaws.com``. The ordinary endpoints stay, because FIPS endpoints do not serve the first
        pull of an image. Default: none.
    :raises UserError: when ``security_groups`` is empty, or the Region has no FIPS endpoints.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        vpc: ec2.IVpc,
        subnets: ec2.SubnetSelection | None = None,
        security_groups: Sequence[ec2.ISecurityGroup] | None = None,
        dual_stack: bool = False,
        fips: bool = False,
    ) -> None:
        if security_groups is not None and not security_groups:
            raise error_at(
                scope, id, "security_groups is empty; give at least one, or leave it out for one that is made"
            )
        region = place_of(scope).region
        if fips and not is_unresolved(region) and region not in FIPS_REGIONS:
            raise error_at(
                scope, id, f"ECR has no FIPS endpoints in {region}; it has them in {', '.join(FIPS_REGIONS)}"
            )
        super().__init__(scope, id)
        service = ec2.InterfaceVpcEndpointAwsService

        def endpoint(name: str, of: ec2.InterfaceVpcEndpointAwsService) -> ec2.InterfaceVpcEndpoint:
            return ec2.InterfaceVpcEndpoint(
                self,
                name,
                vpc=vpc,
                subnets=subnets,
                service=of,
                security_groups=security_groups,
                ip_address_type=ec2.VpcEndpointIpAddressType.DUALSTACK if dual_stack else None,
                dns_record_ip_type=ec2.VpcEndpointDnsRecordIpType.DUALSTACK if dual_stack else None,
            )

        self.api = endpoint("Api", service.ECR)
        """Endpoint of ECR's API, where tokens come from."""
        self.docker = endpoint("Docker", service.ECR_DOCKER)
        """Endpoint of the registry itself."""
        self.fips = tuple(endpoint(f"Fips{name}", service(f"ecr-fips.{of}")) for name, of in _FIPS) if fips else ()
        """FIPS endpoints of API and registry, if there are any."""
        if fips:
            Annotations.of(self).add_warning_v2(
                "cdk-ecr-pull-through-cache:fipsFirstPull",
                "FIPS endpoints of ECR do not serve the first pull of an image through a rule; warm images by the ordinary host "
                "before nodes pull them by the FIPS host",
            )
        self.layers = ec2.GatewayVpcEndpoint(
            self,
            "Layers",
            vpc=vpc,
            subnets=[subnets] if subnets else None,
            service=ec2.GatewayVpcEndpointAwsService.S3,
            ip_address_type=ec2.VpcEndpointIpAddressType.DUALSTACK if dual_stack else None,
            dns_record_ip_type=ec2.VpcEndpointDnsRecordIpType.DUALSTACK if dual_stack else None,
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
        """The connections of the interface endpoints: ``endpoints.connections.allow_default_port_from(nodes)``."""
        groups = {
            group.security_group_id: group
            for endpoint in (self.api, self.docker, *self.fips)
            for group in endpoint.connections.security_groups
        }
        return ec2.Connections(security_groups=list(groups.values()), default_port=ec2.Port.tcp(443))
