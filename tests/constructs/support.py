"""What tests of constructs share."""

from typing import Any

import aws_cdk as cdk
from aws_cdk.assertions import Template


def resources(stack: cdk.Stack, kind: str) -> dict[str, dict[str, Any]]:
    """Properties of a stack's resources of one kind, by logical id."""
    found = Template.from_stack(stack).find_resources(kind)
    return {logical_id: resource.get("Properties", {}) for logical_id, resource in found.items()}


def only(stack: cdk.Stack, kind: str) -> dict[str, Any]:
    """Properties of the stack's only resource of a kind."""
    (properties,) = resources(stack, kind).values()
    return properties


def warnings(stack: cdk.Stack) -> list[str]:
    """Ids of the warnings of a stack and everything below."""
    return [
        entry.data.rsplit("[ack: ", 1)[1].rstrip("]")
        for child in stack.node.find_all()
        for entry in child.node.metadata
        if entry.type == "aws:cdk:warning" and "[ack: " in str(entry.data)
    ]
