"""purge: lists, then deletes; on an ECR that keeps what it is told, with the service's own model in between."""

from datetime import UTC, datetime, timedelta

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws
from typer.testing import CliRunner

from ecr_pull_through_cache.cli import app
from ecr_pull_through_cache.errors import UserError
from ecr_pull_through_cache.operations import aws
from ecr_pull_through_cache.operations.purging import Purger
from tests.stacks.assemblies import ROOT

ACCOUNT = "111122223333"
BEFORE = datetime.now(UTC) - timedelta(days=1)
MAIN, WEST, EUROPE = "us-east-1", "us-west-2", "eu-west-1"


class Rules:
    """The rules of a registry, which moto does not know; given in place of the calls, after botocore has checked them."""

    def __init__(self, client, created: datetime | None) -> None:
        self.created = created
        events = client.meta.events
        events.register("before-call.ecr.DescribePullThroughCacheRules", self.describe)
        events.register("before-call.ecr.DeletePullThroughCacheRule", self.delete)

    def describe(self, **_):
        if self.created is None:
            error = {"Error": {"Code": "PullThroughCacheRuleNotFoundException", "Message": ""}}
            raise ClientError(error, "DescribePullThroughCacheRules")
        answer = type("Answer", (), {"status_code": 200})()
        return answer, {"pullThroughCacheRules": [{"ecrRepositoryPrefix": "k8s", "createdAt": self.created}]}

    def delete(self, **_):
        self.created = None
        return type("Answer", (), {"status_code": 200})(), {}


@pytest.fixture
def stage(monkeypatch):
    """A registry and its two replicas, with repositories of the rule and of others."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        clients = {region: boto3.client("ecr", region_name=region) for region in (MAIN, WEST, EUROPE)}
        for client in clients.values():
            for name in ("k8s/pause", "k8s/coredns/coredns", "k8sx/other", "apps/web"):
                client.create_repository(repositoryName=name)
        rules = Rules(clients[MAIN], BEFORE)
        monkeypatch.setattr(aws.Sessions, "client", lambda self, service, account, region: clients[region])
        yield clients, rules


def repositories(client):
    return {r["repositoryName"] for r in client.describe_repositories()["repositories"]}


def purge(*options, prefix="k8s", expect=0):
    arguments = ["purge", prefix, "--config", str(ROOT / "environments/minimal.yaml"), "--registry", "main", *options]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == expect, done.output
    return done.output


OTHERS = {"k8sx/other", "apps/web"}


def test_without_yes_nothing_is_deleted_and_everything_is_shown(stage):
    clients, rules = stage
    output = purge()
    assert output.count("would be deleted") == 7, "two repositories in three Regions, and the rule"
    assert "nothing was deleted; add --yes" in output
    assert all(len(repositories(client)) == 4 for client in clients.values())
    assert rules.created is not None


def test_with_yes_rule_repositories_and_replicas_go_and_others_stay(stage):
    clients, rules = stage
    purge("--yes")
    assert all(repositories(client) == OTHERS for client in clients.values())
    assert rules.created is None


def test_the_rule_can_be_kept(stage):
    clients, rules = stage
    purge("--yes", "--keep-rule")
    assert repositories(clients[MAIN]) == OTHERS
    assert rules.created is not None


def test_what_is_older_than_the_rule_is_not_touched(stage):
    clients, rules = stage
    rules.created = datetime.now(UTC) + timedelta(days=1)
    assert "k8s/pause: left: it is older than the rule" in purge("--yes", "--keep-rule")
    assert len(repositories(clients[MAIN])) == 4


def test_interrupted_it_goes_on_when_it_is_run_again(stage, monkeypatch):
    clients, rules = stage
    whole = Purger.delete_repository
    calls = []

    def fails_at_the_third(self, name):
        calls.append(name)
        if len(calls) == 3:
            raise aws.AwsError("ecr:DeleteRepository failed with ServerException: busy")
        whole(self, name)

    monkeypatch.setattr(Purger, "delete_repository", fails_at_the_third)
    output = purge("--yes", expect=1)
    assert "1 repositories are left; the rule stays, so that this can be run again" in output
    assert rules.created is not None
    purge("--yes")
    assert all(repositories(client) == OTHERS for client in clients.values())
    assert rules.created is None


def test_a_rule_that_is_not_there(stage):
    _, rules = stage
    rules.created = None
    done = CliRunner().invoke(
        app, ["purge", "k8s", "--config", str(ROOT / "environments/minimal.yaml"), "--registry", "main"]
    )
    assert isinstance(done.exception, UserError)
    assert "has no rule with the prefix 'k8s', so nobody knows what it made" in str(done.exception)


def test_a_rule_without_a_prefix_is_refused(stage):
    clients, _ = stage
    with pytest.raises(UserError, match="shares the registry with everything else"):
        Purger(clients[MAIN]).rule_created("ROOT")
