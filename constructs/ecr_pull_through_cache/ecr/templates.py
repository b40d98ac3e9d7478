"""Settings of repository creation templates, and what follows from them.

https://docs.aws.amazon.com/AmazonECR/latest/userguide/repository-creation-templates.html
https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_CreateRepositoryCreationTemplate.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from ..errors import UserError
from .lifecycle import LifecyclePolicy
from .template_rules import check_tags

TagMutability = Literal["MUTABLE", "IMMUTABLE", "MUTABLE_WITH_EXCLUSION", "IMMUTABLE_WITH_EXCLUSION"]
"""Whether tags may move, in the words of the API."""

EncryptionType = Literal["AES256", "KMS", "KMS_DSSE"]
"""Encryption of repositories, in the words of the API."""

DEFAULT_TAG_MUTABILITY: TagMutability = "MUTABLE"
"""ECR refreshes cached tags by moving them, so a cache needs mutable tags."""

LONGEST_PREFIX = 256
"""Characters of a template's prefix."""

MOST_EXCLUSIONS = 5
"""Exclusion filters that a template may have."""

_EXCLUSION = re.compile(r"[0-9a-zA-Z._*-]{1,128}", re.ASCII)


def check_exclusion(pattern: str) -> str:
    """A filter of the tags that are the exception from a template's tag mutability.

    :param pattern: 1 to 128 letters, digits, ``.``, ``_``, ``-`` and at most two ``*``.
    :raises UserError: when ECR would refuse it.
    """
    if not _EXCLUSION.fullmatch(pattern) or pattern.count("*") > 2:
        raise UserError(
            f"the exclusion filter {pattern!r} is not a tag pattern; allowed are 1 to 128 letters, digits, '.', '_', '-' and "
            "at most two '*'"
        )
    return pattern


@dataclass(frozen=True, kw_only=True)
class TemplateSettings:
    """Settings of the repositories that ECR creates by itself, in the words of the API.

    :param image_tag_mutability: whether tags may move. Default: ``MUTABLE``.
    :param exclusion_filters: patterns of the tags that are the exception, 1 to 5, for the ``…_WITH_EXCLUSION`` settings.
    :param encryption_type: Default: ``AES256``, or ``KMS`` where there is a key.
    :param kms_key: ARN of a customer managed key. Default: the key that AWS manages for ECR.
    :param lifecycle: the lifecycle policy. Default: none.
    :param resource_tags: tags of the repositories. Default: none.
    :param repository_policy: the repository policy, as JSON. Default: none.
    :raises UserError: when the settings do not go together.
    """

    image_tag_mutability: str = DEFAULT_TAG_MUTABILITY
    exclusion_filters: tuple[str, ...] = ()
    encryption_type: str | None = None
    kms_key: str | None = None
    lifecycle: LifecyclePolicy | None = None
    resource_tags: Mapping[str, str] = field(default_factory=dict)
    repository_policy: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        filters = self.exclusion_filters
        _check_choice("a tag mutability", self.image_tag_mutability, get_args(TagMutability))
        if self.encryption_type is not None:
            _check_choice("a type of encryption", self.encryption_type, get_args(EncryptionType))
        if self.image_tag_mutability.endswith("_WITH_EXCLUSION") != bool(filters):
            raise UserError(
                f"the tag mutability {self.image_tag_mutability} is given with {len(filters)} exclusion filters; 1 to "
                f"{MOST_EXCLUSIONS} of them go with a setting that ends in _WITH_EXCLUSION"
            )
        if len(filters) > MOST_EXCLUSIONS:
            raise UserError(f"{len(filters)} exclusion filters are given; at most {MOST_EXCLUSIONS} are allowed")
        for pattern in filters:
            check_exclusion(pattern)
        check_tags(self.resource_tags)
        if self.kms_key is not None and self.encryption_type == "AES256":
            raise UserError("a KMS key is given with the encryption AES256; a key goes with KMS or KMS_DSSE")

    @property
    def encryption(self) -> str:
        """The encryption in effect: a key means KMS."""
        return self.encryption_type or ("AES256" if self.kms_key is None else "KMS")

    @property
    def needs_role(self) -> bool:
        """Whether ECR needs a role to create repositories: its service-linked role can neither tag nor use KMS.

        https://docs.aws.amazon.com/AmazonECR/latest/userguide/repository-creation-templates-iam.html
        """
        return bool(self.resource_tags) or self.encryption != "AES256"

    @property
    def lifecycle_document(self) -> Any:
        """The lifecycle policy as JSON, ``None`` where there is none."""
        return None if self.lifecycle is None else json.loads(self.lifecycle.to_text())


def _check_choice(kind: str, given: str, allowed: tuple[str, ...]) -> None:
    if given not in allowed:
        raise UserError(f"{given!r} is not {kind}; allowed are {', '.join(allowed)}")
