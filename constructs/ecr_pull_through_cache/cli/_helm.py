"""Where the program ``helm`` is."""

from __future__ import annotations

import os
import shutil


def helm_program() -> str | None:
    """The path of helm: of the environment variable HELM, else of the PATH; ``None`` when there is none."""
    return shutil.which(os.environ.get("HELM") or "helm")
