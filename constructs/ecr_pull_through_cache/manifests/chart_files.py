"""The files of a Helm chart that its values come from: out of a folder or a ``.tgz``, bounded, and never outside of it."""

from __future__ import annotations

import gzip
import io
import re
import tarfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from ..errors import UserError
from .values_yaml import documents

LARGEST_CHART = 100 * 1024 * 1024
"""Bytes that a chart may hold when it is unpacked. Helm allows as much."""
LARGEST_FILE = 5 * 1024 * 1024
"""Bytes that one file of a chart may hold. Helm allows as much."""
MOST_FILES = 20_000
"""Files that a chart's archive may hold."""
DEEPEST = 10
"""Charts within charts."""

_META, _REQUIREMENTS, _VALUES, _SCHEMA = "Chart.yaml", "requirements.yaml", "values.yaml", "values.schema.json"
_NAMED = (_META, _REQUIREMENTS, _VALUES, _SCHEMA)
_WANTED = re.compile(
    rf"(?:charts/[^/]+/)*(?:{'|'.join(map(re.escape, _NAMED))}|charts/[^/]+\.tgz)",
)


@dataclass(frozen=True)
class ChartFiles:
    """A chart, with those in it.

    :param name: name in its Chart.yaml.
    :param values: its values.yaml as data, without the values of the charts in it.
    :param has_schema: whether it or one in it checks values against a schema.
    :param below: each chart in it, by the key that its values stand under: its alias or its name.
    :param missing: names of the charts that it depends on and that are not in it.
    """

    name: str
    values: dict[str, Any] = field(default_factory=dict)
    has_schema: bool = False
    below: tuple[tuple[str, ChartFiles], ...] = ()
    missing: tuple[str, ...] = ()

    def charts(self, at: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], ChartFiles]]:
        """Every chart with the keys that lead to its values, itself first."""
        yield at, self
        for key, chart in self.below:
            yield from chart.charts((*at, key))


def read_chart(path: Path) -> ChartFiles:
    """Read the chart in a folder or a ``.tgz``.

    :param path: the folder or the archive.
    :raises UserError: when there is no chart, when it cannot be read, or when it is larger than Helm allows.
    """
    try:
        files = _of_folder(path) if path.is_dir() else _of_packed(path)
    except OSError as error:
        raise UserError(f"{path}: the chart cannot be read: {error.strerror or error}") from None
    if _META not in files and _VALUES not in files:
        raise UserError(f"{path}: there is no Chart.yaml; give a values file, a chart's folder or its .tgz")
    return _chart(files, str(path), 0)


def values_in(data: bytes, name: str) -> dict[str, Any]:
    """Read the values of a values file that is at hand.

    :param data: the file.
    :param name: the name of it for errors.
    :raises UserError: when it holds no mapping.
    """
    return _as_values(data, name)


def read_values(path: Path) -> dict[str, Any]:
    """Read a values file.

    :raises UserError: when it cannot be read, or holds no mapping.
    """
    try:
        return _as_values(_plain_file(path), str(path))
    except OSError as error:
        raise UserError(f"{path}: the values cannot be read: {error.strerror}") from None


def _of_folder(folder: Path) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    ahead = [(folder, "", 0)]
    while ahead:
        here, name, depth = ahead.pop()
        if depth > DEEPEST:
            raise UserError(f"{folder}: it has charts within charts more than {DEEPEST} levels deep")
        for known in _NAMED:
            if (here / known).exists() or (here / known).is_symlink():
                files[name + known] = _plain_file(here / known)
        inner = here / "charts"
        for path in sorted(inner.iterdir()) if inner.is_dir() else ():
            if path.name.startswith((".", "_")):
                continue  # Helm passes over them
            if path.is_dir():
                ahead.append((path, f"{name}charts/{path.name}/", depth + 1))
            elif path.suffix == ".tgz":
                files[f"{name}charts/{path.name}"] = _plain_file(path, LARGEST_CHART)
        if sum(map(len, files.values())) > LARGEST_CHART or len(files) > MOST_FILES:
            raise UserError(f"{folder}: it holds more than Helm takes, {LARGEST_CHART:,} bytes in {MOST_FILES:,} files")
    return files


def _plain_file(path: Path, most: int = LARGEST_FILE) -> bytes:
    if path.exists() and not path.is_file():
        raise UserError(f"{path}: it is not a plain file")
    with path.open("rb") as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise UserError(f"{path}: it is larger than {most:,} bytes, the most that Helm takes")
    return data


def _of_packed(path: Path) -> dict[str, bytes]:
    if path.exists() and not path.is_file():
        raise UserError(f"{path}: it is neither a plain file nor a folder")
    with path.open("rb") as file:
        return _of_archive(file, str(path))


def _of_archive(packed: IO[bytes], name: str) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    try:
        with gzip.GzipFile(fileobj=packed) as unpacked:
            bounded = _Bounded(unpacked, name)
            with tarfile.open(fileobj=bounded, mode="r|") as archive:
                for number, member in enumerate(archive):
                    if number >= MOST_FILES:
                        raise UserError(f"{name}: it holds more than {MOST_FILES:,} files")
                    inside = member.name.removeprefix("./").partition("/")[2]
                    if _WANTED.fullmatch(inside) and ".." not in member.name.split("/"):
                        files[inside] = _member(archive, member, name)
            while bounded.read(1 << 20):
                pass  # its check sum stands at the end
    except (tarfile.TarError, EOFError, zlib.error, OSError, ValueError) as error:
        if isinstance(error, UserError):
            raise
        raise UserError(f"{name}: the chart cannot be read: {error}") from None
    return files


def _member(archive: tarfile.TarFile, member: tarfile.TarInfo, name: str) -> bytes:
    if not member.isreg() or member.issparse():
        raise UserError(f"{name}: {member.name!r} in it is not a plain file")
    most = LARGEST_CHART if member.name.endswith(".tgz") else LARGEST_FILE
    if member.size > most:
        raise UserError(f"{name}: {member.name!r} in it is larger than {most:,} bytes, the most that Helm takes")
    file = archive.extractfile(member)
    return b"" if file is None else file.read(most)


class _Bounded(io.RawIOBase):
    """Unpack, up to as much as Helm takes.

    :param file: where the bytes come from.
    :param name: what to call it.
    """

    def __init__(self, file: gzip.GzipFile, name: str) -> None:
        super().__init__()
        self._file = file
        self._name = name
        self._read = 0

    def read(self, size: int = -1, /) -> bytes:
        """The next bytes."""
        data = self._file.read(size if size >= 0 else LARGEST_CHART + 1)
        self._read += len(data)
        if self._read > LARGEST_CHART:
            raise UserError(f"{self._name}: it unpacks to more than {LARGEST_CHART:,} bytes, the most that Helm takes")
        return data


def _chart(files: Mapping[str, bytes], place: str, depth: int) -> ChartFiles:
    if depth > DEEPEST:
        raise UserError(f"{place}: it has charts within charts more than {DEEPEST} levels deep")
    own = {name: data for name, data in files.items() if "/" not in name}
    meta = _as_values(own.get(_META, b""), f"{place}: {_META}")
    needs = _listed(meta) or _listed(_as_values(own.get(_REQUIREMENTS, b""), f"{place}: {_REQUIREMENTS}"))
    inner = [_chart(found, name, depth + 1) for name, found in _inner(files, place)]
    names = {chart.name for chart in inner}
    below = tuple((key, chart) for chart in inner for key in _keys_of(chart.name, needs))
    return ChartFiles(
        name=str(meta.get("name") or ""),
        values=_as_values(own.get(_VALUES, b""), f"{place}: {_VALUES}"),
        has_schema=_SCHEMA in own or any(chart.has_schema for chart in inner),
        below=below,
        missing=tuple(dict.fromkeys(str(need.get("name")) for need in needs if need.get("name") not in names)),
    )


def _inner(files: Mapping[str, bytes], place: str) -> Iterator[tuple[str, dict[str, bytes]]]:
    """The files of each chart in a chart, in whatever form it lies there."""
    folders: dict[str, dict[str, bytes]] = {}
    for path, data in files.items():
        charts, _, inside = path.partition("/")
        if charts != "charts":
            continue
        name, slash, rest = inside.partition("/")
        if slash:
            folders.setdefault(name, {})[rest] = data
        else:
            yield f"{place}: {path}", _of_archive(io.BytesIO(data), f"{place}: {path}")
    for name, found in folders.items():
        yield f"{place}: charts/{name}", found


def _listed(meta: Mapping[str, Any]) -> list[dict[str, Any]]:
    entries = meta.get("dependencies")
    return [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []


def _keys_of(name: str, needs: list[dict[str, Any]]) -> list[str]:
    """The keys that a chart's values stand under: its aliases, and its name where it has none."""
    keys = [str(entry.get("alias") or name) for entry in needs if entry.get("name") == name]
    return list(dict.fromkeys(keys)) or [name]


def _as_values(data: bytes, name: str) -> dict[str, Any]:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UserError(f"{name}: it is not UTF-8 text") from None
    values = next(documents(text, name), None)
    if values is not None and not isinstance(values, dict):
        raise UserError(f"{name}: it holds no keys and values")
    return values or {}
