"""The order in which a warmer and a removal of the same cache are deleted, whichever was made first.

A run of the warmer would import again what the removal deletes, so the removal must outlive the warmer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from constructs import Construct

from .._place import in_one_stage

if TYPE_CHECKING:
    from ..registry.pull_through_cache import IPullThroughCache

_KEY = "_deleted_in_order"


def delete_before_removal(cache: IPullThroughCache, warming: Construct) -> None:
    """Delete what imports images before any removal of the cache acts.

    :param cache: the cache.
    :param warming: the construct that starts imports.
    """
    earlier, removals = _of(cache)
    earlier.append(warming)
    _order([warming], removals)


def delete_after_warmers(cache: IPullThroughCache, removal: Construct) -> None:
    """Let a removal act only after every warmer of the cache is deleted.

    :param cache: the cache.
    :param removal: the construct that deletes images.
    """
    earlier, removals = _of(cache)
    removals.append(removal)
    _order(earlier, [removal])


def _of(cache: IPullThroughCache) -> tuple[list[Construct], list[Construct]]:
    """Warmers and removals of a cache. They lie with the cache itself, which lives as long as they can be made of it."""
    found: tuple[list[Construct], list[Construct]] = vars(cache).setdefault(_KEY, ([], []))
    return found


def _order(warmers: list[Construct], removals: list[Construct]) -> None:
    for warmer in warmers:
        for removal in removals:
            if in_one_stage(warmer, removal):
                warmer.node.add_dependency(removal)
