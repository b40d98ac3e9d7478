"""The same templates as a cloud assembly holds, as a program of hand-written L1 calls in Python and in JavaScript.

A benchmark against L1s is only fair when both sides end in the same templates. So the L1 program is written from the
templates: one typed L1 for each resource, its properties as literals, one function for each stack.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

_FIRST_CAP = re.compile(r"(.)([A-Z][a-z]+)")
_ALL_CAP = re.compile(r"([a-z0-9])([A-Z])")
ATTRIBUTES = ("DependsOn", "DeletionPolicy", "UpdateReplacePolicy")


def templates(assembly: Path) -> dict[str, dict[str, Any]]:
    """The stacks' templates of a cloud assembly, nested assemblies included, keyed by the stack's name."""
    return {
        path.name.removesuffix(".template.json"): json.loads(path.read_text())
        for path in sorted(assembly.rglob("*.template.json"))
    }


def strip(template: dict[str, Any]) -> dict[str, Any]:
    """What both sides must agree on: resources without the metadata that names construct paths."""
    resources = {
        logical_id: {k: v for k, v in resource.items() if k != "Metadata"}
        for logical_id, resource in template.get("Resources", {}).items()
        if resource["Type"] != "AWS::CDK::Metadata"
    }
    return {"Resources": resources, "Outputs": template.get("Outputs", {})}


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


def python_program(stacks: dict[str, dict[str, Any]]) -> str:
    """A module with one function a stack, and ``build(app)`` that calls them all."""
    lines = ["import aws_cdk as cdk", "T = cdk.Token.as_string", ""]
    for number, (name, template) in enumerate(stacks.items()):
        lines += [
            f"def stack_{number}(app):",
            f"    stack = cdk.Stack(app, {name!r}, synthesizer=cdk.BootstraplessSynthesizer())",
        ]
        for logical_id, resource in template["Resources"].items():
            module, cls = module_of(resource["Type"])
            properties = ", ".join(
                f"{snake(k)}={python_value(v, raw=k in DOCUMENTS)}" for k, v in resource.get("Properties", {}).items()
            )
            lines.append(f"    r = cdk.{module}.{cls}(stack, {logical_id!r}, {properties})")
            lines.append(f"    r.override_logical_id({logical_id!r})")
            lines += [f"    r.add_override({key!r}, {resource[key]!r})" for key in ATTRIBUTES if key in resource]
        for logical_id, output in template["Outputs"].items():
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


def javascript_program(stacks: dict[str, dict[str, Any]]) -> str:
    """The same as a CommonJS module that exports ``build(cdk, app)``."""
    lines = ["module.exports.build = (cdk, app, service) => {", "const T = cdk.Token.asString;", "let stack, r;"]
    for name, template in stacks.items():
        lines.append(
            f"stack = new cdk.Stack(app, {json.dumps(name)}, {{synthesizer: new cdk.BootstraplessSynthesizer()}});"
        )
        for logical_id, resource in template["Resources"].items():
            module, cls = module_of(resource["Type"])
            properties = javascript_value(resource.get("Properties", {}))
            lines.append(
                f"r = new (service({json.dumps(module)})).{cls}(stack, {json.dumps(logical_id)}, {properties});"
            )
            lines.append(f"r.overrideLogicalId({json.dumps(logical_id)});")
            lines += [
                f"r.addOverride({json.dumps(key)}, {json.dumps(resource[key])});"
                for key in ATTRIBUTES
                if key in resource
            ]
        for logical_id, output in template["Outputs"].items():
            description = f", description: {json.dumps(output['Description'])}" if "Description" in output else ""
            value = javascript_value(output["Value"])
            lines.append(f"new cdk.CfnOutput(stack, {json.dumps(logical_id)}, {{value: {value}{description}}});")
    lines.append("};")
    return "\n".join(lines)
