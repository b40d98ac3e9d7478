"""Limits on the size of a YAML document, counted with its expanded aliases before it is constructed.

Nine lines of aliases of aliases stand for a thousand million values, and a merge key copies them.
"""

from __future__ import annotations

import yaml

LARGEST_FILE = 8 * 1024 * 1024
"""Bytes of a configuration."""
_MOST_VALUES = 300_000
_LONGEST_NUMBER = 100
_NUMBERS = frozenset(f"tag:yaml.org,2002:{kind}" for kind in ("int", "float", "timestamp"))


class Unbounded(Exception):
    """A document stands for too much.

    :param why: what is wrong, for people.
    :param line: where, from 1.
    """

    def __init__(self, why: str, line: int) -> None:
        super().__init__(why)
        self.line = line


def check_bounds(top: yaml.Node | None) -> None:
    """Check that a document stands for no more than a configuration can need.

    :param top: the document; ``None`` for an empty one.
    :raises Unbounded: when it stands for more than 300,000 values, or has a number of more than 100 characters.
    """
    if top is not None:
        _count(top, {}, set())


def _count(node: yaml.Node, known: dict[int, int], above: set[int]) -> int:
    """The values that a node stands for. Each node is looked at once, however many aliases name it."""
    if id(node) in known:
        return known[id(node)]
    if id(node) in above:
        return 1  # an alias for what it is part of, which is refused with its place elsewhere
    above.add(id(node))
    total = 1
    for part in _parts(node):
        total += _count(part, known, above)
        if total > _MOST_VALUES:
            why = f"it stands for more than {_MOST_VALUES:,} values, aliases written out; write them out, or split it"
            raise Unbounded(why, node.start_mark.line + 1)
    above.discard(id(node))
    known[id(node)] = total
    return total


def _parts(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [part for pair in node.value for part in pair]
    if isinstance(node, yaml.SequenceNode):
        return list(node.value)
    if node.tag in _NUMBERS and len(node.value) > _LONGEST_NUMBER:
        raise Unbounded(f"a number has more than {_LONGEST_NUMBER} characters; quote a text", node.start_mark.line + 1)
    return []
