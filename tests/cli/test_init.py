"""``init``: from flags, from what runs in a cluster, and from answers at a real terminal."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from ecr_pull_through_cache.configuration import load, parse
from tests.support.command_line import cli

FLAGS = ["--account", "platform=111122223333", "--region", "eu-west-1"]
PODS = json.dumps({
    "items": [{
        "metadata": {"name": "a", "namespace": "b"},
        "spec": {"containers": [
            {"name": str(n), "image": image}
            for n, image in enumerate(["nginx", "redis:7", "registry.k8s.io/pause:3.10", "gcr.io/x", "mcr.microsoft.com/y"])
        ]},
    }],
})  # fmt: skip


def at_a_terminal(answers: list[str], *arguments: str, cwd: Path) -> tuple[int, str]:
    """Exit code and everything that a person would have seen."""
    ours, theirs = pty.openpty()
    done = subprocess.Popen(
        [Path(sys.executable).with_name("ecr-pull-through"), "init", *arguments],
        stdin=theirs, stdout=theirs, stderr=theirs, cwd=cwd,
        env={k: v for k, v in os.environ.items() if not k.startswith("AWS_")},
    )  # fmt: skip
    os.close(theirs)
    os.write(ours, "".join(f"{answer}\n" for answer in answers).encode())
    seen = b""
    while True:
        try:
            read = os.read(ours, 4096)
        except OSError:  # how Linux says that the other side is closed
            break
        if not read:
            break
        seen += read
    os.close(ours)
    return done.wait(timeout=60), seen.decode()


def test_flags_alone_make_a_file(tmp_path):
    done = cli(
        "init", "new/cache.yaml", *FLAGS, "--upstream", "registry.k8s.io", "--upstream", "hub=docker.io/library",
        "--replica", "us-east-1", "--replica", "444455556666/eu-central-1", "--organization", "o-exampleorg1",
        "--account", "prod=222233334444", "--cluster", "demo", "--cluster", "far=prod/us-east-1",
        "--role", "demo=demo-nodes", "--role", "far=far-nodes:karpenter", "--rewrite", "cluster-policy", cwd=tmp_path,
    )  # fmt: skip
    assert "new/cache.yaml is written" in done.stderr
    found = load(tmp_path / "new/cache.yaml")
    main, demo, far = found.registries["main"], found.clusters["demo"], found.clusters["far"]
    assert {prefix: plan.cached.upstream.host for prefix, plan in main.pulled_through.items()} == {
        "k8s": "registry.k8s.io", "hub": "docker.io",
    }  # fmt: skip
    assert [str(place) for place in main.replicate_to] == ["111122223333/us-east-1", "444455556666/eu-central-1"]
    assert (main.pullers.organization, demo.registry.name, far.registry.name) == ("o-exampleorg1", "main", "us-east-1")
    assert str(far.environment) == "222233334444/us-east-1"
    assert [(nodes.role, nodes.kind.value) for nodes in far.nodes] == [("far-nodes", "karpenter")]
    assert demo.rewrite.form.value == "cluster-policy"


def test_a_file_is_never_overwritten_without_force(tmp_path):
    file = tmp_path / "cache.yaml"
    file.write_text("mine")
    arguments = ["init", file, *FLAGS, "--upstream", "quay.io"]
    assert cli(*arguments, expect=2).stderr == f"error: {file} exists; give another name, or --force to overwrite it\n"
    assert file.read_text() == "mine"
    cli(*arguments, "--force")
    assert load(file).registries["main"].pulled_through.keys() == {"quay"}


def test_what_is_refused_leaves_the_file_as_it_was(tmp_path):
    file = tmp_path / "cache.yaml"
    file.write_text("mine")
    cli("init", file, "--force", *FLAGS, "--upstream", "quay.io", "--replica", "cn-north-1", expect=2)
    assert file.read_text() == "mine"


def test_a_role_may_hold_an_equals_sign(tmp_path):
    out = cli("init", "-", *FLAGS, "--upstream", "quay.io", "--cluster", "demo", "--role", "a=b").stdout
    assert [nodes.role for nodes in parse(out).clusters["demo"].nodes] == ["a=b"]


def test_the_upstreams_that_really_run_are_proposed_with_their_numbers(tmp_path):
    done = cli("init", "-", *FLAGS, "--from-cluster", "-", stdin=PODS)
    assert parse(done.stdout).registries["main"].pulled_through.keys() == {"docker-hub", "k8s"}
    assert "docker-hub: # 2 images of the cluster" in done.stdout
    assert (
        "# Not cached, because ECR has no such upstream: gcr.io (1 image), mcr.microsoft.com (1 image)." in done.stdout
    )
    assert done.stderr.splitlines() == [
        "docker.io: 2 images",
        "registry.k8s.io: 1 image",
        "gcr.io: 1 image, which ECR cannot pull through",
        "mcr.microsoft.com: 1 image, which ECR cannot pull through",
    ]


def test_an_upstream_that_is_given_as_well_keeps_its_prefix(tmp_path):
    (tmp_path / "pods.json").write_text(PODS)
    out = cli("init", "-", *FLAGS, "--from-cluster", tmp_path / "pods.json", "--upstream", "hub=docker.io").stdout
    assert parse(out).registries["main"].pulled_through.keys() == {"hub", "k8s"}
    assert "hub: # 2 images of the cluster" in out


def test_the_inventory_of_this_command_line_is_read_as_well():
    rules = ["--host", "111122223333.dkr.ecr.eu-west-1.amazonaws.com", "--upstream", "k8s=registry.k8s.io"]
    taken = cli("inventory", "-", *rules, "--output", "json", stdin=PODS).stdout
    out = cli("init", "-", *FLAGS, "--from-cluster", "-", stdin=taken).stdout
    assert parse(out).registries["main"].pulled_through.keys() == {"docker-hub", "k8s"}


def test_a_live_cluster_is_asked_by_kubectl(tmp_path, monkeypatch):
    kubectl = tmp_path / "kubectl"
    kubectl.write_text(f'#!/bin/sh\n[ "$7" = prod ] || exit 1\ncat <<END\n{PODS}\nEND\n')
    kubectl.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    out = cli("init", "-", *FLAGS, "--from-cluster", "kubectl", "--context", "prod").stdout
    assert parse(out).registries["main"].pulled_through.keys() == {"docker-hub", "k8s"}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "--account and --region and --upstream or --from-cluster must be given where there is no terminal to ask at"),
        (["--account", "1", "--region", "eu-west-1", "--upstream", "quay.io"], "'1' is not an account; write 12 digits"),
        ([*FLAGS[:2], "--region", "eu-wets-1", "--upstream", "quay.io"], "(did you mean 'eu-west-1'?)"),
        ([*FLAGS, "--upstream", "gcr.io"], "'gcr.io' is not an upstream registry that Amazon ECR can pull through"),
        ([*FLAGS, "--upstream", "=quay.io"], "'=quay.io' is not an upstream; write HOST or PREFIX=HOST"),
        ([*FLAGS, "--upstream", "quay.io", "--rewrite", "magic"], "--rewrite 'magic' is not known; allowed are"),
        ([*FLAGS, "--upstream", "quay.io", "--role", "a"], "--role 'a' does not say whose it is"),
        ([*FLAGS, "--upstream", "quay.io", "--cluster", "a=mars"], "'mars' is not a Region"),
        ([*FLAGS, "--upstream", "quay.io", "--replica", "prod/us-east-1"], "'prod' is not an account"),
        ([*FLAGS, "--from-cluster", "nowhere.json"], "nowhere.json: No such file or directory"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_one_sentence(arguments, sentence, tmp_path):
    done = cli("init", *arguments, cwd=tmp_path, expect=2)
    assert sentence in done.stderr
    assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_cluster_with_nothing_to_cache_is_said_so():
    pods = PODS.replace("nginx", "gcr.io/a").replace("redis:7", "gcr.io/b").replace("registry.k8s.io", "gcr.io")
    done = cli("init", "-", *FLAGS, "--from-cluster", "-", stdin=pods, expect=2)
    assert "no image there comes from a registry that ECR can pull through" in done.stderr.splitlines()[-1]


def test_a_person_is_asked_for_everything_and_again_after_a_mistake(tmp_path):
    code, seen = at_a_terminal(
        ["12", "platform=111122223333", "eu-wets-1", "eu-west-1", "quay.io, hub=docker.io", "us-east-1", "demo, far",
         "", "demo-nodes:karpenter", "us-east-1", "", "mutating-admission-policy"],
        cwd=tmp_path,
    )  # fmt: skip
    assert code == 0, seen
    assert "'12' is not an account" in seen
    assert "did you mean 'eu-west-1'?" in seen
    found = load(tmp_path / "cache.yaml")
    assert found.registries["main"].pulled_through.keys() == {"quay", "hub"}
    assert {name: plan.registry.name for name, plan in found.clusters.items()} == {"demo": "main", "far": "us-east-1"}
    assert [nodes.role for nodes in found.clusters["demo"].nodes] == ["demo-nodes"]
    assert {plan.rewrite.form.value for plan in found.clusters.values()} == {"mutating-admission-policy"}


def test_a_person_may_leave_out_what_runs_in_the_cluster_and_most_answers(tmp_path):
    (tmp_path / "pods.json").write_text(PODS)
    code, seen = at_a_terminal(
        ["111122223333", "eu-west-1", "n", "y", "", ""], "--from-cluster", "pods.json", cwd=tmp_path
    )
    assert code == 0, seen
    assert "Cache docker.io?" in seen
    found = load(tmp_path / "cache.yaml")
    assert found.registries["main"].pulled_through.keys() == {"k8s"}
    assert found.clusters == {}


def test_what_flags_say_is_not_asked_again(tmp_path):
    code, seen = at_a_terminal(
        ["eu-west-1", "", ""], "-", "--account", "111122223333", "--upstream", "quay.io", cwd=tmp_path
    )
    assert code == 0, seen
    assert "Account of the registry" not in seen
    assert "quay: quay.io" in seen
