"""A Lambda function that runs a handler of ``functions``."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs

from constructs import Construct

from ..images import ROOT
from ..operations.least_privilege import On, actions_of
from ..registry.cache_registry import CacheRegistry
from ._lambda_asset import operations_code

if TYPE_CHECKING:
    from aws_cdk import aws_kms as kms
    from aws_cdk import aws_sns as sns


class OperationsFunction(Construct):
    """A Lambda function with a role and a log group of its own; the role only allows it to write its log.

    :param scope: parent.
    :param id: id below the parent.
    :param handler: module of ``functions``, a dot, and the function in it.
    :param description: purpose of the function.
    :param timeout: time after which Lambda stops it, at most 15 minutes.
    :param environment: environment variables; no secrets. Default: none.
    :param memory_size: memory in MiB; processor time follows from it. Default: 256.
    :param log_retention: how long its log is kept. Default: three months.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        handler: str,
        description: str,
        timeout: cdk.Duration,
        environment: Mapping[str, str] | None = None,
        memory_size: int = 256,
        log_retention: logs.RetentionDays = logs.RetentionDays.THREE_MONTHS,
    ) -> None:
        super().__init__(scope, id)
        self.log_group = logs.LogGroup(
            self, "LogGroup", retention=log_retention, removal_policy=cdk.RemovalPolicy.DESTROY
        )
        """The log group."""
        self.role = iam.Role(
            self,
            "Role",
            assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"),
            description=f"{description}: what its function may do",
        )
        """The role."""
        self.log_group.grant_write(self.role)
        self.function = lambda_.Function(
            self,
            "Resource",
            runtime=lambda_.Runtime.PYTHON_3_14,
            code=operations_code(),
            handler=f"ecr_pull_through_cache.functions.{handler}",
            description=description,
            role=self.role,
            timeout=timeout,
            memory_size=memory_size,
            environment=dict(environment or {}),
            log_group=self.log_group,
        )
        """The function."""

    def add_to_role_policy(self, *actions: str, on: str | list[str]) -> None:
        """Allow the function actions.

        :param actions: actions of IAM.
        :param on: ARN, or ARNs, of the resources.
        """
        resources = [on] if isinstance(on, str) else on
        self.role.add_to_policy(iam.PolicyStatement(actions=sorted(actions), resources=resources))

    def grant_verb(
        self,
        verb: str,
        options: Collection[str],
        *,
        registry: CacheRegistry,
        repository_prefixes: Sequence[str],
        encryption_keys: Sequence[kms.IKey] = (),
    ) -> None:
        """Grant the permissions of a verb of the command line, and no more.

        :param verb: ``warm``, ``backfill``, ``check`` or ``purge``.
        :param options: the options by which it needs more; see ``operations.least_privilege``.
        :param registry: the registry.
        :param repository_prefixes: the prefixes of the repositories.
        :param encryption_keys: customer managed keys of the repositories.
        """
        on = {
            On.EVERYTHING: ["*"],
            On.REGISTRY: [registry.arn_for_repositories(ROOT)],
            On.REPOSITORIES: [registry.arn_for_repositories(prefix) for prefix in repository_prefixes],
            On.KEYS: [key.key_arn for key in encryption_keys],
        }
        for statement in actions_of(verb, options):
            resources = on[statement.on]
            if resources:
                self.role.add_to_policy(
                    iam.PolicyStatement(sid=statement.sid, actions=sorted(statement.actions), resources=resources)
                )


def sum_alarm(
    scope: Construct, id: str, metric: cloudwatch.IMetric, description: str, *, threshold: float = 1
) -> cloudwatch.Alarm:
    """An alarm on a sum; missing data is not breaching.

    :param scope: parent.
    :param id: id below the parent.
    :param metric: the metric.
    :param description: the alarm's description.
    :param threshold: the alarm is raised at or above this sum. Default: 1.
    """
    return cloudwatch.Alarm(
        scope,
        id,
        metric=metric,
        threshold=threshold,
        evaluation_periods=1,
        comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
        treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        alarm_description=description,
    )


def notify(topic: sns.ITopic | None, alarms: Iterable[cloudwatch.Alarm]) -> None:
    """Notify a topic when an alarm is raised.

    :param topic: the topic, if there is one.
    :param alarms: the alarms.
    """
    if topic is not None:
        for alarm in alarms:
            alarm.add_alarm_action(actions.SnsAction(topic))


def invoking_role(scope: Construct, id: str, *, service: str, description: str, action: str, on: str) -> iam.Role:
    """The role by which a service starts a resource, for this account and for no other.

    :param scope: parent.
    :param id: id below the parent.
    :param service: name of the service, without its domain: ``scheduler``.
    :param description: the role's description.
    :param action: the IAM action.
    :param on: ARN of the resource.
    """
    account = CacheRegistry.of(scope).account
    role = iam.Role(
        scope,
        id,
        assumed_by=iam.ServicePrincipal(
            f"{service}.amazonaws.com", conditions={"StringEquals": {"aws:SourceAccount": account}}
        ),
        description=description,
    )
    role.add_to_policy(iam.PolicyStatement(actions=[action], resources=[on]))
    return role
