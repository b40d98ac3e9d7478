"""The feature flags of the CDK that change a template here."""

from typing import Final

import aws_cdk as cdk

_FLAGS: Final = {
    # AWS limits the length of policies, and statements that differ in one part are many.
    "@aws-cdk/aws-iam:minimizePolicies": True,
    # The partition of a stack is the pseudo parameter in every ARN, not in those alone that aws-cdk-lib does not format.
    "@aws-cdk/core:enablePartitionLiterals": False,
}


def set_flags(stack: cdk.Stack) -> None:
    """Set the feature flags on which templates here depend, whatever the app's context says.

    The same configuration so gives the same templates in every app. A test shows that no other flag of aws-cdk-lib changes one.

    :param stack: a stack that has no constructs yet.
    """
    for flag, value in _FLAGS.items():
        stack.node.set_context(flag, value)
