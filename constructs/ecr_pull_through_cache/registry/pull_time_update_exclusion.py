"""Pulls that do not count as use of an image."""

from __future__ import annotations

from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_iam as iam

from constructs import Construct


class PullTimeUpdateExclusion(Construct):
    """Pulls of a principal leave the time of an image's last pull as it is.

    For scanners and for what warms a cache: otherwise nothing would ever expire by the time since its last pull.

    https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_RegisterPullTimeUpdateExclusion.html

    :param scope: parent.
    :param id: id below the parent.
    :param role: the role whose pulls do not count.
    """

    def __init__(self, scope: Construct, id: str, *, role: iam.IRole) -> None:
        super().__init__(scope, id)
        self.resource = ecr.CfnPullTimeUpdateExclusion(self, "Resource", principal_arn=role.role_arn)
        """The L1."""
