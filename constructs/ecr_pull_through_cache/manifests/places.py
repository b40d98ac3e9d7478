"""The places of images in manifests."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cached_property, lru_cache
from pathlib import Path as File
from types import MappingProxyType
from typing import Any

from ..errors import UserError

Path = tuple[str, ...]
"""The way from the top of a resource to a value; ``[]`` is an item of a list, ``*`` any key, ``**`` any way at all."""


class Form(Enum):
    """The form of an image at a place."""

    IMAGE = "image"
    """The whole reference."""
    NAME = "name"
    """The reference without its tag, which stands elsewhere."""
    PARTS = "parts"
    """A mapping of ``repository``, ``image`` or ``name``, and ``tag`` or ``version``."""
    VALUES = "values"
    """Values of a Helm chart, as a mapping or as a text block."""
    PARAMETERS = "parameters"
    """Values of a Helm chart as a list of ``name`` and ``value``."""
    KUSTOMIZE = "kustomize"
    """A list of ``name``, ``newName``, ``newTag`` and ``digest``, as in a kustomization."""
    KUSTOMIZE_TEXTS = "kustomize texts"
    """A list of ``NAME=NEW:TAG``, as ``kustomize edit set image`` takes them."""
    MANIFEST = "manifest"
    """A text block that is a manifest or a patch itself."""
    MATCHED = "matched"
    """It is compared with, scanned, built or pushed, and not pulled: it stays as it is."""
    CHART = "chart"
    """A chart that is deployed; its images stand elsewhere."""


@dataclass(frozen=True)
class ImagePlaces:
    """The fields that hold images.

    :param anywhere: ways that mean an image in whatever kind.
    :param in_kind: ways that mean an image in one kind of resource: by the kind, or by ``GROUP/KIND`` where several groups
        have a kind of that name.
    """

    anywhere: Mapping[Path, Form]
    in_kind: Mapping[str, Mapping[Path, Form]]

    @cached_property
    def _compiled(self) -> dict[str, dict[str, list[tuple[Path, Form]]]]:
        return {kind: _by_last(paths) for kind, paths in {**self.in_kind, "": self.anywhere}.items()}

    def form_at(self, group: str, kind: str, path: Path) -> Form | None:
        """Return the image at a place; ``None`` if there is none.

        :param group: API group of the resource, or nothing.
        :param kind: its kind, or nothing.
        :param path: the way from its top.
        """
        return self._memo(group, kind, path) if path else None

    @cached_property
    def _memo(self) -> Callable[[str, str, Path], Form | None]:
        return lru_cache(maxsize=4_096)(self._looked_up)

    def _looked_up(self, group: str, kind: str, path: Path) -> Form | None:
        for name in (f"{group}/{kind}", f"{group}/*", kind, ""):
            table = self._compiled.get(name)
            if table is None:
                continue
            for last in (path[-1], "*", "**"):
                for pattern, form in table.get(last, ()):
                    if _matches(pattern, path):
                        return form
        return None

    def knows(self, group: str, kind: str) -> bool:
        """Whether a kind has places of its own."""
        return any(name in self.in_kind for name in (kind, f"{group}/{kind}", f"{group}/*"))

    @cached_property
    def words(self) -> re.Pattern[str]:
        """Words of a text that may name an image; a text without them need not be read."""
        words = {_telling(path) for table in (self.anywhere, *self.in_kind.values()) for path in table} - {""}
        return re.compile(rf"[iI][mM][aA][gG][eE]|\\|\b(?:{'|'.join(map(re.escape, sorted(words)))})\b")

    def last_keys(self, kind: str) -> frozenset[str]:
        """The last keys of the ways to images in a kind."""
        return frozenset(path[-1] for path, form in self.in_kind.get(kind, {}).items() if form is Form.IMAGE)

    def adding(self, entries: Iterable[str]) -> ImagePlaces:
        """With further resources.

        :param entries: ``Kind=path.to.image`` or ``group/Kind=path.to.image``, a list's items being written as
            ``steps[].image``, any key as ``*``, any way as ``**``.
        :raises UserError: when an entry is not of that form.
        """
        more = {kind: dict(paths) for kind, paths in self.in_kind.items()}
        for entry in entries:
            kind, equals, path = entry.partition("=")
            if not (kind and equals and path):
                raise UserError(f"{entry!r} is not 'Kind=path.to.image', such as 'Prometheus=spec.image'")
            more.setdefault(kind, {})[path_of(path)] = Form.IMAGE
        return ImagePlaces(self.anywhere, more)

    def adding_file(self, file: File) -> ImagePlaces:
        """With the resources of a file: YAML of kinds, each with its paths, or its paths by form.

        :param file: for example ``{Runner: [spec.image], Builder: {name: [spec.repository], matched: [spec.tag]}}``.
        :raises UserError: when it cannot be read or is not of that form.
        """
        import yaml

        try:
            data = yaml.safe_load(file.read_text(encoding="utf-8-sig"))
        except OSError as error:
            raise UserError(f"{file}: {error.strerror}") from None
        except (yaml.YAMLError, ValueError) as error:
            raise UserError(f"{file}: this is not YAML: {str(error).splitlines()[0]}") from None
        if not isinstance(data, dict):
            raise UserError(f"{file}: this is not a mapping of kinds to paths, such as 'Runner: [spec.image]'")
        more = {kind: dict(paths) for kind, paths in self.in_kind.items()}
        for kind, given in data.items():
            table = more.setdefault(str(kind), {})
            for form, paths in _forms(given, f"{file}: {kind}"):
                table.update({path_of(path): form for path in paths})
        return ImagePlaces(self.anywhere, more)


def _forms(given: Any, where: str) -> list[tuple[Form, list[str]]]:
    found = []
    for name, paths in (given if isinstance(given, dict) else {Form.IMAGE.value: given}).items():
        try:
            form = Form(name)
        except ValueError:
            known = [form.value for form in Form]
            near = difflib.get_close_matches(str(name), known, n=1)
            meant = f" (did you mean {near[0]!r}?)" if near else ""
            raise UserError(f"{where}: {name!r} is not a form{meant}; allowed are {', '.join(known)}") from None
        if not (isinstance(paths, list) and paths and all(isinstance(path, str) and path for path in paths)):
            raise UserError(f"{where}: {paths!r} is not a list of paths, such as [spec.image, 'spec.steps[].image']")
        found.append((form, paths))
    return found


def _telling(path: Path) -> str:
    """The last key of a way that is no list, no wildcard and not as common as a name."""
    keys = [key for key in path if key not in ("[]", "*", "**")]
    while len(keys) > 1 and keys[-1] == "name":
        keys.pop()
    return keys[-1] if keys and keys[-1] not in ("spec", "image") else ""


def path_of(text: str) -> Path:
    """A way as it is written: ``spec.steps[].image``."""
    return tuple(text.replace("[]", ".[]").split("."))


def table_of(paths: Mapping[Form, Iterable[str]]) -> Mapping[Path, Form]:
    """A table of ways by form."""
    return MappingProxyType({path_of(path): form for form, given in paths.items() for path in given})


def _by_last(paths: Mapping[Path, Form]) -> dict[str, list[tuple[Path, Form]]]:
    found: dict[str, list[tuple[Path, Form]]] = {}
    for path, form in paths.items():
        found.setdefault(path[-1], []).append((path, form))
    return found


def _matches(pattern: Path, path: Path) -> bool:
    """Whether a way is of a pattern. ``**`` stands for any number of steps, so the last one that fits is tried."""
    if "**" not in pattern:
        return len(pattern) == len(path) and all(p in (s, "*") for p, s in zip(pattern, path, strict=True))
    at = pattern.index("**")
    head, tail = pattern[:at], pattern[at + 1 :]
    if len(path) < len(head) or not _matches(head, path[: len(head)]):
        return False
    rest = path[len(head) :]
    if "**" not in tail:
        return len(rest) >= len(tail) and _matches(tail, rest[len(rest) - len(tail) :])
    return any(_matches(tail, rest[n:]) for n in range(len(rest) + 1))
