"""The order of the tests: a test module imports from tests/support, never from another test module."""

import ast

import pytest

from tests.support import ROOT

TEST_MODULES = sorted((ROOT / "tests").rglob("*.py"))


@pytest.mark.parametrize("path", TEST_MODULES, ids=lambda path: str(path.relative_to(ROOT / "tests")))
def test_no_test_module_imports_another(path):
    imported = {node.module or "" for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ImportFrom)}
    assert not {module for module in imported if module.startswith("tests.") and ".test_" in module}
