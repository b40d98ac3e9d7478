"""Whether work grows with its input: processor time of an input and of one twice as long."""

from __future__ import annotations

import time
from collections.abc import Callable

LONG_ENOUGH = 0.5
"""Seconds of processor time from which on a ratio means something."""
LINEAR = 3.0
"""The ratio that a doubling may have; 2 is linear, 4 quadratic, and the rest is noise."""


def smallest(work: Callable[[], object], times: int = 5) -> float:
    """Seconds of processor time, the smallest of several runs."""
    taken = []
    for _ in range(times):
        begin = time.process_time()
        work()
        taken.append(time.process_time() - begin)
    return min(taken)


def growth(work: Callable[[int], Callable[[], object]], size: int, *, largest: int = 1_000_000) -> float:
    """The ratio of the times for an input and for one twice as long.

    :param work: prepares the work for a size; the preparation is not measured.
    :param size: the size to begin with; it is doubled until the work takes long enough to be measured.
    :param largest: the size that is large enough in any case.
    """
    once = smallest(work(size), 1)
    while once < LONG_ENOUGH / 2 and size < largest:
        size *= 2
        once = smallest(work(size), 1)
    ratio = float("inf")
    for _ in range(3):
        # A busy machine slows one side of a pair down; quadratic work is quadratic in every pair.
        ratio = min(ratio, smallest(work(2 * size)) / smallest(work(size)))
        if ratio < LINEAR:
            break
    return ratio
