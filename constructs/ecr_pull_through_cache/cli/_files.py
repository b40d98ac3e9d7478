"""The files of ``rewrite`` and ``inventory``: which there are, and what must not be read or written."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..errors import UserError
from ..manifests.dockerfile import is_dockerfile

SUFFIXES = (".yaml", ".yml", ".json", ".tpl")
SKIPPED = {".git", "node_modules", ".venv", "cdk.out", ".terraform"}
_ODD_NAMES = frozenset({"Kustomization"})
"""Names without a suffix that kustomize reads."""
_LARGEST = 1 << 30
"""Bytes of the largest file that is read."""


class Unreadable(UserError):
    """One file that cannot be read or written; the others are not concerned."""


@dataclass(frozen=True, slots=True)
class Given:
    """A file.

    :param name: the way to it, or ``-``.
    :param folder: the folder that it was found in, where a folder was given.
    """

    name: str
    folder: str | None = None

    @property
    def leads_out(self) -> bool:
        """Whether it is a link in a folder that leads out of it."""
        if self.folder is None or not os.path.islink(self.name):  # noqa: PTH114 - see read()
            return False
        target = Path(os.path.realpath(self.name))
        return not target.is_relative_to(os.path.realpath(self.folder))


def files_of(paths: list[str]) -> Iterator[Given]:
    """Every file of what is given.

    :param paths: files, folders, and ``-`` for standard input.
    :raises UserError: when there is no such file.
    """
    for path in paths:
        if path != "-" and Path(path).is_dir():
            yield from _in_folder(path)
        elif path == "-" or os.path.lexists(path):
            yield Given(path)
        else:
            raise UserError(f"{path}: no such file or folder")


def is_known(name: str) -> bool:
    """Whether a file of a folder is looked at, by its name.

    :param name: its name without the folder.
    """
    return name.endswith(SUFFIXES) or name in _ODD_NAMES or is_dockerfile(name)


def _in_folder(folder: str) -> Iterator[Given]:
    for root, folders, names in os.walk(folder):
        folders[:] = sorted(set(folders) - SKIPPED)
        for name in sorted(names):
            if is_known(name):
                yield Given(f"{root}/{name}", folder)


def read(name: str) -> str:
    """The text of a file; bytes that are no text are kept as they are.

    :param name: the way to it, or ``-`` for standard input.
    :raises Unreadable: when it is none, or too large.
    """
    try:
        if name == "-":
            return _decoded(sys.stdin.buffer.read(), name)
        # O_NONBLOCK, because a pipe would wait for a writer. Not Path: for thousands of files it costs a tenth of the time.
        descriptor = os.open(name, os.O_RDONLY | os.O_NONBLOCK)
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise Unreadable(f"{name}: this is not a regular file")
            if status.st_size > _LARGEST:
                raise Unreadable(f"{name}: it is larger than 1 GiB")
            with open(descriptor, "rb", closefd=False) as file:
                return _decoded(file.read(), name)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise Unreadable(f"{name}: {error.strerror}") from None


def _decoded(data: bytes, name: str) -> str:
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise Unreadable(
            f"{name}: this is not text in UTF-8 but in UTF-16, which kubectl does not read either; convert it"
        )
    return data.decode("utf-8", "surrogateescape")


def write(name: str, text: str) -> None:
    """Replace a file at once: whoever reads it sees the old one or the new one. Its owner and mode stay.

    :param name: the way to it; a link stays a link.
    :param text: its new text.
    :raises Unreadable: when it cannot be written; it is as it was.
    """
    target = os.path.realpath(name) if os.path.islink(name) else name  # noqa: PTH114
    folder, base = os.path.split(target)
    beside = os.path.join(folder, f".{base}.{os.getpid()}.tmp")  # noqa: PTH118
    try:
        status = os.stat(target)  # noqa: PTH116
        mode = stat.S_IMODE(status.st_mode)
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        try:
            if (status.st_uid, status.st_gid) != (os.geteuid(), os.getegid()):
                os.fchown(descriptor, status.st_uid, status.st_gid)
            os.fchmod(descriptor, mode)
            data = text.encode("utf-8", "surrogateescape")
            while data:
                data = data[os.write(descriptor, data) :]
        finally:
            os.close(descriptor)
        os.replace(beside, target)  # noqa: PTH105
    except OSError as error:
        Path(beside).unlink(missing_ok=True)
        raise Unreadable(f"{name}: {error.strerror}; it is as it was, run this again") from None


def why_not_written(given: Given) -> str | None:
    """Why a file is left although it would change, in a sentence; ``None`` when nothing is against it.

    :param given: the file.
    """
    if given.leads_out:
        return "it is a link that leads out of the folder; name the file itself to rewrite it"
    status = os.stat(given.name)  # noqa: PTH116
    if status.st_nlink > 1:
        return f"it has {status.st_nlink} hard links, and only this one would change; copy it first"
    if status.st_uid != os.geteuid() and os.geteuid() != 0:
        return "it belongs to another user, and would then belong to you"
    return None
