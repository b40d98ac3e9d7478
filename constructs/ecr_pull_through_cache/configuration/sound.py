"""The sound part of a document that has mistakes, so that all of them are found in one pass."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError

from .checks import nearest
from .models import Document
from .source import Place, Problem

_NAMED = ("accounts", "clusters", "regions", "registries")


@dataclass(frozen=True, kw_only=True)
class Sound:
    """A document without the parts that are wrong in themselves.

    :param document: the document; ``None`` where nothing is left of it.
    :param problems: the mistakes of the parts that are left out.
    :param left_out: their places.
    """

    document: Document | None
    problems: tuple[Problem, ...]
    left_out: frozenset[Place]

    def is_certain(self, problem: Problem) -> bool:
        """Whether a mistake is one of the document, and does not come from a part that is left out.

        :param problem: the mistake.
        """
        places = (problem.place, *problem.follows_from)
        return not any(_touches(place, out) for place in places for out in self.left_out)


def read(data: Any) -> Sound:
    """Read a document, and leave out of it what is wrong in itself.

    :param data: the document, as YAML gives it.
    """
    problems: list[Problem] = []
    left_out: set[Place] = set()
    while True:
        try:
            return Sound(document=Document.model_validate(data), problems=tuple(problems), left_out=frozenset(left_out))
        except ValidationError as error:
            found = [_problem(details) for details in error.errors(include_url=False)]
        # A part that lacks what was left out of it is not wrong for that.
        problems += [problem for problem in found if not any(_touches(problem.place, out) for out in left_out)]
        out = {_outermost(problem.place, problem.message, data) for problem in found}
        if () in out or out <= left_out:
            return Sound(document=None, problems=tuple(problems), left_out=frozenset(left_out))
        left_out |= out
        data = _without(data, out)


def _touches(place: Place, out: Place) -> bool:
    """Whether one place is the other, or lies within it."""
    shorter = min(len(place), len(out))
    return place[:shorter] == out[:shorter]


def _outermost(place: Place, message: str, data: Any) -> Place:
    """Return the part to leave out for a mistake: a value, the mapping that lacks a key, or a whole list."""
    if message == _MISSING:
        place = place[:-1]
    at = data
    for number, part in enumerate(place):
        if isinstance(at, list):
            return place[:number]
        if not isinstance(at, dict) or part not in at:
            return place[:number]
        at = at[part]
    return place


def _without(data: Any, out: Iterable[Place]) -> Any:
    """The same data without some places."""
    tops = {place[0] for place in out}
    kept = {}
    for key, value in data.items():
        below = {place[1:] for place in out if place[0] == key}
        if key not in tops:
            kept[key] = value
        elif () not in below:
            kept[key] = _without(value, below)
    return kept


_MISSING = "is missing"


def _problem(details: Mapping[str, Any]) -> Problem:
    place = tuple(part for part in details["loc"] if part != "[key]")
    given = details.get("input")
    kind = details["type"]
    if kind == "extra_forbidden":
        allowed = _keys_at(place[:-1])
        key = str(place[-1])
        message = f"is not a key here{nearest(key, allowed)}; allowed are {', '.join(allowed)}"
    elif kind == "missing":
        message = _MISSING
    elif kind == "value_error":
        message = str(details["ctx"]["error"])
    elif "expected" in (details.get("ctx") or {}):
        message = f"{given!r} is not allowed; allowed are {details['ctx']['expected']}"
    else:
        shown = repr(given) if isinstance(given, str | int | float | bool | None) else f"a {type(given).__name__}"
        message = f"{details['msg'][0].lower()}{details['msg'][1:]}, given {shown}"
    return Problem(place=place, message=message)


def _keys_at(place: Place) -> list[str]:
    """The keys that are allowed at a place of the document."""
    at: Any = Document
    for part in place:
        at = _bare(at)
        if isinstance(at, type) and issubclass(at, BaseModel):
            at = next(f.annotation for name, f in at.model_fields.items() if (f.alias or name) == part)
        else:
            at = typing.get_args(at)[1 if typing.get_origin(at) is dict else 0]
    return sorted(field.alias or name for name, field in _bare(at).model_fields.items())


def _bare(annotation: Any) -> Any:
    """The ``X`` of ``Annotated[X, …]`` and ``X | None``."""
    while typing.get_origin(annotation) in (types.UnionType, typing.Union, typing.Annotated):
        annotation = typing.get_args(annotation)[0]
    return annotation
