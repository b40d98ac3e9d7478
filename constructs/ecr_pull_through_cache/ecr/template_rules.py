"""Tags and encryption that AWS accepts in a repository creation template, and what happens under settings that hurt."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Mapping

from ..errors import UserError
from ..images.hosts import UNRESOLVED
from . import quotas
from .lifecycle import LifecyclePolicy

DSSE = "KMS_DSSE"
DSSE_PARTITION = "aws-us-gov"
"""https://docs.aws.amazon.com/AmazonECR/latest/userguide/encryption-at-rest.html"""

_RESERVED = "aws:"
_LONGEST_KEY = 128
_LONGEST_VALUE = 256
# Letters and digits of any script and blanks, as AWS's pattern \p{L}\p{Z}\p{N} has them.
_SYMBOLS = "_.:/=+-@"


def check_tags(tags: Mapping[str, str]) -> Mapping[str, str]:
    """Refuse tags that AWS refuses. Tokens of the CDK are accepted.

    Keys are case-sensitive: ``Team`` and ``team`` are two tags.

    https://docs.aws.amazon.com/tag-editor/latest/userguide/best-practices-and-strats.html

    :param tags: at most 50; keys of 1 to 128 and values of at most 256 letters, digits, blanks and ``_.:/=+-@``.
    :returns: the tags.
    :raises UserError: when there are too many, or one is not allowed.
    """
    if len(tags) > quotas.TAGS.value:
        raise UserError(f"{len(tags)} tags are given; allowed are {quotas.TAGS.value} {quotas.TAGS.name}")
    problems = [problem for key, value in tags.items() if (problem := _problem_of_tag(key, value))]
    if problems:
        raise UserError("; ".join(problems))
    return tags


def _problem_of_tag(key: str, value: str) -> str | None:
    key, value = ("x" if UNRESOLVED in text else text for text in (key, value))
    if key.lower().startswith(_RESERVED):
        return f"the tag key {key!r} begins with {_RESERVED!r}, which is reserved for AWS; give it another name"
    if not 1 <= len(key) <= _LONGEST_KEY:
        return f"the tag key {key!r} has {len(key)} characters; allowed are 1 to {_LONGEST_KEY}"
    if len(value) > _LONGEST_VALUE:
        return f"the value of the tag {key!r} has {len(value)} characters; at most {_LONGEST_VALUE} are allowed"
    for what, text in (("tag key", key), (f"value of the tag {key!r},", value)):
        wrong = sorted({character for character in text if not _is_allowed(character)})
        if wrong:
            listed = ", ".join(map(repr, wrong))
            return f"the {what} {text!r} holds {listed}; allowed are letters, digits, blanks and {_SYMBOLS!r}"
    return None


def _is_allowed(character: str) -> bool:
    return unicodedata.category(character)[0] in "LNZ" or character in _SYMBOLS


def check_encryption(encryption_type: str, partition: str | None) -> None:
    """Refuse an encryption that ECR does not have in a partition.

    :param encryption_type: ``AES256``, ``KMS`` or ``KMS_DSSE``.
    :param partition: name of the partition, ``None`` where it is not known.
    :raises UserError: for ``KMS_DSSE`` outside of AWS GovCloud (US).
    """
    if encryption_type == DSSE and partition not in (None, DSSE_PARTITION):
        raise UserError(
            f"{DSSE} exists in the AWS GovCloud (US) Regions alone, and this is the partition {partition}; "
            "use KMS or AES256"
        )


PULL_THROUGH_CACHE = "PULL_THROUGH_CACHE"
REPLICATION = "REPLICATION"


def cautions(*, mutability: str, lifecycle: LifecyclePolicy | None, created_by: Collection[str]) -> Mapping[str, str]:
    """Find settings that ECR accepts and that break a cache or replicas.

    :param mutability: ``MUTABLE``, ``IMMUTABLE`` or one of the two ``…_WITH_EXCLUSION``.
    :param lifecycle: the lifecycle policy, if any.
    :param created_by: what creates the repositories: ``PULL_THROUGH_CACHE``, ``REPLICATION``, ``CREATE_ON_PUSH``.
    :returns: a sentence by a stable id, which is that of the warning.
    """
    cached, replicated = PULL_THROUGH_CACHE in created_by, REPLICATION in created_by
    immutable = mutability == "IMMUTABLE"
    archives = lifecycle is not None and lifecycle.archives
    expires = lifecycle is not None and lifecycle.expires_by_age
    found = {
        "immutableCache": (cached and immutable, _IMMUTABLE_CACHE),
        "immutableReplicas": (replicated and immutable, _IMMUTABLE_REPLICAS),
        "archivedCache": (cached and archives, _ARCHIVED_CACHE),
        "archivedReplicas": (replicated and not cached and archives, _ARCHIVED_REPLICAS),
        "expiringReplicas": (replicated and not cached and expires, _EXPIRING_REPLICAS),
    }
    return {name: text for name, (holds, text) in found.items() if holds}


_IMMUTABLE_CACHE = (
    "tags of cached images are immutable, so ECR cannot refresh a tag that has moved upstream; "
    "use MUTABLE, or IMMUTABLE_WITH_EXCLUSION with the tags that move as the exclusion"
)
# https://docs.aws.amazon.com/AmazonECR/latest/userguide/replication.html (considerations)
_IMMUTABLE_REPLICAS = (
    "tags of replicas are immutable, so an image whose tag exists here already arrives without the tag, and nodes keep pulling "
    "the old image; use MUTABLE, or IMMUTABLE_WITH_EXCLUSION with the tags that move as the exclusion"
)
# https://docs.aws.amazon.com/AmazonECR/latest/userguide/archive-image.html
_ARCHIVED = (
    "a lifecycle rule moves images to the archive class, from which nobody can pull them until they are restored"
)
_ARCHIVED_CACHE = f"{_ARCHIVED}; let cached images expire instead, the next pull by tag imports them again"
_ARCHIVED_REPLICAS = (
    f"{_ARCHIVED}; the source replicates an image once, so leave the rule out where clusters pull replicas"
)
_EXPIRING_REPLICAS = (
    "a lifecycle rule deletes replicas by their age, pulled or not, and no pull brings them back: the source replicates an image "
    "once, when it is pushed or imported; count images instead (imageCountMoreThan), or leave the rule out"
)
