"""Creation templates brought to repositories that were there before them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import aws_cdk as cdk
import jsii
from aws_cdk import aws_cloudwatch as cloudwatch

from constructs import Construct

from .._checks import error_at
from ..functions.contract import NAMESPACE, PREFIXES, REPLACE
from ..registry.cache_registry import CacheRegistry
from ..registry.repository_creation_template import RepositoryCreationTemplate
from ._operations_function import OperationsFunction, notify, sum_alarm

if TYPE_CHECKING:
    from aws_cdk import aws_sns as sns


class RepositoryBackfill(Construct):
    """Brings creation templates to repositories that exist already: at the first deployment and whenever a template changes.

    A template acts on repositories that ECR creates later. ECR's event on the creation of a repository would therefore tell of
    those that need nothing, so this is a custom resource: it runs when the templates have changed, and after they have. It does
    what ``ecr-pull-through backfill --yes`` does, by the same code: policies are merged by Sid, and what others set otherwise
    is left.

    CloudFormation is answered before the work begins. Thousands of repositories keep no deployment waiting, and one that cannot
    be changed rolls none back: what was changed, left and could not be changed is in the log and in metrics, and an alarm says
    so. What is not finished after 15 minutes is gone on with by Lambda's own repetition, twice. Deleting this does nothing to
    any repository.

    https://docs.aws.amazon.com/AmazonECR/latest/userguide/repository-creation-templates.html

    :param scope: parent.
    :param id: id below the parent.
    :param templates: the templates to bring, of this stack's registry.
    :param replace: ``lifecycle policy``, ``tag mutability`` and ``tags``, as far as they are to be changed also where somebody
        made them otherwise.
    :param alarm_topic: topic that is told when a repository could not be changed.
    :raises UserError: when no templates are given, or what is to be replaced is none of these.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        templates: Sequence[RepositoryCreationTemplate],
        replace: Sequence[str] = (),
        alarm_topic: sns.ITopic | None = None,
    ) -> None:
        if not templates:
            raise error_at(
                scope, id, "no templates are given; give those whose settings existing repositories are to get"
            )
        if replace:
            _check_replaceable(scope, id, replace)
        super().__init__(scope, id)
        prefixes = sorted(template.prefix for template in templates)
        self.backfill = OperationsFunction(
            self,
            "Function",
            handler="backfilling.handler",
            description="Brings creation templates to repositories that exist already",
            timeout=cdk.Duration.minutes(15),
            environment={PREFIXES: json.dumps(prefixes), REPLACE: json.dumps(sorted(replace))},
        )
        """The function, with its role and log group."""
        registry = CacheRegistry.of(self)
        self.backfill.grant_verb("backfill", {"settings", "yes"}, registry=registry, repository_prefixes=prefixes)
        self.resource = cdk.CustomResource(
            self,
            "Resource",
            service_token=self.backfill.function.function_arn,
            resource_type="Custom::EcrRepositoryBackfill",
            # It is answered at once; without this, one that cannot be started would hold a deployment up for an hour.
            service_timeout=cdk.Duration.minutes(5),
            properties={
                "Templates": cdk.Lazy.uncached_string(_Fingerprint(templates)),
                "Replace": sorted(replace),
            },
        )
        """The custom resource."""
        self.resource.node.add_dependency(*templates)
        self.alarms = (
            sum_alarm(self, "SettingsFailed", self.metric("SettingsFailed"), "A repository could not be changed"),
            sum_alarm(
                self,
                "NotFinished",
                self.backfill.function.metric("AsyncEventsDropped", statistic="Sum"),
                "The backfill was not finished after three times 15 minutes; run ecr-pull-through backfill",
            ),
        )
        """Alarms on repositories that could not be changed."""
        notify(alarm_topic, self.alarms)

    def metric(self, name: str, *, period: cdk.Duration | None = None, statistic: str = "Sum") -> cloudwatch.Metric:
        """A metric of the runs.

        :param name: ``SettingsChanged``, ``SettingsLeft`` or ``SettingsFailed``.
        :param period: over which time; five minutes if left out.
        :param statistic: of which statistic.
        """
        function = {"Function": self.backfill.function.function_name}
        return cloudwatch.Metric(
            namespace=NAMESPACE, metric_name=name, dimensions_map=function, period=period, statistic=statistic
        )


def _check_replaceable(scope: Construct, id: str, replace: Sequence[str]) -> None:
    # It loads boto3, which nothing else here needs.
    from ..operations.backfilling import REPLACEABLE

    unknown = sorted(set(replace) - set(REPLACEABLE))
    if unknown:
        raise error_at(scope, id, f"{unknown[0]!r} cannot be replaced; allowed are {', '.join(REPLACEABLE)}")


@jsii.implements(cdk.IStringProducer)
class _Fingerprint:
    """What the templates say, in a few characters, when they say it for the last time."""

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
