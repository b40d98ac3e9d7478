"""Host names of Amazon ECR registries, and the AWS partitions they depend on."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..errors import did_you_mean


@dataclass(frozen=True, kw_only=True)
class Partition:
    """A partition of AWS.

    :param name: ``aws``, ``aws-cn`` …
    :param suffix: DNS suffix of ECR's hosts there.
    :param dual_stack_suffix: DNS suffix of ECR's dual-stack hosts there.
    :param region_pattern: pattern of the names of its Regions.
    :param regions: the Regions that botocore 1.44 has endpoints of.
    :param unverified: why it is not known whether ECR pulls through there. Default: it does.
    """

    name: str
    suffix: str
    dual_stack_suffix: str
    region_pattern: str
    regions: tuple[str, ...]
    unverified: str | None = None

    def has_region(self, region: str) -> bool:
        """Whether a Region's name belongs to this partition."""
        return re.fullmatch(self.region_pattern, region, re.ASCII) is not None


COMMERCIAL = Partition(
    name="aws",
    suffix="amazonaws.com",
    dual_stack_suffix="on.aws",
    region_pattern=r"(?:us|eu|ap|sa|ca|me|af|il|mx)-[a-z]+-[0-9]+",
    regions=(
        "af-south-1",
        "ap-east-1",
        "ap-east-2",
        "ap-northeast-1",
        "ap-northeast-2",
        "ap-northeast-3",
        "ap-south-1",
        "ap-south-2",
        "ap-southeast-1",
        "ap-southeast-2",
        "ap-southeast-3",
        "ap-southeast-4",
        "ap-southeast-5",
        "ap-southeast-6",
        "ap-southeast-7",
        "ca-central-1",
        "ca-west-1",
        "eu-central-1",
        "eu-central-2",
        "eu-north-1",
        "eu-south-1",
        "eu-south-2",
        "eu-west-1",
        "eu-west-2",
        "eu-west-3",
        "il-central-1",
        "me-central-1",
        "me-south-1",
        "mx-central-1",
        "sa-east-1",
        "us-east-1",
        "us-east-2",
        "us-west-1",
        "us-west-2",
    ),
)

_NO_LONGER_EXCLUDED = (
    "the user guide once said that pull through cache is not supported there, and no longer says so; CloudFormation has the "
    "resource there, but no announcement was found (aws/containers-roadmap#2458 asks for it)"
)

# https://docs.aws.amazon.com/AmazonECR/latest/userguide/pull-through-cache.html (considerations)
PARTITIONS: tuple[Partition, ...] = (
    COMMERCIAL,
    Partition(
        name="aws-cn",
        suffix="amazonaws.com.cn",
        dual_stack_suffix="on.amazonwebservices.com.cn",
        region_pattern=r"cn-[a-z]+-[0-9]+",
        regions=("cn-north-1", "cn-northwest-1"),
        unverified=_NO_LONGER_EXCLUDED,
    ),
    Partition(
        name="aws-us-gov",
        suffix="amazonaws.com",
        dual_stack_suffix="on.aws",
        region_pattern=r"us-gov-[a-z]+-[0-9]+",
        regions=("us-gov-east-1", "us-gov-west-1"),
        unverified=_NO_LONGER_EXCLUDED,
    ),
    Partition(
        name="aws-eusc",
        suffix="amazonaws.eu",
        dual_stack_suffix="on.amazonwebservices.eu",
        region_pattern=r"eusc-[a-z]+-[a-z]+-[0-9]+",
        regions=("eusc-de-east-1",),
        unverified="CloudFormation has the resource there, but no page of AWS names the partition for pull through cache",
    ),
)

REGIONS: tuple[str, ...] = tuple(region for partition in PARTITIONS for region in partition.regions)
"""Every Region that botocore 1.44 has ECR endpoints of. AWS adds Regions: see :func:`is_new_region`."""

FIPS_REGIONS = ("us-east-1", "us-east-2", "us-west-1", "us-west-2", "us-gov-east-1", "us-gov-west-1")
"""The Regions with FIPS endpoints of ECR.

https://docs.aws.amazon.com/general/latest/gr/ecr.html
"""

UNRESOLVED = "Token["
"""Stands in every text that the CDK resolves later."""

_ACCOUNT = re.compile(r"[0-9]{12}", re.ASCII)


def is_account(text: str) -> bool:
    """Whether a text is the number of an account: 12 digits, ``0`` to ``9``."""
    return _ACCOUNT.fullmatch(text) is not None


def partition_of(region: str) -> Partition | None:
    """The partition that a Region's name belongs to, or ``None`` when it is no Region's name.

    :param region: for example ``eu-west-1``.
    """
    return next((p for p in PARTITIONS if p.has_region(region)), None)


def partition_name(region: str) -> str | None:
    """The name of the partition that a Region's name belongs to, ``None`` for a token and for no Region's name.

    :param region: for example ``eu-west-1``.
    """
    partition = partition_of(region)
    return partition.name if partition else None


_DIRECTION = re.compile(r".+-(?:central|(?:north|south)?(?:east|west)|north|south)-[1-9][0-9]?", re.ASCII)


def is_new_region(region: str) -> bool:
    """Whether a Region is one that AWS may have opened later: not among :data:`REGIONS`, and named like those of a partition.

    Every Region is named by a direction; without one, such as ``eu-wset-1``, the name is a mistake.

    :param region: for example ``sa-west-1``.
    """
    return region not in REGIONS and partition_of(region) is not None and _DIRECTION.fullmatch(region) is not None


def new_region(region: str) -> str:
    """Explain that a Region is taken for one that AWS opened after this version."""
    meant = did_you_mean(region, REGIONS)
    return f"this package does not know the Region {region!r}{meant}; it is taken for a new one that has Amazon ECR"


_ECR_HOST = re.compile(
    r"(?P<account>[0-9]{12})\.dkr(?:\.ecr(?:-fips)?|-ecr(?:-fips)?)\.(?P<region>[a-z0-9-]+)\.(?P<suffix>[a-z.]+)",
    re.ASCII,
)


@dataclass(frozen=True, kw_only=True)
class EcrHost:
    """The hosts of a private Amazon ECR registry.

    https://docs.aws.amazon.com/AmazonECR/latest/userguide/Registries.html

    :param account: the registry's account, 12 digits or a token.
    :param region: the registry's Region or a token.
    :param suffix: the partition's DNS suffix.
    """

    account: str
    region: str
    suffix: str = COMMERCIAL.suffix

    @classmethod
    def of(cls, account: str, region: str) -> EcrHost:
        """The registry of an account in a Region, with the suffix of the Region's partition."""
        partition = partition_of(region) or COMMERCIAL
        return cls(account=account, region=region, suffix=partition.suffix)

    @classmethod
    def parse(cls, host: str) -> EcrHost | None:
        """The registry that a host belongs to, be it plain, dual-stack or FIPS; ``None`` for other hosts."""
        match = _ECR_HOST.fullmatch(host)
        if match is None:
            return None
        account, region, suffix = match.group("account", "region", "suffix")
        for partition in PARTITIONS:
            if suffix in (partition.suffix, partition.dual_stack_suffix):
                return cls(account=account, region=region, suffix=partition.suffix)
        return None

    @property
    def host(self) -> str:
        """The registry's usual host: ``111122223333.dkr.ecr.eu-west-1.amazonaws.com``."""
        return f"{self.account}.dkr.ecr.{self.region}.{self.suffix}"

    @property
    def dual_stack(self) -> str:
        """The host that answers over IPv6 too: ``111122223333.dkr-ecr.eu-west-1.on.aws``."""
        suffix = next(p.dual_stack_suffix for p in PARTITIONS if p.suffix == self.suffix)
        return f"{self.account}.dkr-ecr.{self.region}.{suffix}"

    @property
    def fips(self) -> str:
        """The host with FIPS-validated cryptography."""
        return f"{self.account}.dkr.ecr-fips.{self.region}.{self.suffix}"

    @property
    def aliases(self) -> tuple[str, ...]:
        """Every host of this registry, the usual one first."""
        return (self.host, self.dual_stack, self.fips)
