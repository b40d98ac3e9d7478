"""The mapping applied to manifests: images change, every other byte stays."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache

import yaml

from ..images import CacheMapping, InvalidImageReference, Reason
from .finding import spans_of_images, why
from .places import KNOWN, ImagePlaces
from .structure import Lines, paths_at


class Mentions(Enum):
    """What happens to images that are named elsewhere: in arguments, environment variables and ConfigMaps."""

    REPORT = "report"
    """They are left, and listed with their place."""
    REWRITE = "rewrite"
    """They are rewritten too."""
    IGNORE = "ignore"


@dataclass(frozen=True, slots=True)
class Finding:
    """An image in a text.

    :param line: from 1.
    :param column: from 1.
    :param given: the reference as it stands there.
    :param image: the reference to use.
    :param is_mention: whether it is named elsewhere than in a field for images.
    """

    line: int
    column: int
    given: str
    image: str
    is_mention: bool


@dataclass(frozen=True, slots=True)
class Rewritten:
    """A text with its images rewritten.

    :param text: the text.
    :param changes: what was changed.
    :param reported: what was found and left, because it stands where nobody can know what it is for.
    :param problem: why the text could not be understood, if so; it is left as it was.
    """

    text: str
    changes: tuple[Finding, ...] = ()
    reported: tuple[Finding, ...] = ()
    problem: str | None = None


class Rewriter:
    """Rewrites images in manifests, for one mapping.

    :param mapping: what images become.
    :param reverse: the way back, from the cache to upstream.
    :param mentions: what happens to images that are named elsewhere than in a field for images.
    :param places: the fields that hold images.
    """

    def __init__(
        self,
        mapping: CacheMapping,
        *,
        reverse: bool = False,
        mentions: Mentions = Mentions.REPORT,
        places: ImagePlaces = KNOWN,
    ) -> None:
        self._mentions = mentions
        self._places = places
        self._becomes = lru_cache(maxsize=65_536)(_backwards(mapping) if reverse else _forwards(mapping))
        self._mention = _mention_pattern(mapping, reverse)

    def rewrite(self, text: str) -> Rewritten:
        """Rewrite a text: YAML of any number of documents, JSON, or a template of either.

        :param text: line ends are kept as they are.
        """
        spans: dict[tuple[int, int], str] = {}
        try:
            spans.update(spans_of_images(text, self._places, self._becomes))
        except (yaml.YAMLError, UnicodeEncodeError) as error:
            return Rewritten(text, problem=why(error))
        spans.update(_in_kustomization(text, self._becomes))
        mentioned = self._in_words(text, spans) if self._mentions is not Mentions.IGNORE else {}
        if not spans and not mentioned:
            return Rewritten(text)
        changed = {**spans, **mentioned} if self._mentions is Mentions.REWRITE else spans
        lines = Lines(text)
        return Rewritten(
            _replaced(text, changed),
            changes=tuple(
                _finding(text, lines, span, image, span in mentioned) for span, image in sorted(changed.items())
            ),
            reported=tuple(
                _finding(text, lines, s, image, True) for s, image in sorted(mentioned.items()) if s not in changed
            ),
        )

    def _in_words(self, text: str, spans: Iterable[tuple[int, int]]) -> dict[tuple[int, int], str]:
        if self._mention is None:
            return {}
        taken = {start for start, _ in spans}
        mentioned = {}
        for match in self._mention.finditer(text):
            start = match.start()
            line = text.rfind("\n", 0, start) + 1
            if start in taken or "#" in text[line:start]:
                continue
            given = match[0].rstrip(".:")
            image = self._becomes(given)
            if image is not None:
                mentioned[start, start + len(given)] = image
        return mentioned


_KUSTOMIZED = re.compile(
    r"^(?P<lead>[ ]*-[ ]+)name:[ \t]+(?P<quote>[\"']?)(?P<name>[^\s\"'#]+)(?P=quote)[ \t]*(?:#[^\r\n]*)?(?P<end>\r?\n|\Z)"
    r"(?P<rest>(?:[ ]+(?![ -])[^\n]*(?:\n|\Z))*)",
    re.M,
)


def _in_kustomization(text: str, becomes: Callable[[str], str | None]) -> dict[tuple[int, int], str]:
    """A ``newName`` for each image of a kustomization that has none: its ``name`` must go on naming what it replaces."""
    if not text.startswith("images:") and "\nimages:" not in text:
        return {}
    added = {}
    for match in _KUSTOMIZED.finditer(text):
        image = becomes(match["name"])
        indent = " " * len(match["lead"])
        if image is None or re.search(rf"^{indent}(?:newName|digest):", match["rest"], re.M):
            continue
        (found,) = paths_at(text, [match.start("name")]).values()
        if found[0] == ("images", "[]", "name"):
            at = match.end("end")
            added[at, at] = f"{indent}newName: {image}{match['end'] or chr(10)}"
    return added


def _forwards(mapping: CacheMapping) -> Callable[[str], str | None]:
    def becomes(image: str) -> str | None:
        try:
            decision = mapping.decide(image)
        except InvalidImageReference:
            return None
        return decision.image if decision.reason is Reason.CACHED else None

    return becomes


def _backwards(mapping: CacheMapping) -> Callable[[str], str | None]:
    def becomes(image: str) -> str | None:
        try:
            return mapping.upstream_of(image)
        except InvalidImageReference:
            return None

    return becomes


def _mention_pattern(mapping: CacheMapping, reverse: bool) -> re.Pattern[str] | None:
    """References with their registry written out: a word without one may mean anything."""
    hosts = mapping.hosts if reverse else [s.source.split("/")[0] for s in mapping.substitutions]
    known = sorted({*hosts, *(() if reverse or "docker.io" not in hosts else mapping.docker_hub_hosts)})
    if not known:
        return None
    return re.compile(rf"(?<![\w./@:-])(?:{'|'.join(map(re.escape, known))})/[\w./:@-]*\w", re.ASCII)


def _replaced(text: str, spans: dict[tuple[int, int], str]) -> str:
    parts = []
    at = 0
    for (start, end), image in sorted(spans.items()):
        parts += [text[at:start], image]
        at = end
    return "".join([*parts, text[at:]])


def _finding(text: str, lines: Lines, span: tuple[int, int], image: str, is_mention: bool) -> Finding:
    start, end = span
    return Finding(*lines.at(start), text[start:end], image.strip(), is_mention)
