"""Synthesis of a configuration, beside the same templates as hand-written L1s in Python and in JavaScript, by turns.

All three run as the CDK CLI runs an app: a process with the context of ``cdk.json``, that ends with the cloud assembly
written, and all three are seen to end in the same templates. The L1s have their properties as literals, and nothing that
a template does not need. What constructs cost more than that is, once a process, to import pydantic and to read the
configuration, and for each environment the calls that make roles, policies and dependencies from what is meant by them:
from Python, each call of aws-cdk-lib is a round trip to its Node process, which `tests/test_round_trips.py` counts.

``python -m benchmarks.synth`` prints the table.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from benchmarks.baseline import javascript_program, python_program, stacks_of
from benchmarks.report import Row, left_out, table

ROOT = Path(__file__).parents[1]
AWS_CDK_LIB = ROOT / "tools" / "bench" / "node_modules"
COUNTS = {1: 9, 20: 5, 100: 3}
"""Numbers of environments, and how often each is measured."""
BAR = "≤ 1.15 x"
HOLDS = (
    "an environment is an account and Region with a registry of four upstreams and one with a cluster of two node roles"
)

PYTHON_MAIN = """\
import aws_cdk as cdk
from program import build
app = cdk.App(builtin_cloud_formation_validation=False)
build(app)
app.synth()
"""
JAVASCRIPT_MAIN = """\
const { App } = require('aws-cdk-lib');
const { build } = require('./program.js');
const app = new App({ builtinCloudFormationValidation: false });
build(app);
app.synth();
"""

REGIONS = ("eu-west-1", "eu-central-1", "us-east-1", "us-west-2", "ap-southeast-2")
REGISTRY = """\
  registry-{n:03}:
    account: "{account}"
    region: {region}
    upstreams:
      k8s: registry.k8s.io
      ecr-public: public.ecr.aws
      quay: quay.io
      docker-hub: {{ upstream: docker.io, credentials: docker-hub }}
    template:
      lifecyclePolicy: {{ expireAfterDays: 90 }}
      resourceTags: {{ origin: pull-through-cache }}
"""
CLUSTER = """\
  cluster-{n:03}:
    account: "{account}"
    region: {region}
    registry: registry-{n:03}
    nodes:
      - {{ role: nodes, kind: managed-node-group }}
      - {{ role: karpenter, kind: karpenter }}
    rewrite: {{ form: mutating-policy }}
"""


def configuration(count: int) -> str:
    """A configuration of so many environments: a registry each, and a cluster of another account that pulls from it."""
    numbers = range(count)
    registries = (REGISTRY.format(n=n, account=10**11 + n, region=REGIONS[n % len(REGIONS)]) for n in numbers)
    clusters = (CLUSTER.format(n=n, account=2 * 10**11 + n, region=REGIONS[n % len(REGIONS)]) for n in numbers)
    return "".join(["registries:\n", *registries, "clusters:\n", *clusters])


@dataclass(frozen=True, kw_only=True)
class Taken:
    """What one side took.

    :param wall: seconds on the clock, a round each.
    :param processor: seconds of processor time, those of the Node process included.
    """

    wall: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)

    def run(self, command: list[str], cwd: Path, out: Path, context: dict[str, object]) -> None:
        """Run an app and add what it took."""
        environment = {**os.environ, "CDK_OUTDIR": str(out), "CDK_CONTEXT_JSON": json.dumps(context)}
        shutil.rmtree(out, ignore_errors=True)
        begin = time.perf_counter()
        with subprocess.Popen(
            command, cwd=cwd, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        ) as app:
            assert app.stderr is not None
            errors = app.stderr.read()
            _, status, usage = os.wait4(app.pid, 0)
            app.returncode = os.waitstatus_to_exitcode(status)
        self.wall.append(time.perf_counter() - begin)
        self.processor.append(usage.ru_utime + usage.ru_stime)
        if app.returncode:
            raise RuntimeError(f"{command} failed: {errors.decode()}")


@dataclass(frozen=True, kw_only=True)
class Measured:
    """All sides of one configuration. ``javascript`` is empty where aws-cdk-lib for it is not installed."""

    ours: Taken = field(default_factory=Taken)
    python: Taken = field(default_factory=Taken)
    javascript: Taken = field(default_factory=Taken)


def measure(path: Path, rounds: int) -> Measured:
    """Measure a configuration file, having seen first that all sides end in the same templates."""
    context = {**json.loads((ROOT / "cdk.json").read_text())["context"], "config": str(path.resolve())}
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)

        def ours(taken: Taken) -> Path:
            taken.run([sys.executable, "app.py"], ROOT, scratch / "ours", context)
            return scratch / "ours"

        def python(taken: Taken) -> Path:
            taken.run([sys.executable, "main.py"], scratch, scratch / "python", context)
            return scratch / "python"

        def javascript(taken: Taken) -> Path:
            taken.run(["node", "main.js"], scratch, scratch / "javascript", context)
            return scratch / "javascript"

        stacks = stacks_of(ours(Taken()))
        (scratch / "main.py").write_text(PYTHON_MAIN)
        (scratch / "program.py").write_text(python_program(stacks))
        others = [python]
        if (AWS_CDK_LIB / ".package-lock.json").exists():
            (scratch / "main.js").write_text(JAVASCRIPT_MAIN)
            (scratch / "program.js").write_text(javascript_program(stacks))
            (scratch / "node_modules").symlink_to(AWS_CDK_LIB)
            others.append(javascript)
        for other in others:
            for mine, theirs in zip(stacks, stacks_of(other(Taken())), strict=True):
                assert mine.comparable == theirs.comparable, (
                    f"{mine.id}: {other.__name__} must end in the same template"
                )
        measured = Measured()
        for _ in range(rounds):
            ours(measured.ours)
            python(measured.python)
            if javascript in others:
                javascript(measured.javascript)
        return measured


def generated(count: int, rounds: int) -> Measured:
    """Measure a generated configuration of so many environments."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "environments.yaml"
        path.write_text(configuration(count))
        return measure(path, rounds)


def file(name: str, rounds: int) -> Measured:
    """Measure an environment file without what runs in Lambda: nobody writes that as L1s by hand."""
    document = yaml.safe_load((ROOT / "environments" / name).read_text())
    for registry in document["registries"].values():
        for key in ("warm", "backfill", "dashboard", "emptyOnDelete"):
            registry.pop(key, None)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_text(yaml.safe_dump(document, sort_keys=False))
        return measure(path, rounds)


def against_python(what: str, measured: Measured, note: str = "") -> Row:
    processor = Row(what=what, ours=measured.ours.processor, against="", theirs=measured.python.processor)
    notes = [f"of processor time {processor.ratio:.2f} x", *([note] if note else [])]
    return Row(
        what=what,
        ours=measured.ours.wall,
        against="hand-written L1s in Python",
        theirs=measured.python.wall,
        bar=BAR,
        note="; ".join(notes),
    )


def against_javascript(what: str, measured: Measured) -> Row:
    against = "hand-written L1s in JavaScript"
    if not measured.javascript.wall:
        return left_out(what, "aws-cdk-lib for JavaScript is not installed; `make bench` does that", against=against)
    note = "no jsii in between" if what.endswith(" 1 environment") else ""
    return Row(what=what, ours=measured.ours.wall, against=against, theirs=measured.javascript.wall, note=note)


def each_further(side: dict[int, list[float]], few: int, many: int) -> list[float]:
    """What each environment more takes, in milliseconds; a round each, as long as both have one."""
    return [1000 * (b - a) / (many - few) for a, b in zip(side[few], side[many], strict=False)]


def rows(counts: dict[int, int] = COUNTS, files: int = 5) -> list[Row]:
    found = [against_python(f"synth {name}", file(name, files)) for name in ("minimal.yaml", "example.yaml")]
    measured = {count: generated(count, rounds) for count, rounds in counts.items()}
    for count, result in measured.items():
        what = f"synth {count} environment{'s' if count > 1 else ''}"
        found += [
            against_python(what, result, HOLDS if count == min(counts) else ""),
            against_javascript(what, result),
        ]
    small, middle, large = sorted(counts)
    processor = {count: result.ours.processor for count, result in measured.items()}
    found.append(
        Row(
            what=f"processor time of each environment from {middle + 1} to {large}",
            ours=each_further(processor, middle, large),
            against=f"each from {small + 1} to {middle}",
            theirs=each_further(processor, small, middle),
            unit="ms",
            bar=BAR,
            note="what an environment costs stays the same, however many there are",
        )
    )
    return found


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, help="rounds for each number of environments")
    options.add_argument("--only", type=Path, help="one configuration file")
    chosen = options.parse_args()
    if chosen.only:
        measured = measure(chosen.only, chosen.rounds or 5)
        print(table([against_python(f"synth {chosen.only.name}", measured)]))
    else:
        print(table(rows({count: chosen.rounds or rounds for count, rounds in COUNTS.items()}, chosen.rounds or 5)))


if __name__ == "__main__":
    main()
