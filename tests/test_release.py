"""What a release rests on: a version, a CHANGELOG that is kept, and requirements that are pinned and hashed."""

import os
import re
import subprocess
import tomllib

import pytest
import typer
import yaml

import ecr_pull_through_cache
from ecr_pull_through_cache.cli import app
from tests.support import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
CHANGELOG = (ROOT / "CHANGELOG.md").read_text()
REQUIREMENTS = {
    "requirements.txt": PROJECT["project"]["dependencies"],
    "requirements-build.txt": PROJECT["dependency-groups"]["build"],
    "requirements-dev.txt": PROJECT["dependency-groups"]["dev"],
    "requirements-docs.txt": PROJECT["dependency-groups"]["docs"],
    "requirements-release.txt": PROJECT["dependency-groups"]["release"],
}


def name_of(requirement: str) -> str:
    return re.match(r"[A-Za-z0-9._-]+", requirement)[0].lower().replace("_", "-").replace(".", "-")


def pinned(file: str) -> dict[str, list[str]]:
    """Hashes of each pinned requirement, by its name."""
    text = (ROOT / file).read_text().replace("\\\n", " ")
    return {
        name_of(line): re.findall(r"--hash=sha256:[0-9a-f]{64}", line)
        for line in text.splitlines()
        if line and not line.startswith("#")
    }


@pytest.mark.parametrize("file", REQUIREMENTS)
def test_every_requirement_is_pinned_and_hashed(file):
    text = (ROOT / file).read_text()
    assert all("==" in line for line in text.splitlines() if line and line[0] not in " #")
    assert all(pinned(file).values())


@pytest.mark.parametrize("file", REQUIREMENTS)
def test_what_the_project_asks_for_is_locked(file):
    asked = {name_of(requirement) for requirement in REQUIREMENTS[file] if isinstance(requirement, str)}
    assert asked <= set(pinned(file)), "make lock"


def test_the_same_version_is_pinned_everywhere():
    versions: dict[str, set[frozenset[str]]] = {}
    for file in REQUIREMENTS:
        found: dict[str, set[str]] = {}
        for name, version in re.findall(
            r"^([A-Za-z0-9._-]+)(?:\[[^]]*\])?==([^\s;]+)", (ROOT / file).read_text(), re.M
        ):
            found.setdefault(name_of(name), set()).add(version)
        for name, several in found.items():
            versions.setdefault(name, set()).add(frozenset(several))
    assert {name: found for name, found in versions.items() if len(found) > 1} == {}


def test_the_version_is_semantic():
    assert re.fullmatch(r"\d+\.\d+\.\d+((a|b|rc)\d+)?", ecr_pull_through_cache.__version__)


def test_the_changelog_names_every_construct_and_every_command():
    from constructs import Construct

    exported = {name: getattr(ecr_pull_through_cache, name) for name in ecr_pull_through_cache.__all__}
    classes = {name: value for name, value in exported.items() if isinstance(value, type)}
    constructs = {
        name for name, value in classes.items() if issubclass(value, Construct) and not re.match("I[A-Z]", name)
    }
    named = set(re.findall(r"`([\w-]+)`", CHANGELOG))
    assert constructs - named == set()
    assert set(typer.main.get_command(app).commands) - named == set()


@pytest.mark.parametrize("tag", ["v99.0.0", "1.0.0"])
def test_a_tag_that_is_not_the_version_is_refused_before_anything_is_built(tag, tmp_path):
    done = subprocess.run(
        [ROOT / "tools/release-check", tmp_path], env={**os.environ, "TAG": tag}, capture_output=True, text=True, check=False
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr == f"the tag is {tag} and the version {ecr_pull_through_cache.__version__}\n"


def test_workflows_run_the_verbs_that_people_run():
    verbs = set(re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text(), re.M))
    for file in (ROOT / ".github/workflows").glob("*.yml"):
        for job in yaml.safe_load(file.read_text())["jobs"].values():
            assert job.get("permissions", {}).get("contents", "read") == "read", file
            for command in (step["run"] for step in job["steps"] if "run" in step):
                if command.startswith("make "):
                    assert command.split()[1] in verbs, command
    assert set(re.findall(r"^make ([a-z-]+)$", (ROOT / ".ci/run").read_text(), re.M)) <= verbs


def test_hooks_run_the_verbs_that_people_run():
    verbs = set(re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text(), re.M))
    hooks = [
        hook
        for repo in yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
        for hook in repo["hooks"]
    ]
    assert {hook["entry"].removeprefix("make ") for hook in hooks} <= verbs
