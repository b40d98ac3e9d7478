"""describe: what a configuration would deploy where, day two included."""

import json

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


def test_it_says_what_is_warmed_mended_shown_and_emptied(describe):
    shown = describe()
    for line in (
        "warms        what images.txt of its bucket says, cron(0 2 * * ? *)",
        "warms        3 images, cron(0 3 * * ? *)",
        "mends        repositories that were there before their template",
        "shows        a dashboard of pulls, imports, failures, storage and quotas",
        "empties      what it cached when its stack is deleted",
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
        "hub": [{"images": "images.txt of its bucket", "schedule": "cron(0 2 * * ? *)"}, True, True, False],
    }


def test_who_asks_for_none_of_it_is_told_nothing_of_it(describe):
    shown = describe("--config", "environments/minimal.yaml")
    assert not [word for word in ("warms", "mends", "shows", "empties") if word in shown]


def test_describe_as_data():
    data = json.loads(cli("describe", "--config", "environments/minimal.yaml", "--json").stdout)
    assert data["registries"]["main"]["upstreams"] == {"k8s": "registry.k8s.io"}
    assert data["clusters"]["demo"]["imports"] is True
