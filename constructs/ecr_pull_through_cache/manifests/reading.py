"""Images in manifests and other files, each with its place: by lines where a text is plain, by a parser where it is not."""

from __future__ import annotations

import re
from dataclasses import replace

import yaml

from .dockerfile import in_dockerfile, is_dockerfile
from .kinds import COMPOSE, ECS, GITHUB, GITLAB, KUSTOMIZATION, WORKLOADS
from .places import Form, ImagePlaces
from .spots import SCHEMES, Kustomized, Moves, Piece, Reading, Role, Spot, is_reference
from .structure import Field, documents, plain_fields
from .tree import Mapping, Node, Scalar, Sequence, TreeError, Visit, Walk, resolved, span_of, trees
from .values import in_parameters, in_parts, in_values

_KIND = re.compile(r"^[\"']?kind[\"']?:[ \t]*([\"']?)(\w+)\1[ \t\r]*(?:#.*)?$", re.M)
_TEMPLATE = re.compile(r"\{\{|\{%|<%|^[ ]*#@", re.M)
_VARIABLE_TAG = re.compile(r"(?P<name>[^$@\s{]+):\$\{?\w[^@\s]*")
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F][0-9a-fA-F]{2}")
_KEYS = frozenset({"image", "reference"})
_DEPTH = 3
"""Manifests in text blocks of manifests that are followed."""
_READ_BY_KUBERNETES = frozenset(
    {"metadata", "spec", "status", "data", "stringData", "binaryData", "items", "template", "webhooks"}
)
_ENTRY = frozenset({"name", "newName", "newTag", "digest", "tagSuffix"})
_KUSTOMIZATION_KEYS = frozenset(
    {
        "resources",
        "bases",
        "components",
        "namespace",
        "namePrefix",
        "nameSuffix",
        "patches",
        "configMapGenerator",
        "generators",
    }
)
_POINTER = re.compile(r"/spec/.*(?:ontainers|volumes)(?:/|$)")


def read(text: str, places: ImagePlaces, name: str = "", depth: int = 0) -> Reading:
    """The images of a text.

    :param text: YAML of any number of documents, JSON, a template of either, or a Dockerfile.
    :param places: the fields that hold images.
    :param name: name of the file, by which some kinds of files are told.
    :param depth: how many text blocks it lies in.
    :raises yaml.YAMLError: when a part of it that may name images is no YAML.
    """
    reading = Reading()
    if is_dockerfile(name):
        reading.spots += in_dockerfile(text)
        return reading
    reader = _Reader(text, places, name, depth, reading)
    for begin, end in documents(text):
        reader.document(begin, end)
    return reading


class _Reader:
    def __init__(self, text: str, places: ImagePlaces, name: str, depth: int, reading: Reading) -> None:
        self._text = text
        self._places = places
        self._name = name
        self._depth = depth
        self._reading = reading

    def document(self, begin: int, end: int) -> None:
        text = self._text[begin:end]
        if self._places.words.search(text) is None:
            return
        kinds = _KIND.findall(text)
        if len(kinds) == 1 and kinds[0][1] in WORKLOADS and not self._places.knows("", kinds[0][1]):
            found = plain_fields(text, _KEYS, begin)
            if found is not None:
                self._add_plain("", kinds[0][1], found)
                return
        try:
            roots = _parsed(text, begin)
        except UnicodeEncodeError:
            found = plain_fields(text, _KEYS, begin)  # which bytes that are no text in comments do not hinder
            if found is None:
                raise
            self._add_plain("", kinds[0][1] if kinds else "", found)
            return
        except yaml.YAMLError:
            if _TEMPLATE.search(text) is None:
                raise
            kind = kinds[0][1] if kinds else ""
            keys = _KEYS | {"newName", *self._places.last_keys(kind)}
            self._add_plain("", kind, plain_fields(text, keys, begin, lenient=True) or [])
            return
        for root in roots:
            _Document(self._text, self._places, self._name, self._depth, self._reading).take(root)

    def _add_plain(self, group: str, kind: str, found: list[Field]) -> None:
        for field in found:
            if self._places.form_at(group, kind, field.path) in (Form.IMAGE, Form.NAME) or field.path == (
                "images",
                "[]",
                "newName",
            ):
                self._reading.spots.append(Spot(field.value, ((field.start, field.end, Piece.WHOLE),)))


def _parsed(text: str, offset: int) -> list[Node]:
    body = text
    if body.startswith("\ufeff"):
        body, offset = body[1:], offset + 1
    if body.lstrip()[:1] in ("{", "["):
        # JSON may be indented by tabs, and writes characters beyond the first 65,536 as two escapes.
        body = _SURROGATE.sub("\\\\u0020", body.replace("\t", " "))
    return trees(body, offset)


class _Document:
    """One document: its resources, one after the other, those inside of others too."""

    def __init__(self, text: str, places: ImagePlaces, name: str, depth: int, reading: Reading) -> None:
        self._text = text
        self._places = places
        self._name = name
        self._depth = depth
        self._reading = reading
        self._images: dict[int, list[tuple[Visit, Form]]] = {}
        self._others: dict[int, list[Visit]] = {}
        self._resources: list[Visit] = []
        self._count = 0
        self._has_aliases = "*" in text
        self._valued: set[int] = set()
        self._first = len(reading.spots)

    def take(self, root: Node) -> None:
        if isinstance(root, Sequence) and self._take_patch(root):
            pass
        else:
            self._resources.append(Visit((), root))
        while self._resources:
            self._resource(self._resources.pop())
        for visits in self._images.values():
            self._settle(visits)

    def _resource(self, visit: Visit) -> None:
        node = visit.node
        group, kind = _kind_of(node)
        if not kind:
            kind = self._shape(node)
        self._walk(Walk(node, is_shared=visit.is_shared), group, kind)
        if not kind and isinstance(node, Mapping):
            self._values_of_a_chart(node)

    def _values_of_a_chart(self, node: Mapping) -> None:
        """Take images of a file without a kind for mentions, as in values of a chart, since the chart decides their use."""
        taken = {start for spot in self._reading.spots[self._first :] for start, _, _ in spot.pieces}
        taken |= {
            span[0] for visits in self._images.values() if (span := _span_of_first(self._text, visits)) is not None
        }
        for spot in in_values(self._text, node):
            if not any(start in taken for start, _, _ in spot.pieces):
                self._reading.spots.append(replace(spot, role=Role.MENTION))

    def _walk(self, walk: Walk, group: str, kind: str) -> None:
        for visit in walk:
            self._count += visit.is_shared
            if self._count > 100_000:
                raise TreeError("its aliases stand for more than 100,000 values", visit.node.line)
            node = visit.node
            if visit.path and isinstance(node, Mapping) and _is_resource(node):
                walk.skip()
                self._resources.append(visit)
                continue
            form = self._places.form_at(group, kind, visit.path)
            if form is None:
                self._other(visit)
            elif self._take(form, visit, kind):
                walk.skip()

    def _take(self, form: Form, visit: Visit, kind: str) -> bool:
        """Take what stands at a place; whether its parts are done with."""
        node = visit.node
        if isinstance(node, Scalar):
            self._take_scalar(form, visit, kind)
            return True
        if form is Form.MATCHED:
            self._reading.matched.append((node.start, node.end))
        elif isinstance(node, Mapping):
            return self._take_mapping(form, node)
        elif isinstance(node, Sequence):
            return self._take_sequence(form, node)
        return False

    def _take_mapping(self, form: Form, node: Mapping) -> bool:
        if form is Form.VALUES and id(node) not in self._valued:
            self._valued.add(id(node))
            self._reading.spots += in_values(self._text, node)
        if form is Form.PARTS and (spot := in_parts(self._text, node)) is not None:
            self._reading.spots.append(spot)
        return form is Form.VALUES

    def _take_sequence(self, form: Form, node: Sequence) -> bool:
        if form is Form.PARAMETERS:
            self._reading.spots += in_parameters(self._text, [i for i in node.items if isinstance(i, Mapping)])
        elif form is Form.KUSTOMIZE:
            entries = [item for item in node.items if isinstance(item, Mapping)]
            names = frozenset(item.text("name") or "" for item in entries)
            self._reading.kustomized += [Kustomized(item, node, names) for item in entries]
        elif form is Form.KUSTOMIZE_TEXTS:
            self._reading.texts.append(node)
        return form in (Form.PARAMETERS, Form.KUSTOMIZE, Form.KUSTOMIZE_TEXTS)

    def _take_scalar(self, form: Form, visit: Visit, kind: str) -> None:
        node = visit.node
        if not isinstance(node, Scalar):
            return
        if form in (Form.IMAGE, Form.NAME):
            if self._is_pulled(visit, kind):
                self._images.setdefault(id(node), []).append((visit, form))
            else:
                self._match(node)
        elif form is Form.MATCHED:
            self._match(node)
        elif form in (Form.VALUES, Form.MANIFEST):
            self._take_block(form, node)
        elif form is Form.CHART:
            self._reading.charts.append((node.value, node.line + 1))

    def _is_pulled(self, visit: Visit, kind: str) -> bool:
        """Whether an image at a place for images is pulled there: what is built beside it is not."""
        owner = visit.owner
        if kind == COMPOSE and owner is not None:
            return owner.get("build") is None
        if kind in ("ImageStream", "BuildConfig") and owner is not None and visit.path[-1] == "name":
            return owner.text("kind") == "DockerImage"
        return True

    def _match(self, node: Scalar) -> None:
        self._reading.matched.append((node.start, node.end))

    def _take_block(self, form: Form, node: Scalar) -> None:
        """Values or a manifest that stand in a text block: read as a text, with its places moved."""
        block = _block(self._text, node)
        if block is None or self._depth >= _DEPTH:
            return
        inner, moves = block
        try:
            if form is Form.VALUES:
                for root in _parsed(inner, 0):
                    if isinstance(root, Mapping):
                        self._reading.spots += [spot.moved(moves) for spot in in_values(inner, root)]
                return
            found = read(inner, self._places, depth=self._depth + 1)
        except (yaml.YAMLError, UnicodeEncodeError):
            return  # what it mentions is found as in any text
        self._reading.spots += [spot.moved(moves) for spot in found.spots]
        self._reading.matched += [(moves.at(start), moves.at(start) + end - start) for start, end in found.matched]

    def _other(self, visit: Visit) -> None:
        node = visit.node
        if isinstance(node, Mapping):
            self._mention_parts(visit.path, node)
        if not isinstance(node, Scalar):
            return
        if self._has_aliases:
            self._others.setdefault(id(node), []).append(visit)
        in_list = len(visit.path) > 1 and visit.path[-1] == "[]" and visit.path[-2].lower().endswith("images")
        if in_list and visit.alias is None and is_reference(node.value):
            span = span_of(self._text, node)
            if span is not None:
                self._reading.spots.append(Spot(node.value, ((*span, Piece.WHOLE),), Role.MENTION))

    def _mention_parts(self, path: tuple[str, ...], node: Mapping) -> None:
        """Take an image in parts, in a field of a kind that is not in the table, for a mention."""
        if not path or not path[-1].lower().endswith("image") or node.text("repository") is None:
            return
        spot = in_parts(self._text, node)
        if spot is not None:
            self._reading.spots.append(replace(spot, role=Role.MENTION))

    def _settle(self, visits: list[tuple[Visit, Form]]) -> None:
        """An image, once for its definition, or once for each alias where only these stand for an image."""
        node, form = visits[0][0].node, visits[0][1]
        if not isinstance(node, Scalar):
            return
        own = [visit for visit, _ in visits if visit.alias is None]
        if not own:
            aliases = {(v.alias.start, v.alias.end) for v, _ in visits if v.alias is not None}
            self._reading.spots += [self._spot(node, span, form) for span in sorted(aliases)]
            return
        obstacle = self._obstacle(own, self._others.get(id(node), []))
        span = span_of(self._text, node)
        if span is None:
            obstacle = obstacle or "it is not written in one piece"
            span = (node.start, node.end)
        self._reading.spots.append(replace(self._spot(node, span, form), obstacle=obstacle))

    def _obstacle(self, images: list[Visit], others: list[Visit]) -> str:
        """Why a value must not be changed where it stands, though an image stands there: it is used for something else."""
        if any(visit.alias is not None or visit.is_shared for visit in others):
            return "an alias uses the same value for something else than an image"
        is_elsewhere = all(visit.is_shared for visit in images)
        if is_elsewhere and any(visit.path[0] in _READ_BY_KUBERNETES for visit in others if visit.path):
            return "an alias makes an image of what stands elsewhere for something else"
        return ""

    def _spot(self, node: Scalar, span: tuple[int, int], form: Form) -> Spot:
        image, (start, end) = node.value.strip(), span
        for scheme in SCHEMES:
            if image.startswith(scheme) and self._text.startswith(scheme, start):
                image, start = image.removeprefix(scheme), start + len(scheme)
        variable = _VARIABLE_TAG.fullmatch(image)
        if variable is not None and self._text.startswith(variable["name"], start):
            image, end = variable["name"], start + len(variable["name"])
        return Spot(image, ((start, end, Piece.NAME if form is Form.NAME else Piece.WHOLE),))

    def _shape(self, node: Node) -> str:
        """Detect files without a kind by the keys that only such files have."""
        if not isinstance(node, Mapping):
            return ""
        keys = {key for key, _, _ in node.own()}
        if _looks_kustomized(node, keys, self._name):
            return KUSTOMIZATION
        services = resolved(node.get("services"))
        if isinstance(services, Mapping) and "kind" not in keys and _all_mappings(services):
            return COMPOSE
        if "containerDefinitions" in keys:
            return ECS
        jobs = resolved(node.get("jobs"))
        if (isinstance(jobs, Mapping) and _all_mappings(jobs)) or "runs" in keys:
            return GITHUB
        if self._name.rpartition("/")[2].endswith("gitlab-ci.yml") or any(
            _is_gitlab_job(value) for _, _, value in node.own()
        ):
            return GITLAB
        return ""

    def _take_patch(self, root: Sequence) -> bool:
        """A JSON patch: each entry says where its value goes."""
        entries = [item for item in root.items if isinstance(item, Mapping) and item.text("op") and item.text("path")]
        if not entries or len(entries) != len(root.items):
            return False
        for entry in entries:
            value = entry.get("value")
            pointer = entry.text("path") or ""
            if value is None or _POINTER.match(pointer) is None:
                continue
            path = tuple("[]" if part == "-" or part.isdigit() else part for part in pointer.split("/")[1:])
            target = resolved(value)
            if target is not None:
                self._walk(Walk(target, path=path, owner=entry), "", "")
        return True


def _span_of_first(text: str, visits: list[tuple[Visit, Form]]) -> tuple[int, int] | None:
    node = visits[0][0].node
    return span_of(text, node) if isinstance(node, Scalar) else None


def _kind_of(node: Node) -> tuple[str, str]:
    if not isinstance(node, Mapping):
        return "", ""
    version = node.text("apiVersion") or ""
    return (version.rpartition("/")[0], node.text("kind") or "")


def _is_resource(node: Mapping) -> bool:
    """Whether a mapping within another is a resource of its own, as the items of a list are; a reference to one is not."""
    names = {key for key, _, _ in node.own()}
    if "kind" not in names or not names & {"apiVersion", "spec"}:
        return False
    return any(isinstance(resolved(value), (Mapping, Sequence)) for _, value in node.pairs)


def _looks_kustomized(node: Mapping, keys: set[str], name: str) -> bool:
    """Whether a file without a kind is a kustomization: by its name, or by entries that nothing else has."""
    if name.rpartition("/")[2] in ("kustomization.yaml", "kustomization.yml", "Kustomization"):
        return True
    images = resolved(node.get("images"))
    if not isinstance(images, Sequence) or not images.items:
        return False
    entries = [{key for key, _, _ in item.own()} for item in images.items if isinstance(item, Mapping)]
    if len(entries) != len(images.items) or not all("name" in entry and entry <= _ENTRY for entry in entries):
        return False
    return any(len(entry) > 1 for entry in entries) or bool(keys & _KUSTOMIZATION_KEYS)


def _all_mappings(node: Mapping) -> bool:
    return bool(node.pairs) and all(isinstance(resolved(value), Mapping) for _, value in node.pairs)


def _is_gitlab_job(value: Node) -> bool:
    job = resolved(value)
    return isinstance(job, Mapping) and isinstance(resolved(job.get("script")), (Scalar, Sequence))


def _block(text: str, node: Scalar) -> tuple[str, Moves] | None:
    """The text of a literal block and where its lines stand, or of a value that stands on one line as it is."""
    if node.style != "|":
        span = span_of(text, node)
        if span is None or text[slice(*span)] != node.value:
            return None
        return node.value, Moves(((0, span[0]),))
    header = text.find("\n", node.start)
    lines = node.value.split("\n")
    at, inner = header + 1, 0
    moves = []
    indent: int | None = None
    for line in lines:
        end = text.find("\n", at)
        source = text[at : len(text) if end < 0 else end].rstrip("\r")
        if line:
            if indent is None:
                indent = len(source) - len(line)
            if indent < 0 or source[indent:] != line:
                return None
        moves.append((inner, at + (indent or 0)))
        inner += len(line) + 1
        at = len(text) if end < 0 else end + 1
    return node.value, Moves(tuple(moves))
