"""The page of warnings: every id that the code can attach, and no other."""

import ast
import re

import pytest

from ecr_pull_through_cache.configuration import load
from ecr_pull_through_cache.ecr.lifecycle import LifecyclePolicy
from ecr_pull_through_cache.ecr.template_rules import PULL_THROUGH_CACHE, REPLICATION, cautions
from tests.support import ROOT

PAGE = ROOT / "docs/reference/warnings.md"
PREFIX = "cdk-ecr-pull-through-cache:"
SOURCES = [*(ROOT / "constructs/ecr_pull_through_cache").rglob("*.py"), *(ROOT / "stacks").rglob("*.py")]


def listed() -> list[str]:
    return re.findall(r"^\| `(\w+)` \|", PAGE.read_text(), re.M)


def keys_of_found(tree: ast.AST) -> set[str]:
    """Ids that a `warnings` or `cautions` gives: keys of what it calls `found`."""
    subscripts = {
        node.slice.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant) and isinstance(node.value, ast.Name) and node.value.id == "found"
    }  # fmt: skip
    keys = {
        key.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Dict) and getattr(node.targets[0], "id", "") == "found"
        for key in node.value.keys
        if isinstance(key, ast.Constant)
    }  # fmt: skip
    return {key for key in subscripts | keys if isinstance(key, str)}


def given_by_the_code() -> set[str]:
    found: set[str] = set()
    for source in SOURCES:
        text = source.read_text()
        found |= set(re.findall(rf"{PREFIX}(\w+)", text))
        for node in ast.walk(ast.parse(text)):
            named = isinstance(node, ast.FunctionDef) and node.name in {
                "warnings",
                "cautions",
                "_unverified",
                "_warn_of_the_settings",
            }
            if named:
                found |= keys_of_found(node)
    return found


def test_the_page_lists_every_id_that_the_code_gives_and_no_other():
    assert listed() == sorted(given_by_the_code())


def test_ids_that_are_given_at_run_time_are_on_the_page():
    policy = LifecyclePolicy.expire_after(days=9)
    given = {
        *cautions(mutability="IMMUTABLE", lifecycle=policy, created_by=[PULL_THROUGH_CACHE]),
        *cautions(mutability="IMMUTABLE", lifecycle=policy, created_by=[REPLICATION]),
    }
    for environment in sorted((ROOT / "environments").glob("*.yaml")):
        configuration = load(environment)
        given |= {
            name
            for plan in [*configuration.registries.values(), *configuration.clusters.values()]
            for name in plan.warnings
        }
    assert "expiringReplicas" in given
    assert given <= set(listed())


@pytest.mark.parametrize("name", listed())
def test_each_row_says_when_and_what_a_configuration_answers(name):
    (row,) = re.findall(rf"^\| `{name}` \| (.+) \| (.+) \|$", PAGE.read_text(), re.M)
    assert all(len(cell) > 15 for cell in row)
