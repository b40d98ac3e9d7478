"""Entries of kustomizations: their names go on naming the images that they change, from upstream and from the cache.

kustomize finds images by the name that they have in the base. Once the base names the cache, an entry for the upstream's name
finds nothing, and its tag is lost without a word. So an entry gets a second one beside it that is named by the cache: whichever
name the base has, and wherever the base lies, the same image comes out.
https://kubectl.docs.kubernetes.io/references/kustomize/kustomization/images/
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from ..images import InvalidImageReference, canonical
from .spots import Kustomized, Piece
from .tree import Mapping, Node, Scalar, Sequence, resolved, span_of

Becomes = Callable[[str], str | None]


@dataclass(frozen=True, slots=True)
class Change:
    """The changes of an entry.

    :param start: where the entry's image stands.
    :param given: the image that the entry gave.
    :param image: the image that it gives now.
    :param edits: begin, end and text of what is put into the text.
    """

    start: int
    given: str
    image: str
    edits: tuple[tuple[int, int, str], ...]


@dataclass(frozen=True, slots=True)
class _Target:
    name: str
    new_name: str
    tag: str
    digest: str

    @property
    def image(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        digest = f"@{self.digest}" if self.digest else ""
        return f"{self.new_name or self.name}{tag}{digest}"

    @property
    def has_effect(self) -> bool:
        return bool(self.new_name or self.tag or self.digest)


def image_of(entry: Kustomized) -> tuple[str, Node] | None:
    """The image that an entry gives, and the node that names it; ``None`` where it gives none.

    :param entry: the entry.
    """
    target = _target(entry.node)
    node = entry.node.get("newName") or entry.node.get("name")
    return (target.image, node) if target is not None and target.has_effect and node is not None else None


def images_of_texts(listed: Sequence) -> list[tuple[str, Node]]:
    """The images that entries give which are written as one text each, and their nodes.

    :param listed: the list.
    """
    return [(target.image, node) for node in listed.items if (target := _target_of_text(node)) is not None]


def changed(text: str, entry: Kustomized, becomes: Becomes, pinned: Collection[str] = ()) -> Change | None:
    """Find the changes with which the images of an entry come from the cache.

    :param text: the text.
    :param entry: the entry.
    :param becomes: what an image becomes, ``None`` when it stays.
    :param pinned: names of images that manifests beside it pin by digest, which stay upstream.
    """
    target = _target(entry.node)
    name = resolved(entry.node.get("name"))
    if target is None or not isinstance(name, Scalar):
        return None
    new = _new_name(target, becomes, pinned)
    twin = _twin(target, new, becomes)
    writer = _Writer(text, entry)
    edits = []
    if new is not None and new != target.new_name:
        edits.append(writer.new_name(new))
    if twin is not None and twin.name not in entry.names:
        edits.append(writer.twin(twin))
    if not edits:
        return None
    image = _Target(target.name, new or target.new_name, target.tag, target.digest).image
    if new is None and twin is not None:
        return Change(name.start, target.name, twin.name, tuple(edits))
    return Change(name.start, target.image, image, tuple(edits))


def changed_texts(text: str, listed: Sequence, becomes: Becomes) -> list[Change]:
    """The same for entries that are written as one text each, ``NAME=NEW:TAG`` or ``NAME:TAG``.

    :param text: the text.
    :param listed: the list.
    :param becomes: what an image becomes, ``None`` when it stays.
    """
    targets = [(node, target) for node in listed.items if (target := _target_of_text(node)) is not None]
    names = {target.name for _, target in targets}
    found = []
    for node, target in targets:
        span = span_of(text, node) if isinstance(node, Scalar) else None
        if span is None:
            continue
        new = _new_name(target, becomes, ())
        twin = _twin(target, new, becomes)
        edits = []
        image = _Target(target.name, new or target.new_name, target.tag, target.digest).image
        if new is not None and new != target.new_name:
            edits.append((*span, f"{target.name}={image}"))
        if twin is not None and twin.name not in names:
            names.add(twin.name)
            edits.append(_item_after(text, listed, node, f"{twin.name}={twin.image}"))
        if edits:
            found.append(Change(span[0], target.image, image, tuple(edits)))
    return found


def _target(node: Mapping) -> _Target | None:
    name = node.text("name")
    if not name:
        return None
    texts = [node.text(key) or "" for key in ("newName", "newTag", "digest")]
    return _Target(name, *texts)


def _target_of_text(node: Node) -> _Target | None:
    if not isinstance(node, Scalar) or "{" in node.value:
        return None
    name, equals, given = node.value.rpartition("=")
    rest, _, digest = given.partition("@")
    head, slash, last = rest.rpartition("/")
    base, _, tag = last.partition(":")
    new_name = f"{head}{slash}{base}"
    return _Target(name or new_name, new_name if equals else "", tag, digest)


def _new_name(target: _Target, becomes: Becomes, pinned: Collection[str]) -> str | None:
    """The name that the entry gives from now on, ``None`` when it stays."""
    image = target.image
    if "$" in target.tag or "{" in target.tag:
        image = target.new_name or target.name  # a tag that is filled in later
    elif not target.tag and not target.digest and _is_pinned(target.name, pinned):
        return None
    cached = becomes(image)
    return None if cached is None else Piece.NAME.of(cached)


def _is_pinned(name: str, pinned: Collection[str]) -> bool:
    try:
        return bool(pinned) and Piece.NAME.of(canonical(name)) in pinned
    except InvalidImageReference:
        return False


def _twin(target: _Target, new: str | None, becomes: Becomes) -> _Target | None:
    """The entry for images that name the cache in the base already."""
    cached = becomes(target.name) if target.has_effect else None
    if cached is None:
        return None
    name = Piece.NAME.of(cached)
    given = new or target.new_name or target.name
    return _Target(name, "" if given == name else given, target.tag, target.digest)


class _Writer:
    """Writes into the text in the style of the entry."""

    def __init__(self, text: str, entry: Kustomized) -> None:
        self._text = text
        self._entry = entry
        first = entry.node.pairs[0][0]
        self._quote = '"' if text[first.start] == '"' else ""
        self._column = first.start - (text.rfind("\n", 0, first.start) + 1)
        line_end = text.find("\n", first.start)
        self._eol = "\r\n" if line_end > 0 and text[line_end - 1] == "\r" else "\n"

    def new_name(self, name: str) -> tuple[int, int, str]:
        """Put another ``newName`` in place of the present one, or behind the ``name``."""
        present = self._entry.node.get("newName")
        if present is not None:
            return (*self._value_span(present), name)
        at = next(value.end for key, value in self._entry.node.pairs if isinstance(key, Scalar) and key.value == "name")
        if self._entry.node.is_flow:
            return at, at, f", {self._pair('newName', name)}"
        return self._new_line(at, f"{' ' * self._column}{self._pair('newName', name)}")

    def twin(self, twin: _Target) -> tuple[int, int, str]:
        """Put a second entry behind this one."""
        node, siblings = self._entry.node, self._entry.siblings
        pairs = [self._pair("name", twin.name)]
        if twin.new_name:
            pairs.append(self._pair("newName", twin.new_name))
        pairs += [self._copied(key) for key in ("newTag", "digest") if node.text(key)]
        flow = "{" + ", ".join(pairs) + "}"
        if siblings.is_flow:
            return node.end, node.end, f", {flow}"
        dash = siblings.start - (self._text.rfind("\n", 0, siblings.start) + 1)
        lead = " " * dash + "-"
        if node.is_flow:
            return self._new_line(node.end, f"{lead} {flow}")
        gap = " " * max(1, self._column - dash - 1)
        inner = self._eol + " " * (dash + 1) + gap
        return self._new_line(max(value.end for _, value in node.pairs), f"{lead}{gap}{inner.join(pairs)}")

    def _pair(self, key: str, value: str) -> str:
        return f"{self._quote}{key}{self._quote}: {self._quote}{value}{self._quote}"

    def _copied(self, key: str) -> str:
        """A key and its value as they are written."""
        node = self._entry.node.get(key)
        if isinstance(node, Scalar):
            written = self._text[node.start : node.end]
            if "\n" not in written and not written.startswith(("&", "!")):
                return f"{self._quote}{key}{self._quote}: {written}"
        value = self._entry.node.text(key) or ""
        return f'{self._quote}{key}{self._quote}: "{value}"'

    def _value_span(self, node: Node) -> tuple[int, int]:
        span = span_of(self._text, node) if isinstance(node, Scalar) else None
        return span or (node.start, node.end)

    def _new_line(self, index: int, line: str) -> tuple[int, int, str]:
        end = self._text.find("\n", index)
        return (len(self._text),) * 2 + (self._eol + line,) if end < 0 else (end + 1, end + 1, line + self._eol)


def _item_after(text: str, listed: Sequence, node: Node, value: str) -> tuple[int, int, str]:
    """Put another text behind one of a list, written like it."""
    written = text[node.start : node.end]
    quote = written[0] if written[:1] in "\"'" else ""
    item = f"{quote}{value}{quote}"
    if listed.is_flow:
        return node.end, node.end, f", {item}"
    start = text.rfind("\n", 0, node.start) + 1
    eol = "\r\n" if text[start:].partition("\n")[0].endswith("\r") else "\n"
    end = text.find("\n", node.end)
    line = f"{text[start : node.start]}{item}"
    return (len(text), len(text), eol + line) if end < 0 else (end + 1, end + 1, line + eol)
