"""Synthesis of an environment file, beside the same templates as hand-written L1s in Python, in turns.

``python -m benchmarks.synth`` prints the table.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.baseline import python_program, strip, templates

ROOT = Path(__file__).parents[1]

L1 = """\
import sys
import aws_cdk as cdk
from program import build
app = cdk.App(outdir=sys.argv[1], builtin_cloud_formation_validation=False, analytics_reporting=False)
build(app)
app.synth()
"""
OURS = """\
import sys
import aws_cdk as cdk
from app import build
app = cdk.App(outdir=sys.argv[1], builtin_cloud_formation_validation=False, analytics_reporting=False)
build(app, sys.argv[2])
app.synth()
"""


def timed(code: str, cwd: Path, *arguments: object) -> float:
    begin = time.perf_counter()
    subprocess.run([sys.executable, "-c", code, *map(str, arguments)], cwd=cwd, check=True, capture_output=True)
    return time.perf_counter() - begin


def measure(configuration: Path, rounds: int) -> tuple[list[float], list[float], int]:
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        timed(OURS, ROOT, scratch / "ours", configuration)
        stacks = templates(scratch / "ours")
        (scratch / "program.py").write_text(python_program(stacks))
        timed(L1, scratch, scratch / "l1")
        same = templates(scratch / "l1")
        for (ours, template), other in zip(stacks.items(), same.values(), strict=True):
            assert strip(template)["Resources"] == strip(other)["Resources"], f"{ours}: the templates must be the same"
        ours_taken, l1_taken = [], []
        for _ in range(rounds):
            ours_taken.append(timed(OURS, ROOT, scratch / "ours", configuration))
            l1_taken.append(timed(L1, scratch, scratch / "l1"))
        return ours_taken, l1_taken, len(stacks)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=5)
    rounds = options.parse_args().rounds
    for path in sorted((ROOT / "environments").glob("*.yaml")):
        ours, l1, count = measure(path, rounds)
        mine, theirs = statistics.median(ours), statistics.median(l1)
        print(
            f"{path.name:14} {count:2} stacks   {mine:.2f} s   hand-written L1s {theirs:.2f} s   {mine / theirs:.2f} x"
        )


if __name__ == "__main__":
    main()
