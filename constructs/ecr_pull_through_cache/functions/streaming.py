"""A JSON list of any length, one entry after the other: no more than one of them is held in memory."""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterator
from typing import Any, Protocol

from ..errors import UserError

_PIECE = 262_144
_LARGEST = 4_194_304
"""Characters of one entry. A child execution of Step Functions has at most 256 KiB of input, and as much of output."""
_BETWEEN = " \t\r\n,"


class Readable(Protocol):
    """A source that can be read piece by piece."""

    def read(self, size: int, /) -> bytes:
        """At most so many bytes; none at the end."""
        ...


def entries(body: Readable, *, name: str) -> Iterator[Any]:
    """The entries of a JSON list.

    :param body: the list, in UTF-8.
    :param name: what errors call it.
    :raises UserError: when it is no list, is cut off, or has an entry of more than 4 MiB.
    """
    text = _Text(body)
    if text.first() != "[":
        raise UserError(f"{name}: this is not a list in JSON")
    text.skip(1)
    while text.first(_BETWEEN) != "]":
        yield text.entry(name)


class _Text:
    """The data that was read and not used yet."""

    def __init__(self, body: Readable) -> None:
        self._body = body
        self._decode = codecs.getincrementaldecoder("utf-8")("replace")
        self._scan = json.JSONDecoder().raw_decode
        self._text, self._at, self._ended = "", 0, False

    def skip(self, count: int) -> None:
        """Go on after so many characters."""
        self._at += count

    def first(self, between: str = " \t\r\n") -> str:
        """The next character that is none of those between entries; empty at the end."""
        while True:
            while self._at < len(self._text):
                if self._text[self._at] not in between:
                    return self._text[self._at]
                self._at += 1
            if not self._more():
                return ""

    def entry(self, name: str) -> Any:
        """The next entry."""
        wanted = _PIECE
        while True:
            try:
                found, end = self._scan(self._text, self._at)
                if end < len(self._text) or self._ended:  # a number may go on in the next piece
                    self._at = end
                    return found
            except (ValueError, RecursionError):
                if self._ended or len(self._text) - self._at > _LARGEST:
                    raise UserError(
                        f"{name}: this list in JSON is cut off, or has an entry that is too large"
                    ) from None
            # Twice as much each time: an entry is not read from its beginning for each piece of it.
            wanted *= 2
            while len(self._text) - self._at < wanted and self._more():
                continue

    def _more(self) -> bool:
        if self._ended:
            return False
        piece = self._body.read(_PIECE)
        self._ended = not piece
        self._text = self._text[self._at :] + self._decode.decode(piece, final=self._ended)
        self._at = 0
        return True
