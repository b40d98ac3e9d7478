"""The logical ids of constructs and environments, in one file that a reviewer can diff.

A logical id that changes makes CloudFormation replace the resource, so that each change is to be seen. ``pytest
--snapshot-update`` writes the file anew, without ``-n``.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FILE = Path(__file__).parents[1] / "logical_ids.json"


def reviewed() -> dict[str, dict[str, dict[str, str]]]:
    """Types of resources by section, name and logical id."""
    found: dict[str, dict[str, dict[str, str]]] = json.loads(FILE.read_text())
    return found


def compare(section: str, name: str, resources: dict[str, dict[str, Any]], *, update: bool) -> None:
    """Compare the logical ids of some resources with those that were reviewed.

    :param section: ``constructs``, or the name of an environment.
    :param name: the construct, or the stack.
    :param resources: resources of a template, by logical id.
    :param update: whether to write the ids instead of comparing them.
    """
    ids = {logical_id: resources[logical_id]["Type"] for logical_id in sorted(resources)}
    known = reviewed()
    if update:
        known.setdefault(section, {})[name] = ids
        FILE.write_text(json.dumps(known, indent=2, sort_keys=True) + "\n")
    assert known.get(section, {}).get(name) == ids, f"if this is meant, write {FILE.name}: pytest --snapshot-update"
