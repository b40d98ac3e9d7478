"""Which values to change so that every image becomes what it is to become: pure, over images cut into pieces."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from operator import attrgetter

from .becoming import Becoming
from .chart_values import Place, written


@dataclass(frozen=True, slots=True)
class Slot:
    """A part of a value that images are made of.

    :param place: where the value stands.
    :param start: where the part begins in it.
    :param end: where it ends.
    :param text: the part.
    """

    place: Place
    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of an image that a slot of the values fills.

    :param start: where it begins in the image's text.
    :param end: where it ends.
    :param slot: the slot.
    """

    start: int
    end: int
    slot: Slot


@dataclass(frozen=True, slots=True)
class Built:
    """An image of a chart, with the values that it is made of.

    :param image: what it is to become.
    :param pieces: the parts of its text that values fill, in order; the rest is the template's.
    """

    image: Becoming
    pieces: tuple[Piece, ...] = ()

    def with_values(self, changes: Mapping[Slot, str]) -> str:
        """The image's text when slots hold other texts."""
        return self._joined(changes, 0, len(self.image.image))

    def fitting(self, piece: Piece, changes: Mapping[Slot, str]) -> Iterator[str]:
        """The texts of one piece that make the image what it is to become, the other changes given."""
        before = self._joined(changes, 0, piece.start)
        after = self._joined(changes, piece.end, len(self.image.image))
        for wanted in self.image.accepted:
            middle = wanted[len(before) : len(wanted) - len(after)]
            if middle and f"{before}{middle}{after}" == wanted:
                yield middle

    def _joined(self, changes: Mapping[Slot, str], start: int, end: int) -> str:
        text, at, parts = self.image.image, start, []
        for piece in self.pieces:
            if start <= piece.start and piece.end <= end:
                parts += [text[at : piece.start], changes.get(piece.slot, piece.slot.text)]
                at = piece.end
        return "".join([*parts, text[at:end]])


@dataclass
class Solution:
    """Changes that make images what they are to become.

    :param changes: what each slot is to hold.
    :param left: for each image that no change reaches, why.
    """

    changes: dict[Slot, str] = field(default_factory=dict)
    left: dict[int, str] = field(default_factory=dict)


def solve(images: list[Built], banned: Mapping[Slot, str] | None = None) -> Solution:
    """Choose the changes: as few slots as do it, and none that makes any image something else than it is to become.

    :param images: every image of the chart, those that are to stay included.
    :param banned: slots that must stay, with the reason.
    """
    banned = banned or {}
    touched: dict[Slot, list[int]] = defaultdict(list)
    groups: dict[Slot, list[int]] = defaultdict(list)
    solution = Solution()
    for number, built in enumerate(images):
        for slot in dict.fromkeys(piece.slot for piece in built.pieces):
            touched[slot].append(number)
        if built.image.why_it_stays is None:
            if built.pieces and built.pieces[0].start == 0:
                groups[built.pieces[0].slot].append(number)
            else:
                solution.left[number] = (
                    "the registry is written in the template, not in a value"
                    if built.pieces
                    else "no value of the chart makes it; it is written or put together in the template"
                )
    for slot, group in sorted(groups.items(), key=lambda item: -len(item[1])):
        if slot in banned:
            solution.left.update(dict.fromkeys(group, banned[slot]))
            continue
        changes = _for_group(slot, images, touched, solution.changes, banned)
        if changes is None:
            why = _blocked(slot, group, images, touched)
            solution.left.update({number: why for number in group if number not in solution.left})
        else:
            solution.changes.update(changes)
    return solution


def _for_group(
    first: Slot,
    images: list[Built],
    touched: Mapping[Slot, list[int]],
    made: Mapping[Slot, str],
    banned: Collection[Slot],
) -> dict[Slot, str] | None:
    """The fewest changes, one at the first slot, that suit every image that they touch."""
    if first in made:
        return {} if _suits(touched[first], images, made) else None
    texts: Counter[str] = Counter()
    for number in touched[first]:
        built = images[number]
        piece = next(p for p in built.pieces if p.slot == first)
        texts.update(built.fitting(piece, made))
        texts.update(dict.fromkeys(_folders(built), 0))
    best: dict[Slot, str] | None = None
    for text, _ in texts.most_common():
        trial = {first: text}
        for number in touched[first]:
            _adjust(images[number], trial, made, banned)
        reached = dict.fromkeys(number for slot in trial for number in touched[slot])
        if _suits(reached, images, {**made, **trial}) and (best is None or len(trial) < len(best)):
            best = trial
        if best is not None and len(best) == 1:
            break
    return best


def _folders(built: Built) -> Iterator[str]:
    """The beginning that an image is to have: ``HOST``, ``HOST/prefix`` and so on, where the path may stand in another slot."""
    wanted = built.image.accepted[0]
    if built.image.why_it_stays is None:
        yield from (wanted[:at] for at, character in enumerate(wanted) if character == "/")


def _adjust(built: Built, trial: dict[Slot, str], made: Mapping[Slot, str], banned: Collection[Slot]) -> None:
    """Change one further slot of an image that the trial does not yet make right."""
    changes = {**made, **trial}
    if built.with_values(changes) in built.image.accepted:
        return
    for piece in built.pieces:
        if piece.slot not in changes and piece.slot not in banned:
            fitting = next(built.fitting(piece, changes), None)
            if fitting is not None:
                trial[piece.slot] = fitting
                return


def _suits(numbers: Iterable[int], images: list[Built], changes: Mapping[Slot, str]) -> bool:
    return all(images[n].with_values(changes) in images[n].image.accepted for n in numbers)


def _blocked(slot: Slot, group: list[int], images: list[Built], touched: Mapping[Slot, list[int]]) -> str:
    others = [images[n].image for n in touched[slot] if n not in group]
    other = next(iter(sorted(others, key=attrgetter("image"))), None)
    if other is not None:
        reason = f", which stays: {other.why_it_stays}" if other.why_it_stays else ""
        return f"its value {written(slot.place)} makes {other.image}, too{reason}"
    return f"no one text of its value {written(slot.place)} suits all the images that are made of it"
