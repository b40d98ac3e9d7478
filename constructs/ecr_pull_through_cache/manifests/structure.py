"""Fields of YAML and their place in the text: by indentation where that is enough, by a parser where it is not.

Indentation is enough for manifests as people write them, templates among them, and takes a hundredth of the time.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import yaml

from .places import Path

_LINE = re.compile(
    r"^(?P<lead>[ ]*(?:-[ ]+)*)(?:(?P<key>\"[^\"\n]*\"|'[^'\n]*'|[^\s#'\"{\[-][^:#\n]*?)[ ]*:(?=[ \t\r\n]|\Z))?(?P<rest>[^\n]*)",
    re.M,
)
_BLOCK_SCALAR = re.compile(r"[ \t]*(?:[&!]\S+[ \t]+)*[|>][-+0-9]*[ \t]*(?:#.*)?\r?")
_KIND = re.compile(r"^(?:kind|\"kind\"):[ \t]*[\"']?(\w+)", re.M)
_ITEM = ("items", "[]")
_LINE_END = re.compile(r"\n")
_SEPARATOR = re.compile(r"^---(?:[ \t\r]|$)", re.M)


@dataclass(frozen=True, slots=True)
class Field:
    """A scalar value in a text.

    :param start: index of its first character, quotes not counted.
    :param end: index after its last character.
    :param path: where it stands in its document; ``None`` inside of a text block.
    """

    start: int
    end: int
    path: Path | None


@lru_cache(maxsize=32)
def _candidates(keys: frozenset[str]) -> re.Pattern[str]:
    names = "|".join(sorted(map(re.escape, keys)))
    return re.compile(
        rf"^[ ]*(?:-[ ]+)*(?:(?:{names})|\"(?:{names})\"|'(?:{names})')[ ]*:[ \t]+"
        r"(?P<quote>[\"']?)(?P<value>[A-Za-z0-9\[][^\s\"'#{}]*)(?P=quote)(?=[ \t]*(?:\r?$|[ \t]#))",
        re.M,
    )


@lru_cache(maxsize=32)
def _flow(keys: frozenset[str]) -> re.Pattern[str]:
    names = "|".join(sorted(map(re.escape, keys)))
    return re.compile(rf"[{{,]\s*[\"']?(?:{names})[\"']?\s*:")


def needs_parser(text: str, keys: frozenset[str]) -> bool:
    """Whether a text has such keys in braces, as JSON has."""
    return _flow(keys).search(text) is not None


def fields(text: str, keys: frozenset[str]) -> Iterator[tuple[str, int, int]]:
    """Every scalar behind one of the keys that stands on one line: its value, and where it begins and ends."""
    for match in _candidates(keys).finditer(text):
        yield match["value"], match.start("value"), match.end("value")


def parsed_fields(text: str, keys: frozenset[str]) -> Iterator[tuple[str, int, int, Path, str | None]]:
    """The same by a parser, with path and kind.

    :raises yaml.YAMLError: when the text is no YAML, as templates are not.
    """
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    for document in yaml.compose_all(text, Loader=loader):
        yield from _walk(document, text, keys, (), None)


def _walk(
    node: yaml.Node, text: str, keys: frozenset[str], path: Path, kind: str | None
) -> Iterator[tuple[str, int, int, Path, str | None]]:
    if isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _walk(item, text, keys, (*path, "[]"), kind)
    elif isinstance(node, yaml.MappingNode):
        own = next((v.value for k, v in node.value if k.value == "kind" and isinstance(v, yaml.ScalarNode)), None)
        kind = own or kind
        for key, value in node.value:
            below = (*path, str(key.value))
            if isinstance(value, yaml.ScalarNode) and key.value in keys:
                start = text.find(value.value, value.start_mark.index, value.end_mark.index)
                if start >= 0 and value.value:
                    yield value.value, start, start + len(value.value), below, kind
            else:
                yield from _walk(value, text, keys, below, kind)


def paths_at(text: str, indices: list[int]) -> dict[int, tuple[Path | None, str | None]]:
    """The path of the key on the line of each index, by indentation, and the kind of the List's item that it is in.

    The path is ``None`` inside of a text block, the kind outside of Lists.

    :param indices: in ascending order.
    """
    found: dict[int, tuple[Path | None, str | None]] = {}
    kind: str | None = None
    wanted = iter(indices)
    index = next(wanted, None)
    stack: list[tuple[int, str]] = []
    block = -1
    for line in _LINE.finditer(text):
        lead, key, rest = line.groups()
        if key is None and not rest.strip() and not lead.strip():
            continue
        has_dash = "-" in lead
        if block >= 0 and (lead.index("-") if has_dash else len(lead)) <= block:
            block = -1
        if block < 0:
            if rest.startswith("--") and text.startswith("---", line.start()):
                stack.clear()
            _enter(stack, lead, key, has_dash)
            if key == "kind" and len(stack) == 3 and (stack[0][1], stack[1][1]) == _ITEM:
                kind = rest.strip()
            if (key is not None or has_dash) and _BLOCK_SCALAR.fullmatch(rest):
                block = _column_of_owner(lead)
        while index is not None and index <= line.end():
            path = tuple(part for _, part in stack)
            found[index] = (path if block < 0 else None, kind if path[:2] == _ITEM else None)
            index = next(wanted, None)
        if index is None:
            break
    return found


def _enter(stack: list[tuple[int, str]], lead: str, key: str | None, has_dash: bool) -> None:
    """Move to the line of a key: leave what it does not belong to, and enter list items and the key itself."""
    if has_dash:
        for column in (n for n, character in enumerate(lead) if character == "-"):
            while stack and (stack[-1][0] > column or stack[-1] == (column, "[]")):
                stack.pop()
            stack.append((column, "[]"))
    if key is not None:
        column = len(lead)
        while stack and stack[-1][0] >= column:
            stack.pop()
        stack.append((column, _bare(key)))


def _column_of_owner(lead: str) -> int:
    """The indentation that the lines of a text block lie beyond: that of the key, or of the dash before it."""
    return lead.index("-") if "-" in lead else len(lead)


def _bare(key: str) -> str:
    return key.strip("\"'") if key[0] in "\"'" else key


class Kinds:
    """The kinds of the documents of a text.

    :param text: YAML of any number of documents.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._separators = list(_SEPARATOR.finditer(text))
        self._begins = [separator.end() for separator in self._separators]
        self._found: dict[int, str | None] = {}

    def at(self, index: int) -> str | None:
        """The kind of the document that an index lies in."""
        number = bisect_right(self._begins, index)
        if number not in self._found:
            begin = self._begins[number - 1] if number else 0
            end = self._separators[number].start() if number < len(self._separators) else len(self._text)
            match = _KIND.search(self._text, begin, end)
            self._found[number] = match[1] if match else None
        return self._found[number]


class Lines:
    """Lines and columns of a text, both from 1."""

    def __init__(self, text: str) -> None:
        self._ends = [match.start() for match in _LINE_END.finditer(text)]

    def at(self, index: int) -> tuple[int, int]:
        """Line and column of an index."""
        number = bisect_left(self._ends, index)
        return number + 1, index - (self._ends[number - 1] if number else -1)
