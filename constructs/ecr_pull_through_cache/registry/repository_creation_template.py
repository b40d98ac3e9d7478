"""The settings of the repositories that ECR creates by itself under a prefix."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

from aws_cdk import Annotations, CfnTag
from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_iam as iam

from constructs import Construct

from .._checks import claim_prefix, error_at
from .._place import stack_of
from ..ecr import permissions
from ..ecr.lifecycle import LifecyclePolicy
from ..errors import UserError
from ..images import check_prefix
from .cache_registry import CacheRegistry

if TYPE_CHECKING:
    from aws_cdk import aws_kms as kms

LONGEST_PREFIX = 256
MOST_EXCLUSIONS = 5

_EXCLUSION = re.compile(r"[0-9a-zA-Z._*-]{1,128}", re.ASCII)


class AppliedFor(Enum):
    """What creates the repositories that a template is for."""

    PULL_THROUGH_CACHE = "PULL_THROUGH_CACHE"
    REPLICATION = "REPLICATION"
    CREATE_ON_PUSH = "CREATE_ON_PUSH"


@dataclass(frozen=True, kw_only=True)
class CreationTemplateSettings:
    """What repositories are created with.

    :param image_tag_mutability: whether tags may move. ECR refreshes cached tags by moving them, so a cache needs mutable ones.
    :param mutability_exclusions: patterns of the tags that are the exception, 1 to 5, for the ``…_WITH_EXCLUSION`` settings.
    :param encryption: ``AES_256``, ``KMS`` or ``KMS_DSSE``; AES_256, or KMS where there is a key, if left out.
    :param encryption_key: customer managed key; AWS's own key for ECR if left out.
    :param lifecycle: which images expire or are archived; none if left out.
    :param resource_tags: tags of the repositories.
    :param repository_policy: who may pull besides the identities of the registry's own account.
    :raises UserError: when the parts do not go together.
    """

    image_tag_mutability: ecr.TagMutability = ecr.TagMutability.MUTABLE
    mutability_exclusions: tuple[str, ...] = ()
    encryption: ecr.RepositoryEncryption | None = None
    encryption_key: kms.IKey | None = None
    lifecycle: LifecyclePolicy | None = None
    resource_tags: Mapping[str, str] = field(default_factory=dict)
    repository_policy: iam.PolicyDocument | None = None

    def __post_init__(self) -> None:
        setting = self.image_tag_mutability
        if setting.name.endswith("_WITH_EXCLUSION") != bool(self.mutability_exclusions):
            raise UserError(
                f"the tag mutability {setting.name} is given with {len(self.mutability_exclusions)} exclusions; "
                f"exclusions, 1 to {MOST_EXCLUSIONS} of them, go with a setting that ends in _WITH_EXCLUSION"
            )
        if len(self.mutability_exclusions) > MOST_EXCLUSIONS:
            raise UserError(
                f"{len(self.mutability_exclusions)} mutability exclusions are given; at most {MOST_EXCLUSIONS} are allowed"
            )
        for pattern in self.mutability_exclusions:
            if not _EXCLUSION.fullmatch(pattern) or pattern.count("*") > 2:
                raise UserError(
                    f"the mutability exclusion {pattern!r} is not a tag pattern; allowed are 1 to 128 letters, digits, "
                    "'.', '_', '-' and at most two '*'"
                )
        if self.encryption_key is not None and self.encryption_type == "AES256":
            raise UserError("an encryption key is given with AES_256; a key goes with KMS or KMS_DSSE")

    @property
    def encryption_type(self) -> str:
        """The service's word for the encryption: ``AES256``, ``KMS`` or ``KMS_DSSE``."""
        if self.encryption is not None:
            return self.encryption.value
        return "AES256" if self.encryption_key is None else "KMS"

    @property
    def needs_role(self) -> bool:
        """Whether ECR needs a role to apply this: for tags and for KMS its service-linked role is not enough."""
        return bool(self.resource_tags) or self.encryption_type != "AES256"


@functools.cache
def _ecr() -> iam.ServicePrincipal:
    return iam.ServicePrincipal("ecr.amazonaws.com")


class RepositoryCreationTemplate(Construct):
    """A repository creation template of the registry that the stack is deployed to.

    Templates act on repositories that are created later; what exists keeps its settings (see ``ecr-pull-through backfill``).
    The longest matching prefix wins, ``ROOT`` is for what no other template matches.

    https://docs.aws.amazon.com/AmazonECR/latest/userguide/repository-creation-templates.html

    :param scope: parent.
    :param id: id below the parent.
    :param prefix: repository prefix, 2 to 256 characters, or ``ROOT``.
    :param applied_for: what creates the repositories; pull through cache alone if left out.
    :param settings: what the repositories are created with; ECR's own defaults if left out.
    :param description: at most 256 characters.
    :param role: role that ECR assumes for tags and KMS; made, with the permissions it needs, if left out and needed.
    :raises UserError: when the prefix is not ECR's or has a template already.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        prefix: str,
        applied_for: Sequence[AppliedFor] = (AppliedFor.PULL_THROUGH_CACHE,),
        settings: CreationTemplateSettings | None = None,
        description: str | None = None,
        role: iam.IRole | None = None,
    ) -> None:
        try:
            self_prefix = check_prefix(prefix, longest=LONGEST_PREFIX)
        except UserError as error:
            raise error_at(scope, id, str(error)) from None
        if not applied_for:
            raise error_at(scope, id, f"applied_for is empty; allowed are {', '.join(a.value for a in AppliedFor)}")
        if description is not None and len(description) > 256:
            raise error_at(scope, id, f"the description has {len(description)} characters; at most 256 are allowed")
        claim_prefix(scope, id, "repository creation template", self_prefix, nested=True)

        super().__init__(scope, id)
        self.prefix = self_prefix
        """The repository prefix, ``ROOT`` for what no other template matches."""
        self.settings = settings or CreationTemplateSettings()
        """What the repositories are created with."""
        self.role = role or (self._make_role(scope) if self.settings.needs_role else None)
        """The role that ECR assumes, if it needs one."""
        self.resource = self._make_resource(scope, tuple(dict.fromkeys(applied_for)), description)
        """The L1."""
        permission = self.role.node.try_find_child("DefaultPolicy") if self.role is not None else None
        if permission is not None:
            self.resource.node.add_dependency(permission)
        if AppliedFor.PULL_THROUGH_CACHE in applied_for:
            self._warn_of_a_cache_that_breaks()

    def _make_resource(
        self, scope: Construct, applied_for: Sequence[AppliedFor], description: str | None
    ) -> ecr.CfnRepositoryCreationTemplate:
        settings = self.settings
        template = ecr.CfnRepositoryCreationTemplate
        policy = settings.repository_policy
        return template(
            self,
            "Resource",
            prefix=self.prefix,
            applied_for=[a.value for a in applied_for],
            description=description,
            custom_role_arn=self.role.role_arn if self.role else None,
            encryption_configuration=template.EncryptionConfigurationProperty(
                encryption_type=settings.encryption_type,
                kms_key=settings.encryption_key.key_arn if settings.encryption_key else None,
            ),
            image_tag_mutability=settings.image_tag_mutability.name,
            image_tag_mutability_exclusion_filters=[
                template.ImageTagMutabilityExclusionFilterProperty(
                    image_tag_mutability_exclusion_filter_type="WILDCARD",
                    image_tag_mutability_exclusion_filter_value=pattern,
                )
                for pattern in settings.mutability_exclusions
            ]
            or None,
            lifecycle_policy=settings.lifecycle.to_text() if settings.lifecycle else None,
            repository_policy=stack_of(scope).to_json_string(policy) if policy is not None else None,
            resource_tags=[CfnTag(key=k, value=v) for k, v in sorted(settings.resource_tags.items())] or None,
        )

    def _make_role(self, scope: Construct) -> iam.Role:
        role = iam.Role(
            self,
            "Role",
            assumed_by=_ecr(),
            description=f"Lets Amazon ECR create repositories under {self.prefix} with tags and encryption",
        )
        role.add_to_policy(
            iam.PolicyStatement(
                sid="CreateRepositories",
                actions=list(permissions.CREATION_TEMPLATE),
                resources=[CacheRegistry.of(scope).repositories(self.prefix)],
            )
        )
        if self.settings.encryption_key is not None:
            self.settings.encryption_key.grant(role, *permissions.CREATION_TEMPLATE_KEY)
        return role

    def _warn_of_a_cache_that_breaks(self) -> None:
        if self.settings.image_tag_mutability is ecr.TagMutability.IMMUTABLE:
            Annotations.of(self).add_warning_v2(
                "cdk-ecr-pull-through-cache:immutableCache",
                "tags of cached images are immutable, so ECR cannot refresh a tag that has moved upstream; "
                "use MUTABLE, or IMMUTABLE_WITH_EXCLUSION with the tags that move as the exclusion",
            )
        if self.settings.lifecycle is not None and self.settings.lifecycle.archives:
            Annotations.of(self).add_warning_v2(
                "cdk-ecr-pull-through-cache:archivedCache",
                "cached images are moved to the archive class, from where no pull succeeds and where they are kept for at "
                "least 90 days; let them expire instead, the next pull imports them again",
            )
