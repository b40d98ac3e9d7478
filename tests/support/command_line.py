"""The command line as people and pipelines call it: a process of its own."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from tests.corpus import HOST
from tests.support import ROOT

RULES = ["--host", HOST, "--upstream", "k8s=registry.k8s.io", "--upstream", "hub=docker.io"]


def cli(*arguments, stdin="", cwd=ROOT, expect=0):
    done = subprocess.run(
        [Path(sys.executable).with_name("ecr-pull-through"), *map(str, arguments)],
        input=stdin, capture_output=True, text=True, cwd=cwd, check=False,
    )  # fmt: skip
    assert done.returncode == expect, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done


def example(command: str) -> str:
    text = " ".join(cli(command, "--help").stdout.split())
    match = re.search(r"Example: (.+?)(?= Arguments:| Options:|$)", text)
    assert match, f"{command} --help has no example"
    return match[1]
