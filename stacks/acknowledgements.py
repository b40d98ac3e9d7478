"""What cdk-nag's AwsSolutions rules find in these stacks, and why it is meant to be so."""

from __future__ import annotations

from collections.abc import Iterable

import aws_cdk as cdk

from constructs import IConstruct

_REASONS = {
    "AwsSolutions-IAM5": "AWS allows ecr:GetAuthorizationToken on * alone, and ECR names repositories below a prefix "
    "after images that nobody knows yet",
    "AwsSolutions-ECR1": "* is narrowed by the condition aws:PrincipalOrgID to accounts of the organisation",
    "AwsSolutions-SMG4": "the token is issued by the upstream registry, where no Lambda function can rotate it",
}


def acknowledge(scope: IConstruct, *rules: str, repositories: Iterable[str] = ()) -> None:
    """Acknowledge findings of rules below a construct.

    :param scope: the construct.
    :param rules: ids of the rules.
    :param repositories: patterns of repositories' ARNs, for each of which AwsSolutions-IAM5 finds a wildcard.
    """
    wildcards = [f"AwsSolutions-IAM5[Resource::{pattern}]" for pattern in repositories]
    cdk.Validations.of(scope).acknowledge(
        *(
            cdk.Acknowledgment(id=f"AwsSolutions::{rule}", reason=_REASONS[rule.partition("[")[0]])
            for rule in (*rules, *wildcards)
        )
    )
