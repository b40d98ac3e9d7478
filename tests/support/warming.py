"""`warm` as people run it: a process of its own, against a registry and ECR's API on the loopback."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.corpus import HOST
from tests.emulators.ecr_api import EcrApi, environment
from tests.real.registries import Cache

RULES = ["--host", HOST, "--upstream", "k8s=registry.k8s.io"]
IMAGES = [(f"team/app-{n % 5}", f"v{n}") for n in range(20)]
NAMES = [f"registry.k8s.io/{repository}:{tag}" for repository, tag in IMAGES]


@dataclass
class Stage:
    """What the process talks to."""

    cache: Cache
    api: EcrApi
    digests: dict[tuple[str, str], str]

    def command(self, *arguments: str | Path) -> list[str]:
        at = ["--registry-url", f"http://{self.cache.host}"]
        return [str(Path(sys.executable).with_name("ecr-pull-through")), "warm", *RULES, *at, *map(str, arguments)]

    def run(self, *arguments: str | Path, stdin: str = "", expect: int = 0) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            self.command(*arguments), input=stdin, capture_output=True, text=True, env=self.environment, check=False
        )
        assert done.returncode == expect, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done

    @property
    def environment(self) -> dict[str, str]:
        return environment(self.api, dict(os.environ))
