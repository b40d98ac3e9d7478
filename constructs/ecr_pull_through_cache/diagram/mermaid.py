"""The picture as a Mermaid flowchart, which GitHub, GitLab and mkdocs-material draw."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from .picture import Puller, Row, rows

if TYPE_CHECKING:
    from ..configuration import Configuration


def mermaid(configuration: Configuration) -> str:
    """A flowchart from the upstreams over the registries to who pulls.

    https://mermaid.js.org/syntax/flowchart.html

    :param configuration: the configuration.
    :returns: the text of the chart, without a fence around it.
    """
    found = rows(configuration)
    ids = _Ids()
    lines = ["flowchart LR"]
    for row in found:
        lines += [f"    {ids.of(f'{row.name}_upstream', s.host)}({_label(s.host)})" for s in row.sources]
        lines.append(f"    {ids.of('registry', row.name)}[({_label(row.name, row.place, row.role)})]")
        lines += [f"    {ids.of_puller(row, puller)}{_box(puller)}" for puller in row.pullers]
    for row in found:
        lines += _arrows(row, ids)
    return "\n".join(lines) + "\n"


class _Ids:
    """Ids of letters, digits and ``_``, each for one name."""

    def __init__(self) -> None:
        self._taken: dict[str, tuple[str, str]] = {}

    def of(self, kind: str, name: str) -> str:
        found = re.sub(r"\W", "_", f"{kind}_{name}", flags=re.ASCII)
        while self._taken.setdefault(found, (kind, name)) != (kind, name):
            found += "_"
        return found

    def of_puller(self, row: Row, puller: Puller) -> str:
        return self.of("cluster", puller.name) if puller.is_cluster else self.of(f"{row.name}_pull", puller.name)


def _arrows(row: Row, ids: _Ids) -> list[str]:
    registry = ids.of("registry", row.name)
    incoming = [
        f"    {ids.of(f'{row.name}_upstream', source.host)} {_link(source.prefix, source.pushed)} {registry}"
        for source in row.sources
    ]
    copies = [f"    {registry} ==> {ids.of('registry', to)}" for to in row.replicates_to]
    pulls = [f"    {registry} --> {ids.of_puller(row, puller)}" for puller in row.pullers]
    return incoming + copies + pulls


def _link(prefix: str, pushed: bool) -> str:
    return f"-. {_label(f'{prefix} pushed')} .->" if pushed else f"-- {_label(prefix)} -->"


def _box(puller: Puller) -> str:
    text = _label(puller.name, *puller.lines)
    return f"[{text}]" if puller.is_cluster else f"([{text}])"


def _label(*lines: str) -> str:
    """Short lines, since Mermaid breaks longer ones after any hyphen."""
    short = (part for line in lines for part in re.split(r" · |(?<=,) ", line) if part)
    escaped = (re.sub(r'["&<>#;`]', lambda match: f"#{ord(match[0])};", line) for line in short)
    return f'"{"<br/>".join(escaped)}"'
