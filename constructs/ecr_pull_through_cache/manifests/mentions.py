"""Images in texts: arguments, environment variables, ConfigMaps, and fields that nobody knows.

A mention has its registry written out, or it stands behind a word such as ``image``: in a field, a flag or a variable.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache

from ..images import Upstream
from .spots import is_reference

_REST = r"(?:\\?/)[\w./:@\\-]*\w"
_SHORT = r"(?P<ref>[a-z0-9][\w.-]*(?:(?:\\?/|:)[\w./:@\\-]*)?\w)(?![\w*{$])"
_IMAGE = re.compile("[iI][mM][aA][gG][eE]")
_FIELD = re.compile(rf"[\w.-]*[\"']?[ \t]*[:=][ \t]*[\"']?{_SHORT}")
_NEXT = re.compile(rf"[\w-]*[\"']?,?[ \t]*(?:\r?\n[ ]*-[ ]+|[ \t])[\"']?{_SHORT}")
_VALUE = re.compile(rf"[\w-]*[\"']?[ \t]*,?\s*[\"']?value[\"']?[ \t]*:[ \t]*[\"']?{_SHORT}")
_VALUE_BEFORE = re.compile(
    r"(?:^|[\s{,-])[\"']?value[\"']?[ \t]*:[ \t]*[\"']?"
    + _SHORT
    + r"[\"']?[ \t]*\r?\n[ ]*-?[ ]*[\"']?name[\"']?[ \t]*:[ \t]*[\"']?\w*\Z"
)
_NOT_AN_IMAGE = re.compile(
    r"pull|polic|secret|registr|digest|tag|id\b|ids\b|size|type|kind|hash|arch|path|dir|repo[s]?\b|format|version|stream|sha",
    re.I,
)
_WORD = re.compile(r"[\w.-]*")
_WILDCARDS = ("*", ":*", "/*", "-*", ".*")
_NEAR = 160
"""Characters before a word within which the value of a variable stands."""
_ELSEWHERE = ("gcr.io", "mcr.microsoft.com", "docker.elastic.co", "nvcr.io")


@lru_cache(maxsize=16)
def _pattern(hosts: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile(
        rf"(?:(?<=docker://)|(?<=oci://)|(?<![\w./@:-]))(?:{'|'.join(map(re.escape, hosts))}){_REST}", re.ASCII
    )


def known_hosts() -> tuple[str, ...]:
    """Hosts of public registries that images are often named by."""
    upstreams = [host for upstream in Upstream.catalogue() for host in upstream.hosts]
    return tuple(sorted({*upstreams, *_ELSEWHERE}))


def mentions(text: str, hosts: Iterable[str]) -> Iterator[tuple[int, int, str, bool]]:
    """Begin, end and reference of every mention, and whether it continues with a wildcard; comments have none.

    :param text: any text.
    :param hosts: the registries that are looked for.
    """
    wanted = tuple(sorted(host for host in hosts if host in text))
    found: dict[int, tuple[int, str]] = {}
    for match in _pattern(wanted).finditer(text) if wanted else ():
        given = match[0].rstrip(".:\\")
        found[match.start()] = (match.start() + len(given), given)
    for start, given in _behind_words(text):
        found.setdefault(start, (start + len(given), given))
    comments = _Comments(text)
    end_of_last = -1
    for start, (end, given) in sorted(found.items()):
        if start >= end_of_last and not comments.hold(start):
            end_of_last = end
            yield start, end, given.replace("\\", ""), text.startswith(_WILDCARDS, end)


def _behind_words(text: str) -> Iterator[tuple[int, str]]:
    for word in _IMAGE.finditer(text):
        tail = _WORD.match(text, word.end())
        if tail is not None and _NOT_AN_IMAGE.search(tail[0]):
            continue
        for pattern in (_FIELD, _VALUE, _NEXT):
            match = pattern.match(text, word.end())
            if match is None or (pattern is _NEXT and not _is_flag(text, word.start())):
                continue
            if is_reference(match["ref"].replace("\\", "")):
                yield match.start("ref"), match["ref"]
                break
        else:
            begin = max(0, word.start() - _NEAR)
            before = _VALUE_BEFORE.search(text[begin : word.start()])
            if before is not None and is_reference(before["ref"].replace("\\", "")):
                yield begin + before.start("ref"), before["ref"]


def _is_flag(text: str, index: int) -> bool:
    """Whether the word at an index is a part of a flag such as ``--sidecar-image``."""
    begin = max(0, index - 64)
    return re.search(r"(?:^|[\s\"'\[,])--?[\w.-]*\Z", text[begin:index]) is not None


class _Comments:
    """The comments of a text, asked for in ascending order."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._end = -1
        self._comment = -1

    def hold(self, index: int) -> bool:
        """Whether an index lies in a comment."""
        if index > self._end:
            start = self._text.rfind("\n", max(0, self._end), index) + 1 or max(0, self._end)
            end = self._text.find("\n", index)
            self._end = len(self._text) if end < 0 else end
            self._comment = self._begin(start)
        return 0 <= self._comment < index

    def _begin(self, start: int) -> int:
        """Find the comment of a line, or -1: a # after white space, outside of quotes."""
        quote = ""
        line = self._text[start : self._end]
        for match in re.finditer(r"[\"']|(?:^|(?<=[ \t]))#", line):
            if match[0] == "#":
                if not quote:
                    return start + match.start()
            elif not quote and (match.start() == 0 or line[match.start() - 1] in " \t[{,:(=-"):
                quote = match[0]
            elif match[0] == quote:
                quote = ""
        return -1
