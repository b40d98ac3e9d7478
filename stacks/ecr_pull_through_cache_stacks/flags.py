"""The one feature flag of the CDK that changes a template here."""

import aws_cdk as cdk


def merge_statements(stack: cdk.Stack) -> None:
    """Merge statements of IAM policies, whatever the app's context says.

    Without it the same configuration gives other policies in an app whose ``cdk.json`` lacks the flag, and longer ones:
    AWS limits them. A test shows that no other flag of aws-cdk-lib changes a template.

    :param stack: a stack that has no constructs yet.
    """
    stack.node.set_context("@aws-cdk/aws-iam:minimizePolicies", True)
