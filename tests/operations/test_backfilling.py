"""backfill: what a template would have set, brought to what exists already; on botocore's own model of ECR."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import boto3
import botocore.session
import pytest
from botocore import xform_name
from botocore.stub import Stubber
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from ecr_pull_through_cache.cli import app
from ecr_pull_through_cache.cli.backfill import Setting
from ecr_pull_through_cache.ecr.lifecycle import LifecyclePolicy
from ecr_pull_through_cache.errors import UserError
from ecr_pull_through_cache.operations import aws, replicating
from ecr_pull_through_cache.operations.backfilling import REPLACEABLE, Backfiller, Change, Left, merge_policies
from tests.emulators.aws import PASSING, TRANSIENT, about, first_of_each
from tests.faults import Fault
from tests.support import ROOT

ARN = "arn:aws:ecr:eu-west-1:111122223333:repository/"
OURS = {"Sid": "PullFromAccounts", "Effect": "Allow", "Principal": {"AWS": "1"}, "Action": ["ecr:BatchGetImage"]}
THEIRS = {"Sid": "Theirs", "Effect": "Deny", "Principal": "*", "Action": "ecr:*"}
LIFECYCLE = LifecyclePolicy.expire_after(days=90).to_text()


def policy(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


@pytest.fixture
def ecr():
    client = boto3.client("ecr", region_name="eu-west-1", aws_access_key_id="x", aws_secret_access_key="y")
    with Stubber(client) as stub:
        client.stub = stub
        yield client
        stub.assert_no_pending_responses()


def registry(ecr, templates: list[dict[str, Any]], *repositories: str, **settings):
    ecr.stub.add_response("describe_repository_creation_templates", {"repositoryCreationTemplates": templates}, {})
    listed = [
        {"repositoryName": n, "repositoryArn": ARN + n, "imageTagMutability": "MUTABLE", **settings}
        for n in repositories
    ]
    ecr.stub.add_response("describe_repositories", {"repositories": listed}, {"maxResults": 1000})


def test_a_repository_without_a_policy_gets_the_templates(ecr):
    registry(ecr, [{"prefix": "k8s", "repositoryPolicy": policy(OURS)}], "k8s/pause", "apps/web")
    ecr.stub.add_client_error("get_repository_policy", "RepositoryPolicyNotFoundException")
    (change,) = Backfiller(ecr).plan()
    assert (change.repository, change.what) == ("k8s/pause", "repository policy")
    ecr.stub.add_response(
        "set_repository_policy", {}, {"repositoryName": "k8s/pause", "policyText": change.arguments["policyText"]}
    )
    Backfiller(ecr).apply(change)
    assert json.loads(change.arguments["policyText"])["Statement"] == [OURS]


def test_what_others_wrote_into_a_policy_stays(ecr):
    registry(ecr, [{"prefix": "k8s", "repositoryPolicy": policy(OURS)}], "k8s/pause")
    stale = {**OURS, "Principal": {"AWS": "0"}}
    ecr.stub.add_response(
        "get_repository_policy", {"policyText": policy(THEIRS, stale)}, {"repositoryName": "k8s/pause"}
    )
    (change,) = Backfiller(ecr).plan()
    assert json.loads(change.arguments["policyText"])["Statement"] == [THEIRS, OURS]


def test_what_is_as_it_should_be_is_left(ecr):
    template = {
        "prefix": "k8s",
        "repositoryPolicy": policy(OURS),
        "lifecyclePolicy": LIFECYCLE,
        "imageTagMutability": "MUTABLE",
    }
    registry(ecr, [template], "k8s/pause")
    ecr.stub.add_response(
        "get_repository_policy", {"policyText": policy(OURS, THEIRS)}, {"repositoryName": "k8s/pause"}
    )
    ecr.stub.add_response("get_lifecycle_policy", {"lifecyclePolicyText": LIFECYCLE}, {"repositoryName": "k8s/pause"})
    assert list(Backfiller(ecr).plan()) == []


def test_lifecycle_mutability_and_tags(ecr):
    template = {
        "prefix": "k8s", "lifecyclePolicy": LIFECYCLE, "imageTagMutability": "IMMUTABLE",
        "resourceTags": [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}],
    }  # fmt: skip
    registry(ecr, [template], "k8s/pause")
    ecr.stub.add_client_error("get_lifecycle_policy", "LifecyclePolicyNotFoundException")
    there = [{"Key": "b", "Value": "theirs"}]
    ecr.stub.add_response("list_tags_for_resource", {"tags": there}, {"resourceArn": ARN + "k8s/pause"})
    steps = list(Backfiller(ecr).plan())
    assert [s.what for s in steps if isinstance(s, Change)] == ["lifecyclePolicy", "imageTagMutability", "resourceTags"]
    assert next(s for s in steps if isinstance(s, Change) and s.what == "resourceTags").arguments["tags"] == [
        {"Key": "a", "Value": "1"}
    ]
    assert [s.reason for s in steps if isinstance(s, Left)] == ["has another value for the tag b"]


def test_a_lifecycle_policy_of_others_stays(ecr):
    registry(ecr, [{"prefix": "k8s", "lifecyclePolicy": LIFECYCLE}], "k8s/pause")
    ecr.stub.add_response(
        "get_lifecycle_policy",
        {"lifecyclePolicyText": LifecyclePolicy.expire_after(days=30).to_text()},
        {"repositoryName": "k8s/pause"},
    )
    assert list(Backfiller(ecr).plan()) == [Left(repository="k8s/pause", reason="has another lifecycle policy")]


def test_the_longest_prefix_wins_and_root_is_for_the_rest(ecr):
    templates = [{"prefix": p, "imageTagMutability": "IMMUTABLE"} for p in ("ROOT", "k8s", "k8s/coredns")]
    for chosen, expected in (
        ("ROOT", ["k8sx/a"]),
        ("k8s", ["k8s/pause"]),
        ("k8s/coredns", ["k8s/coredns/coredns"]),
    ):
        registry(ecr, templates, "k8s/pause", "k8s/coredns/coredns", "k8sx/a")
        assert [step.repository for step in Backfiller(ecr).plan((chosen,))] == expected


def test_what_ecr_refuses_is_a_sentence(ecr):
    ecr.stub.add_client_error("describe_repository_creation_templates", "AccessDeniedException", "because")
    with pytest.raises(UserError, match="ecr:DescribeRepositoryCreationTemplates is not allowed: because"):
        list(Backfiller(ecr).plan())


STATEMENTS = st.lists(
    st.fixed_dictionaries({"Effect": st.sampled_from(["Allow", "Deny"])}, optional={"Sid": st.sampled_from("abc")}),
    max_size=4,
)


@given(STATEMENTS, STATEMENTS)
def test_merging_keeps_what_others_wrote_and_twice_is_once(current, wanted):
    merged = merge_policies({"Statement": current}, {"Statement": wanted})
    sids = {s.get("Sid") for s in wanted} - {None}
    assert [s for s in current if s.get("Sid") not in sids] == [
        s for s in merged["Statement"] if s in current and s.get("Sid") not in sids
    ][: len([s for s in current if s.get("Sid") not in sids])]
    assert merge_policies(merged, {"Statement": wanted}) == merged


def test_mutability_that_somebody_chose_stays_unless_it_is_to_be_replaced(ecr):
    templates = [{"prefix": "k8s", "imageTagMutability": "MUTABLE"}]
    registry(ecr, templates, "k8s/pause", imageTagMutability="IMMUTABLE")
    assert list(Backfiller(ecr).plan()) == [Left(repository="k8s/pause", reason="has the tag mutability IMMUTABLE")]
    registry(ecr, templates, "k8s/pause", imageTagMutability="IMMUTABLE")
    (change,) = Backfiller(ecr, replace=["imageTagMutability"]).plan()
    assert change.arguments == {"repositoryName": "k8s/pause", "imageTagMutability": "MUTABLE"}


def test_a_lifecycle_policy_and_tags_of_others_can_be_replaced(ecr):
    tags = [{"Key": "a", "Value": "1"}]
    registry(ecr, [{"prefix": "k8s", "lifecyclePolicy": LIFECYCLE, "resourceTags": tags}], "k8s/pause")
    there = LifecyclePolicy.expire_after(days=30).to_text()
    ecr.stub.add_response("get_lifecycle_policy", {"lifecyclePolicyText": there}, {"repositoryName": "k8s/pause"})
    ecr.stub.add_response(
        "list_tags_for_resource", {"tags": [{"Key": "a", "Value": "2"}]}, {"resourceArn": ARN + "k8s/pause"}
    )
    steps = list(Backfiller(ecr, replace=REPLACEABLE).plan())
    assert [s.operation for s in steps] == ["put_lifecycle_policy", "tag_resource"]
    assert steps[1].arguments["tags"] == tags


def test_a_policy_that_says_the_same_in_other_words_is_left(ecr):
    registry(ecr, [{"prefix": "k8s", "repositoryPolicy": policy(OURS)}], "k8s/pause")
    theirs = {**OURS, "Sid": "PullFromAccounts", "Principal": {"AWS": ["1"]}, "Action": "ecr:BatchGetImage"}
    ecr.stub.add_response("get_repository_policy", {"policyText": policy(theirs)}, {"repositoryName": "k8s/pause"})
    assert list(Backfiller(ecr).plan()) == []


def test_a_repository_that_goes_meanwhile_needs_nothing(ecr):
    template = {"prefix": "k8s", "repositoryPolicy": policy(OURS), "resourceTags": [{"Key": "a", "Value": "1"}]}
    registry(ecr, [template], "k8s/pause")
    for operation in ("get_repository_policy", "list_tags_for_resource", "set_repository_policy"):
        ecr.stub.add_client_error(operation, "RepositoryNotFoundException")
    (change,) = Backfiller(ecr).plan()
    Backfiller(ecr).apply(change)


def test_one_repository_alone(ecr):
    templates = [{"prefix": "k8s", "imageTagMutability": "IMMUTABLE"}]
    ecr.stub.add_response("describe_repository_creation_templates", {"repositoryCreationTemplates": templates}, {})
    there = {"repositoryName": "k8s/pause", "repositoryArn": ARN + "k8s/pause", "imageTagMutability": "MUTABLE"}
    ecr.stub.add_response("describe_repositories", {"repositories": [there]}, {"repositoryNames": ["k8s/pause"]})
    assert [s.what for s in Backfiller(ecr).plan_one("k8s/pause")] == ["imageTagMutability"]


OPERATIONS = {
    xform_name(name): name for name in botocore.session.get_session().get_service_model("ecr").operation_names
}


class Many:
    """An ECR of very many repositories, which counts the concurrent calls."""

    meta = SimpleNamespace(service_model=SimpleNamespace(signing_name="ecr"), method_to_api_mapping=OPERATIONS)

    def __init__(self, count: int) -> None:
        self.count = count
        self.now = self.most = self.calls = 0
        self.lock = threading.Lock()

    def get_paginator(self, operation):
        template = {"prefix": "k8s", "repositoryPolicy": policy(OURS)}
        pages = {
            "describe_repository_creation_templates": [{"repositoryCreationTemplates": [template]}],
            "describe_repositories": (
                {
                    "repositories": [
                        {"repositoryName": f"k8s/{n + m}", "repositoryArn": f"{ARN}{n + m}"} for m in range(1000)
                    ]
                }
                for n in range(0, self.count, 1000)
            ),
        }
        return SimpleNamespace(paginate=lambda **_: pages[operation])

    def get_repository_policy(self, **arguments):
        with self.lock:
            self.calls += 1
            self.now += 1
            self.most = max(self.most, self.now)
        time.sleep(0.001)
        with self.lock:
            self.now -= 1
        return {"policyText": policy(OURS if int(arguments["repositoryName"][4:]) % 10 else THEIRS)}


def test_thousands_of_repositories_are_looked_at_some_at_once_and_in_order():
    many = Many(5000)
    seen = []
    steps = list(Backfiller(many).plan(threads=8, on_progress=lambda *of: seen.append(of)))
    assert [s.repository for s in steps] == [f"k8s/{n}" for n in range(0, 5000, 10)]
    assert many.calls == 5000
    assert 2 <= many.most <= 8
    assert (seen[0], seen[-1], len(seen)) == ((0, 5000), (5000, 5000), 5001)


def test_whoever_stops_looking_stops_the_work():
    many = Many(5000)
    steps = Backfiller(many).plan(threads=2)
    next(steps)
    steps.close()
    assert many.calls < 100


# The whole command, on an AWS of the loopback.

ACCOUNT = "111122223333"
REGIONS = MAIN, WEST, EUROPE = "us-east-1", "us-west-2", "eu-west-1"
TAGS = [{"Key": "origin", "Value": "cache"}]


@pytest.fixture
def stage(loopback):
    """A registry and its two replicas, with three repositories that were there before their template."""
    for region in REGIONS:
        client = loopback.client("ecr", region, account=ACCOUNT)
        for name in ("k8s/etcd", "k8s/pause", "apps/web"):
            client.create_repository(repositoryName=name)
        client.set_repository_policy(repositoryName="k8s/etcd", policyText=policy(THEIRS))
        loopback.template(
            (ACCOUNT, region), "k8s", repositoryPolicy=policy(OURS), imageTagMutability="IMMUTABLE", resourceTags=TAGS
        )
    rules = [{"destinations": [{"region": region, "registryId": ACCOUNT} for region in (WEST, EUROPE)]}]
    loopback.client("ecr", MAIN, account=ACCOUNT).put_replication_configuration(
        replicationConfiguration={"rules": rules}
    )
    loopback.calls.clear()
    return loopback


def command(*options):
    config = str(ROOT / "environments/minimal.yaml")
    return ["backfill", "--config", config, "--assume-role", "Backfill", *options]


def run(*options, expect=0):
    done = CliRunner().invoke(app, command(*options))
    assert done.exit_code == expect, done.output
    return done


def state(stage, region):
    """Policies, mutability and tags of the repositories of a Region."""
    client = stage.client("ecr", region, account=ACCOUNT)
    found = {}
    for repository in client.describe_repositories()["repositories"]:
        name = repository["repositoryName"]
        try:
            statements = json.loads(client.get_repository_policy(repositoryName=name)["policyText"])["Statement"]
        except client.exceptions.RepositoryPolicyNotFoundException:
            statements = []
        tags = client.list_tags_for_resource(resourceArn=repository["repositoryArn"])["tags"]
        found[name] = ([s["Sid"] for s in statements], repository["imageTagMutability"], bool(tags))
    return found


OLD = {
    "k8s/etcd": (["Theirs"], "MUTABLE", False),
    "k8s/pause": ([], "MUTABLE", False),
    "apps/web": ([], "MUTABLE", False),
}
NEW = {
    "k8s/etcd": (["Theirs", "PullFromAccounts"], "IMMUTABLE", True), "k8s/pause": (["PullFromAccounts"], "IMMUTABLE", True),
    "apps/web": OLD["apps/web"],
}  # fmt: skip
WRITES = {"SetRepositoryPolicy", "PutImageTagMutability", "TagResource"}


def writes(stage):
    return [c for c in stage.calls if c.operation in WRITES]


def test_without_yes_the_plan_is_shown_in_every_region_and_nothing_changes(stage):
    done = run()
    assert sorted(done.stdout.splitlines())[:3] == [
        "europe: k8s/etcd: imageTagMutability", "europe: k8s/etcd: repository policy", "europe: k8s/etcd: resourceTags",
    ]  # fmt: skip
    assert "18 changes to be made with --yes, 0 failed" in done.stderr
    assert [state(stage, region) for region in REGIONS] == [OLD] * 3


def test_with_yes_it_is_done_and_twice_is_once(stage):
    assert "18 changes made, 0 failed" in run("--yes").stderr
    assert [state(stage, region) for region in REGIONS] == [NEW] * 3
    assert "0 changes made, 0 failed" in run("--yes").stderr
    assert len(writes(stage)) == 18


def test_it_is_told_for_programs_too(stage):
    entries = [json.loads(line) for line in run("--json", "--registry", "main").stdout.splitlines()]
    assert entries[0] == {"registry": "main", "repository": "k8s/etcd", "state": "planned", "what": "repository policy"}
    assert len(entries) == 6


def test_templates_that_others_made_are_theirs(stage):
    for prefix in ("apps", "k8s/etcd"):
        stage.template((ACCOUNT, MAIN), prefix, imageTagMutability="IMMUTABLE")
    lines = run("--registry", "main").stdout.splitlines()
    assert {line.split(": ")[1] for line in lines} == {"k8s/pause"}


def test_a_prefix_that_nobody_wrote_down_is_one_sentence(stage):
    done = CliRunner().invoke(app, command("--prefix", "k9s"))
    assert str(done.exception).endswith("there is no repository prefix 'k9s'; there are k8s")


def test_the_settings_of_the_command_line_are_those_that_can_be_overwritten():
    assert tuple(setting.value for setting in Setting) == REPLACEABLE


# ECR's own replication backfill.


@pytest.fixture
def at_once(monkeypatch):
    monkeypatch.setattr(replicating.time, "sleep", lambda _: None)


def started(stage):
    return [c.arguments["destination"]["region"] for c in stage.calls if c.operation == "StartReplicationBackfill"]


def test_a_replication_backfill_is_shown_before_it_is_started(stage):
    done = run("--replication", "--registry", "main")
    assert sorted(done.stdout.splitlines()) == [
        f"main: {ACCOUNT}/{EUROPE}: replication backfill", f"main: {ACCOUNT}/{WEST}: replication backfill",
    ]  # fmt: skip
    assert started(stage) == []


def test_it_is_started_for_each_destination_and_followed_to_its_end(stage, at_once):
    done = run("--replication", "--yes")
    assert sorted(started(stage)) == [EUROPE, WEST]
    assert done.stdout.count("10 of 10 replicated") == 2
    assert "again: the last one ended COMPLETE" in run("--replication").stdout


def test_it_need_not_be_followed(stage, at_once):
    assert run("--replication", "--yes", "--no-wait").stdout.count(": IN_PROGRESS") == 2


def test_one_that_runs_already_is_followed_and_none_is_started_beside_it(stage, at_once):
    run("--replication", "--yes", "--no-wait")
    assert "which runs already (IN_PROGRESS)" in run("--replication").stdout
    done = run("--replication", "--yes")
    assert done.stdout.count("10 of 10 replicated") == 2
    assert len(started(stage)) == 2


def test_one_that_somebody_starts_in_the_same_moment_is_followed(stage, at_once):
    hidden = []

    def hide(call):
        """The first look finds nothing: somebody starts one right after it."""
        if call.operation == "StartReplicationBackfill" and not hidden:
            hidden.append(stage.start_replication_backfill(replace(call)))
        return

    stage.fault = hide
    assert run("--replication", "--yes").stdout.count("10 of 10 replicated") == 2
    assert len(stage.backfills[ACCOUNT, MAIN]) == 2


def test_where_ten_run_already_it_waits_for_one_to_end(stage, monkeypatch):
    others = [
        {
            "replicationBackfillId": f"00000000-0000-0000-0000-00000000000{n}", "status": "IN_PROGRESS", "startedAt": 1,
            "destination": {"region": f"ap-south-{n}", "registryId": ACCOUNT},
        }
        for n in range(10)
    ]  # fmt: skip
    stage.backfills[ACCOUNT, MAIN] = [*others]

    def end(_):
        for other in others:
            other["status"] = "COMPLETE"

    monkeypatch.setattr(replicating.time, "sleep", end)
    assert run("--replication", "--yes").stdout.count("10 of 10 replicated") == 2


def test_waiting_for_one_to_end_can_be_given_up(stage, at_once):
    backfiller = replicating.ReplicationBackfiller(stage.client("ecr", MAIN, account=ACCOUNT))
    waits = iter([None, UserError("stopped")])

    def on_wait():
        if (given_up := next(waits)) is not None:
            raise given_up

    stage.fault = lambda call: "LimitExceededException" if call.operation == "StartReplicationBackfill" else None
    with pytest.raises(UserError, match="stopped"):
        backfiller.start(replicating.Destination(account=ACCOUNT, region=WEST), on_wait=on_wait)
    assert set(started(stage)) == {WEST}


def test_images_that_were_not_replicated_are_named(stage, at_once):
    run("--replication", "--yes", "--no-wait")
    first = stage.backfills[ACCOUNT, MAIN][0]
    first |= {"status": "FAILED", "failureCode": "InternalError", "results": [
        {"repositoryName": "k8s/pause", "imageId": {"imageTag": "3.10"}, "status": "FAILED", "failureCode": "AccessDenied"},
    ]}  # fmt: skip
    region = first["destination"]["region"]
    backfiller = replicating.ReplicationBackfiller(stage.client("ecr", MAIN, account=ACCOUNT))
    (now,) = backfiller.follow(backfiller.latest(replicating.Destination(account=ACCOUNT, region=region)))
    assert (now.status, now.failure) == ("FAILED", "InternalError")
    assert list(backfiller.not_replicated(now)) == [
        replicating.NotReplicated(image="k8s/pause:3.10", reason="AccessDenied")
    ]


def test_a_destination_that_is_not_deployed_is_named(stage, at_once):
    configuration = {"rules": [{"destinations": [{"region": WEST, "registryId": ACCOUNT}]}]}
    stage.client("ecr", MAIN, account=ACCOUNT).put_replication_configuration(replicationConfiguration=configuration)
    done = run("--replication", "--yes", expect=1)
    assert f"main: {ACCOUNT}/{EUROPE}: is not in the replication configuration; deploy it first" in done.stderr
    assert started(stage) == [WEST]


# Faults: each row is run, and written into the table of docs/explanation/faults.md.

TIRED = "is repeated with back-off, up to ten times; every repository gets its settings once"
FAULTS = [
    *(Fault(verb="backfill", fault=name, outcome=TIRED) for name in TRANSIENT),
    Fault(verb="backfill", fault="access denied for one repository", outcome="the others get their settings, it is named with the reason, exit code 1; run again, it gets them too"),
    Fault(verb="backfill", fault="credentials that expire half-way", outcome="it stops with a sentence; the next run continues"),
    Fault(verb="backfill", fault="a Region that cannot be reached", outcome="the others are brought up to date, it is named, exit code 1; run again, it is done too"),
    Fault(verb="backfill", fault="kill -9 in the middle", outcome="run again, it sets what is left: what is set is not set again"),
    Fault(verb="backfill", fault="kill -9 while ECR replicates (`--replication`)", outcome="ECR goes on; run again, the same replication backfill is followed and none is started beside it"),
]  # fmt: skip
BY_NAME = {row.fault: row for row in FAULTS}


@pytest.mark.parametrize("fault", PASSING)
def test_a_fault_that_passes(stage, fault):
    assert BY_NAME[fault].outcome == TIRED
    stage.fault = first_of_each(TRANSIENT[fault])
    run("--yes")
    stage.fault = lambda _: None
    assert [state(stage, region) for region in REGIONS] == [NEW] * 3


@pytest.fixture
def impatient(monkeypatch):
    """A permanent fault is not repeated ten times here."""
    monkeypatch.setattr(aws, "_RETRIES", aws.Config(retries={"mode": "standard", "max_attempts": 2}))


def done_twice(stage):
    """Writes that were made more than once; those that were refused are not counted."""
    asked = Counter((c.region, c.operation, json.dumps(c.arguments, sort_keys=True)) for c in writes(stage))
    return [one for one, times in asked.items() if times > 1]


def test_access_denied_for_one_repository(stage, impatient):
    stage.fault = about("k8s/etcd", "AccessDeniedException")
    done = run("--yes", expect=1)
    assert done.stderr.count("k8s/etcd: ecr:GetRepositoryPolicy is not allowed: as the test wants it") == 3
    stage.fault = lambda _: None
    assert [state(stage, region) for region in REGIONS] == [{**NEW, "k8s/etcd": OLD["k8s/etcd"]}] * 3
    run("--yes")
    assert [state(stage, region) for region in REGIONS] == [NEW] * 3
    assert done_twice(stage) == []


def test_credentials_that_expire_half_way(stage, impatient):
    stage.fault = lambda call: "ExpiredTokenException" if len(writes(stage)) > 5 else None
    done = run("--yes", expect=1)
    assert "the AWS credentials are not valid any more; sign in again, and run this again" in done.stderr
    stage.fault = lambda _: None
    assert [state(stage, region) for region in REGIONS] != [NEW] * 3
    run("--yes")
    assert [state(stage, region) for region in REGIONS] == [NEW] * 3


def test_a_region_that_cannot_be_reached(stage, impatient):
    stage.fault = lambda call: "ServiceUnavailable" if (call.service, call.region) == ("ecr", WEST) else None
    done = run("--yes", expect=1)
    assert (
        "west: AWS has a problem of its own and did not answer ecr:DescribeRepositoryCreationTemplates" in done.stderr
    )
    assert done.stderr.endswith("12 changes made, 0 failed; not finished: west\n")
    stage.fault = lambda _: None
    assert [state(stage, region) for region in REGIONS] == [NEW, OLD, NEW]
    run("--yes")
    assert [state(stage, region) for region in REGIONS] == [NEW] * 3
    assert done_twice(stage) == []


def killed(stage, when, *options):
    """Run the command in a process of its own, and kill that when a request comes."""
    running: list[subprocess.Popen] = []

    def kill(call):
        if when(call):
            os.kill(running[0].pid, signal.SIGKILL)

    stage.fault = kill
    program = [sys.executable, "-c", "from ecr_pull_through_cache.cli import main; main()"]
    with subprocess.Popen(
        [*program, *command("--yes", *options)], env={**os.environ, **stage.environment}, cwd=ROOT,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    ) as process:  # fmt: skip
        running.append(process)
        process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    stage.fault = lambda _: None


def test_kill_9_in_the_middle(stage):
    killed(stage, lambda call: len(writes(stage)) == 5, "--concurrency", "1")
    assert [state(stage, region) for region in REGIONS] not in ([NEW] * 3, [OLD] * 3)
    before = len(writes(stage))
    run("--yes")
    assert [state(stage, region) for region in REGIONS] == [NEW] * 3
    in_flight = 2 * len(REGIONS)
    assert 18 <= len(writes(stage)) <= 18 + in_flight, "what is set is not set again, but for what was under way"
    assert before < 18


@pytest.mark.parametrize("fault", ["reset", "lost"])
def test_a_replication_backfill_is_not_started_twice(stage, at_once, fault):
    stage.fault = first_of_each(fault)
    assert run("--replication", "--yes").stdout.count("10 of 10 replicated") == 2
    assert len(stage.backfills[ACCOUNT, MAIN]) == 2


def test_kill_9_while_ecr_replicates(stage, at_once):
    killed(stage, lambda call: call.operation == "DescribeReplicationBackfillResults", "--replication")
    before = started(stage)
    done = run("--replication", "--yes")
    assert done.stdout.count("10 of 10 replicated") == 2
    assert sorted(started(stage)) == sorted({EUROPE, WEST}), f"{before} were started before"
