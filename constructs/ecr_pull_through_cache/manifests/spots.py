"""Images as they stand in a text, in one piece or in several."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from enum import Enum

from ..images import ImageReference, InvalidImageReference
from .tree import Mapping, Sequence


class Role(Enum):
    """The purpose of an image in a text."""

    FIELD = "field"
    """It is pulled."""
    VALUES = "values of a chart"
    """A chart is given it; without the chart nobody can verify what becomes of it."""
    MENTION = "mention"
    """It stands in an argument, an environment variable, a ConfigMap or another text."""
    MATCHED = "matched"
    """It is compared with, scanned, built or pushed, and not pulled."""


class Piece(Enum):
    """The part of a reference at one place."""

    WHOLE = "whole"
    NAME = "name"
    """Without tag and digest."""
    REGISTRY = "registry"
    REPOSITORY = "repository"
    """Without registry, tag and digest."""
    FOLDER = "folder"
    """Registry and repository without the last part of its path."""

    def of(self, image: str) -> str:
        """The part of a reference."""
        if self is Piece.WHOLE:
            return image
        name = image.partition("@")[0]
        head, slash, last = name.rpartition("/")
        name = f"{head}{slash}{last.partition(':')[0]}"
        if self is Piece.NAME:
            return name
        if self is Piece.FOLDER:
            return head
        registry, _, repository = name.partition("/")
        return registry if self is Piece.REGISTRY else repository


@dataclass(frozen=True, slots=True)
class Spot:
    """An image in a text.

    :param image: the reference, put together where it stands in several places.
    :param pieces: begin and end of each place, with how much of the reference stands there.
    :param role: what it is there for.
    :param obstacle: why it cannot be rewritten where it stands, if so.
    :param fixed: the last part of the repository's path, where that stands elsewhere and cannot change.
    """

    image: str
    pieces: tuple[tuple[int, int, Piece], ...]
    role: Role = Role.FIELD
    obstacle: str = ""
    fixed: str = ""

    @property
    def start(self) -> int:
        """The beginning."""
        return min(start for start, _, _ in self.pieces)

    def edits(self, image: str) -> list[tuple[int, int, str]]:
        """Find the changes of the text for another image."""
        return [(start, end, piece.of(image)) for start, end, piece in self.pieces]

    def moved(self, move: Moves) -> Spot:
        """The same in a text that this one is part of."""
        return replace(self, pieces=tuple((move.at(s), move.at(s) + e - s, piece) for s, e, piece in self.pieces))


@dataclass(frozen=True, slots=True)
class Moves:
    """The position of a text's lines in another text.

    :param lines: index of each line in the text, in ascending order, and in the other one.
    """

    lines: tuple[tuple[int, int], ...]

    def at(self, index: int) -> int:
        """The index in the other text."""
        here, there = self.lines[bisect_right(self.lines, (index, float("inf"))) - 1]
        return there + index - here


@dataclass(frozen=True, slots=True)
class Kustomized:
    """An entry of a kustomization, which gives images another name, tag or digest.

    :param node: the mapping.
    :param siblings: the list that it is in.
    :param names: the names of all entries of that list.
    """

    node: Mapping
    siblings: Sequence
    names: frozenset[str]


@dataclass(slots=True)
class Reading:
    """The content that was read from a text.

    :param spots: images.
    :param kustomized: entries of kustomizations.
    :param texts: entries of kustomizations that are written as one text each.
    :param matched: parts of the text in which images are compared with, scanned, built or pushed.
    :param charts: charts that are deployed, with the line.
    """

    spots: list[Spot] = field(default_factory=list)
    kustomized: list[Kustomized] = field(default_factory=list)
    texts: list[Sequence] = field(default_factory=list)
    matched: list[tuple[int, int]] = field(default_factory=list)
    charts: list[tuple[str, int]] = field(default_factory=list)


class Ranges:
    """Parts of a text, which may lie in each other.

    :param ranges: begin and end of each.
    """

    def __init__(self, ranges: Iterable[tuple[int, int]]) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []
        for start, end in sorted(ranges):
            if self._ends and start <= self._ends[-1]:
                self._ends[-1] = max(self._ends[-1], end)
            else:
                self._starts.append(start)
                self._ends.append(end)

    def hold(self, index: int) -> bool:
        """Whether an index lies in one of them."""
        number = bisect_right(self._starts, index) - 1
        return number >= 0 and index < self._ends[number]


SCHEMES = ("docker://", "oci://")


def is_reference(text: str) -> bool:
    """Whether a text may be an image for certain: a legal reference with a path or a tag."""
    if not ("/" in text or ":" in text) or "://" in text:
        return False
    try:
        ImageReference.parse(text)
    except InvalidImageReference:
        return False
    return not is_image_id(text)


def is_image_id(text: str) -> bool:
    """Whether a text is an id as the kubelet and Docker write it, which names no repository."""
    return text.startswith("sha256:")
