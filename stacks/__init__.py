"""The stacks of the app: one for a registry, one for a cluster. They only wire constructs to a configuration."""

from .cluster_stack import ClusterStack
from .registry_stack import RegistryStack

__all__ = ["ClusterStack", "RegistryStack"]
