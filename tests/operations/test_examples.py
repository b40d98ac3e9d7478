"""The example in the help of each verb that asks AWS, run as it stands there against an AWS on the loopback."""

import re
import shlex

import pytest
from typer.testing import CliRunner

from ecr_pull_through_cache.cli import app
from tests.emulators.aws import OWN
from tests.support import ROOT

ACCOUNT = "111122223333"


def example(verb):
    shown = CliRunner().invoke(app, [verb, "--help"]).stdout
    text = " ".join(re.sub(r"-\n\s+", "-", shown).split())  # an option is broken after its hyphen
    match = re.search(r"Example: ecr-pull-through (.+?)(?= Arguments:| Options:|$)", text)
    return shlex.split(match[1])


EXPECTED = {
    "backfill": (0, "main: k8s/pause: imageTagMutability"),
    "check": (1, "demo: role demo-node-role: is not there"),
    "purge": (0, f"{ACCOUNT}/us-east-1: k8s/pause: would be deleted"),
}


@pytest.mark.parametrize("verb", EXPECTED)
def test_the_example_does_what_the_help_says(loopback, monkeypatch, verb):
    monkeypatch.chdir(ROOT)
    # The caller's own credentials are those of the account in the example's configuration.
    monkeypatch.setitem(loopback.keys, "testing", ACCOUNT)
    loopback.rule((ACCOUNT, "us-east-1"), "k8s", "registry.k8s.io", created=0)
    loopback.template((ACCOUNT, "us-east-1"), "k8s", imageTagMutability="IMMUTABLE", appliedFor=["PULL_THROUGH_CACHE"])
    loopback.client("ecr", "us-east-1").create_repository(repositoryName="k8s/pause")
    code, line = EXPECTED[verb]
    done = CliRunner().invoke(app, example(verb))
    assert done.exit_code == code, done.output
    assert line in done.output
    assert OWN not in done.output


@pytest.mark.parametrize("verb", EXPECTED)
def test_the_help_says_what_the_exit_codes_mean(verb):
    text = " ".join(CliRunner().invoke(app, [verb, "--help"]).stdout.split())
    assert re.search(r"Exit codes: 0 [a-z ]+, 1 [a-z ]+, 2 [a-z ]+", text)
