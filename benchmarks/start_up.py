"""How long the command line takes to start, beside a Python that does nothing.

``python -m benchmarks.start_up`` prints the table.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path

from tests.corpus import HOST

COMMANDS = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "ecr-pull-through image X": [
        Path(sys.executable).with_name("ecr-pull-through"), "image", "registry.k8s.io/pause:3.10",
        "--registry", HOST, "--cache", "k8s=registry.k8s.io",
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


def main() -> None:
    for name, times in measure().items():
        print(f"{name:28} {statistics.median(times):.3f} s   {min(times):.3f} to {max(times):.3f}")


if __name__ == "__main__":
    main()
