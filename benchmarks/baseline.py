"""The same templates as a cloud assembly holds, as a program of hand-written L1 calls in Python and in JavaScript.

A benchmark against L1s is only fair when both sides end in the same templates. So the L1 program is written from the
templates: stacks with the same environment, tags and description, one typed L1 for each resource under its logical id,
its properties as literals, one function for each stack.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_FIRST_CAP = re.compile(r"(.)([A-Z][a-z]+)")
_ALL_CAP = re.compile(r"([a-z0-9])([A-Z])")
ATTRIBUTES = ("DependsOn", "DeletionPolicy", "UpdateReplacePolicy")


@dataclass(frozen=True, kw_only=True)
class StackOf:
    """A stack of a cloud assembly.

    :param id: its construct id.
    :param name: its name.
    :param account: 12 digits.
    :param region: for example ``eu-west-1``.
    :param tags: its tags.
    :param template: its template.
    """

    id: str
    name: str
    account: str
    region: str
    tags: dict[str, str]
    template: dict[str, Any]

    @property
    def comparable(self) -> dict[str, Any]:
        """What both sides must agree on: all of the template but the metadata, which names construct paths."""
        return {
            **self.template,
            "Resources": {
                logical_id: {key: value for key, value in resource.items() if key != "Metadata"}
                for logical_id, resource in self.template["Resources"].items()
            },
        }


def stacks_of(assembly: Path) -> list[StackOf]:
    """The stacks of a cloud assembly, in the order of their ids."""
    artifacts = json.loads((assembly / "manifest.json").read_text())["artifacts"]
    stacks = []
    for id, artifact in sorted(artifacts.items()):
        if artifact["type"] == "aws:cloudformation:stack":
            account, region = artifact["environment"].removeprefix("aws://").split("/")
            properties = artifact["properties"]
            template = json.loads((assembly / properties["templateFile"]).read_text())
            stacks.append(
                StackOf(
                    id=id,
                    name=properties["stackName"],
                    account=account,
                    region=region,
                    tags=properties.get("tags", {}),
                    template=template,
                )
            )
    return stacks


def snake(name: str) -> str:
    return _ALL_CAP.sub(r"\1_\2", _FIRST_CAP.sub(r"\1_\2", name)).lower()


def camel(name: str) -> str:
    return name[0].lower() + name[1:]


def is_intrinsic(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and len(value) == 1
        and (next(iter(value)) == "Ref" or next(iter(value)).startswith("Fn::"))
    )


def module_of(resource_type: str) -> tuple[str, str]:
    """``AWS::ECR::RegistryPolicy`` -> (``aws_ecr``, ``CfnRegistryPolicy``)."""
    _, service, name = resource_type.split("::")
    return f"aws_{service.lower()}", f"Cfn{name}"


DOCUMENTS = {
    "PolicyDocument", "AssumeRolePolicyDocument", "PolicyText", "RepositoryPolicyText", "KeyPolicy", "ResourcePolicy",
}  # fmt: skip
"""Properties that the L1s take as they are; everything else is typed and spelt in camel case."""


def python_value(value: Any, *, raw: bool = False) -> str:
    if is_intrinsic(value) and not raw:
        return f"T({value!r})"
    if isinstance(value, dict):
        items = (
            f"{(k if raw else camel(k))!r}: {python_value(v, raw=raw or k in DOCUMENTS)}" for k, v in value.items()
        )
        return "{" + ", ".join(items) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(python_value(v, raw=raw) for v in value) + "]"
    return repr(value)


def python_program(stacks: list[StackOf]) -> str:
    """A module with one function a stack, and ``build(app)`` that calls them all."""
    lines = ["import aws_cdk as cdk", "T = cdk.Token.as_string", ""]
    for number, stack in enumerate(stacks):
        description = f", description={stack.template['Description']!r}" if "Description" in stack.template else ""
        lines += [
            f"def stack_{number}(app):",
            f"    env = cdk.Environment(account={stack.account!r}, region={stack.region!r})",
            f"    stack = cdk.Stack(app, {stack.id!r}, stack_name={stack.name!r}, env=env, tags={stack.tags!r}{description})",
        ]
        for logical_id, resource in stack.template["Resources"].items():
            module, cls = module_of(resource["Type"])
            properties = ", ".join(
                f"{snake(k)}={python_value(v, raw=k in DOCUMENTS)}" for k, v in resource.get("Properties", {}).items()
            )
            lines.append(f"    r = cdk.{module}.{cls}(stack, {logical_id!r}, {properties})")
            lines += [f"    r.add_override({key!r}, {resource[key]!r})" for key in ATTRIBUTES if key in resource]
        for logical_id, output in stack.template.get("Outputs", {}).items():
            description = f", description={output['Description']!r}" if "Description" in output else ""
            lines.append(
                f"    cdk.CfnOutput(stack, {logical_id!r}, value={python_value(output['Value'])}{description})"
            )
        lines.append("")
    lines += ["def build(app):", *(f"    stack_{n}(app)" for n in range(len(stacks))), ""]
    return "\n".join(lines)


def javascript_value(value: Any, *, raw: bool = False) -> str:
    if is_intrinsic(value) and not raw:
        return f"T({json.dumps(value)})"
    if isinstance(value, dict):
        items = (
            f"{json.dumps(k if raw else camel(k))}: {javascript_value(v, raw=raw or k in DOCUMENTS)}"
            for k, v in value.items()
        )
        return "{" + ", ".join(items) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(javascript_value(v, raw=raw) for v in value) + "]"
    return json.dumps(value)


def javascript_program(stacks: list[StackOf]) -> str:
    """The same as a CommonJS module that exports ``build(app)``."""
    services = sorted({module_of(r["Type"])[0] for stack in stacks for r in stack.template["Resources"].values()})
    lines = ["const cdk = require('aws-cdk-lib');"]
    lines += [f"const {name} = require('aws-cdk-lib/{name.replace('_', '-')}');" for name in services]
    lines += ["const T = cdk.Token.asString;"]
    for number, stack in enumerate(stacks):
        props = {
            "stackName": stack.name,
            "env": {"account": stack.account, "region": stack.region},
            "tags": stack.tags,
            "description": stack.template.get("Description"),
        }
        lines += [
            f"function stack_{number}(app) {{",
            f"  const stack = new cdk.Stack(app, {json.dumps(stack.id)}, {json.dumps(props)});",
            "  let r;",
        ]
        for logical_id, resource in stack.template["Resources"].items():
            module, cls = module_of(resource["Type"])
            properties = javascript_value(resource.get("Properties", {}))
            lines.append(f"  r = new {module}.{cls}(stack, {json.dumps(logical_id)}, {properties});")
            lines += [
                f"  r.addOverride({json.dumps(key)}, {json.dumps(resource[key])});"
                for key in ATTRIBUTES
                if key in resource
            ]
        for logical_id, output in stack.template.get("Outputs", {}).items():
            description = f", description: {json.dumps(output['Description'])}" if "Description" in output else ""
            value = javascript_value(output["Value"])
            lines.append(f"  new cdk.CfnOutput(stack, {json.dumps(logical_id)}, {{value: {value}{description}}});")
        lines.append("}")
    calls = " ".join(f"stack_{n}(app);" for n in range(len(stacks)))
    return "\n".join([*lines, f"module.exports.build = (app) => {{ {calls} }};", ""])
