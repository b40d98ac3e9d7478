"""Image references, the catalogue of upstream registries, and the mapping from upstream to cache.

Pure Python: nothing here imports aws-cdk-lib, boto3 or pydantic, so that a Lambda function can carry it as it is.
"""

from .hosts import (
    FIPS_REGIONS,
    PARTITIONS,
    REGIONS,
    EcrHost,
    Partition,
    is_account,
    is_new_region,
    new_region,
    partition_name,
    partition_of,
)
from .importable import check_platform, listed_images, why_not_importable
from .mapping import (
    CachedUpstream,
    CacheMapping,
    Decision,
    PinnedByDigest,
    Reason,
    Substitution,
    canonical,
    check_allowed,
)
from .patterns import ImagePattern
from .placeholders import PLACEHOLDERS, is_placeholder
from .prefixes import ROOT, check_prefix, overlaps
from .reference import (
    DOCKER_HUB,
    LONGEST_REPOSITORY,
    ImageReference,
    InvalidImageReference,
    check_parts,
    check_registry_host,
    split_registry,
)
from .upstream import Credentials, UnsupportedUpstream, Upstream

__all__ = [
    "DOCKER_HUB",
    "FIPS_REGIONS",
    "LONGEST_REPOSITORY",
    "PARTITIONS",
    "PLACEHOLDERS",
    "REGIONS",
    "ROOT",
    "CacheMapping",
    "CachedUpstream",
    "Credentials",
    "Decision",
    "EcrHost",
    "ImagePattern",
    "ImageReference",
    "InvalidImageReference",
    "Partition",
    "PinnedByDigest",
    "Reason",
    "Substitution",
    "UnsupportedUpstream",
    "Upstream",
    "canonical",
    "check_parts",
    "check_allowed",
    "check_platform",
    "check_prefix",
    "check_registry_host",
    "is_account",
    "is_new_region",
    "is_placeholder",
    "listed_images",
    "new_region",
    "overlaps",
    "partition_name",
    "partition_of",
    "split_registry",
    "why_not_importable",
]
