"""The images in what Helm renders, wherever they stand: Pods, custom resources, arguments, environment, ConfigMaps."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from ..errors import UserError
from ..images import ImageReference, InvalidImageReference
from .kinds import KNOWN
from .places import Form, ImagePlaces
from .values_yaml import Plain, documents

ScalarId = tuple[str, ...]
"""Where a text stands: template, kind, number among those of its kind, and the keys that lead to it.

An item of a list goes by its name. A resource does not, for its name may be random, or made of values.
"""

_SEPARATOR = re.compile(r"^---(?:[ \t].*)?$\n?", re.M)
_SOURCE = re.compile(r"^# Source: (\S+)", re.M)
_KIND = re.compile(r"^kind: [\"']?(\w+)", re.M)
_DEFINITION = re.compile(r"^kind: [\"']?CustomResourceDefinition\b", re.M)
_IMAGE_KEY = re.compile(r"(?:^|[a-z_-])images?$|^image(?:Name|Ref|Repository)?$|Image$", re.I)
_OTHER_KEY = re.compile(r"pull|policy|registr|secret|source|type|size|digest|tag$|version$", re.I)
_EMBEDDED = re.compile(
    r"(?:^|[{,])[ \t]*(?:-[ \t]+)?[\"']?(?:\w*[iI]mage)[\"']?[ \t]*:[ \t]*[\"']?([^\s\"'{}#,]+)", re.M
)
_FLAG = re.compile(r"(?:^|\s)--?[\w.-]*image[\w.-]*[= ]([^\s\"']+)", re.I)
_FLAG_ALONE = re.compile(r"--?[\w.-]*image", re.I)
_NAMES_IMAGE = re.compile(r"image", re.I)
_PARTS = ("registry", "imageRegistry", "repository", "image", "tag", "version")


@dataclass(frozen=True, slots=True)
class Scalar:
    """One text of a manifest.

    :param id: where it stands.
    :param text: the text.
    :param spans: where in it images are named.
    :param is_field: whether it is a field for images as a whole.
    :param parts: the texts that it is put together from, where an image stands in parts.
    """

    id: ScalarId
    text: str
    spans: tuple[tuple[int, int], ...] = ()
    is_field: bool = False
    parts: tuple[ScalarId, ...] = ()

    def beside(self, span: tuple[int, int], other: str) -> tuple[str, str, tuple[tuple[int, int], ...], int]:
        """The text to compare to see what became of an image in the text.

        :param span: the image.
        :param other: the same text in another rendering.
        :returns: the line of both where the image stands, or all of both where their lines differ in number; the spans
            of the images in it, and which of them the image is.
        """
        begin, end = 0, len(self.text)
        mine, theirs = self.text, other
        if self.text.count("\n") == other.count("\n"):
            begin = self.text.rfind("\n", 0, span[0]) + 1
            following = self.text.find("\n", span[1])
            end = following if following >= 0 else end
            mine, theirs = self.text[begin:end], other.split("\n")[self.text.count("\n", 0, begin)]
        spans = tuple((s - begin, e - begin) for s, e in self.spans if begin <= s and e <= end)
        return mine, theirs, spans, spans.index((span[0] - begin, span[1] - begin))


@dataclass
class Rendered:
    """The documents that Helm rendered.

    :param scalars: every text that may matter, by where it stands.
    :param unread: the templates whose output is no YAML, with the reason.
    """

    scalars: dict[ScalarId, Scalar] = field(default_factory=dict)
    unread: dict[str, str] = field(default_factory=dict)


class Reader:
    """Reads what Helm rendered.

    :param hosts: hosts of the registries whose images are looked for in texts of any kind.
    :param clean: makes the name of a resource comparable with its name in another rendering.
    :param places: the fields that hold images.
    """

    def __init__(
        self, hosts: Iterable[str], clean: Callable[[str], str] = lambda text: text, places: ImagePlaces = KNOWN
    ) -> None:
        known = "|".join(map(re.escape, sorted(hosts)))
        self._mention = re.compile(rf"(?<![\w./@:-])(?:{known})/[\w./:@-]*\w", re.ASCII)
        self._clean = clean
        self._places = places
        self._group = ""

    def read(self, text: str, also: str | None = None) -> Rendered:
        """Read the manifests.

        :param text: what ``helm template`` printed.
        :param also: a word; texts that hold it are taken up, too, whether or not they name an image.
        """
        result = Rendered()
        words = "image|repository" + f"|{self._mention.pattern}" + (f"|{re.escape(also)}" if also else "")
        worth = re.compile(words, re.I)
        seen: dict[tuple[str, ...], int] = {}
        for number, part in enumerate(_SEPARATOR.split(text)):
            source = _SOURCE.search(part)
            template = source[1] if source else f"document {number + 1}"
            if not worth.search(part) or _DEFINITION.search(part):
                for kind in _KIND.findall(part):
                    seen[template, kind] = seen.get((template, kind), 0) + 1
                continue
            try:
                for document in documents(part, template):
                    for resource in _resources(document):
                        self._resource(resource, self._clean(template), seen, result)
            except UserError as error:
                result.unread[template] = str(error).removeprefix(f"{template}: ")
        return result

    def _resource(
        self, resource: dict[str, Any], template: str, seen: dict[tuple[str, ...], int], result: Rendered
    ) -> None:
        kind = str(resource.get("kind") or "")
        self._group = str(resource.get("apiVersion") or "").rpartition("/")[0]
        count = seen[template, kind] = seen.get((template, kind), 0) + 1
        for scalar in self._walk(resource, (template, kind, str(count)), (), kind):
            result.scalars[scalar.id] = scalar

    def _walk(self, node: Any, at: ScalarId, path: tuple[str, ...], kind: str) -> Iterator[Scalar]:
        if isinstance(node, dict):
            joined = _in_parts(node, at) if path else None
            if joined is not None:
                yield joined
            for key, value in node.items():
                below = (*at, self._clean(key))
                if isinstance(value, str):
                    is_part = joined is not None and key in _PARTS
                    yield self._scalar(value, below, (*path, key), kind, None if is_part else node)
                else:
                    yield from self._walk(value, below, (*path, key), kind)
        elif isinstance(node, list):
            names: set[str] = set()
            for number, value in enumerate(node):
                own = value.get("name") if isinstance(value, dict) else None
                label = self._clean(own) if isinstance(own, str) else str(number)
                label = f"[{label if label not in names else number}]"
                names.add(label[1:-1])
                if isinstance(value, str):
                    before = node[number - 1] if number and isinstance(node[number - 1], str) else ""
                    yield self._scalar(value, (*at, label), (*path, "[]"), kind, {"before": before})
                else:
                    yield from self._walk(value, (*at, label), (*path, "[]"), kind)

    def _scalar(
        self, text: str, at: ScalarId, path: tuple[str, ...], kind: str, owner: dict[str, Any] | None
    ) -> Scalar:
        if isinstance(text, Plain) or owner is None or path[:2] == ("metadata", "labels") or path[-1] == "description":
            return Scalar(at, text)
        form = self._places.form_at(self._group, kind, path)
        if form is Form.MATCHED:
            return Scalar(at, text)
        if form in (Form.IMAGE, Form.NAME) and _is_reference(text):
            return Scalar(at, text, ((0, len(text)),), is_field=True)
        if self._is_field(text, path, kind, owner):
            return Scalar(at, text, ((0, len(text)),), is_field=True)
        return Scalar(at, text, tuple(sorted(self._in_words(text, path, kind))))

    def _is_field(self, text: str, path: tuple[str, ...], kind: str, owner: dict[str, Any]) -> bool:
        if not _is_reference(text):
            return False
        key = path[-1]
        if key == "[]":
            return bool(_FLAG_ALONE.fullmatch(owner.get("before", ""))) and _is_telling(text)
        if key == "value" and isinstance(owner.get("name"), str):
            key = owner["name"]
            named = _NAMES_IMAGE.search(key)
        else:
            named = _IMAGE_KEY.search(key) if path[0] != "metadata" and kind not in ("ConfigMap", "Secret") else None
        return bool(named) and not _OTHER_KEY.search(key) and _is_telling(text)

    def _in_words(self, text: str, path: tuple[str, ...], kind: str) -> set[tuple[int, int]]:
        found: set[tuple[int, int]] = set()
        for match in self._mention.finditer(text):
            given = match[0].rstrip(".:-/")
            begin = text.rfind("\n", 0, match.start()) + 1
            if "#" not in text[begin : match.start()] and _is_reference(given):
                found.add((match.start(), match.start() + len(given)))
        if path[0] == "metadata":
            return found
        patterns = [_FLAG] + ([_EMBEDDED] if "\n" in text or kind in ("ConfigMap", "Secret") else [])
        starts = {start for start, _ in found}
        for match in (m for pattern in patterns for m in pattern.finditer(text)):
            if match.start(1) not in starts and _is_reference(match[1]) and _is_telling(match[1]):
                starts.add(match.start(1))
                found.add(match.span(1))
        return found


def _resources(document: Any) -> Iterator[dict[str, Any]]:
    """The resources of a document, those of a List one by one."""
    if isinstance(document, dict):
        items = document.get("items")
        if str(document.get("kind") or "").endswith("List") and isinstance(items, list):
            yield from (item for item in items if isinstance(item, dict))
        else:
            yield document


def _in_parts(node: dict[str, Any], at: ScalarId) -> Scalar | None:
    """An image of a custom resource that stands in parts: ``repository`` and ``tag``, with what goes before them."""
    repository, tag = node.get("repository"), node.get("tag", node.get("version"))
    if not (isinstance(repository, str) and repository and isinstance(tag, str) and tag):
        return None
    registry = node.get("registry") or node.get("imageRegistry") or ""
    parts = [
        ("registry" if node.get("registry") else "imageRegistry", registry),
        ("repository", repository),
        ("image", node.get("image") or ""),
    ]
    used = [(key, text) for key, text in parts if isinstance(text, str) and text]
    text = "/".join(text for _, text in used)
    whole = f"{text}@{tag}" if tag.startswith("sha256:") else f"{text}:{tag}"
    if "/" not in text or not _is_reference(whole):
        return None
    return Scalar(
        (*at, "<parts>"), whole, ((0, len(whole)),), is_field=True, parts=tuple((*at, key) for key, _ in used)
    )


def _is_reference(text: str) -> bool:
    if len(text) > 512:
        return False
    try:
        ImageReference.parse(text)
    except InvalidImageReference:
        return False
    return True


def _is_telling(text: str) -> bool:
    """Whether a text can hardly be anything else than an image: a word alone may be."""
    return ("/" in text or ":" in text) and not text.startswith(("/", "."))
