"""ImageWarmer: the state machine, its functions, its list of images and its alarms."""

import json
import re

import aws_cdk as cdk
import pytest
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_scheduler as scheduler

from ecr_pull_through_cache import (
    CacheRegistry,
    CreationTemplateSettings,
    ImageWarmer,
    Pullers,
    PullThroughCache,
    Upstream,
    UserError,
)
from ecr_pull_through_cache_stacks.acknowledgements import acknowledge, acknowledge_warmer
from tests.support.templates import allowed, another, nag, only, resources, statements, template, warnings

PAUSE = "registry.k8s.io/pause:3.10"
DAILY = scheduler.ScheduleExpression.expression("rate(1 day)")
PREFIX = "arn:aws:ecr:eu-west-1:111122223333:repository/k8s/*"


def states(stack):
    """The state machine, with what CloudFormation fills in left as names."""
    parts = only(stack, "AWS::StepFunctions::StateMachine")["DefinitionString"]["Fn::Join"][1]
    return json.loads("".join(p if isinstance(p, str) else next(iter(p.values()))[0] for p in parts))


class TestImageWarmer:
    def warmer(self, stack, cache, **props):
        return ImageWarmer(stack, "Warmer", cache=cache, **props)

    def test_logical_ids_are_reviewed(self, stack, cache, reviewed_ids):
        self.warmer(stack, cache, images=[PAUSE], schedule=DAILY)
        reviewed_ids("constructs", "ImageWarmer", {k: v for k, v in template(stack).items() if k.startswith("Warmer")})

    def test_nobody_may_write_a_list_that_is_the_apps(self, stack, cache):
        warmer = self.warmer(stack, cache, images=[PAUSE])
        with pytest.raises(UserError, match="Stack/Warmer: the list is the app's"):
            warmer.grant_write_list(iam.Role(stack, "Writer", assumed_by=iam.AccountRootPrincipal()))

    def test_a_list_of_the_app_is_read_where_deployments_put_assets(self, stack, cache):
        self.warmer(stack, cache, images=[PAUSE], schedule=DAILY)
        started = only(stack, "Custom::EcrImageWarmer")["Input"]
        assert started["bucket"] == "cdk-hnb659fds-assets-111122223333-eu-west-1"
        assert re.fullmatch(r"[0-9a-f]{64}\.txt", started["key"])
        assert json.loads(only(stack, "AWS::Scheduler::Schedule")["Target"]["Input"]) == started
        assert allowed(stack, "WarmerRole")["s3:GetObject"]
        (read,) = (s for s in statements(stack, "WarmerRole") if s.get("Sid") == "ReadList")
        assert read["Resource"] == f"arn:aws:s3:::{started['bucket']}/{started['key']}"
        assert not resources(stack, "AWS::Events::Rule")

    def test_a_changed_list_is_imported_by_the_next_deployment_and_an_unchanged_one_is_not(self):
        def deployed(images):
            stack = another()
            cache = PullThroughCache(stack, "Cache", upstreams={"k8s": Upstream.KUBERNETES})
            self.warmer(stack, cache, images=images)
            return only(stack, "Custom::EcrImageWarmer")["Input"]

        other = "registry.k8s.io/pause:3.9"
        assert deployed([PAUSE, other]) == deployed([other, PAUSE]) != deployed([PAUSE])

    def test_a_run_starts_after_the_rules_and_what_the_machine_may_do(self, stack, cache):
        self.warmer(stack, cache, images=[PAUSE])
        (started,) = (r for r in template(stack).values() if r["Type"] == "Custom::EcrImageWarmer")
        assert {template(stack)[name]["Type"] for name in started["DependsOn"]} == {
            "AWS::ECR::PullThroughCacheRule", "AWS::ECR::PullTimeUpdateExclusion", "AWS::IAM::Policy",
        }  # fmt: skip

    def test_a_rate_that_begins_at_once_begins_after_them_too(self, stack, cache):
        self.warmer(stack, cache, schedule=DAILY)
        (schedule,) = (r for r in template(stack).values() if r["Type"] == "AWS::Scheduler::Schedule")
        assert {template(stack)[name]["Type"] for name in schedule["DependsOn"]} == {
            "AWS::ECR::PullThroughCacheRule", "AWS::ECR::PullTimeUpdateExclusion", "AWS::IAM::Policy",
        }  # fmt: skip
        assert any(name.startswith("WarmerMapPolicy") for name in schedule["DependsOn"])

    def test_a_list_in_the_bucket_is_imported_when_it_is_written(self, stack, cache):
        warmer = self.warmer(stack, cache)
        rule = only(stack, "AWS::Events::Rule")
        bucket = stack.resolve(warmer.bucket.bucket_name)
        assert rule["EventPattern"]["detail"] == {"bucket": {"name": [bucket]}, "object": {"key": ["images.txt"]}}
        assert only(stack, "AWS::S3::Bucket")["NotificationConfiguration"] == {
            "EventBridgeConfiguration": {"EventBridgeEnabled": True}
        }
        assert not resources(stack, "Custom::EcrImageWarmer")
        assert warmer.start_on_deployment is None

    def test_the_function_imports_below_the_prefixes_and_may_nothing_else(self, stack):
        settings = CreationTemplateSettings(resource_tags={"team": "x"})
        cache = PullThroughCache(stack, "Cache", upstreams={"k8s": Upstream.KUBERNETES}, settings=settings)
        self.warmer(stack, cache)
        may = allowed(stack, "WarmerWarmRole")
        log = may.pop("logs:CreateLogStream")
        assert may.pop("logs:PutLogEvents") == log != "*"
        assert may == {
            "ecr:GetAuthorizationToken": "*",
            "ecr:BatchCheckLayerAvailability": PREFIX,
            "ecr:BatchGetImage": PREFIX,
            "ecr:BatchImportUpstreamImage": PREFIX,
            "ecr:CreateRepository": PREFIX,
            "ecr:TagResource": PREFIX,
        }

    def test_only_the_machine_itself_starts_batches(self, stack, cache):
        self.warmer(stack, cache)
        may = allowed(stack, "WarmerMapPolicy")
        assert set(may) == {"states:StartExecution", "states:DescribeExecution", "states:StopExecution"}
        assert list(may["states:StartExecution"]) == ["Ref"]

    def test_batches_are_limited_repeated_with_jitter_and_stop_no_other_one(self, stack, cache):
        self.warmer(stack, cache, max_concurrency=7, timeout=cdk.Duration.hours(3))
        machine = states(stack)
        assert machine["TimeoutSeconds"] == 10_800
        step = machine["States"]["Warm"]
        assert (step["MaxConcurrency"], step["ItemBatcher"]) == (7, {"MaxItemsPerBatch": 20})
        assert step["ToleratedFailurePercentage"] == 100
        assert step["ItemProcessor"]["ProcessorConfig"] == {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}
        (retry,) = step["ItemProcessor"]["States"]["Import"]["Retry"]
        assert (retry["JitterStrategy"], retry["BackoffRate"], retry["MaxAttempts"]) == ("FULL", 2, 6)

    def test_the_rate_is_shared_by_the_batches(self, stack, cache):
        self.warmer(stack, cache, max_concurrency=8, requests_per_second=100, platforms=["linux/arm64"], referrers=True)
        (function,) = (f for n, f in resources(stack, "AWS::Lambda::Function").items() if n.startswith("WarmerWarm"))
        told = json.loads(function["Environment"]["Variables"]["WARMING"])
        assert (told["rate"], told["platforms"], told["referrers"]) == (13, ["linux/arm64"], True)

    def test_functions_are_of_the_newest_python(self, stack, cache):
        self.warmer(stack, cache, images=[PAUSE])
        functions = resources(stack, "AWS::Lambda::Function").values()
        assert {f["Runtime"] for f in functions} == {"python3.14"}
        assert len(functions) == 3
        assert len({f["Code"]["S3Key"] for f in functions}) == 1, "one code for all of them"

    def test_its_bucket_is_encrypted_closed_kept_and_tidied(self, stack, cache):
        key = kms.Key.from_key_arn(stack, "Key", "arn:aws:kms:eu-west-1:111122223333:key/1234abcd")
        self.warmer(stack, cache, encryption_key=key)
        (bucket,) = (r for r in template(stack).values() if r["Type"] == "AWS::S3::Bucket")
        assert bucket["DeletionPolicy"] == "Retain"
        made = bucket["Properties"]
        (rule,) = made["BucketEncryption"]["ServerSideEncryptionConfiguration"]
        assert rule["ServerSideEncryptionByDefault"]["SSEAlgorithm"] == "aws:kms"
        assert set(made["PublicAccessBlockConfiguration"].values()) == {True}
        assert made["VersioningConfiguration"] == {"Status": "Enabled"}
        expire = {r["Id"]: r.get("ExpirationInDays") for r in made["LifecycleConfiguration"]["Rules"]}
        assert expire == {"Expire-reports": 90, "Expire-results": 90, "Tidy": None}
        (deny,) = only(stack, "AWS::S3::BucketPolicy")["PolicyDocument"]["Statement"]
        assert (deny["Effect"], deny["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})
        for role in ("WarmerRole", "WarmerReportRole"):
            assert allowed(stack, role)["kms:GenerateDataKey"] == key.key_arn

    def test_a_bucket_of_ones_own_is_used_as_it_is(self, stack, cache):
        self.warmer(stack, cache, bucket=s3.Bucket.from_bucket_name(stack, "Own", "lists"))
        assert not resources(stack, "AWS::S3::Bucket")
        assert only(stack, "AWS::Events::Rule")["EventPattern"]["detail"]["bucket"] == {"name": ["lists"]}

    def test_the_key_of_a_bucket_of_ones_own_is_used_where_the_bucket_does_not_know_it(self, stack, cache):
        key = kms.Key.from_key_arn(stack, "Key", "arn:aws:kms:eu-west-1:111122223333:key/1234abcd")
        own = s3.Bucket.from_bucket_name(stack, "Own", "lists")
        warmer = self.warmer(stack, cache, bucket=own, encryption_key=key)
        writer = iam.Role(stack, "Writer", assumed_by=iam.ServicePrincipal("ec2.amazonaws.com"))
        reader = iam.Role(stack, "Reader", assumed_by=iam.ServicePrincipal("ec2.amazonaws.com"))
        warmer.grant_write_list(writer)
        warmer.grant_read_reports(reader)
        for role in ("WarmerRole", "WarmerReportRole", "WriterDefault", "ReaderDefault"):
            assert allowed(stack, role)["kms:Decrypt"] == key.key_arn
        assert "kms:GenerateDataKey" not in allowed(stack, "ReaderDefault")

    def test_a_topic_is_told_of_runs_and_images_that_fail(self, stack, cache, topic):
        self.warmer(stack, cache, alarm_topic=topic)
        alarms = resources(stack, "AWS::CloudWatch::Alarm").values()
        assert {a["MetricName"] for a in alarms} == {"ExecutionsFailed", "ExecutionsTimedOut", "ImagesFailed"}
        assert all(a["AlarmActions"] == [topic.topic_arn] for a in alarms)

    def test_a_topic_is_told_when_no_run_starts_after_a_deployment(self, stack, cache, topic):
        warmer = self.warmer(stack, cache, images=[PAUSE], alarm_topic=topic)
        (alarm,) = (
            a for a in resources(stack, "AWS::CloudWatch::Alarm").values() if a["MetricName"] == "AsyncEventsDropped"
        )
        assert alarm["AlarmActions"] == [topic.topic_arn]
        assert alarm["Dimensions"][0]["Value"] == stack.resolve(warmer.start_function.function.function_name)

    def test_others_start_it_write_its_list_and_read_its_reports(self, stack, cache):
        role = iam.Role(stack, "Role", assumed_by=iam.ServicePrincipal("ec2.amazonaws.com"))
        warmer = self.warmer(stack, cache)
        warmer.grant_start(role)
        warmer.grant_write_list(role)
        warmer.grant_read_reports(role)
        assert {"states:StartExecution", "s3:PutObject", "s3:GetObject*"} <= set(allowed(stack, "RoleDefaultPolicy"))

    def test_tokens_are_welcome(self, app):
        stack = cdk.Stack(app, "Agnostic")
        cache = PullThroughCache(stack, "Cache", upstreams={"k8s": Upstream.KUBERNETES})
        self.warmer(stack, cache, images=[PAUSE])
        assert "AWS::AccountId" in json.dumps(allowed(stack, "WarmerWarmRole")["ecr:BatchGetImage"])

    def test_a_cache_elsewhere_is_warmed_there(self, stack):
        there = CacheRegistry(account="444455556666", region="us-east-1")
        theirs = {"registry": there, "upstreams": {"quay": Upstream.QUAY}}
        with pytest.raises(
            UserError, match="the account 111122223333 is not let in by the registry 444455556666/us-east-1"
        ):
            self.warmer(stack, PullThroughCache.from_attributes(stack, "Closed", **theirs))
        open_to_us = Pullers(accounts=("111122223333",))
        self.warmer(stack, PullThroughCache.from_attributes(stack, "Open", pullers=open_to_us, **theirs))
        assert warnings(stack) == ["cdk-ecr-pull-through-cache:pullTimesOfWarmer"]
        where = allowed(stack, "WarmerWarmRole")["ecr:BatchGetImage"]
        assert where == "arn:aws:ecr:us-east-1:444455556666:repository/quay/*"

    @pytest.mark.parametrize(
        ("wrong", "said"),
        [
            (
                {"images": ["nginx"]},
                "'nginx' is not an image of an upstream that is cached here; cached are registry.k8s.io",
            ),
            ({"images": [f"registry.k8s.io/pause@sha256:{'0' * 64}"]}, "write NAME:TAG@DIGEST"),
            ({"images": ["Nginx"]}, "has an upper-case letter in its repository"),
            ({"platforms": ["arm64"]}, "'arm64' is not a platform; a platform is named like 'linux/arm64'"),
            ({"max_concurrency": 0}, "max_concurrency is 0; allowed are 1 to 1000"),
            ({"requests_per_second": -1}, "requests_per_second is -1; allowed are 0, for no limit, and more"),
        ],
    )
    def test_what_cannot_be_is_refused(self, stack, cache, wrong, said):
        with pytest.raises(UserError, match=f"^Stack/Warmer: .*{re.escape(said)}"):
            self.warmer(stack, cache, **wrong)

    def test_cdk_nag_finds_nothing(self, tmp_path):
        app = cdk.App(builtin_cloud_formation_validation=False, outdir=str(tmp_path / "out"))
        stack = cdk.Stack(app, "Stack", env=cdk.Environment(account="111122223333", region="eu-west-1"))
        cache = PullThroughCache(stack, "Cache", upstreams={"k8s": Upstream.KUBERNETES})
        acknowledge_warmer(self.warmer(stack, cache, images=[PAUSE], schedule=DAILY))
        acknowledge(stack, repositories=["*", PREFIX])
        assert nag(app, tmp_path) == []

    def test_its_requests_are_no_pulls(self, stack, cache):
        warmer = self.warmer(stack, cache)
        (role,) = (name for name in template(stack) if name.startswith("WarmerWarmRole") and "Policy" not in name)
        assert only(stack, "AWS::ECR::PullTimeUpdateExclusion") == {"PrincipalArn": {"Fn::GetAtt": [role, "Arn"]}}
        assert warmer.pull_time_exclusion is not None

    def test_its_requests_are_pulls_where_one_says_so(self, stack, cache):
        assert self.warmer(stack, cache, record_pull_times=True).pull_time_exclusion is None
        assert not resources(stack, "AWS::ECR::PullTimeUpdateExclusion")

    def test_step_functions_may_act_for_this_account_alone(self, stack, cache):
        self.warmer(stack, cache)
        (role,) = (r for n, r in resources(stack, "AWS::IAM::Role").items() if n.startswith("WarmerRole"))
        (trust,) = role["AssumeRolePolicyDocument"]["Statement"]
        assert trust["Condition"] == {"StringEquals": {"aws:SourceAccount": "111122223333"}}

    def test_its_bucket_may_go_with_the_stack(self, stack, cache):
        self.warmer(stack, cache, removal_policy=cdk.RemovalPolicy.DESTROY)
        (bucket,) = (r for r in template(stack).values() if r["Type"] == "AWS::S3::Bucket")
        assert bucket["DeletionPolicy"] == "Delete"

    def test_it_is_granted_what_the_state_machine_needs(self, stack, cache):
        warmer = self.warmer(stack, cache)
        s3.Bucket(stack, "Lists").grant_read(warmer)
        assert any("Lists" in json.dumps(s["Resource"]) for s in statements(stack, "WarmerRole"))
        assert warmer.state_machine_arn == warmer.state_machine.state_machine_arn

    def test_metrics_take_the_options_of_every_metric(self, stack, cache):
        metric = self.warmer(stack, cache).metric_failed_images(label="failed", statistic="Maximum")
        assert (metric.metric_name, metric.label, metric.statistic) == ("ImagesFailed", "failed", "Maximum")
