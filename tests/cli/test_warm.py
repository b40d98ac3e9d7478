"""`warm` as people run it: a process of its own, against a registry that pulls through another and ECR's API before it."""

from __future__ import annotations

import json
import resource
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.corpus import DIGEST, HOST
from tests.emulators.ecr_api import ecr_api
from tests.real.registries import cache
from tests.support import ROOT
from tests.support.command_line import cli, example
from tests.support.warming import IMAGES, NAMES, RULES, Stage

pytestmark = [pytest.mark.engine, pytest.mark.slow]


@pytest.fixture(scope="module")
def running():
    with cache() as registry, ecr_api() as api:
        digests = {image: registry.upstream.image(*image) for image in IMAGES}
        yield Stage(registry, api, digests)


@pytest.fixture
def stage(running):
    """A cache with nothing in it, as far as ECR's API knows."""
    running.cache.faults.reset()
    running.api.reset()
    running.api.held = running.cache.faults.held
    return running


def test_what_was_there_is_told_from_what_was_imported(stage):
    assert stage.run(*NAMES[:3]).stderr == "3 imported, 0 there already, 0 done earlier, 0 failed\n"
    assert stage.run(*NAMES[:5]).stderr == "2 imported, 3 there already, 0 done earlier, 0 failed\n"


def test_nobody_knows_what_was_there_who_asks_for_manifests_only(stage):
    assert stage.run(*NAMES[:3], "--no-wait").stderr == "3 there or on their way, 0 done earlier, 0 failed\n"
    assert set(stage.api.calls) == {"GetAuthorizationToken"}


def test_lists_are_files_and_pipes_with_remarks(stage, tmp_path):
    (tmp_path / "list").write_text(f"# ours\n{NAMES[0]} # the first\n\n{HOST}/k8s/team/app-1:v1\n")
    done = stage.run(f"@{tmp_path / 'list'}", "-", "--json", stdin=f"{NAMES[2]}\nmcr.microsoft.com/x\n")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert {line["image"] for line in lines} == {f"{HOST}/k8s/{r}:{t}" for r, t in IMAGES[:3]}
    assert {line["digest"] for line in lines} == {stage.digests[image] for image in IMAGES[:3]}
    assert "mcr.microsoft.com/x: passed over: no rule caches this registry" in done.stderr
    assert "passed over: 1, no rule caches this registry" in done.stderr


def test_an_image_is_one_whatever_the_registry_is_called(stage):
    dual = HOST.replace(".dkr.ecr.", ".dkr-ecr.").replace("amazonaws.com", "on.aws")
    names = [f"{host}/k8s/team/app-0:v0" for host in (HOST, dual)]
    assert stage.run(*names, NAMES[0]).stderr == "1 imported, 0 there already, 0 done earlier, 0 failed\n"


def test_a_list_that_is_a_pipe_is_read_once(stage):
    command = " ".join(stage.command("@<(printf '%s\\n' " + " ".join(NAMES[:5]) + ")"))
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, env=stage.environment, check=True)
    assert done.stderr == "5 imported, 0 there already, 0 done earlier, 0 failed\n"


def test_an_inventory_is_such_a_list(stage):
    pods = [
        {"metadata": {"name": tag}, "spec": {"containers": [{"name": "a", "image": f"registry.k8s.io/{name}:{tag}"}]}}
        for name, tag in IMAGES[:3]
    ]
    listed = cli("inventory", "-", "--output", "images", *RULES, stdin=json.dumps({"items": pods})).stdout
    assert stage.run("-", stdin=listed).stderr == "3 imported, 0 there already, 0 done earlier, 0 failed\n"


def test_the_example_of_its_help_works(stage, tmp_path):
    stage.cache.upstream.image("pause", "3.10")
    (tmp_path / "environments").symlink_to(ROOT / "environments")
    _, command, *arguments = shlex.split(example("warm"))
    assert command == "warm"
    program = Path(sys.executable).with_name("ecr-pull-through")
    done = subprocess.run(
        [program, "warm", *arguments, "--registry-url", f"http://{stage.cache.host}"],
        cwd=tmp_path, env=stage.environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stderr == "1 imported, 0 there already, 0 done earlier, 0 failed\n"
    assert (tmp_path / "warm.journal").read_text().count("pause:3.10") == 1


def test_what_fails_is_told_by_its_reason_and_the_rest_is_done(stage):
    stage.cache.faults.choose = lambda path: {
        "v1": "denied upstream", "v2": "403", "v3": "too many upstream", "v4": "quota",
    }.get(path.rpartition("/")[2])  # fmt: skip
    done = stage.run(*NAMES[:6], "registry.k8s.io/none:1", expect=1)
    heads = [line for line in done.stderr.splitlines() if not line.startswith(" ")]
    assert heads == [
        "no such image: 1",
        "upstream credentials: 1",
        "the upstream's rate limit: 1",
        "import not allowed: 1",
        "quota: 1",
        "2 imported, 0 there already, 0 done earlier, 5 failed",
    ]


class TestDigests:
    """An image that is pinned by digest alone is imported by the tag that an inventory knows for it."""

    @pytest.fixture
    def pinned(self, stage):
        stage.cache.faults.choose = lambda path: (
            "404" if "/manifests/sha256:" in path and not stage.cache.faults.held else None
        )
        return f"registry.k8s.io/team/app-0@{stage.digests[IMAGES[0]]}"

    def test_it_cannot_be_imported_without(self, stage, pinned):
        said = stage.run(pinned, expect=1).stderr
        assert said.startswith("pinned by digest: 1\n")
        assert "give the tag that carries the digest: NAME:TAG@DIGEST" in said

    def test_a_list_of_tags(self, stage, pinned, tmp_path):
        (tmp_path / "tags").write_text(f"registry.k8s.io/team/app-0:v0@{stage.digests[IMAGES[0]]}\n")
        assert "1 imported" in stage.run(pinned, "--tags-from", tmp_path / "tags").stderr

    def test_an_image_without_a_tag_is_the_latest(self, stage, tmp_path):
        digest = stage.cache.upstream.image("team/app-9", "latest")
        stage.cache.faults.choose = lambda path: (
            "404" if "/manifests/sha256:" in path and not stage.cache.faults.held else None
        )
        (tmp_path / "tags").write_text(json.dumps([{"image": "registry.k8s.io/team/app-9", "digests": [digest]}]))
        assert (
            "1 imported" in stage.run(f"registry.k8s.io/team/app-9@{digest}", "--tags-from", tmp_path / "tags").stderr
        )

    def test_an_inventory(self, stage, pinned, tmp_path):
        entry = {"image": "registry.k8s.io/team/app-0:v0", "digests": [stage.digests[IMAGES[0]]]}
        (tmp_path / "tags").write_text(json.dumps([entry]))
        assert "1 imported" in stage.run(pinned, "--tags-from", tmp_path / "tags").stderr

    def test_the_cache_holds_it_already(self, stage, pinned):
        stage.run(NAMES[0])
        assert "0 imported, 1 there already" in stage.run(pinned).stderr

    def test_something_else_than_tags(self, stage, tmp_path):
        (tmp_path / "tags").write_text("[1]")
        assert "this is neither an inventory" in stage.run(NAMES[0], "--tags-from", tmp_path / "tags", expect=2).stderr


class TestReplicas:
    def test_an_image_is_done_when_its_replicas_are(self, stage):
        stage.api.destinations = ("eu-central-1",)
        stage.api.replicas = {"eu-central-1": "IN_PROGRESS"}
        left = stage.run(NAMES[0], "--replicas", "--wait", "0.1", expect=1).stderr
        assert "it is not in 111122223333/eu-central-1 after 0 seconds; run this again" in left
        stage.api.replicas = {"eu-central-1": "COMPLETE"}
        stage.run(NAMES[0], "--replicas")

    def test_a_replication_that_failed_is_said_to_have(self, stage):
        stage.api.destinations = ("eu-central-1",)
        stage.api.replicas = {"eu-central-1": "FAILED"}
        assert (
            "its replication to 111122223333/eu-central-1 failed" in stage.run(NAMES[0], "--replicas", expect=1).stderr
        )

    def test_where_ecr_has_no_status_the_destination_is_asked(self, stage):
        stage.api.destinations = ("eu-central-1",)
        stage.run(NAMES[0], "--replicas")
        assert stage.api.calls["DescribeImages"] == 2

    def test_a_configuration_says_where_they_are_to_be(self, stage):
        stage.cache.upstream.image("pause", "3.10")
        configured = ["registry.k8s.io/pause:3.10", "--config", "environments/minimal.yaml", "--replicas"]
        url = ["--registry-url", f"http://{stage.cache.host}"]
        command = [str(Path(sys.executable).with_name("ecr-pull-through")), "warm", *configured, *url, "--wait", "0.1"]
        stage.api.replicas = {"us-west-2": "COMPLETE", "eu-west-1": "IN_PROGRESS"}
        done = subprocess.run(command, cwd=ROOT, env=stage.environment, capture_output=True, text=True, check=False)
        assert done.returncode == 1
        assert "it is not in 111122223333/eu-west-1 after 0 seconds" in done.stderr
        assert stage.api.calls["DescribeRegistry"] == 0

    def test_a_registry_that_replicates_nothing_has_no_replicas_to_wait_for(self, stage):
        stage.run(NAMES[0], "--replicas")
        assert stage.api.calls["DescribeImageReplicationStatus"] == 0

    def test_waiting_and_not_waiting_exclude_each_other(self, stage):
        assert "give one of them" in stage.run(NAMES[0], "--replicas", "--no-wait", expect=2).stderr


class TestStopping:
    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda n: n.name)
    def test_a_signal_ends_it_in_order_and_it_goes_on_from_there(self, stage, tmp_path, number):
        journal = tmp_path / "journal"
        (tmp_path / "list").write_text("\n".join(NAMES))
        stage.cache.faults.choose = lambda path: time.sleep(0.05)
        command = stage.command(f"@{tmp_path / 'list'}", "--journal", journal, "--concurrency", "2")
        process = subprocess.Popen(command, env=stage.environment, stderr=subprocess.PIPE, text=True)
        while not journal.exists() or journal.read_bytes().count(b"\n") < 5:
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(number)
        _, said = process.communicate(timeout=20)
        assert process.returncode == 128 + number
        assert "the same command goes on from the journal" in said
        assert ", 0 failed" in said
        done = journal.read_bytes().count(b"\n") - 1
        assert 4 <= done < len(NAMES)
        stage.cache.faults.reset()
        again = stage.run(f"@{tmp_path / 'list'}", "--journal", journal).stderr
        assert f"{done} done earlier, 0 failed" in again

    def test_what_it_waits_for_does_not_hold_it_up(self, stage):
        stage.api.looks = 1_000_000
        process = subprocess.Popen(stage.command(NAMES[0]), env=stage.environment, stderr=subprocess.PIPE, text=True)
        while not stage.api.calls["BatchCheckLayerAvailability"]:
            time.sleep(0.01)
        begin = time.monotonic()
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=20)
        assert time.monotonic() - begin < 5
        assert said.splitlines()[-1] == "stopped after 0 images; give --journal FILE, and it can go on"

    def test_a_journal_knows_what_was_asked_for(self, stage, tmp_path):
        """What was imported for one platform only, or without waiting, is not done for those who ask for more."""
        journal = ["--journal", tmp_path / "journal"]
        stage.run(NAMES[0], *journal, "--platform", "linux/arm64")
        stage.run(NAMES[0], *journal, "--no-wait")
        assert "0 done earlier" in stage.run(NAMES[0], *journal).stderr
        assert "1 done earlier" in stage.run(NAMES[0], *journal).stderr


def test_whoever_may_not_have_a_token_learns_it_once(stage):
    stage.api.choose = lambda operation: "AccessDeniedException" if operation == "GetAuthorizationToken" else None
    said = stage.run(*NAMES, expect=2).stderr
    assert said.count("\n") == 1
    assert said.startswith("error: ecr:GetAuthorizationToken is not allowed")


def test_credentials_that_expire_half_way_stop_it_once_and_for_all(stage):
    stage.api.choose = lambda operation: "ExpiredTokenException" if stage.api.calls.total() > 12 else None
    said = stage.run(*NAMES, expect=1).stderr.splitlines()
    assert len(said) == 2
    assert said[0].endswith(", 0 failed")
    assert "images: the AWS credentials are not valid any more; sign in again" in said[1]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["@/dev/zero"], "a list of images is a file or a pipe, and this is a device"),
        (["@none"], "none: No such file or directory"),
        (["mcr.microsoft.com/x"], "nothing to do"),
        (["Nginx"], "nothing to do"),
        ([NAMES[0], "--registry-url", "http://example.com"], "in the clear"),
    ],
)
def test_mistakes_are_sentences(stage, arguments, said):
    assert said in stage.run(*arguments, expect=2).stderr


@pytest.mark.parametrize(
    "first", ["\ufeff", "", "# caf\udce9\n"], ids=["a byte order mark", "nothing", "a remark in Latin-1"]
)
def test_a_list_may_begin_with(stage, tmp_path, first):
    text = f"{first}{NAMES[0]}\n{NAMES[1]}\n".encode("utf-8", "surrogateescape")
    (tmp_path / "list").write_bytes(text)
    assert stage.run(f"@{tmp_path / 'list'}").stderr.startswith("2 imported")


def test_a_list_in_utf_16_is_said_to_be_one(stage, tmp_path):
    (tmp_path / "list").write_text(NAMES[0], encoding="utf-16")
    assert "this is text in UTF-16; write it in UTF-8" in stage.run(f"@{tmp_path / 'list'}", expect=2).stderr


@pytest.mark.parametrize(
    "line", ["Nginx", "registry.k8s.io/pause:3.10:1", "\x1b[31mred", "caf\udce9:1", "a b", "x" * 70_000]
)
def test_a_line_that_is_no_image_is_not_passed_over(stage, tmp_path, line):
    (tmp_path / "list").write_bytes(f"{NAMES[0]}\n{line}\n".encode("utf-8", "surrogateescape"))
    done = stage.run(f"@{tmp_path / 'list'}", "--json", expect=1)
    said = done.stderr.splitlines()
    assert all(text.isprintable() for text in said)
    assert said[-1].startswith("1 imported, 0 there already, 0 done earlier, ")
    assert not said[-1].endswith(" 0 failed")
    assert [json.loads(text)["state"] for text in done.stdout.splitlines()][-1] == "done"


def test_a_journal_is_a_file(stage):
    assert "a journal is a file, and this is none" in stage.run(NAMES[0], "--journal", "/dev/full", expect=2).stderr


def test_a_disk_that_is_full_keeps_what_is_written(stage, tmp_path):
    journal = tmp_path / "journal"
    done = subprocess.run(
        stage.command(*NAMES, "--journal", journal),
        env=stage.environment, capture_output=True, text=True, check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, 1_000)),
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.endswith("the journal cannot be written: no room is left\n")
    whole = journal.read_bytes().count(b"\n") - 1
    assert whole > 3
    assert f"{whole} done earlier, 0 failed" in stage.run(*NAMES, "--journal", journal).stderr


def test_digest_in_the_list_is_kept_apart(stage):
    assert "pinned by digest: 1" in stage.run(f"registry.k8s.io/team/app-0:v0@{DIGEST}", expect=1).stderr
