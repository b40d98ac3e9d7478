"""Image references, the catalogue of upstream registries, and the mapping from upstream to cache.

Pure Python: nothing here imports aws-cdk-lib, boto3 or pydantic, so that a Lambda function can carry it as it is.
"""

from .hosts import PARTITIONS, REGIONS, EcrHost, Partition, partition_of
from .importable import check_platform, listed_images, why_not_importable
from .mapping import CachedUpstream, CacheMapping, Decision, PinnedByDigest, Reason, Substitution, canonical
from .patterns import ImagePattern
from .placeholders import PLACEHOLDERS, is_placeholder
from .prefixes import ROOT, check_prefix, overlaps
from .reference import DOCKER_HUB, ImageReference, InvalidImageReference, split_registry
from .upstream import Credentials, UnsupportedUpstream, Upstream

__all__ = [
    "DOCKER_HUB",
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
    "check_platform",
    "check_prefix",
    "is_placeholder",
    "listed_images",
    "overlaps",
    "partition_of",
    "split_registry",
    "why_not_importable",
]
