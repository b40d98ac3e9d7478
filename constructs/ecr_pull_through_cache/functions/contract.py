"""Names that constructs and functions share. Importing it does not load boto3."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..images import CacheMapping

NAMESPACE = "EcrPullThroughCache"
"""Namespace of the metrics."""
PREFIXES = "PREFIXES"
"""Environment variable with repository prefixes, as a JSON array."""
REPLACE = "REPLACE"
"""Environment variable with the settings to overwrite even where they were customized, as a JSON array."""
PER_BATCH = 20
"""How many images a function imports at once; a batch has so many."""
SETTINGS = "WARMING"
"""Environment variable with what :func:`settings` gives, as JSON."""
QUOTAS = {
    "Registered repositories": "RepositoryQuotaUsed",
    "Images per repository": "ImageQuotaUsed",
    "Pull through cache rules per registry": "RuleQuotaUsed",
}
"""The metric of each quota, by the quota's name; each is a share in percent."""


def settings(
    mapping: CacheMapping,
    *,
    platforms: Iterable[str] = (),
    referrers: bool = False,
    rate: float = 0,
    rounds: int = 6,
    registry_url: str | None = None,
) -> dict[str, Any]:
    """Return the settings of a function, ready for JSON.

    :param mapping: registry and upstreams.
    :param platforms: platforms to import; all of them if left out.
    :param referrers: whether signatures and bills of materials are imported too.
    :param rate: requests a second of one invocation, 0 for no limit.
    :param rounds: how often a batch goes round before what is pending has failed.
    :param registry_url: where the registry is reached, if not under its own host.
    """
    return {
        "registry": mapping.registry,
        "upstreams": [
            [rule.upstream.host, rule.repository_prefix, rule.upstream_repository_prefix] for rule in mapping.rules
        ],
        "platforms": sorted(set(platforms)),
        "referrers": referrers,
        "rate": rate,
        "rounds": rounds,
        "registryUrl": registry_url,
    }
