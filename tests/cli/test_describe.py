"""describe: what a configuration would deploy where, day two included."""

import json
import re

import pytest
from typer.testing import CliRunner

from ecr_pull_through_cache.cli import app
from tests.support import ROOT
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
    shown = describe("--config", "environments/example.yaml")
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
    registries = json.loads(describe("--json", "--config", "environments/example.yaml"))["registries"]
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
    shown = cli("describe", "--config", "environments/example.yaml").stdout
    assert max(map(len, shown.splitlines())) > 100
    assert not re.search(r"[^.]\n[^\n]*│   \(", shown)


def test_describe_as_data():
    data = json.loads(cli("describe", "--config", "environments/minimal.yaml", "--json").stdout)
    assert data["registries"]["main"]["upstreams"] == {"k8s": "registry.k8s.io"}
    assert data["clusters"]["demo"]["imports"] is True


UPSTREAMS = """
registries:
  main:
    account: "111122223333"
    region: eu-west-1
    upstreams:
      theirs: { upstream: 444455556666.dkr.ecr.eu-west-1.amazonaws.com, upstreamRepositoryPrefix: apps }
      ours: 222233334444.dkr.ecr.eu-west-1.amazonaws.com
  team: { account: "222233334444", region: eu-west-1, upstreams: { k8s: registry.k8s.io } }
"""


def test_the_statements_that_a_private_upstream_of_another_account_needs(describe, tmp_path):
    (tmp_path / "cache.yaml").write_text(UPSTREAMS)
    shown = " ".join(describe("--config", str(tmp_path / "cache.yaml")).replace("│", " ").split())
    actions = "ecr:BatchGetImage, ecr:BatchImportUpstreamImage, ecr:GetDownloadUrlForLayer, ecr:GetImageCopyStatus"
    assert f"444455556666 must grant {actions} on arn:aws:ecr:eu-west-1:444455556666:repository/apps/*" in shown
    assert f"the stack of team grants {actions} on arn:aws:ecr:eu-west-1:222233334444:repository/*" in shown
    data = json.loads(describe("--config", str(tmp_path / "cache.yaml"), "--json"))
    ours, theirs = data["registries"]["main"]["upstreamGrants"]
    assert (ours["deployedBy"], theirs["deployedBy"]) == ("team", None)
    assert theirs["statement"]["Principal"] == {"AWS": ["arn:aws:iam::111122223333:root"]}


def test_describe_says_where_a_permission_is_inherited_from(tmp_path):
    text = (ROOT / "environments" / "minimal.yaml").read_text()
    file = tmp_path / "pull.yaml"
    file.write_text(text.replace("    replicateTo:", '    pull: { accounts: ["222233334444"] }\n    replicateTo:'))
    shown = CliRunner().invoke(app, ["describe", "--config", str(file)])
    assert shown.output.count("222233334444; inherited from main, no imports") == 2
    as_json = json.loads(CliRunner().invoke(app, ["describe", "--json", "--config", str(file)]).output)
    assert {name: r["pullInheritedFrom"] for name, r in as_json["registries"].items()} == {
        "main": [], "west": ["main"], "europe": ["main"],
    }  # fmt: skip
