"""Plain English: the turns of phrase that documentation, help, keys and docstrings do not use.

A summary line begins with a verb or names the thing. Words are those of AWS and Kubernetes: dry run, drift, apply, grant, retry,
overwrite, existing, emulator, threshold. A default is written as ``Default: …``.
"""

import ast
import json
import re
from collections.abc import Iterator

import pytest
import typer

from ecr_pull_through_cache.cli import app
from ecr_pull_through_cache.configuration.schema import json_schema
from tests.docs.blocks import pages
from tests.support import ROOT

PACKAGE = ROOT / "constructs/ecr_pull_through_cache"
TURNS = {
    r"\bsomebody\b": "name the role: another owner, a user, a workload",
    r"\bnobody's\b": "say whose it is not, or that there is none",
    r"\bmends?\b|\bmended\b|\bmending\b": "fix, or backfill",
    r"\bgoes? on with\b|\bgone on with\b": "continue, retry",
    r"\bsilence is well\b": "missing data is not breaching",
    r"\b[Aa]n? (?!little |bit |few )[a-z]+ more\b(?! than)": "another, an additional; or: adding an …",
    r"\bfurther ado\b": "leave it out",
    r"\blive with it\b": "operate",
    r"\bbecome the cache's\b": "use the cache",
    r"\bnot at all of it\b": "incomplete",
    r"\btwin\b": "report-only variant",
    r"\bmay be given again\b": "repeatable",
    r"\bbehind a tab\b": "after a tab",
    r"\bon the loopback\b": "on localhost",
    r"\bbroken? off\b|\bbreaks off\b": "interrupt",
    r"\bfrom which on\b": "threshold",
    r"\b[Ll]ook before you leap\b": "test it first",
    r"(?:^|[.;] )(?:Is|Are|Should|Has|Have) (?:the|a|an|it|there) [^?]*, (?:say|give|take|see)\b": "If …",
}  # fmt: skip
"""Turns of phrase, and what to write instead."""
SUMMARY = re.compile(r"(?:What|Whatever|Who|Whoever|That|Where|How|Say|Says)\b")
"""Words that no summary begins with: it begins with a verb or names the thing."""
NOUN = re.compile(r"(?:What|Whatever|Who|Whoever)\b")
"""Words that no docstring begins with: they stand for a noun that has a name."""
LOOPBACK = {"docs/benchmarks.md", "docs/troubleshooting.md", "docs/explanation/faults.md"}
"""Pages that are about an address of the loopback."""


def found(text: str) -> list[str]:
    return [f"{match[0]!r}: {better}" for turn, better in TURNS.items() for match in re.finditer(turn, text, re.M)]


def prose(text: str) -> str:
    """A page without what it quotes: code, and messages of other programs."""
    return re.sub(r"`[^`\n]*`", "", re.sub(r"^ *```.*?^ *```", "", text, flags=re.M | re.S))


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_uses_none_of_these_turns(page):
    here = found(prose(page.read_text()))
    if str(page.relative_to(ROOT)) in LOOPBACK:
        here = [turn for turn in here if "loopback" not in turn]
    assert here == []


def texts_of_help() -> Iterator[tuple[str, str]]:
    for name, command in typer.main.get_command(app).commands.items():
        yield name, command.help
        for parameter in command.params:
            yield f"{name} {parameter.opts[0]}", parameter.help or ""


@pytest.mark.parametrize(("where", "text"), [pytest.param(*entry, id=entry[0]) for entry in texts_of_help()])
def test_help_uses_none_of_these_turns(where, text):
    assert found(text) == []
    assert not SUMMARY.match(text)


@pytest.mark.parametrize("where", [name for name, _ in texts_of_help() if " " not in name])
def test_the_summary_of_a_command_is_one_short_sentence(where):
    summary = dict(texts_of_help())[where].partition("\n\n")[0]
    assert len(summary) <= 55
    assert summary.count(".") == 1


def descriptions(schema) -> Iterator[str]:
    if isinstance(schema, dict):
        if isinstance(schema.get("description"), str):
            yield schema["description"]
        for part in schema.values():
            yield from descriptions(part)
    elif isinstance(schema, list):
        for part in schema:
            yield from descriptions(part)


def test_descriptions_of_keys_use_none_of_these_turns():
    texts = list(descriptions(json.loads(json.dumps(json_schema()))))
    assert len(texts) > 60
    assert [(text, turns) for text in texts if (turns := found(text))] == []
    assert [text for text in texts if SUMMARY.match(text)] == []


SOURCES = [*PACKAGE.rglob("*.py"), *(ROOT / "stacks").rglob("*.py"), *(ROOT / "tools").glob("docs/*.py")]


def docstrings() -> Iterator[tuple[str, str]]:
    """Docstrings of modules, classes and functions, by their place."""
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Module) and (text := ast.get_docstring(node)):
                yield f"{path.relative_to(ROOT)}: {getattr(node, 'name', 'module')}", text


def texts_of_sources() -> Iterator[tuple[str, str]]:
    """Every text in the code by its place: docstrings, messages and descriptions."""
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                # Which addresses may be reached without TLS is a matter of the loopback.
                about = node.value.replace("on the loopback", "") if "/operations/" in str(path) else node.value
                yield f"{path.relative_to(ROOT)}:{node.lineno}", about


def test_docstrings_and_messages_use_none_of_these_turns():
    texts = list(texts_of_sources())
    assert len(texts) > 5_000
    assert [(place, turns) for place, text in texts if (turns := found(text))] == []


def test_summaries_of_docstrings_begin_with_a_verb_or_name_the_thing():
    assert {place: text.splitlines()[0] for place, text in docstrings() if NOUN.match(text)} == {}


RECOGNISED = [
    "somebody else has it", "one without it is nobody's who waits", "mends repositories that were there", "is gone on with by Lambda",
    "silence is well", "A cluster more changes no stack", "without further ado", "a command line to live with it",
    "Images become the cache's", "looked at 3 registries, not at all of it", "The twin that reports", "may be given again",
    "Say why, behind a tab.", "engines on the loopback", "deploys, breaks off and destroys", "raised from which on",
    "Look before you leap", "Is the rule gone already, say with --since when.",
]  # fmt: skip


@pytest.mark.parametrize("text", RECOGNISED)
def test_each_turn_is_recognised(text):
    assert found(text)


def test_there_is_an_example_of_each_turn():
    assert not [turn for turn in TURNS if not any(re.search(turn, text, re.M) for text in RECOGNISED)]
