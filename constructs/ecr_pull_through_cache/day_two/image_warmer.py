"""Images brought into a cache on a schedule, and whenever their list changes, at any scale."""

from __future__ import annotations

import functools
import hashlib
import json
import math
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_s3_assets as s3_assets
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_stepfunctions as sfn

from constructs import Construct

from .._checks import error_at
from ..errors import UserError
from ..functions.contract import NAMESPACE, PER_BATCH, SETTINGS, settings
from ..images import CacheMapping, EcrHost, check_platform, why_not_importable
from ..registry.cache_registry import CacheRegistry
from ..registry.pull_through_cache_rule import rules_of
from ._operations_function import OperationsFunction, invoking_role, notify, sum_alarm

if TYPE_CHECKING:
    from aws_cdk import aws_kms as kms
    from aws_cdk import aws_lambda as lambda_
    from aws_cdk import aws_sns as sns

LIST_KEY = "images.txt"
"""Key of the list in the bucket, where no list is given in the app."""
REPORTS, RESULTS = "reports/", "results/"
"""Where in the bucket a run's report is, and what its map wrote."""

_MOST_AT_ONCE = 1000


class ImageWarmer(Construct):
    """Imports images into a cache before anybody pulls them: as ``ecr-pull-through warm`` does, and by the same code.

    A Step Functions Distributed Map reads the list from S3 and gives it to Lambda functions in batches. A batch goes round
    until each of its images is there or cannot be: what is done is not done again, and what takes longer than a minute is
    waited for by the state machine, which costs nothing. Nothing but manifests passes through the functions. Every run ends
    with a report in the bucket, below ``reports/``.

    The list is one of two. Given as ``images`` it is an asset of the app, read where ``cdk deploy`` puts assets, for a copy of it
    in another bucket would take one more custom resource and its function; a run starts when a deployment changes it, and keeps
    that deployment waiting for nothing. Else it is the object ``images.txt`` of the bucket, which others write, one image a
    line, and a run starts when it is written; what follows a ``#`` is a comment. A bucket of one's own must send its events to
    EventBridge.

    Images have the names of their upstream or of the cache, as ``ecr-pull-through inventory --output images`` gives them. One
    that is pinned by digest needs its tag beside it, because ECR imports by tags alone.

    https://docs.aws.amazon.com/step-functions/latest/dg/state-map-distributed.html

    :param scope: parent.
    :param id: id below the parent.
    :param mapping: the cache: ``PullThroughCache.mapping()``, or registry and upstreams of one that exists.
    :param images: the list, if it is the app's.
    :param schedule: when to import it again, so that tags that moved upstream are new here too; not at all if left out. A rate
        begins as soon as it is deployed: a run that finds no list in the bucket yet has failed. A cron begins at its time.
    :param platforms: platforms such as ``linux/arm64``; all of them if left out.
    :param referrers: whether signatures and bills of materials are imported too.
    :param tag_on_create: whether the creation template sets resource tags, which the function then needs permission for.
    :param max_concurrency: how many batches of 20 images at once, 1 to 1,000.
    :param requests_per_second: limit of all batches together; 0 for none.
    :param registry_url: where the registry is reached, if not under its own host: ``https://HOST[:PORT]``.
    :param bucket: bucket for list and reports; made, and kept when the stack goes, if left out.
    :param encryption_key: key of the bucket that is made, or of a bucket of one's own that does not know it; S3's own encryption
        if left out.
    :param report_retention: how long reports are kept in the bucket that is made.
    :param timeout: after which a run has failed.
    :param alarm_topic: topic that is told when a run fails or images cannot be imported.
    :raises UserError: when an image is not one of the cache, a platform is none, or a number is out of its range.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        mapping: CacheMapping,
        images: Sequence[str] = (),
        schedule: scheduler.ScheduleExpression | None = None,
        platforms: Sequence[str] = (),
        referrers: bool = False,
        tag_on_create: bool = False,
        max_concurrency: int = 10,
        requests_per_second: float = 200,
        registry_url: str | None = None,
        bucket: s3.IBucket | None = None,
        encryption_key: kms.IKey | None = None,
        report_retention: cdk.Duration | None = None,
        timeout: cdk.Duration | None = None,
        alarm_topic: sns.ITopic | None = None,
    ) -> None:
        if not 1 <= max_concurrency <= _MOST_AT_ONCE:
            raise error_at(scope, id, f"max_concurrency is {max_concurrency}; allowed are 1 to {_MOST_AT_ONCE}")
        if requests_per_second < 0:
            raise error_at(
                scope, id, f"requests_per_second is {requests_per_second}; allowed are 0, for none, and more"
            )
        try:
            for platform in platforms:
                check_platform(platform)
        except UserError as error:
            raise error_at(scope, id, str(error)) from None
        for image in images:
            reason = why_not_importable(image, mapping)
            if reason is not None:
                raise error_at(scope, id, reason)

        super().__init__(scope, id)
        self.mapping = mapping
        """The cache."""
        self.registry = _registry_of(self, mapping)
        """The registry that images are imported into."""
        self.bucket = bucket or self._make_bucket(encryption_key, report_retention or cdk.Duration.days(90))
        """Where reports are, and the list where it is not the app's."""
        self.encryption_key = self.bucket.encryption_key or encryption_key
        """The key of the bucket, if it has one of its own."""
        self.image_list = s3_assets.Asset(self, "ImageList", path=_list_file(images)) if images else None
        """The app's own list, if it has one."""
        each = math.ceil(requests_per_second / max_concurrency) if requests_per_second else 0
        self._settings = json.dumps(
            settings(mapping, platforms=platforms, referrers=referrers, rate=each, registry_url=registry_url)
        )
        self.warm = self._make_warm(tag_on_create)
        """What imports a batch: the function, with its role and log group."""
        self.report = self._make_report()
        """What writes the report: the function, with its role and log group."""
        self.log_group = logs.LogGroup(
            self,
            "LogGroup",
            # Log delivery of Step Functions keeps within the size of its resource policy for groups of this name alone.
            log_group_name=f"/aws/vendedlogs/states/{cdk.Names.unique_resource_name(self, max_length=80)}",
            retention=logs.RetentionDays.THREE_MONTHS,
            removal_policy=cdk.RemovalPolicy.DESTROY,
        )
        """Where the state machine writes."""
        self.role = self._make_role()
        """What the state machine may do."""
        self.state_machine = self._make_state_machine(max_concurrency, timeout or cdk.Duration.hours(12))
        """The state machine; its input is the ``bucket`` and ``key`` of a list."""
        self.map_policy = self._make_map_policy()
        """What it may do with itself, for batches are runs of it too."""
        self.schedule_role = self._may_start("ScheduleRole", "scheduler") if schedule is not None else None
        """The role by which the schedule starts a run, if there is one."""
        self.schedule: scheduler.CfnSchedule | None = None
        """The schedule, if there is one."""
        if schedule is not None and self.schedule_role is not None:
            self.schedule = self._make_schedule(schedule, self.schedule_role)
        self.start = self._make_start() if images else None
        """What starts a run for a deployment, if the app has a list: the function, with its role and log group."""
        self.deployed = self._start_when_deployed(self.start) if self.start is not None else None
        """The custom resource by which a deployment that changes the app's list starts a run, if it has one."""
        self.changed_role = None if images else self._may_start("ChangedRole", "events")
        """The role by which a run is started when the list in the bucket is written, if that is the list."""
        self.changed = self._start_when_written(self.changed_role) if self.changed_role is not None else None
        """What starts a run when the list in the bucket is written, if that is the list."""
        self.alarms = self._make_alarms()
        """Alarms on runs that fail or cannot be started, and on images that cannot be imported."""
        notify(alarm_topic, self.alarms)

    @property
    def function(self) -> lambda_.Function:
        """The Lambda function that imports a batch."""
        return self.warm.function

    @property
    def list_uri(self) -> str:
        """Where the list is, as ``s3://BUCKET/KEY``."""
        bucket, key = self._list
        return f"s3://{bucket}/{key}"

    @property
    def reports_uri(self) -> str:
        """Where reports are, as ``s3://BUCKET/PREFIX``."""
        return f"s3://{self.bucket.bucket_name}/{REPORTS}"

    def grant_start(self, grantee: iam.IGrantable) -> iam.Grant:
        """Let somebody start a run.

        :param grantee: a role, user or group.
        """
        return self.state_machine.grant_start_execution(grantee)

    def grant_write_list(self, grantee: iam.IGrantable) -> iam.Grant:
        """Let somebody write the list in the bucket.

        :param grantee: a role, user or group.
        :raises UserError: when the list is the app's.
        """
        if self.image_list is not None:
            raise UserError(
                f"{self.node.path}: the list is the app's, and no object of the bucket is read; change images"
            )
        put = self.bucket.grant_put(grantee, LIST_KEY)
        return self._let_use_key(put, grantee, "kms:Decrypt", "kms:GenerateDataKey")

    def grant_read_reports(self, grantee: iam.IGrantable) -> iam.Grant:
        """Let somebody read the reports.

        :param grantee: a role, user or group.
        """
        read = self.bucket.grant_read(grantee, f"{REPORTS}*")
        return self._let_use_key(read, grantee, "kms:Decrypt")

    def metric(self, name: str, *, period: cdk.Duration | None = None, statistic: str = "Sum") -> cloudwatch.Metric:
        """A metric of the runs' reports.

        :param name: ``ImagesWarmed`` or ``ImagesFailed``.
        :param period: over which time; five minutes if left out.
        :param statistic: of which statistic.
        """
        machine = {"StateMachine": self.state_machine.state_machine_name}
        return cloudwatch.Metric(
            namespace=NAMESPACE, metric_name=name, dimensions_map=machine, period=period, statistic=statistic
        )

    def _let_use_key(self, grant: iam.Grant, grantee: iam.IGrantable, *allowed: str) -> iam.Grant:
        """Where the bucket knows its key, its own grant says so already."""
        if self.encryption_key is None or self.bucket.encryption_key is not None:
            return grant
        return grant.combine(self.encryption_key.grant(grantee, *allowed))

    @property
    def _list(self) -> tuple[str, str]:
        if self.image_list is not None:
            return self.image_list.s3_bucket_name, self.image_list.s3_object_key
        return self.bucket.bucket_name, LIST_KEY

    def _make_bucket(self, key: kms.IKey | None, retention: cdk.Duration) -> s3.Bucket:
        bucket = s3.Bucket(
            self,
            "Bucket",
            encryption=s3.BucketEncryption.KMS if key is not None else s3.BucketEncryption.S3_MANAGED,
            encryption_key=key,
            bucket_key_enabled=True if key is not None else None,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            enforce_ssl=True,
            versioned=True,
            removal_policy=cdk.RemovalPolicy.RETAIN,
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

    def _make_warm(self, tag_on_create: bool) -> OperationsFunction:
        warm = OperationsFunction(
            self,
            "Warm",
            handler="warming.handler",
            description="Imports a batch of images into the pull through cache",
            timeout=cdk.Duration.minutes(15),
            environment={SETTINGS: self._settings},
        )
        options = {"wait", *(["tags"] if tag_on_create else [])}
        prefixes = [rule.repository_prefix for rule in self.mapping.rules]
        warm.grant_verb("warm", options, registry=self.registry, repository_prefixes=prefixes)
        return warm

    def _make_report(self) -> OperationsFunction:
        report = OperationsFunction(
            self,
            "Report",
            handler="reporting.handler",
            description="Writes the report of a run of the pull through cache's warmer",
            timeout=cdk.Duration.minutes(5),
            memory_size=1024,
        )
        report.allow("s3:GetObject", on=self.bucket.arn_for_objects(f"{RESULTS}*"))
        report.allow("s3:PutObject", on=self.bucket.arn_for_objects(f"{REPORTS}*"))
        return report

    def _make_role(self) -> iam.Role:
        role = iam.Role(
            self,
            "Role",
            assumed_by=iam.ServicePrincipal("states.amazonaws.com"),
            description="What the state machine that warms the pull through cache may do",
        )
        bucket, key = self._list
        functions = [self.warm.function.function_arn, self.report.function.function_arn]
        # https://docs.aws.amazon.com/step-functions/latest/dg/input-output-resultwriter.html
        write = ["s3:AbortMultipartUpload", "s3:GetObject", "s3:ListMultipartUploadParts", "s3:PutObject"]
        for sid, allowed, resources in (
            ("ReadList", ["s3:GetObject"], [f"arn:{_here(self).partition}:s3:::{bucket}/{key}"]),
            ("WriteResults", write, [self.bucket.arn_for_objects(f"{RESULTS}*")]),
            ("RunBatches", ["lambda:InvokeFunction"], functions),
        ):
            role.add_to_policy(iam.PolicyStatement(sid=sid, actions=allowed, resources=resources))
        if self.encryption_key is not None:
            for user in (role, self.report.role):
                self.encryption_key.grant(user, "kms:Decrypt", "kms:GenerateDataKey")
        return role

    def _make_state_machine(self, max_concurrency: int, timeout: cdk.Duration) -> sfn.StateMachine:
        states = definition(
            import_function=self.warm.function.function_arn,
            report_function=self.report.function.function_arn,
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

    def _may_start(self, id: str, service: str) -> iam.Role:
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
        """Nothing is imported before there is a rule that does it, and before the state machine may."""
        rules = rules_of(self)
        own = [rules[rule.repository_prefix] for rule in self.mapping.rules if rule.repository_prefix in rules]
        starting.node.add_dependency(self.map_policy, *own)

    def _make_start(self) -> OperationsFunction:
        start = OperationsFunction(
            self,
            "Start",
            handler="starting.handler",
            description="Starts the warmer of the pull through cache when its list is deployed",
            timeout=cdk.Duration.minutes(1),
        )
        start.allow("states:StartExecution", on=self.state_machine.state_machine_arn)
        return start

    def _start_when_deployed(self, start: OperationsFunction) -> cdk.CustomResource:
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

    def _start_when_written(self, role: iam.Role) -> events.CfnRule:
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
        if self.start is not None:
            # https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
            dropped = self.start.function.metric("AsyncEventsDropped", period=hour, statistic="Sum")
            told = "A deployment changed the list and its run could not be started; start the state machine"
            alarms.append(sum_alarm(self, "RunNotStarted", dropped, told))
        return tuple(alarms)


def definition(
    *,
    import_function: str,
    report_function: str,
    bucket: str,
    max_concurrency: int = 10,
    timeout_seconds: float = 43_200,
    partition: str = "aws",
) -> dict[str, Any]:
    """The state machine, in the Amazon States Language.

    https://states-language.net

    :param import_function: ARN of the function that imports a batch.
    :param report_function: ARN of the function that writes the report.
    :param bucket: name of the bucket for results and report.
    :param max_concurrency: how many batches at once.
    :param timeout_seconds: after which a run has failed.
    :param partition: ``aws``, or a token.
    """
    service = f"arn:{partition}:states:::"

    def invoke(function: str, **more: Any) -> dict[str, Any]:
        return {
            "Type": "Task",
            "Resource": f"{service}lambda:invoke",
            "OutputPath": "$.Payload",
            "Retry": [
                {
                    "ErrorEquals": ["States.ALL"],
                    "IntervalSeconds": 5,
                    "BackoffRate": 2,
                    "MaxDelaySeconds": 300,
                    "MaxAttempts": 6,
                    "JitterStrategy": "FULL",
                }
            ],
            **more,
            "Parameters": {"FunctionName": function, **more.get("Parameters", {})},
        }

    batch = {
        "Import": invoke(import_function, Parameters={"Payload.$": "$"}, Next="Finished"),
        "Finished": {
            "Type": "Choice",
            "Choices": [{"Variable": "$.pending[0]", "IsPresent": True, "Next": "Wait"}],
            "Default": "Done",
        },
        "Wait": {"Type": "Wait", "SecondsPath": "$.pause", "Next": "Import"},
        "Done": {"Type": "Succeed"},
    }
    report = {
        "results.$": "$.results",
        "list": {"bucket.$": "$.bucket", "key.$": "$.key"},
        "execution.$": "$$.Execution.Name",
        "stateMachine.$": "$$.StateMachine.Name",
        "report": {"Bucket": bucket, "Key.$": f"States.Format('{REPORTS}{{}}.json', $$.Execution.Name)"},
    }
    return {
        "Comment": "Imports images into the Amazon ECR pull through cache",
        "TimeoutSeconds": timeout_seconds,
        "StartAt": "Warm",
        "States": {
            "Warm": {
                "Type": "Map",
                "Label": "Batches",
                "ItemReader": {
                    "Resource": f"{service}s3:getObject",
                    "ReaderConfig": {"InputType": "CSV", "CSVHeaderLocation": "GIVEN", "CSVHeaders": ["image"]},
                    "Parameters": {"Bucket.$": "$.bucket", "Key.$": "$.key"},
                },
                "ItemBatcher": {"MaxItemsPerBatch": PER_BATCH},
                "MaxConcurrency": max_concurrency,
                # A batch that failed stops no other one; the report says what became of its images.
                "ToleratedFailurePercentage": 100,
                "ItemProcessor": {
                    "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
                    "StartAt": "Import",
                    "States": batch,
                },
                "ResultWriter": {
                    "Resource": f"{service}s3:putObject",
                    "Parameters": {"Bucket": bucket, "Prefix": RESULTS.rstrip("/")},
                },
                "ResultPath": "$.results",
                # A role that is new takes effect a little later; the batches have repetitions of their own.
                "Retry": [
                    {
                        "ErrorEquals": ["States.ItemReaderFailed"],
                        "IntervalSeconds": 20,
                        "BackoffRate": 2,
                        "MaxAttempts": 3,
                        "JitterStrategy": "FULL",
                    }
                ],
                "Next": "Report",
            },
            "Report": invoke(report_function, Parameters={"Payload": report}, End=True),
        },
    }


def _here(scope: Construct) -> CacheRegistry:
    return CacheRegistry.of(scope)


def _registry_of(scope: Construct, mapping: CacheMapping) -> CacheRegistry:
    host = EcrHost.parse(mapping.registry)
    # A host with tokens in it is that of the stack's own environment.
    return CacheRegistry(account=host.account, region=host.region) if host else _here(scope)


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
