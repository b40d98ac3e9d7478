"""Help, as people read it: every command has an example, and those that need no AWS account work."""

import re
import shlex

import pytest
import typer

from ecr_pull_through_cache.cli import app
from ecr_pull_through_cache.cli._usage import GROUPS
from tests.support.command_line import cli, example

COMMANDS = sorted(typer.main.get_command(app).commands)


NEED_AWS = {"warm", "try", "check", "backfill", "purge"}


def test_the_verbs_are_those_of_the_documentation():
    assert set(COMMANDS) == {
        "backfill", "check", "cluster-config", "describe", "diagram", "helm-values", "iam", "image", "init", "inventory", "policy", "purge", "rewrite", "synth", "try", "warm",
    }  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_an_example_that_works(command, tmp_path):
    line = example(command)
    assert f"ecr-pull-through {command}" in line
    if command in NEED_AWS:
        return
    (tmp_path / "manifests").mkdir()
    (tmp_path / "values.yaml").write_text("image: {repository: quay.io/a/b, tag: 1}\n")
    arguments = shlex.split(line.rpartition(f"ecr-pull-through {command}")[2].partition(">")[0])
    (tmp_path / "environments").symlink_to(cli.__globals__["ROOT"] / "environments")
    cli(command, *arguments, stdin='{"items": []}', cwd=tmp_path)


def test_every_command_has_one_group():
    assert sorted(name for names in GROUPS.values() for name in names) == COMMANDS


def test_the_list_of_commands_is_not_cut_off_at_80_columns():
    shown = cli("-h").stdout
    assert not [line for line in shown.splitlines() if line.startswith("  ") and line.endswith("...")]
    assert all(f"\n{group}:\n" in shown for group in GROUPS)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_names_values_and_not_types_of_python(command):
    assert not re.search(r"<(list|str|path|Path|int|float)\b", cli(command, "--help").stdout)


def test_without_a_command_the_help_is_on_standard_error():
    done = cli(expect=2)
    assert done.stdout == ""
    assert done.stderr == cli("--help").stdout


def test_the_version_is_that_of_the_package():
    from ecr_pull_through_cache import __version__

    assert cli("--version").stdout.strip() == __version__
