"""Images in what the CDK synthesizes: CloudFormation templates, and the manifests that stand in them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ..errors import UserError
from ..images import partition_of
from .cloudformation import Custody, PlacedImage, images_of_resource
from .finding import Found, Left, images_of

_MANIFEST = "Custom::AWSCDK-EKS-KubernetesResource"
_CHART = "Custom::AWSCDK-EKS-HelmChart"
_UNKNOWN = "\ufffc"
"""Stands for what is known at deployment only."""
_VARIABLE = re.compile(r"\$\{(?P<literal>!)?(?P<name>[^}]+)\}")


def is_template(data: object) -> bool:
    """Whether something is a CloudFormation template."""
    resources = data.get("Resources") if isinstance(data, dict) else None
    return isinstance(resources, dict) and any(isinstance(r, dict) and "Type" in r for r in resources.values())


def is_assembly(folder: Path) -> bool:
    """Whether a folder is what ``cdk synth`` writes."""
    return (folder / "manifest.json").is_file() and (folder / "cdk.out").is_file()


def images_of_assembly(folder: Path) -> Iterator[Found | Left]:
    """The images of a cloud assembly: those of its stacks, nested stacks and stages, and of manifests beside them.

    :param folder: what ``cdk synth`` writes: ``cdk.out``.
    :raises UserError: when it cannot be read.
    """
    environments = dict(_environments(folder))
    for path in sorted(folder.rglob("*.template.json")):
        if any(part.startswith("asset.") for part in path.relative_to(folder).parts):
            continue
        stack = path.name.removesuffix(".template.json").removesuffix(".nested")
        # A nested stack lies beside its parent, and is deployed where that is.
        home = environments.get(path.name) or next(
            (e for n, e in environments.items() if stack.startswith(n[:-14])), {}
        )
        yield from images_of_template(_json(path), stack, home)
    for path in sorted([*folder.glob("*.yaml"), *folder.glob("*.yml")]):
        yield from images_of(path.read_text(), path.name)


def _environments(folder: Path) -> Iterator[tuple[str, dict[str, str]]]:
    for path in sorted(folder.rglob("manifest.json")):
        for entry in _object(_json(path).get("artifacts")).values():
            artifact = _object(entry)
            template = _object(artifact.get("properties")).get("templateFile")
            if artifact.get("type") == "aws:cloudformation:stack" and template:
                yield str(template), _environment(str(artifact.get("environment")))


def _environment(text: str) -> dict[str, str]:
    account, _, region = text.removeprefix("aws://").partition("/")
    known = {"AWS::AccountId": account} if account.isdigit() else {}
    partition = partition_of(region)
    if partition is not None:
        known |= {"AWS::Region": region, "AWS::URLSuffix": partition.suffix, "AWS::Partition": partition.name}
    return known


def _json(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: this is not what the CDK writes: {error}") from None
    return _object(data)


def _object(value: Any) -> dict[str, Any]:
    """A JSON object as it is; anything else holds nothing."""
    return value if isinstance(value, dict) else {}


def images_of_template(
    template: Mapping[str, Any], stack: str, environment: Mapping[str, str] | None = None
) -> Iterator[Found | Left]:
    """The images of a template.

    :param template: a CloudFormation template, as data.
    :param stack: what to call it.
    :param environment: values of pseudo parameters that are known, such as ``AWS::Region``.
    """
    defaults = {
        name: str(parameter["Default"])
        for name, parameter in _object(template.get("Parameters")).items()
        if isinstance(parameter, dict) and "Default" in parameter
    }
    known = {**defaults, **(environment or {})}
    for name, resource in _object(template.get("Resources")).items():
        kind, properties = str(_object(resource).get("Type")), _object(_object(resource).get("Properties"))
        where = f"{stack}/{name}"
        for placed in images_of_resource(kind, properties):
            yield from _literal(placed, known, where)
        if kind == _MANIFEST:
            yield from _of_manifest(_resolved(properties.get("Manifest"), known), where)
        if kind == _CHART:
            chart = _resolved(properties.get("Chart", "a chart of an asset"), known).replace(_UNKNOWN, "…")
            yield Left(where, f"it deploys {chart}; give `helm template` of it for its images", is_broken=False)


def _literal(placed: PlacedImage, known: Mapping[str, str], where: str) -> Iterator[Found | Left]:
    image = _resolved(placed.value, known)
    if _UNKNOWN in image:
        yield _at_deployment(where)
    elif placed.custody in (Custody.CREDENTIALS, Custody.VPC):
        yield Left(where, f"{image} stays: {placed.custody.value}", is_broken=False)
    elif placed.custody is not Custody.OWN:
        yield Found(image, where)


def _at_deployment(where: str) -> Left:
    return Left(where, "an image of it is known at deployment only", is_broken=False)


def _of_manifest(text: str, where: str) -> Iterator[Found | Left]:
    for found in images_of(text, where):
        if isinstance(found, Left):
            yield Left(where, found.why, is_broken=found.is_broken)
        elif _UNKNOWN in found.image:
            yield _at_deployment(where)
        else:
            yield Found(found.image, where, found.is_mention)


def _resolved(value: Any, known: Mapping[str, str]) -> str:
    """A value as text, with a mark in place of what is known at deployment only."""
    if isinstance(value, str):
        return value
    if not isinstance(value, dict) or len(value) != 1:
        return _UNKNOWN
    ((function, argument),) = value.items()
    try:
        return _called(function, argument, known)
    except (TypeError, ValueError):
        return _UNKNOWN  # not of the form that the function takes


def _called(function: str, argument: Any, known: Mapping[str, str]) -> str:
    if function == "Ref":
        return known.get(argument, _UNKNOWN)
    if function == "Fn::Join":
        separator, parts = argument
        return str(separator).join(_resolved(part, known) for part in parts) if isinstance(parts, list) else _UNKNOWN
    if function == "Fn::Sub":
        return _substituted(argument, known)
    return _UNKNOWN


def _substituted(argument: Any, known: Mapping[str, str]) -> str:
    text, given = (argument, {}) if isinstance(argument, str) else argument
    own = {name: _resolved(value, known) for name, value in _object(given).items()}

    def value(match: re.Match[str]) -> str:
        name = match["name"].strip()
        return f"${{{name}}}" if match["literal"] else own.get(name, known.get(name, _UNKNOWN))

    return _VARIABLE.sub(value, text)
