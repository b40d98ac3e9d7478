"""``environments/*.yaml``: one typed configuration of registries and clusters, and what follows from it."""

from ..admission import PolicyForm
from .loading import load, parse
from .models import Document, NodeKind
from .plan import CachePlan, ClusterPlan, Configuration, Downstream, RegistryPlan
from .source import ConfigurationError, Problem

__all__ = [
    "CachePlan",
    "ClusterPlan",
    "Configuration",
    "ConfigurationError",
    "Document",
    "Downstream",
    "NodeKind",
    "PolicyForm",
    "Problem",
    "RegistryPlan",
    "load",
    "parse",
]
