"""Images in files: manifests, custom resources, kustomizations and rendered charts."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

import yaml

from ..errors import UserError
from .kinds import KNOWN
from .kustomizing import image_of, images_of_texts
from .mentions import known_hosts, mentions
from .places import ImagePlaces
from .reading import read
from .spots import Ranges, Role
from .structure import Lines

_SOURCE = re.compile(r"^# Source: (\S+)[ \t]*\r?$", re.M)


@dataclass(frozen=True, slots=True)
class Found:
    """An image in one place.

    :param image: the reference as it stands there.
    :param where: file and line, the chart's template, or stack and logical id.
    :param is_mention: whether it is named in an argument, a variable, a ConfigMap or another text.
    """

    image: str
    where: str
    is_mention: bool = False


@dataclass(frozen=True, slots=True)
class Left:
    """A part that could not be read, or cannot be known yet.

    :param where: where it stands.
    :param why: the reason.
    :param is_broken: whether something is wrong with what was given.
    """

    where: str
    why: str
    is_broken: bool = True


def images_of(
    text: str, name: str, *, places: ImagePlaces = KNOWN, hosts: tuple[str, ...] = ()
) -> Iterator[Found | Left]:
    """The images of a text, and the charts that it deploys, whose images stand elsewhere.

    :param text: manifests, a kustomization, a Dockerfile, or the output of ``helm template``.
    :param name: what to call it.
    :param places: the fields that hold images.
    :param hosts: registries that mentions are looked for by, besides those that images are often named by.
    :raises UserError: when it cannot be read.
    """
    try:
        reading = read(text, places, name)
    except (yaml.YAMLError, UnicodeEncodeError) as error:
        raise UserError(f"{name}: {why(error)}") from None
    sources = [(match.start(), match[1]) for match in _SOURCE.finditer(text)]
    lines = Lines(text)

    def where(start: int) -> str:
        before = bisect_right(sources, (start, "\uffff"))
        return sources[before - 1][1] if before else f"{name}:{lines.at(start)[0]}"

    is_pulled = (Role.FIELD, Role.VALUES)
    found = [(spot.start, spot.image, spot.role not in is_pulled) for spot in reading.spots]
    found += [(given[1].start, given[0], False) for entry in reading.kustomized if (given := image_of(entry))]
    found += [(node.start, image, False) for listed in reading.texts for image, node in images_of_texts(listed)]
    taken = {start for spot in reading.spots for start, _, _ in spot.pieces}
    entries = [(entry.node.start, entry.node.end) for entry in reading.kustomized]
    inside = Ranges([*entries, *((listed.start, listed.end) for listed in reading.texts)])
    for start, _, image, is_pattern in mentions(text, {*known_hosts(), *hosts}):
        if not is_pattern and start not in taken and not inside.hold(start):
            found.append((start, image, True))
    for start, image, is_mention in sorted(found):
        yield Found(image, where(start), is_mention)
    for chart, line in reading.charts:
        yield Left(f"{name}:{line}", f"it deploys the chart {chart}; give `helm template` of it for its images")


def why(error: Exception) -> str:
    """Why a text cannot be read, with the line.

    :param error: the error of the parser.
    """
    if isinstance(error, UnicodeEncodeError):
        return "it is not UTF-8 text"
    mark = getattr(error, "problem_mark", None)
    reason = getattr(error, "problem", None) or getattr(error, "reason", None) or "it cannot be read"
    return f"line {mark.line + 1}: {reason}" if mark else str(reason)
