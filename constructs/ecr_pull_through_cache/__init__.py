"""An Amazon ECR pull through cache as AWS CDK constructs, and what makes clusters use it.

Everything public is imported from here. Names are loaded when they are first used, because importing
aws-cdk-lib takes seconds that the command line and Lambda functions need not spend.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from ._version import __version__

if TYPE_CHECKING:
    from .images import CachedUpstream, CacheMapping, ImageReference, Upstream

_HOME_OF = {
    "CacheMapping": "images",
    "CachedUpstream": "images",
    "ImageReference": "images",
    "Upstream": "images",
}

__all__ = [
    "CacheMapping",
    "CachedUpstream",
    "ImageReference",
    "Upstream",
    "__version__",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f".{_HOME_OF[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
