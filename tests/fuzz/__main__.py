"""``python -m tests.fuzz [--seed N] [--minutes M] [--share S]``: exit code 1 if anything was found that must not be."""

from __future__ import annotations

import argparse
import sys
import time

from tests.fuzz import Tally, run
from tests.fuzz.configurations import configuration
from tests.fuzz.manifests import manifest
from tests.fuzz.references import reference
from tests.fuzz.registries import hostile

TARGETS = {
    "references": (reference, 200_000),
    "manifests": (manifest, 60_000),
    "configurations": (configuration, 3_000),
}
REGISTRIES = 1_000


def fuzz(*, seed: int, share: float = 1.0, minutes: float = 0) -> list[Tally]:
    """All targets.

    :param seed: of the inputs.
    :param share: of the inputs of a full run.
    :param minutes: after which a target has a third of it behind itself and ends; 0 for no limit.
    """
    seconds = minutes * 60 / len(TARGETS) if minutes else float("inf")
    found = []
    for name, (target, count) in TARGETS.items():
        found.append(_shown(run(name, target, count=max(1, round(count * share)), seed=seed, seconds=seconds)))
    found.append(_shown(hostile(seed, max(1, round(REGISTRIES * share)))))
    return found


def _shown(tally: Tally) -> Tally:
    print(
        f"{tally.name}: {tally.tried:,} tried, {tally.found['traceback']} tracebacks, {sum(tally.found.values())} wrong",
        flush=True,
    )
    for outcome, count in sorted(tally.outcomes.items(), key=lambda pair: (pair[0].startswith(" "), -pair[1])):
        print(f"  {count:>8,} {outcome}")
    for kind, reason, given in tally.findings:
        print(f"  WRONG {kind}: {reason}\n    {given}")
    return tally


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("--seed", type=int, default=20261125)
    parser.add_argument("--minutes", type=float, default=0, help="end after so many minutes; 0 for all inputs")
    parser.add_argument("--share", type=float, default=1.0, help="share of the inputs of a full run")
    options = parser.parse_args()
    begin = time.monotonic()
    found = fuzz(seed=options.seed, share=options.share, minutes=options.minutes)
    print(f"seed {options.seed}, {time.monotonic() - begin:.0f} seconds")
    return 1 if any(tally.found for tally in found) else 0


if __name__ == "__main__":
    sys.exit(main())
