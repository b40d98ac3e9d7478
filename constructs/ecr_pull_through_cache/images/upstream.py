"""The catalogue of the upstream registries that Amazon ECR can pull through."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum
from typing import ClassVar

from ..errors import UserError
from .hosts import COMMERCIAL, PARTITIONS_WITH_PULL_THROUGH_CACHE, EcrHost


class Credentials(Enum):
    """Whether an upstream registry lets ECR pull without a user name and an access token."""

    NONE = "none"
    OPTIONAL = "optional"
    REQUIRED = "required"


class UnsupportedUpstream(UserError):
    """An upstream registry that ECR has no pull through cache for."""


@dataclass(frozen=True, kw_only=True)
class Upstream:
    """An upstream registry, as ECR's ``CreatePullThroughCacheRule`` knows it.

    The known ones are attributes of this class (:attr:`KUBERNETES`, :attr:`DOCKER_HUB` …);
    registries with a host of their own come from :meth:`azure` and :meth:`ecr`, and what AWS adds
    tomorrow from :meth:`of`.

    https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_CreatePullThroughCacheRule.html

    :param name: the API's value of ``upstreamRegistry``: ``k8s``.
    :param url: the API's value of ``upstreamRegistryUrl``, a host without scheme: ``registry.k8s.io``.
    :param hosts: the hosts that images of this registry are named by in manifests, the canonical one first.
    :param credentials: whether a user name and an access token are needed.
    :param partitions: the AWS partitions whose ECR offers this upstream.
    :param is_docker_hub: whether a reference without a registry means this upstream.
    :param account: for a private ECR registry, its account; otherwise ``None``.
    :param region: for a private ECR registry, its Region; otherwise ``None``.
    """

    name: str
    url: str
    hosts: tuple[str, ...]
    credentials: Credentials = Credentials.NONE
    partitions: frozenset[str] = field(default=PARTITIONS_WITH_PULL_THROUGH_CACHE)
    is_docker_hub: bool = False
    account: str | None = None
    region: str | None = None

    KUBERNETES: ClassVar[Upstream]
    ECR_PUBLIC: ClassVar[Upstream]
    QUAY: ClassVar[Upstream]
    DOCKER_HUB: ClassVar[Upstream]
    GITHUB: ClassVar[Upstream]
    GITLAB: ClassVar[Upstream]
    CHAINGUARD: ClassVar[Upstream]

    @classmethod
    def azure(cls, host: str) -> Upstream:
        """An Azure Container Registry.

        :param host: the registry's own host: ``example.azurecr.io``.
        :raises UserError: when the host is not one of Azure's.
        """
        if not _AZURE_HOST.fullmatch(host):
            raise UserError(f"{host!r} is not an Azure container registry; its host looks like 'example.azurecr.io'")
        return cls(name="azure-container-registry", url=host, hosts=(host,), credentials=Credentials.REQUIRED)

    @classmethod
    def ecr(cls, *, account: str, region: str, suffix: str = COMMERCIAL.suffix) -> Upstream:
        """A private Amazon ECR registry of another Region or account.

        :param account: the upstream registry's account; a token is welcome.
        :param region: the upstream registry's Region; a token is welcome.
        :param suffix: the partition's DNS suffix.
        """
        host = EcrHost(account=account, region=region, suffix=suffix)
        return cls(name="ecr", url=host.host, hosts=host.aliases, account=account, region=region)

    @classmethod
    def of(
        cls,
        name: str,
        *,
        url: str,
        hosts: Iterable[str] = (),
        credentials: Credentials = Credentials.OPTIONAL,
        partitions: Iterable[str] = PARTITIONS_WITH_PULL_THROUGH_CACHE,
    ) -> Upstream:
        """An upstream registry that ECR supports and this catalogue does not know yet.

        :param name: the API's value of ``upstreamRegistry``.
        :param url: the API's value of ``upstreamRegistryUrl``.
        :param hosts: the hosts that images are named by; the URL if left out.
        :param credentials: whether a user name and an access token are needed.
        :param partitions: the partitions whose ECR offers it.
        """
        return cls(
            name=name,
            url=url,
            hosts=tuple(hosts) or (url,),
            credentials=credentials,
            partitions=frozenset(partitions),
        )

    @classmethod
    def catalogue(cls) -> tuple[Upstream, ...]:
        """The registries with one well-known host, in the order in which people ask for them."""
        return (
            cls.KUBERNETES,
            cls.ECR_PUBLIC,
            cls.QUAY,
            cls.DOCKER_HUB,
            cls.GITHUB,
            cls.GITLAB,
            cls.CHAINGUARD,
        )

    @classmethod
    def from_host(cls, host: str) -> Upstream:
        """The upstream registry that images of a host come from.

        :param host: a host as written in image references: ``registry.k8s.io``, ``docker.io``,
            ``example.azurecr.io``, ``111122223333.dkr.ecr.eu-west-1.amazonaws.com``.
        :raises UnsupportedUpstream: when ECR cannot pull through from there; the message names the ways left.
        """
        for upstream in cls.catalogue():
            if host in upstream.hosts or host == upstream.url:
                return upstream
        if _AZURE_HOST.fullmatch(host):
            return cls.azure(host)
        ecr = EcrHost.parse(host)
        if ecr is not None:
            return cls.ecr(account=ecr.account, region=ecr.region, suffix=ecr.suffix)
        raise UnsupportedUpstream(_unsupported(host, [known for u in cls.catalogue() for known in u.hosts]))

    @property
    def host(self) -> str:
        """The canonical host of this registry's images."""
        return self.hosts[0]

    def __repr__(self) -> str:
        return f"Upstream({self.name}, {self.url})"


def _unsupported(host: str, known: list[str]) -> str:
    nearest = difflib.get_close_matches(host, known, n=1, cutoff=0.75)
    meant = f" (did you mean {nearest[0]!r}?)" if nearest else ""
    return (
        f"{host!r} is not an upstream registry that Amazon ECR can pull through{meant}; allowed are "
        f"{', '.join(u.host for u in Upstream.catalogue())}, NAME.azurecr.io and private ECR registries; "
        "copy images of other registries into a repository of your own, or take the same software from one of these"
    )


_AZURE_HOST = re.compile(r"[a-z0-9]{5,50}\.azurecr\.(?:io|cn|us)", re.ASCII)

Upstream.KUBERNETES = Upstream(name="k8s", url="registry.k8s.io", hosts=("registry.k8s.io", "k8s.gcr.io"))
Upstream.ECR_PUBLIC = Upstream(name="ecr-public", url="public.ecr.aws", hosts=("public.ecr.aws",))
Upstream.QUAY = Upstream(name="quay", url="quay.io", hosts=("quay.io",), credentials=Credentials.OPTIONAL)
Upstream.DOCKER_HUB = Upstream(
    name="docker-hub",
    url="registry-1.docker.io",
    hosts=("docker.io", "index.docker.io", "registry-1.docker.io"),
    credentials=Credentials.REQUIRED,
    is_docker_hub=True,
)
Upstream.GITHUB = Upstream(
    name="github-container-registry", url="ghcr.io", hosts=("ghcr.io",), credentials=Credentials.REQUIRED
)
Upstream.GITLAB = Upstream(
    name="gitlab-container-registry",
    url="registry.gitlab.com",
    hosts=("registry.gitlab.com",),
    credentials=Credentials.REQUIRED,
)
Upstream.CHAINGUARD = Upstream(name="chainguard", url="cgr.dev", hosts=("cgr.dev",), credentials=Credentials.REQUIRED)
