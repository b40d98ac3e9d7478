"""The stacks of a configuration: one for a registry, one for a cluster. They only connect constructs to a configuration.

``python -m ecr_pull_through_cache_stacks`` is an app for ``cdk.json``; :func:`add_stacks` adds the stacks to an app of your own.
"""

from .app import add_stacks, build
from .cluster_stack import ClusterStack
from .registry_stack import RegistryStack

__all__ = ["ClusterStack", "RegistryStack", "add_stacks", "build"]
