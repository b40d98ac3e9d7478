"""CacheDashboard: widgets, metrics, alarms and the function that measures."""

import json

import pytest

from ecr_pull_through_cache import CacheDashboard, ImageWarmer, UserError
from tests.support.templates import allowed, only, resources, template

PREFIX = "arn:aws:ecr:eu-west-1:111122223333:repository/k8s/*"


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

    def test_logical_ids_are_reviewed(self, stack, reviewed_ids):
        self.dashboard(stack)
        reviewed_ids(
            "constructs", "CacheDashboard", {k: v for k, v in template(stack).items() if k.startswith("Dashboard")}
        )

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
