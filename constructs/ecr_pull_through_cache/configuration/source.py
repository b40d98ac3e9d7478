"""YAML with the line of every key, so that an error can say where it is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from ..errors import UserError
from .bounds import LARGEST_FILE, Unbounded, check_bounds

Place = tuple[str | int, ...]
"""The way from the top of a document to a value: ``("registries", "shared", "upstreams", "k8s")``."""


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One thing that is wrong with a configuration.

    :param place: where.
    :param message: what was given and what is allowed.
    :param follows_from: other places whose values make it wrong. Default: none.
    """

    place: Place
    message: str
    follows_from: tuple[Place, ...] = ()


class ConfigurationError(UserError):
    """Everything that is wrong with a configuration, one line each: ``FILE:LINE: key.path: message``."""


@dataclass(frozen=True)
class Source:
    """A YAML document as data, and where its parts stand.

    :param name: name of the file, as errors give it.
    :param data: the document.
    :param lines: line of each key and list item, from 1.
    :param problems: mistakes of its form, such as a key that is given twice.
    """

    name: str
    data: Any
    lines: dict[Place, int]
    problems: tuple[Problem, ...] = ()

    @property
    def folder(self) -> Path:
        """The folder of the files that the document names."""
        return Path(self.name).parent

    @classmethod
    def read(cls, path: Path) -> Source:
        """Read a file.

        :raises ConfigurationError: when it cannot be read or is no YAML.
        """
        try:
            with path.open("rb") as file:
                data = file.read(LARGEST_FILE + 1)
            if len(data) > LARGEST_FILE:
                raise ConfigurationError(f"{path}: a configuration has at most {LARGEST_FILE:,} bytes")
            text = data.decode("utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
            if isinstance(error, FileNotFoundError):
                reason = f"{reason}; write one with `ecr-pull-through init`, or name another one with --config"
            raise ConfigurationError(f"{path}: the configuration cannot be read: {reason}") from None
        return cls.parse(text, name=str(path))

    @classmethod
    def parse(cls, text: str, *, name: str = "configuration") -> Source:
        """Read a text.

        :param name: what errors call it.
        :raises ConfigurationError: when it is no YAML, stands for too much, or has an alias for what the alias is part of.
        """
        try:
            node, data = _load(text)
        except Unbounded as error:
            raise ConfigurationError(f"{name}:{error.line}: {error}") from None
        except RecursionError:
            raise ConfigurationError(f"{name}: it is nested too deeply") from None
        except (yaml.YAMLError, ValueError) as error:
            mark = getattr(error, "problem_mark", None)
            at = f":{mark.line + 1}" if mark else ""
            what = getattr(error, "problem", None) or str(error).splitlines()[0]
            raise ConfigurationError(f"{name}{at}: this is not YAML: {what}") from None
        lines: dict[Place, int] = {}
        problems: list[Problem] = []
        endlessly = False
        for place, line, endless in _walk(node, ()):
            if place in lines:
                problems.append(Problem(place=place, message=f"is given twice, first in line {lines[place]}"))
            else:
                lines[place] = line
            if endless:
                endlessly = True
                problems.append(Problem(place=place, message="is an alias for what it is itself part of; write it out"))
        source = cls(name, data, lines, tuple(problems))
        if endlessly:
            raise source.error(problems)
        return source

    def error(self, problems: list[Problem]) -> ConfigurationError:
        """All problems as one error, in the order of their lines."""
        texts = [(self._line(p.place), f"{_dotted(p.place)}: {p.message}") for p in problems]
        unique = sorted(dict.fromkeys(texts))
        return ConfigurationError("\n".join(f"{self.name}:{line}: {text}" for line, text in unique))

    def _line(self, place: Place) -> int:
        return next((self.lines[place[:n]] for n in range(len(place), 0, -1) if place[:n] in self.lines), 1)


def _load(text: str) -> tuple[yaml.Node | None, Any]:
    try:
        return _load_with(getattr(yaml, "CSafeLoader", yaml.SafeLoader), text)
    except yaml.YAMLError:
        # The parser in C is ten times as fast and says less well what is wrong.
        return _load_with(yaml.SafeLoader, text)


def _load_with(kind: type[yaml.SafeLoader], text: str) -> tuple[yaml.Node | None, Any]:
    loader = kind(text)
    node = loader.get_single_node()
    check_bounds(node)
    return node, None if node is None else loader.construct_document(node)


def _walk(
    node: yaml.Node | None, place: Place, above: tuple[yaml.Node | None, ...] = ()
) -> Iterator[tuple[Place, int, bool]]:
    """Every place with its line, and whether it is an alias for something that it is part of: there the walk ends."""
    below: list[tuple[Place, int, yaml.Node]] = []
    if isinstance(node, yaml.MappingNode):
        below = [((*place, str(key.value)), key.start_mark.line + 1, value) for key, value in node.value]
    elif isinstance(node, yaml.SequenceNode):
        below = [((*place, number), item.start_mark.line + 1, item) for number, item in enumerate(node.value)]
    for at, line, value in below:
        endless = value is node or value in above
        yield at, line, endless
        if not endless:
            yield from _walk(value, at, (*above, node))


def _dotted(place: Place) -> str:
    text = ""
    for part in place:
        text += f"[{part}]" if isinstance(part, int) else f"{'.' if text else ''}{part}"
    return text or "the configuration"
