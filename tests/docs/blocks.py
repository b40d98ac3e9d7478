"""Fenced code blocks of the documentation, and how each is proven.

A block is run unless the line before it is a comment that says why it cannot be run here, or which test runs it::

    <!-- not run: needs an AWS account -->
    <!-- run by tests/cli/test_help.py -->

``python -m tests.docs.blocks`` counts them.
"""

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from tests.support import ROOT

_FENCE = re.compile(
    r"^(?P<indent> *)(?P<fence>```+)(?P<info>[^\n]*)\n(?P<body>.*?)^(?P=indent)(?P=fence) *$", re.M | re.S
)
_REASON = re.compile(r"<!-- not run: (?P<reason>[^>]+?) -->\s*\Z", re.S)
_ELSEWHERE = re.compile(r"<!-- run by (?P<test>\S+) -->\s*\Z")

SHELL = {"sh", "bash", "console"}
DATA = {"yaml", "json"}
NOT_CODE = {"text", "mermaid", "diff", "toml"}
"""Output, pictures and files of other programs: there is nothing to run."""


@dataclass(frozen=True)
class Block:
    page: Path
    line: int
    language: str
    title: str
    text: str
    reason: str | None
    """Why it is not run."""
    elsewhere: str | None
    """The test that runs it."""

    @property
    def name(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"

    @property
    def is_run(self) -> bool:
        return self.reason is None and self.elsewhere is None and self.language not in NOT_CODE


def pages() -> list[Path]:
    """The pages that people read: the top of the repository and everything below docs/ and examples/."""
    return sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").rglob("*.md")])


def blocks(page: Path) -> list[Block]:
    text = page.read_text()
    return [_block(page, text, match) for match in _FENCE.finditer(text)]


def _block(page: Path, text: str, match: re.Match[str]) -> Block:
    language, _, rest = match["info"].strip().partition(" ")
    title = re.search(r'title="([^"]+)"', rest)
    before = text[: match.start()]
    reason, elsewhere = _REASON.search(before), _ELSEWHERE.search(before)
    indent = len(match["indent"])
    return Block(
        page=page,
        line=text.count("\n", 0, match.start()) + 1,
        language=language,
        title=title[1] if title else "",
        text="".join(line[indent:] for line in match["body"].splitlines(keepends=True)),
        reason=reason["reason"] if reason else None,
        elsewhere=elsewhere["test"] if elsewhere else None,
    )


def count() -> Counter[str]:
    """How many blocks are run, are run by another test, are not run and why, or hold nothing to run."""
    counted: Counter[str] = Counter()
    for block in (block for page in pages() for block in blocks(page)):
        if block.language in NOT_CODE:
            counted["nothing to run"] += 1
        elif block.reason:
            counted[f"not run: {block.reason}"] += 1
        else:
            counted["run by another test" if block.elsewhere else "run"] += 1
    return counted


if __name__ == "__main__":
    for what, number in count().most_common():
        print(f"{number:4}  {what}")
