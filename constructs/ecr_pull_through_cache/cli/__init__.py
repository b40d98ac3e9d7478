"""The command line ``ecr-pull-through``: a thin layer over the package's modules.

Each module of this folder is one command and has a ``register`` that adds it. Slow imports stand in the function that needs
them, so that every other command starts at once. Here stands how every command ends: whatever goes wrong is one sentence on
standard error and a documented exit code.
"""

from __future__ import annotations

import errno
import os
import signal
import sys
import threading
import time
from typing import Any

MISTAKE, INTERRUPTED, CLOSED_PIPE = 2, 130, 141
"""Exit codes of every command: nothing could be done, Ctrl-C, and an output that nobody reads any more."""
TRACEBACK = "ECR_PULL_THROUGH_TRACEBACK"
"""Environment variable by which an error of this program itself shows where it comes from."""
_GRACE = 0.9
"""Seconds that calls which are under way have when the command ends."""


def __getattr__(name: str) -> Any:
    if name == "app":
        from ._app import app

        return app
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def main() -> None:
    """Run the console script. It ends within two seconds of Ctrl-C, and never with a traceback."""
    try:
        code = _run()
        code = _flushed(code)
    except KeyboardInterrupt:
        code = INTERRUPTED
    _leave(code)


def _run() -> int:
    """Run the command.

    :returns: its exit code.
    """
    _encode_what_was_decoded()
    try:
        from ._app import app

        code = app(standalone_mode=False)
        return code if isinstance(code, int) else 0
    except SystemExit as end:
        # Typer and rich answer a closed pipe with 1.
        closed = isinstance(end.__context__, OSError) and end.__context__.errno == errno.EPIPE
        return CLOSED_PIPE if closed else end.code if isinstance(end.code, int) else MISTAKE
    except Exception as error:
        return _said(error)


def _said(error: Exception) -> int:
    """Print an error as one sentence.

    :returns: the exit code.
    """
    from ..errors import UserError
    from ..operations.text import lines

    if isinstance(error, OSError) and error.errno == errno.EPIPE:
        return CLOSED_PIPE
    if type(error).__name__ == "Abort":
        if isinstance(error.__context__, KeyboardInterrupt):
            return INTERRUPTED
        _complain("aborted")
        return 1
    _complain(f"error: {lines(str(error) if isinstance(error, UserError) else _sentence(error))}")
    return MISTAKE


def _sentence(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "something given is nested too deeply, or contains itself"
    if isinstance(error, MemoryError):
        return "there is not enough memory for what was given"
    if isinstance(error, UnicodeEncodeError):
        unwritable = error.object[error.start : error.start + 1].encode("unicode_escape").decode()
        return f"the output is in {error.encoding}, which has no {unwritable!r}; set LC_ALL=C.UTF-8 or PYTHONIOENCODING=utf-8"
    if isinstance(error, OSError):
        named = "the output cannot be written" if error.filename is None else str(error.filename)
        return f"{named}: {error.strerror or error}"
    from ._usage import UsageError, sentence

    if isinstance(error, UsageError):
        return sentence(error)
    if os.environ.get(TRACEBACK):
        raise error
    where = _place(error)
    return (
        f"this is a fault of ecr-pull-through: {type(error).__name__}: {str(error)[:200]}{where}; please report it, with "
        f"what {TRACEBACK}=1 shows"
    )


def _place(error: BaseException) -> str:
    """The file and line of this package where an error comes from."""
    found, at = "", error.__traceback__
    while at is not None:
        path = at.tb_frame.f_code.co_filename
        if "ecr_pull_through_cache" in path:
            found = f" at {path.rpartition('ecr_pull_through_cache')[2].lstrip('/')}:{at.tb_lineno}"
        at = at.tb_next
    return found


def _complain(line: str) -> None:
    try:
        print(line, file=sys.stderr, flush=True)
    except (OSError, ValueError):
        return  # nobody reads it; the exit code says it


def _encode_what_was_decoded() -> None:
    """Names of files and lines that are not text in the locale's encoding are written as the bytes that they were."""
    for stream in (sys.stdin, sys.stdout):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="surrogateescape")


def _flushed(code: int) -> int:
    """The exit code, once everything has reached the output."""
    try:
        sys.stdout.flush()
    except (OSError, ValueError) as error:
        if not sys.stdout.closed:
            # Python would try to write the rest again when it ends.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, ValueError):
            return code
        if error.errno == errno.EPIPE:
            return code or CLOSED_PIPE
        if code != MISTAKE:
            _complain(f"error: {_sentence(error)}")
        return MISTAKE
    return code


def _leave(code: int) -> None:
    """End the process. Threads that wait for an answer are left to themselves: nothing can end them."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    until = time.monotonic() + _GRACE
    others = [t for t in threading.enumerate() if t is not threading.current_thread() and not t.daemon]
    for thread in others:
        thread.join(max(0.0, until - time.monotonic()))
    if any(thread.is_alive() for thread in others):
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)
