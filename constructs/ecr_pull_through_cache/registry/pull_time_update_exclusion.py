"""Pull times that are not recorded for a principal."""

from __future__ import annotations

from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_iam as iam

from constructs import Construct

from .._props import checked


@checked
class PullTimeUpdateExclusion(Construct):
    """Excludes a role from pull times: ECR does not record when it pulls an image.

    For scanners and for warmers of a cache, which would make every image look as if it were in use. It holds for the registry
    that the stack is deployed to.

    https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_RegisterPullTimeUpdateExclusion.html

    :param scope: parent.
    :param id: id below the parent.
    :param role: the role whose pulls are not recorded.
    """

    def __init__(self, scope: Construct, id: str, *, role: iam.IRole) -> None:
        super().__init__(scope, id)
        self.resource = ecr.CfnPullTimeUpdateExclusion(self, "Resource", principal_arn=role.role_arn)
        """The L1."""
