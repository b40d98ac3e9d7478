"""describe: what a configuration would deploy where, day two included."""

import json
import re

import pytest
from typer.testing import CliRunner

from ecr_pull_through_cache.cli import app
from tests.support.command_line import cli


@pytest.fixture
def describe(monkeypatch):
    monkeypatch.setenv("COLUMNS", "160")

    def run(*options):
        done = CliRunner().invoke(app, ["describe", *options])
        assert done.exit_code == 0, done.output
        return done.output

    return run


def test_it_uses_the_words_of_the_configuration(describe):
    shown = describe()
    for line in (
        "upstreams      ecr-public (public.ecr.aws), k8s (registry.k8s.io)",
        "replicateTo    111122223333/eu-central-1, 111122223333/us-east-1",
        "pull           o-exampleorg1",
        "organization   222233334444, 333344445555 must belong to o-exampleorg1; `check` asks them",
        "warm           images.txt in the warmer's bucket, cron(0 2 * * ? *)",
        "warm           3 images, cron(0 3 * * ? *)",
        "backfill       existing repositories get the settings of their template",
        "dashboard      pulls, imports, failures, storage and quotas",
        "emptyOnDelete  cached images are deleted with the stack",
        "registry       frankfurt",
        "import         false, pull only",
        "rewrite        mutating-admission-policy",
    ):
        assert line in shown


def test_programs_are_told_too(describe):
    registries = json.loads(describe("--json"))["registries"]
    day_two = {
        name: [registry[key] for key in ("warm", "backfill", "dashboard", "emptyOnDelete")]
        for name, registry in registries.items()
    }
    assert day_two == {
        "america": [None, False, False, False],
        "frankfurt": [{"images": 3, "schedule": "cron(0 3 * * ? *)"}, True, False, True],
        "hub": [{"images": "images.txt in the warmer's bucket", "schedule": "cron(0 2 * * ? *)"}, True, True, False],
    }


def test_features_that_are_off_are_not_mentioned(describe):
    shown = describe("--config", "environments/minimal.yaml")
    assert not [word for word in ("warm", "backfill", "dashboard", "emptyOnDelete") if word in shown]


def test_lines_are_not_wrapped_where_there_is_no_terminal():
    shown = cli("describe").stdout
    assert max(map(len, shown.splitlines())) > 100
    assert not re.search(r"[^.]\n[^\n]*│   \(", shown)


def test_describe_as_data():
    data = json.loads(cli("describe", "--config", "environments/minimal.yaml", "--json").stdout)
    assert data["registries"]["main"]["upstreams"] == {"k8s": "registry.k8s.io"}
    assert data["clusters"]["demo"]["imports"] is True
