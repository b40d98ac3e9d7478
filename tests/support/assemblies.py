"""The environment files as cloud assemblies, synthesised once a process by the app itself."""

from __future__ import annotations

import functools
import json
import tempfile
from pathlib import Path
from typing import Any

import aws_cdk as cdk

from app import build
from tests.support import ROOT

ENVIRONMENTS = sorted(path.stem for path in (ROOT / "environments").glob("*.yaml"))
CONTEXT = json.loads((ROOT / "cdk.json").read_text())["context"]


@functools.cache
def assembly(environment: str) -> Path:
    return synthesise(ROOT / "environments" / f"{environment}.yaml")


def synthesise(path: Path, out: Path | None = None) -> Path:
    """The cloud assembly of a configuration file, without the metadata that `cdk synth` adds."""
    app = cdk.App(
        builtin_cloud_formation_validation=False, context=CONTEXT, outdir=str(out or tempfile.mkdtemp()),
        analytics_reporting=False,
    )  # fmt: skip
    build(app, str(path))
    return Path(app.synth().directory)


def templates(path: Path) -> dict[str, dict[str, Any]]:
    """Templates by the id of their stack."""
    return {
        file.name.removesuffix(".template.json"): json.loads(file.read_text())
        for file in sorted(path.glob("*.template.json"))
    }


def regions(path: Path) -> dict[str, str]:
    """Regions by the id of the stack."""
    manifest = json.loads((path / "manifest.json").read_text())
    return {
        name: artifact["environment"].rsplit("/", 1)[-1]
        for name, artifact in manifest["artifacts"].items()
        if artifact["type"] == "aws:cloudformation:stack"
    }


def of_kind(template: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    """Properties of a template's resources of one kind."""
    return [r.get("Properties", {}) for r in template["Resources"].values() if r["Type"] == kind]


def resolved(value: Any) -> Any:
    """A policy with pseudo parameters and joins worked out, as in the commercial partition."""
    text = json.dumps(value)
    text = text.replace('{"Ref": "AWS::Partition"}', '"aws"')
    value = json.loads(text)

    def join(node: Any) -> Any:
        if isinstance(node, dict) and set(node) == {"Fn::Join"}:
            return node["Fn::Join"][0].join(join(part) for part in node["Fn::Join"][1])
        if isinstance(node, dict):
            return {key: join(part) for key, part in node.items()}
        return [join(part) for part in node] if isinstance(node, list) else node

    return join(value)
