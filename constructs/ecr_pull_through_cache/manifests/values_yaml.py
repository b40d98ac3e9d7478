"""YAML read as plain data, bounded: values of charts and what helm renders, neither of which need be well meant."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml

from ..errors import UserError

DEEPEST = 100
"""Levels that a document may have; people's have about ten."""
LARGEST = 1_000_000
"""Values that a document may have, those that aliases repeat included."""

_NULL = ("", "~", "null", "Null", "NULL")
_TEXT = "tag:yaml.org,2002:str"
_MERGE = "<<"


class Plain(str):
    """A scalar that is no text: a number, a truth value or a date, exactly as it is written."""

    __slots__ = ()


def documents(text: str, name: str) -> Iterator[Any]:
    """Read YAML of any number of documents into dicts, lists, texts, :class:`Plain` and ``None``.

    Nothing is evaluated: no tag makes an object, a date is no date, and an alias that repeats itself without end is
    refused before it is expanded.

    :param text: the YAML.
    :param name: what to call it in an error.
    :raises UserError: when it is no YAML, contains itself, or is larger than anybody's values.
    """
    builder = _Builder(name)
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        for event in yaml.parse(text, Loader=loader):
            builder.take(event)
            if isinstance(event, yaml.DocumentEndEvent):
                yield builder.finish()
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f"line {mark.line + 1}: " if mark else ""
        raise UserError(f"{name}: {line}{getattr(error, 'problem', None) or 'it is not YAML'}") from None
    except UnicodeEncodeError:
        raise UserError(f"{name}: it is not UTF-8 text") from None


class _Builder:
    """Data out of events, without recursion, so that nothing is too deep for it before it is found too deep."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._begin()

    def _begin(self) -> None:
        self._open: list[tuple[Any, list[Any], str | None]] = []  # each container, what came into it, its anchor
        self._anchors: dict[str, Any] = {}
        self._sizes: dict[int, int] = {}
        self._kept: list[Any] = []  # ids are those of living objects
        self._result: Any = None

    def finish(self) -> Any:
        result = self._result
        self._begin()
        return result

    def take(self, event: yaml.Event) -> None:
        if isinstance(event, yaml.ScalarEvent):
            self._add(_scalar(event), event.anchor)
        elif isinstance(event, yaml.AliasEvent):
            if event.anchor not in self._anchors:
                raise UserError(f"{self._name}: *{event.anchor} contains itself")
            self._add(self._anchors[event.anchor], None)
        elif isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
            if len(self._open) >= DEEPEST:
                raise UserError(f"{self._name}: it is nested more than {DEEPEST} levels deep")
            self._open.append(({} if isinstance(event, yaml.MappingStartEvent) else [], [], event.anchor))
            self._anchors.pop(event.anchor or "", None)
        elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
            container, parts, anchor = self._open.pop()
            if isinstance(container, list):
                container.extend(parts)
            else:
                _fill(container, parts)
            size = 1 + sum(self._sizes.get(id(part), 1) for part in parts)
            if size > LARGEST:
                raise UserError(f"{self._name}: it holds more than {LARGEST:,} values, counted with its aliases")
            self._sizes[id(container)] = size
            self._kept.append(container)
            self._add(container, anchor)

    def _add(self, value: Any, anchor: str | None) -> None:
        if anchor:
            self._anchors[anchor] = value
        if self._open:
            self._open[-1][1].append(value)
        else:
            self._result = value


def _fill(container: dict[str, Any], parts: list[Any]) -> None:
    """Keys and values in turn; what ``<<`` brings yields to the keys beside it."""
    pairs = list(zip(parts[::2], parts[1::2], strict=True))
    for key, value in pairs:
        if key == _MERGE:
            for source in value if isinstance(value, list) else [value]:
                for name, inherited in source.items() if isinstance(source, dict) else ():
                    container.setdefault(name, inherited)
    own = {key if isinstance(key, str) else str(key): value for key, value in pairs if key != _MERGE}
    container.update(own)


def _scalar(event: yaml.ScalarEvent) -> str | None:
    value = str(event.value)
    if event.tag == _TEXT or (event.tag is None and not event.implicit[0]):
        return value
    if value in _NULL:
        return None
    return Plain(value) if _is_plain(value) else value


def _is_plain(value: str) -> bool:
    """Whether YAML takes an unquoted scalar for something else than a text."""
    resolver = yaml.resolver.Resolver.yaml_implicit_resolvers
    return any(
        tag != "tag:yaml.org,2002:merge" and pattern.match(value)
        for tag, pattern in resolver.get(value[0], []) + resolver.get(None, [])
    )
