"""Marks in values, by which a rendering shows the values that each image is made of."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from .chart_values import Place, leaves
from .helm_solving import Piece, Slot
from .values_yaml import Plain

_WORD = re.compile(r"[A-Za-z0-9](?:[\w./-]*\w)?", re.ASCII)
_SIMPLE = re.compile(r"[\w./:@-]+", re.ASCII)
_ACTION = re.compile(r"\{\{.*?\}\}", re.S)
_IMAGE_KEY = re.compile(r"regist|repo|image|hub|name(space)?$|proxy|init|kubectl|prefix|path|org$", re.I)
_OTHER_KEY = re.compile(r"tag$|version|digest|policy|sha$|sha256$", re.I)
_EMPTY_KEY = re.compile(r"regist|reposit|repo$|^hub$|^image$|image(name)?$", re.I)
_NOT_EMPTY_KEY = re.compile(r"pull|polic|secret|tag$|digest|version|cred|user|pass|auth|enabled", re.I)
_SHORTEST = 3
_MOST = 5_000


class Marks:
    """Marks for slots: each slot's text gets a word behind it that stands nowhere else.

    :param slots: the slots.
    :param text: a text that must not hold the word, such as the rendering without marks.
    """

    def __init__(self, slots: Iterable[Slot], text: str) -> None:
        words = ("zq", "zqx", "qzj", "xqzk", "qzxqz")
        self.word = next((word for word in words if word not in text), "zqzqzqzq")
        self.slots = tuple(slots)
        self._pattern = re.compile(rf"{self.word}(\d+)z")

    def changes(self, values_at: Mapping[Place, str]) -> dict[Place, str]:
        """The values with their marks.

        :param values_at: the text of each place that holds a slot.
        """
        by_place: dict[Place, list[int]] = defaultdict(list)
        for number, slot in enumerate(self.slots):
            by_place[slot.place].append(number)
        return {
            place: replaced(
                values_at[place],
                {(self.slots[n].start, self.slots[n].end): f"{self.slots[n].text}{self.word}{n}z" for n in numbers},
            )
            for place, numbers in by_place.items()
        }

    def clean(self, text: str) -> str:
        """A text without its marks."""
        return self._pattern.sub("", text) if self.word in text else text

    def in_text(self, text: str) -> list[tuple[int, Slot]]:
        """Each mark of a text: where it stands once all marks are gone, and its slot."""
        found, gone = [], 0
        for match in self._pattern.finditer(text):
            number = int(match[1])
            if number < len(self.slots):
                found.append((match.start() - gone, self.slots[number]))
            gone += len(match[0])
        return found

    def pieces(self, marked: str, start: int, end: int) -> tuple[Piece, ...]:
        """The pieces of the part of a text that a slot's text fills unchanged.

        :param marked: the text with its marks.
        :param start: where the part begins in the text without marks.
        :param end: where it ends.
        """
        text = self.clean(marked)
        pieces: list[Piece] = []
        for at, slot in self.in_text(marked):
            begin = at - len(slot.text)
            after = pieces[-1].end if pieces else 0
            if start <= begin and at <= end and begin - start >= after and text[begin:at] == slot.text:
                pieces.append(Piece(begin - start, at - start, slot))
        return tuple(pieces)


def replaced(text: str, spans: Mapping[tuple[int, int], str]) -> str:
    """A text with other texts in some of its places."""
    parts, at = [], 0
    for (start, end), new in sorted(spans.items()):
        parts += [text[at:start], new]
        at = end
    return "".join([*parts, text[at:]])


def slots_of(values: Mapping[str, Any], images: Collection[str]) -> Iterator[Slot]:
    """The parts of values that may make one of the images.

    :param values: what the chart is rendered with.
    :param images: the images, as they are rendered.
    """
    names = sorted({_name(image) for image in images})
    together = "\n".join(names)
    whole = frozenset(part for name in names for part in name.split("/"))
    count = 0
    for place, value in leaves(values):
        if not isinstance(value, str) or isinstance(value, Plain) or not value or count > _MOST:
            continue
        for start, end in _parts(place, value):
            text = value[start:end]
            if text in together and (len(text) >= _SHORTEST or text in whole):
                count += 1
                yield Slot(place, start, end, text)


def empty_places(values: Mapping[str, Any]) -> Iterator[Place]:
    """The places of values that are empty and, by their key, would be part of an image."""
    for place, value in leaves(values):
        key = str(place[-1]) if place else ""
        is_empty = value is None or (value == "" and not isinstance(value, Plain))
        is_part = (
            isinstance(place[-1] if place else 0, str) and _EMPTY_KEY.search(key) and not _NOT_EMPTY_KEY.search(key)
        )
        if is_empty and is_part and not any(isinstance(part, int) for part in place) and "global" not in place:
            yield place


def _parts(place: Place, value: str) -> Iterator[tuple[int, int]]:
    """The parts of a value that may name an image, or part of one: its own tag and digest are none."""
    if _SIMPLE.fullmatch(value):
        match = _WORD.match(value)
        if match and _may_be_part(place, match[0]):
            yield match.span()
        return
    visible = _ACTION.sub(lambda action: "\0" * len(action[0]), value)
    for match in _WORD.finditer(visible):
        if "/" in match[0] or ("\0" in visible and _may_be_part(place, match[0])):
            yield match.span()


def _may_be_part(place: Place, text: str) -> bool:
    keys = [key for key in place if isinstance(key, str)]
    last = keys[-1] if keys else ""
    if _OTHER_KEY.search(last) or len(text) < 2:
        return False
    return "/" in text or "." in text or bool(_IMAGE_KEY.search(last)) or "image" in ".".join(keys).lower()


def _name(image: str) -> str:
    image = image.partition("@")[0]
    head, slash, last = image.rpartition("/")
    return f"{head}{slash}{last.partition(':')[0]}"
