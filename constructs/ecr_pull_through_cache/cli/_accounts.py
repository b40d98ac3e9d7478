"""What the commands share that work in every account and Region of a configuration."""

from __future__ import annotations

import json
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from ..errors import UserError

if TYPE_CHECKING:
    from ..configuration import Configuration, RegistryPlan

Config = Annotated[Path, typer.Option(help="Configuration file.")]
Registries = Annotated[
    list[str] | None,
    typer.Option("--registry", help="Registry of the configuration; else all of them.", show_default=False),
]
Profile = Annotated[str | None, typer.Option(help="Profile of the AWS configuration.", show_default=False)]
AssumeRole = Annotated[str | None, typer.Option(help="Name of the role to assume in each account.", show_default=False)]
Concurrency = Annotated[int, typer.Option(min=1, max=32, help="Calls at once in each registry.")]

_REGISTRIES_AT_ONCE = 8


def chosen(config: Path, names: list[str] | None, *, of: Configuration | None = None) -> Mapping[str, RegistryPlan]:
    """The registries that the options name; all of them where they name none.

    :param of: the configuration, where it is loaded already.
    :raises UserError: when there is none of that name.
    """
    from ..configuration import load

    plans = (of or load(config)).registries
    for name in sorted(names or ()):
        registry_named(config, plans, name)
    return {name: plan for name, plan in plans.items() if not names or name in names}


def registry_named(config: Path, plans: Mapping[str, RegistryPlan], name: str) -> RegistryPlan:
    """The registry of a name.

    :param config: the configuration's file.
    :param plans: its registries.
    :raises UserError: when there is none of that name.
    """
    if name not in plans:
        raise UserError(f"{config}: there is no registry {name!r}; there are {', '.join(plans)}")
    return plans[name]


def everywhere(names: Iterable[str], work: Callable[[str], None]) -> list[str]:
    """Do something in several places at once; one that cannot be reached does not hide the others.

    :param names: what the places are called.
    :param work: done with each name, in several threads.
    :returns: the names of those where it could not be done; why is on standard error.
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
        complain("stopped: what is under way ends, and nothing further is begun; run this again to go on")
        raise


_stopped = threading.Event()
_lock = threading.Lock()
_Key = TypeVar("_Key")


class Tally(Counter[_Key]):
    """What is counted in several places at once."""

    def count(self, key: _Key) -> None:
        """One more."""
        with _lock:
            self[key] += 1


def say(line: str) -> None:
    """Print a line that no other thread's line is mixed into."""
    with _lock:
        print(line, flush=True)


def say_json(entry: Mapping[str, Any]) -> None:
    """Print one line of JSON."""
    say(json.dumps(entry, default=str))


def complain(line: str) -> None:
    """Print a line to standard error."""
    with _lock:
        print(line, file=sys.stderr, flush=True)


@contextmanager
def progress(what: str) -> Iterator[Callable[[str, int, int], None]]:
    """A bar for each place, on a terminal only.

    :param what: what is being done, in a word.
    :returns: to be called with the place, how many are done, and of how many. Once somebody has pressed Ctrl-C it raises, so
        that whoever works in a thread stops.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
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
