"""purge: lists, then deletes; on an ECR on the loopback that keeps what it is told."""

import json
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta

import pytest
from typer.testing import CliRunner

from ecr_pull_through_cache.cli import app
from ecr_pull_through_cache.cli._console import Tally
from ecr_pull_through_cache.cli._console import everywhere as everywhere_at_once
from ecr_pull_through_cache.errors import UserError
from ecr_pull_through_cache.images import EcrHost
from ecr_pull_through_cache.operations import aws
from ecr_pull_through_cache.operations.purging import Purger, used_anywhere
from tests.emulators.aws import PASSING, TRANSIENT, about, after, first_of_each
from tests.faults import Fault
from tests.support import ROOT

ACCOUNT = "111122223333"
BEFORE = datetime.now(UTC) - timedelta(days=1)
LATER = datetime.now(UTC) + timedelta(days=1)
REGIONS = MAIN, WEST, EUROPE = "us-east-1", "us-west-2", "eu-west-1"
RULE = (ACCOUNT, MAIN)
OURS, OTHERS = {"k8s/pause", "k8s/coredns/coredns"}, {"k8sx/other", "apps/web"}


@pytest.fixture
def stage(loopback):
    """A registry and its two replicas, with repositories of the rule and of others."""
    for region in REGIONS:
        client = loopback.client("ecr", region, account=ACCOUNT)
        for name in sorted(OURS | OTHERS):
            client.create_repository(repositoryName=name)
    loopback.rule(RULE, "k8s", "registry.k8s.io", created=BEFORE.timestamp())
    loopback.calls.clear()
    return loopback


def repositories(stage, region):
    listed = stage.client("ecr", region, account=ACCOUNT).describe_repositories()["repositories"]
    return {r["repositoryName"] for r in listed}


def everywhere(stage):
    return [repositories(stage, region) for region in REGIONS]


def command(*options, prefix="k8s"):
    config = str(ROOT / "environments/minimal.yaml")
    return ["purge", prefix, "--config", config, "--registry", "main", "--assume-role", "Purge", *options]


def purge(*options, prefix="k8s", expect=0):
    done = CliRunner().invoke(app, command(*options, prefix=prefix))
    assert done.exit_code == expect, done.output
    return done.output


def test_without_yes_nothing_is_deleted_and_everything_is_shown(stage):
    output = purge()
    assert output.count("would be deleted") == 7, "two repositories in three Regions, and the rule"
    assert "nothing was deleted; add --yes" in output
    assert everywhere(stage) == [OURS | OTHERS] * 3
    assert stage.rules[RULE]
    assert "ecr:DeleteRepository" not in stage.actions()


def test_with_yes_rule_repositories_and_replicas_go_and_others_stay(stage):
    purge("--yes")
    assert everywhere(stage) == [OTHERS] * 3
    assert not stage.rules[RULE]


def test_it_is_told_for_programs_too(stage):
    entries = [json.loads(line) for line in purge("--yes", "--json").splitlines()]
    assert {entry["state"] for entry in entries} == {"deleted"}
    assert {entry["repository"] for entry in entries} == {*OURS, "rule k8s"}


def test_the_rule_goes_last_and_what_was_imported_meanwhile_goes_with_it(stage):
    pulled = []

    def pull_again(call):
        if call.operation == "DeletePullThroughCacheRule" and not pulled:
            pulled.append(stage.client("ecr", MAIN, account=ACCOUNT).create_repository(repositoryName="k8s/again"))

    stage.fault = pull_again
    purge("--yes")
    assert pulled
    assert repositories(stage, MAIN) == OTHERS


def test_the_rule_can_be_kept(stage):
    purge("--yes", "--keep-rule")
    assert repositories(stage, MAIN) == OTHERS
    assert stage.rules[RULE]


def test_what_is_older_than_the_rule_is_not_touched(stage):
    stage.rule(RULE, "k8s", "registry.k8s.io", created=LATER.timestamp())
    assert "k8s/pause: left: it is older than the rule" in purge("--yes", "--keep-rule")
    assert everywhere(stage) == [OURS | OTHERS] * 3


def test_what_lacks_the_tags_of_the_template_is_not_touched(stage):
    stage.template(RULE, "k8s", resourceTags=[{"Key": "origin", "Value": "cache"}])
    arn = f"arn:aws:ecr:{MAIN}:{ACCOUNT}:repository/k8s/pause"
    stage.client("ecr", MAIN, account=ACCOUNT).tag_resource(resourceArn=arn, tags=[{"Key": "origin", "Value": "cache"}])
    assert "k8s/coredns/coredns: left: it lacks a tag of the creation template: origin" in purge("--yes", "--keep-rule")
    assert repositories(stage, MAIN) == OTHERS | {"k8s/coredns/coredns"}
    purge("--yes", "--include", "k8s/coredns/coredns")
    assert repositories(stage, MAIN) == OTHERS


def test_what_a_rule_with_a_longer_prefix_made_is_not_touched_here_nor_in_replicas(stage):
    stage.rule(RULE, "k8s/coredns", "quay.io", created=BEFORE.timestamp())
    output = purge("--yes")
    said = "k8s/coredns/coredns: left: it is one of the rule k8s/coredns"
    assert output.count(said) == 3, "each once, although each registry is looked at twice"
    assert everywhere(stage) == [OTHERS | {"k8s/coredns/coredns"}] * 3
    assert set(stage.rules[RULE]) == {"k8s/coredns"}


def inventory(tmp_path, *images):
    path = tmp_path / "inventory.json"
    path.write_text(json.dumps([{"image": image, "cached": None, "where": ["web/front-1"]} for image in images]))
    return path


def test_what_runs_somewhere_stays_and_the_rule_with_it(stage, tmp_path):
    used = f"{ACCOUNT}.dkr.ecr.{WEST}.amazonaws.com/k8s/pause:3.10"
    output = purge("--yes", "--keep-used", str(inventory(tmp_path, used, "Not an image", "nginx:1")), expect=1)
    assert f"{ACCOUNT}/{WEST}: k8s/pause: used: web/front-1 uses it" in output
    assert f"{ACCOUNT}/{MAIN}: k8s/pause: used: web/front-1, from {ACCOUNT}/{WEST}, uses it" in output
    assert everywhere(stage) == [OTHERS | {"k8s/pause"}] * 3, "a replica that is deleted does not come back"
    assert stage.rules[RULE]


@pytest.mark.parametrize("host", EcrHost.of(ACCOUNT, WEST).aliases)
def test_what_runs_is_known_by_each_host_of_its_registry(stage, tmp_path, host):
    output = purge("--yes", "--keep-used", str(inventory(tmp_path, f"{host}/k8s/pause:3.10")), expect=1)
    assert f"{ACCOUNT}/{WEST}: k8s/pause: used: web/front-1 uses it" in output
    assert everywhere(stage) == [OTHERS | {"k8s/pause"}] * 3, "a replica that is deleted does not come back"


@pytest.mark.parametrize("text", ["{}[", "{}", '{"kind": "List", "items": []}'])
def test_an_inventory_that_is_none_is_one_sentence(stage, tmp_path, text):
    path = tmp_path / "inventory.json"
    path.write_text(text)
    done = CliRunner().invoke(app, command("--keep-used", str(path)))
    assert isinstance(done.exception, UserError)
    assert "this is not what `ecr-pull-through inventory --output json` prints" in str(done.exception)


def test_a_rule_that_is_not_there(stage):
    stage.rules.clear()
    done = CliRunner().invoke(app, command())
    assert isinstance(done.exception, UserError)
    assert "has no rule with the prefix 'k8s', so the repositories it created cannot be found" in str(done.exception)


def test_a_rule_that_is_gone_already_is_replaced_by_the_time_it_was_created(stage):
    stage.rules.clear()
    purge("--yes", "--created-after", BEFORE.date().isoformat())
    assert everywhere(stage) == [OTHERS] * 3


def test_a_time_that_is_none_is_one_sentence(stage):
    done = CliRunner().invoke(app, command("--created-after", "yesterday"))
    assert "--created-after 'yesterday' is not a time, such as 2026-01-31" in str(done.exception)


def test_a_prefix_may_end_in_a_slash(stage):
    purge("--yes", prefix="k8s/")
    assert everywhere(stage) == [OTHERS] * 3
    assert not stage.rules[RULE]


@pytest.mark.parametrize("prefix", ["", "/", "k", "K8s", "k8s//"])
def test_a_prefix_that_is_none_is_one_sentence(stage, prefix):
    done = CliRunner().invoke(app, command(prefix=prefix))
    assert isinstance(done.exception, UserError)
    assert str(done.exception).startswith(f"{prefix!r} is not a repository prefix; allowed are 2 to 30 ")
    assert not stage.calls


def test_what_several_registries_count_at_once_is_all_counted():
    class Slow(str):
        def __hash__(self):
            time.sleep(0.001)  # another thread's turn, between reading a count and writing it
            return super().__hash__()

    tally = Tally()
    everywhere_at_once(map(str, range(8)), lambda _: [tally.count(Slow("deleted")) for _ in range(5)])
    assert tally == {"deleted": 40}


def test_a_rule_without_a_prefix_is_refused(stage):
    with pytest.raises(UserError, match="shares the registry with everything else"):
        Purger(stage.client("ecr", MAIN)).rule_created("ROOT")


# Faults: each row is run, and written into the table of docs/explanation/faults.md.

TIRED = "is repeated with back-off, up to ten times; every repository under the prefix goes, and the rule after them"
FAULTS = [
    *(Fault(verb="purge", fault=name, outcome=TIRED) for name in TRANSIENT),
    Fault(verb="purge", fault="access denied for one repository", outcome="the others go; it is named with the reason, the rule stays, exit code 1; run again, it goes too"),
    Fault(verb="purge", fault="credentials that expire half-way", outcome="it stops and says so; what is left goes when it is run again"),
    Fault(verb="purge", fault="a Region that cannot be reached", outcome="the others are emptied, it is named, the rule stays; run again, it goes on there"),
    Fault(verb="purge", fault="Ctrl-C in the middle", outcome="what is under way ends, nothing further is begun, the rule stays, exit code 130; run again, it goes on"),
    Fault(verb="purge", fault="kill -9 in the middle", outcome="nothing else to do than to run it again: what is gone is not listed any more"),
]  # fmt: skip
BY_NAME = {row.fault: row for row in FAULTS}


def deletions(stage):
    return [(c.region, c.arguments["repositoryName"]) for c in stage.calls if c.operation == "DeleteRepository"]


@pytest.mark.parametrize("fault", PASSING)
def test_a_fault_that_passes(stage, fault):
    assert BY_NAME[fault].outcome == TIRED
    stage.fault = first_of_each(TRANSIENT[fault])
    purge("--yes")
    assert everywhere(stage) == [OTHERS] * 3
    assert not stage.rules[RULE]


@pytest.fixture
def impatient(monkeypatch):
    """A permanent fault is not repeated ten times here."""
    monkeypatch.setattr(aws, "_RETRIES", aws.Config(retries={"mode": "standard", "max_attempts": 2}))


def test_access_denied_for_one_repository(stage, impatient):
    stage.fault = about("k8s/pause", "AccessDeniedException")
    output = purge("--yes", expect=1)
    assert output.count("k8s/pause: failed: ecr:DeleteRepository is not allowed: as the test wants it") == 3
    assert "3 are left; the rule stays, so that this can be run again" in output
    stage.fault = lambda _: None
    assert everywhere(stage) == [OTHERS | {"k8s/pause"}] * 3
    assert stage.rules[RULE]
    purge("--yes")
    assert everywhere(stage) == [OTHERS] * 3
    assert len(set(deletions(stage))) == 6


def test_credentials_that_expire_half_way(stage, impatient):
    stage.fault = after(2, "ExpiredTokenException", operation="DeleteRepository")
    output = purge("--yes", expect=1)
    assert "the AWS credentials are not valid any more; sign in again, and run this again" in output
    stage.fault = lambda _: None
    assert stage.rules[RULE]
    assert sum(len(there & OURS) for there in everywhere(stage)) == 4
    purge("--yes")
    assert everywhere(stage) == [OTHERS] * 3


def test_a_region_that_cannot_be_reached(stage, impatient):
    stage.fault = lambda call: "ServiceUnavailable" if call.region == WEST else None
    output = purge("--yes", expect=1)
    assert f"{ACCOUNT}/{WEST}: AWS has a problem of its own and did not answer ecr:DescribeRepositories" in output
    stage.fault = lambda _: None
    assert everywhere(stage) == [OTHERS, OURS | OTHERS, OTHERS]
    assert stage.rules[RULE]
    purge("--yes")
    assert everywhere(stage) == [OTHERS] * 3


def interrupted(stage, number, after):
    """Run the command in a process of its own, and send that a signal when it has deleted some repositories."""
    running: list[subprocess.Popen] = []

    def send(call):
        if call.operation == "DeleteRepository":
            if len(deletions(stage)) == after:
                os.kill(running[0].pid, number)
            time.sleep(0.1)

    stage.fault = send
    program = [sys.executable, "-c", "from ecr_pull_through_cache.cli import main; main()"]
    with subprocess.Popen(
        [*program, *command("--yes", "--concurrency", "1")], env={**os.environ, **stage.environment}, cwd=ROOT,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    ) as process:  # fmt: skip
        running.append(process)
        output, _ = process.communicate(timeout=60)
    stage.fault = lambda _: None
    return process.returncode, output


def test_kill_9_in_the_middle(stage):
    code, _ = interrupted(stage, signal.SIGKILL, 4)
    assert code == -signal.SIGKILL
    assert stage.rules[RULE], "the rule is the last to go"
    assert 0 < sum(len(there & OURS) for there in everywhere(stage)) < 6
    before = deletions(stage)
    purge("--yes")
    assert everywhere(stage) == [OTHERS] * 3
    assert not set(before[:3]) & set(deletions(stage)[len(before) :]), "what is gone is not deleted again"


def test_ctrl_c_in_the_middle(stage):
    more = {f"k8s/{n}" for n in range(20)}
    for name in more:
        stage.client("ecr", MAIN, account=ACCOUNT).create_repository(repositoryName=name)
    code, output = interrupted(stage, signal.SIGINT, 6)
    assert code == 130
    assert (
        "stopped: running calls are finished, no further ones are started; run the command again to continue" in output
    )
    assert "Traceback" not in output
    assert len(repositories(stage, MAIN) & more) > 10
    assert stage.rules[RULE]
    before = deletions(stage)
    purge("--yes")
    assert everywhere(stage) == [OTHERS] * 3
    assert len(set(deletions(stage))) == len(deletions(stage)) == 26, f"{len(before)} before the signal"


def test_a_repository_that_is_used_in_one_region_is_used_in_all_of_them():
    places = ["111122223333/us-east-1", "111122223333/us-west-2"]
    used = {
        (places[0], "k8s/busybox"): "d/b",
        (places[1], "k8s/pause"): "d/p",
        ("999988887777/us-east-1", "k8s/x"): "e/x",
    }
    assert used_anywhere(used, places) == {
        (places[0], "k8s/busybox"): "d/b",
        (places[1], "k8s/busybox"): "d/b, from 111122223333/us-east-1,",
        (places[1], "k8s/pause"): "d/p",
        (places[0], "k8s/pause"): "d/p, from 111122223333/us-west-2,",
    }
