"""The values that a chart is rendered with, as Helm puts them together, and overrides of single ones."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from .chart_files import ChartFiles
from .values_yaml import Plain

Place = tuple[str | int, ...]
"""The keys that lead to a value; a number is the index of a list's item."""

_GLOBAL = "global"
_BARE = ("true", "false", "null")


def effective_values(chart: ChartFiles, files: Iterable[Mapping[str, Any]] = ()) -> dict[str, Any]:
    """The values of a chart and the charts in it as one tree: a chart's own win over those of the charts in it.

    :param chart: the chart.
    :param files: the user's values, which win over the chart's, the later over the earlier.
    """
    values = _defaults(chart)
    for given in files:
        values = _merged(values, given, deletes=True)
    return values


def _defaults(chart: ChartFiles) -> dict[str, Any]:
    values = dict(chart.values)
    for key, below in chart.below:
        own = values.get(key)
        defaults = _defaults(below)
        values[key] = _merged(defaults, own, deletes=True) if isinstance(own, dict) else defaults
    return values


def _merged(under: Mapping[str, Any], over: Mapping[str, Any], *, deletes: bool) -> dict[str, Any]:
    result = dict(under)
    for key, value in over.items():
        below = result.get(key)
        if isinstance(value, dict) and isinstance(below, dict):
            result[key] = _merged(below, value, deletes=deletes)
        elif value is None and deletes and key in result:
            del result[key]
        else:
            result[key] = value
    return result


def leaves(values: Any, at: Place = ()) -> Iterator[tuple[Place, Any]]:
    """Every value that is neither keys nor a list, with its place."""
    if isinstance(values, dict):
        for key, value in values.items():
            yield from leaves(value, (*at, key))
    elif isinstance(values, list):
        for number, value in enumerate(values):
            yield from leaves(value, (*at, number))
    else:
        yield at, values


def places_of_globals(chart: ChartFiles, values: Mapping[str, Any]) -> dict[Place, Place | None]:
    """Where the global values of the charts in a chart are best set.

    Helm hands ``global`` down: what a chart above says holds, so such a place below is of no effect (``None``).
    What only the charts in it say is set at the top, once for all, where all of them say the same.

    :returns: for each place below the ``global`` of a chart in the chart, the place to set in its stead.
    """
    said: dict[Place, list[tuple[Place, Any]]] = {}
    for at, _ in chart.charts():
        if at:
            for place, value in leaves(value_at(values, (*at, _GLOBAL)), (*at, _GLOBAL)):
                said.setdefault(place[len(at) :], []).append((place, value))
    top = dict(leaves(values.get(_GLOBAL, {}), (_GLOBAL,)))
    result: dict[Place, Place | None] = {}
    for shared, found in said.items():
        is_same = all(value == found[0][1] for _, value in found)
        for place, _ in found:
            result[place] = None if shared in top else shared if is_same else place
    return result


def value_at(values: Any, place: Place) -> Any:
    """The value at a place, ``None`` where there is none."""
    for key in place:
        if isinstance(values, dict) and isinstance(key, str):
            values = values.get(key)
        elif isinstance(values, list) and isinstance(key, int) and key < len(values):
            values = values[key]
        else:
            return None
    return values


def override_of(changes: Mapping[Place, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """The values that make the changes.

    :param changes: what each place becomes. Helm replaces a list as a whole, so all of a list is repeated.
    :param values: what the chart is rendered with.
    """
    result: dict[str, Any] = {}
    for place, value in changes.items():
        node: Any = result
        for depth, key in enumerate(place[:-1]):
            if isinstance(key, str) and isinstance(place[depth + 1], int):
                node.setdefault(key, copy.deepcopy(value_at(values, place[: depth + 1])))
                node = node[key]
            else:
                node = node.setdefault(key, {}) if isinstance(key, str) else node[key]
        node[place[-1]] = value
    return result


def lists_in(changes: Iterable[Place]) -> list[Place]:
    """The places of the lists that changes repeat."""
    cut = (next((n for n, key in enumerate(place) if isinstance(key, int)), None) for place in changes)
    return list(dict.fromkeys(place[:n] for place, n in zip(changes, cut, strict=True) if n is not None))


def written(place: Place) -> str:
    """A place as Helm's documentation writes it: ``controller.image.registry``, ``sidecars[0].image``."""
    text = ""
    for key in place:
        text += f"[{key}]" if isinstance(key, int) else f".{key}" if text else key
    return text


def set_arguments(override: Mapping[str, Any]) -> list[str]:
    """An override as arguments of ``helm install`` and ``helm upgrade``: ``--set-string key=value``.

    :param override: the values; a list goes through ``--set-json``.
    """
    arguments: list[str] = []
    for place, value in _settings(override, ()):
        key = ".".join(_escaped(str(part), "\\.,=[]{}") for part in place)
        if isinstance(value, list):
            arguments += ["--set-json", f"{key}={json.dumps(_as_json(value), separators=(',', ':'))}"]
        elif isinstance(value, str) and not isinstance(value, Plain):
            arguments += ["--set-string", f"{key}={_escaped(value, chr(92) + ',')}"]
        else:
            arguments += ["--set", f"{key}={'null' if value is None else str(value).lower()}"]
    return arguments


def _settings(values: Mapping[str, Any], at: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    for key, value in values.items():
        if isinstance(value, dict) and value:
            yield from _settings(value, (*at, key))
        else:
            yield (*at, key), value


def _escaped(text: str, special: str) -> str:
    return "".join(f"\\{character}" if character in special else character for character in text)


def _as_json(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _as_json(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_as_json(item) for item in value]
    if not isinstance(value, Plain):
        return value
    if value.lower() in _BARE:
        return json.loads(value.lower())
    try:
        return json.loads(value)
    except ValueError:
        return str(value)
