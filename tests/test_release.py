"""What a release rests on: a version, a CHANGELOG that is kept, and requirements that are pinned and hashed."""

import json
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


def workflow_steps():
    for file in sorted((ROOT / ".github/workflows").glob("*.yml")):
        for job in yaml.safe_load(file.read_text())["jobs"].values():
            yield from job["steps"]


def test_actions_are_pinned_by_commit_with_their_version_beside():
    for file in sorted((ROOT / ".github/workflows").glob("*.yml")):
        lines = [line for line in file.read_text().splitlines() if "uses:" in line]
        assert lines
        assert not [line for line in lines if not re.search(r"uses: [\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line)], (
            file
        )


def test_an_action_has_one_pin():
    pins: dict[str, set[str]] = {}
    for step in workflow_steps():
        if "uses" in step:
            action, _, commit = step["uses"].partition("@")
            pins.setdefault(action, set()).add(commit)
    assert {action: found for action, found in pins.items() if len(found) > 1} == {}


def test_ci_runs_on_every_python_that_the_classifiers_name_and_that_lambda_runs():
    named = {
        match[1]
        for classifier in PROJECT["project"]["classifiers"]
        if (match := re.fullmatch(r"Programming Language :: Python :: (3\.\d+)", classifier))
    }
    jobs = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())["jobs"]
    (main,) = {
        step["with"]["python-version"] for step in jobs["test"]["steps"] if "python-version" in step.get("with", {})
    }
    assert {main, *jobs["pythons"]["strategy"]["matrix"]["python"]} == named
    runtime = re.search(
        r"PYTHON_3_(\d+)", (ROOT / "constructs/ecr_pull_through_cache/day_two/_operations_function.py").read_text()
    )
    assert f"3.{runtime[1]}" in named
    for step in workflow_steps():
        versions = step.get("with", {}).get("python-version", "").split()
        assert len(versions) <= 1 or versions[0] == "${{" or set(versions) == named


def test_node_is_the_same_everywhere():
    engines = json.loads((ROOT / "package.json").read_text())["engines"]["node"]
    oldest = int(engines.removeprefix(">="))
    assert all(
        f"Node.js {oldest} or newer" in (ROOT / page).read_text()
        for page in ("README.md", "docs/index.md", "docs/tutorial.md")
    )
    used = {int(step["with"]["node-version"]) for step in workflow_steps() if "node-version" in step.get("with", {})}
    assert min(used) == oldest
