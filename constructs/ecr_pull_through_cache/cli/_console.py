"""Standard output, standard error, progress, and work in several registries at once."""

from __future__ import annotations

import json
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

from ..errors import UserError
from ..operations.text import lines

_REGISTRIES_AT_ONCE = 8
_stopped = threading.Event()
_lock = threading.Lock()
_Key = TypeVar("_Key")


def say(line: str) -> None:
    """Print a line to standard output; lines of several threads are not mixed, and control characters are written out."""
    with _lock:
        print(lines(line), flush=True)


def say_json(entry: Mapping[str, Any]) -> None:
    """Print an object as one line of JSON to standard output."""
    say(json.dumps(entry, default=str))


def complain(line: str) -> None:
    """Print a line to standard error; lines of several threads are not mixed, and control characters are written out."""
    with _lock:
        print(lines(line), file=sys.stderr, flush=True)


class Tally(Counter[_Key]):
    """Counts from several threads."""

    def count(self, key: _Key) -> None:
        """Add one to the count of a key."""
        with _lock:
            self[key] += 1


def everywhere(names: Iterable[str], work: Callable[[str], None]) -> list[str]:
    """Do the same work in several places at once. A place that fails does not stop the others.

    :param names: names of the places.
    :param work: called with each name, in several threads.
    :returns: the names of the places that failed; the reasons are on standard error.
    """
    from ..operations.parallel import in_order

    def attempt(name: str) -> str | None:
        try:
            work(name)
        except UserError as error:
            complain(f"{name}: {error}")
            return name
        return None

    try:
        return [name for name in in_order(attempt, names, threads=_REGISTRIES_AT_ONCE) if name is not None]
    except KeyboardInterrupt:
        _stopped.set()
        complain("stopped: running calls are finished, no further ones are started; run the command again to continue")
        raise


@contextmanager
def progress(what: str) -> Iterator[Callable[[str, int, int], None]]:
    """Show a progress bar for each place, on a terminal only.

    :param what: what is counted, in a word.
    :returns: a function to call with the place, the number done and the total. After Ctrl-C it raises, so that the calling
        thread stops.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty(), transient=True) as bar:
        tasks: dict[str, Any] = {}

        def seen(place: str, done: int, total: int) -> None:
            if _stopped.is_set():
                raise UserError("stopped")
            with _lock:
                if place not in tasks:
                    tasks[place] = bar.add_task(f"{place}: {what}")
                bar.update(tasks[place], completed=done, total=total)

        yield seen
