"""Patterns of images: which of those that a cache could hold are sent there.

One regular expression is made of a pattern, for Python, Kyverno and the Kubernetes API server alike, so it keeps to what
Python's ``re`` and Google's RE2 (https://github.com/google/re2/wiki/Syntax) read in the same way.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from ..errors import UserError
from .reference import DOCKER_HUB
from .upstream import UnsupportedUpstream, Upstream

_SHAPE = re.compile(r"(?P<name>[A-Za-z0-9._/*-]+)(?::(?P<tag>[A-Za-z0-9_.*-]+))?", re.ASCII)
_LONGEST = 512


@dataclass(frozen=True, slots=True)
class ImagePattern:
    """A pattern of image references, such as ``quay.io/argoproj/*`` or ``registry.k8s.io/kube-*:v1.3*``.

    ``*`` stands for any number of any characters, ``/`` among them. The rest stands for itself. A pattern without a tag
    is about every tag and digest of the images it names. One with a tag is about references with such a tag; a reference
    with neither tag nor digest has the tag ``latest``.

    :param name: registry and repository, the registry always written out: ``docker.io/library/nginx``.
    :param tag: pattern of the tag, or ``None`` for every tag and digest.
    """

    name: str
    tag: str | None = None

    @classmethod
    def parse(cls, text: str) -> ImagePattern:
        """Read a pattern.

        :param text: for example ``quay.io/argoproj/*``.
        :raises UserError: when it is not a pattern, or names no registry.
        """
        shape = _SHAPE.fullmatch(text)
        if shape is None or len(text) > _LONGEST:
            raise UserError(
                f"{text!r} is not a pattern of images; a pattern is REGISTRY/REPOSITORY or REGISTRY/REPOSITORY:TAG of at most "
                f"{_LONGEST} characters, where '*' stands for any characters: quay.io/argoproj/*"
            )
        name, tag = shape.group("name", "tag")
        registry, slash, path = name.partition("/")
        if "*" not in registry and not (slash and path and ("." in registry or registry == "localhost")):
            raise UserError(
                f"{text!r} is a pattern of images without a registry; write the registry too: {DOCKER_HUB}/library/nginx"
            )
        registry = _first_host(registry)
        if registry == DOCKER_HUB and "/" not in path and "*" not in path:
            path = f"library/{path}"
        return cls(f"{registry}{slash}{path}", tag)

    @property
    def expression(self) -> str:
        """A regular expression that matches the whole of a canonical reference, without ``^`` and ``$``."""
        name = _glob(self.name, "[^:@]*")
        if self.tag is None:
            return f"{name}(:[^@]*)?(@.*)?"
        tag = _glob(self.tag, "[^@]*")
        tagged = f"{name}:{tag}(@.*)?"
        return f"({tagged}|{name})" if re.fullmatch(tag, "latest") else tagged

    def __str__(self) -> str:
        return self.name if self.tag is None else f"{self.name}:{self.tag}"


def expression_of(patterns: Iterable[str]) -> str:
    """One regular expression for references that any of the patterns is about, with ``^`` and ``$``.

    :param patterns: patterns as :meth:`ImagePattern.parse` reads them.
    :raises UserError: when one is not a pattern.
    """
    return "^(" + "|".join(ImagePattern.parse(pattern).expression for pattern in patterns) + ")$"


def expression_of_any_host(patterns: Iterable[str]) -> str:
    """As :func:`expression_of`, for references whose registry may be named by any host of it.

    :param patterns: patterns as :meth:`ImagePattern.parse` reads them.
    :raises UserError: when one is not a pattern.
    """
    found = []
    for pattern in map(ImagePattern.parse, patterns):
        registry, slash, path = pattern.name.partition("/")
        found += [ImagePattern(f"{host}{slash}{path}", pattern.tag).expression for host in _hosts(registry)]
    return "^(" + "|".join(found) + ")$"


def _hosts(registry: str) -> tuple[str, ...]:
    try:
        return Upstream.from_host(registry).hosts
    except UnsupportedUpstream:
        return (registry,)


def _first_host(registry: str) -> str:
    """The host that stands for a registry of several: ``registry.k8s.io`` for ``k8s.gcr.io``."""
    return _hosts(registry)[0]


def _glob(text: str, anything: str) -> str:
    # A character class of one needs no backslash, which YAML, JMESPath and CEL would each take for their own.
    return re.sub(r"\*+", lambda _: anything, text.replace(".", "[.]"))
