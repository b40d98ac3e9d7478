"""Every image of a CDK app, from the cache."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import jsii
from aws_cdk import Annotations, CfnResource, IAspect, Stack, Token
from aws_cdk import aws_iam as iam

from constructs import IConstruct

from ..admission.kyverno_chart import merged
from ..ecr import permissions
from ..ecr.registry import EcrRegistry
from ..images import CacheMapping, EcrHost, InvalidImageReference, Reason
from ..manifests import Rewriter
from ..manifests.cloudformation import (
    APP_RUNNER,
    CODEBUILD,
    PLACES,
    Custody,
    PlacedImage,
    images_of_resource,
    value_of,
)
from ..manifests.helm import override

if TYPE_CHECKING:
    from ..registry.pull_through_cache import IPullThroughCache

_MANIFEST = "Custom::AWSCDK-EKS-KubernetesResource"
_IMAGE_IN_JSON = re.compile(r'(?<="image":")[^"\\]+(?=")')
_CHART = "Custom::AWSCDK-EKS-HelmChart"


@jsii.implements(IAspect)
class RewriteImages:
    """Sends every image in a scope to the cache: of ECS, Fargate, Batch, CodeBuild, SageMaker, EKS manifests and Helm values.

    ::

        Aspects.of(app).add(RewriteImages(cache.mapping()))

    Images that are tokens, as those built by the app are, stay as they are, and so do CodeBuild's own images and images that are
    pulled with a secret of their own. A CodeBuild project gets the credentials ``SERVICE_ROLE``, and its role the permission to
    pull and import. An App Runner service gets the type ``ECR`` where it has an access role. Where the aspect cannot do all of
    it, a warning names the construct. AWS Lambda does not pull through a rule, so functions are warned about and left alone.

    The roles of ECS, Batch and SageMaker need permission by ``cache.grant_import``.

    :param mapping: the mapping of upstream images to the cache's.
    :param cache: the cache, for the permissions of CodeBuild projects. Default: the registry's host in the mapping says where it
        is; give the cache where its templates set resource tags, or where the host is a token.
    """

    def __init__(self, mapping: CacheMapping, *, cache: IPullThroughCache | None = None) -> None:
        self._mapping = mapping
        self._cache = cache

    def visit(self, node: IConstruct) -> None:
        """Called by the CDK for every construct.

        :param node: the construct.
        """
        if not isinstance(node, CfnResource):
            return
        kind = node.cfn_resource_type
        if kind in PLACES:
            self._visit_properties(node, kind)
        elif kind == _MANIFEST:
            self._visit_text(node, "Manifest", self._in_manifest)
        elif kind == _CHART:
            self._visit_text(node, "Values", self._in_values)

    def _visit_properties(self, node: CfnResource, kind: str) -> None:
        properties = Stack.of(node).resolve(node._cfn_properties)
        for placed in images_of_resource(kind, properties):
            cached = self._cached(placed.value)
            if placed.custody is Custody.LAMBDA:
                self._warn_of_lambda(node, placed.value, cached)
            elif cached is None or placed.custody is Custody.OWN:
                continue
            elif placed.custody is not Custody.PULLED:
                _warn(
                    node,
                    "cdk-ecr-pull-through-cache:imageStays",
                    f"the image {placed.value} stays: {placed.custody.value}",
                )
            elif kind == CODEBUILD:
                self._move_project(node, placed, cached)
            elif kind == APP_RUNNER:
                _move_service(node, placed, cached, properties)
            else:
                node.add_property_override(".".join(placed.path), cached)

    def _warn_of_lambda(self, node: CfnResource, image: Any, cached: str | None) -> None:
        """AWS Lambda takes images of private ECR alone, and never makes ECR import one."""
        if cached is not None:
            _warn(
                node,
                "cdk-ecr-pull-through-cache:lambdaImage",
                f"the image {image} stays: {Custody.LAMBDA.value}; here it would be {cached}",
            )
        elif isinstance(image, str) and self._names_the_cache(image):
            _warn(
                node,
                "cdk-ecr-pull-through-cache:lambdaImage",
                f"the image {image} has to be in the cache before: {Custody.LAMBDA.value}",
            )

    def _names_the_cache(self, image: str) -> bool:
        try:
            return self._mapping.decide(image).reason is Reason.ALREADY_CACHED
        except InvalidImageReference:
            return False

    def _move_project(self, node: CfnResource, placed: PlacedImage, cached: str) -> None:
        # https://docs.aws.amazon.com/codebuild/latest/APIReference/API_ProjectEnvironment.html (imagePullCredentialsType)
        node.add_property_override(".".join(placed.path), cached)
        node.add_property_override("Environment.ImagePullCredentialsType", "SERVICE_ROLE")
        project = node.node.scope
        role = getattr(project, "role", None)
        if role is None or not self._grant(role):
            _warn(
                node,
                "cdk-ecr-pull-through-cache:codeBuildRole",
                f"the image becomes {cached}, which the project pulls with its service role; let that role pull and import, "
                "for example by cache.grant_import(role)",
            )

    def _grant(self, role: iam.IRole) -> bool:
        """Grant a role of this app the pull and the import; say whether that is done."""
        if self._cache is not None:
            self._cache.grant_import(role)
            return True
        host = EcrHost.parse(self._mapping.registry)
        if host is None:
            return False
        registry = EcrRegistry(account=host.account, region=host.region)
        prefixes = sorted({rule.repository_prefix for rule in self._mapping.rules})
        granted = [
            role.add_to_principal_policy(iam.PolicyStatement(actions=list(actions), resources=resources))
            for actions, resources in (
                (permissions.AUTHENTICATE, ["*"]),
                (
                    (*permissions.PULL, *permissions.IMPORT),
                    [registry.arn_for_repositories(prefix) for prefix in prefixes],
                ),
            )
        ]
        return all(result.statement_added for result in granted)

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


def _warn(node: CfnResource, warning: str, text: str) -> None:
    Annotations.of(node).add_warning_v2(warning, text)


def _move_service(node: CfnResource, placed: PlacedImage, cached: str, properties: Mapping[str, Any]) -> None:
    """Move the image of an App Runner service, which pulls from private ECR with an access role alone.

    https://docs.aws.amazon.com/apprunner/latest/api/API_ImageRepository.html
    https://docs.aws.amazon.com/apprunner/latest/api/API_AuthenticationConfiguration.html
    """
    source = value_of(properties, "SourceConfiguration")
    role = value_of(value_of(source, "AuthenticationConfiguration") or {}, "AccessRoleArn")
    if not role:
        _warn(
            node,
            "cdk-ecr-pull-through-cache:appRunnerAccessRole",
            f"the image {placed.value} stays: App Runner pulls {cached} with an access role alone, so give the service one "
            "(AuthenticationConfiguration.AccessRoleArn)",
        )
        return
    node.add_property_override(".".join(placed.path), cached)
    node.add_property_override("SourceConfiguration.ImageRepository.ImageRepositoryType", "ECR")
    _warn(
        node,
        "cdk-ecr-pull-through-cache:appRunnerAccessRole",
        f"the image becomes {cached}, which App Runner pulls with its access role; let that role pull it, and bring the image to "
        "the cache before, since AWS does not say that App Runner pulls through a rule",
    )
