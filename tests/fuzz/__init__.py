"""Fuzzing, seeded: what nobody would write, by the thousand, and nothing of it may be a traceback or a wrong answer.

``python -m tests.fuzz`` runs all of it; ``make fuzz`` is the same.
"""

from __future__ import annotations

import random
import time
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

MOST_KEPT = 20
"""How many findings of a kind are kept with their input."""


@dataclass
class Tally:
    """What came of one target.

    :param name: the target.
    :param tried: how many inputs.
    :param outcomes: how often each outcome that is allowed.
    :param findings: what must not be: the kind, the reason and the input.
    """

    name: str
    tried: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    findings: list[tuple[str, str, str]] = field(default_factory=list)
    found: Counter[str] = field(default_factory=Counter)

    def wrong(self, kind: str, reason: str, given: object) -> None:
        """Note what must not be."""
        self.found[kind] += 1
        if self.found[kind] <= MOST_KEPT:
            self.findings.append((kind, reason, repr(given)[:2_000]))


Target = Callable[[random.Random, Tally], None]
"""Makes one input, tries it, and notes what came of it."""


def run(name: str, target: Target, *, count: int, seed: int, seconds: float = float("inf")) -> Tally:
    """Try so many inputs, or as many as there is time for. The same seed gives the same inputs.

    :param count: how many.
    :param seed: of the inputs.
    :param seconds: after which it ends.
    """
    tally = Tally(name)
    until = time.monotonic() + seconds
    for number in range(count):
        if time.monotonic() > until:
            break
        try:
            target(random.Random(f"{seed}-{name}-{number}"), tally)
        except Exception as error:
            where = traceback.extract_tb(error.__traceback__)[-1]
            tally.wrong(
                "traceback", f"{type(error).__name__}: {error} at {where.filename}:{where.lineno}", (seed, number)
            )
        tally.tried += 1
    return tally


def mutated(chance: random.Random, text: str, pieces: list[str]) -> str:
    """A text with some of it gone, doubled, moved or replaced by pieces."""
    for _ in range(chance.choice([1, 1, 2, 3, 6])):
        at = chance.randrange(len(text) + 1)
        end = min(len(text), at + chance.choice([0, 1, 1, 3, 10, 60]))
        kind = chance.randrange(5)
        if kind == 0:
            text = text[:at] + text[end:]
        elif kind == 1:
            text = text[:end] + text[at:end] + text[end:]
        elif kind == 2:
            to = chance.randrange(len(text) + 1)
            text = text[:to] + text[at:end] + text[to:]
        else:
            text = text[:at] + chance.choice(pieces) + text[end:]
    return text
