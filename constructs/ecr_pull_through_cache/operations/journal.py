"""What a run has done, so that the next one goes on from there."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

from ..errors import UserError


class Journal(Mapping[str, str]):
    """A file with one line for each thing done. It survives that its writer is killed: a line is whole, or no line.

    :param path: the file; made if it is not there.
    :raises UserError: when it is something else than a journal.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._done: dict[str, str] = {}
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
            if not stat.S_ISREG(os.fstat(self._file).st_mode):
                raise UserError(f"{path}: a journal is a file, and this is none; give another one")
            self._read()
        except OSError as error:
            raise UserError(f"{path}: the journal cannot be opened: {error.strerror}") from None

    def _read(self) -> None:
        data = self._path.read_bytes()
        whole, _, rest = data.rpartition(b"\n")
        for number, line in enumerate(whole.split(b"\n") if whole else ()):
            try:
                entry = json.loads(line)
                self._done[entry["what"]] = entry["result"]
            except (ValueError, LookupError, TypeError):
                raise UserError(f"{self._path}:{number + 1}: this is not a journal; give another file") from None
        if rest:
            # Somebody was killed while writing it: what it was about is done again.
            os.ftruncate(self._file, len(data) - len(rest))

    def write(self, what: str, result: str) -> None:
        """Write down that something is done.

        :raises UserError: when the file cannot be written; what it says already holds.
        """
        try:
            os.write(self._file, json.dumps({"what": what, "result": result}).encode() + b"\n")
        except OSError as error:
            raise UserError(f"{self._path}: the journal cannot be written: {error.strerror}") from None
        self._done[what] = result

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)

    def __getitem__(self, what: str) -> str:
        return self._done[what]

    def __iter__(self) -> Iterator[str]:
        return iter(self._done)

    def __len__(self) -> int:
        return len(self._done)
