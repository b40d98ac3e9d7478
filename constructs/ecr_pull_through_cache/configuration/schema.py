"""The JSON Schema with which editors complete and check a configuration.

``python -m ecr_pull_through_cache.configuration.schema`` writes it anew.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from .models import Document


def json_schema() -> dict[str, Any]:
    """The schema of a configuration file."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **Document.model_json_schema(by_alias=True),
        "title": "Configuration of an Amazon ECR pull through cache",
    }


def schema_file() -> Path:
    """The file in this package that holds it."""
    return Path(__file__).with_name("schema.json")


if __name__ == "__main__":
    schema_file().write_text(json.dumps(json_schema(), indent=2) + "\n")
