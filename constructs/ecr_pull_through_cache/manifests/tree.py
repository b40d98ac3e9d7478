"""YAML and JSON as nodes that know their place in the text, with aliases kept apart from what they stand for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from .places import Path

_PROPERTIES = re.compile(r"(?:[&!]\S*\s+)*")
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_EXPANSIONS = 50_000
"""Nodes that aliases may stand for in one document: a thousand times as many as manifests have."""


class TreeError(yaml.YAMLError):
    """YAML that is legal and that no manifest can be: a value that contains itself, or aliases without end.

    :param problem: the reason.
    :param line: the line, from 0.
    """

    def __init__(self, problem: str, line: int) -> None:
        super().__init__(problem)
        self.problem = problem
        self.problem_mark = _Mark(line)


@dataclass(frozen=True, slots=True)
class _Mark:
    line: int


@dataclass(slots=True, eq=False)
class Node:
    """A value in a text.

    :param start: index of its first character; an anchor and a tag count.
    :param end: index after its last character.
    :param line: its line, from 0.
    """

    start: int
    end: int
    line: int
    has_image: bool = False


@dataclass(slots=True, eq=False)
class Scalar(Node):
    """A text, a number, a date: whatever has no parts."""

    value: str = ""
    style: str = ""


@dataclass(slots=True, eq=False)
class Mapping(Node):
    """Keys and values, in their order."""

    pairs: list[tuple[Node, Node]] = field(default_factory=list)
    is_flow: bool = False

    def get(self, key: str) -> Node | None:
        """The value of a key: its own, or one that is merged in."""
        merged: Node | None = None
        for name, value in self.pairs:
            if isinstance(name, Scalar):
                if name.value == key:
                    return value
                if name.value == "<<" and merged is None:
                    merged = next((got for m in _merged(value) if (got := m.get(key)) is not None), None)
        return merged

    def text(self, key: str) -> str | None:
        """The value of a key, where it is a scalar."""
        found = resolved(self.get(key))
        return found.value if isinstance(found, Scalar) else None

    def own(self) -> Iterator[tuple[str, Scalar, Node]]:
        """Every pair whose key is a scalar."""
        for name, value in self.pairs:
            key = resolved(name)
            if isinstance(key, Scalar):
                yield key.value, key, value


@dataclass(slots=True, eq=False)
class Sequence(Node):
    """Items, in their order."""

    items: list[Node] = field(default_factory=list)
    is_flow: bool = False


@dataclass(slots=True, eq=False)
class Alias(Node):
    """A place that stands for an anchored value."""

    target: Node | None = None


def resolved(node: Node | None) -> Node | None:
    """A node, or what it stands for."""
    return node.target if isinstance(node, Alias) else node


def _merged(value: Node) -> Iterator[Mapping]:
    found = resolved(value)
    for one in found.items if isinstance(found, Sequence) else [found]:
        mapping = resolved(one)
        if isinstance(mapping, Mapping):
            yield mapping


def trees(text: str, offset: int = 0) -> list[Node]:
    """The documents of a text.

    :param text: YAML of any number of documents, or JSON, without a byte order mark.
    :param offset: where the text stands in a longer one; all places are counted from there.
    :raises yaml.YAMLError: when it is none, or contains itself.
    """
    builder = _Builder(offset)
    for event in yaml.parse(text, Loader=_LOADER):
        builder.take(event)
    return builder.roots


class _Builder:
    def __init__(self, offset: int) -> None:
        self.roots: list[Node] = []
        self._offset = offset
        self._open: list[tuple[Mapping | Sequence, list[Node]]] = []
        self._anchors: dict[str, Node] = {}

    def take(self, event: Any) -> None:
        if isinstance(event, yaml.DocumentStartEvent):
            self._anchors = {}
        elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
            self._close(event)
        elif isinstance(event, yaml.NodeEvent):
            self._node(event)

    def _node(self, event: Any) -> None:
        start, end = event.start_mark.index + self._offset, event.end_mark.index + self._offset
        line = event.start_mark.line
        node: Node
        if isinstance(event, yaml.AliasEvent):
            node = self._alias(str(event.anchor), start, end, line)
        elif isinstance(event, yaml.ScalarEvent):
            node = Scalar(start, end, line, value=event.value, style=event.style or "")
        elif isinstance(event, yaml.MappingStartEvent):
            node = Mapping(start, end, line, is_flow=bool(event.flow_style))
        else:
            node = Sequence(start, end, line, is_flow=bool(event.flow_style))
        if event.anchor and not isinstance(node, Alias):
            self._anchors[event.anchor] = node
        if isinstance(node, (Mapping, Sequence)):
            self._open.append((node, []))
        else:
            self._add(node)

    def _alias(self, name: str, start: int, end: int, line: int) -> Alias:
        target = self._anchors.get(name)
        if target is None:
            raise TreeError(f"there is no anchor {name!r}", line)
        if any(target is outer for outer, _ in self._open):
            raise TreeError(f"the value of anchor {name!r} contains itself", line)
        return Alias(start, end, line, has_image=target.has_image, target=target)

    def _close(self, event: Any) -> None:
        node, parts = self._open.pop()
        node.end = event.end_mark.index + self._offset
        if isinstance(node, Sequence):
            node.items = parts
            node.has_image = any(part.has_image for part in parts)
        else:
            node.pairs = list(zip(parts[::2], parts[1::2], strict=True))
            node.has_image = any(value.has_image or _may_name_image(key) for key, value in node.pairs)
        self._add(node)

    def _add(self, node: Node) -> None:
        if self._open:
            self._open[-1][1].append(node)
        else:
            self.roots.append(node)


def _may_name_image(key: Node) -> bool:
    found = resolved(key)
    return isinstance(found, Scalar) and ("image" in found.value.lower() or found.value in _OTHERS)


_OTHERS = frozenset({"container", "package", "services", "uses", "value", "values", "repository", "url"})


@dataclass(slots=True, frozen=True)
class Visit:
    """A value on the way through a document.

    :param path: the way to it from the top of its resource.
    :param node: the value, never an alias.
    :param alias: the alias that stands for it, where it stands there by one itself.
    :param is_shared: whether it is part of something that an alias stands for.
    :param owner: the mapping that it is a value of.
    :param key: the key in that mapping.
    """

    path: Path
    node: Node
    alias: Alias | None = None
    is_shared: bool = False
    owner: Mapping | None = None
    key: Scalar | None = None


class Walk:
    """A way through a document, every value before its parts. What aliases stand for is visited again at each alias.

    :param root: where it begins.
    :param path: the way there.
    :param owner: the mapping that it is a value of.
    :param is_shared: whether it is part of something that an alias stands for.
    """

    def __init__(self, root: Node, *, path: Path = (), owner: Mapping | None = None, is_shared: bool = False) -> None:
        self._todo = [Visit(path, root, None, is_shared, owner)]
        self._left = _EXPANSIONS
        self._current: Visit | None = None

    def __iter__(self) -> Iterator[Visit]:
        while self._todo:
            visit = self._todo.pop()
            if visit.is_shared:
                self._left -= 1
                if self._left < 0:
                    raise TreeError(f"its aliases stand for more than {_EXPANSIONS:,} values", visit.node.line)
            self._current = visit
            yield visit
            if self._current is not None:
                self._todo.extend(reversed(list(_parts(visit))))

    def skip(self) -> None:
        """Leave the parts of the present value out."""
        self._current = None


def _parts(visit: Visit) -> Iterator[Visit]:
    node = visit.node
    if isinstance(node, Sequence):
        for item in node.items:
            yield from _part(visit, (*visit.path, "[]"), item, None, None)
    elif isinstance(node, Mapping):
        for key, value in node.pairs:
            name = resolved(key)
            if not isinstance(name, Scalar):
                continue  # a key that has parts belongs to no manifest
            if name.value == "<<":
                for merged in _merged(value):
                    if merged.has_image:
                        yield Visit(visit.path, merged, is_shared=True)
                continue
            yield from _part(visit, (*visit.path, name.value), value, node, name)


def _part(above: Visit, path: Path, node: Node, owner: Mapping | None, key: Scalar | None) -> Iterator[Visit]:
    if not isinstance(node, Alias):
        yield Visit(path, node, None, above.is_shared, owner, key)
    elif isinstance(node.target, Scalar):
        yield Visit(path, node.target, node, above.is_shared, owner, key)
    elif node.target is not None and node.has_image:
        yield Visit(path, node.target, None, True, owner, key)


def span_of(text: str, node: Scalar) -> tuple[int, int] | None:
    """The position of a scalar's content without quotes, anchor and tag; ``None`` if it is not in one piece.

    :param text: the text that the node's places are counted in.
    :param node: the scalar.
    """
    match = _PROPERTIES.match(text, node.start, node.end)
    start = match.end() if match else node.start
    if node.style in ("'", '"'):
        return (start + 1, node.end - 1) if text[start : start + 1] == node.style else None
    content = node.value.strip("\n") if node.style in ("|", ">") else node.value
    if not content or "\n" in content:
        return None
    begin = text.find("\n", start) if node.style in ("|", ">") else start
    at = text.find(content, max(begin, start), node.end)
    return (at, at + len(content)) if at >= 0 else None
