"""Turns the Sphinx roles of docstrings into Markdown links and code."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import griffe

sys.path.insert(0, str(Path(__file__).parents[2] / "constructs"))
import ecr_pull_through_cache

_ROLE = re.compile(r":(?P<role>class|meth|func|attr|mod|data):`(?P<text>~?[\w.]+)`")
_LITERAL = re.compile(r"(?<=\w)::(?=\n\n)")


class Roles(griffe.Extension):
    """Rewrites ``:class:`X``` to a link, and ``::`` before an indented block to a colon."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Rewrite the docstring of an object that griffe has read."""
        if obj.docstring is not None:
            obj.docstring.value = markdown(obj.docstring.value, obj)


def markdown(text: str, obj: griffe.Object) -> str:
    """Convert a docstring to Markdown."""

    def link(match: re.Match[str]) -> str:
        name = match["text"].removeprefix("~")
        return f"[`{name}`][{_target(name, obj)}]" if match["role"] != "mod" else f"`{name}`"

    text = _LITERAL.sub(":", text)
    # A block that is nothing but `::` introduces the example below it.
    text = re.sub(r"^::\n", "", text, flags=re.M)
    return _ROLE.sub(link, text)


def _target(name: str, obj: griffe.Object) -> str:
    """Return the full path of a name in the scope of its docstring."""
    first, dot, rest = name.partition(".")
    package = "ecr_pull_through_cache"
    home = ecr_pull_through_cache._homes().get(first)  # type: ignore[attr-defined] # the stub names public names alone
    if home is not None:
        return f"{package}{home}.{first}{dot}{rest}"
    owner = obj if obj.is_class else obj.parent
    return f"{owner.path if owner is not None else package}.{name}"
