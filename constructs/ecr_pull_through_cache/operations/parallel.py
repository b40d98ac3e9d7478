"""Many calls at once, and never more than so many."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

THREADS = 8
"""How many calls at once, where nobody says otherwise. ECR publishes a rate for few calls; a client that is throttled slows
down by itself."""

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def in_order(
    function: Callable[[_Item], _Result], items: Iterable[_Item], *, threads: int = THREADS
) -> Iterator[_Result]:
    """Results in the order of their items; memory holds those that are being worked on, not all of them.

    :param function: called in several threads; what it raises is raised here when what is under way has ended, and nothing
        further is begun.
    :param items: taken as they are needed.
    :param threads: how many at once.
    """
    pool = ThreadPoolExecutor(max_workers=threads)
    pending: deque[Future[_Result]] = deque()
    wait = True
    try:
        for item in items:
            pending.append(pool.submit(function, item))
            if len(pending) >= 2 * threads:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    except KeyboardInterrupt:
        wait = False  # whoever catches it tells the threads to stop
        raise
    finally:
        pool.shutdown(wait=wait, cancel_futures=True)
