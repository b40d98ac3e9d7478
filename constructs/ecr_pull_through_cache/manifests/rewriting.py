"""The mapping applied to manifests: images change, every other byte stays."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache

import yaml

from ..images import CacheMapping, InvalidImageReference, Reason, canonical
from .finding import why
from .kinds import KNOWN
from .kustomizing import Change, changed, changed_texts, image_of, images_of_texts
from .mentions import mentions as mentioned_in
from .places import ImagePlaces
from .reading import read
from .spots import Piece, Ranges, Reading, Role, Spot, is_image_id
from .structure import Lines


class Mentions(Enum):
    """The treatment of images that are named in arguments, environment variables and ConfigMaps."""

    REPORT = "report"
    """They are left, and listed with their place."""
    REWRITE = "rewrite"
    """They are rewritten too, but for those that are compared with, scanned, built or pushed."""
    IGNORE = "ignore"


class Found(Enum):
    """The way in which an image was found."""

    FIELD = "an image that is pulled"
    VALUES = "a value of a chart; without the chart it is not verified"
    MENTION = "named elsewhere"
    MATCHED = "compared with, scanned, built or pushed"
    LEFT = "left upstream"


@dataclass(frozen=True, slots=True)
class Finding:
    """An image in a text.

    :param line: from 1.
    :param column: from 1.
    :param given: the reference as it stands there.
    :param image: the reference to use; the one given where it stays.
    :param found: how it was found.
    :param why: why it stays, where a rule caches it and it stays nevertheless.
    """

    line: int
    column: int
    given: str
    image: str
    found: Found = Found.FIELD
    why: str = ""

    @property
    def is_mention(self) -> bool:
        """Whether it is named elsewhere than in a field for images."""
        return self.found in (Found.MENTION, Found.MATCHED)


@dataclass(frozen=True, slots=True)
class Rewritten:
    """A text with its images rewritten.

    :param text: the text.
    :param changes: the images that changed.
    :param reported: images that were found and left, because nobody can know what they are for there.
    :param left: images that stay upstream although a rule caches them: pinned by digest, excluded, or not allowed.
    :param problem: why the text could not be understood, if so; it is left as it was.
    """

    text: str
    changes: tuple[Finding, ...] = ()
    reported: tuple[Finding, ...] = ()
    left: tuple[Finding, ...] = ()
    problem: str | None = None


class Rewriter:
    """Rewrites images in manifests, for one mapping or several.

    :param mapping: what images become. With ``reverse`` several may be given: every registry that manifests may name.
    :param reverse: the way back, from the cache to upstream.
    :param mentions: what happens to images that are named elsewhere than in a field for images.
    :param places: the fields that hold images.
    :param pinned: names of images that manifests pin by digest, as :func:`pinned_names` finds them: a kustomization beside
        them leaves these upstream.
    """

    def __init__(
        self,
        mapping: CacheMapping | Iterable[CacheMapping],
        *,
        reverse: bool = False,
        mentions: Mentions = Mentions.REPORT,
        places: ImagePlaces = KNOWN,
        pinned: Collection[str] = (),
    ) -> None:
        mappings = [mapping] if isinstance(mapping, CacheMapping) else list(mapping)
        self._mentions = mentions
        self._places = places
        self._pinned = frozenset(pinned)
        self._decide = lru_cache(maxsize=65_536)(_backwards(mappings) if reverse else _forwards(mappings))
        self._hosts = frozenset(_hosts_of(mappings, reverse=reverse))

    def rewrite(self, text: str, name: str = "") -> Rewritten:
        """Rewrite a text: YAML of any number of documents, JSON, a template of either, or a Dockerfile.

        :param text: line ends are kept as they are.
        :param name: name of its file, by which Dockerfiles and kustomizations are told.
        """
        try:
            reading = read(text, self._places, name)
        except (yaml.YAMLError, UnicodeEncodeError) as error:
            return Rewritten(text, problem=why(error))
        work = _Work(text, reading)
        obstacle = self._in_fields(work)
        if obstacle is not None:
            return Rewritten(text, problem=obstacle)
        self._in_kustomizations(work)
        if self._mentions is not Mentions.IGNORE:
            self._in_words(work)
        return work.result()

    def _becomes(self, image: str) -> str | None:
        return self._decide(image)[0]

    def _in_fields(self, work: _Work) -> str | None:
        """Rewrite what is pulled; the reason why the text cannot be rewritten, if so."""
        for spot in work.reading.spots:
            image, left = self._decide(spot.image)
            if left is not None:
                work.stay(spot.start, spot.image, left)
            if image is None or spot.role not in (Role.FIELD, Role.VALUES):
                if image is not None:
                    self._mention(work, spot, image)
                continue
            if spot.fixed and not _ends_in(image, spot.fixed):
                self._mention(work, spot, image)
                continue
            if spot.obstacle:
                line, _ = work.lines.at(spot.start)
                return f"line {line}: {spot.image} cannot be rewritten for certain: {spot.obstacle}"
            found = Found.VALUES if spot.role is Role.VALUES else Found.FIELD
            work.change(spot.start, spot.image, image, found, spot.edits(image))
        return None

    def _mention(self, work: _Work, spot: Spot, image: str) -> None:
        if self._mentions is Mentions.IGNORE:
            return
        if self._mentions is Mentions.REWRITE and not spot.obstacle and not spot.fixed:
            work.change(spot.start, spot.image, image, Found.MENTION, spot.edits(image))
        else:
            work.report(spot.start, spot.image, image, Found.MENTION)

    def _in_kustomizations(self, work: _Work) -> None:
        for entry in work.reading.kustomized:
            given = image_of(entry)
            if given is not None and (left := self._decide(given[0])[1]) is not None:
                work.stay(given[1].start, given[0], left)
            work.take(entry.node.start, entry.node.end)
            change = changed(work.text, entry, self._becomes, self._pinned)
            if change is not None:
                self._kustomize(work, change)
        for listed in work.reading.texts:
            for image, node in images_of_texts(listed):
                left = self._decide(image)[1]
                if left is not None:
                    work.stay(node.start, image, left)
            work.take(listed.start, listed.end)
            for change in changed_texts(work.text, listed, self._becomes):
                self._kustomize(work, change)

    def _kustomize(self, work: _Work, change: Change) -> None:
        work.change(change.start, change.given, change.image, Found.FIELD, list(change.edits))

    def _has_words(self, work: _Work) -> bool:
        """Whether something may be mentioned beside the images that are read already: counting is faster than looking."""
        text, images = work.text, [spot.image for spot in work.reading.spots]
        if any(text.count(host) != sum(image.count(host) for image in images) for host in self._hosts):
            return True
        words = sum(1 + image.lower().count("image") for image in images)
        return text.lower().count("image") != words

    def _in_words(self, work: _Work) -> None:
        if not self._has_words(work):
            return
        for start, end, given, is_pattern in mentioned_in(work.text, self._hosts):
            if work.is_taken(start):
                continue
            image, left = self._decide(given)
            if left is not None:
                work.stay(start, given, left)
            if image is None:
                continue
            if is_pattern or work.is_matched(start):
                work.report(start, given, image, Found.MATCHED)
            elif self._mentions is Mentions.REWRITE and not _may_be_folder(given):
                work.change(start, given, image, Found.MENTION, [(start, end, image)])
            else:
                work.report(start, given, image, Found.MENTION)


class _Work:
    """One text on its way."""

    def __init__(self, text: str, reading: Reading) -> None:
        self.text = text
        self.reading = reading
        self._lines: Lines | None = None
        self._edits: list[tuple[int, int, str]] = []
        self._changes: list[_Row] = []
        self._reported: list[_Row] = []
        self._left: list[_Row] = []
        self._taken = sorted((start, end) for spot in reading.spots for start, end, _ in spot.pieces)
        self._whole: list[tuple[int, int]] = []
        self._matched = Ranges(reading.matched)
        self._ranges: Ranges | None = None

    @property
    def lines(self) -> Lines:
        if self._lines is None:
            self._lines = Lines(self.text)
        return self._lines

    def change(self, at: int, given: str, image: str, found: Found, edits: list[tuple[int, int, str]]) -> None:
        self._edits += edits
        self._changes.append((at, given, image, found, ""))

    def report(self, at: int, given: str, image: str, found: Found) -> None:
        self._reported.append((at, given, image, found, ""))

    def stay(self, at: int, given: str, why: str) -> None:
        self._left.append((at, given, given, Found.LEFT, why))

    def take(self, start: int, end: int) -> None:
        """Look for no mentions in a part of the text."""
        self._whole.append((start, end))
        self._ranges = None

    def is_taken(self, index: int) -> bool:
        if self._ranges is None:
            self._ranges = Ranges([*self._taken, *self._whole])
        return self._ranges.hold(index)

    def is_matched(self, index: int) -> bool:
        return self._matched.hold(index)

    def result(self) -> Rewritten:
        return Rewritten(
            _replaced(self.text, self._edits) if self._edits else self.text,
            self._found(self._changes),
            self._found(self._reported),
            self._found(self._left),
        )

    def _found(self, rows: list[_Row]) -> tuple[Finding, ...]:
        return tuple(
            Finding(*self.lines.at(at), given, image, found, why)
            for at, given, image, found, why in sorted(rows, key=_at)
        )


_Row = tuple[int, str, str, Found, str]


def _at(row: _Row) -> int:
    return row[0]


_FOLDER = re.compile(r"docker\.io/[a-z0-9_.-]+")


def _may_be_folder(given: str) -> bool:
    """Whether a mention may as well be a folder of Docker Hub, such as Istio's hub ``docker.io/istio``."""
    return _FOLDER.fullmatch(given) is not None


def _ends_in(image: str, path: str) -> bool:
    """Whether the repository of an image ends in a path that cannot change."""
    return Piece.NAME.of(image).endswith(f"/{path}")


_PINNED = re.compile(r"([\w./:-]*[\w])@sha256:[0-9a-f]{64}", re.ASCII)


def pinned_names(text: str) -> set[str]:
    """The names of images that a text pins by digest, in canonical form.

    :param text: manifests.
    """
    names = set()
    for match in _PINNED.finditer(text):
        try:
            names.add(Piece.NAME.of(canonical(match[1])))
        except InvalidImageReference:
            continue
    return names


_OF_NO_CONCERN = (Reason.ALREADY_CACHED, Reason.NO_RULE, Reason.PLACEHOLDER)
"""Reasons for which an image stays and nobody would expect another."""


def _forwards(mappings: list[CacheMapping]) -> Callable[[str], tuple[str | None, str | None]]:
    (mapping,) = mappings

    def becomes(image: str) -> tuple[str | None, str | None]:
        if is_image_id(image):
            return None, None
        try:
            decision = mapping.decide(image)
        except InvalidImageReference:
            return None, None
        if decision.reason is Reason.CACHED:
            return decision.image, None
        return None, None if decision.reason in _OF_NO_CONCERN else decision.reason.value

    return becomes


def _backwards(mappings: list[CacheMapping]) -> Callable[[str], tuple[str | None, str | None]]:
    def becomes(image: str) -> tuple[str | None, str | None]:
        try:
            found = (mapping.upstream_of(image) for mapping in mappings)
            return next((image for image in found if image is not None), None), None
        except InvalidImageReference:
            return None, None

    return becomes


def _hosts_of(mappings: list[CacheMapping], *, reverse: bool) -> set[str]:
    """The registries that a mention is looked for by: a word without one may mean anything."""
    if reverse:
        return {host for mapping in mappings for host in mapping.hosts}
    hosts = {s.source.split("/")[0] for mapping in mappings for s in mapping.substitutions}
    return hosts | (set(mappings[0].docker_hub_hosts) if "docker.io" in hosts else set())


def _replaced(text: str, edits: list[tuple[int, int, str]]) -> str:
    parts = []
    at = 0
    for start, end, image in sorted(edits, key=lambda edit: edit[:2]):
        parts += [text[at:start], image]
        at = end
    return "".join([*parts, text[at:]])
