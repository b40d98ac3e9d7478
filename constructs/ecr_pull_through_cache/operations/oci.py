"""Manifests and indexes of images as a registry sends them, checked once: what these types hold is true of the answer.

Everything here is pure. An answer that breaks a rule is refused with a sentence, and nothing of it is used.

https://github.com/opencontainers/image-spec/blob/main/manifest.md
https://github.com/opencontainers/image-spec/blob/main/image-index.md
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..errors import UserError
from .text import printable

INDEXES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
MANIFESTS = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
LARGEST = 4 * 1024 * 1024
"""Bytes of a manifest. https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pushing-manifests"""
MOST_ENTRIES = 1_000
"""Manifests that one index may name, and that one image may lead to."""
MOST_LAYERS = 10_000
"""Layers that one manifest may name."""
_MOST_PARTS = 100_000
"""Commas and brackets of one answer: what it takes up in memory when it is read."""
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}")
_ALGORITHMS = ("sha256", "sha512")
# A registry that serves files names no type, or one of these; then the body's own mediaType counts.
_UNTYPED = frozenset({"", "application/json", "application/octet-stream", "text/plain"})
_NAMES = {list: "a list", dict: "an object", str: "a text", int: "a whole number"}


class Malformed(UserError):
    """An answer is no manifest, index or list of referrers; the message says where and why."""


@dataclass(frozen=True)
class Platform:
    """The platform that a manifest of an index is made for.

    :param os: operating system, such as ``linux``.
    :param architecture: processor, such as ``arm64``.
    :param variant: variant of the processor, such as ``v8``; empty for none.
    """

    os: str
    architecture: str
    variant: str = ""

    def __str__(self) -> str:
        return f"{self.os}/{self.architecture}"


@dataclass(frozen=True)
class Entry:
    """An entry of an index: a manifest, or another index.

    :param digest: its digest.
    :param platforms: what it is made for; empty where the index does not say, several where the index names it for each.
    :param size: its size in bytes; ``None`` where the index does not say.
    :param media_type: its media type; empty where the index does not say.
    """

    digest: str
    platforms: tuple[Platform, ...] = ()
    size: int | None = None
    media_type: str = ""

    @property
    def is_index(self) -> bool:
        """Whether the index says that it is one more index."""
        return self.media_type in INDEXES


@dataclass(frozen=True)
class Manifest:
    """A manifest of one image, or an index of several.

    :param digests: its digests, by SHA-256 and by SHA-512.
    :param media_type: its media type, one of ``INDEXES`` or ``MANIFESTS``.
    :param size: its size in bytes.
    :param entries: what an index names, each digest once; empty for a manifest.
    :param blobs: digests of configuration and layers, each once, without layers that are kept elsewhere; empty for an index.
    """

    digests: tuple[str, ...]
    media_type: str
    size: int
    entries: tuple[Entry, ...] = ()
    blobs: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """Its digest by SHA-256, the one that Amazon ECR knows it by."""
        return self.digests[0]

    @property
    def is_index(self) -> bool:
        """Whether it lists further manifests."""
        return self.media_type in INDEXES


def is_digest(text: str) -> bool:
    """Whether a text is a digest that can be compared: SHA-256 or SHA-512, in lower-case hexadecimal digits.

    :param text: any text.
    """
    return _DIGEST.fullmatch(text) is not None


def digests_of(body: bytes) -> tuple[str, ...]:
    """The digests of a body, by every algorithm that :func:`is_digest` knows; SHA-256 first.

    :param body: the bytes.
    """
    return tuple(f"{algorithm}:{hashlib.new(algorithm, body).hexdigest()}" for algorithm in _ALGORITHMS)


def read_manifest(body: bytes, content_type: str = "") -> Manifest:
    """Read a manifest or an index.

    :param body: the answer's bytes.
    :param content_type: its ``Content-Type`` header.
    :raises Malformed: when it is neither, or contradicts itself.
    """
    data = _object(_json(body), "the answer")
    media_type = _media_type(data, content_type)
    found = digests_of(body)
    if media_type in INDEXES:
        _absent(data, media_type, "layers", "config")
        return Manifest(found, media_type, len(body), entries=_entries(data))
    _absent(data, media_type, "manifests")
    return Manifest(found, media_type, len(body), blobs=_blobs(data))


def read_referrers(body: bytes) -> tuple[str, ...]:
    """Read the digests of an answer of the referrers API, each once.

    :param body: the answer's bytes.
    :raises Malformed: when it is no index of referrers.
    """
    data = _object(_json(body), "the list of referrers")
    if _text(data, "mediaType", "mediaType", INDEXES[0]) not in INDEXES:
        raise Malformed("the list of referrers is not an index")
    descriptors = _list(data, "manifests", most=MOST_ENTRIES)
    return tuple(dict.fromkeys(_digest(item, f"manifests[{n}]") for n, item in enumerate(descriptors)))


def _json(body: bytes) -> Any:
    if len(body) > LARGEST:
        raise Malformed(f"the answer has more than {LARGEST:,} bytes, which no manifest has")
    if sum(body.count(mark) for mark in (b",", b"[", b"{")) > _MOST_PARTS:
        raise Malformed(f"the answer has more than {_MOST_PARTS:,} parts, which no manifest has")
    try:
        return json.loads(body.decode(), object_pairs_hook=_once)
    except Malformed:
        raise
    except RecursionError:
        raise Malformed("the answer is nested too deeply") from None
    except ValueError:
        raise Malformed("the answer is not JSON") from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object in which no name stands twice: readers of JSON disagree on which of the two counts."""
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = Counter(names).most_common(1)[0][0]
        raise Malformed(f"the answer gives {printable(twice, longest=100)!r} twice")
    return found


def _media_type(data: dict[str, Any], content_type: str) -> str:
    """The one type that header and body agree on."""
    header = content_type.partition(";")[0].strip().lower()
    inner = _text(data, "mediaType", "mediaType", "")
    known = (*INDEXES, *MANIFESTS)
    for name in (inner, header if header not in _UNTYPED else ""):
        if name and name not in known:
            raise Malformed(f"its media type is {printable(name, longest=100)!r}, which is no image and no index")
    if inner and header in known and inner != header:
        raise Malformed(f"the answer is sent as {header}, and calls itself {inner}")
    found = inner or (header if header in known else "")
    if not found:
        found = INDEXES[0] if "manifests" in data else MANIFESTS[0]
    return found


def _absent(data: dict[str, Any], media_type: str, *members: str) -> None:
    for member in members:
        if member in data:
            raise Malformed(f"the answer is of the type {media_type}, and has {member!r}, which that type has not")


def _entries(data: dict[str, Any]) -> tuple[Entry, ...]:
    found: dict[str, Entry] = {}
    platforms: dict[str, dict[Platform, None]] = {}
    for number, item in enumerate(_list(data, "manifests")):
        where = f"manifests[{number}]"
        digest = _digest(item, where)
        kind = _text(item, "mediaType", f"{where}.mediaType", "")
        if kind not in ("", *INDEXES, *MANIFESTS):
            raise Malformed(f"{where} is of the type {printable(kind, longest=100)!r}, which is no image and no index")
        entry = Entry(digest, size=_size(item, where), media_type=kind)
        if found.setdefault(digest, entry) != entry:
            raise Malformed(f"{where} says of {digest} something else than an entry before it")
        platforms.setdefault(digest, {}).update(dict.fromkeys(_platforms(item, where)))
        if len(found) > MOST_ENTRIES:
            raise Malformed(f"its index names more than {MOST_ENTRIES:,} manifests")
    if not found:
        raise Malformed("its index names no manifest")
    return tuple(replace(entry, platforms=tuple(platforms[digest])) for digest, entry in found.items())


def _blobs(data: dict[str, Any]) -> tuple[str, ...]:
    """Digests that ECR is to hold. A layer with ``urls`` is fetched from there, and no registry needs to have it."""
    config = _object(_member(data, "config"), "config")
    found = {_digest(config, "config"): None}
    _size(config, "config")
    for number, item in enumerate(_list(data, "layers", most=MOST_LAYERS)):
        where = f"layers[{number}]"
        digest = _digest(item, where)
        _size(item, where)
        if not _urls(item, where):
            found[digest] = None
    return tuple(found)


def _urls(item: dict[str, Any], where: str) -> bool:
    if "urls" not in item:
        return False
    urls = _typed(item["urls"], list, f"{where}.urls")
    for number, url in enumerate(urls):
        _typed(url, str, f"{where}.urls[{number}]")
    return bool(urls)


def _platforms(item: dict[str, Any], where: str) -> tuple[Platform, ...]:
    if "platform" not in item:
        return ()
    platform = _object(item["platform"], f"{where}.platform")
    names = {name: _text(platform, name, f"{where}.platform.{name}", "") for name in ("os", "architecture", "variant")}
    return (Platform(**names),)


def _digest(item: Any, where: str) -> str:
    text = _typed(_member(_object(item, where), "digest", where), str, f"{where}.digest")
    if not is_digest(text):
        raise Malformed(f"{where}.digest is {printable(text, longest=100)!r}, which is not a digest")
    return str(text)


def _size(item: dict[str, Any], where: str) -> int | None:
    if "size" not in item:
        return None
    size: int = _typed(item["size"], int, f"{where}.size")
    if size < 0:
        raise Malformed(f"{where}.size is {size}, and no size is less than 0")
    return size


def _list(data: dict[str, Any], name: str, *, most: int | None = None) -> Sequence[Any]:
    found: Sequence[Any] = _typed(_member(data, name), list, name)
    if most is not None and len(found) > most:
        raise Malformed(f"{name} has {len(found):,} entries; allowed are {most:,}")
    return found


def _text(data: dict[str, Any], name: str, where: str, default: str) -> str:
    return str(_typed(data.get(name, default), str, where))


def _object(value: Any, where: str) -> dict[str, Any]:
    found: dict[str, Any] = _typed(value, dict, where)
    return found


def _member(data: dict[str, Any], name: str, where: str = "") -> Any:
    if name not in data:
        raise Malformed(f"{where or 'the answer'} has no {name!r}")
    return data[name]


def _typed(value: Any, kind: type, where: str) -> Any:
    if not isinstance(value, kind) or isinstance(value, bool):
        raise Malformed(f"{where} is {_named(value)}, and must be {_NAMES[kind]}")
    return value


def _named(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    return _NAMES.get(type(value), "a number")
