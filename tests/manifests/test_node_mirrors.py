"""The script that keeps containerd's mirrors signed in, run by the shells of nodes."""

import base64
import os
import subprocess
import tomllib
from configparser import ConfigParser
from pathlib import Path
from shutil import which

import pytest

from ecr_pull_through_cache.manifests.node_mirrors import SCRIPT_PATH, mirror_files
from tests.corpus import HOST

SHELLS = [shell for shell in ("dash", "bash") if which(shell)]
ANSWER = '{"auth":{"HOST":{"username":"AWS","password":"%s"}}}'


@pytest.fixture(params=SHELLS)
def node(request, tmp_path):
    return Node(request.param, tmp_path)


class Node:
    """A folder with the script, a provider that answers as the stock one does, and containerd's folder."""

    def __init__(self, shell: str, root: Path) -> None:
        self.shell, self.script, self.provider, self.certs = shell, root / "script", root / "provider", root / "certs.d"
        files = mirror_files(HOST, {"docker.io": "hub", "registry.k8s.io": "team/k8s", "quay.io": ""}, certs="/unused")
        self.script.write_text(files[SCRIPT_PATH])

    def run(self, token=None, *, expect=0):
        answer = "exit 1" if token is None else f"cat > {self.provider}.request; printf '%s' '{ANSWER % token}'"
        self.provider.write_text(f"#!/bin/sh\n{answer}\n")
        self.provider.chmod(0o755)
        done = subprocess.run(
            [self.shell, self.script], capture_output=True, text=True, check=False,
            env={"PATH": os.environ["PATH"], "PROVIDER": str(self.provider), "CERTS": str(self.certs)},
        )  # fmt: skip
        assert done.returncode == expect, done.stderr
        return done.stderr

    def hosts(self, host):
        return self.certs / host / "hosts.toml"


def test_only_the_table_of_the_cache_has_the_token(node):
    node.run("abc+/=")
    table = tomllib.loads(node.hosts("docker.io").read_text())
    basic = base64.b64encode(b"AWS:abc+/=").decode()
    assert table == {
        "server": "https://registry-1.docker.io",
        "host": {
            f"https://{HOST}/v2/hub": {
                "capabilities": ["pull", "resolve"],
                "override_path": True,
                "header": {"authorization": f"Basic {basic}"},
            }
        },
    }
    assert list(tomllib.loads(node.hosts("quay.io").read_text())["host"]) == [f"https://{HOST}/v2"]
    assert list(tomllib.loads(node.hosts("registry.k8s.io").read_text())["host"]) == [f"https://{HOST}/v2/team/k8s"]
    assert node.hosts("docker.io").stat().st_mode & 0o777 == 0o600


def test_a_new_token_replaces_the_old_one_and_leaves_no_other_file(node):
    node.run("old")
    node.run("new")
    assert base64.b64encode(b"AWS:new").decode() in node.hosts("docker.io").read_text()
    assert [path.name for path in (node.certs / "docker.io").iterdir()] == ["hosts.toml"]


def test_a_failure_is_seen_and_keeps_a_token_that_still_lives(node):
    node.run("abc")
    assert f"gave no token for {HOST}" in node.run(expect=1)
    assert node.hosts("docker.io").exists()


def test_a_token_that_is_too_old_is_removed(node):
    node.run("abc")
    path = node.hosts("docker.io")
    old = path.stat().st_mtime - 661 * 60
    os.utime(path, (old, old))
    assert "whose token is too old" in node.run(expect=1)
    assert not path.exists()
    assert node.hosts("quay.io").exists()


def test_a_file_of_others_is_left_and_said(node):
    path = node.hosts("docker.io")
    path.parent.mkdir(parents=True)
    path.write_text('server = "https://mine.example"\n')
    assert "which it has not written" in node.run("abc", expect=1)
    assert path.read_text() == 'server = "https://mine.example"\n'
    assert node.hosts("quay.io").exists()


def test_the_service_runs_the_script_and_the_timer_runs_the_service_well_before_a_token_ends():
    files = {Path(name).name: text for name, text in mirror_files(HOST, {"quay.io": "q"}, certs="/c").items()}
    service, timer = (ConfigParser(strict=False) for _ in range(2))
    service.read_string(files["ecr-mirrors.service"])
    timer.read_string(files["ecr-mirrors.timer"])
    assert service["Service"]["ExecStart"] == SCRIPT_PATH
    assert service["Service"]["Restart"] == "on-failure"
    assert timer["Timer"]["OnUnitInactiveSec"] == "4h"
    assert "Unit" not in timer["Timer"], "a timer starts the service of its own name"


def test_an_answer_without_a_token_is_a_failure(node):
    node.run("", expect=1)
    assert not node.certs.exists()
