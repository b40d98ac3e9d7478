"""Fenced code blocks of the documentation, and how each is proven.

A block is run unless the line before it is a comment that says why it cannot be run here::

    <!-- not run: needs an AWS account -->
"""

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
_FENCE = re.compile(
    r"^(?P<indent> *)(?P<fence>```+)(?P<info>[^\n]*)\n(?P<body>.*?)^(?P=indent)(?P=fence) *$", re.M | re.S
)
_REASON = re.compile(r"<!-- not run: (?P<reason>.+?) -->\s*\Z", re.S)


@dataclass(frozen=True)
class Block:
    page: Path
    line: int
    language: str
    title: str
    text: str
    reason: str | None

    @property
    def name(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def pages() -> list[Path]:
    """The pages that people read: the top of the repository and everything below docs/."""
    return sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").rglob("*.md")])


def blocks(page: Path) -> list[Block]:
    text = page.read_text()
    return [_block(page, text, match) for match in _FENCE.finditer(text)]


def _block(page: Path, text: str, match: re.Match[str]) -> Block:
    language, _, rest = match["info"].strip().partition(" ")
    title = re.search(r'title="([^"]+)"', rest)
    reason = _REASON.search(text[: match.start()])
    indent = len(match["indent"])
    return Block(
        page=page,
        line=text.count("\n", 0, match.start()) + 1,
        language=language,
        title=title[1] if title else "",
        text="".join(line[indent:] for line in match["body"].splitlines(keepends=True)),
        reason=reason["reason"] if reason else None,
    )
