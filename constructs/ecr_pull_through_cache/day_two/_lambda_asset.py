"""The Lambda asset: the parts of this package that run in Lambda, staged file by file, without Docker and pip."""

from __future__ import annotations

import functools
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aws_cdk import aws_lambda as lambda_

PARTS = ("__init__.py", "_version.py", "errors.py", "ecr", "functions", "images", "operations")
"""Modules and folders of the package that Lambda's Python runtime carries as they are: they need boto3 and no more."""


def operations_code() -> lambda_.Code:
    """The code of every function here. The same sources give the same asset, from a source tree and from a wheel."""
    from aws_cdk import aws_lambda as lambda_

    return lambda_.Code.from_asset(_staged().name)


@functools.cache
def _staged() -> tempfile.TemporaryDirectory[str]:
    """Kept until the process ends: the code is copied into the cloud assembly when a function is made of it."""
    folder = tempfile.TemporaryDirectory(prefix="ecr-pull-through-")
    stage(Path(folder.name))
    return folder


def stage(folder: Path) -> None:
    """Copy what runs in Lambda.

    :param folder: an empty folder, which becomes a root of imports.
    """
    here = Path(__file__).parent.parent
    for part in PARTS:
        sources = [here / part] if part.endswith(".py") else sorted((here / part).rglob("*.py"))
        for source in sources:
            target = folder / here.name / source.relative_to(here)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
            # Lambda's user reads it whatever the umask here, and the zip is the same everywhere.
            target.chmod(0o644)
            target.parent.chmod(0o755)
