"""The settings of creation templates, brought to repositories that exist already."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypedDict, cast

import aws_cdk as cdk
import jsii
from aws_cdk import aws_cloudwatch as cloudwatch
from typing_extensions import Unpack

from constructs import Construct

from .._checks import error_at
from .._props import checked
from ..functions.contract import PREFIXES, REPLACE
from ..registry._metrics import MetricOptions, metric_of
from ..registry.cache_registry import CacheRegistry
from ..registry.repository_creation_template import RepositoryCreationTemplate
from ._operations_function import OperationsFunction, notify, sum_alarm

if TYPE_CHECKING:
    from aws_cdk import aws_sns as sns

    from ..registry.pull_through_cache import IPullThroughCache, ReplicaRegistry


class RepositoryBackfillProps(TypedDict, total=False):
    """The parameters of :class:`RepositoryBackfill` besides its cache."""

    replica_registries: Sequence[ReplicaRegistry]
    replace: Sequence[str]
    alarm_topic: sns.ITopic | None


@checked
class RepositoryBackfill(Construct):
    """Brings the settings of creation templates to existing repositories, at the first deployment and when a template changes.

    A template acts on repositories that ECR creates later, so ECR's events of created repositories name the ones that need
    nothing. This is a custom resource: it runs after the templates have changed. It does the same as ``ecr-pull-through
    backfill --yes``, by the same code: policies are merged by Sid, and customized settings are left.

    CloudFormation is answered before the work begins, so thousands of repositories do not delay a deployment, and one that
    cannot be changed does not roll it back. The log and metrics tell which repositories were changed, left or could not be
    changed, and an alarm is raised for the last. Lambda retries twice, so a run has up to three times 15 minutes. Deleting the
    construct changes no repository.

    https://docs.aws.amazon.com/AmazonECR/latest/userguide/repository-creation-templates.html

    :param scope: parent.
    :param id: id below the parent.
    :param cache: the cache, or the registry of replicas, whose templates are brought; of this stack's registry.
    :param replica_registries: further registries of replicas whose templates are brought. Default: none.
    :param replace: the settings to overwrite where they were customized: ``lifecyclePolicy``, ``imageTagMutability`` and
        ``resourceTags``. Default: none.
    :param alarm_topic: topic that is notified when a repository could not be changed. Default: none.
    :raises UserError: when the cache is not of this app or of another registry, or ``replace`` names no such setting.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        cache: IPullThroughCache | ReplicaRegistry,
        replica_registries: Sequence[ReplicaRegistry] = (),
        replace: Sequence[str] = (),
        alarm_topic: sns.ITopic | None = None,
    ) -> None:
        templates = [t for held in (cache, *replica_registries) for t in held.templates.values()]
        if not cache.templates:
            raise error_at(
                scope, id, "the cache is not of this app; use it where the creation templates of the cache are made"
            )
        registry = CacheRegistry.of(scope)
        if any(held.registry != registry for held in (cache, *replica_registries)):
            raise error_at(
                scope, id, "the cache is of another registry; use it in a stack of the cache's account and Region"
            )
        if replace:
            _check_replaceable(scope, id, replace)
        super().__init__(scope, id)
        prefixes = sorted(template.prefix for template in templates)
        self.backfill_function = OperationsFunction(
            self,
            "Function",
            handler="backfilling.handler",
            description="Brings creation templates to repositories that exist already",
            timeout=cdk.Duration.minutes(15),
            environment={PREFIXES: json.dumps(prefixes), REPLACE: json.dumps(sorted(replace))},
        )
        """The function, with its role and log group."""
        self.backfill_function.grant_verb(
            "backfill", {"settings", "yes"}, registry=registry, repository_prefixes=prefixes
        )
        self.custom_resource = cdk.CustomResource(
            self,
            "Resource",
            service_token=self.backfill_function.function.function_arn,
            resource_type="Custom::EcrRepositoryBackfill",
            # It is answered at once; without this, one that cannot be started would hold a deployment up for an hour.
            service_timeout=cdk.Duration.minutes(5),
            properties={
                "Templates": cdk.Lazy.uncached_string(_Fingerprint(templates)),
                "Replace": sorted(replace),
            },
        )
        """The custom resource."""
        self.custom_resource.node.add_dependency(*templates)
        self.alarms = (
            sum_alarm(self, "SettingsFailed", self.metric_failed_settings(), "A repository could not be changed"),
            sum_alarm(
                self,
                "NotFinished",
                self.backfill_function.function.metric("AsyncEventsDropped", statistic="Sum"),
                "The backfill was not finished after three times 15 minutes; run ecr-pull-through backfill",
            ),
        )
        """Alarms on repositories that could not be changed."""
        notify(alarm_topic, self.alarms)

    @property
    def resource(self) -> cdk.CfnResource:
        """The L1 of the custom resource."""
        return cast("cdk.CfnResource", self.custom_resource.node.default_child)

    def metric(self, name: str, **options: Unpack[MetricOptions]) -> cloudwatch.Metric:
        """A metric of the runs. Default: its sum in five minutes.

        :param name: ``SettingsChanged``, ``SettingsLeft`` or ``SettingsFailed``.
        :param options: options of the metric.
        """
        function = {"Function": self.backfill_function.function.function_name}
        return metric_of(name, options, dimensions=function, defaults={"statistic": "Sum"})

    def metric_changed_settings(self, **options: Unpack[MetricOptions]) -> cloudwatch.Metric:
        """Settings that were changed. Default: their sum in five minutes.

        :param options: options of the metric.
        """
        return self.metric("SettingsChanged", **options)

    def metric_failed_settings(self, **options: Unpack[MetricOptions]) -> cloudwatch.Metric:
        """Settings that could not be changed. Default: their sum in five minutes.

        :param options: options of the metric.
        """
        return self.metric("SettingsFailed", **options)


def _check_replaceable(scope: Construct, id: str, replace: Sequence[str]) -> None:
    # It loads boto3, which nothing else here needs.
    from ..operations.backfilling import REPLACEABLE

    unknown = sorted(set(replace) - set(REPLACEABLE))
    if unknown:
        raise error_at(scope, id, f"{unknown[0]!r} cannot be replaced; allowed are {', '.join(REPLACEABLE)}")


@jsii.implements(cdk.IStringProducer)
class _Fingerprint:
    """A short digest of the templates, computed when their settings are final."""

    def __init__(self, templates: Sequence[RepositoryCreationTemplate]) -> None:
        self._templates = sorted(templates, key=lambda template: template.prefix)

    def produce(self, context: cdk.IResolveContext) -> str:
        said = [[template.prefix, *map(context.resolve, _brought(template))] for template in self._templates]
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def _brought(template: RepositoryCreationTemplate) -> tuple[Any, ...]:
    """The settings that existing repositories get."""
    resource = template.resource
    return (
        resource.repository_policy,
        resource.lifecycle_policy,
        resource.image_tag_mutability,
        resource.image_tag_mutability_exclusion_filters,
        resource.resource_tags,
    )
