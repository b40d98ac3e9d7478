"""The mapping as expressions of CEL, for policies that know string functions and nothing of images.

The same text runs in the Kubernetes API server and in Kyverno. An image is only ever a value there: nothing of its text
becomes a part of an expression.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from ..images import PLACEHOLDERS, CacheMapping, PinnedByDigest
from ..images.patterns import expression_of
from ..images.reference import IMAGE_ID, LEGAL, LEGAL_LENGTH, LEGAL_TAGGED, LONGEST_REFERENCE, SURELY_SHORT

SUBSTITUTIONS = "substitutions"
"""Name of the policy's variable that holds the table of substitutions, the longest source first."""

_HAS_REGISTRY = "^(localhost|[^/]*[.:A-Z][^/]*)/"


@dataclass(frozen=True, kw_only=True)
class Images:
    """The fields of a Pod that name images.

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

    def of(self, pod: str) -> str:
        """The items of a Pod that name an image."""
        field = f"{pod}.spec.{self.path}"
        return f"(has({field}) ? {field} : []).filter(c, {self.given('c')})"

    def had(self, item: str, reference: str) -> str:
        """Whether the Pod had an item of the same name with an image already, before it was changed."""
        field = f"oldObject.spec.{self.path}"
        same = f"old.name == {item}.name && {self.given('old')} && old.{self.image} == {reference}"
        return f"(has({field}) && {field}.exists(old, {same}))"


CONTAINERS = Images(path="containers", item_type="Object.spec.containers", image="image")
INIT_CONTAINERS = Images(path="initContainers", item_type="Object.spec.initContainers", image="image")
DEBUG_CONTAINERS = Images(path="ephemeralContainers", item_type="Object.spec.ephemeralContainers", image="image")
VOLUMES = Images(path="volumes", item_type="Object.spec.volumes", image="image.reference")

OF_PODS = (CONTAINERS, INIT_CONTAINERS, VOLUMES)
"""Images of a Pod itself. Those of debug containers come later, by their subresource."""
EVERYWHERE = (*OF_PODS, DEBUG_CONTAINERS)

_IS_NEW_DEBUG_CONTAINER = (
    "(request.operation == 'CREATE' || !has(oldObject.spec.ephemeralContainers) || "
    "!oldObject.spec.ephemeralContainers.exists(old, old.name == c.name))"
)


def substitutions(mapping: CacheMapping) -> str:
    """The table of substitutions as a CEL list."""
    patterns = bool(mapping.exclude or mapping.only or mapping.allowed)
    rows = []
    for s in mapping.substitutions:
        row = {"source": s.source, "target": s.target, **({"upstream": s.upstream} if patterns else {})}
        rows.append("{" + ", ".join(f"'{key}': {quote(value)}" for key, value in row.items()) + "}")
    return "[\n  " + ",\n  ".join(rows) + "\n]"


def patch_of_pods(mapping: CacheMapping) -> str:
    """An expression for ``ApplyConfiguration``: images of new Pods, and of Pods that are applied again.

    A Pod that is applied again brings its upstream image back. Where it has exactly what that image becomes, it keeps it;
    any other change of an image is the will of whoever makes it.
    """
    return _patch(mapping, OF_PODS, lambda images: f"request.operation == 'CREATE' || {images.had('c', 'to')}")


def patch_of_debug_containers(mapping: CacheMapping) -> str:
    """An expression for ``ApplyConfiguration``: images of new debug containers. Those that are there never change."""
    return _patch(mapping, (DEBUG_CONTAINERS,), lambda _: _IS_NEW_DEBUG_CONTAINER)


def _patch(mapping: CacheMapping, lists: Iterable[Images], when: Callable[[Images], str]) -> str:
    fields = []
    for images in lists:
        becomes = _becomes(mapping, f"c.{images.image}")
        item = images.with_image("c", "to")
        fields.append(
            f"{images.path}: {images.of('object')}\n"
            f"      .map(c, {becomes}\n"
            f"        .filter(to, {when(images)})\n"
            f"        .map(to, {item})).flatten()"
        )
    return "Object{\n  spec: Object.spec{\n    " + ",\n    ".join(fields) + "\n  }\n}"


def changes(mapping: CacheMapping) -> str:
    """A condition: an image of a new Pod, or of a new debug container, would change."""
    tests = []
    for images in EVERYWHERE:
        new = f"{_IS_NEW_DEBUG_CONTAINER} && " if images is DEBUG_CONTAINERS else ""
        tests.append(f"{images.of('object')}.exists(c, {new}size({_becomes(mapping, f'c.{images.image}')}) > 0)")
    return " ||\n".join(tests)


def _becomes(mapping: CacheMapping, image: str) -> str:
    """A list of what a reference becomes; nothing is in there when it is left alone, as a name that is not legal is."""
    leaves_digests = mapping.pinned_by_digest is PinnedByDigest.LEAVE
    pinned = " && !i.contains('@')" if leaves_digests else ""
    tests = [
        "r.startsWith(s.source)",
        f"r.matches({quote(LEGAL_TAGGED if leaves_digests else LEGAL)})",
        f"(size(r) <= {SURELY_SHORT} || r.matches({quote(LEGAL_LENGTH)}))",
        *_selected(mapping),
    ]
    return (
        f"[{image}].filter(i, size(i) <= {LONGEST_REFERENCE}{pinned})"
        f".map(i, {_canonical(mapping)})"
        f".map(r, variables.{SUBSTITUTIONS}.filter(s, {' && '.join(tests)})"
        ".map(s, s.target + r.substring(size(s.source))))"
        ".filter(found, size(found) > 0).map(found, found[0])"
        f".filter(to, size(to) <= {SURELY_SHORT} || to.matches({quote(LEGAL_LENGTH)}))"
    )


def _selected(mapping: CacheMapping) -> list[str]:
    """The patterns of the mapping and its allow lists, about the reference by its upstream's first host."""
    name = "(s.upstream + r.substring(size(s.source)))"
    excluded = [f"!{name}.matches({quote(expression_of(mapping.exclude))})"] if mapping.exclude else []
    selected = [f"{name}.matches({quote(expression_of(mapping.only))})"] if mapping.only else []
    allowed = [f"{name}.matches({quote(mapping.allowed)})"] if mapping.allowed is not None else []
    return [*excluded, *selected, *allowed]


def _canonical(mapping: CacheMapping) -> str:
    """The reference ``i`` with its registry written out, as far as a source of the mapping can tell the difference."""
    if not any(s.rule.upstream.is_docker_hub for s in mapping.substitutions):
        return "i"
    return _written_out(mapping.docker_hub_hosts)


def _written_out(docker_hub_hosts: Iterable[str]) -> str:
    hosts = "|".join(host.replace(".", "[.]") for host in docker_hub_hosts)
    rest = "i.substring(i.indexOf('/') + 1)"
    placeholders = ", ".join(quote(name) for name in PLACEHOLDERS)
    return (
        f"i.matches('^({hosts})/') ? 'docker.io/' + ({rest}.contains('/') ? '' : 'library/') + {rest} : "
        f"i.matches('{_HAS_REGISTRY}') || i in [{placeholders}] || i.matches('{IMAGE_ID}') ? i : "
        "'docker.io/' + (i.contains('/') ? '' : 'library/') + i"
    )


def outside(hosts: Iterable[str], docker_hub_hosts: Iterable[str], allowed: str | None) -> str:
    """The images of a Pod that come from elsewhere, and that the Pod did not have before it was changed.

    :param hosts: hosts that images may come from.
    :param docker_hub_hosts: hosts that mean Docker Hub.
    :param allowed: expression for canonical references that are let through, if any.
    """
    tests = [f"!i.startsWith({quote(host + '/')})" for host in hosts]
    if allowed is not None:
        tests.append(f"!({_written_out(docker_hub_hosts)}).matches({quote(allowed)})")
    before = f"(request.operation == 'UPDATE' ? {_all('oldObject')} : [])"
    return f"({_all('object')}).filter(i, {' && '.join(tests)} && !(i in {before}))"


def _all(pod: str) -> str:
    return " + ".join(f"{images.of(pod)}.map(c, c.{images.image})" for images in EVERYWHERE)


def quote(text: str) -> str:
    """A CEL string."""
    return "'" + json.dumps(text)[1:-1].replace("'", "\\'") + "'"
