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
    """A Lambda function with a role and a log group of its own, which may do nothing but write its log.

    :param scope: parent.
    :param id: id below the parent.
    :param handler: module of ``functions``, a dot, and the function in it.
    :param description: what it does.
    :param timeout: after which Lambda stops it, at most 15 minutes.
    :param environment: environment variables; no secrets.
    :param memory_size: MiB of memory, from which processor time follows.
    :param log_retention: how long its log is kept.
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
        """Where it writes."""
        self.role = iam.Role(
            self,
            "Role",
            assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"),
            description=f"{description}: what its function may do",
        )
        """What it may do."""
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

    def allow(self, *actions: str, on: str | list[str]) -> None:
        """Let it do something.

        :param actions: IAM actions.
        :param on: ARN, or ARNs, of what it does that to.
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
        """Let it do what a verb of the command line does, and no more.

        :param verb: ``warm``, ``backfill``, ``check`` or ``purge``.
        :param options: the options by which it needs more; see ``operations.least_privilege``.
        :param registry: where.
        :param repository_prefixes: under which prefixes.
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
    """An alarm on a sum that should stay below a number; silence is well.

    :param scope: parent.
    :param id: id below the parent.
    :param metric: the metric.
    :param description: what it says to who is woken up.
    :param threshold: from which on it is raised.
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
    """Tell a topic when an alarm is raised.

    :param topic: the topic, if there is one.
    :param alarms: the alarms.
    """
    if topic is not None:
        for alarm in alarms:
            alarm.add_alarm_action(actions.SnsAction(topic))


def invoking_role(scope: Construct, id: str, *, service: str, description: str, action: str, on: str) -> iam.Role:
    """The role by which a service starts something for this account, and for no other.

    :param scope: parent.
    :param id: id below the parent.
    :param service: name of the service, without its domain: ``scheduler``.
    :param description: what it starts.
    :param action: the IAM action.
    :param on: ARN of what is started.
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
