"""ImageWarmer, RepositoryBackfill, CacheRemoval and CacheDashboard: what runs in the registry's account."""

import json
import re
import subprocess
import sys
from pathlib import Path

import aws_cdk as cdk
import pytest
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_sns as sns
from aws_cdk.assertions import Template
from cdk_nag import AwsSolutionsChecks

from ecr_pull_through_cache import (
    CacheDashboard,
    CachedUpstream,
    CacheMapping,
    CacheRemoval,
    CreationTemplateSettings,
    ImageWarmer,
    LifecyclePolicy,
    PullThroughCache,
    RepositoryBackfill,
    RepositoryCreationTemplate,
    Upstream,
    UserError,
)
from ecr_pull_through_cache.day_two._lambda_asset import PARTS, stage
from stacks.acknowledgements import acknowledge, acknowledge_day_two, acknowledge_warmer
from tests.constructs.support import only, resources

ROOT = Path(__file__).parents[2]
PAUSE = "registry.k8s.io/pause:3.10"
DAILY = scheduler.ScheduleExpression.expression("rate(1 day)")
PREFIX = "arn:aws:ecr:eu-west-1:111122223333:repository/k8s/*"
REGISTRY = "arn:aws:ecr:eu-west-1:111122223333:repository/*"


@pytest.fixture
def cache(stack):
    return PullThroughCache(stack, "Cache", upstreams={"k8s": Upstream.KUBERNETES})


@pytest.fixture
def topic(stack):
    return sns.Topic.from_topic_arn(stack, "Topic", "arn:aws:sns:eu-west-1:111122223333:alarms")


def another():
    """A stack of another app."""
    env = cdk.Environment(account="111122223333", region="eu-west-1")
    return cdk.Stack(cdk.App(builtin_cloud_formation_validation=False), "Stack", env=env)


def template(stack):
    return Template.from_stack(stack).to_json()["Resources"]


def statements(stack, logical_id):
    """Statements of the policies of a role, by the beginning of their logical id."""
    return [
        statement
        for name, policy in resources(stack, "AWS::IAM::Policy").items()
        if name.startswith(logical_id)
        for statement in policy["PolicyDocument"]["Statement"]
    ]


def allowed(stack, logical_id):
    """What a role may do: actions and where."""
    found = {}
    for statement in statements(stack, logical_id):
        assert statement["Effect"] == "Allow"
        actions = statement["Action"]
        for action in [actions] if isinstance(actions, str) else actions:
            found[action] = statement["Resource"]
    return found


def states(stack):
    """The state machine, with what CloudFormation fills in left as names."""
    parts = only(stack, "AWS::StepFunctions::StateMachine")["DefinitionString"]["Fn::Join"][1]
    return json.loads("".join(p if isinstance(p, str) else next(iter(p.values()))[0] for p in parts))


def nag(app, tmp_path):
    cdk.Validations.of(app).add_plugins(AwsSolutionsChecks())
    app.synth()
    report = json.loads((next(tmp_path.glob("**/validation-report.json"))).read_text())
    assert len(report["pluginReports"]) == 1, "the rules were really applied"
    return report["pluginReports"][0]["violations"]


class TestImageWarmer:
    def warmer(self, stack, cache, **props):
        return ImageWarmer(stack, "Warmer", mapping=cache.mapping(), **props)

    def test_logical_ids_are_a_contract(self, stack, cache):
        self.warmer(stack, cache, images=[PAUSE], schedule=DAILY)
        assert sorted(name for name in template(stack) if name.startswith("Warmer")) == IDS_OF_WARMER

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
            "AWS::ECR::PullThroughCacheRule", "AWS::IAM::Policy",
        }  # fmt: skip

    def test_a_rate_that_begins_at_once_begins_after_them_too(self, stack, cache):
        self.warmer(stack, cache, schedule=DAILY)
        (schedule,) = (r for r in template(stack).values() if r["Type"] == "AWS::Scheduler::Schedule")
        assert {template(stack)[name]["Type"] for name in schedule["DependsOn"]} == {
            "AWS::ECR::PullThroughCacheRule", "AWS::IAM::Policy",
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
        assert warmer.deployed is None

    def test_the_function_imports_below_the_prefixes_and_may_nothing_else(self, stack, cache):
        self.warmer(stack, cache, tag_on_create=True)
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
        assert alarm["Dimensions"][0]["Value"] == stack.resolve(warmer.start.function.function_name)

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
        rule = CachedUpstream(upstream=Upstream.QUAY, repository_prefix="quay")
        ImageWarmer(stack, "Warmer", mapping=CacheMapping.of("444455556666.dkr.ecr.us-east-1.amazonaws.com", [rule]))
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
            ({"requests_per_second": -1}, "requests_per_second is -1; allowed are 0, for none, and more"),
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


class TestRepositoryBackfill:
    def backfill(self, stack, cache, **props):
        return RepositoryBackfill(stack, "Backfill", templates=list(cache.templates.values()), **props)

    def test_logical_ids_are_a_contract(self, stack, cache):
        self.backfill(stack, cache)
        assert sorted(name for name in template(stack) if name.startswith("Backfill")) == IDS_OF_BACKFILL

    def test_it_runs_after_the_templates_and_again_when_they_change(self):
        def deployed(**settings):
            stack = another()
            it = RepositoryCreationTemplate(stack, "T", prefix="k8s", settings=CreationTemplateSettings(**settings))
            RepositoryBackfill(stack, "Backfill", templates=[it])
            (resource,) = (r for r in template(stack).values() if r["Type"] == "Custom::EcrRepositoryBackfill")
            assert [name for name in resource["DependsOn"] if name.startswith("T")]
            return resource["Properties"]["Templates"]

        settings = ({}, {"resource_tags": {"a": "b"}}, {"lifecycle": LifecyclePolicy.expire_unpulled(days=9)})
        assert len({deployed(**given) for given in settings}) == 3
        assert deployed() == deployed()

    def test_what_is_changed_behind_the_construct_counts_too(self):
        def deployed(mutability):
            stack = another()
            it = RepositoryCreationTemplate(stack, "T", prefix="k8s")
            RepositoryBackfill(stack, "Backfill", templates=[it])
            it.resource.image_tag_mutability = mutability
            return only(stack, "Custom::EcrRepositoryBackfill")["Templates"]

        assert deployed("MUTABLE") != deployed("IMMUTABLE")

    def test_no_deployment_waits_for_it(self, stack, cache):
        self.backfill(stack, cache)
        assert only(stack, "Custom::EcrRepositoryBackfill")["ServiceTimeout"] == "300"

    def test_it_changes_settings_below_the_prefixes_and_may_nothing_else(self, stack, cache):
        self.backfill(stack, cache)
        may = allowed(stack, "BackfillFunctionRole")
        changes = {action for action, where in may.items() if where == PREFIX}
        assert changes == {
            "ecr:GetLifecyclePolicy", "ecr:GetRepositoryPolicy", "ecr:ListTagsForResource", "ecr:PutImageTagMutability",
            "ecr:PutLifecyclePolicy", "ecr:SetRepositoryPolicy", "ecr:TagResource",
        }  # fmt: skip
        assert may["ecr:DescribeRepositories"] == REGISTRY
        assert {action for action, where in may.items() if where == "*"} == {"ecr:DescribeRepositoryCreationTemplates"}
        assert not [action for action in may if "Delete" in action]

    def test_settings_of_others_are_replaced_where_one_says_so(self, stack, cache):
        self.backfill(stack, cache, replace=["resourceTags", "lifecyclePolicy"])
        variables = only(stack, "AWS::Lambda::Function")["Environment"]["Variables"]
        assert json.loads(variables["REPLACE"]) == ["lifecyclePolicy", "resourceTags"]

    def test_what_cannot_be_is_refused(self, stack, cache):
        with pytest.raises(UserError, match="Stack/Backfill: 'policy' cannot be replaced; allowed are lifecyclePolicy"):
            self.backfill(stack, cache, replace=["policy"])
        with pytest.raises(UserError, match="Stack/Backfill: no templates are given"):
            RepositoryBackfill(stack, "Backfill", templates=[])

    def test_a_topic_is_told(self, stack, cache, topic):
        self.backfill(stack, cache, alarm_topic=topic)
        alarms = resources(stack, "AWS::CloudWatch::Alarm").values()
        assert {a["MetricName"] for a in alarms} == {"SettingsFailed", "AsyncEventsDropped"}
        assert all(a["AlarmActions"] == [topic.topic_arn] for a in alarms)


class TestCacheRemoval:
    def removal(self, stack, cache, **props):
        rules, templates = list(cache.rules.values()), list(cache.templates.values())
        return CacheRemoval(stack, "Removal", **{"rules": rules, "templates": templates, **props})

    def test_logical_ids_are_a_contract(self, stack, cache):
        self.removal(stack, cache)
        assert sorted(name for name in template(stack) if name.startswith("Removal")) == IDS_OF_REMOVAL

    def test_it_goes_before_the_rules_and_templates_do(self, stack, cache):
        self.removal(stack, cache)
        (resource,) = (r for r in template(stack).values() if r["Type"] == "Custom::EcrCacheRemoval")
        kinds = {template(stack)[name]["Type"] for name in resource["DependsOn"]}
        assert kinds == {"AWS::ECR::PullThroughCacheRule", "AWS::ECR::RepositoryCreationTemplate"}
        assert resource["Properties"]["ServiceTimeout"] == "3600"

    def test_it_deletes_below_the_prefixes_alone(self, stack, cache):
        key = kms.Key.from_key_arn(stack, "Key", "arn:aws:kms:eu-west-1:111122223333:key/1234abcd")
        self.removal(stack, cache, encryption_keys=[key])
        may = allowed(stack, "RemovalRemoveRole")
        assert may["ecr:DeleteRepository"] == PREFIX
        assert may["kms:RetireGrant"] == key.key_arn
        assert may["cloudformation:DescribeStacks"] == {"Ref": "AWS::StackId"}
        assert "ecr:DeletePullThroughCacheRule" not in may

    def test_a_rule_without_a_prefix_cannot_be_told_from_the_rest(self, stack):
        cache = PullThroughCache(stack, "Cache", upstreams={"ROOT": Upstream.KUBERNETES})
        with pytest.raises(UserError, match="Stack/Removal: a rule without a prefix shares the registry"):
            self.removal(stack, cache)

    def test_nothing_to_remove_is_refused(self, stack):
        with pytest.raises(UserError, match="Stack/Removal: no rules are given"):
            CacheRemoval(stack, "Removal", rules=[])


class TestCacheDashboard:
    def dashboard(self, stack, **props):
        return CacheDashboard(stack, "Dashboard", **{"repository_prefixes": ["quay", "k8s"], **props})

    def test_a_registry_has_one(self, stack):
        self.dashboard(stack)
        with pytest.raises(UserError, match="a registry has only one cache dashboard, and Stack/Dashboard is it"):
            CacheDashboard(stack, "Another", repository_prefixes=["hub"])

    def body(self, stack):
        parts = only(stack, "AWS::CloudWatch::Dashboard")["DashboardBody"]["Fn::Join"][1]
        return json.loads("".join(p if isinstance(p, str) else "X" for p in parts))["widgets"]

    def test_logical_ids_are_a_contract(self, stack):
        self.dashboard(stack)
        assert sorted(name for name in template(stack) if name.startswith("Dashboard")) == IDS_OF_DASHBOARD

    def test_it_shows_pulls_imports_failures_storage_and_quotas(self, stack, cache):
        warmer = ImageWarmer(stack, "Warmer", mapping=cache.mapping())
        self.dashboard(stack, warmer=warmer)
        assert [widget["properties"]["title"] for widget in self.body(stack)] == [
            "Alarms", "Pulls per hour", "Imports from upstreams per hour", "Imports that failed, by reason",
            "Bytes stored", "Images", "Repositories", "Quotas used, in per cent", "Calls of ECR's API in five minutes",
            "Images warmed", "Runs of the warmer",
        ]  # fmt: skip
        (pulls,) = (w for w in self.body(stack) if w["properties"]["title"] == "Pulls per hour")
        assert [m[0]["label"] for m in pulls["properties"]["metrics"]] == ["k8s", "quay"]
        # A name in quotes would be that of one repository, and none is called as its prefix is.
        assert pulls["properties"]["metrics"][0][0]["expression"] == (
            "SUM(SEARCH('{AWS/ECR,RepositoryName} MetricName=\"RepositoryPullCount\" RepositoryName=k8s', 'Sum', 3600))"
        )

    def test_every_import_that_ecr_tells_of_is_written_down(self, stack):
        self.dashboard(stack)
        rule = only(stack, "AWS::Events::Rule")
        assert rule["EventPattern"] == {"source": ["aws.ecr"], "detail-type": ["ECR Pull Through Cache Action"]}
        names = [group.get("LogGroupName", "") for group in resources(stack, "AWS::Logs::LogGroup").values()]
        assert [name for name in names if name.startswith("/aws/events/")]
        text = json.dumps(only(stack, "AWS::Logs::ResourcePolicy")["PolicyDocument"])
        assert "events.amazonaws.com" in text
        assert "logs:PutLogEvents" in text

    def test_its_function_reads_and_may_nothing_else(self, stack):
        self.dashboard(stack, repository_prefixes=["k8s"])
        may = allowed(stack, "DashboardMeasureRole")
        assert {a for a in may if not a.startswith("logs:")} == {
            "ecr:DescribeImages", "ecr:DescribePullThroughCacheRules", "ecr:DescribeRepositories",
            "servicequotas:ListServiceQuotas",
        }  # fmt: skip
        assert may["ecr:DescribeImages"] == PREFIX

    def test_a_topic_is_told_at_thresholds_of_ones_own(self, stack, topic):
        self.dashboard(stack, failed_imports_threshold=3, quota_threshold_percent=50, alarm_topic=topic)
        alarms = resources(stack, "AWS::CloudWatch::Alarm").values()
        assert {a["MetricName"]: a["Threshold"] for a in alarms} == {
            "ImportsFailed": 3, "RepositoryQuotaUsed": 50, "ImageQuotaUsed": 50, "RuleQuotaUsed": 50,
        }  # fmt: skip
        assert all(a["AlarmActions"] == [topic.topic_arn] for a in alarms)

    def test_no_prefixes_are_refused(self, stack):
        with pytest.raises(UserError, match="Stack/Dashboard: no repository prefixes are given"):
            self.dashboard(stack, repository_prefixes=[])


def test_cdk_nag_finds_nothing_in_the_others(tmp_path):
    app = cdk.App(builtin_cloud_formation_validation=False, outdir=str(tmp_path / "out"))
    stack = cdk.Stack(app, "Stack", env=cdk.Environment(account="111122223333", region="eu-west-1"))
    cache = PullThroughCache(stack, "Cache", upstreams={"k8s": Upstream.KUBERNETES})
    templates = list(cache.templates.values())
    RepositoryBackfill(stack, "Backfill", templates=templates)
    CacheRemoval(stack, "Removal", rules=list(cache.rules.values()), templates=templates)
    CacheDashboard(stack, "Dashboard", repository_prefixes=["k8s"])
    acknowledge(stack, repositories=[PREFIX])
    acknowledge_day_two(stack)
    assert nag(app, tmp_path) == []


@pytest.mark.parametrize("images", [(), (PAUSE,)])
def test_every_part_can_be_reached_as_an_attribute(stack, cache, images):
    templates = list(cache.templates.values())
    warmer = ImageWarmer(stack, "Warmer", mapping=cache.mapping(), schedule=DAILY, images=images)
    made = (
        warmer,
        RepositoryBackfill(stack, "Backfill", templates=templates),
        CacheRemoval(stack, "Removal", rules=list(cache.rules.values()), templates=templates),
        CacheDashboard(stack, "Dashboard", repository_prefixes=["k8s"], warmer=warmer),
    )
    for construct in made:
        values = [v if isinstance(v, tuple) else (v,) for k, v in vars(construct).items() if not k.startswith("_")]
        paths = {v.node.path for value in values for v in value if hasattr(v, "node")}
        assert {child.node.path for child in construct.node.children} <= paths


def test_tokens_are_welcome_everywhere(app):
    stack = cdk.Stack(app, "Agnostic")
    cache = PullThroughCache(stack, "Cache", upstreams={"k8s": Upstream.KUBERNETES})
    templates = list(cache.templates.values())
    warmer = ImageWarmer(stack, "Warmer", mapping=cache.mapping(), schedule=DAILY)
    RepositoryBackfill(stack, "Backfill", templates=templates)
    CacheRemoval(stack, "Removal", rules=list(cache.rules.values()), templates=templates)
    CacheDashboard(stack, "Dashboard", repository_prefixes=["k8s"], warmer=warmer)
    for role, action in (
        ("WarmerWarmRole", "ecr:BatchImportUpstreamImage"),
        ("BackfillFunctionRole", "ecr:SetRepositoryPolicy"),
        ("RemovalRemoveRole", "ecr:DeleteRepository"),
        ("DashboardMeasureRole", "ecr:DescribeImages"),
    ):
        where = json.dumps(allowed(stack, role)[action])
        assert "AWS::AccountId" in where
        assert ":repository/k8s/*" in where


class TestAsset:
    def test_it_holds_what_runs_in_lambda_and_nothing_else(self, tmp_path):
        stage(tmp_path)
        files = sorted(
            str(p.relative_to(tmp_path / "ecr_pull_through_cache")) for p in tmp_path.rglob("*") if p.is_file()
        )
        assert {name.split("/")[0] for name in files} == set(PARTS)
        assert all(name.endswith(".py") for name in files)
        assert {"functions/warming.py", "operations/warming.py", "images/mapping.py"} < set(files)

    def test_it_is_the_same_whatever_the_umask(self, tmp_path):
        code = "import os, sys, pathlib; os.umask(0o077); from ecr_pull_through_cache.day_two._lambda_asset import stage; stage(pathlib.Path(sys.argv[1]))"
        subprocess.run([sys.executable, "-c", code, tmp_path], check=True)
        below = list(tmp_path.rglob("*"))
        assert {oct(p.stat().st_mode & 0o777) for p in below if p.is_file()} == {"0o644"}
        assert {oct(p.stat().st_mode & 0o777) for p in below if p.is_dir()} == {"0o755"}

    def test_who_makes_no_function_does_not_load_what_functions_need(self):
        code = (
            "import sys, aws_cdk as cdk; from app import build\n"
            "build(cdk.App(builtin_cloud_formation_validation=False), 'environments/minimal.yaml')\n"
            "print([m for m in ('aws_lambda', 'aws_s3', 'aws_stepfunctions', 'aws_scheduler') if f'aws_cdk.{m}' in sys.modules])"
        )
        done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=ROOT)
        assert done.stdout.strip() == "[]"


IDS_OF_WARMER = [
    "Warmer4C449946",
    "WarmerBucket513323E5",
    "WarmerBucketPolicy82B18099",
    "WarmerDeployed63D09F7F",
    "WarmerImagesFailed2A182EDC",
    "WarmerLogGroup25B27B1E",
    "WarmerMapPolicy885BE006",
    "WarmerReport274141FB",
    "WarmerReportLogGroupDD8A61BA",
    "WarmerReportRole4CC0A80E",
    "WarmerReportRoleDefaultPolicy4C2D1A70",
    "WarmerRole1C62A1F2",
    "WarmerRoleDefaultPolicyA7A605C9",
    "WarmerRunNotStarted03F681C0",
    "WarmerRunsFailedB490E995",
    "WarmerRunsTimedOut10F170BB",
    "WarmerScheduleD6F3C310",
    "WarmerScheduleRole0F86693E",
    "WarmerScheduleRoleDefaultPolicy43E303DF",
    "WarmerStart5812D1D1",
    "WarmerStartLogGroupDAFB8ED9",
    "WarmerStartRoleC9A6DEEA",
    "WarmerStartRoleDefaultPolicy0BC94748",
    "WarmerWarmEEF7295D",
    "WarmerWarmLogGroupE86046DC",
    "WarmerWarmRoleCA7AE15D",
    "WarmerWarmRoleDefaultPolicyF1494C5B",
]
IDS_OF_BACKFILL = [
    "Backfill58F8EA17",
    "BackfillFunctionCB2FE129",
    "BackfillFunctionLogGroupC15509A9",
    "BackfillFunctionRoleCF0AC884",
    "BackfillFunctionRoleDefaultPolicy6AD9DA7E",
    "BackfillNotFinishedBDB1EEA6",
    "BackfillSettingsFailed7E9D5FE2",
]
IDS_OF_REMOVAL = [
    "Removal1BFB0048",
    "RemovalRemove6EDA9F00",
    "RemovalRemoveLogGroupDE449490",
    "RemovalRemoveRole22C338D2",
    "RemovalRemoveRoleDefaultPolicyE1BA1F79",
]
IDS_OF_DASHBOARD = [
    "Dashboard7A06DACF",
    "DashboardImageQuotaUsedAlarmAA428406",
    "DashboardImports28F3DE15",
    "DashboardImportsDone3CC52A83",
    "DashboardImportsFailedAlarmABB2EFE2",
    "DashboardImportsFailedFFECDF1C",
    "DashboardImportsPolicyResourcePolicyC41146B1",
    "DashboardMeasure1A86B44E",
    "DashboardMeasureLogGroupDBFD6A2B",
    "DashboardMeasureRole67DCF879",
    "DashboardMeasureRoleDefaultPolicy80D5F292",
    "DashboardRepositoryQuotaUsedAlarm19285C87",
    "DashboardRule894E9C1A",
    "DashboardRuleQuotaUsedAlarm620C3845",
    "DashboardScheduleD383D4A7",
    "DashboardScheduleRole8CFFBBA3",
    "DashboardScheduleRoleDefaultPolicy828EE2F4",
]
