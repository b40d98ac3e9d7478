"""Container image references after the grammar that Docker and containerd use.

The grammar is that of https://pkg.go.dev/github.com/distribution/reference.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from ..errors import UserError
from .hosts import UNRESOLVED

DOCKER_HUB = "docker.io"
"""The registry of a reference that names none."""

_HOST_LABEL = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_HOST = rf"(?:{_HOST_LABEL}(?:\.{_HOST_LABEL})*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?"
_PATH_COMPONENT = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_PATH = rf"{_PATH_COMPONENT}(?:/{_PATH_COMPONENT})*"
_TAG = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}"
_DIGEST = r"[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}"

_REMAINDER = re.compile(rf"(?P<path>{_PATH})(?::(?P<tag>{_TAG}))?(?:@(?P<digest>{_DIGEST}))?", re.ASCII)
_HOST_ONLY = re.compile(_HOST, re.ASCII)
_SHAPE = re.compile(r"(?P<name>[^@]*?)(?::(?P<tag>[^:/@]*))?(?:@(?P<digest>.*))?", re.ASCII | re.DOTALL)
_PATH_ONLY = re.compile(_PATH, re.ASCII)
_TAG_ONLY = re.compile(_TAG, re.ASCII)
_DIGEST_ONLY = re.compile(_DIGEST, re.ASCII)
_IDENTIFIER = re.compile(r"[a-f0-9]{64}", re.ASCII)
_HEX_LENGTH = {"sha256": 64, "sha384": 96, "sha512": 128}
_LONGEST_PATH = 255
_DIGESTS = "|".join(f"{algorithm}:[a-f0-9]{{{length}}}" for algorithm, length in _HEX_LENGTH.items())

LEGAL_TAGGED = f"^[^/]+/{_PATH}(?::{_TAG})?$"
"""What follows the registry of a canonical reference, for readers of RE2 that cannot call :meth:`ImageReference.parse`."""
LEGAL = f"^[^/]+/{_PATH}(?::{_TAG})?(?:@(?:{_DIGESTS}))?$"
"""The same, where there may be a digest."""
LEGAL_LENGTH = f"^[^/]+/[^:@]{{1,{_LONGEST_PATH}}}(?:[:@]|$)"
"""How long its repository may be. A reference of at most :data:`SURELY_SHORT` characters need not be asked."""
SURELY_SHORT = _LONGEST_PATH
IMAGE_ID = f"^{_IDENTIFIER.pattern}(?:[:@]|$)"
"""An image id, where a name without registry stands."""
LONGEST_REFERENCE = 1_024
"""No legal reference to an upstream registry is longer: a host of 253, a path of 255, a tag of 128, a digest of 135."""


class InvalidImageReference(UserError):
    """An image reference that no container runtime would accept.

    The message names the text given and what is allowed in its place.
    """


def split_registry(text: str) -> tuple[str | None, str]:
    """Split a reference into the registry that is written in it, if any, and the rest.

    The first path component is a registry when it holds a ``.``, a ``:`` or an upper-case letter, or is
    ``localhost``. Nothing is checked and nothing is made canonical.

    :param text: an image reference, for example ``quay.io/argoproj/argocd:v3``.
    :returns: ``("quay.io", "argoproj/argocd:v3")``; the registry is ``None`` for ``nginx:1``.
    """
    first, slash, rest = text.partition("/")
    if slash and (first == "localhost" or "." in first or ":" in first or first != first.lower()):
        return first, rest
    return None, text


@dataclass(frozen=True, slots=True)
class ImageReference:
    """An image reference in its canonical form.

    :param registry: host, with its port if one is written: ``docker.io``, ``localhost:5000``, ``[::1]:5000``.
    :param repository: path within the registry: ``library/nginx``.
    :param tag: tag, or ``None``.
    :param digest: digest with its algorithm (``sha256:…``), or ``None``.
    """

    registry: str
    repository: str
    tag: str | None = None
    digest: str | None = None

    @classmethod
    def parse(cls, text: str) -> ImageReference:
        """Read a reference as it stands in a Pod: ``nginx`` is ``docker.io/library/nginx``.

        :param text: the reference, with or without registry, tag and digest.
        :raises InvalidImageReference: when it is not a legal reference.
        """
        registry, remainder = split_registry(text)
        match = _REMAINDER.fullmatch(remainder)
        if match is None or (registry is not None and not _HOST_ONLY.fullmatch(registry)):
            raise InvalidImageReference(_explain(text, registry, remainder))
        path, tag, digest = match.group("path", "tag", "digest")
        if registry is None and _IDENTIFIER.fullmatch(path):
            raise InvalidImageReference(f"{text!r} is an image id, not a name; write the repository's name")
        if digest is not None:
            _check_digest(text, digest)
        if registry is None or registry == "index.docker.io":
            registry = DOCKER_HUB
        if registry == DOCKER_HUB and "/" not in path:
            path = f"library/{path}"
        if len(path) > _LONGEST_PATH:
            raise InvalidImageReference(
                f"{text!r} has a repository of {len(path)} characters; at most {_LONGEST_PATH} are allowed"
            )
        return cls(registry, path, tag, digest)

    @property
    def name(self) -> str:
        """Registry and repository, without tag and digest: ``docker.io/library/nginx``."""
        return f"{self.registry}/{self.repository}"

    @property
    def identifier(self) -> str:
        """The part that a registry resolves: the digest, or the tag, or ``latest``."""
        return self.digest or self.tag or "latest"

    def at(self, *, registry: str, repository: str) -> ImageReference:
        """The same tag and digest in another repository."""
        return replace(self, registry=registry, repository=repository)

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        digest = f"@{self.digest}" if self.digest else ""
        return f"{self.name}{tag}{digest}"


LONGEST_REPOSITORY = _LONGEST_PATH
"""The most characters of a repository that container runtimes take; Amazon ECR takes 256."""


def check_registry_host(host: str) -> str:
    """Refuse a text that a container runtime would not take for the host of a registry.

    :param host: for example ``111122223333.dkr.ecr.eu-west-1.amazonaws.com``, ``localhost:5000`` or a token of the CDK.
    :returns: the host.
    :raises UserError: when it is not the host of a registry.
    """
    if UNRESOLVED in host or (_HOST_ONLY.fullmatch(host) and split_registry(f"{host}/x")[0] == host):
        return host
    raise UserError(
        f"{host!r} is not the host of a registry; write one such as '111122223333.dkr.ecr.eu-west-1.amazonaws.com'"
    )


def check_parts(
    repository: str, *, tag: str | None = None, digest: str | None = None, below: str = "", dotted: bool = False
) -> None:
    """Refuse parts that do not make a reference when they are put together. Tokens of the CDK are accepted.

    :param repository: path of a repository, without host, tag and digest: ``coredns/coredns``.
    :param tag: a tag, or ``None``.
    :param digest: a digest with its algorithm, or ``None``.
    :param below: the path that comes before the repository, without the ``/`` at its end.
    :param dotted: whether the first part of the path may hold a ``.``, as in private registries of Amazon ECR.
    :raises InvalidImageReference: when one is not such a part, or the path is too long.
    """
    if UNRESOLVED not in repository:
        _check_repository(repository, below, dotted=dotted)
    if tag is not None and UNRESOLVED not in tag and not _TAG_ONLY.fullmatch(tag):
        raise InvalidImageReference(
            f"the tag {tag!r} is given; allowed are at most 128 letters, digits, '_', '.' and '-', not beginning with '.' or '-'"
        )
    if digest is not None and UNRESOLVED not in digest:
        if not _DIGEST_ONLY.fullmatch(digest):
            raise InvalidImageReference(
                f"the digest {digest!r} is given; a digest looks like 'sha256:' and 64 hexadecimal digits"
            )
        _check_digest(f"{repository}@{digest}", digest)


def _check_repository(repository: str, below: str, *, dotted: bool) -> None:
    _, colon, tag = repository.rpartition("/")[2].partition(":")
    if "@" in repository:
        raise InvalidImageReference(f"the repository {repository!r} holds a digest; give it as 'digest'")
    host = split_registry(repository)[0]
    if host is not None and not (dotted and _PATH_ONLY.fullmatch(host)):
        raise InvalidImageReference(
            f"the repository {repository!r} begins with the host {host!r}; give its path alone, without the host"
        )
    if colon:
        raise InvalidImageReference(f"the repository {repository!r} holds the tag {tag!r}; give it as 'tag'")
    if not _PATH_ONLY.fullmatch(repository):
        raise InvalidImageReference(
            f"the repository {repository!r} is given; allowed are lower-case letters and digits, "
            "joined by '.', '_', '__', '-' or '/'"
        )
    length = len(f"{below}/{repository}" if below else repository)
    if length > LONGEST_REPOSITORY:
        raise InvalidImageReference(
            f"the repository {repository!r} has {length} characters with its prefix; "
            f"at most {LONGEST_REPOSITORY} are allowed"
        )


def _check_digest(text: str, digest: str) -> None:
    algorithm, _, value = digest.partition(":")
    length = _HEX_LENGTH.get(algorithm)
    if length is None:
        raise InvalidImageReference(
            f"{text!r} has a digest of the unknown algorithm {algorithm!r}; allowed are {', '.join(_HEX_LENGTH)}"
        )
    if len(value) != length or value != value.lower():
        raise InvalidImageReference(
            f"{text!r} has a digest that is not {algorithm} followed by {length} lower-case hexadecimal digits"
        )


def _explain(text: str, registry: str | None, remainder: str) -> str:
    if not text:
        return "an image reference is empty; write for example 'registry.k8s.io/pause:3.10'"
    if registry is not None and not _HOST_ONLY.fullmatch(registry):
        return f"{text!r} has the registry {registry!r}, which is not a host name with an optional port"
    shape = _SHAPE.fullmatch(remainder)
    if shape is None:
        return f"{text!r} is not an image reference"
    name, tag, digest = shape.group("name", "tag", "digest")
    if name != name.lower():
        return f"{text!r} has an upper-case letter in its repository; only lower case is allowed there"
    if not _PATH_ONLY.fullmatch(name):
        return (
            f"{text!r} has the repository {name!r}; allowed are lower-case letters and digits, "
            "joined by '.', '_', '__', '-' or '/'"
        )
    if tag is not None and not _TAG_ONLY.fullmatch(tag):
        return (
            f"{text!r} has the tag {tag!r}; allowed are at most 128 letters, digits, '_', '.' and '-', "
            "not beginning with '.' or '-'"
        )
    if digest is not None and not _DIGEST_ONLY.fullmatch(digest):
        return f"{text!r} has the digest {digest!r}; a digest looks like 'sha256:' and 64 hexadecimal digits"
    return f"{text!r} is not an image reference"
