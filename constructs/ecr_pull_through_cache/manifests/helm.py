"""Images in the values of a Helm chart, and the values that override them."""

from __future__ import annotations

import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from ..errors import UserError
from ..images import CacheMapping, InvalidImageReference, Reason

_TAGS = ("tag", "imageTag")
_REPOSITORIES = ("repository", "name", "image")


@dataclass(frozen=True)
class Override:
    """The overrides of a chart's values.

    :param values: the override file, as data.
    :param overridden: places of images that it changes, with what they become.
    :param left: places of images that cannot be overridden, with the reason.
    """

    values: dict[str, Any] = field(default_factory=dict)
    overridden: dict[str, str] = field(default_factory=dict)
    left: dict[str, str] = field(default_factory=dict)


def chart_values(path: Path) -> list[tuple[tuple[str, ...], dict[str, Any]]]:
    """The values of a chart and of the charts in it: a ``values.yaml``, a chart's folder or its ``.tgz``.

    :returns: each with the keys that lead to it from the values of the chart given.
    :raises UserError: when there are no values there.
    """
    try:
        if path.is_dir():
            texts = {str(file.relative_to(path)): file.read_text() for file in sorted(path.rglob("values.yaml"))}
        elif path.suffix in (".tgz", ".gz"):
            texts = _packed(path)
        else:
            texts = {"values.yaml": path.read_text()}
    except (OSError, UnicodeDecodeError, tarfile.TarError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise UserError(f"{path}: the chart cannot be read: {reason}") from None
    found = []
    for name, text in texts.items():
        keys = _keys_of(name)
        if keys is None:
            continue
        try:
            values = yaml.safe_load(text) or {}
        except yaml.YAMLError as error:
            raise UserError(f"{path}: {name} is not YAML: {error}") from None
        if isinstance(values, dict):
            found.append((keys, values))
    if not found:
        raise UserError(f"{path}: there is no values.yaml; give a values file, a chart's folder or its .tgz")
    return found


def _packed(path: Path) -> dict[str, str]:
    with tarfile.open(path) as archive:
        members = [m for m in archive.getmembers() if m.isfile() and m.name.endswith("values.yaml")]
        read = {m.name.partition("/")[2]: archive.extractfile(m) for m in members}
        return {name: file.read().decode() for name, file in read.items() if file is not None}


def _keys_of(name: str) -> tuple[str, ...] | None:
    """``charts/redis/values.yaml`` is below ``redis``; values elsewhere in a chart, as in tests, are none of its own."""
    parts = name.split("/")[:-1]
    if any(part != "charts" for part in parts[::2]) or len(parts) % 2:
        return None
    return tuple(parts[1::2])


def override(mapping: CacheMapping, charts: list[tuple[tuple[str, ...], dict[str, Any]]]) -> Override:
    """The values that make a chart's images come from the cache.

    :param mapping: what images become.
    :param charts: values of the chart and of those in it.
    """
    result = Override()
    finder = _Finder(mapping, result)
    for keys, values in charts:
        finder.visit(values, keys)
    return result


class _Finder:
    def __init__(self, mapping: CacheMapping, result: Override) -> None:
        self._mapping = mapping
        self._result = result

    def visit(self, values: Mapping[str, Any], at: tuple[str, ...]) -> None:
        taken = self._visit_image(values, at)
        for key, value in values.items():
            place = (*at, str(key))
            if key in taken:
                continue
            if isinstance(value, dict):
                self.visit(value, place)
            elif isinstance(value, list):
                self._visit_list(value, place)
            elif isinstance(value, str) and _names_image(str(key)):
                self._visit_text(value, place)

    def _visit_image(self, values: Mapping[str, Any], at: tuple[str, ...]) -> set[str]:
        """An image in parts: ``registry``, ``repository``, ``tag``, ``digest``. Says which keys they are."""
        registry_key = next((key for key in ("registry", "imageRegistry") if isinstance(values.get(key), str)), None)
        within = registry_key or (at and at[-1].lower().endswith("image")) or "tag" in values or "digest" in values
        repository_key = next(
            (
                k
                for k in _REPOSITORIES
                if isinstance(values.get(k), str) and values[k] and (k == "repository" or within)
            ),
            None,
        )
        if repository_key is None or (repository_key == "image" and registry_key is None):
            return set()
        registry = values.get(registry_key or "", "")
        name = f"{registry}/{values[repository_key]}" if registry else values[repository_key]
        digest = values.get("digest") or values.get("sha") or ""
        tag = next((str(values[key]) for key in _TAGS if values.get(key) not in (None, "")), "")
        reference = f"{name}{f':{tag}' if tag else ''}{f'@{_digest(digest)}' if digest else ''}"
        image = self._cached((*at, repository_key), reference)
        if image is not None:
            host, _, path = _without_tag(image).partition("/")
            if registry_key is not None:
                self._set((*at, registry_key), host)
                self._set((*at, repository_key), path)
            else:
                self._set((*at, repository_key), f"{host}/{path}")
        return {key for key in (registry_key, repository_key) if key}

    def _visit_list(self, values: list[Any], at: tuple[str, ...]) -> None:
        """Helm replaces a list as a whole, so an override of one item would have to repeat all of them."""
        for number, value in enumerate(values):
            texts = value.items() if isinstance(value, dict) else [("image", value)] if _names_image(at[-1]) else []
            for key, text in texts:
                if not (isinstance(text, str) and _names_image(str(key))):
                    continue
                try:
                    is_cached = self._mapping.decide(text).reason is Reason.CACHED
                except InvalidImageReference:
                    continue
                if is_cached:
                    place = f"{'.'.join(at)}[{number}]"
                    self._result.left[place] = (
                        f"{text} is in a list, which Helm replaces as a whole; override the list yourself"
                    )

    def _visit_text(self, value: str, at: tuple[str, ...]) -> None:
        """An image in one piece, or the name of a registry alone."""
        if at[-1] == "imageRegistry" or not value or "{{" in value:
            return
        image = self._cached(at, value)
        if image is not None:
            self._set(at, image)

    def _cached(self, at: tuple[str, ...], reference: str) -> str | None:
        place = ".".join(at)
        try:
            decision = self._mapping.decide(reference)
        except InvalidImageReference:
            return None
        if decision.reason is Reason.CACHED:
            self._result.overridden[place] = decision.image
            return decision.image
        if decision.reason is not Reason.ALREADY_CACHED:
            self._result.left[place] = f"{reference}: {decision.reason.value}"
        return None

    def _set(self, at: tuple[str, ...], value: str) -> None:
        values = self._result.values
        for key in at[:-1]:
            values = values.setdefault(key, {})
        values[at[-1]] = value


def _names_image(key: str) -> bool:
    return key.lower().endswith("image")


def _digest(given: object) -> str:
    text = str(given)
    return text if ":" in text else f"sha256:{text}"


def _without_tag(image: str) -> str:
    image = image.partition("@")[0]
    head, slash, last = image.rpartition("/")
    return f"{head}{slash}{last.partition(':')[0]}"
