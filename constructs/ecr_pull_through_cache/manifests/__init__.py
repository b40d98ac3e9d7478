"""The mapping applied to files: manifests, Helm values, and the configuration of clusters."""

from .kinds import KNOWN
from .places import ImagePlaces
from .rewriting import Finding, Mentions, Rewriter, Rewritten

__all__ = ["KNOWN", "Finding", "ImagePlaces", "Mentions", "Rewriter", "Rewritten"]
