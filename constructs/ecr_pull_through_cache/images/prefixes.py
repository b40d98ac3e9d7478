"""Repository prefixes as Amazon ECR accepts them."""

from __future__ import annotations

import re

from ..errors import UserError

ROOT = "ROOT"
"""ECR's word for no prefix at all."""

_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_PREFIX = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*/?", re.ASCII)


def check_prefix(prefix: str, *, longest: int = 30) -> str:
    """A repository prefix in its plain form, without the trailing ``/`` that ECR lets people write.

    https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_CreatePullThroughCacheRule.html

    :param prefix: 2 to ``longest`` characters, or ``ROOT``.
    :param longest: 30 for a pull through cache rule, 256 for a repository creation template.
    :raises UserError: when ECR would refuse it.
    """
    if prefix == ROOT:
        return prefix
    if not _PREFIX.fullmatch(prefix) or not 2 <= len(prefix) <= longest:
        raise UserError(
            f"{prefix!r} is not a repository prefix; allowed are 2 to {longest} lower-case letters and digits, "
            f"joined by '.', '_', '__', '-' or '/', or {ROOT} for none"
        )
    return prefix.rstrip("/")


def overlaps(one: str, other: str) -> bool:
    """Whether a repository can lie under both prefixes. ``ROOT`` is what no other prefix takes and overlaps nothing
    but itself.
    """
    if ROOT in (one, other):
        return one == other
    return f"{one}/".startswith(f"{other}/") or f"{other}/".startswith(f"{one}/")
