# The public names and where they live: the one list. `__init__.py` reads it when a name is first used.

from ._version import __version__ as __version__
from .admission import (
    FailurePolicy as FailurePolicy,
)
from .admission import (
    PolicyForm as PolicyForm,
)
from .admission import (
    PolicySettings as PolicySettings,
)
from .cluster.ecr_endpoints import EcrEndpoints as EcrEndpoints
from .cluster.image_rewrite_policy import ImageRewritePolicy as ImageRewritePolicy
from .cluster.kyverno import Kyverno as Kyverno
from .cluster.node_pull_policy import (
    NodePullMode as NodePullMode,
)
from .cluster.node_pull_policy import (
    NodePullPolicy as NodePullPolicy,
)
from .cluster.rewrite_images import RewriteImages as RewriteImages
from .day_two.cache_dashboard import CacheDashboard as CacheDashboard
from .day_two.cache_removal import CacheRemoval as CacheRemoval
from .day_two.image_warmer import ImageWarmer as ImageWarmer
from .day_two.repository_backfill import RepositoryBackfill as RepositoryBackfill
from .ecr.lifecycle import (
    CountType as CountType,
)
from .ecr.lifecycle import (
    LifecycleAction as LifecycleAction,
)
from .ecr.lifecycle import (
    LifecyclePolicy as LifecyclePolicy,
)
from .ecr.lifecycle import (
    LifecycleRule as LifecycleRule,
)
from .ecr.lifecycle import (
    StorageClass as StorageClass,
)
from .ecr.lifecycle import (
    TagSelection as TagSelection,
)
from .errors import UserError as UserError
from .images import (
    ROOT as ROOT,
)
from .images import (
    CachedUpstream as CachedUpstream,
)
from .images import (
    CacheMapping as CacheMapping,
)
from .images import (
    Decision as Decision,
)
from .images import (
    ImageReference as ImageReference,
)
from .images import (
    InvalidImageReference as InvalidImageReference,
)
from .images import (
    PinnedByDigest as PinnedByDigest,
)
from .images import (
    Reason as Reason,
)
from .images import (
    UnsupportedUpstream as UnsupportedUpstream,
)
from .images import (
    Upstream as Upstream,
)
from .registry.cache_registry import CacheRegistry as CacheRegistry
from .registry.pull_through_cache import (
    IPullThroughCache as IPullThroughCache,
)
from .registry.pull_through_cache import (
    PullThroughCache as PullThroughCache,
)
from .registry.pull_through_cache import (
    ReplicaRegistry as ReplicaRegistry,
)
from .registry.pull_through_cache import (
    UpstreamCache as UpstreamCache,
)
from .registry.pull_through_cache_rule import (
    IPullThroughCacheRule as IPullThroughCacheRule,
)
from .registry.pull_through_cache_rule import (
    PullThroughCacheRule as PullThroughCacheRule,
)
from .registry.pull_time_update_exclusion import PullTimeUpdateExclusion as PullTimeUpdateExclusion
from .registry.pullers import Pullers as Pullers
from .registry.registry_policy import RegistryPolicy as RegistryPolicy
from .registry.registry_scanning import (
    RegistryScanningConfiguration as RegistryScanningConfiguration,
)
from .registry.registry_scanning import (
    ScanFrequency as ScanFrequency,
)
from .registry.registry_scanning import (
    ScanningRule as ScanningRule,
)
from .registry.registry_scanning import (
    ScanType as ScanType,
)
from .registry.replication import (
    ReplicationConfiguration as ReplicationConfiguration,
)
from .registry.replication import (
    ReplicationDestination as ReplicationDestination,
)
from .registry.replication import (
    ReplicationRule as ReplicationRule,
)
from .registry.repository_creation_template import (
    AppliedFor as AppliedFor,
)
from .registry.repository_creation_template import (
    CreationTemplateSettings as CreationTemplateSettings,
)
from .registry.repository_creation_template import (
    RepositoryCreationTemplate as RepositoryCreationTemplate,
)
from .registry.signing import (
    SigningConfiguration as SigningConfiguration,
)
from .registry.signing import (
    SigningRule as SigningRule,
)
from .registry.upstream_credentials import UpstreamCredentials as UpstreamCredentials
