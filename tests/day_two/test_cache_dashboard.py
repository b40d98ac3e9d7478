"""CacheDashboard: widgets, metrics, alarms and the function that measures."""

import json

import aws_cdk as cdk
import pytest

from ecr_pull_through_cache import CacheDashboard, CacheRegistry, ImageWarmer, PullThroughCache, Upstream, UserError
from tests.support.templates import allowed, only, resources, template

PREFIX = "arn:aws:ecr:eu-west-1:111122223333:repository/k8s/*"


class TestCacheDashboard:
    def dashboard(self, stack, *, prefixes=("quay", "k8s"), **props):
        upstreams = dict.fromkeys(prefixes, Upstream.QUAY)
        shown = PullThroughCache.from_attributes(stack, "Shown", upstreams=upstreams)
        return CacheDashboard(stack, "Dashboard", cache=shown, **props)

    def test_a_registry_has_one(self, stack, cache):
        self.dashboard(stack)
        with pytest.raises(UserError, match="a registry has only one cache dashboard, and Stack/Dashboard is it"):
            CacheDashboard(stack, "Another", cache=cache)

    def body(self, stack):
        parts = only(stack, "AWS::CloudWatch::Dashboard")["DashboardBody"]["Fn::Join"][1]
        return json.loads("".join(p if isinstance(p, str) else "X" for p in parts))["widgets"]

    def test_logical_ids_are_reviewed(self, stack, reviewed_ids):
        self.dashboard(stack)
        reviewed_ids(
            "constructs", "CacheDashboard", {k: v for k, v in template(stack).items() if k.startswith("Dashboard")}
        )

    def test_it_shows_pulls_imports_failures_storage_and_quotas(self, stack, cache):
        warmer = ImageWarmer(stack, "Warmer", cache=cache)
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
        self.dashboard(stack, prefixes=["k8s"])
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

    def test_a_cache_of_another_registry_is_refused(self, stack):
        registry = CacheRegistry(account="111122223333", region="us-east-1")
        there = PullThroughCache.from_attributes(stack, "There", registry=registry, upstreams={"quay": Upstream.QUAY})
        with pytest.raises(UserError, match="Stack/Dashboard: the cache is of another registry"):
            CacheDashboard(stack, "Dashboard", cache=there)

    def test_its_names_are_passed_through(self, stack):
        it = self.dashboard(stack, dashboard_name="images")
        assert stack.resolve(it.dashboard_arn)["Fn::Join"][1][-1] == ":dashboard/images" or "images" in it.dashboard_arn
        assert it.resource.dashboard_name == "images"

    def test_metrics_take_the_options_of_every_metric(self, stack):
        it = self.dashboard(stack)
        metric = it.metric_failed_imports(label="failed", period=cdk.Duration.minutes(5))
        assert (metric.metric_name, metric.label, metric.period.to_minutes()) == ("ImportsFailed", "failed", 5)
        stored = it.metric("StoredBytes", prefix="k8s", dimensions_map={"Kind": "x"})
        assert stored.dimensions == {"Prefix": "k8s", "Kind": "x"}
