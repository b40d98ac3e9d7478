"""Options that do nothing without another one, or against it, are refused before anything is asked or done."""

import pytest
from typer.testing import CliRunner

from ecr_pull_through_cache.cli import app
from ecr_pull_through_cache.errors import UserError
from tests.support import ROOT
from tests.support.command_line import RULES, cli

WARM = ("warm", "registry.k8s.io/pause:3.10")


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        (("check", "--yes"), "--yes applies the fixes of --fix"),
        (("backfill", "--no-wait"), "--no-wait goes with --replication"),
        (("backfill", "--replication", "--prefix", "k8s"), "leave --prefix and --replace out"),
        (("backfill", "--replication", "--replace", "resourceTags"), "leave --prefix and --replace out"),
        ((*WARM, "--replicas", "--no-wait"), "--replicas waits for the replicas"),
        ((*WARM, "--replicas", "--wait", "0"), "--replicas waits for the replicas"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_a_combination_that_would_do_something_else_than_it_says(command, sentence):
    done = CliRunner().invoke(app, [*command, "--config", str(ROOT / "environments/minimal.yaml")])
    assert isinstance(done.exception, UserError)
    assert sentence in str(done.exception)
    assert done.output == ""


def test_a_configuration_without_clusters_has_registries(tmp_path):
    (tmp_path / "hub.yaml").write_text(
        'accounts: {hub: "111122223333"}\n'
        "registries: {main: {account: hub, region: eu-west-1, upstreams: {k8s: registry.k8s.io}}}\n"
    )
    done = CliRunner().invoke(app, [*WARM, "--config", str(tmp_path / "hub.yaml")])
    assert isinstance(done.exception, UserError)
    assert str(done.exception).endswith("no cluster in it; give --registry with the name of a registry")


def test_what_is_nested_without_end_is_one_sentence(tmp_path):
    path = tmp_path / "deep.json"
    path.write_text('{"kind":' * 100_000)
    done = cli("inventory", path, *RULES, expect=2)
    assert done.stderr == "error: something given is nested too deeply, or contains itself\n"
