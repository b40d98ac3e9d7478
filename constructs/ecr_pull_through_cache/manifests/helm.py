"""The values that make a chart's images come from the cache, found with Helm's help and verified by it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .becoming import Becoming, Becomings
from .chart_files import ChartFiles, read_chart, read_values
from .chart_values import (
    Place,
    effective_values,
    lists_in,
    override_of,
    places_of_globals,
    value_at,
    written,
)
from .helm_engine import Helm, HelmRefuses
from .helm_marks import Marks, replaced, slots_of
from .helm_shapes import Guess, Override, guesses_of, override
from .helm_solving import Built, Slot, Solution, solve
from .rendered_images import Reader, Rendered, Scalar, ScalarId
from .yaml_text import to_yaml

__all__ = ["ChartOverride", "Finding", "Override", "guess_override", "override", "verified_override"]

MOST_RENDERINGS = 4
ALLOW: Place = ("global", "security", "allowInsecureImages")
"""The value that charts of Bitnami demand before they are rendered with images of another registry."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One image of a chart.

    :param where: the template that it stands in, or the key of its value.
    :param image: the image as it is.
    :param why: why it stays, or is not verified; empty when it is right.
    """

    where: str
    image: str
    why: str = ""


@dataclass
class ChartOverride:
    """The values that override a chart's images, and what is known of each image.

    :param values: the override, as data.
    :param right: the images that are from the cache, as Helm itself renders them.
    :param pinned: the images that a digest pins, which the mapping leaves with their upstream.
    :param left: the images of cached registries that stay, with the reason.
    :param not_verified: the images that nothing rendered, with the reason.
    :param elsewhere: the images of registries that no rule caches.
    :param notes: what else the user must know, each with its place.
    :param renderings: how often Helm rendered the chart.
    """

    values: dict[str, Any] = field(default_factory=dict)
    right: list[Finding] = field(default_factory=list)
    pinned: list[Finding] = field(default_factory=list)
    left: list[Finding] = field(default_factory=list)
    not_verified: list[Finding] = field(default_factory=list)
    elsewhere: list[Finding] = field(default_factory=list)
    notes: list[tuple[str, str]] = field(default_factory=list)
    renderings: int = 0

    @property
    def is_all_right(self) -> bool:
        """Whether every image is known to be right."""
        return not (self.pinned or self.left or self.elsewhere or self.not_verified)


def guess_override(
    becomings: Becomings, chart: ChartFiles, files: Iterable[Mapping[str, Any]], why: str
) -> ChartOverride:
    """Find the override that values alone tell, where Helm does not render: nothing of it is verified.

    :param becomings: what images become.
    :param chart: the chart, which is empty where only values files are at hand.
    :param files: the user's values, the later over the earlier.
    :param why: why nothing is verified.
    """
    result = ChartOverride()
    values = effective_values(chart, files)
    changes: dict[Place, Any] = {}
    for at, inner in chart.charts():
        for name in inner.missing:
            reason = "the chart depends on it and does not hold it; run `helm dependency build`"
            result.not_verified.append(Finding(written((*at, name)), "its images", reason))
    for guess in guesses_of(becomings, values):
        if guess.has_no_rule:
            result.elsewhere.append(Finding(written(guess.place), guess.image, guess.why))
        elif not guess.is_of_concern:
            continue
        elif guess.is_pinned:
            result.pinned.append(Finding(written(guess.place), guess.image, guess.why))
        elif guess.changes:
            changes.update(guess.changes)
            result.not_verified.append(Finding(written(guess.place), guess.image, why))
        elif guess.is_uncertain:
            result.not_verified.append(Finding(written(guess.place), guess.image, f"{guess.why}; {why}"))
        else:
            result.left.append(Finding(written(guess.place), guess.image, guess.why))
    result.values = override_of(changes, values)
    return result


def verified_override(becomings: Becomings, chart: Path, files: Sequence[Path], helm: Helm) -> ChartOverride:
    """The override of a chart that Helm renders, verified by rendering the chart with it.

    The values that may make images are marked and the chart is rendered, which shows the values that each image is
    made of. The override is chosen from these and rendered; whatever does harm is taken back.

    :param becomings: what images become.
    :param chart: a chart's folder or its ``.tgz``.
    :param files: the user's values files, the later over the earlier.
    :param helm: Helm.
    :raises UserError: when the chart cannot be read.
    :raises HelmRefuses: when Helm does not render the chart with the user's values.
    """
    given = [read_values(path) for path in files]
    found = read_chart(chart)
    return _Search(becomings, chart, files, helm, found, effective_values(found, given)).run()


class _Search:
    """The search for one chart's override."""

    def __init__(
        self,
        becomings: Becomings,
        chart: Path,
        files: Sequence[Path],
        helm: Helm,
        found: ChartFiles,
        values: dict[str, Any],
    ) -> None:
        self._becomings = becomings
        self._chart = chart
        self._files = files
        self._helm = helm
        self._found = found
        self._values = values
        self._globals = places_of_globals(found, values)
        self._renderings = 0
        self._allows = any(value_at(inner.values, ALLOW) is not None for _, inner in found.charts()) and not _is_true(
            value_at(values, ALLOW)
        )
        self._before = Rendered()
        self._marks = Marks((), "")
        self._built: list[Built] = []
        self._sites: list[tuple[Scalar, tuple[int, int]]] = []
        self._harmful: dict[ScalarId, tuple[Slot, ...]] = {}
        self._seen: set[Place] = set()
        self._empties: dict[Place, str] = {}

    # -- rendering

    def _render(self, changes: Mapping[Place, Any] | None = None, *, check_schema: bool = True) -> str:
        self._renderings += 1
        text = None if not changes else to_yaml([self._as_values(changes)])
        return self._helm.render(self._chart, self._files, override=text, check_schema=check_schema)

    def _as_values(self, changes: Mapping[Place, Any]) -> dict[str, Any]:
        made: dict[Place, Any] = {}
        for place, value in changes.items():
            to = self._globals.get(place, place)
            if to is not None:
                made[to] = value
        if made and self._allows:
            made[ALLOW] = True
        return override_of(dict(sorted(made.items(), key=lambda change: list(map(str, change[0])))), self._values)

    # -- the way

    def run(self) -> ChartOverride:
        before = self._render()
        reader = Reader(self._becomings.hosts)
        self._before = reader.read(before)
        self._sites = [(s, span) for s in self._before.scalars.values() for span in s.spans]
        images = [self._becoming(scalar, span) for scalar, span in self._sites]
        wanted = {i.image for i in images if i is not None and i.why_it_stays is None}
        guesses = [g for g in guesses_of(self._becomings, self._values) if g.is_of_concern and not g.is_pinned]
        marked = self._marked(before, wanted | {guess.image for guess in guesses})
        self._built = [
            self._build(s, span, image, marked) for (s, span), image in zip(self._sites, images, strict=True)
        ]
        self._guesses = self._of_what_is_not_rendered(guesses, marked)
        return self._verified()

    def _becoming(self, scalar: Scalar, span: tuple[int, int]) -> Becoming | None:
        return self._becomings.of(scalar.text[slice(*span)], scalar.is_field)

    def _marked(self, before: str, wanted: set[str]) -> Rendered | None:
        slots = [s for s in slots_of(self._values, wanted) if self._globals.get(s.place, s.place) is not None]
        for _ in range(2):
            if not slots:
                return None
            self._marks = Marks(slots, before)
            changes = self._marks.changes({slot.place: value_at(self._values, slot.place) for slot in slots})
            try:
                text = self._render(changes, check_schema=not self._found.has_schema)
            except HelmRefuses as error:
                slots = self._less(slots, error.said)
                continue
            reader = Reader(self._becomings.hosts, self._marks.clean)
            return reader.read(text, self._marks.word)
        return None

    def _less(self, slots: list[Slot], said: str) -> list[Slot]:
        """The slots without those that Helm's refusal names; those that are surest where it names none."""
        if "allowInsecureImages" in said and not self._allows:
            self._allows = True
            return slots
        named = {slot for _, slot in self._marks.in_text(said)}
        named |= {slot for slot in slots if written(slot.place) in said}
        if named:
            return [slot for slot in slots if slot not in named]
        return [slot for slot in slots if "/" in slot.text or "." in slot.text]

    def _build(self, scalar: Scalar, span: tuple[int, int], image: Becoming | None, marked: Rendered | None) -> Built:
        if image is None:
            text = scalar.text[slice(*span)]
            return Built(Becoming(text, (text,), "no image", is_of_concern=False))
        other = marked.scalars.get(scalar.id) if marked is not None else None
        if other is None:
            return Built(image)
        mine, theirs, spans, number = scalar.beside(span, other.text)
        if self._marks.clean(theirs) != mine:
            return Built(image)
        return Built(image, self._marks.pieces(theirs, *spans[number]))

    def _of_what_is_not_rendered(self, guesses: list[Guess], marked: Rendered | None) -> list[Guess]:
        """Guess by their shape the images that the values name besides: images of components that are switched off."""
        seen = {place for built in self._built for piece in built.pieces for place in [piece.slot.place]}
        if marked is not None:
            for scalar in marked.scalars.values():
                seen.update(slot.place for _, slot in self._marks.in_text(scalar.text))
        rendered = {built.image.image for built in self._built}
        return [
            guess
            for guess in guesses
            if guess.place not in seen and guess.image not in rendered and not seen.intersection(guess.changes)
        ]

    # -- verifying

    def _verified(self) -> ChartOverride:
        banned: dict[Slot, str] = {}
        solution = solve(self._built, banned)
        while True:
            changes = self._changes(solution)
            if not changes and not any(guess.changes for guess in self._guesses):
                return self._result(solution, self._before, changes)
            try:
                after = self._after(changes)
            except HelmRefuses as error:
                harm = self._refused(error.said, solution)
            else:
                harm = self._harm(solution, after)
                if not harm:
                    return self._result(solution, after, changes)
            banned.update(harm)
            solution = solve(self._built, banned)
            if self._renderings >= MOST_RENDERINGS:
                return self._unverified(solution)

    def _changes(self, solution: Solution) -> dict[Place, Any]:
        """The values with the texts of the slots, and the guesses."""
        spans: dict[Place, dict[tuple[int, int], str]] = {}
        for slot, text in solution.changes.items():
            spans.setdefault(slot.place, {})[slot.start, slot.end] = text
        return {place: replaced(value_at(self._values, place), found) for place, found in spans.items()}

    def _after(self, changes: Mapping[Place, Any]) -> Rendered:
        guessed = {place: text for guess in self._guesses for place, text in guess.changes.items()}
        text = self._render({**guessed, **changes})
        return Reader(self._becomings.all_hosts).read(text)

    def _refused(self, said: str, solution: Solution) -> dict[Slot, str]:
        """The slots that Helm's refusal names, all of them where it names none."""
        if "allowInsecureImages" in said and not self._allows:
            self._allows = True
            return {}
        self._guesses = [guess for guess in self._guesses if not guess.changes]
        lines = said.splitlines()
        why = f"helm does not render the chart with another {{}}: {lines[-1].strip()}"
        named = [s for s in solution.changes if written(s.place) in said or "/" + "/".join(map(str, s.place)) in said]
        return {slot: why.format(written(slot.place)) for slot in named or solution.changes}

    def _harm(self, solution: Solution, after: Rendered) -> dict[Slot, str]:
        """The slots whose change makes an image something that it is not to become, or breaks a name."""
        harm: dict[Slot, str] = {}
        for number, built in enumerate(self._built):
            got = self._got(number, after)
            if got in built.image.accepted or got == built.image.image:
                continue
            for piece in built.pieces or ():
                if piece.slot in solution.changes:
                    harm[piece.slot] = f"the chart makes {got!r} of it when {written(piece.slot.place)} changes"
            if not built.pieces:
                harm.update(self._suspects(built, got, solution))
        for where, scalar in after.scalars.items():
            before = self._before.scalars.get(where)
            if before is not None and before.text != scalar.text and _is_name(where) and "/" in scalar.text:
                for slot, text in solution.changes.items():
                    if text in scalar.text:
                        harm[slot] = f"its value {written(slot.place)} is part of a name, too"
        return harm

    def _suspects(self, built: Built, got: str | None, solution: Solution) -> dict[Slot, str]:
        """The slots that may have changed an image that is made of none of them, as far as anybody can tell."""
        named = {slot: text for slot, text in solution.changes.items() if got is not None and text in got}
        return {
            slot: f"{built.image.image} becomes {got!r} when {written(slot.place)} changes"
            for slot in named or solution.changes
        }

    def _got(self, number: int, after: Rendered) -> str | None:
        """Compare one image of the last render with the mapping."""
        scalar, span = self._sites[number]
        other = after.scalars.get(scalar.id)
        if other is None:
            return None
        mine, theirs, spans, position = scalar.beside(span, other.text)
        at = 0
        for number, (start, end) in enumerate(spans[: position + 1]):
            gap = mine[spans[number - 1][1] if number else 0 : start]
            after_it = mine[end : spans[number + 1][0] if number + 1 < len(spans) else len(mine)]
            begin = theirs.find(gap, at)
            at = theirs.find(after_it, begin + len(gap)) if after_it else len(theirs)
            if min(begin, at) < 0:
                return None
        return theirs[begin + len(gap) : at]

    # -- what is known

    def _result(self, solution: Solution, after: Rendered, changes: Mapping[Place, Any]) -> ChartOverride:
        result = ChartOverride(renderings=self._renderings)
        guessed = {place: text for guess in self._guesses for place, text in guess.changes.items()}
        made = {**guessed, **changes}
        result.values = self._as_values(made) if made else {}
        for number, built in enumerate(self._built):
            self._judge(result, number, built, after, solution)
        for guess in self._guesses:
            why = f"helm renders nothing of it with these values; {guess.why or 'it is overridden by its shape'}"
            result.not_verified.append(Finding(written(guess.place), guess.image, why))
        for template, why in self._before.unread.items():
            result.not_verified.append(Finding(template, "its images", f"what helm renders cannot be read: {why}"))
        if made and self._allows:
            result.notes.append((written(ALLOW), "the chart demands it for images of another registry"))
        for place in lists_in(made):
            result.notes.append((written(place), "Helm replaces a list as a whole, so all of it is repeated"))
        return result

    def _judge(self, result: ChartOverride, number: int, built: Built, after: Rendered, solution: Solution) -> None:
        image, where = built.image, self._sites[number][0].id[0]
        got = self._got(number, after)
        if image.has_no_rule and got == image.image:
            result.elsewhere.append(Finding(where, image.image, image.why_it_stays or ""))
        elif image.is_there:
            result.right.append(Finding(where, image.image))
        elif not image.is_of_concern:
            return
        elif image.is_pinned:
            result.pinned.append(Finding(where, image.image, image.why_it_stays or ""))
        elif image.why_it_stays is not None:
            result.left.append(Finding(where, image.image, image.why_it_stays))
        elif got in image.accepted:
            result.right.append(Finding(where, image.image))
        else:
            why = solution.left.get(number, "the chart makes it in a way that its values do not show")
            result.left.append(Finding(where, image.image, why))

    def _unverified(self, solution: Solution) -> ChartOverride:
        """After the last rendering: what would have to be rendered again is left."""
        solution.left.update(
            {n: solution.left.get(n, "an override of it could not be verified") for n in range(len(self._built))}
        )
        self._guesses = [guess for guess in self._guesses if not guess.changes]
        return self._result(solution, self._before, {})


def _is_true(value: Any) -> bool:
    return str(value).lower() == "true"


def _is_name(where: ScalarId) -> bool:
    return where[-1] in ("name", "generateName") or bool({"labels", "matchLabels", "selector"}.intersection(where))
