"""The properties of CloudFormation resources that name images, and the behavior of their services with cached images.

``inventory`` reads cloud assemblies by this table, and the aspect ``RewriteImages`` rewrites by it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

_POD = ("EksProperties.PodProperties.Containers[].Image", "EksProperties.PodProperties.InitContainers[].Image")
_TASK = "EcsProperties.TaskProperties[].Containers[].Image"
_NODE = "NodeProperties.NodeRangeProperties[]"

CODEBUILD = "AWS::CodeBuild::Project"
APP_RUNNER = "AWS::AppRunner::Service"
LAMBDA = "AWS::Lambda::Function"

PLACES: Mapping[str, tuple[str, ...]] = {
    "AWS::ECS::TaskDefinition": ("ContainerDefinitions[].Image",),
    "AWS::Batch::JobDefinition": (
        "ContainerProperties.Image",
        _TASK,
        *_POD,
        f"{_NODE}.Container.Image",
        f"{_NODE}.{_TASK}",
        *(f"{_NODE}.{pod}" for pod in _POD),
    ),
    CODEBUILD: ("Environment.Image",),
    APP_RUNNER: ("SourceConfiguration.ImageRepository.ImageIdentifier",),
    LAMBDA: ("Code.ImageUri",),
    "AWS::SageMaker::Model": ("PrimaryContainer.Image", "Containers[].Image"),
    "AWS::SageMaker::ModelPackage": ("InferenceSpecification.Containers[].Image",),
}
"""The properties that hold images, by the type of the resource; ``[]`` is an item of a list."""

_OWN = "aws/codebuild/"


class Custody(Enum):
    """The provider of an image, and its meaning for the cache."""

    PULLED = "the service pulls it"
    """It may come from the cache."""
    OWN = "an image of CodeBuild itself, which no registry holds"
    """https://docs.aws.amazon.com/codebuild/latest/userguide/build-env-ref-available.html"""
    CREDENTIALS = "it is pulled with a secret of its own, which private ECR does not take"
    """https://docs.aws.amazon.com/AmazonECS/latest/developerguide/private-auth.html"""
    VPC = "it is pulled from a registry in a VPC (RepositoryAccessMode: Vpc)"
    """https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_ImageConfig.html"""
    LAMBDA = "AWS Lambda does not pull through a rule; name an image of the cache, and warm it before"
    """https://docs.aws.amazon.com/AmazonECR/latest/userguide/pull-through-cache.html (considerations)"""


@dataclass(frozen=True, kw_only=True)
class PlacedImage:
    """An image of a resource.

    :param path: the keys and numbers that lead to it, as CloudFormation spells them.
    :param value: the value there: a text, or a function of CloudFormation.
    :param custody: who provides it.
    """

    path: tuple[str, ...]
    value: Any
    custody: Custody


def images_of_resource(kind: str, properties: Mapping[str, Any]) -> Iterator[PlacedImage]:
    """Find the images of a resource.

    :param kind: its type: ``AWS::ECS::TaskDefinition``.
    :param properties: its properties. Keys are spelt as in templates, or with a small letter as in props of the CDK.
    """
    for place in PLACES.get(kind, ()):
        for path, value, beside in _found(properties, place.replace("[]", ".[]").split("."), {}):
            yield PlacedImage(path=tuple(path), value=value, custody=_custody(kind, value, beside))


def value_of(data: Mapping[str, Any], key: str) -> Any:
    """The value of a key, however the CDK spells it.

    :param data: a part of the properties.
    :param key: the key as CloudFormation spells it.
    """
    return data.get(key, data.get(key[0].lower() + key[1:]))


def _custody(kind: str, value: Any, beside: Mapping[str, Any]) -> Custody:
    config = value_of(beside, "ImageConfig")
    if kind == CODEBUILD and isinstance(value, str) and value.startswith(_OWN):
        return Custody.OWN
    if value_of(beside, "RepositoryCredentials") or value_of(beside, "RegistryCredential"):
        return Custody.CREDENTIALS
    if isinstance(config, dict) and value_of(config, "RepositoryAccessMode") == "Vpc":
        return Custody.VPC
    return Custody.LAMBDA if kind == LAMBDA else Custody.PULLED


def _found(data: Any, way: list[str], beside: Mapping[str, Any]) -> Iterator[tuple[list[str], Any, Mapping[str, Any]]]:
    """Every value at a place, with its path and the mapping that holds it."""
    if not way:
        if data is not None:
            yield [], data, beside
    elif way[0] == "[]":
        for number, item in enumerate(data if isinstance(data, list) else ()):
            for path, value, holder in _found(item, way[1:], {}):
                yield [str(number), *path], value, holder
    elif isinstance(data, dict):
        for path, value, holder in _found(value_of(data, way[0]), way[1:], data):
            yield [way[0], *path], value, holder
