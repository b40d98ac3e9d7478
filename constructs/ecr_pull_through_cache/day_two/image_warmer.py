"""Images brought into a cache on a schedule, and whenever their list changes, at any scale."""

from __future__ import annotations

import functools
import hashlib
import json
import math
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict, cast

import aws_cdk as cdk
import jsii
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_s3_assets as s3_assets
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_stepfunctions as sfn
from typing_extensions import Unpack

from constructs import Construct

from .._checks import at, error_at
from .._place import in_one_stage, is_unresolved, place_of
from .._props import checked
from ..errors import UserError
from ..functions.contract import SETTINGS, settings
from ..images import check_platform, why_not_importable
from ..registry._metrics import MetricOptions, metric_of
from ..registry.cache_registry import CacheRegistry
from ..registry.pull_through_cache_rule import PullThroughCacheRule
from ..registry.pull_time_update_exclusion import PullTimeUpdateExclusion
from ._operations_function import OperationsFunction, invoking_role, notify, sum_alarm
from ._order import delete_before_removal
from ._warmer_states import LIST_KEY, REPORTS, RESULTS, definition

if TYPE_CHECKING:
    from aws_cdk import aws_kms as kms
    from aws_cdk import aws_sns as sns

    from ..registry.pull_through_cache import IPullThroughCache

_MOST_AT_ONCE = 1000


class ImageWarmerProps(TypedDict, total=False):
    """The parameters of :class:`ImageWarmer` besides its cache."""

    images: Sequence[str]
    schedule: scheduler.ScheduleExpression | None
    platforms: Sequence[str]
    referrers: bool
    max_concurrency: int
    requests_per_second: float
    registry_url: str | None
    bucket: s3.IBucket | None
    encryption_key: kms.IKey | None
    report_retention: cdk.Duration | None
    removal_policy: cdk.RemovalPolicy
    record_pull_times: bool
    timeout: cdk.Duration | None
    alarm_topic: sns.ITopic | None


@checked
@jsii.implements(iam.IGrantable)
class ImageWarmer(Construct):
    """Imports images into a cache before they are pulled, as ``ecr-pull-through warm`` does, and by the same code.

    A Step Functions Distributed Map reads the list from S3 and gives it to Lambda functions in batches. A batch is repeated
    until each of its images is cached or cannot be; the state machine waits between the rounds, which costs nothing. Only
    manifests pass through the functions. Every run ends with a report in the bucket, below ``reports/``.

    The list comes from one of two places. Given as ``images`` it is an asset of the app, read where ``cdk deploy`` puts
    assets; a deployment that changes it starts a run, and does not wait for it. Otherwise it is the object ``images.txt`` of
    the bucket, one image a line with comments after ``#``, and a run starts when the object is written. A bucket of your own
    must send its events to EventBridge.

    Images have the names of their upstream or of the cache, as ``ecr-pull-through inventory --output images`` gives them. An
    image that is pinned by digest needs its tag too, because ECR imports by tags alone.

    The functions are excluded from pull times, so that the last pull of an image is one of a cluster. A removal of the same
    cache deletes images after the warmer has gone.

    https://docs.aws.amazon.com/step-functions/latest/dg/state-map-distributed.html
    https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_RegisterPullTimeUpdateExclusion.html

    :param scope: parent.
    :param id: id below the parent.
    :param cache: the cache: a :class:`PullThroughCache`, or its ``from_attributes``.
    :param images: the list of images, where it is the app's. Default: the object ``images.txt`` of the bucket.
    :param schedule: when to import the list again, so that tags that moved upstream move here too. A rate begins as soon as it
        is deployed: a run that finds no list in the bucket yet has failed. A cron begins at its time. Default: never.
    :param platforms: platforms such as ``linux/arm64``. Default: all of them.
    :param referrers: whether signatures and bills of materials are imported too. Default: no.
    :param max_concurrency: batches of 20 images at once, 1 to 1,000. Default: 10.
    :param requests_per_second: limit of all batches together; 0 for none. Default: 200.
    :param registry_url: URL of the registry, ``https://HOST[:PORT]``. Default: its own host.
    :param bucket: bucket for list and reports. Default: one is made.
    :param encryption_key: key of the bucket that is made, or of a bucket of your own that does not know it. Default: S3's own
        encryption.
    :param report_retention: how long reports are kept in the bucket that is made. Default: 90 days.
    :param removal_policy: what becomes of the bucket that is made when the stack is deleted. Default: it is kept.
    :param record_pull_times: whether ECR records the warmer's requests as pulls. Default: no.
    :param timeout: time after which a run has failed. Default: 12 hours.
    :param alarm_topic: topic that is notified when a run fails or images cannot be imported. Default: none.
    :raises UserError: when an image is not one of the cache, the form of a platform is wrong, a number is out of its range, or
        the registry is of another account that does not let this one in.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        cache: IPullThroughCache,
        images: Sequence[str] = (),
        schedule: scheduler.ScheduleExpression | None = None,
        platforms: Sequence[str] = (),
        referrers: bool = False,
        max_concurrency: int = 10,
        requests_per_second: float = 200,
        registry_url: str | None = None,
        bucket: s3.IBucket | None = None,
        encryption_key: kms.IKey | None = None,
        report_retention: cdk.Duration | None = None,
        removal_policy: cdk.RemovalPolicy = cdk.RemovalPolicy.RETAIN,
        record_pull_times: bool = False,
        timeout: cdk.Duration | None = None,
        alarm_topic: sns.ITopic | None = None,
    ) -> None:
        cache.registry.check_named_in(scope, id)
        mapping = cache.mapping()
        _check(scope, id, max_concurrency, requests_per_second, platforms)
        for image in images:
            reason = why_not_importable(image, mapping)
            if reason is not None:
                raise error_at(scope, id, reason)
        account = place_of(scope).account
        if not (is_unresolved(account) or is_unresolved(cache.registry.account) or account == cache.registry.account):
            with at(scope, id):
                cache.grant_import(iam.AccountPrincipal(account))

        super().__init__(scope, id)
        self.cache = cache
        """The cache."""
        self.registry = cache.registry
        """The registry that images are imported into."""
        self.bucket = bucket or self._make_bucket(
            encryption_key, report_retention or cdk.Duration.days(90), removal_policy
        )
        """The bucket of the reports, and of the list where it is not the app's."""
        self.encryption_key = self.bucket.encryption_key or encryption_key
        """The key of the bucket, if it has one of its own."""
        self.image_list = s3_assets.Asset(self, "ImageList", path=_list_file(images)) if images else None
        """The app's own list, if it has one."""
        each = math.ceil(requests_per_second / max_concurrency) if requests_per_second else 0
        self._settings = json.dumps(
            settings(mapping, platforms=platforms, referrers=referrers, rate=each, registry_url=registry_url)
        )
        self.import_function = self._make_import_function()
        """The function that imports a batch, with its role and log group."""
        self.report_function = self._make_report_function()
        """The function that writes the report, with its role and log group."""
        self.pull_time_exclusion = None if record_pull_times else self._exclude_from_pull_times()
        """The exclusion of the importing function from pull times, if it is one of this stack's registry."""
        self.log_group = logs.LogGroup(
            self,
            "LogGroup",
            # Log delivery of Step Functions keeps within the size of its resource policy for groups of this name alone.
            log_group_name=f"/aws/vendedlogs/states/{cdk.Names.unique_resource_name(self, max_length=80)}",
            retention=logs.RetentionDays.THREE_MONTHS,
            removal_policy=cdk.RemovalPolicy.DESTROY,
        )
        """The log group of the state machine."""
        self.role = self._make_role()
        """The role of the state machine."""
        self.state_machine = self._make_state_machine(max_concurrency, timeout or cdk.Duration.hours(12))
        """The state machine; its input is the ``bucket`` and ``key`` of a list."""
        self.map_policy = self._make_map_policy()
        """The policy by which the state machine starts its batches, which are runs of itself."""
        self.schedule_role = self._make_starting_role("ScheduleRole", "scheduler") if schedule is not None else None
        """The role by which the schedule starts a run, if there is one."""
        self.schedule: scheduler.CfnSchedule | None = None
        """The schedule, if there is one."""
        if schedule is not None and self.schedule_role is not None:
            self.schedule = self._make_schedule(schedule, self.schedule_role)
        self.start_function = self._make_start_function() if images else None
        """The function that starts a run for a deployment, if the app has a list, with its role and log group."""
        self.start_on_deployment = (
            self._start_on_deployment(self.start_function) if self.start_function is not None else None
        )
        """The custom resource by which a deployment that changes the app's list starts a run, if it has one."""
        self.start_on_upload_role = None if images else self._make_starting_role("ChangedRole", "events")
        """The role by which a run starts when the list in the bucket is written, if that is the list."""
        self.start_on_upload = (
            self._start_on_upload(self.start_on_upload_role) if self.start_on_upload_role is not None else None
        )
        """The rule that starts a run when the list in the bucket is written, if that is the list."""
        self.alarms = self._make_alarms()
        """Alarms on runs that fail or cannot be started, and on images that cannot be imported."""
        notify(alarm_topic, self.alarms)
        delete_before_removal(cache, self.state_machine)

    @property
    def resource(self) -> sfn.CfnStateMachine:
        """The L1 of the state machine."""
        return cast("sfn.CfnStateMachine", self.state_machine.node.default_child)

    @property
    def state_machine_arn(self) -> str:
        """ARN of the state machine."""
        return self.state_machine.state_machine_arn

    @property
    @jsii.member(jsii_name="grantPrincipal")
    def grant_principal(self) -> iam.IPrincipal:
        """The role of the state machine, which reads the list: ``bucket.grant_read(warmer)``."""
        return self.role

    @property
    def list_uri(self) -> str:
        """URI of the list, as ``s3://BUCKET/KEY``."""
        bucket, key = self._list
        return f"s3://{bucket}/{key}"

    @property
    def reports_uri(self) -> str:
        """URI of the reports, as ``s3://BUCKET/PREFIX``."""
        return f"s3://{self.bucket.bucket_name}/{REPORTS}"

    def grant(self, grantee: iam.IGrantable, *actions: str) -> iam.Grant:
        """Grant actions on the state machine.

        :param grantee: a role, user or group.
        :param actions: actions of IAM: ``states:ListExecutions``.
        """
        return self.state_machine.grant(grantee, *actions)

    def grant_start(self, grantee: iam.IGrantable) -> iam.Grant:
        """Grant the start of a run.

        :param grantee: a role, user or group.
        """
        return self.state_machine.grant_start_execution(grantee)

    def grant_write_list(self, grantee: iam.IGrantable) -> iam.Grant:
        """Grant writing of the list in the bucket.

        :param grantee: a role, user or group.
        :raises UserError: when the list is the app's.
        """
        if self.image_list is not None:
            raise UserError(
                f"{self.node.path}: the list is the app's, and no object of the bucket is read; change images"
            )
        put = self.bucket.grant_put(grantee, LIST_KEY)
        return self._grant_key(put, grantee, "kms:Decrypt", "kms:GenerateDataKey")

    def grant_read_reports(self, grantee: iam.IGrantable) -> iam.Grant:
        """Grant reading of the reports.

        :param grantee: a role, user or group.
        """
        read = self.bucket.grant_read(grantee, f"{REPORTS}*")
        return self._grant_key(read, grantee, "kms:Decrypt")

    def metric(self, name: str, **options: Unpack[MetricOptions]) -> cloudwatch.Metric:
        """A metric of the runs' reports. Default: its sum in five minutes.

        :param name: ``ImagesWarmed`` or ``ImagesFailed``.
        :param options: options of the metric.
        """
        machine = {"StateMachine": self.state_machine.state_machine_name}
        return metric_of(name, options, dimensions=machine, defaults={"statistic": "Sum"})

    def metric_images_warmed(self, **options: Unpack[MetricOptions]) -> cloudwatch.Metric:
        """Images that runs imported. Default: their sum in five minutes.

        :param options: options of the metric.
        """
        return self.metric("ImagesWarmed", **options)

    def metric_failed_images(self, **options: Unpack[MetricOptions]) -> cloudwatch.Metric:
        """Images that could not be imported. Default: their sum in five minutes.

        :param options: options of the metric.
        """
        return self.metric("ImagesFailed", **options)

    def metric_failed_runs(self, **options: Unpack[MetricOptions]) -> cloudwatch.Metric:
        """Runs that failed. Default: their sum in five minutes.

        :param options: options of the metric.
        """
        return self.state_machine.metric_failed(**options)

    def _grant_key(self, grant: iam.Grant, grantee: iam.IGrantable, *allowed: str) -> iam.Grant:
        """Grant the use of a key that the bucket does not know; otherwise the bucket's own grant covers it."""
        if self.encryption_key is None or self.bucket.encryption_key is not None:
            return grant
        return grant.combine(self.encryption_key.grant(grantee, *allowed))

    @property
    def _list(self) -> tuple[str, str]:
        if self.image_list is not None:
            return self.image_list.s3_bucket_name, self.image_list.s3_object_key
        return self.bucket.bucket_name, LIST_KEY

    def _make_bucket(
        self, key: kms.IKey | None, retention: cdk.Duration, removal_policy: cdk.RemovalPolicy
    ) -> s3.Bucket:
        bucket = s3.Bucket(
            self,
            "Bucket",
            encryption=s3.BucketEncryption.KMS if key is not None else s3.BucketEncryption.S3_MANAGED,
            encryption_key=key,
            bucket_key_enabled=True if key is not None else None,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            enforce_ssl=True,
            versioned=True,
            removal_policy=removal_policy,
            lifecycle_rules=[
                s3.LifecycleRule(id=f"Expire-{prefix.rstrip('/')}", prefix=prefix, expiration=retention)
                for prefix in (REPORTS, RESULTS)
            ]
            + [
                s3.LifecycleRule(
                    id="Tidy",
                    noncurrent_version_expiration=cdk.Duration.days(30),
                    abort_incomplete_multipart_upload_after=cdk.Duration.days(7),
                )
            ],
        )
        # The L2's own switch makes a custom resource with a function of its own for what is one property here.
        resource = cast("s3.CfnBucket", bucket.node.default_child)
        resource.notification_configuration = s3.CfnBucket.NotificationConfigurationProperty(
            event_bridge_configuration=s3.CfnBucket.EventBridgeConfigurationProperty(event_bridge_enabled=True)
        )
        return bucket

    def _make_import_function(self) -> OperationsFunction:
        function = OperationsFunction(
            self,
            "Warm",
            handler="warming.handler",
            description="Imports a batch of images into the pull through cache",
            timeout=cdk.Duration.minutes(15),
            environment={SETTINGS: self._settings},
        )
        options = {"wait", *(["tags"] if self.cache.tags_repositories else [])}
        function.grant_verb("warm", options, registry=self.registry, repository_prefixes=tuple(self.cache.rules))
        return function

    def _exclude_from_pull_times(self) -> PullTimeUpdateExclusion | None:
        if CacheRegistry.of(self) == self.registry:
            return PullTimeUpdateExclusion(self, "PullTimeExclusion", role=self.import_function.role)
        cdk.Annotations.of(self).add_warning_v2(
            "cdk-ecr-pull-through-cache:pullTimesOfWarmer",
            f"the registry {self.registry} records the warmer's requests as pulls, because an exclusion must be made in its own "
            "account and Region; make a PullTimeUpdateExclusion for the role of import_function there, or set "
            "record_pull_times=True",
        )
        return None

    def _make_report_function(self) -> OperationsFunction:
        report = OperationsFunction(
            self,
            "Report",
            handler="reporting.handler",
            description="Writes the report of a run of the pull through cache's warmer",
            timeout=cdk.Duration.minutes(5),
            memory_size=1024,
        )
        report.add_to_role_policy("s3:GetObject", on=self.bucket.arn_for_objects(f"{RESULTS}*"))
        report.add_to_role_policy("s3:PutObject", on=self.bucket.arn_for_objects(f"{REPORTS}*"))
        return report

    def _make_role(self) -> iam.Role:
        role = iam.Role(
            self,
            "Role",
            # https://docs.aws.amazon.com/step-functions/latest/dg/procedure-create-iam-role.html#prevent-cross-service-confused-deputy
            assumed_by=iam.ServicePrincipal(
                "states.amazonaws.com",
                conditions={"StringEquals": {"aws:SourceAccount": CacheRegistry.of(self).account}},
            ),
            description="What the state machine that warms the pull through cache may do",
        )
        bucket, key = self._list
        functions = [self.import_function.function.function_arn, self.report_function.function.function_arn]
        # https://docs.aws.amazon.com/step-functions/latest/dg/input-output-resultwriter.html
        write = ["s3:AbortMultipartUpload", "s3:GetObject", "s3:ListMultipartUploadParts", "s3:PutObject"]
        for sid, allowed, resources in (
            ("ReadList", ["s3:GetObject"], [f"arn:{_here(self).partition}:s3:::{bucket}/{key}"]),
            ("WriteResults", write, [self.bucket.arn_for_objects(f"{RESULTS}*")]),
            ("RunBatches", ["lambda:InvokeFunction"], functions),
        ):
            role.add_to_policy(iam.PolicyStatement(sid=sid, actions=allowed, resources=resources))
        if self.encryption_key is not None:
            for user in (role, self.report_function.role):
                self.encryption_key.grant(user, "kms:Decrypt", "kms:GenerateDataKey")
        return role

    def _make_state_machine(self, max_concurrency: int, timeout: cdk.Duration) -> sfn.StateMachine:
        states = definition(
            import_function=self.import_function.function.function_arn,
            report_function=self.report_function.function.function_arn,
            bucket=self.bucket.bucket_name,
            max_concurrency=max_concurrency,
            timeout_seconds=timeout.to_seconds(),
            partition=_here(self).partition,
        )
        return sfn.StateMachine(
            self,
            "Resource",
            definition_body=sfn.DefinitionBody.from_string(cdk.Stack.of(self).to_json_string(states)),
            role=self.role,
            tracing_enabled=True,
            logs=sfn.LogOptions(destination=self.log_group, level=sfn.LogLevel.ALL),
        )

    def _make_map_policy(self) -> iam.Policy:
        machine = self.state_machine
        here = _here(self)
        runs = f"arn:{here.partition}:states:{here.region}:{here.account}:execution:{machine.state_machine_name}"
        # A policy of its own, for it names the state machine, which waits for the role's other one.
        # https://docs.aws.amazon.com/step-functions/latest/dg/iam-policies-eg-dist-map.html
        return iam.Policy(
            self,
            "MapPolicy",
            roles=[self.role],
            statements=[
                iam.PolicyStatement(
                    sid="StartBatches", actions=["states:StartExecution"], resources=[machine.state_machine_arn]
                ),
                iam.PolicyStatement(
                    sid="FollowBatches",
                    actions=["states:DescribeExecution", "states:StopExecution"],
                    resources=[f"{runs}:*", f"{runs}/*"],
                ),
            ],
        )

    def _make_starting_role(self, id: str, service: str) -> iam.Role:
        """The role by which a service of this account starts a run."""
        return invoking_role(
            self,
            id,
            service=service,
            description="Starts the state machine that warms the pull through cache",
            action="states:StartExecution",
            on=self.state_machine.state_machine_arn,
        )

    def _make_schedule(self, expression: scheduler.ScheduleExpression, role: iam.Role) -> scheduler.CfnSchedule:
        bucket, key = self._list
        schedule = scheduler.CfnSchedule(
            self,
            "Schedule",
            name=cdk.Names.unique_resource_name(self, max_length=64),
            schedule_expression=expression.expression_string,
            schedule_expression_timezone=expression.time_zone.timezone_name if expression.time_zone else None,
            # Upstreams count requests; nobody waits for the minute.
            flexible_time_window=scheduler.CfnSchedule.FlexibleTimeWindowProperty(
                mode="FLEXIBLE", maximum_window_in_minutes=15
            ),
            target=scheduler.CfnSchedule.TargetProperty(
                arn=self.state_machine.state_machine_arn,
                role_arn=role.role_arn,
                input=cdk.Stack.of(self).to_json_string({"bucket": bucket, "key": key}),
            ),
            description="Imports images into the pull through cache",
        )
        # A rate begins at once: https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html
        self._let_wait_for_rules(schedule)
        return schedule

    def _let_wait_for_rules(self, starting: Construct) -> None:
        """A run needs the rules and the permissions of the state machine, and must not count as use of the images."""
        rules = [rule for rule in self.cache.rules.values() if isinstance(rule, PullThroughCacheRule)]
        own = [rule.resource for rule in rules] if rules and in_one_stage(rules[0], self) else []
        excluded = [self.pull_time_exclusion] if self.pull_time_exclusion is not None else []
        starting.node.add_dependency(self.map_policy, *own, *excluded)

    def _make_start_function(self) -> OperationsFunction:
        start = OperationsFunction(
            self,
            "Start",
            handler="starting.handler",
            description="Starts the warmer of the pull through cache when its list is deployed",
            timeout=cdk.Duration.minutes(1),
        )
        start.add_to_role_policy("states:StartExecution", on=self.state_machine.state_machine_arn)
        return start

    def _start_on_deployment(self, start: OperationsFunction) -> cdk.CustomResource:
        bucket, key = self._list
        resource = cdk.CustomResource(
            self,
            "Deployed",
            service_token=start.function.function_arn,
            resource_type="Custom::EcrImageWarmer",
            # It is answered at once; without this, one that cannot be started would hold a deployment up for an hour.
            service_timeout=cdk.Duration.minutes(5),
            properties={
                "StateMachineArn": self.state_machine.state_machine_arn,
                "Input": {"bucket": bucket, "key": key},
                # What else a run depends on: when it changes, the list is imported again.
                "Settings": self._settings,
            },
        )
        self._let_wait_for_rules(resource)
        return resource

    def _start_on_upload(self, role: iam.Role) -> events.CfnRule:
        bucket, key = self._list
        return events.CfnRule(
            self,
            "Changed",
            # https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html
            event_pattern={
                "source": ["aws.s3"],
                "detail-type": ["Object Created"],
                "detail": {"bucket": {"name": [bucket]}, "object": {"key": [key]}},
            },
            state="ENABLED",
            targets=[
                events.CfnRule.TargetProperty(
                    id="StateMachine",
                    arn=self.state_machine.state_machine_arn,
                    role_arn=role.role_arn,
                    input=cdk.Stack.of(self).to_json_string({"bucket": bucket, "key": key}),
                )
            ],
            description="Imports images into the pull through cache when their list has changed",
        )

    def _make_alarms(self) -> tuple[cloudwatch.Alarm, ...]:
        hour = cdk.Duration.hours(1)
        machine = self.state_machine
        alarms = [
            sum_alarm(self, "RunsFailed", machine.metric_failed(period=hour), "A run of the warmer failed"),
            sum_alarm(self, "RunsTimedOut", machine.metric_timed_out(period=hour), "A run of the warmer took too long"),
            sum_alarm(
                self,
                "ImagesFailed",
                self.metric("ImagesFailed", period=hour),
                "Images could not be imported; the report in the bucket names them",
            ),
        ]
        if self.start_function is not None:
            # https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
            dropped = self.start_function.function.metric("AsyncEventsDropped", period=hour, statistic="Sum")
            told = "A deployment changed the list and its run could not be started; start the state machine"
            alarms.append(sum_alarm(self, "RunNotStarted", dropped, told))
        return tuple(alarms)


def _here(scope: Construct) -> CacheRegistry:
    return CacheRegistry.of(scope)


def _check(
    scope: Construct, id: str, max_concurrency: int, requests_per_second: float, platforms: Sequence[str]
) -> None:
    if not 1 <= max_concurrency <= _MOST_AT_ONCE:
        raise error_at(scope, id, f"max_concurrency is {max_concurrency}; allowed are 1 to {_MOST_AT_ONCE}")
    if requests_per_second < 0:
        raise error_at(
            scope, id, f"requests_per_second is {requests_per_second}; allowed are 0, for no limit, and more"
        )
    with at(scope, id):
        for platform in platforms:
            check_platform(platform)


def _list_file(images: Sequence[str]) -> str:
    text = "".join(f"{image}\n" for image in sorted(set(images)))
    folder = Path(_scratch().name, hashlib.sha256(text.encode()).hexdigest())
    folder.mkdir(exist_ok=True)
    (folder / LIST_KEY).write_text(text)
    return str(folder / LIST_KEY)


@functools.cache
def _scratch() -> tempfile.TemporaryDirectory[str]:
    """Kept until the process ends: an asset is copied into the cloud assembly when it is made."""
    return tempfile.TemporaryDirectory(prefix="ecr-pull-through-")
