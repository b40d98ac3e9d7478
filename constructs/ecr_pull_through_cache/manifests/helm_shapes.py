"""Images in values alone, by the shapes that charts have: what their names tell for certain, and no more."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..images import CacheMapping, split_registry
from .becoming import Becoming, Becomings
from .chart_values import Place, override_of, written
from .values_yaml import Plain

_REPOSITORIES = ("repository", "repo", "imageRepository", "name", "image")
_REGISTRIES = ("registry", "imageRegistry")
_TAGS = ("tag", "imageTag", "version")
_PINS = re.compile(r"digest$|sha$|sha256$", re.I)
_DIGEST = re.compile(r"(?:sha256:)?[0-9a-f]{64}|sha512:[0-9a-f]{128}")
_DECIDES_REGISTRY = re.compile(r"regist|^hub$|imagenamespace|^namespace$", re.I)
_UNCERTAIN = "its registry may stand in another value"
_WHOLE = re.compile(r"[\w./:@-]+", re.ASCII)


@dataclass(frozen=True)
class Override:
    """The override of values whose chart is not at hand.

    :param values: the override, as data.
    :param overridden: places of images that it changes, with what they become.
    :param left: places of images that it does not change, with the reason.
    """

    values: dict[str, Any] = field(default_factory=dict)
    overridden: dict[str, str] = field(default_factory=dict)
    left: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Guess:
    """An image that values name, by their shape.

    :param place: where its name stands.
    :param image: the image.
    :param changes: the values that would make it what it is to become; none where it stays.
    :param why: why it stays; empty where it does not.
    :param is_of_concern: whether the rules of the cache know its registry.
    :param is_pinned: whether it stays because a digest pins it.
    :param has_no_rule: whether it stays because no rule caches its registry.
    :param becomes: what it becomes.
    """

    place: Place
    image: str
    changes: Mapping[Place, str] = field(default_factory=dict)
    why: str = ""
    is_of_concern: bool = True
    is_pinned: bool = False
    has_no_rule: bool = False
    becomes: str = ""

    @property
    def is_uncertain(self) -> bool:
        """Whether values alone do not tell its registry."""
        return self.why == _UNCERTAIN


def override(mapping: CacheMapping, charts: list[tuple[tuple[str, ...], dict[str, Any]]]) -> Override:
    """The values that make images come from the cache as far as values alone tell; nothing of it is verified.

    A name without a registry is taken for one of Docker Hub only where no value beside or above it could name another.

    :param mapping: what images become.
    :param charts: values, each with the keys that lead to them.
    """
    result = Override()
    for keys, values in charts:
        for guess in guesses_of(Becomings(mapping), values):
            place = written((*keys, *guess.place))
            if guess.changes:
                result.overridden[place] = guess.becomes
                _put(result.values, keys, override_of(guess.changes, values))
            elif guess.why != "names the cache already":
                result.left[place] = f"{guess.image}: {guess.why}"
    return result


def _put(values: dict[str, Any], keys: tuple[str, ...], more: Mapping[str, Any]) -> None:
    for key in keys:
        values = values.setdefault(key, {})
    for key, value in more.items():
        if isinstance(value, dict):
            _put(values.setdefault(key, {}), (), value)
        else:
            values[key] = value


def guesses_of(becomings: Becomings, values: Mapping[str, Any]) -> Iterator[Guess]:
    """Every image that values name by their shape.

    :param becomings: what images become.
    :param values: the values.
    """
    yield from _Finder(becomings).visit(values, (), decided=False)


class _Finder:
    def __init__(self, becomings: Becomings) -> None:
        self._becomings = becomings

    def visit(self, values: Mapping[str, Any], at: Place, *, decided: bool) -> Iterator[Guess]:
        """The images of some keys.

        :param decided: whether a value above may name the registry of what names none.
        """
        taken = yield from self._in_parts(values, at, decided)
        here = decided or any(_decides(key, value) for key, value in values.items())
        for key, value in values.items():
            if key in taken:
                continue
            if isinstance(value, dict):
                yield from self.visit(value, (*at, key), decided=here or _decides_below(values))
            elif isinstance(value, list):
                yield from self._in_list(value, (*at, key))
            elif isinstance(value, str) and not isinstance(value, Plain) and _names_image(key):
                yield from self._in_one(value, (*at, key), here)

    def _in_parts(self, values: Mapping[str, Any], at: Place, decided: bool) -> Generator[Guess, None, set[str]]:
        """An image in parts: registry, repository, tag, digest. Returns the keys that it is made of."""
        registry_key = next((key for key in _REGISTRIES if key in values), None)
        registry = values.get(registry_key or "")
        is_image = bool(at) and _names_image(str(at[-1]))
        has_tag = any(key in values for key in _TAGS) or any(_PINS.search(key) for key in values)
        name_key = next(
            (
                key
                for key in _REPOSITORIES
                if _is_text(values.get(key)) and (key in _REPOSITORIES[:3] or is_image or has_tag)
            ),
            None,
        )
        if name_key is None or (name_key == "image" and not (_is_text(registry) or has_tag)):
            return set[str]()
        name = str(values[name_key])
        host = split_registry(f"{name}/" if "/" not in name else name)[0]
        joined = f"{registry}/{name}" if _is_text(registry) else name
        place = (*at, name_key)
        image = self._image(joined, values)
        if image is None:
            return set[str]()
        parent = decided or any(_decides(k, v) for k, v in values.items() if k != registry_key)
        is_certain = (host is not None and not _is_text(registry)) or (
            _is_text(registry) and split_registry(f"{registry}/")[0] is not None and host is None
        )
        if not is_certain and not (
            host is None
            and not parent
            and has_tag
            and (registry_key is None or registry == "")
            and not _is_text(registry)
        ):
            if image.why_it_stays is None:
                yield Guess(place, joined, why=_UNCERTAIN)
            return {key for key in (registry_key, name_key) if key}
        yield self._guess(image, place, joined, (*at, registry_key) if _is_text(registry) and registry_key else None)
        return {key for key in (registry_key, name_key) if key}

    def _image(self, joined: str, values: Mapping[str, Any]) -> Becoming | None:
        digest = next(
            (str(v) for k, v in values.items() if _PINS.search(k) and isinstance(v, str) and _DIGEST.fullmatch(v)), ""
        )
        if str(values.get("useDigest", "")).lower() == "false":
            digest = ""
        tag = next((str(values[key]) for key in _TAGS if values.get(key) not in (None, "")), "")
        bare = digest.removeprefix("sha256:")
        pin = f"@sha256:{bare}" if digest and "@" not in tag and ":" not in bare else ""
        whole = f"{joined}{f':{tag}' if tag and '@' not in joined else ''}{pin}"
        return self._becomings.of(whole, True) or self._becomings.of(joined, True)

    def _guess(self, image: Becoming, place: Place, given: str, registry: Place | None) -> Guess:
        if image.why_it_stays is not None:
            return Guess(
                place,
                image.image,
                why=image.why_it_stays,
                is_of_concern=image.is_of_concern,
                is_pinned=image.is_pinned,
                has_no_rule=image.has_no_rule,
            )
        whole = image.accepted[0]
        name = whole[: len(whole) - len(image.image) + len(given)]
        if registry is None:
            return Guess(place, image.image, {place: name}, becomes=whole)
        host, _, path = name.partition("/")
        tail = given.partition("/")[2]
        if path.endswith(f"/{tail}"):
            head = name[: len(name) - len(tail) - 1]
            return Guess(place, image.image, {registry: head}, becomes=whole)
        return Guess(place, image.image, {registry: host, place: path}, becomes=whole)

    def _in_list(self, values: list[Any], at: Place) -> Iterator[Guess]:
        """Helm replaces a list as a whole, so that an override would have to repeat all of it."""
        for number, value in enumerate(values):
            named = isinstance(at[-1], str) and _names_image(at[-1])
            texts = value.items() if isinstance(value, dict) else [("image", value)] if named else []
            for key, text in texts:
                if not (_is_text(text) and _names_image(str(key))):
                    continue
                image = self._becomings.of(text, True)
                if image is not None and image.why_it_stays is None:
                    why = "it is in a list, which Helm replaces as a whole; override the list yourself"
                    yield Guess((*at, number), text, why=why)

    def _in_one(self, value: str, at: Place, decided: bool) -> Iterator[Guess]:
        """An image in one piece."""
        if not _WHOLE.fullmatch(value) or str(at[-1]) in _REGISTRIES:
            return
        image = self._becomings.of(value, True)
        if image is None:
            return
        has_host = split_registry(value)[0] is not None
        if has_host or (not decided and (":" in value or "@" in value)):
            yield self._guess(image, at, value, None)
        elif image.why_it_stays is None:
            yield Guess(at, value, why=_UNCERTAIN)


def _names_image(key: str) -> bool:
    return key.lower().endswith("image")


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value) and not isinstance(value, Plain)


def _decides(key: str, value: Any) -> bool:
    """Whether a value may name the registry, or a folder, of images that name none."""
    return not isinstance(value, dict | list) and bool(_DECIDES_REGISTRY.search(key)) and (value is None or value != "")


def _decides_below(values: Mapping[str, Any]) -> bool:
    """The same of ``global`` and of ``image`` beside a key: both hold for what stands beside them."""
    return any(
        _decides(key, value)
        for name in ("global", "image")
        for part in [values.get(name)]
        if isinstance(part, dict)
        for key, value in [*part.items(), *(_image_items(part))]
    )


def _image_items(part: Mapping[str, Any]) -> list[tuple[str, Any]]:
    inner = part.get("image")
    return list(inner.items()) if isinstance(inner, dict) else []
