"""Templates of a stack, as tests ask about them."""

import json
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


def template(stack):
    return Template.from_stack(stack).to_json()["Resources"]


def statements(stack, logical_id):
    """Statements of the policies of a role, by the beginning of their logical id."""
    return [
        statement
        for name, policy in resources(stack, "AWS::IAM::Policy").items()
        if name.startswith(logical_id)
        for statement in policy["PolicyDocument"]["Statement"]
    ]


def allowed(stack, logical_id):
    """What a role may do: actions and where."""
    found = {}
    for statement in statements(stack, logical_id):
        assert statement["Effect"] == "Allow"
        actions = statement["Action"]
        for action in [actions] if isinstance(actions, str) else actions:
            found[action] = statement["Resource"]
    return found


def another():
    """A stack of another app."""
    env = cdk.Environment(account="111122223333", region="eu-west-1")
    return cdk.Stack(cdk.App(builtin_cloud_formation_validation=False), "Stack", env=env)


def nag(app, tmp_path):
    """What cdk-nag's rules for AWS find in an app that writes its assembly below a folder."""
    from cdk_nag import AwsSolutionsChecks

    cdk.Validations.of(app).add_plugins(AwsSolutionsChecks())
    app.synth()
    report = json.loads((next(tmp_path.glob("**/validation-report.json"))).read_text())
    assert len(report["pluginReports"]) == 1, "the rules were really applied"
    return report["pluginReports"][0]["violations"]
