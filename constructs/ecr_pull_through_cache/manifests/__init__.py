"""The mapping applied to files: manifests, Helm values, and the configuration of clusters."""

from .places import KNOWN, ImagePlaces
from .rewriting import Finding, Mentions, Rewriter, Rewritten

__all__ = ["KNOWN", "Finding", "ImagePlaces", "Mentions", "Rewriter", "Rewritten"]
