"""How every command ends, whatever its environment does: one sentence, the documented exit code, and no traceback."""

from __future__ import annotations

import os
import pty
import select
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.corpus import HOST
from tests.emulators.answers import answers, image
from tests.faults import Fault
from tests.support import ROOT
from tests.support.command_line import RULES

pytestmark = pytest.mark.slow  # each is a process of its own
PROGRAM = Path(sys.executable).with_name("ecr-pull-through")
CONFIG = ["--config", "environments/minimal.yaml"]
EVERY = "one sentence, exit code 2, the same in every command"
FAULTS = [
    Fault(verb="every", fault="no AWS credentials", outcome=EVERY),
    Fault(verb="every", fault="a proxy without a scheme", outcome="it is reached by HTTP, as by AWS's own tools"),
    Fault(verb="every", fault="a proxy for SOCKS, of a wrong port, or no address at all", outcome=EVERY),
    Fault(verb="every", fault="`AWS_CA_BUNDLE` names no certificates", outcome=EVERY),
    Fault(verb="every", fault="no Node.js on the path", outcome="nothing: only `cdk` needs it"),
    Fault(verb="every", fault="an output that is full", outcome=EVERY),
    Fault(verb="every", fault="a pipe that nobody reads any more", outcome="it ends without a word, exit code 141"),
    Fault(verb="every", fault="an encoding of the output that lacks a character", outcome=EVERY),
    Fault(verb="every", fault="Ctrl-C at any moment", outcome="it ends within two seconds, exit code 130"),
    Fault(verb="every", fault="an error of the program itself", outcome=f"{EVERY}; it says where, and how to show all of it"),
]  # fmt: skip
WITH_AWS = {
    "check": ["check", *CONFIG],
    "backfill": ["backfill", *CONFIG],
    "purge": ["purge", "k8s", *CONFIG, "--registry", "main"],
    "warm": ["warm", "registry.k8s.io/pause:3.10", *CONFIG],
}
LOCAL = {
    "image": ["image", "nginx", *RULES],
    "describe": ["describe", *CONFIG],
    "diagram": ["diagram", *CONFIG],
    "iam": ["iam", "check", *CONFIG],
    "cluster-config": ["cluster-config", "kubeadm", *RULES],
    "policy": ["policy", *RULES],
    "init": ["init", "-", "--account", "111122223333", "--region", "eu-west-1", "--upstream", "registry.k8s.io"],
    "help": ["--help"],
}


def environment(tmp_path, **more):
    kept = {k: v for k, v in os.environ.items() if not k.startswith("AWS_") and "proxy" not in k.lower()}
    files = {"AWS_CONFIG_FILE": str(tmp_path / "config"), "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "credentials")}
    return {**kept, **files, "AWS_EC2_METADATA_DISABLED": "true", **more}


SIGNED_IN = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}


def run(arguments, env, **options):
    done = subprocess.run(
        [PROGRAM, *arguments], env=env, cwd=ROOT, stderr=subprocess.PIPE, text=True, check=False, timeout=60,
        **{"stdout": subprocess.PIPE, **options},
    )  # fmt: skip
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
    return done


def one_sentence(done, code=2):
    assert done.returncode == code, done.stderr
    lines = done.stderr.splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("error: ")
    return lines[0]


@pytest.mark.parametrize("verb", WITH_AWS)
class TestAws:
    def test_without_credentials(self, tmp_path, verb):
        done = run(WITH_AWS[verb], environment(tmp_path))
        assert "no AWS credentials are found; sign in" in one_sentence(done)
        assert done.stdout == ""

    def test_and_as_json_there_is_no_empty_list(self, tmp_path, verb):
        done = run([*WITH_AWS[verb], "--json"], environment(tmp_path))
        assert (done.returncode, done.stdout) == (2, "")

    @pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:1080", "http://127.0.0.1:99999", "http://[::1"])
    def test_a_proxy_that_is_none(self, tmp_path, verb, proxy):
        done = run(WITH_AWS[verb], environment(tmp_path, **SIGNED_IN, HTTPS_PROXY=proxy))
        assert done.returncode == 2
        assert "is no HTTP proxy; write http://HOST:PORT" in done.stderr

    def test_certificates_that_are_none(self, tmp_path, verb):
        done = run(WITH_AWS[verb], environment(tmp_path, **SIGNED_IN, AWS_CA_BUNDLE="/nowhere"))
        assert done.returncode == 2
        assert "/nowhere: the certificates to trust cannot be read" in done.stderr

    def test_a_profile_that_is_none(self, tmp_path, verb):
        done = run([*WITH_AWS[verb], "--profile", "none"], environment(tmp_path, **SIGNED_IN))
        assert "the AWS configuration cannot be used: The config profile (none) could not be found" in one_sentence(
            done
        )


def test_a_proxy_without_a_scheme_is_used_as_aws_s_own_tools_use_it(tmp_path):
    with answers() as proxy:
        env = environment(tmp_path, **SIGNED_IN, HTTPS_PROXY=proxy.host, AWS_MAX_ATTEMPTS="1")
        done = run(["warm", f"{HOST}/k8s/a:1", *RULES, "--registry-url", "https://registry.test"], env)
    assert done.returncode == 2
    assert "Failed to connect to proxy" in done.stderr or "proxy" in done.stderr.lower()


@pytest.mark.parametrize("verb", LOCAL)
class TestOutput:
    def test_that_is_full(self, tmp_path, verb):
        with Path("/dev/full").open("w") as full:
            done = run(LOCAL[verb], environment(tmp_path), stdout=full)
        assert done.returncode == 2
        assert "No space left on device" in done.stderr

    def test_that_nobody_reads(self, tmp_path, verb):
        reader, writer = os.pipe()
        os.close(reader)
        done = run(LOCAL[verb], environment(tmp_path), stdout=writer)
        os.close(writer)
        assert (done.returncode, done.stderr) == (141, "")

    def test_without_node(self, tmp_path, verb):
        done = run(LOCAL[verb], environment(tmp_path, PATH="/nonexistent"))
        assert done.returncode == 0, done.stderr


def test_an_error_output_that_is_full_changes_no_exit_code(tmp_path):
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [PROGRAM, "describe", "--config", "none"], env=environment(tmp_path), stderr=full, check=False
        )
    assert done.returncode == 2


def test_an_encoding_that_lacks_a_character(tmp_path):
    pods = '{"kind": "List", "items": [{"kind": "Pod", "metadata": {"name": "p\u00fc"}, "spec": {"containers": [{"name": "a", "image": "quay.io/a:1"}]}}]}'
    (tmp_path / "\u00fc.json").write_text(pods)
    env = environment(tmp_path, PYTHONIOENCODING="ascii:strict")
    done = run(["inventory", str(tmp_path / "\u00fc.json"), "--output", "csv", *RULES], env)
    assert "the output is in ascii, which has no '\\\\xfc'; set LC_ALL=C.UTF-8" in one_sentence(done)


def test_a_name_of_a_file_that_is_no_text_is_no_traceback(tmp_path):
    name = os.fsdecode(b"caf\xe9.yaml")
    (tmp_path / name).write_text("kind: Pod\nspec:\n  containers:\n  - {name: a, image: nginx}\n")
    done = subprocess.run(
        [PROGRAM, "rewrite", str(tmp_path), "--check", *RULES], env=environment(tmp_path, PYTHONIOENCODING="utf-8:strict"),
        cwd=ROOT, capture_output=True, check=False,
    )  # fmt: skip
    assert b"Traceback" not in done.stderr
    assert done.returncode == 1


def test_an_error_of_the_program_itself(tmp_path):
    code = (
        "import ecr_pull_through_cache.cli.describe as d, ecr_pull_through_cache.configuration as c\n"
        "def broken(*_): raise KeyError('x')\n"
        "c.load = broken\n"
        "import sys; sys.argv = ['ecr-pull-through', 'describe', '--config', 'environments/minimal.yaml']\n"
        "from ecr_pull_through_cache.cli import main; main()\n"
    )
    env = environment(tmp_path)
    done = subprocess.run([sys.executable, "-c", code], env=env, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("error: this is a fault of ecr-pull-through: KeyError: 'x' at cli/describe.py:")
    env["ECR_PULL_THROUGH_TRACEBACK"] = "1"
    done = subprocess.run([sys.executable, "-c", code], env=env, cwd=ROOT, capture_output=True, text=True, check=False)
    assert "Traceback" in done.stderr


class TestInterrupted:
    def interrupted(self, process, after):
        time.sleep(after)
        begin = time.monotonic()
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=20)
        assert time.monotonic() - begin < 2.5, "two seconds, and what a busy machine adds"
        assert b"Traceback" not in said
        assert b"Exception ignored" not in said
        return process.returncode

    @pytest.mark.parametrize("after", [0.1, 0.2, 0.3, 0.5, 0.8])
    def test_while_it_starts(self, tmp_path, after):
        process = subprocess.Popen(
            [PROGRAM, "inventory", "-", *RULES], env=environment(tmp_path), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )  # fmt: skip
        code = self.interrupted(process, after)
        assert code in ({130, -signal.SIGINT} if after < 0.3 else {130}), "Python itself, before the program begins"

    @pytest.mark.parametrize("verb", WITH_AWS)
    def test_while_aws_does_not_answer(self, tmp_path, verb):
        with socket.create_server(("127.0.0.1", 0)) as silent:
            env = environment(tmp_path, **SIGNED_IN, AWS_ENDPOINT_URL=f"http://127.0.0.1:{silent.getsockname()[1]}")
            process = subprocess.Popen(
                [PROGRAM, *WITH_AWS[verb]], env=env, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
            )
            assert self.interrupted(process, 3) == 130

    def test_while_a_list_is_waited_for(self, tmp_path, loopback):
        env = environment(tmp_path, **{**SIGNED_IN, **loopback.environment})
        with answers() as registry:
            registry.by_end["good"] = image()
            process = subprocess.Popen(
                [PROGRAM, "warm", "-", *RULES, "--no-wait", "--json", "--registry-url", f"http://{registry.host}"],
                env=env, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            )  # fmt: skip
            process.stdin.write(b"registry.k8s.io/app:good\nregistry.k8s.io/app:good\n" + b"registry.k8s.io/b:good\n")
            process.stdin.flush()
            assert self.interrupted(process, 4) == 130

    def test_while_the_output_is_not_read(self, tmp_path, loopback):
        env = environment(tmp_path, **{**SIGNED_IN, **loopback.environment})
        (tmp_path / "list").write_text("".join(f"registry.k8s.io/app:v{n}\n" for n in range(2_000)))
        with answers() as registry:
            process = subprocess.Popen(
                [PROGRAM, "warm", f"@{tmp_path / 'list'}", *RULES, "--no-wait", "--json", "--rate", "0", "--registry-url", f"http://{registry.host}"],
                env=env, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            )  # fmt: skip
            assert select.select([process.stdout], [], [], 30)[0]
            time.sleep(3)
            begin = time.monotonic()
            process.send_signal(signal.SIGINT)
            assert process.wait(10) == 130
            assert time.monotonic() - begin < 2.5
            process.communicate()

    def test_at_a_question(self, tmp_path):
        main, terminal = pty.openpty()
        process = subprocess.Popen(
            [PROGRAM, "init", str(tmp_path / "x.yaml")], env=environment(tmp_path), stdin=terminal, stdout=terminal, stderr=subprocess.PIPE
        )  # fmt: skip
        os.close(terminal)
        try:
            assert self.interrupted(process, 2.5) == 130
        finally:
            os.close(main)
        assert not (tmp_path / "x.yaml").exists()
