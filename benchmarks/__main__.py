"""Every benchmark in one run, and docs/benchmarks.md written from it.

``make bench`` has installed what they need. ``python -m benchmarks synth start_up`` prints some of them and writes nothing.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.metadata
import os
import platform
import subprocess
import sys
import traceback
from pathlib import Path

from benchmarks.report import Row, left_out, page, table

PAGE = Path(__file__).parents[1] / "docs" / "benchmarks.md"
SECTIONS = {
    "start_up": "Start of the command line",
    "synth": "Synthesis",
    "rewrite": "Rewriting manifests",
    "warm": "Warming a cache",
    "admission": "Rewriting at admission",
}
"""Headings by the module that has the rows."""


def versions() -> dict[str, str]:
    """Versions of what takes part."""
    packages = ("cdk-ecr-pull-through-cache", "aws-cdk-lib", "jsii", "pydantic", "PyYAML", "ruamel.yaml")
    return {
        "Python": platform.python_version(),
        **{name: importlib.metadata.version(name) for name in packages},
        "Node.js": _said("node", "--version").removeprefix("v"),
        "sed": _said("sed", "--version").splitlines()[0].removeprefix("sed ").strip(),
        "skopeo": _said("skopeo", "--version").removeprefix("skopeo version "),
    }


def _said(*command: str) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "not there"


def about(name: str) -> str:
    """What a benchmark compares: all but the last paragraph of its docstring, which says how to run it alone."""
    return (importlib.import_module(f"benchmarks.{name}").__doc__ or "").strip().rpartition("\n\n")[0]


def run(name: str) -> tuple[list[Row], bool]:
    """The rows of a benchmark, and whether it came to an end. One that fails leaves the others their numbers."""
    print(f"{SECTIONS[name]} …", file=sys.stderr, flush=True)
    try:
        return importlib.import_module(f"benchmarks.{name}").rows(), True
    except Exception as error:
        traceback.print_exc()
        return [left_out(SECTIONS[name], f"it failed with {type(error).__name__}")], False


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("only", nargs="*", metavar="BENCHMARK", help=f"some of {', '.join(SECTIONS)}")
    chosen = options.parse_args().only
    unknown = sorted(set(chosen) - set(SECTIONS))
    if unknown:
        options.error(f"there is no benchmark {unknown[0]!r}; there are {', '.join(SECTIONS)}")
    before = os.getloadavg()[0]
    found = {name: run(name) for name in SECTIONS if not chosen or name in chosen}
    for rows, _ in found.values():
        print(table(rows))
    if not chosen:
        sections = {SECTIONS[name]: (about(name), rows) for name, (rows, _) in found.items()}
        PAGE.write_text(page(sections, versions(), before), encoding="utf-8")
    return 0 if all(ended for _, ended in found.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
