"""The mapping as expressions of CEL, for policies that know string functions and nothing of images.

The same text runs in the Kubernetes API server and in Kyverno.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

from ..images import CacheMapping, PinnedByDigest

SUBSTITUTIONS = "substitutions"
"""Name of the policy's variable that holds the table of substitutions, the longest source first."""

_HAS_REGISTRY = "^(localhost|[^/]*[.:A-Z][^/]*)/"


@dataclass(frozen=True, kw_only=True)
class Images:
    """Where a Pod names images.

    :param path: field of the Pod's spec that holds the list.
    :param item_type: CEL's type of an item of the list.
    :param image: field of an item that holds the reference.
    """

    path: str
    item_type: str
    image: str

    def given(self, item: str) -> str:
        """Whether an item names an image at all."""
        parts = self.image.split(".")
        fields = [".".join([item, *parts[: n + 1]]) for n in range(len(parts))]
        return " && ".join(f"has({field})" for field in fields)

    def with_image(self, item: str, reference: str) -> str:
        """An item of a patch: its name, and its image replaced."""
        if "." not in self.image:
            return f"{self.item_type}{{name: {item}.name, {self.image}: {reference}}}"
        outer, inner = self.image.split(".")
        return f"{self.item_type}{{name: {item}.name, {outer}: {self.item_type}.{outer}{{{inner}: {reference}}}}}"


CONTAINERS = Images(path="containers", item_type="Object.spec.containers", image="image")
INIT_CONTAINERS = Images(path="initContainers", item_type="Object.spec.initContainers", image="image")
DEBUG_CONTAINERS = Images(path="ephemeralContainers", item_type="Object.spec.ephemeralContainers", image="image")
VOLUMES = Images(path="volumes", item_type="Object.spec.volumes", image="image.reference")

ON_CREATE = (CONTAINERS, INIT_CONTAINERS, VOLUMES)
"""Images of a Pod that is created. Those of debug containers come later, by their subresource."""


def substitutions(mapping: CacheMapping) -> str:
    """The table of substitutions as a CEL list."""
    rows = [f"{{'source': {quote(s.source)}, 'target': {quote(s.target)}}}" for s in mapping.substitutions]
    return "[\n  " + ",\n  ".join(rows) + "\n]"


def patch(mapping: CacheMapping, lists: Iterable[Images], *, new: str = "") -> str:
    """An expression for ``ApplyConfiguration``: the items whose image changes, each with its name and its new image.

    :param lists: which lists of the Pod's spec.
    :param new: a further condition on an item ``c``.
    """
    fields = []
    for images in lists:
        spec = f"object.spec.{images.path}"
        reference = _rewritten(mapping, f"c.{images.image}")
        test = " && ".join([images.given("c"), *([new] if new else []), f"{reference}.exists(found, size(found) > 0)"])
        fields.append(
            f"{images.path}: has({spec})\n"
            f"      ? {spec}.filter(c, {test})\n"
            f"          .map(c, {images.with_image('c', f'{reference}[0][0]')})\n"
            f"      : []"
        )
    return "Object{\n  spec: Object.spec{\n    " + ",\n    ".join(fields) + "\n  }\n}"


def changes(mapping: CacheMapping, lists: Iterable[Images]) -> str:
    """A condition: some image would change."""
    tests = []
    for images in lists:
        spec = f"object.spec.{images.path}"
        reference = _rewritten(mapping, f"c.{images.image}")
        tests.append(
            f"(has({spec}) && {spec}.exists(c, {images.given('c')} && {reference}.exists(found, size(found) > 0)))"
        )
    return " ||\n".join(tests)


def _rewritten(mapping: CacheMapping, image: str) -> str:
    """A list with the list of what a reference becomes; nothing is in there when it is left alone."""
    pinned = ".filter(i, !i.contains('@'))" if mapping.pinned_by_digest is PinnedByDigest.LEAVE else ""
    return (
        f"[{image}]{pinned}"
        f".map(i, {_canonical(mapping)})"
        f".map(r, variables.{SUBSTITUTIONS}.filter(s, r.startsWith(s.source))"
        ".map(s, s.target + r.substring(size(s.source))))"
    )


def _canonical(mapping: CacheMapping) -> str:
    """The reference ``i`` with its registry written out, as far as a source of the mapping can tell the difference."""
    if not any(s.rule.upstream.is_docker_hub for s in mapping.substitutions):
        return "i"
    hosts = "|".join(host.replace(".", "[.]") for host in mapping.docker_hub_hosts)
    rest = "i.substring(i.indexOf('/') + 1)"
    return (
        f"i.matches('^({hosts})/') ? 'docker.io/' + ({rest}.contains('/') ? '' : 'library/') + {rest} : "
        f"i.matches('{_HAS_REGISTRY}') ? i : "
        "'docker.io/' + (i.contains('/') ? '' : 'library/') + i"
    )


def quote(text: str) -> str:
    """A CEL string."""
    return "'" + json.dumps(text)[1:-1].replace("'", "\\'") + "'"
