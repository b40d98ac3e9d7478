"""Rewriting 10,000 manifests: this package, sed, and a round trip through ruamel.yaml, in one run.

``python -m benchmarks.rewrite`` prints the table.
"""

from __future__ import annotations

import argparse
import io
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.report import Row, table
from tests.corpus import HOST

MANIFEST = """\
# The {n}th of many.
apiVersion: apps/v1
kind: Deployment
metadata:
  name: app-{n}
  labels: &labels
    app.kubernetes.io/name: app-{n}
    app.kubernetes.io/part-of: benchmark
spec:
  replicas: 3
  selector:
    matchLabels:
      app.kubernetes.io/name: app-{n}
  template:
    metadata:
      labels:
        app.kubernetes.io/name: app-{n}
    spec:
      serviceAccountName: app
      initContainers:
        - name: wait
          image: registry.k8s.io/git-sync/git-sync:v4.{n}
      containers:
        - name: app
          image: "quay.io/example/app-{n}:1.2.3" # the app
          ports:
            - containerPort: 8080
          env:
            - name: LOG_LEVEL
              value: info
          resources:
            requests: {{cpu: 100m, memory: 128Mi}}
          readinessProbe:
            httpGet: {{path: /ready, port: 8080}}
        - name: proxy
          image: mcr.microsoft.com/oss/proxy:1
"""


def make(folder: Path, count: int) -> None:
    for n in range(count):
        (folder / f"{n:05}.yaml").write_text(MANIFEST.format(n=n))


def with_this(folder: Path) -> None:
    command: list[str | Path] = [
        Path(sys.executable).with_name("ecr-pull-through"),
        "rewrite",
        folder,
        "--in-place",
        "--host",
        HOST,
    ]
    subprocess.run(
        [*command, "--upstream", "k8s=registry.k8s.io", "--upstream", "quay=quay.io"], check=True, capture_output=True
    )


def with_sed(folder: Path) -> None:
    files = sorted(folder.glob("*.yaml"))
    command = ["sed", "-i", "-e", rf"s#image: \([\"']\?\)registry.k8s.io/#image: \1{HOST}/k8s/#"]
    command += ["-e", rf"s#image: \([\"']\?\)quay.io/#image: \1{HOST}/quay/#"]
    subprocess.run([*command, *files], check=True)


def with_ruamel(folder: Path) -> None:
    from ruamel.yaml import YAML

    round_trip = YAML()
    round_trip.preserve_quotes = True
    for path in sorted(folder.glob("*.yaml")):
        document = round_trip.load(path)
        spec = document["spec"]["template"]["spec"]
        for container in [*spec["initContainers"], *spec["containers"]]:
            for source, target in (("registry.k8s.io/", "k8s/"), ("quay.io/", "quay/")):
                if container["image"].startswith(source):
                    container["image"] = f"{HOST}/{target}{container['image'].removeprefix(source)}"
        text = io.StringIO()
        round_trip.dump(document, text)
        path.write_text(text.getvalue())


def timed(way: Callable[[Path], None], source: Path, scratch: Path) -> float:
    folder = scratch / "work"
    shutil.copytree(source, folder)
    begin = time.perf_counter()
    way(folder)
    taken = time.perf_counter() - begin
    if way is not with_ruamel:
        keep = scratch / way.__name__
        shutil.rmtree(keep, ignore_errors=True)
        folder.rename(keep)
    else:
        shutil.rmtree(folder)
    return taken


def measure(count: int, rounds: int) -> dict[str, list[float]]:
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        source = scratch / "source"
        source.mkdir()
        make(source, count)
        few = scratch / "few"
        few.mkdir()
        make(few, max(1, count // 20))
        taken: dict[str, list[float]] = {"this": [], "sed": [], "ruamel.yaml": []}
        for _ in range(rounds):
            taken["this"].append(timed(with_this, source, scratch))
            taken["sed"].append(timed(with_sed, source, scratch))
            same = subprocess.run(["diff", "-rq", scratch / "with_this", scratch / "with_sed"], check=False).returncode
            assert same == 0, "both ways must end in the same bytes"
            # A round trip takes a minute: a twentieth of the files, and the time of all of them.
            taken["ruamel.yaml"].append(20 * timed(with_ruamel, few, scratch))
    return taken


def rows(count: int = 10_000, rounds: int = 3) -> list[Row]:
    taken = measure(count, rounds)
    what = f"{count:,} manifests in place"
    same = "both end in the same bytes"
    return [
        Row(what=what, ours=taken["this"], against="sed -i", theirs=taken["sed"], bar="≤ 5 x", note=same),
        Row(
            what=what,
            ours=taken["this"],
            against="round trip of ruamel.yaml",
            theirs=taken["ruamel.yaml"],
            bar="≤ 0.05 x",
            note="measured on a twentieth of the files and multiplied",
        ),
    ]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--count", type=int, default=10_000)
    options.add_argument("--rounds", type=int, default=3)
    chosen = options.parse_args()
    print(table(rows(chosen.count, chosen.rounds)))


if __name__ == "__main__":
    main()
