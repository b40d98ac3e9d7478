"""An Amazon ECR pull through cache as AWS CDK constructs, and what makes clusters use it.

Everything public is imported from here. Names are loaded when they are first used, because importing
aws-cdk-lib takes seconds that the command line and Lambda functions need not spend.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from ._version import __version__

if TYPE_CHECKING:
    from .admission import FailurePolicy, PolicyForm, PolicySettings
    from .cache_dashboard import CacheDashboard
    from .cache_registry import CacheRegistry
    from .cache_removal import CacheRemoval
    from .ecr_endpoints import EcrEndpoints
    from .errors import UserError
    from .image_rewrite_policy import ImageRewritePolicy
    from .image_warmer import ImageWarmer
    from .images import (
        ROOT,
        CachedUpstream,
        CacheMapping,
        Decision,
        ImageReference,
        InvalidImageReference,
        PinnedByDigest,
        Reason,
        UnsupportedUpstream,
        Upstream,
    )
    from .kyverno import Kyverno
    from .lifecycle import CountType, LifecycleAction, LifecyclePolicy, LifecycleRule, StorageClass, TagSelection
    from .node_pull_policy import NodePullMode, NodePullPolicy
    from .pull_through_cache import PullThroughCache, ReplicaRegistry, UpstreamCache
    from .pull_through_cache_rule import IPullThroughCacheRule, PullThroughCacheRule
    from .pull_time_update_exclusion import PullTimeUpdateExclusion
    from .pullers import Pullers
    from .registry_policy import RegistryPolicy
    from .registry_scanning import RegistryScanningConfiguration, ScanFrequency, ScanningRule, ScanType
    from .replication import ReplicationConfiguration, ReplicationDestination, ReplicationRule
    from .repository_backfill import RepositoryBackfill
    from .repository_creation_template import AppliedFor, CreationTemplateSettings, RepositoryCreationTemplate
    from .rewrite_images import RewriteImages
    from .signing import SigningConfiguration, SigningRule
    from .upstream_credentials import UpstreamCredentials

_HOME_OF = {
    "AppliedFor": "repository_creation_template",
    "CacheDashboard": "cache_dashboard",
    "CacheMapping": "images",
    "CacheRegistry": "cache_registry",
    "CacheRemoval": "cache_removal",
    "CachedUpstream": "images",
    "CountType": "lifecycle",
    "CreationTemplateSettings": "repository_creation_template",
    "Decision": "images",
    "EcrEndpoints": "ecr_endpoints",
    "FailurePolicy": "admission",
    "IPullThroughCacheRule": "pull_through_cache_rule",
    "ImageReference": "images",
    "ImageRewritePolicy": "image_rewrite_policy",
    "ImageWarmer": "image_warmer",
    "InvalidImageReference": "images",
    "Kyverno": "kyverno",
    "LifecycleAction": "lifecycle",
    "LifecyclePolicy": "lifecycle",
    "LifecycleRule": "lifecycle",
    "NodePullMode": "node_pull_policy",
    "NodePullPolicy": "node_pull_policy",
    "PinnedByDigest": "images",
    "PolicyForm": "admission",
    "PolicySettings": "admission",
    "PullThroughCache": "pull_through_cache",
    "PullThroughCacheRule": "pull_through_cache_rule",
    "PullTimeUpdateExclusion": "pull_time_update_exclusion",
    "Pullers": "pullers",
    "ROOT": "images",
    "Reason": "images",
    "RegistryPolicy": "registry_policy",
    "RegistryScanningConfiguration": "registry_scanning",
    "ReplicaRegistry": "pull_through_cache",
    "ReplicationConfiguration": "replication",
    "ReplicationDestination": "replication",
    "ReplicationRule": "replication",
    "RepositoryBackfill": "repository_backfill",
    "RepositoryCreationTemplate": "repository_creation_template",
    "RewriteImages": "rewrite_images",
    "ScanFrequency": "registry_scanning",
    "ScanType": "registry_scanning",
    "ScanningRule": "registry_scanning",
    "SigningConfiguration": "signing",
    "SigningRule": "signing",
    "StorageClass": "lifecycle",
    "TagSelection": "lifecycle",
    "UnsupportedUpstream": "images",
    "Upstream": "images",
    "UpstreamCache": "pull_through_cache",
    "UpstreamCredentials": "upstream_credentials",
    "UserError": "errors",
}

__all__ = [
    "AppliedFor",
    "CacheDashboard",
    "CacheMapping",
    "CacheRegistry",
    "CacheRemoval",
    "CachedUpstream",
    "CountType",
    "CreationTemplateSettings",
    "Decision",
    "EcrEndpoints",
    "FailurePolicy",
    "IPullThroughCacheRule",
    "ImageReference",
    "ImageRewritePolicy",
    "ImageWarmer",
    "InvalidImageReference",
    "Kyverno",
    "LifecycleAction",
    "LifecyclePolicy",
    "LifecycleRule",
    "NodePullMode",
    "NodePullPolicy",
    "PinnedByDigest",
    "PolicyForm",
    "PolicySettings",
    "PullThroughCache",
    "PullThroughCacheRule",
    "PullTimeUpdateExclusion",
    "Pullers",
    "ROOT",
    "Reason",
    "RegistryPolicy",
    "RegistryScanningConfiguration",
    "ReplicaRegistry",
    "ReplicationConfiguration",
    "ReplicationDestination",
    "ReplicationRule",
    "RepositoryBackfill",
    "RepositoryCreationTemplate",
    "RewriteImages",
    "ScanFrequency",
    "ScanType",
    "ScanningRule",
    "SigningConfiguration",
    "SigningRule",
    "StorageClass",
    "TagSelection",
    "UnsupportedUpstream",
    "Upstream",
    "UpstreamCache",
    "UpstreamCredentials",
    "UserError",
    "__version__",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f".{_HOME_OF[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
