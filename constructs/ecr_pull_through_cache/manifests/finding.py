"""Images in files: manifests, custom resources, kustomizations and rendered charts."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import yaml

from ..errors import UserError
from .places import KNOWN, ImagePlaces
from .structure import Kinds, Lines, fields, needs_parser, parsed_fields, paths_at

T = TypeVar("T")
_KUSTOMIZED = ("images", "[]", "newName")
_SOURCE = re.compile(r"^# Source: (\S+)[ \t]*\r?$", re.M)


@dataclass(frozen=True, slots=True)
class Found:
    """An image in one place.

    :param image: the reference as it stands there.
    :param where: file and line, the chart's template, or stack and logical id.
    """

    image: str
    where: str


@dataclass(frozen=True, slots=True)
class Left:
    """What could not be read, or cannot be known yet.

    :param where: where it stands.
    :param why: what is the matter.
    :param is_broken: whether something is wrong with what was given.
    """

    where: str
    why: str
    is_broken: bool = True


def spans_of_images(text: str, places: ImagePlaces, wanted: Callable[[str], T | None]) -> dict[tuple[int, int], T]:
    """Begin and end of every image that stands in a field for images, with what is wanted of it.

    :param text: YAML of any number of documents, JSON, or a template of either.
    :param places: the fields that hold images.
    :param wanted: called for each candidate; what it gives nothing for is left out.
    :raises yaml.YAMLError: when the text must be parsed and cannot.
    """
    keys = places.keys
    if needs_parser(text, keys):
        return {
            (start, end): image
            for value, start, end, path, kind in parsed_fields(text, keys)
            if (image := wanted(value)) is not None and places.holds_image(kind, path)
        }
    found = [(start, end, image) for value, start, end in fields(text, keys) if (image := wanted(value)) is not None]
    if not found:
        return {}
    paths = paths_at(text, [start for start, _, _ in found])
    kinds = Kinds(text)
    spans = {}
    for start, end, image in found:
        path, kind = paths[start]
        if path is not None and places.holds_image(kind or kinds.at(start), path):
            spans[start, end] = image
    return spans


def images_of(text: str, name: str, *, places: ImagePlaces = KNOWN) -> Iterator[Found]:
    """The images of a text.

    :param text: manifests, a kustomization, or what ``helm template`` prints.
    :param name: what to call it.
    :param places: the fields that hold images.
    :raises UserError: when it cannot be read.
    """
    try:
        yield from _of_kustomization(text, name)
        own = ImagePlaces(places.anywhere - {_KUSTOMIZED}, places.in_kind)
        spans = spans_of_images(text, own, lambda value: value)
    except (yaml.YAMLError, UnicodeEncodeError) as error:
        raise UserError(f"{name}: {why(error)}") from None
    sources = [(match.start(), match[1]) for match in _SOURCE.finditer(text)]
    lines = Lines(text)
    for (start, _), image in sorted(spans.items()):
        before = bisect_right(sources, (start, ""))
        yield Found(image, sources[before - 1][1] if before else f"{name}:{lines.at(start)[0]}")


def _of_kustomization(text: str, name: str) -> Iterator[Found]:
    """A kustomization says name, tag and digest apart."""
    if not text.startswith("images:") and "\nimages:" not in text:
        return
    for document in yaml.load_all(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
        listed = document.get("images") if isinstance(document, dict) else None
        for entry in listed if isinstance(listed, list) else ():
            if isinstance(entry, dict) and "name" in entry and {"newName", "newTag", "digest"} & set(entry):
                yield Found(_kustomized(entry), name)


def _kustomized(entry: dict[str, Any]) -> str:
    tag = f":{entry['newTag']}" if entry.get("newTag") else ""
    digest = f"@{entry['digest']}" if entry.get("digest") else ""
    return f"{entry.get('newName') or entry['name']}{tag}{digest}"


def why(error: Exception) -> str:
    """Why a text cannot be read, with the line."""
    if isinstance(error, UnicodeEncodeError):
        return "it is not UTF-8 text"
    mark = getattr(error, "problem_mark", None)
    what = getattr(error, "problem", None) or "it cannot be read"
    return f"line {mark.line + 1}: {what}" if mark else str(what)
