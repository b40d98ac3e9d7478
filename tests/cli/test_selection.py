"""Which cache a command uses: options, then environment variables, then cache.yaml in the working folder."""

import shutil

import pytest

from tests.corpus import HOST
from tests.support import ROOT
from tests.support.command_line import cli

VARIABLES = ("ECR_PULL_THROUGH_CONFIG", "ECR_PULL_THROUGH_HOST", "ECR_PULL_THROUGH_UPSTREAMS")
PAUSE = "registry.k8s.io/pause:3.10"
HERE = f"{HOST}/mirror/pause:3.10\n"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture
def with_file(folder):
    shutil.copy(ROOT / "environments/minimal.yaml", folder / "cache.yaml")
    return folder


def image(folder, *options, expect=0):
    return cli("image", PAUSE, *options, cwd=folder, expect=expect)


def test_host_and_upstreams_come_from_the_environment(folder, monkeypatch):
    monkeypatch.setenv("ECR_PULL_THROUGH_HOST", HOST)
    monkeypatch.setenv("ECR_PULL_THROUGH_UPSTREAMS", "mirror=registry.k8s.io hub=docker.io")
    assert image(folder).stdout == HERE
    monkeypatch.setenv("ECR_PULL_THROUGH_UPSTREAMS", "mirror=registry.k8s.io,hub=docker.io")
    assert image(folder).stdout == HERE


def test_an_option_comes_before_its_variable(folder, monkeypatch):
    monkeypatch.setenv("ECR_PULL_THROUGH_HOST", HOST)
    monkeypatch.setenv("ECR_PULL_THROUGH_UPSTREAMS", "other=registry.k8s.io")
    assert image(folder, "--upstream", "mirror=registry.k8s.io").stdout == HERE


def test_without_options_cache_yaml_is_used(with_file):
    found = image(with_file, "--registry", "main").stdout
    assert found == image(ROOT, "--config", "environments/minimal.yaml", "--registry", "main").stdout
    assert found.endswith("/k8s/pause:3.10\n")


def test_a_host_comes_before_cache_yaml(with_file):
    assert image(with_file, "--host", HOST, "--upstream", "mirror=registry.k8s.io").stdout == HERE


def test_a_variable_names_another_file(with_file, monkeypatch):
    (with_file / "cache.yaml").rename(with_file / "other.yaml")
    assert "no cache is selected" in image(with_file, expect=2).stderr
    monkeypatch.setenv("ECR_PULL_THROUGH_CONFIG", "other.yaml")
    assert image(with_file, "--registry", "main").stdout.endswith("/k8s/pause:3.10\n")
    assert "registry-main" in cli("describe", cwd=with_file).stdout


def test_a_file_of_the_command_line_comes_before_a_host_of_the_environment(with_file, monkeypatch):
    monkeypatch.setenv("ECR_PULL_THROUGH_HOST", HOST)
    monkeypatch.setenv("ECR_PULL_THROUGH_UPSTREAMS", "mirror=registry.k8s.io")
    found = image(with_file, "--config", "cache.yaml", "--registry", "main").stdout
    assert not found.startswith(HOST)
    assert found.endswith("/k8s/pause:3.10\n")


def test_two_caches_in_the_environment_are_refused(with_file, monkeypatch):
    monkeypatch.setenv("ECR_PULL_THROUGH_HOST", HOST)
    monkeypatch.setenv("ECR_PULL_THROUGH_CONFIG", "cache.yaml")
    error = "ECR_PULL_THROUGH_CONFIG and ECR_PULL_THROUGH_HOST are both set, and select two caches; unset one of them"
    assert image(with_file, expect=2).stderr == f"error: {error}\n"


@pytest.mark.parametrize("command", ["describe", "diagram", "check", "backfill", "synth", "iam"])
def test_a_file_that_is_not_there_is_one_sentence(folder, command):
    done = cli(command, *(["check"] if command == "iam" else []), cwd=folder, expect=2)
    assert done.stderr == (
        "error: cache.yaml: the configuration cannot be read: No such file or directory; write one with "
        "`ecr-pull-through init`, or name another one with --config\n"
    )
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("words", "values"),
    [
        ("image --cluster ", {"prod-eu", "prod-us", "prod-private", "batch-ecs", "dev-self-hosted"}),
        ("image --cluster prod-e", {"prod-eu"}),
        ("check --registry ", {"hub", "america", "frankfurt"}),
        ("purge k8s --registry f", {"frankfurt"}),
        ("cluster-config ", {"kubeadm", "kops", "containerd", "k3s", "cri-o"}),
        ("iam ", {"warm", "try", "backfill", "check", "purge"}),
        ("inventory --output ", {"table", "json", "csv", "images"}),
    ],
)
def test_the_shell_completes_values(folder, monkeypatch, words, values):
    shutil.copy(ROOT / "environments/example.yaml", folder / "cache.yaml")
    line = f"ecr-pull-through {words}"
    monkeypatch.setenv("_ECR_PULL_THROUGH_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", line)
    monkeypatch.setenv("COMP_CWORD", str(len(line.split(" ")) - 1))
    assert set(cli(cwd=folder).stdout.split()) == values
