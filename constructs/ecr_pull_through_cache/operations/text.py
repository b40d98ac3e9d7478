"""Text from outside, made fit for one line of a terminal, a log or a report."""

from __future__ import annotations

import re

_UNPRINTABLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]"
)  # control characters, line breaks, marks that turn the direction of a line, and halves of characters
_LONGEST = 500


def printable(text: str, *, longest: int = _LONGEST) -> str:
    """A text on one line: control characters are written out as escapes, and a long text is cut.

    A registry, AWS or a Pod chose the text, and it must not move the cursor of a terminal, end a line of a log or fill it.

    :param text: any text.
    :param longest: the most characters to keep. Default: 500.
    """
    cut = text if len(text) <= longest else f"{text[: max(0, longest - 1)]}…"
    return _UNPRINTABLE.sub(_escaped, cut)


def lines(text: str) -> str:
    """A text of several lines, each with its control characters written out.

    :param text: any text.
    """
    return "\n".join(_UNPRINTABLE.sub(_escaped, line) for line in text.split("\n"))


def _escaped(match: re.Match[str]) -> str:
    return match[0].encode("unicode_escape").decode("ascii")
