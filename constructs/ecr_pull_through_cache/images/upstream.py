"""The catalogue of the upstream registries that Amazon ECR can pull through."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import ClassVar

from ..errors import UserError
from .hosts import COMMERCIAL, UNRESOLVED, EcrHost, is_account, partition_of


class Credentials(Enum):
    """Whether ECR signs in to an upstream registry with a user name and an access token."""

    NONE = "none"
    """ECR takes no credentials for it."""
    OPTIONAL = "optional"
    """Not known; for registries that this catalogue does not have (:meth:`Upstream.of`)."""
    REQUIRED = "required"
    """ECR refuses a rule without credentials."""


class UnsupportedUpstream(UserError):
    """An upstream registry that ECR cannot pull through."""


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
    :param credentials: whether ECR signs in with a user name and an access token.
    :param partitions: the AWS partitions whose ECR offers this upstream. Default: every partition, with a warning where
        AWS does not say that its ECR pulls through (:attr:`Partition.unverified`).
    :param is_docker_hub: whether a reference without a registry means this upstream.
    :param account: for a private ECR registry, its account; otherwise ``None``.
    :param region: for a private ECR registry, its Region; otherwise ``None``.
    """

    name: str
    url: str
    hosts: tuple[str, ...]
    credentials: Credentials = Credentials.NONE
    partitions: frozenset[str] | None = None
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
        """Name an Azure Container Registry.

        :param host: the registry's login server: ``example.azurecr.io``, or ``example-a1b2c3d4e5f6g7h8.azurecr.io`` where it
            was made with a domain name label. ECR knows those of Azure China (``.cn``) and Azure Government (``.us``) not.
        :raises UserError: when the host is not one of these.
        """
        if not _AZURE_HOST.fullmatch(host):
            raise UserError(f"{host!r} is not an Azure container registry that ECR pulls through; {_AZURE_LOOKS}")
        return cls(name="azure-container-registry", url=host, hosts=(host,), credentials=Credentials.REQUIRED)

    @classmethod
    def ecr(cls, *, account: str, region: str, suffix: str | None = None) -> Upstream:
        """Name a private Amazon ECR registry of another Region or account.

        :param account: the upstream registry's account, 12 digits or a token.
        :param region: the upstream registry's Region, or a token.
        :param suffix: the partition's DNS suffix. Default: that of the Region's partition.
        :raises UserError: when the account or the Region is not one.
        """
        if not (is_account(account) or UNRESOLVED in account):
            raise UserError(f"{account!r} is not an account; an account has 12 digits")
        partition = partition_of(region)
        if partition is None and UNRESOLVED not in region:
            raise UserError(f"{region!r} is not a Region; a Region is named like 'eu-west-1'")
        host = EcrHost(account=account, region=region, suffix=suffix or (partition or COMMERCIAL).suffix)
        return cls(name="ecr", url=host.host, hosts=host.aliases, account=account, region=region)

    @classmethod
    def of(
        cls,
        name: str,
        *,
        url: str,
        hosts: Iterable[str] = (),
        credentials: Credentials = Credentials.OPTIONAL,
        partitions: Iterable[str] | None = None,
    ) -> Upstream:
        """An upstream registry that ECR supports and this catalogue does not know yet.

        :param name: the API's value of ``upstreamRegistry``.
        :param url: the API's value of ``upstreamRegistryUrl``.
        :param hosts: the hosts that images are named by; the URL if left out.
        :param credentials: whether ECR signs in with a user name and an access token. Default: not known.
        :param partitions: the partitions whose ECR offers it, as AWS says. Default: every partition, with a warning where AWS
            does not say that its ECR pulls through.
        """
        return cls(
            name=name,
            url=url,
            hosts=tuple(hosts) or (url,),
            credentials=credentials,
            partitions=None if partitions is None else frozenset(partitions),
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
        """Find the upstream registry that images of a host come from.

        :param host: a host as written in image references: ``registry.k8s.io``, ``docker.io``,
            ``example.azurecr.io``, ``111122223333.dkr.ecr.eu-west-1.amazonaws.com``.
        :raises UnsupportedUpstream: when ECR cannot pull through from there; the message names the ways left.
        """
        for upstream in cls.catalogue():
            if host in upstream.hosts or host == upstream.url:
                return upstream
        if _AZURE_HOST.fullmatch(host):
            return cls.azure(host)
        if host.endswith(_AZURE_ELSEWHERE):
            raise UnsupportedUpstream(
                f"{host!r} is not an Azure container registry that ECR pulls through; {_AZURE_LOOKS}"
            )
        ecr = EcrHost.parse(host)
        there = partition_of(ecr.region) if ecr is not None else None
        if ecr is not None and there is not None and there.suffix == ecr.suffix:
            return cls.ecr(account=ecr.account, region=ecr.region, suffix=ecr.suffix)
        raise UnsupportedUpstream(_unsupported(host, [known for u in cls.catalogue() for known in u.hosts]))

    @property
    def host(self) -> str:
        """The canonical host of this registry's images."""
        return self.hosts[0]

    def why_not_pulled_through(self, *, account: str | None, region: str | None) -> str | None:
        """Why a registry cannot pull this upstream through, or ``None`` when nothing speaks against it.

        :param account: the registry's account, ``None`` or a token where it is not known.
        :param region: the registry's Region, ``None`` or a token where it is not known.
        """
        partition = partition_of(region) if region else None
        if self.account is not None and (self.account, self.region) == (account, region):
            return f"{self.url} is this registry itself; a registry is not its own upstream"
        if partition is None:
            return None
        theirs = partition_of(self.region) if self.region else None
        if theirs is not None and theirs != partition:
            return (
                f"{self.url} lies in the partition {theirs.name}, and this registry in {partition.name}; "
                "ECR reads a private registry of its own partition alone, so copy its images"
            )
        if self.partitions is not None and partition.name not in self.partitions:
            return (
                f"ECR cannot pull {self.url} through in the partition {partition.name} of {region}; "
                f"it is said to do so in {', '.join(sorted(self.partitions)) or 'none'}"
            )
        return None

    def unverified_in(self, region: str | None) -> str | None:
        """Explain why it is not verified that ECR pulls this upstream through in a Region; ``None`` if it is.

        :param region: the registry's Region, ``None`` or a token where it is not known.
        """
        partition = partition_of(region) if region else None
        if partition is None or partition.unverified is None or self.partitions is not None:
            return None
        return f"whether ECR pulls through in {region} (partition {partition.name}) is not verified: {partition.unverified}"

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


_AZURE_HOST = re.compile(r"[a-z0-9]{5,50}(?:-[a-z0-9]{1,32})?\.azurecr\.io", re.ASCII)
_AZURE_ELSEWHERE = (".azurecr.io", ".azurecr.cn", ".azurecr.us")
_AZURE_LOOKS = (
    "allowed are hosts like 'example.azurecr.io' and 'example-a1b2c3d4e5f6g7h8.azurecr.io', "
    "not those of Azure China (.cn) and Azure Government (.us)"
)

Upstream.KUBERNETES = Upstream(name="k8s", url="registry.k8s.io", hosts=("registry.k8s.io", "k8s.gcr.io"))
Upstream.ECR_PUBLIC = Upstream(name="ecr-public", url="public.ecr.aws", hosts=("public.ecr.aws",))
Upstream.QUAY = Upstream(name="quay", url="quay.io", hosts=("quay.io",))
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
