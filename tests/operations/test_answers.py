"""Answers with the status 200 that did not come from AWS: an error in every verb, and never an empty list."""

import json
import logging
import os
import time
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from ecr_pull_through_cache.cli import app
from ecr_pull_through_cache.operations import aws
from ecr_pull_through_cache.operations.answers import AwsError, _Throttling, answer
from ecr_pull_through_cache.operations.aws import EcrToken, Sessions, SignedOut, Throttled, call, ecr_client, paginate
from ecr_pull_through_cache.operations.purging import Purger
from tests.faults import Fault

ACCOUNT, REGION = "111122223333", "us-east-1"
PLACE = (ACCOUNT, REGION)
BEFORE = datetime.now(UTC) - timedelta(days=1)
OURS = {f"k8s/app-{n}" for n in range(5)}
PAGE = "<html><body>please sign in</body></html>"
NOT_AWS = {
    "a page of HTML": PAGE,
    "a page that is no XML": "<!DOCTYPE html><p>sign in<br>",
    "nothing": "",
    "another object": '{"error": "sign in"}',
    "a list": "[]",
    "half of an object": '{"repositories": [',
    "members of other types": '{"repositories": "x", "pullThroughCacheRules": 5, "tags": {}, "repositoryCreationTemplates": "y"}',
    "entries of null": '{"repositories": [null], "pullThroughCacheRules": [null], "tags": [null], "repositoryCreationTemplates": [null]}',
    "a number for an object": '{"repositories": [5], "pullThroughCacheRules": [5], "tags": [5], "repositoryCreationTemplates": [5]}',
    "deep": '{"a":' * 100_000,
}  # fmt: skip
FAULTS = [
    Fault(verb="purge", fault="a page of HTML with the status 200, from a proxy", outcome="it is no answer: exit code 1, the rule stays, and so does what could not be listed"),
    Fault(verb="purge", fault="throttling that does not pass", outcome="it is said after some seconds; after ten tries it stops with a sentence, the rule stays, exit code 1"),
    Fault(verb="backfill", fault="a page of HTML with the status 200, from a proxy", outcome="it is no answer: it is named, exit code 1"),
    Fault(verb="check", fault="a page of HTML with the status 200, from a proxy", outcome="it is no answer: it is named, exit code 2"),
    Fault(verb="warm", fault="a page of HTML with the status 200, from a proxy", outcome="it is no answer: one sentence, exit code 2 before it begins and 1 afterwards"),
]  # fmt: skip


@pytest.fixture
def stage(loopback):
    client = loopback.client("ecr", REGION, account=ACCOUNT)
    for name in sorted(OURS):
        client.create_repository(repositoryName=name)
    loopback.rule(PLACE, "k8s", "registry.k8s.io", created=BEFORE.timestamp())
    loopback.template(PLACE, "k8s", resourceTags=[{"Key": "a", "Value": "b"}], imageTagMutability="MUTABLE")
    loopback.calls.clear()
    return loopback


@pytest.fixture
def one(tmp_path):
    """A configuration with one registry."""
    path = tmp_path / "one.yaml"
    path.write_text(
        f'registries:\n  main:\n    account: "{ACCOUNT}"\n    region: {REGION}\n    upstreams: {{k8s: registry.k8s.io}}\n'
    )
    return path


def run(path, *arguments):
    done = CliRunner().invoke(app, [*arguments, "--config", str(path), "--assume-role", "Role"])
    assert done.exception is None or isinstance(done.exception, (SystemExit, AwsError)), done.exception
    return done


def left(stage):
    listed = stage.client("ecr", REGION, account=ACCOUNT).describe_repositories()["repositories"]
    return {repository["repositoryName"] for repository in listed}


def at(operation, text, after=0):
    """Something else than AWS answers an operation, after so many answers."""
    seen = []

    def fault(call):
        if call.operation != operation:
            return None
        seen.append(call)
        return text if len(seen) > after else None

    return fault


@pytest.mark.parametrize("text", NOT_AWS.values(), ids=NOT_AWS)
@pytest.mark.parametrize("operation", ["DescribeRepositories", "DescribePullThroughCacheRules"])
def test_purge_keeps_the_rule_while_it_cannot_list(stage, one, operation, text):
    stage.fault = at(operation, text)
    done = run(one, "purge", "k8s", "--registry", "main", "--yes")
    stage.fault = lambda _: None
    assert done.exit_code != 0
    assert "did not come from AWS" in done.output + str(done.exception)
    assert stage.rules[PLACE]
    assert left(stage) == OURS


@pytest.mark.parametrize(
    "operation", ["DescribeRepositories", "DescribePullThroughCacheRules", "DescribeRepositoryCreationTemplates"]
)
@pytest.mark.parametrize("after", [1, 2])
def test_purge_does_not_delete_the_rule_on_a_look_that_was_none(stage, one, operation, after):
    stage.template(PLACE, "k8s")
    stage.fault = at(operation, PAGE, after)
    done = run(one, "purge", "k8s", "--registry", "main", "--yes")
    stage.fault = lambda _: None
    if left(stage):
        assert done.exit_code == 1
        assert stage.rules[PLACE]


def test_purge_believes_no_deletion_that_is_no_answer(stage, one):
    stage.template(PLACE, "k8s")
    stage.fault = at("DeleteRepository", PAGE, after=2)
    done = run(one, "purge", "k8s", "--registry", "main", "--yes", "--concurrency", "1")
    stage.fault = lambda _: None
    assert done.exit_code == 1
    assert done.output.count(": deleted") == 2
    assert "3 are left; the rule stays" in done.output
    assert (len(left(stage)), len(stage.rules[PLACE])) == (3, 1)
    again = run(one, "purge", "k8s", "--registry", "main", "--yes")
    assert (again.exit_code, left(stage), stage.rules[PLACE]) == (0, set(), {})


def test_purge_believes_the_deletion_of_the_rule_when_it_is_gone(stage, one):
    stage.template(PLACE, "k8s")
    stage.fault = at("DeletePullThroughCacheRule", "{}")
    done = run(one, "purge", "k8s", "--registry", "main", "--yes")
    assert "is still there after ecr:DeletePullThroughCacheRule" in str(done.exception)


@pytest.mark.parametrize("text", NOT_AWS.values(), ids=NOT_AWS)
@pytest.mark.parametrize(
    "operation", ["DescribeRepositories", "DescribeRepositoryCreationTemplates", "ListTagsForResource"]
)
def test_backfill_names_what_was_no_answer(stage, one, operation, text):
    stage.fault = at(operation, text)
    done = run(one, "backfill", "--yes")
    assert done.exit_code == 1, done.output
    assert "did not come from AWS" in done.output
    assert "ecr:TagResource" not in stage.actions()


def test_backfill_believes_no_change_that_is_no_answer(stage, one):
    stage.fault = at("TagResource", PAGE)
    done = run(one, "backfill", "--yes")
    assert done.exit_code == 1
    assert "0 changes made, 5 failed" in done.output


@pytest.mark.parametrize(
    "operation",
    ["DescribePullThroughCacheRules", "DescribeRepositoryCreationTemplates", "DescribeRegistry", "DescribeRepositories"],
)  # fmt: skip
def test_check_never_says_that_all_is_well(stage, one, operation):
    stage.fault = at(operation, PAGE)
    done = run(one, "check")
    assert done.exit_code == 2, done.output
    assert "did not come from AWS" in done.output


@pytest.mark.parametrize("text", [PAGE, "<html>sign in", "", "{}"])
@pytest.mark.parametrize("verb", [["check"], ["backfill"], ["purge", "k8s", "--registry", "main"]])
def test_a_role_that_was_no_answer_is_a_sentence(stage, one, verb, text):
    stage.fault = at("AssumeRole", text)
    done = run(one, *verb)
    assert done.exit_code != 0
    assert (
        "the answer to sts:AssumeRole of arn:aws:iam::111122223333:role/Role did not come from AWS"
        in done.output + str(done.exception)
    )


@pytest.mark.parametrize("text", [*NOT_AWS.values(), '{"authorizationData": []}', '{"authorizationData": [{}]}'])
def test_a_token_that_is_none_is_a_sentence(loopback, text):
    loopback.fault = at("GetAuthorizationToken", text)
    with pytest.raises(AwsError, match="ecr:GetAuthorizationToken"):
        EcrToken(ecr_client(REGION))(False)


def test_a_clock_that_is_hours_ahead_does_not_ask_for_a_token_each_time(loopback, monkeypatch):
    token = {"authorizationToken": "dG9rZW4=", "expiresAt": time.time() + 12 * 3600}
    monkeypatch.setattr(loopback, "get_authorization_token", lambda _: {"authorizationData": [token]}, raising=False)
    monkeypatch.setattr(aws, "time", SimpleNamespace(time=lambda: time.time() + 13 * 3600))
    ahead = EcrToken(ecr_client(REGION))
    asked = len(loopback.calls)
    for _ in range(20):
        ahead(False)
    assert len(loopback.calls) == asked + 1


def test_a_member_that_is_missing_is_a_sentence_wherever_it_is():
    found = answer("ecr:X", {"a": [{"b": {"c": 1}}]})
    assert found == {"a": [{"b": {"c": 1}}]}
    for missing in (lambda: found["z"], lambda: found["a"][0]["z"], lambda: found["a"][0]["b"]["z"]):
        with pytest.raises(AwsError, match="the answer to ecr:X did not come from AWS, for it has no z"):
            missing()


class TestThrottling:
    @pytest.fixture
    def impatient(self, monkeypatch):
        monkeypatch.setattr(aws, "_RETRIES", aws.Config(retries={"mode": "standard", "max_attempts": 4}))

    def test_that_does_not_pass_stops_and_is_said(self, stage, one, impatient, caplog):
        stage.template(PLACE, "k8s")
        stage.fault = lambda call: "ThrottlingException" if call.operation == "DeleteRepository" else None
        done = run(one, "purge", "k8s", "--registry", "main", "--yes", "--concurrency", "1")
        assert done.exit_code == 1
        assert "AWS's rate limit for ecr:DeleteRepository was met and did not pass" in done.output
        assert "AWS throttles DeleteRepository; it is asked again, more slowly" in caplog.text
        assert len([call for call in stage.calls if call.operation == "DeleteRepository"]) < 12, (
            "it did not go on with the others"
        )
        assert stage.rules[PLACE]

    def test_is_said_once_in_a_while_and_not_each_time(self, caplog):
        notice = _Throttling()
        throttled = (None, {"Error": {"Code": "ThrottlingException"}})
        operation = SimpleNamespace(name="DescribeImages")
        with caplog.at_level(logging.WARNING):
            for attempts in range(1, 9):
                notice(response=throttled, attempts=attempts, operation=operation)
                notice(response=None, attempts=attempts, operation=operation)
        assert caplog.text.count("AWS throttles DescribeImages") == 1

    def test_is_an_error_of_its_own(self, loopback, impatient):
        loopback.fault = lambda _: "ThrottlingException"
        with pytest.raises(Throttled):
            call(ecr_client(REGION), "describe_registry")


@pytest.fixture
def nobody(monkeypatch, tmp_path):
    """An environment without credentials."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))


def test_without_credentials_nothing_is_begun(nobody):
    for begin in (Sessions, lambda: ecr_client(REGION)):
        with pytest.raises(SignedOut, match="no AWS credentials are found; sign in"):
            begin()


def test_an_endpoint_that_is_none_is_a_sentence(monkeypatch, loopback):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "no url")
    with pytest.raises(AwsError, match="AWS cannot be asked"):
        ecr_client(REGION)


def test_pages_are_all_listed_and_an_empty_list_is_one(stage):
    client = ecr_client(REGION)
    assert list(paginate(client, "describe_repositories", "repositories")) == []
    assert call(client, "describe_repositories", absent=["X"]) is not None
    assert Purger(client).rule_created("none") is None


def test_json_is_said_only_of_what_was_looked_at(stage, one):
    stage.fault = at("DescribeRepositories", PAGE)
    done = run(one, "purge", "k8s", "--registry", "main", "--json")
    assert done.exit_code == 1
    assert [line for line in done.stdout.splitlines() if line.startswith("[")] == []
    assert all(json.loads(line)["state"] for line in done.stdout.splitlines())


def test_a_registry_that_could_not_be_listed_is_not_counted_as_one_repository(stage, one):
    stage.fault = at("DescribeRepositories", PAGE)
    done = run(one, "purge", "k8s", "--registry", "main", "--yes")
    assert f"{ACCOUNT}/{REGION} could not be finished; the rule stays" in done.output
    assert "1 are left" not in done.output


def test_a_rule_is_said_to_be_deleted_when_it_is(stage, one):
    stage.template(PLACE, "k8s")
    stage.fault = lambda call: "AccessDeniedException" if call.operation == "DeletePullThroughCacheRule" else None
    done = run(one, "purge", "k8s", "--registry", "main", "--yes")
    assert "rule k8s: deleted" not in done.output
    assert "ecr:DeletePullThroughCacheRule is not allowed" in str(done.exception)
