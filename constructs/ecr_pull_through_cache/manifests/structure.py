"""Fields of plain YAML and their place in the text, by indentation.

Most manifests are plain: one key on a line, and its value behind it. Reading these line by line takes a hundredth of the time
that a parser takes. Whatever is not plain is told apart for certain, and is left to the parser.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from .places import Path

_LINE = re.compile(
    r"^([ ]*(?:-[ ]+)*)(?:(\"[^\"\n]*\"|'[^'\n]*'|[^\s#'\"{\[-][^:#\n]*(?::(?=[^\s])[^:#\n]*)*):(?=[ \t\r\n]|\Z))?([^\n]*)",
    re.M,
)
_BLOCK_SCALAR = re.compile(r"[ \t]*(?:[&!]\S+[ \t]+)*[|>][-+0-9]*[ \t]*(?:#.*)?\r?")
_QUOTED = re.compile(r"(?:\"[^\"\\]*\"|'(?:[^']|'')*')[ \t\r]*(?:[ \t]#.*)?")
_FLOW = re.compile(r"[\[{][^\\*&!?#]*[\]}][ \t\r]*(?:[ \t]#.*)?")
_VALUE = re.compile(r"[ \t]*([\"']?)([A-Za-z0-9\[][^\s\"'#{}\\]*)\1(?=[ \t\r]*(?:$|[ \t]#))")
_EMPTY = re.compile(r"(?:\"\"|'')[ \t\r]*(?:[ \t]#.*)?")
_LONE_BREAK = re.compile("[\x85\u2028\u2029\ufeff]|\r(?!\n)")
_ANCHOR = re.compile(r"&\S+[ \t\r]*(?:#.*)?")
_PLAIN_TEXT = r"(?:[\w./(<=+~$]|-(?=[^ \t\r\n]))(?:[^\n:#]|:(?! |\r?$)|(?<! )\#)*"
_PLAIN_VALUE = r"""(?:"[^"\\\n]*"|'[^'\n]*'|""" + _PLAIN_TEXT + r"""|\{[^\\\n*&!?#|>{}\[\]"']*\}|&[\w.-]+)"""
_PLAIN_KEY = r"""(?:[\w./$][^\s:#'"{}\[\]&*!?|>@`%]*|"[^"\\\n]*"|'[^'\n]*')"""
_ODD_LINE = re.compile(
    rf"^(?![ ]*(?:-[ ]+)*(?:{_PLAIN_KEY}:(?:[ ]+{_PLAIN_VALUE})?|{_PLAIN_VALUE})?(?:[ ]*|[ ]+\#[^\n]*|\#[^\n]*)\r?$)",
    re.M,
)
"""Where a line begins of which more is to be seen: most manifests have none, and a search is much faster than a loop."""


@dataclass(frozen=True, slots=True)
class Field:
    """A value that stands on one line.

    :param path: the way to it.
    :param value: the value.
    :param start: index of its first character, quotes not counted.
    :param end: index after its last character.
    """

    path: Path
    value: str
    start: int
    end: int


def plain_fields(text: str, keys: frozenset[str], offset: int = 0, *, lenient: bool = False) -> list[Field] | None:
    """Every value behind one of the keys, or ``None`` when the text is not plain.

    :param text: one document.
    :param keys: the keys that are looked for.
    :param offset: where the text stands in a longer one; all places are counted from there.
    :param lenient: whether what is not plain is passed over, as in templates, which no parser reads.
    """
    if not lenient and not (text.isascii() and "\r" not in text) and _LONE_BREAK.search(text):
        return None
    if not lenient and _ODD_LINE.search(text) is None and not _has_key_in_flow(text, keys):
        return _plain_by_far(text, keys, offset)
    reader = _Reader(keys, offset, lenient=lenient)
    for line, (lead, key, rest) in zip(text.split("\n"), _LINE.findall(text), strict=False):
        if not reader.line(line, lead, key, rest):
            return None
    return reader.found


def _has_key_in_flow(text: str, keys: frozenset[str]) -> bool:
    return "{" in text and _flow_of(keys).search(text) is not None


@lru_cache(maxsize=16)
def _flow_of(keys: frozenset[str]) -> re.Pattern[str]:
    return re.compile(rf"\{{[^}}\n]*(?:{'|'.join(map(re.escape, sorted(keys)))})")


@lru_cache(maxsize=16)
def _wanted(keys: frozenset[str]) -> re.Pattern[str]:
    names = "|".join(map(re.escape, sorted(keys)))
    return re.compile(rf"^[ ]*(?:-[ ]+)*(?:(?:{names})|\"(?:{names})\"|'(?:{names})')[ ]*:", re.M)


def _plain_by_far(text: str, keys: frozenset[str], offset: int) -> list[Field] | None:
    """The fields of a text that has nothing but plain lines, down to the last one that is wanted."""
    last = None
    for last in _wanted(keys).finditer(text):  # noqa: B007 - the last one counts
        pass
    if last is None:
        return []
    end = text.find("\n", last.end())
    lines = _LINE.findall(text, 0, len(text) if end < 0 else end)
    return _by_indentation(text, lines, keys, offset)


def _by_indentation(
    text: str, lines: list[tuple[str, str, str]], keys: frozenset[str], offset: int
) -> list[Field] | None:
    found: list[Field] = []
    stack: list[tuple[int, str]] = []
    start = 0
    for lead, key, rest in lines:
        at, start = start, text.find("\n", start) + 1
        if "-" in lead:
            _enter(stack, lead, key, lead.find("-"))
        elif key:
            column = len(lead)
            while stack and stack[-1][0] >= column:
                stack.pop()
            stack.append((column, key.strip("\"'")))
        elif rest.startswith("--"):
            stack.clear()
        if key and stack[-1][1] in keys:
            match = _VALUE.match(rest)
            if match is None:
                return None
            at += offset + len(lead) + len(key) + 1
            found.append(Field(tuple([part for _, part in stack]), match[2], at + match.start(2), at + match.end(2)))
    return found


class _Reader:
    def __init__(self, keys: frozenset[str], offset: int, *, lenient: bool) -> None:
        self.found: list[Field] = []
        self._keys = keys
        self._at = offset
        self._lenient = lenient
        self._stack: list[tuple[int, str]] = []
        self._block = -1

    def line(self, line: str, lead: str, key: str, rest: str) -> bool:
        """Read a line; false when it is not plain."""
        start = self._at
        self._at += len(line) + 1
        dash = lead.find("-")
        value = rest.strip()
        if self._block >= 0:
            if not (key or value) or (dash if dash >= 0 else len(lead)) > self._block:
                return True
            self._block = -1
        if not key and not value:
            return dash < 0 or self._lenient  # a dash alone has its value on the next line
        if rest.startswith("--") and line.startswith("---"):
            self._stack.clear()
            return self._lenient or _is_bare_separator(line)
        _enter(self._stack, lead, key, dash)
        if ("|" in value or ">" in value) and (key or dash >= 0) and _BLOCK_SCALAR.fullmatch(rest):
            self._block = dash if dash >= 0 else len(lead)
            return self._lenient or key not in self._keys
        if key and self._stack[-1][1] in self._keys:
            return self._take(line, rest, start) or self._lenient
        if self._lenient:
            return True
        return self._is_plain(value) and _is_plain_key(key) if key else self._is_plain_item(rest, value)

    def _take(self, line: str, rest: str, start: int) -> bool:
        match = _VALUE.match(rest)
        if match is None:
            return _EMPTY.fullmatch(rest.strip()) is not None
        at = start + len(line) - len(rest)
        path = tuple(part for _, part in self._stack)
        self.found.append(Field(path, match[2], at + match.start(2), at + match.end(2)))
        return True

    def _is_plain(self, value: str) -> bool:
        """Whether a value is read by its line alone."""
        first = value[:1]
        if first in ('"', "'"):
            return _QUOTED.fullmatch(value) is not None
        if first in ("[", "{"):
            return self._is_plain_flow(value)
        if first == "&":
            return _ANCHOR.fullmatch(value) is not None
        return first not in ("*", "!", "|", ">", "%", "@", "`", "?")

    def _is_plain_flow(self, value: str) -> bool:
        return (
            _FLOW.fullmatch(value) is not None
            and value.count("[") == value.count("]")
            and value.count("{") == value.count("}")
            and not any(key in value for key in self._keys)
        )

    def _is_plain_item(self, rest: str, value: str) -> bool:
        """Whether a line without a key is read by itself: an item of a list, a comment, or more of a text."""
        return not rest.startswith(("\t", "-\t")) and value not in ("-", "...") and self._is_plain(value)


def _is_bare_separator(line: str) -> bool:
    return not line[3:].partition("#")[0].strip()


def _is_plain_key(key: str) -> bool:
    return not key or (key[0] not in "&*!?%@`" and "\\" not in key and not key.startswith("<<"))


def _enter(stack: list[tuple[int, str]], lead: str, key: str, dash: int) -> None:
    """Move to the line of a key: leave what it does not belong to, and enter list items and the key itself."""
    if dash >= 0:
        for column in (n for n, character in enumerate(lead) if character == "-"):
            while stack and (stack[-1][0] > column or stack[-1] == (column, "[]")):
                stack.pop()
            stack.append((column, "[]"))
    if key:
        column = len(lead)
        while stack and stack[-1][0] >= column:
            stack.pop()
        stack.append((column, key.strip("\"'") if key[0] in "\"'" else key.rstrip()))


_SEPARATOR = re.compile(r"^---(?=[ \t\r\n]|\Z)", re.M)
_DIRECTIVES = re.compile(r"(?:[ \t]*(?:[#%].*)?\r?(?:\n|\Z))*")


def documents(text: str) -> Iterator[tuple[int, int]]:
    """Begin and end of every document of a text; directives belong to the document behind them.

    :param text: YAML of any number of documents, or JSON.
    """
    begin = 0
    for match in _SEPARATOR.finditer(text):
        if match.start() > begin and not _DIRECTIVES.fullmatch(text, begin, match.start()):
            yield begin, match.start()
            begin = match.start()
    if begin < len(text):
        yield begin, len(text)


class Lines:
    """Lines and columns of a text, both from 1; fastest when asked for in ascending order.

    :param text: the text.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = self._start = 0
        self._line = 1

    def at(self, index: int) -> tuple[int, int]:
        """Line and column of an index."""
        if index < self._at:
            self._at = self._start = 0
            self._line = 1
        ends = self._text.count("\n", self._at, index)
        if ends:
            self._line += ends
            self._start = self._text.rfind("\n", self._at, index) + 1
        self._at = index
        return self._line, index - self._start + 1
