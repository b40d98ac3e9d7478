"""The one place that decides what an image reference becomes.

Whatever rewrites images (admission policies, manifests, Helm values, cluster configuration, the CDK aspect)
calls :class:`CacheMapping` or is generated from :attr:`CacheMapping.substitutions`, and is tested against it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property

from ..errors import UserError
from .hosts import EcrHost
from .patterns import expression_of
from .placeholders import is_placeholder
from .prefixes import ROOT, check_prefix
from .reference import DOCKER_HUB, LONGEST_REPOSITORY, ImageReference, check_registry_host
from .upstream import Upstream


class PinnedByDigest(Enum):
    """The treatment of references with a digest.

    ECR answers the first pull of an image by a tag only (aws/containers-roadmap#2837): a reference with a digest
    that is sent to the cache before the image was imported by its tag stops the Pod.
    """

    LEAVE = "leave"
    """They keep pulling from upstream: always safe."""
    REWRITE = "rewrite"
    """They are pulled from the cache: for caches that are warmed before a digest is rolled out."""


class Reason(Enum):
    """Why a reference is rewritten, or is not."""

    CACHED = "pulled through the cache"
    ALREADY_CACHED = "names the cache already"
    NO_RULE = "no rule caches this registry"
    PINNED_BY_DIGEST = "pinned by digest, which the cache can only answer once the image is imported by its tag"
    REPLICA_ONLY = "the registry holds replicas only and cannot import images"
    PLACEHOLDER = "a placeholder that another tool replaces, not an image"
    EXCLUDED = "a pattern of 'exclude' names it"
    NOT_SELECTED = "no pattern of 'only' names it"
    NAME_TOO_LONG = f"its name in the cache would have more than {LONGEST_REPOSITORY} characters"
    NOT_ALLOWED = "the allow list of its upstream does not name it"


@dataclass(frozen=True, kw_only=True)
class CachedUpstream:
    """An upstream registry as one pull through cache rule presents it.

    :param upstream: the upstream registry.
    :param repository_prefix: ECR's repository prefix, 2 to 30 characters, or ``ROOT`` for none.
    :param upstream_repository_prefix: the part of the upstream that the prefix stands for, or ``ROOT`` for all of it.
    :param allow: repositories that may be imported, by their path below that part; ``*`` stands for any characters.
        Default: all of them.
    :raises UserError: when a prefix is not one that ECR accepts, ``ROOT`` stands for a part of the upstream, or ``allow`` names
        no repository.
    """

    upstream: Upstream
    repository_prefix: str
    upstream_repository_prefix: str = ROOT
    allow: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "repository_prefix", check_prefix(self.repository_prefix))
        object.__setattr__(self, "upstream_repository_prefix", check_prefix(self.upstream_repository_prefix))
        # https://docs.aws.amazon.com/AmazonECR/latest/userguide/pull-through-cache-private-wildcards.html
        if self.repository_prefix == ROOT != self.upstream_repository_prefix:
            raise UserError(
                f"the part {self.upstream_repository_prefix!r} of {self.upstream.url} is given with the repository prefix "
                f"{ROOT}; ECR takes a part of an upstream only with a repository prefix of 2 to 30 characters, so choose one"
            )
        check_allowed(self.upstream, self.upstream_repository_prefix, self.allow)


@dataclass(frozen=True, slots=True)
class Substitution:
    """One literal substitution at the beginning of a canonical reference.

    :param source: ``registry.k8s.io/`` or ``quay.io/argoproj/``; always ends in ``/``.
    :param target: ``111122223333.dkr.ecr.eu-west-1.amazonaws.com/k8s/``; always ends in ``/``.
    :param rule: the rule that it follows from.
    """

    source: str
    target: str
    rule: CachedUpstream

    @property
    def upstream(self) -> str:
        """The source by the upstream's first host: ``registry.k8s.io/`` for ``k8s.gcr.io/``. Patterns are about this name."""
        return f"{self.rule.upstream.host}/{_directory(self.rule.upstream_repository_prefix)}"


@dataclass(frozen=True, slots=True)
class Decision:
    """The decision on one reference.

    :param original: the reference as given.
    :param image: the reference to use; the one given when it is left alone.
    :param reason: why.
    :param rule: the rule that caches it, also where the reference is left alone for another reason.
    """

    original: str
    image: str
    reason: Reason
    rule: CachedUpstream | None = None

    @property
    def is_rewritten(self) -> bool:
        """Whether to use another image than the one given."""
        return self.reason is Reason.CACHED


@dataclass(frozen=True, kw_only=True)
class CacheMapping:
    """The mapping from upstream images to images of the cache, for the clusters that pull from one registry.

    :param registry: host of the registry that is pulled from.
    :param rules: the upstreams that are cached there.
    :param pinned_by_digest: the rule for references with a digest.
    :param replica_only: whether the registry only receives replicas and so cannot import an image on a pull.
    :param aliases: further hosts of the same registry; found by themselves for ECR's usual hosts.
    :param exclude: patterns of upstream images that keep their upstream; see :class:`ImagePattern`. Default: none.
    :param only: patterns of the upstream images that go to the cache; all others keep their upstream. Default: all.
    :raises UserError: when a pattern is none, the registry is not the host of one, or an allow list is for a part of what
        another rule caches.
    """

    registry: str
    rules: tuple[CachedUpstream, ...]
    pinned_by_digest: PinnedByDigest = PinnedByDigest.LEAVE
    replica_only: bool = False
    aliases: tuple[str, ...] = field(default=())
    exclude: tuple[str, ...] = ()
    only: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_registry_host(self.registry)
        expression_of((*self.exclude, *self.only))
        _check_nesting(self.rules)

    @classmethod
    def of(
        cls,
        registry: str,
        rules: Iterable[CachedUpstream],
        *,
        pinned_by_digest: PinnedByDigest = PinnedByDigest.LEAVE,
        exclude: Iterable[str] = (),
        only: Iterable[str] = (),
    ) -> CacheMapping:
        """A mapping for a registry's host and any iterable of rules."""
        return cls(
            registry=registry,
            rules=tuple(rules),
            pinned_by_digest=pinned_by_digest,
            exclude=tuple(exclude),
            only=tuple(only),
        )

    @cached_property
    def hosts(self) -> tuple[str, ...]:
        """Every host that means the cache itself, the one that is written first."""
        ecr = EcrHost.parse(self.registry)
        known = ecr.aliases if ecr else ()
        return tuple(dict.fromkeys((self.registry, *self.aliases, *known)))

    @cached_property
    def substitutions(self) -> tuple[Substitution, ...]:
        """Every substitution, the longest source first, for a reference in the form of :func:`canonical`.

        The first whose source the reference begins with is the one that holds. This is what renderers
        without Python are generated from.
        """
        table: dict[str, Substitution] = {}
        for rule in self.rules:
            below = _directory(rule.upstream_repository_prefix)
            target = f"{self.registry}/{_directory(rule.repository_prefix)}"
            hosts = (DOCKER_HUB,) if rule.upstream.is_docker_hub else rule.upstream.hosts
            for host in hosts:
                source = f"{host}/{below}"
                table.setdefault(source, Substitution(source, target, rule))
        return tuple(sorted(table.values(), key=lambda s: (-len(s.source), s.source)))

    @cached_property
    def docker_hub_hosts(self) -> tuple[str, ...]:
        """The hosts that mean Docker Hub besides no host at all."""
        return Upstream.DOCKER_HUB.hosts

    def decide(self, image: str) -> Decision:
        """Decide on a reference, with the reason.

        :param image: a reference as it stands in a Pod.
        :raises InvalidImageReference: when it is not a legal reference.
        """
        if is_placeholder(image):
            return Decision(image, image, Reason.PLACEHOLDER)
        reference = ImageReference.parse(image)
        if reference.registry in self.hosts:
            return Decision(image, image, Reason.ALREADY_CACHED)
        reference = _canonical(reference)
        text = str(reference)
        hit = next((s for s in self.substitutions if text.startswith(s.source)), None)
        if hit is None:
            return Decision(image, image, Reason.NO_RULE)
        stays = self._why_it_stays(hit, text, reference)
        if stays is not None:
            return Decision(image, image, stays, hit.rule)
        return Decision(image, hit.target + text[len(hit.source) :], Reason.CACHED, hit.rule)

    def _why_it_stays(self, hit: Substitution, text: str, reference: ImageReference) -> Reason | None:
        name = hit.upstream + text[len(hit.source) :]
        if self._excluded is not None and self._excluded.fullmatch(name):
            return Reason.EXCLUDED
        if self._selected is not None and not self._selected.fullmatch(name):
            return Reason.NOT_SELECTED
        if self._allowed is not None and not self._allowed.fullmatch(name):
            return Reason.NOT_ALLOWED
        if self.replica_only:
            return Reason.REPLICA_ONLY
        if reference.digest and self.pinned_by_digest is PinnedByDigest.LEAVE:
            return Reason.PINNED_BY_DIGEST
        if self._length_in_cache(hit, reference) > LONGEST_REPOSITORY:
            return Reason.NAME_TOO_LONG
        return None

    def _length_in_cache(self, hit: Substitution, reference: ImageReference) -> int:
        """Count the characters of the repository in the cache, without the host."""
        prefix = len(hit.target) - len(self.registry)
        part = len(hit.source) - len(reference.registry)
        return prefix + len(reference.repository) - part

    @cached_property
    def _excluded(self) -> re.Pattern[str] | None:
        return re.compile(expression_of(self.exclude), re.ASCII) if self.exclude else None

    @cached_property
    def allowed(self) -> str | None:
        """One regular expression for the references whose import is allowed, ``None`` where no rule has an allow list.

        It is about references by their upstream's first host, as ``exclude`` and ``only`` are.
        """
        if not any(rule.allow for rule in self.rules):
            return None
        return expression_of(
            f"{rule.upstream.host}/{_directory(rule.upstream_repository_prefix)}{path}"
            for rule in self.rules
            for path in rule.allow or ("*",)
        )

    @cached_property
    def _allowed(self) -> re.Pattern[str] | None:
        return re.compile(self.allowed, re.ASCII) if self.allowed is not None else None

    @cached_property
    def _selected(self) -> re.Pattern[str] | None:
        return re.compile(expression_of(self.only), re.ASCII) if self.only else None

    def map(self, image: str) -> str:
        """The reference to use in place of one: its cached form, or the very text given.

        :param image: a reference as it stands in a Pod.
        :raises InvalidImageReference: when it is not a legal reference.
        """
        return self.decide(image).image

    def name_in_cache(self, image: str) -> str | None:
        """The one name by which the registry holds an image, whichever of its hosts the reference has.

        :param image: a reference with the upstream's name or the cache's.
        :returns: the reference with the registry's usual host, ``None`` when the image is not one of the cache.
        :raises InvalidImageReference: when it is not a legal reference.
        """
        decision = self.decide(image)
        if decision.reason not in (Reason.CACHED, Reason.ALREADY_CACHED):
            return None
        reference = ImageReference.parse(decision.image)
        return str(reference.at(registry=self.registry, repository=reference.repository))

    def upstream_of(self, image: str) -> str | None:
        """The way back: the upstream's reference that a reference of the cache stands for.

        :param image: a reference as it stands in a Pod.
        :returns: the canonical upstream reference, ``None`` when the image is not one of the cache.
        :raises InvalidImageReference: when it is not a legal reference.
        """
        reference = ImageReference.parse(image)
        if reference.registry not in self.hosts:
            return None
        text = str(reference.at(registry=self.registry, repository=reference.repository))
        back = sorted(self.substitutions, key=lambda s: -len(s.target))
        return next(
            (f"{s.upstream}{text[len(s.target) :]}" for s in back if text.startswith(s.target)),
            None,
        )


def canonical(image: str) -> str:
    """A reference with its registry written out, Docker Hub always as ``docker.io`` and with ``library/``.

    :param image: a reference as it stands in a Pod.
    :raises InvalidImageReference: when it is not a legal reference.
    """
    return str(_canonical(ImageReference.parse(image)))


def _canonical(reference: ImageReference) -> ImageReference:
    if reference.registry not in Upstream.DOCKER_HUB.hosts:
        return reference
    path = reference.repository
    return reference.at(registry=DOCKER_HUB, repository=path if "/" in path else f"library/{path}")


def _directory(prefix: str) -> str:
    return "" if prefix == ROOT else f"{prefix}/"


_ALLOWED = re.compile(r"[a-z0-9._/*-]{1,255}", re.ASCII)


def check_allowed(upstream: Upstream, upstream_repository_prefix: str, allow: Iterable[str]) -> None:
    """Refuse an allow list that names no repositories of an upstream.

    :param upstream: the upstream registry.
    :param upstream_repository_prefix: the part of it that is cached, or ``ROOT``.
    :param allow: paths below that part; ``*`` stands for any characters.
    :raises UserError: when one of them is not a path.
    """
    for path in allow:
        if not _ALLOWED.fullmatch(path) or path.startswith("/") or path.endswith("/") or "//" in path:
            raise UserError(
                f"{path!r} in the allow list is not the path of repositories; it has neither registry nor tag, and '*' stands "
                "for any characters: library/alpine, bitnami/*"
            )
        if set(path) == {"*"}:
            raise UserError("'*' in the allow list allows everything; leave 'allow' out")
        if upstream.is_docker_hub and upstream_repository_prefix == ROOT and "/" not in path and "*" not in path:
            raise UserError(f"{path!r} in the allow list is no repository of Docker Hub; write 'library/{path}'")


def _check_nesting(rules: Iterable[CachedUpstream]) -> None:
    """Refuse an allow list for a part of what another rule caches: what the one leaves out, the other would bring."""
    listed = list(rules)
    for rule in (rule for rule in listed if rule.allow):
        part = _directory(rule.upstream_repository_prefix)
        for other in listed:
            above = _directory(other.upstream_repository_prefix)
            if other is not rule and other.upstream == rule.upstream and part.startswith(above):
                raise UserError(
                    f"the allow list under {rule.repository_prefix!r} is for a part of {rule.upstream.host} that "
                    f"{other.repository_prefix!r} caches too; give both one prefix with one allow list"
                )
