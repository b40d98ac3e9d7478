"""Look for known vulnerabilities in every locked dependency, of Python and of Node.js.

Exit codes: 0 none is known, 1 some are, 2 something could not be looked at; what was not looked at is never said to be well.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
_SKIPPED = ("node_modules", ".venv", "cdk.out")


def main() -> int:
    """Audit every lock and say what came of it."""
    vulnerable, unknown = 0, 0
    for name, findings, missing in (*_python(), *_node()):
        for finding in findings:
            print(f"{name}: {finding}")
        for reason in missing:
            print(f"{name}: not audited: {reason}", file=sys.stderr)
        vulnerable += len(findings)
        unknown += len(missing)
    print(f"{vulnerable} known vulnerabilities, {unknown} not audited", file=sys.stderr)
    return 1 if vulnerable else 2 if unknown else 0


def _python() -> Iterator[tuple[str, list[str], list[str]]]:
    for lock in sorted(ROOT.glob("requirements*.txt")):
        options = [
            "--requirement",
            str(lock),
            "--disable-pip",
            "--require-hashes",
            "--format",
            "json",
            "--progress-spinner",
            "off",
        ]
        done = _run([sys.executable, "-m", "pip_audit", *options], ROOT)
        report = _json(done.stdout)
        if not isinstance(report, dict) or "dependencies" not in report:
            yield lock.name, [], [_last(done.stderr)]
            continue
        found = report["dependencies"]
        missing = [f"{one['name']}: {one['skip_reason']}" for one in found if "skip_reason" in one]
        yield lock.name, [f"{one['name']} {one['version']}: {_ids(one)}" for one in found if one.get("vulns")], missing


def _ids(dependency: dict[str, Any]) -> str:
    fixed = sorted({version for advisory in dependency["vulns"] for version in advisory.get("fix_versions", ())})
    return ", ".join(advisory["id"] for advisory in dependency["vulns"]) + (
        f"; fixed in {', '.join(fixed)}" if fixed else ""
    )


def _node() -> Iterator[tuple[str, list[str], list[str]]]:
    npm = shutil.which("npm")
    for lock in sorted(ROOT.rglob("package-lock.json")):
        name = str(lock.relative_to(ROOT))
        if any(part in _SKIPPED or part.startswith("cdk.out") for part in lock.relative_to(ROOT).parts):
            continue
        if npm is None:
            yield name, [], ["npm is not on the path"]
            continue
        done = _run([npm, "audit", "--json", "--package-lock-only"], lock.parent)
        report = _json(done.stdout)
        if not isinstance(report, dict) or "vulnerabilities" not in report or "error" in report:
            said = (
                report.get("error", report).get("summary") or report.get("message")
                if isinstance(report, dict)
                else None
            )
            yield name, [], [str(said or _last(done.stderr))]
            continue
        yield name, [f"{package}: {one.get('severity')}" for package, one in report["vulnerabilities"].items()], []


def _run(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=600)  # noqa: S603
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command, 2, "", "no answer within 10 minutes")


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _last(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:300] if lines else "no answer"


if __name__ == "__main__":
    sys.exit(main())
