"""Lambda's Python as it is: the package's asset, boto3 with what it needs, and nothing else."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ecr_pull_through_cache.day_two._lambda_asset import stage

# https://docs.aws.amazon.com/lambda/latest/dg/lambda-python.html#python-sdk-included
RUNTIME = ("boto3", "botocore", "dateutil", "jmespath", "s3transfer", "six", "urllib3")

# -I and -S: no site-packages, no environment variables of Python, no working directory on the path.
RUN = """
import importlib, json, sys
sys.path[:0] = sys.argv[1:3]
module, _, name = sys.argv[3].rpartition(".")
class Context:
    function_name = "function"
    invoked_function_arn = "arn:aws:lambda:eu-west-1:111122223333:function:function"
    def get_remaining_time_in_millis(self):
        return float(sys.argv[4]) * 1000
handler = getattr(importlib.import_module(module), name)
result = handler(json.load(sys.stdin), Context())
print("\\n" + json.dumps({"result": result, "modules": sorted(sys.modules)}))
"""


def runtime(folder: Path) -> Path:
    """A folder of imports with what Lambda's Python runtime has."""
    folder.mkdir(exist_ok=True)
    for name in RUNTIME:
        spec = importlib.util.find_spec(name)
        source = Path(str(spec.origin if spec else None))
        source = source if name == "six" else source.parent
        assert source.exists(), name
        (folder / source.name).symlink_to(source)
    return folder


def asset(path: Path) -> Path:
    """The package's code as Lambda gets it: a zip."""
    folder = path.with_suffix("")
    folder.mkdir()
    stage(folder)
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(p for p in folder.rglob("*") if p.is_file()):
            archive.write(file, file.relative_to(folder))
    return path


@dataclass(frozen=True)
class Lambda:
    """Runs handlers of the zip, each in a process of its own."""

    code: Path
    runtime: Path
    environment: dict[str, str] = field(default_factory=dict)

    def invoke(self, handler: str, event: Any, *, seconds: float = 900, **environment: str) -> Any:
        """One invocation: what the handler returns.

        :raises RuntimeError: what it wrote, when it failed.
        """
        return self.invoke_all(handler, event, seconds=seconds, **environment)["result"]

    def invoke_all(self, handler: str, event: Any, *, seconds: float = 900, **environment: str) -> Any:
        """The same with the modules that were loaded and what was printed."""
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-c", RUN, self.code, self.runtime, handler, str(seconds)],
            input=json.dumps(event), capture_output=True, text=True, check=False, timeout=seconds + 60,
            env={
                "PATH": os.environ["PATH"], "AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "eu-west-1",
                "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_EC2_METADATA_DISABLED": "true",
                **self.environment, **environment,
            },
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(done.stderr)
        *printed, last = done.stdout.splitlines()
        return {**json.loads(last), "printed": [line for line in printed if line]}
