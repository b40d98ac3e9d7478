"""What runs when a stack is deployed and deleted: backfill, removal and the warmer's start, in Lambda's bare Python."""

import json
from datetime import UTC, datetime, timedelta

import pytest

ACCOUNT, REGION = "123456789012", "eu-west-1"
PLACE = (ACCOUNT, REGION)
NOW = datetime.now(UTC).timestamp()
BEFORE = (datetime.now(UTC) - timedelta(days=1)).timestamp()
pytestmark = pytest.mark.slow  # each invocation is a process of its own, and there are some thirty
HANDLER = "ecr_pull_through_cache.functions.{}.handler"
POLICY = {
    "Version": "2012-10-17",
    "Statement": [{"Sid": "Pull", "Effect": "Allow", "Principal": "*", "Action": ["ecr:BatchGetImage"]}],
}


@pytest.fixture
def ecr(loopback):
    client = loopback.client("ecr", REGION)
    for name in ("k8s/pause", "k8s/coredns", "quay/app", "apps/web"):
        client.create_repository(repositoryName=name)
    loopback.template(PLACE, "k8s", repositoryPolicy=json.dumps(POLICY))
    loopback.template(PLACE, "quay", repositoryPolicy=json.dumps(POLICY))
    loopback.rule(PLACE, "k8s", "registry.k8s.io", created=BEFORE)
    loopback.calls.clear()
    return client


def names(ecr):
    return {r["repositoryName"] for r in ecr.describe_repositories()["repositories"]}


class TestBackfill:
    PREFIXES = '["k8s"]'

    def run(self, deployed, event, **options):
        return deployed.invoke_all(HANDLER.format("backfilling"), event, PREFIXES=self.PREFIXES, **options)

    def test_what_was_there_before_its_template_gets_its_settings(self, deployed, ecr, cloudformation):
        done = self.run(deployed, cloudformation.request("Create", Templates="1"))
        assert done["result"] == {"SettingsChanged": 2, "SettingsLeft": 0, "SettingsFailed": 0}
        for name in ("k8s/pause", "k8s/coredns"):
            assert json.loads(ecr.get_repository_policy(repositoryName=name)["policyText"]) == POLICY
        for name in ("quay/app", "apps/web"):
            with pytest.raises(ecr.exceptions.RepositoryPolicyNotFoundException):
                ecr.get_repository_policy(repositoryName=name)
        assert cloudformation.statuses == ["SUCCESS"]

    def test_it_counts_in_metrics(self, deployed, ecr, cloudformation):
        *_, line = self.run(deployed, cloudformation.request("Create"))["printed"]
        metric = json.loads(line)
        assert metric["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "EcrPullThroughCache"
        assert (metric["SettingsChanged"], metric["Function"]) == (2, "function")

    def test_twice_is_as_once(self, deployed, ecr, cloudformation):
        self.run(deployed, cloudformation.request("Create"))
        again = self.run(deployed, cloudformation.request("Update"))
        assert again["result"] == {"SettingsChanged": 0, "SettingsLeft": 0, "SettingsFailed": 0}

    def test_one_that_cannot_be_changed_holds_up_neither_the_others_nor_the_deployment(
        self, deployed, loopback, ecr, cloudformation
    ):
        loopback.fault = lambda call: (
            "AccessDeniedException"
            if call.operation == "SetRepositoryPolicy" and call.arguments["repositoryName"] == "k8s/pause"
            else None
        )
        done = self.run(deployed, cloudformation.request("Update"))
        assert done["result"] == {"SettingsChanged": 1, "SettingsLeft": 0, "SettingsFailed": 1}
        assert any(
            "k8s/pause: repository policy: ecr:SetRepositoryPolicy is not allowed" in line for line in done["printed"]
        )
        assert cloudformation.statuses == ["SUCCESS"]

    def test_the_deployment_has_its_answer_before_the_work_begins(self, deployed, loopback, ecr, cloudformation):
        seen = []
        loopback.fault = lambda call: seen.append(len(cloudformation.answers))
        self.run(deployed, cloudformation.request("Create"))
        assert seen
        assert set(seen) == {1}

    def test_when_time_is_over_lambda_is_told_to_come_again(self, deployed, ecr, cloudformation):
        with pytest.raises(RuntimeError, match="Unfinished: the time limit is reached"):
            self.run(deployed, cloudformation.request("Create"), seconds=30)
        assert cloudformation.statuses == ["SUCCESS"]
        assert self.run(deployed, cloudformation.request("Create"))["result"]["SettingsChanged"] == 2

    def test_an_answer_that_is_not_taken_is_given_again(self, deployed, ecr, cloudformation):
        cloudformation.busy = 1
        self.run(deployed, cloudformation.request("Create"))
        assert (cloudformation.busy, cloudformation.statuses) == (0, ["SUCCESS"])

    def test_deleting_it_does_nothing(self, deployed, loopback, ecr, cloudformation):
        assert self.run(deployed, cloudformation.request("Delete"))["result"] == {}
        assert cloudformation.statuses == ["SUCCESS"]
        assert loopback.calls == []


class TestRemoval:
    def run(self, deployed, event, **options):
        return deployed.invoke(HANDLER.format("removing"), event, PREFIXES='["k8s", "quay"]', **options)

    @pytest.fixture
    def stack(self, loopback, cloudformation):
        def is_in(status):
            loopback.describe_stacks = lambda call: (
                '<DescribeStacksResponse xmlns="http://cloudformation.amazonaws.com/doc/2010-05-15/"><DescribeStacksResult><Stacks>'
                f"<member><StackName>registry</StackName><StackId>{call.arguments['StackName']}</StackId>"
                f"<CreationTime>2026-01-01T00:00:00Z</CreationTime><StackStatus>{status}</StackStatus></member>"
                "</Stacks></DescribeStacksResult></DescribeStacksResponse>"
            )

        yield is_in
        del loopback.describe_stacks

    def test_when_the_stack_goes_so_does_what_its_rules_cached_and_nothing_else(
        self, deployed, loopback, ecr, cloudformation, stack
    ):
        stack("DELETE_IN_PROGRESS")
        assert self.run(deployed, cloudformation.request("Delete")) == {"deleted": 2, "left": 0}
        assert "cloudformation:DescribeStacks" in loopback.actions()
        assert names(ecr) == {"quay/app", "apps/web"}, "quay has no rule, so nobody knows what it made"
        assert cloudformation.statuses == ["SUCCESS"]

    @pytest.mark.parametrize(
        "status", ["UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "UPDATE_ROLLBACK_IN_PROGRESS", "ROLLBACK_IN_PROGRESS"]
    )
    def test_while_the_stack_stays_so_does_the_cache(self, deployed, ecr, cloudformation, stack, status):
        stack(status)
        assert self.run(deployed, cloudformation.request("Delete")) == {"deleted": 0, "left": 0}
        assert len(names(ecr)) == 4
        assert cloudformation.statuses == ["SUCCESS"]

    @pytest.mark.parametrize("kind", ["Create", "Update"])
    def test_deployments_remove_nothing(self, deployed, loopback, ecr, cloudformation, kind):
        self.run(deployed, cloudformation.request(kind))
        assert loopback.calls == []
        assert cloudformation.statuses == ["SUCCESS"]

    def test_what_is_older_than_the_rule_stays(self, deployed, loopback, ecr, cloudformation, stack):
        stack("DELETE_IN_PROGRESS")
        loopback.rule(PLACE, "k8s", "registry.k8s.io", created=NOW + 3600)
        assert self.run(deployed, cloudformation.request("Delete")) == {"deleted": 0, "left": 2}
        assert len(names(ecr)) == 4

    def test_what_cannot_be_deleted_is_named_and_the_next_deletion_goes_on(
        self, deployed, loopback, ecr, cloudformation, stack
    ):
        stack("DELETE_IN_PROGRESS")
        loopback.fault = lambda call: (
            "AccessDeniedException"
            if call.operation == "DeleteRepository" and call.arguments["repositoryName"] == "k8s/pause"
            else None
        )
        self.run(deployed, cloudformation.request("Delete"))
        (answer,) = cloudformation.answers
        assert answer["Status"] == "FAILED"
        assert (
            "1 repositories cannot be deleted, 1 were: k8s/pause: ecr:DeleteRepository is not allowed"
            in answer["Reason"]
        )
        loopback.fault = lambda call: None
        assert self.run(deployed, cloudformation.request("Delete")) == {"deleted": 1, "left": 0}
        assert cloudformation.statuses == ["FAILED", "SUCCESS"]

    def test_when_time_is_over_nothing_is_answered_and_lambda_comes_again(self, deployed, ecr, cloudformation, stack):
        stack("DELETE_IN_PROGRESS")
        with pytest.raises(RuntimeError, match="Unfinished: the time limit is reached"):
            self.run(deployed, cloudformation.request("Delete"), seconds=30)
        assert cloudformation.answers == []
        assert self.run(deployed, cloudformation.request("Delete"))["deleted"] == 2

    def test_a_stack_that_cannot_be_looked_at_is_an_answer_too(self, deployed, loopback, ecr, cloudformation):
        loopback.fault = lambda call: "AccessDenied" if call.operation == "DescribeStacks" else None
        self.run(deployed, cloudformation.request("Delete"))
        (answer,) = cloudformation.answers
        assert answer["Status"] == "FAILED"
        assert len(names(ecr)) == 4


class TestStart:
    MACHINE = "arn:aws:states:eu-west-1:123456789012:stateMachine:warmer"

    @pytest.fixture
    def started(self, loopback):
        there = []

        def start(call):
            if any(name == call.arguments["name"] for name, _ in there):
                return "ExecutionAlreadyExists"
            there.append((call.arguments["name"], json.loads(call.arguments["input"])))
            return {"executionArn": "arn", "startDate": 0}

        loopback.start_execution = start
        yield there
        del loopback.start_execution

    def run(self, deployed, cloudformation, kind):
        event = cloudformation.request(kind, StateMachineArn=self.MACHINE, Input={"bucket": "b", "key": "k"})
        return deployed.invoke(HANDLER.format("starting"), event)

    def test_a_list_that_is_deployed_is_imported_and_a_repeated_request_starts_nothing_twice(
        self, deployed, cloudformation, started
    ):
        self.run(deployed, cloudformation, "Create")
        self.run(deployed, cloudformation, "Create")
        self.run(deployed, cloudformation, "Update")
        assert started == [(f"request-{kind}", {"bucket": "b", "key": "k"}) for kind in ("Create", "Update")]
        assert cloudformation.statuses == ["SUCCESS"] * 3

    def test_deleting_it_starts_nothing(self, deployed, cloudformation, started):
        self.run(deployed, cloudformation, "Delete")
        assert started == []

    def test_what_cannot_be_started_fails_no_deployment_and_lambda_comes_again(
        self, deployed, loopback, cloudformation, started
    ):
        loopback.fault = lambda call: "AccessDeniedException"
        with pytest.raises(RuntimeError, match="states:StartExecution is not allowed"):
            self.run(deployed, cloudformation, "Create")
        assert cloudformation.statuses == ["SUCCESS"]


def test_what_the_cache_holds_and_uses_of_its_quotas_becomes_metrics(deployed, loopback, ecr):
    loopback.list_service_quotas = lambda call: {
        "Quotas": [
            {"QuotaName": "Registered repositories", "Value": 8},
            {"QuotaName": "Images per repository", "Value": 10},
            {"QuotaName": "Pull through cache rules per registry", "Value": 50},
            {"QuotaName": "Layer parts", "Value": 4200},
        ]
    }
    for tag in ("3.9", "3.10"):
        media = "application/vnd.oci.image.manifest.v1+json"
        config = {"mediaType": "application/vnd.oci.image.config.v1+json", "size": 7, "digest": f"sha256:{'0' * 64}"}
        manifest = {
            "schemaVersion": 2,
            "config": config,
            "layers": [{**config, "size": 1000}],
            "annotations": {"tag": tag},
        }
        ecr.put_image(
            repositoryName="k8s/pause", imageTag=tag, imageManifest=json.dumps(manifest), imageManifestMediaType=media
        )
    done = deployed.invoke_all(HANDLER.format("measuring"), {}, PREFIXES='["k8s"]')
    del loopback.list_service_quotas
    assert {c.action for c in loopback.calls if c.operation not in ("CreateRepository", "PutImage")} == {
        "ecr:DescribeRepositories", "ecr:DescribeImages", "ecr:DescribePullThroughCacheRules", "servicequotas:ListServiceQuotas",
    }  # fmt: skip
    lines = [json.loads(line) for line in done["printed"]]
    values = {k: v for line in lines for k, v in line.items() if k not in ("_aws", "Prefix")}
    assert values.pop("StoredBytes") > 0
    assert values == {
        "Repositories": 2,
        "Images": 2,
        "RepositoryQuotaUsed": 50,
        "ImageQuotaUsed": 20,
        "RuleQuotaUsed": 2,
    }
