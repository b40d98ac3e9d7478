"""Policies as YAML that people can read: no anchors, expressions as blocks."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import yaml

from .values_yaml import Plain


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002
        super().increase_indent(flow, False)


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


def _plain(dumper: yaml.SafeDumper, text: Plain) -> yaml.ScalarNode:
    tag = dumper.resolve(yaml.ScalarNode, str(text), (True, False))  # type: ignore[no-untyped-call]
    return dumper.represent_scalar(tag, str(text))


_Dumper.add_representer(str, _text)
_Dumper.add_representer(Plain, _plain)


def to_yaml(documents: Iterable[dict[str, Any]]) -> str:
    """Documents as one YAML text."""
    return yaml.dump_all(
        documents, Dumper=_Dumper, sort_keys=False, width=1000, explicit_start=True, allow_unicode=True
    )
