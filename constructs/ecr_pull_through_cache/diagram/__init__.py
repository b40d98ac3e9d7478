"""A configuration as a picture: registries, what they pull through, what is copied where, and who pulls.

Pure functions of a :class:`~ecr_pull_through_cache.configuration.Configuration`; no browser and no layout program is
needed, and the same configuration gives the same text.
"""

from .mermaid import mermaid
from .pages import END, START, replaced
from .svg import svg

__all__ = ["END", "START", "mermaid", "replaced", "svg"]
