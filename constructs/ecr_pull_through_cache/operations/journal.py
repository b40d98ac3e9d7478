"""A journal of finished work, so that an interrupted run goes on from there."""

from __future__ import annotations

import json
import os
import stat
import sys
from array import array
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from ..errors import UserError
from .text import printable

if sys.platform != "win32":
    import fcntl

HEAD = b'{"journal": "ecr-pull-through", "version": 1}\n'
"""The first line of every journal. A file that begins otherwise is not a journal and is never changed."""
_LONGEST_LINE = 65_536
_PIECE = 4_096
_MASK = (1 << 64) - 1
_IsAt = Callable[[str, int], bool]


class Journal(Mapping[str, str]):
    """A file with one line for each thing that is done, read as results by what was done.

    It survives that its writer is killed, and a disk that is full: a line is whole, or it is not there. Several processes may
    write to one journal. Of a million entries, some 30 MB are held in memory: where each stands in the file.

    :param path: the file; made if it is not there.
    :raises UserError: when it is no journal, or cannot be read and written. It stays as it is then.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._places = _Places()
        try:
            # Without O_NONBLOCK, a pipe that nobody writes to would keep this waiting.
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_NONBLOCK", 0), 0o600)
        except OSError as error:
            raise UserError(f"{path}: the journal cannot be opened: {error.strerror}") from None
        try:
            if not stat.S_ISREG(os.fstat(self._file).st_mode):
                raise UserError(f"{path}: a journal is a file, and this is none; give another one")
            with self._locked():
                self._read()
        except BaseException as error:
            os.close(self._file)
            if isinstance(error, OSError):
                raise UserError(f"{path}: the journal cannot be read: {error.strerror}") from None
            raise

    def write(self, what: str, result: str) -> None:
        """Write down that something is done.

        :param what: what is done.
        :param result: its result.
        :raises UserError: when the file cannot be written; what it says already holds, and no part of this is in it.
        """
        line = json.dumps({"what": what, "result": result}).encode() + b"\n"
        with self._locked():
            at = os.fstat(self._file).st_size
            self._append(line, at)
        self._places.put(what, at, self._is_at)

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)

    def __getitem__(self, what: str) -> str:
        at = self._places.find(what, self._is_at)
        if at is None:
            raise KeyError(what)
        return self._entry_at(at)[1]

    def __iter__(self) -> Iterator[str]:
        for at, line in self._lines():
            what, _ = self._entry(line, at)
            if self._places.find(what, self._is_at) == at:
                yield what

    def __len__(self) -> int:
        return len(self._places)

    def _read(self) -> None:
        size = os.fstat(self._file).st_size
        if size == 0:
            self._append(HEAD, 0)
            return
        if os.pread(self._file, len(HEAD), 0) != HEAD:
            raise UserError(f"{self._path}:1: this is not a journal; give another file")
        end = len(HEAD)
        for at, line in self._lines():
            what, _ = self._entry(line, at)
            self._places.put(what, at, self._is_at)
            end = at + len(line)
        if end < size:
            # A writer was killed within this line: what it was about is done again.
            os.ftruncate(self._file, end)

    def _append(self, line: bytes, at: int) -> None:
        """Add a line, or nothing of it.

        :param at: where the file ends.
        :raises UserError: when it cannot be written.
        """
        why = "no room is left"
        try:
            if os.write(self._file, line) == len(line):
                return
        except OSError as error:
            why = str(error.strerror)
        try:
            os.ftruncate(self._file, at)
        except OSError as error:
            why = f"{why}, and its last line is cut off: {error.strerror}"
        raise UserError(f"{self._path}: the journal cannot be written: {why}")

    def _lines(self) -> Iterator[tuple[int, bytes]]:
        """The whole lines after the head, and where each begins."""
        with self._path.open("rb") as file:
            file.seek(len(HEAD))
            at = len(HEAD)
            while (line := file.readline(_LONGEST_LINE)).endswith(b"\n"):
                yield at, line
                at += len(line)
            if len(line) == _LONGEST_LINE:
                raise self._strange(at)

    def _entry(self, line: bytes, at: int) -> tuple[str, str]:
        try:
            entry = json.loads(line)
            what, result = entry["what"], entry["result"]
        except (ValueError, LookupError, TypeError, RecursionError):
            raise self._strange(at) from None
        if not isinstance(what, str) or not isinstance(result, str):
            raise self._strange(at)
        return what, result

    def _entry_at(self, at: int) -> tuple[str, str]:
        line = os.pread(self._file, _PIECE, at)
        if b"\n" not in line:
            line = os.pread(self._file, _LONGEST_LINE, at)
        return self._entry(line.partition(b"\n")[0], at)

    def _is_at(self, what: str, at: int) -> bool:
        return self._entry_at(at)[0] == what

    def _strange(self, at: int) -> UserError:
        number, line, left = 1, b"", at
        with self._path.open("rb") as file:
            while left > 0 and (piece := file.read(min(left, 1 << 20))):
                number += piece.count(b"\n")
                left -= len(piece)
            line = file.read(100)
        shown = printable(line.partition(b"\n")[0].decode("utf-8", "replace"), longest=60)
        return UserError(f"{self._path}:{number}: {shown!r} is not a line of a journal; give another file")

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """No other process writes meanwhile: what follows the end that was looked at is this process's own."""
        if sys.platform == "win32":
            yield
            return
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX)
        except OSError as error:
            raise UserError(f"{self._path}: the journal cannot be locked: {error.strerror}") from None
        try:
            yield
        finally:
            fcntl.flock(self._file, fcntl.LOCK_UN)


class _Places:
    """Positions in a file by name: a hash table of 16 bytes for each place, at most half full."""

    def __init__(self) -> None:
        self._hashes = array("Q", bytes(8 * 1024))
        self._ats = array("Q", bytes(8 * 1024))
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def put(self, what: str, at: int, is_at: _IsAt) -> None:
        """Remember where something stands, from now on.

        :param is_at: whether a name stands at a place, for names of the same hash.
        """
        slot = self._slot(what, is_at)
        if not self._ats[slot]:
            self._count += 1
        self._hashes[slot], self._ats[slot] = hash(what) & _MASK, at
        if 2 * self._count > len(self._ats):
            self._grow()

    def find(self, what: str, is_at: _IsAt) -> int | None:
        """Return the position of a name, or ``None``."""
        return self._ats[self._slot(what, is_at)] or None

    def _slot(self, what: str, is_at: _IsAt) -> int:
        known = hash(what) & _MASK
        slot, last = known % len(self._ats), len(self._ats) - 1
        while self._ats[slot] and not (self._hashes[slot] == known and is_at(what, self._ats[slot])):
            slot = slot + 1 if slot < last else 0
        return slot

    def _grow(self) -> None:
        hashes, ats = self._hashes, self._ats
        size = 2 * len(ats)
        self._hashes, self._ats = array("Q", bytes(8 * size)), array("Q", bytes(8 * size))
        for known, at in zip(hashes, ats, strict=True):
            if at:
                slot = known % size
                while self._ats[slot]:
                    slot = (slot + 1) % size
                self._hashes[slot], self._ats[slot] = known, at
