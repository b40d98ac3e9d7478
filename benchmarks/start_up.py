"""How long the command line takes to start, beside a Python that does nothing.

``python -m benchmarks.start_up`` prints the table.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from benchmarks.report import Row, table
from tests.corpus import HOST

BARE = "python -c pass"
OURS = "ecr-pull-through image X"
COMMANDS: dict[str, list[str | Path]] = {
    BARE: [sys.executable, "-c", "pass"],
    OURS: [
        Path(sys.executable).with_name("ecr-pull-through"), "image", "registry.k8s.io/pause:3.10",
        "--host", HOST, "--upstream", "k8s=registry.k8s.io",
    ],
}  # fmt: skip


def measure(rounds: int = 15) -> dict[str, list[float]]:
    taken: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(rounds):
        for name, command in COMMANDS.items():
            begin = time.perf_counter()
            subprocess.run(command, check=True, capture_output=True)
            taken[name].append(time.perf_counter() - begin)
    return taken


def rows(rounds: int = 15) -> list[Row]:
    taken = measure(rounds)
    return [Row(what=f"`{OURS}`", ours=taken[OURS], against=f"`{BARE}`", theirs=taken[BARE], bar="≤ 0.4 s")]


def main() -> None:
    print(table(rows()))


if __name__ == "__main__":
    main()
