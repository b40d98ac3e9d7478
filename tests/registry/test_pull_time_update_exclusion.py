"""PullTimeUpdateExclusion: pulls of a principal that do not update the pull time."""

from aws_cdk import aws_iam as iam

from ecr_pull_through_cache import PullTimeUpdateExclusion
from tests.support.templates import only


def test_pulls_of_a_role_do_not_count(stack):
    PullTimeUpdateExclusion(
        stack, "E", role=iam.Role.from_role_arn(stack, "R", "arn:aws:iam::111122223333:role/warmer")
    )
    assert only(stack, "AWS::ECR::PullTimeUpdateExclusion") == {"PrincipalArn": "arn:aws:iam::111122223333:role/warmer"}
