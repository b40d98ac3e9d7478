"""What each verb does about each fault: the rows that tests assert, and the page that is written from them.

A module of tests/cli, tests/operations or tests/functions holds its rows in `FAULTS` and runs each of them: that nothing is lost, that nothing which
matters is done twice, and that what the row says happens. ``python -m tests.faults`` writes the page.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from pathlib import Path

PAGE = Path(__file__).parents[1] / "docs/explanation/faults.md"
_FOLDERS = ("cli", "operations", "functions")
VERBS = ("every", "inventory", "warm", "backfill", "check", "purge", "function")
_NAMES = {"every": "every command", "function": "a function in Lambda"}
_BEGIN = "<!-- written by `python -m tests.faults` from the rows that the tests run -->\n"


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One fault that meets one verb.

    :param verb: the verb.
    :param fault: what goes wrong, as its user would say it.
    :param outcome: what the verb does about it.
    :param inject: how a test brings it about, in the words of that test.
    """

    verb: str
    fault: str
    outcome: str
    inject: str = ""

    def __str__(self) -> str:
        return f"{self.verb}: {self.fault}"


def rows() -> list[Fault]:
    """Every row, by verb and in the order of the tests."""
    tests = Path(__file__).parent
    paths = [path for folder in _FOLDERS for path in sorted((tests / folder).glob("test_*.py"))]
    modules = [importlib.import_module(f"tests.{path.parent.name}.{path.stem}") for path in paths]
    found: list[Fault] = [row for module in modules for row in getattr(module, "FAULTS", ())]
    return sorted(found, key=lambda row: VERBS.index(row.verb))


def render(page: str) -> str:
    """The page with its table written anew: what stands before the mark stays."""
    head, mark, _ = page.partition(_BEGIN)
    assert mark, f"{PAGE} has no line {_BEGIN!r}"
    lines = [f"| {_NAMES.get(row.verb, f'`{row.verb}`')} | {row.fault} | {row.outcome} | 0 | 0 |\n" for row in rows()]
    columns = "| verb | what goes wrong | what happens | lost | done twice |\n|---|---|---|---|---|\n"
    return f"{head}{mark}\n{columns}{''.join(lines)}"


if __name__ == "__main__":
    PAGE.write_text(render(PAGE.read_text()))
