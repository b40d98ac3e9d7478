"""An Amazon ECR pull through cache as AWS CDK constructs, and the tools that make clusters use it.

Import every public name from here. A name is loaded when it is first used, because importing aws-cdk-lib
takes seconds that the command line and Lambda functions need not spend.
"""

from __future__ import annotations

import functools
import importlib
from typing import Any

from ._version import __version__ as __version__


@functools.cache
def _homes() -> dict[str, str]:
    """The module of each public name, read from the stub, which type checkers and editors read too."""
    import ast
    from pathlib import Path

    stub = ast.parse(Path(__file__).with_suffix(".pyi").read_text(encoding="utf-8"))
    imports = [node for node in stub.body if isinstance(node, ast.ImportFrom)]
    return {alias.name: f".{node.module}" for node in imports for alias in node.names}


def __getattr__(name: str) -> Any:
    if name == "__all__":
        return sorted(_homes())
    if name.startswith("_") or name not in _homes():
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(_homes()[name], __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(_homes())
