"""Images in the values that a manifest gives to a chart, and in mappings of their parts.

The chart itself is not there, so only what is certain by the values alone is taken for an image: a registry that is written out,
beside the repository or within it. A name without a registry may get any registry from the chart; it is a mention.
"""

from __future__ import annotations

from collections.abc import Iterator

from ..images import split_registry
from .spots import Piece, Role, Spot, is_reference
from .tree import Alias, Mapping, Scalar, Visit, Walk, resolved, span_of

_REGISTRIES = ("registry", "imageRegistry")
_REPOSITORIES = ("repository", "name", "image")
_TAGS = ("tag", "imageTag", "version")
_DIGESTS = ("digest", "sha")


def in_values(text: str, root: Mapping) -> Iterator[Spot]:
    """The images in values of a chart.

    :param text: the text that the places are counted in.
    :param root: the values.
    """
    taken: set[int] = set()
    for visit in Walk(root):
        node = visit.node
        if isinstance(node, Mapping):
            spot = _split(text, node, visit.path, taken)
            if spot is not None:
                yield spot
        elif isinstance(node, Scalar) and id(node) not in taken and _names_image(visit):
            spot = _whole(text, visit)
            if spot is not None:
                yield spot


def in_parts(text: str, node: Mapping) -> Spot | None:
    """The image of a mapping of its parts, as custom resources have them: ``repository``, ``image`` and ``version``.

    :param text: the text that the places are counted in.
    :param node: the mapping.
    """
    repository, name = _scalar(node, ("repository",)), _scalar(node, ("image", "name"))
    if repository is None or not repository.value:
        return None
    if name is None or _scalar(node, _REGISTRIES) is not None or _scalar(node, ("image",)) is None:
        return _split(text, node, ("image",), set())
    span = _own_span(text, node, repository)
    reference = _reference(f"{repository.value}/{name.value}", node)
    if span is None or not is_reference(reference):
        return None
    role = Role.FIELD if split_registry(repository.value + "/x")[0] else Role.MENTION
    return Spot(reference, ((*span, Piece.FOLDER),), role)


def in_parameters(text: str, parameters: list[Mapping]) -> Iterator[Spot]:
    """The images among values that stand as a list of ``name`` and ``value``.

    :param text: the text that the places are counted in.
    :param parameters: the entries of the list.
    """
    named = {entry.text("name"): entry for entry in parameters if entry.text("name")}
    for name, entry in named.items():
        key = str(name).rpartition(".")
        value = resolved(entry.get("value"))
        if not isinstance(value, Scalar) or not (key[2] == "repository" or key[2].lower().endswith("image")):
            continue
        beside = {k: _parameter(named, f"{key[0]}{key[1]}{k}") for k in (*_REGISTRIES, *_TAGS, *_DIGESTS)}
        span = _own_span(text, entry, value)
        if span is None or any(beside[k] for k in _REGISTRIES):
            continue
        tag = next((beside[k] for k in _TAGS if beside[k]), "")
        digest = next((beside[k] for k in _DIGESTS if beside[k]), "")
        reference = f"{value.value}{f':{tag}' if tag else ''}{f'@{_digest(digest)}' if digest else ''}"
        if _is_image(reference):
            yield Spot(reference, ((*span, Piece.NAME if tag or digest else Piece.WHOLE),), _role(value.value))


def _parameter(named: dict[str | None, Mapping], name: str) -> str:
    return (named[name].text("value") or "") if name in named else ""


def _split(text: str, node: Mapping, path: tuple[str, ...], taken: set[int]) -> Spot | None:
    """An image in parts: ``registry``, ``repository``, ``tag``, ``digest``."""
    registry = _scalar(node, _REGISTRIES)
    is_image = bool(path) and path[-1].lower().endswith("image")
    has_parts = registry is not None or _scalar(node, (*_TAGS[:2], *_DIGESTS)) is not None
    repository = _scalar(node, _REPOSITORIES if is_image or has_parts else ("repository",))
    if repository is None or not repository.value:
        return None
    host = registry.value if registry is not None and registry.value else ""
    reference = _reference(f"{host}/{repository.value}" if host else repository.value, node)
    span = _own_span(text, node, repository)
    if span is None or not _is_image(reference):
        return None
    taken.add(id(repository))
    if not host:
        has_tag = reference != repository.value
        return Spot(reference, ((*span, Piece.NAME if has_tag else Piece.WHOLE),), _role(repository.value))
    other = None if registry is None else _own_span(text, node, registry)
    if other is None or registry is None or split_registry(repository.value)[0] or not split_registry(f"{host}/x")[0]:
        return Spot(reference, ((*span, Piece.NAME),), Role.MENTION, "its registry stands elsewhere")
    taken.add(id(registry))
    if "/" in host:
        return Spot(reference, ((*other, Piece.FOLDER),), Role.VALUES, "", repository.value)
    return Spot(reference, ((*other, Piece.REGISTRY), (*span, Piece.REPOSITORY)), Role.VALUES)


def _whole(text: str, visit: Visit) -> Spot | None:
    """An image in one piece."""
    value = visit.node.value if isinstance(visit.node, Scalar) else ""
    span = span_of(text, visit.node) if isinstance(visit.node, Scalar) and visit.alias is None else None
    if span is None or not is_reference(value):
        return None
    return Spot(value, ((*span, Piece.WHOLE),), _role(value))


def _names_image(visit: Visit) -> bool:
    return visit.key is not None and visit.key.value.lower().endswith("image")


def _role(name: str) -> Role:
    return Role.VALUES if split_registry(name)[0] else Role.MENTION


def _is_image(reference: str) -> bool:
    return "{" not in reference and is_reference(reference)


def _reference(name: str, node: Mapping) -> str:
    """A name with the tag and digest that stand beside it."""
    tag = _scalar(node, _TAGS)
    digest = _scalar(node, _DIGESTS)
    image = name
    if tag is not None and tag.value:
        image += f"@{tag.value}" if tag.value.startswith("sha256:") else f":{tag.value}"
    if digest is not None and digest.value:
        image += f"@{_digest(digest.value)}"
    return image


def _digest(value: str) -> str:
    return value if ":" in value else f"sha256:{value}"


def _scalar(node: Mapping, keys: tuple[str, ...]) -> Scalar | None:
    for key in keys:
        found = resolved(node.get(key))
        if isinstance(found, Scalar) and not _is_null(found):
            return found
    return None


def _is_null(node: Scalar) -> bool:
    return node.style == "" and node.value in ("", "~", "null", "Null", "NULL")


def _own_span(text: str, node: Mapping, value: Scalar) -> tuple[int, int] | None:
    """The position of a value, if it is the mapping's own and not merged in or an alias."""
    own = any(one is value and not isinstance(one, Alias) for _, one in node.pairs)
    return span_of(text, value) if own else None
