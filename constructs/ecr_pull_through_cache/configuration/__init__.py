"""``environments/*.yaml``: one typed configuration of registries and clusters, and what follows from it."""

from .loading import load, parse
from .models import Document, NodeKind, PolicyForm
from .plan import CachePlan, ClusterPlan, Configuration, Environment, RegistryPlan
from .source import ConfigurationError, Problem

__all__ = [
    "CachePlan",
    "ClusterPlan",
    "Configuration",
    "ConfigurationError",
    "Document",
    "Environment",
    "NodeKind",
    "PolicyForm",
    "Problem",
    "RegistryPlan",
    "load",
    "parse",
]
