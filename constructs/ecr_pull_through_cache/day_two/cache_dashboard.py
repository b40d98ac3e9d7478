"""A CloudWatch dashboard of a cache, and alarms on failed imports and nearly used quotas."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, TypedDict, cast

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from aws_cdk import aws_scheduler as scheduler
from typing_extensions import Unpack

from constructs import Construct

from .._checks import claim_singleton, error_at
from .._props import checked
from ..functions.contract import NAMESPACE, PREFIXES, QUOTAS
from ..images import ROOT
from ..registry._metrics import MetricOptions, metric_of
from ..registry.cache_registry import CacheRegistry
from ._operations_function import OperationsFunction, invoking_role, notify, sum_alarm

if TYPE_CHECKING:
    from aws_cdk import aws_sns as sns

    from ..registry.pull_through_cache import IPullThroughCache, ReplicaRegistry
    from .image_warmer import ImageWarmer

_HOUR = cdk.Duration.hours(1)
_DAY = cdk.Duration.days(1)
_REASON = tuple(
    f"`detail.{field}` as {name}"
    for field, name in (
        ("ecr-repository-prefix", "prefix"),
        ("failure-code", "code"),
        ("failure-reason", "reason"),
        ("repository-name", "repository"),
        ("image-tag", "tag"),
    )
)


class CacheDashboardProps(TypedDict, total=False):
    """The parameters of :class:`CacheDashboard` besides its cache."""

    replica_registries: Sequence[ReplicaRegistry]
    warmer: ImageWarmer | None
    dashboard_name: str | None
    failed_imports_threshold: float
    quota_threshold_percent: float
    alarm_topic: sns.ITopic | None


@checked
class CacheDashboard(Construct):
    """A dashboard of this stack's registry: pulls, imports and failed imports, storage, use of quotas.

    Pulls are a metric of ECR. Imports and their failures come from ECR's events, which a rule writes into a log group, so that
    the dashboard also shows the reason of each failure. AWS has no metric of storage or of the use of the quotas: a small
    function counts both once a day.

    The log group takes one of the ten resource policies that CloudWatch Logs allows an account in a Region.

    https://docs.aws.amazon.com/AmazonECR/latest/userguide/ecr-repository-metrics.html
    https://docs.aws.amazon.com/AmazonECR/latest/userguide/ecr-eventbridge.html

    :param scope: parent.
    :param id: id below the parent.
    :param cache: the cache, or the registry of replicas, to show; of this stack's registry.
    :param replica_registries: further registries of replicas to show. Default: none.
    :param warmer: a warmer whose runs are shown too. Default: none.
    :param dashboard_name: name of the dashboard. Default: CloudFormation chooses one.
    :param failed_imports_threshold: failed imports in an hour at which an alarm is raised. Default: 10.
    :param quota_threshold_percent: use of a quota, in per cent, at which an alarm is raised. Default: 80.
    :param alarm_topic: topic that is notified. Default: none.
    :raises UserError: when the cache is of another registry, or the registry has a dashboard already.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        cache: IPullThroughCache | ReplicaRegistry,
        replica_registries: Sequence[ReplicaRegistry] = (),
        warmer: ImageWarmer | None = None,
        dashboard_name: str | None = None,
        failed_imports_threshold: float = 10,
        quota_threshold_percent: float = 80,
        alarm_topic: sns.ITopic | None = None,
    ) -> None:
        if any(held.registry != CacheRegistry.of(scope) for held in (cache, *replica_registries)):
            raise error_at(
                scope, id, "the cache is of another registry; use it in a stack of the cache's account and Region"
            )
        # ECR's events and quotas are those of a whole registry: a second one would count them twice.
        claim_singleton(scope, id, "cache dashboard")
        given = sorted({prefix for held in (cache, *replica_registries) for prefix in held.repository_prefixes})
        prefixes = [ROOT] if ROOT in given else given

        super().__init__(scope, id)
        self.log_group = logs.LogGroup(
            self,
            "Imports",
            # EventBridge's console shows as targets of rules the log groups of this name alone.
            log_group_name=f"/aws/events/{cdk.Names.unique_resource_name(self, max_length=80)}",
            retention=logs.RetentionDays.THREE_MONTHS,
            removal_policy=cdk.RemovalPolicy.DESTROY,
        )
        """The log group of ECR's events of imports."""
        self.rule = self._make_rule()
        """The rule that writes ECR's events there."""
        self.metric_filters = (
            self._count("ImportsDone", '{ $.detail.sync-status = "SUCCESS" }'),
            self._count("ImportsFailed", '{ $.detail.sync-status != "SUCCESS" }'),
        )
        """The metric filters that count in the log group."""
        self.measure_function = self._make_measure_function(prefixes)
        """The function that counts, with its role and log group."""
        self.schedule_role = self._make_schedule_role()
        """The role by which the schedule invokes it."""
        self.schedule = self._make_schedule()
        """The schedule of the function."""
        self.alarms = self._make_alarms(failed_imports_threshold, quota_threshold_percent)
        """Alarms on imports that fail and on quotas that are nearly used up."""
        notify(alarm_topic, self.alarms)
        self.dashboard = cloudwatch.Dashboard(
            self, "Resource", dashboard_name=dashboard_name, default_interval=cdk.Duration.days(7)
        )
        """The dashboard; widgets can be added."""
        shown = (*self.alarms, *(warmer.alarms if warmer is not None else ()))
        self.dashboard.add_widgets(cloudwatch.AlarmStatusWidget(title="Alarms", alarms=list(shown), width=24, height=3))
        self.dashboard.add_widgets(self._pulls(prefixes), self._imports_widget())
        self.dashboard.add_widgets(self._failures_widget())
        self.dashboard.add_widgets(*self._stored(prefixes))
        self.dashboard.add_widgets(self._quotas(), self._calls())
        if warmer is not None:
            self.dashboard.add_widgets(*_runs(warmer))

    @property
    def resource(self) -> cloudwatch.CfnDashboard:
        """The L1 of the dashboard."""
        return cast("cloudwatch.CfnDashboard", self.dashboard.node.default_child)

    @property
    def dashboard_name(self) -> str:
        """Name of the dashboard."""
        return self.dashboard.dashboard_name

    @property
    def dashboard_arn(self) -> str:
        """ARN of the dashboard."""
        return self.dashboard.dashboard_arn

    def metric(self, name: str, *, prefix: str | None = None, **options: Unpack[MetricOptions]) -> cloudwatch.Metric:
        """A metric of the daily count. Default: its maximum in a day.

        :param name: ``Repositories``, ``Images`` or ``StoredBytes`` of a prefix; ``RepositoryQuotaUsed``, ``ImageQuotaUsed`` or
            ``RuleQuotaUsed`` of the registry.
        :param prefix: the repository prefix, for the first three. Default: none.
        :param options: options of the metric.
        """
        dimensions = {} if prefix is None else {"Prefix": prefix}
        return metric_of(name, options, dimensions=dimensions, defaults={"period": _DAY, "statistic": "Maximum"})

    def metric_imports(self, **options: Unpack[MetricOptions]) -> cloudwatch.Metric:
        """Imports that succeeded. Default: their sum in an hour.

        :param options: options of the metric.
        """
        return metric_of("ImportsDone", options, dimensions={}, defaults={"period": _HOUR, "statistic": "Sum"})

    def metric_failed_imports(self, **options: Unpack[MetricOptions]) -> cloudwatch.Metric:
        """Imports that failed. Default: their sum in an hour.

        :param options: options of the metric.
        """
        return metric_of("ImportsFailed", options, dimensions={}, defaults={"period": _HOUR, "statistic": "Sum"})

    def _make_rule(self) -> events.CfnRule:
        stack = cdk.Stack.of(self)
        rule = events.CfnRule(
            self,
            "Rule",
            event_pattern={"source": ["aws.ecr"], "detail-type": ["ECR Pull Through Cache Action"]},
            state="ENABLED",
            targets=[
                events.CfnRule.TargetProperty(
                    id="LogGroup",
                    arn=stack.format_arn(
                        service="logs",
                        resource="log-group",
                        resource_name=self.log_group.log_group_name,
                        arn_format=cdk.ArnFormat.COLON_RESOURCE_NAME,
                    ),
                )
            ],
            description="Writes down what Amazon ECR imports into the pull through cache",
        )
        # https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html#eb-cloudwatchlogs-permissions
        self.log_group.add_to_resource_policy(
            iam.PolicyStatement(
                principals=[
                    iam.ServicePrincipal("events.amazonaws.com"),
                    iam.ServicePrincipal("delivery.logs.amazonaws.com"),
                ],
                actions=["logs:CreateLogStream", "logs:PutLogEvents"],
                resources=[self.log_group.log_group_arn],
            )
        )
        return rule

    def _count(self, name: str, pattern: str) -> logs.CfnMetricFilter:
        return logs.CfnMetricFilter(
            self,
            name,
            log_group_name=self.log_group.log_group_name,
            filter_pattern=pattern,
            metric_transformations=[
                logs.CfnMetricFilter.MetricTransformationProperty(
                    metric_namespace=NAMESPACE, metric_name=name, metric_value="1", default_value=0, unit="Count"
                )
            ],
        )

    def _make_measure_function(self, prefixes: Sequence[str]) -> OperationsFunction:
        measure = OperationsFunction(
            self,
            "Measure",
            handler="measuring.handler",
            description="Counts what the pull through cache holds",
            timeout=cdk.Duration.minutes(15),
            environment={PREFIXES: json.dumps(prefixes)},
        )
        registry = CacheRegistry.of(self)
        measure.add_to_role_policy("ecr:DescribeRepositories", on=registry.arn_for_repositories(ROOT))
        measure.add_to_role_policy(
            "ecr:DescribeImages", on=[registry.arn_for_repositories(prefix) for prefix in prefixes]
        )
        measure.add_to_role_policy("ecr:DescribePullThroughCacheRules", "servicequotas:ListServiceQuotas", on="*")
        return measure

    def _make_schedule_role(self) -> iam.Role:
        return invoking_role(
            self,
            "ScheduleRole",
            service="scheduler",
            description="Starts what counts the contents of the pull through cache",
            action="lambda:InvokeFunction",
            on=self.measure_function.function.function_arn,
        )

    def _make_schedule(self) -> scheduler.CfnSchedule:
        return scheduler.CfnSchedule(
            self,
            "Schedule",
            name=cdk.Names.unique_resource_name(self, max_length=64),
            schedule_expression="rate(1 day)",
            flexible_time_window=scheduler.CfnSchedule.FlexibleTimeWindowProperty(
                mode="FLEXIBLE", maximum_window_in_minutes=60
            ),
            target=scheduler.CfnSchedule.TargetProperty(
                arn=self.measure_function.function.function_arn, role_arn=self.schedule_role.role_arn
            ),
            description="Counts what the pull through cache holds",
        )

    def _make_alarms(
        self, failed_imports_threshold: float, quota_threshold_percent: float
    ) -> tuple[cloudwatch.Alarm, ...]:
        return (
            sum_alarm(
                self,
                "ImportsFailedAlarm",
                self.metric_failed_imports(),
                "Amazon ECR cannot import images into the cache; the dashboard shows the reasons",
                threshold=failed_imports_threshold,
            ),
            *(
                sum_alarm(
                    self,
                    f"{name}Alarm",
                    self.metric(name),
                    f"The quota '{quota}' is nearly used up; ask AWS to raise it in time",
                    threshold=quota_threshold_percent,
                )
                for quota, name in QUOTAS.items()
            ),
        )

    def _pulls(self, prefixes: Sequence[str]) -> cloudwatch.GraphWidget:
        """Repositories are not known here, so they are searched for; a repository elsewhere that has the prefix in its name
        is found too.

        https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/search-expression-syntax.html
        """
        pulls = [
            cloudwatch.MathExpression(
                expression=f"SUM(SEARCH('{{AWS/ECR,RepositoryName}} MetricName=\"RepositoryPullCount\"{_named(prefix)}', "
                "'Sum', 3600))",
                label=prefix,
                period=_HOUR,
                using_metrics={},
            )
            for prefix in prefixes
        ]
        return cloudwatch.GraphWidget(title="Pulls per hour", left=pulls, stacked=True, width=12)

    def _imports_widget(self) -> cloudwatch.GraphWidget:
        return cloudwatch.GraphWidget(
            title="Imports from upstreams per hour",
            left=[
                self.metric_imports().with_(label="imported", color=cloudwatch.Color.GREEN),
                self.metric_failed_imports().with_(label="failed", color=cloudwatch.Color.RED),
            ],
            width=12,
        )

    def _failures_widget(self) -> cloudwatch.LogQueryWidget:
        return cloudwatch.LogQueryWidget(
            title="Imports that failed, by reason",
            log_group_names=[self.log_group.log_group_name],
            view=cloudwatch.LogQueryVisualizationType.TABLE,
            query_lines=[
                "filter `detail.sync-status` != 'SUCCESS'",
                f"stats count(*) as times, max(@timestamp) as last by {', '.join(_REASON)}",
                "sort times desc",
                "limit 50",
            ],
            width=24,
        )

    def _stored(self, prefixes: Sequence[str]) -> tuple[cloudwatch.GraphWidget, ...]:
        return tuple(
            cloudwatch.GraphWidget(
                title=title,
                left=[self.metric(name, prefix=prefix).with_(label=prefix) for prefix in prefixes],
                stacked=True,
                width=8,
            )
            for name, title in (
                ("StoredBytes", "Bytes stored"),
                ("Images", "Images"),
                ("Repositories", "Repositories"),
            )
        )

    def _quotas(self) -> cloudwatch.GraphWidget:
        return cloudwatch.GraphWidget(
            title="Quotas used, in per cent",
            left=[self.metric(name).with_(label=quota) for quota, name in QUOTAS.items()],
            left_y_axis=cloudwatch.YAxisProps(min=0, max=100),
            width=12,
        )

    def _calls(self) -> cloudwatch.GraphWidget:
        # https://docs.aws.amazon.com/AmazonECR/latest/userguide/monitoring-usage.html
        calls = cloudwatch.MathExpression(
            expression='SEARCH(\'{AWS/Usage,Class,Resource,Service,Type} Service="ECR" MetricName="CallCount"\', '
            "'Sum', 300)",
            label="",
            using_metrics={},
        )
        return cloudwatch.GraphWidget(title="Calls of ECR's API in five minutes", left=[calls], width=12)


def _named(prefix: str) -> str:
    # Without quotes: what stands in quotes is the whole name.
    return "" if prefix == ROOT else f" RepositoryName={prefix}"


def _runs(warmer: ImageWarmer) -> tuple[cloudwatch.GraphWidget, ...]:
    machine = warmer.state_machine
    images = [warmer.metric(name, period=_HOUR) for name in ("ImagesWarmed", "ImagesFailed")]
    runs = [machine.metric_succeeded(period=_HOUR), machine.metric_failed(period=_HOUR)]
    return (
        cloudwatch.GraphWidget(title="Images warmed", left=images, width=12),
        cloudwatch.GraphWidget(title="Runs of the warmer", left=runs, width=12),
    )
