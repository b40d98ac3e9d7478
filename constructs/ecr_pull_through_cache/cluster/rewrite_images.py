"""Every image of a CDK app, from the cache."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import jsii
from aws_cdk import CfnResource, IAspect, Stack, Token

from constructs import IConstruct

from ..images import CacheMapping, InvalidImageReference
from ..manifests import Rewriter
from ..manifests.helm import override
from .kyverno import merged

_PLACES: dict[str, tuple[str, ...]] = {
    "AWS::ECS::TaskDefinition": ("ContainerDefinitions[].Image",),
    "AWS::Batch::JobDefinition": (
        "ContainerProperties.Image",
        "NodeProperties.NodeRangeProperties[].Container.Image",
        "EcsProperties.TaskProperties[].Containers[].Image",
        "EksProperties.PodProperties.Containers[].Image",
        "EksProperties.PodProperties.InitContainers[].Image",
    ),
    "AWS::CodeBuild::Project": ("Environment.Image",),
    "AWS::SageMaker::Model": ("PrimaryContainer.Image", "Containers[].Image"),
    "AWS::AppRunner::Service": ("SourceConfiguration.ImageRepository.ImageIdentifier",),
}
_MANIFEST = "Custom::AWSCDK-EKS-KubernetesResource"
_IMAGE_IN_JSON = re.compile(r'(?<="image":")[^"\\]+(?=")')
_CHART = "Custom::AWSCDK-EKS-HelmChart"


@jsii.implements(IAspect)
class RewriteImages:
    """Sends every image in a scope to the cache: of ECS, Fargate, Batch, CodeBuild, EKS manifests and Helm values.

    ::

        Aspects.of(app).add(RewriteImages(cache.mapping()))

    Images that are tokens, as those built by the app are, stay as they are.

    :param mapping: what images become.
    """

    def __init__(self, mapping: CacheMapping) -> None:
        self._mapping = mapping

    def visit(self, node: IConstruct) -> None:
        """Called by the CDK for every construct.

        :param node: the construct.
        """
        if not isinstance(node, CfnResource):
            return
        kind = node.cfn_resource_type
        if kind in _PLACES:
            self._visit_properties(node, _PLACES[kind])
        elif kind == _MANIFEST:
            self._visit_text(node, "Manifest", self._in_manifest)
        elif kind == _CHART:
            self._visit_text(node, "Values", self._in_values)

    def _visit_properties(self, node: CfnResource, places: tuple[str, ...]) -> None:
        properties = Stack.of(node).resolve(node._cfn_properties)
        for place in places:
            for path, image in _found(properties, place.replace("[]", ".[]").split(".")):
                cached = self._cached(image)
                if cached is not None:
                    node.add_property_override(".".join(path), cached)

    def _visit_text(self, node: CfnResource, name: str, rewrite: Callable[[str], str]) -> None:
        given = Stack.of(node).resolve(node._cfn_properties).get(name)
        if isinstance(given, str):
            changed: Any = rewrite(given)
        elif isinstance(given, dict) and set(given) == {"Fn::Join"}:
            glue, parts = given["Fn::Join"]
            changed = {"Fn::Join": [glue, [self._in_fragment(p) if isinstance(p, str) else p for p in parts]]}
        else:
            return
        if changed != given:
            node.add_property_override(name, changed)

    def _in_manifest(self, text: str) -> str:
        return Rewriter(self._mapping).rewrite(text).text

    def _in_values(self, text: str) -> str:
        values = json.loads(text)
        changes = override(self._mapping, [((), values)]).values
        return json.dumps(merged(values, changes), separators=(",", ":")) if changes else text

    def _in_fragment(self, text: str) -> str:
        """JSON with a token in its middle, in pieces."""
        return _IMAGE_IN_JSON.sub(lambda match: self._cached(match[0]) or match[0], text)

    def _cached(self, image: Any) -> str | None:
        if not isinstance(image, str) or Token.is_unresolved(image):
            return None
        try:
            decision = self._mapping.decide(image)
        except InvalidImageReference:
            return None
        return decision.image if decision.is_rewritten else None


def _found(value: Any, way: list[str]) -> Iterator[tuple[list[str], Any]]:
    """Every value at a place, with the path that an override takes. Keys are spelt as in templates or as in props."""
    if not way:
        yield [], value
    elif way[0] == "[]" and isinstance(value, list):
        for number, item in enumerate(value):
            for path, found in _found(item, way[1:]):
                yield [str(number), *path], found
    elif isinstance(value, dict):
        key = way[0]
        below = value.get(key, value.get(key[0].lower() + key[1:]))
        for path, found in _found(below, way[1:]):
            yield [key, *path], found
