"""Repository creation templates: the settings of the repositories that ECR creates by itself under a prefix."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from aws_cdk import Annotations, CfnTag, Stack
from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_iam as iam

from constructs import Construct, IConstruct

from .._checks import at, claim_prefix, error_at
from .._place import place_of, stack_of
from .._props import checked
from ..ecr import permissions, statements, templates
from ..ecr.lifecycle import LifecyclePolicy
from ..ecr.template_rules import DSSE, cautions, check_encryption
from ..images import ROOT, check_prefix, partition_name
from .cache_registry import CacheRegistry

if TYPE_CHECKING:
    from aws_cdk import aws_kms as kms

_of_stack: WeakKeyDictionary[Stack, list[RepositoryCreationTemplate]] = WeakKeyDictionary()


def templates_for(scope: IConstruct, prefix: str) -> tuple[RepositoryCreationTemplate, ...]:
    """The templates made so far in a construct's stack that can create repositories under a pull through cache rule's prefix.

    :param scope: any construct of the stack.
    :param prefix: the rule's repository prefix.
    """
    listed = [t for t in _of_stack.get(stack_of(scope), ()) if AppliedFor.PULL_THROUGH_CACHE in t.applied_for]
    below = [t for t in listed if prefix == ROOT or f"{t.prefix}/".startswith(f"{prefix}/")]
    if any(t.prefix == prefix for t in below):
        return tuple(below)
    above = [t for t in listed if t.prefix == ROOT or f"{prefix}/".startswith(f"{t.prefix}/")]
    longest = sorted(above, key=lambda t: 0 if t.prefix == ROOT else len(t.prefix))[-1:]
    return tuple(dict.fromkeys((*longest, *below)))


class AppliedFor(Enum):
    """The way in which the repositories of a template are created."""

    PULL_THROUGH_CACHE = "PULL_THROUGH_CACHE"
    REPLICATION = "REPLICATION"
    CREATE_ON_PUSH = "CREATE_ON_PUSH"


@checked
@dataclass(frozen=True, kw_only=True)
class CreationTemplateSettings:
    """Settings of the repositories that ECR creates by itself.

    :param image_tag_mutability: whether tags may move. ECR refreshes cached tags by moving them, so a cache needs mutable
        ones. Default: ``MUTABLE``.
    :param mutability_exclusions: patterns of the tags that are the exception, 1 to 5, for the ``…_WITH_EXCLUSION`` settings.
        Default: none.
    :param encryption: ``AES_256``, ``KMS`` or ``KMS_DSSE``. Default: ``AES_256``, or ``KMS`` where there is a key.
    :param encryption_key: customer managed key. Default: the key that AWS manages for ECR.
    :param lifecycle: the images that expire or are archived. Default: none.
    :param resource_tags: tags of the repositories. Default: none.
    :param repository_policy: who may pull besides the identities of the registry's own account. Default: no policy.
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
        # Asked for here so that settings which do not go together are refused where they are written.
        _ = self.values

    @functools.cached_property
    def values(self) -> templates.TemplateSettings:
        """The same settings in the words of the API, without the repository policy."""
        return templates.TemplateSettings(
            image_tag_mutability=self.image_tag_mutability.name,
            exclusion_filters=self.mutability_exclusions,
            encryption_type=self.encryption.value if self.encryption is not None else None,
            kms_key=self.encryption_key.key_arn if self.encryption_key is not None else None,
            lifecycle=self.lifecycle,
            resource_tags=self.resource_tags,
        )

    @property
    def encryption_type(self) -> str:
        """The service's word for the encryption: ``AES256``, ``KMS`` or ``KMS_DSSE``."""
        return self.values.encryption

    @property
    def needs_role(self) -> bool:
        """Whether ECR needs a role to create repositories: its service-linked role can neither tag nor use KMS."""
        return self.values.needs_role


@functools.cache
def _ecr() -> iam.ServicePrincipal:
    return iam.ServicePrincipal("ecr.amazonaws.com")


@checked
class RepositoryCreationTemplate(Construct):
    """A repository creation template of the registry that the stack is deployed to.

    Templates act on repositories that are created later; what exists keeps its settings (see ``ecr-pull-through backfill``).
    The longest matching prefix wins, ``ROOT`` is for what no other template matches.

    https://docs.aws.amazon.com/AmazonECR/latest/userguide/repository-creation-templates.html

    :param scope: parent.
    :param id: id below the parent.
    :param prefix: repository prefix, 2 to 256 characters, or ``ROOT``.
    :param applied_for: how the repositories come about. Default: by pull through cache alone.
    :param settings: settings of the repositories. Default: ECR's own.
    :param description: at most 256 characters. Default: none.
    :param role: role that ECR assumes for tags and KMS. Default: one with the permissions it needs, where one is needed.
    :raises UserError: when the prefix is not ECR's or has a template already, or for ``KMS_DSSE`` outside of AWS GovCloud (US).
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
        with at(scope, id):
            self_prefix = check_prefix(prefix, longest=templates.LONGEST_PREFIX)
        if not applied_for:
            raise error_at(scope, id, f"applied_for is empty; allowed are {', '.join(a.value for a in AppliedFor)}")
        if description is not None and len(description) > 256:
            raise error_at(scope, id, f"the description has {len(description)} characters; at most 256 are allowed")
        with at(scope, id):
            encryption = settings.encryption_type if settings is not None else "AES256"
            check_encryption(encryption, partition_name(place_of(scope).region))
        claim_prefix(scope, id, "repository creation template", self_prefix, nested=True)

        super().__init__(scope, id)
        self.prefix = self_prefix
        """The repository prefix, ``ROOT`` for what no other template matches."""
        self.settings = settings or CreationTemplateSettings()
        """The settings of the repositories."""
        self.applied_for = tuple(dict.fromkeys(applied_for))
        """How the repositories come about."""
        self._added: dict[str, iam.PolicyStatement] = {}
        self._repository_policy: iam.PolicyDocument | None = None
        self.role = role or (self._make_role(scope) if self.settings.needs_role else None)
        """The role that ECR assumes, if it needs one."""
        self.resource = self._make_resource(scope, self.applied_for, description)
        """The L1."""
        permission = self.role.node.try_find_child("DefaultPolicy") if self.role is not None else None
        if permission is not None:
            self.resource.node.add_dependency(permission)
        _of_stack.setdefault(stack_of(scope), []).append(self)
        self._warn_of_the_settings(scope, applied_for)

    def add_to_repository_policy(self, statement: iam.PolicyStatement) -> None:
        """Add a statement to the repository policy that new repositories get, once.

        :param statement: without resources; repositories that exist already get it by :class:`RepositoryBackfill`.
        """
        key = json.dumps(statement.to_json(), sort_keys=True)
        if key in self._added:
            return
        self._added[key] = statement
        if self._repository_policy is None:
            given = self.settings.repository_policy
            # A copy: the document is the caller's, and other templates may have it too.
            self._repository_policy = iam.PolicyDocument.from_json(given.to_json()) if given else iam.PolicyDocument()
            self.resource.repository_policy = stack_of(self).to_json_string(self._repository_policy)
        self._repository_policy.add_statements(statement)

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
        key = self.settings.encryption_key
        granted = statements.template_role(
            CacheRegistry.of(scope), self.prefix, key=key.key_arn if key is not None else None
        )
        # Inline, so that the role never exists without its permissions.
        role = iam.Role(
            self,
            "Role",
            assumed_by=_ecr(),
            description=f"Lets Amazon ECR create repositories under {self.prefix} with tags and encryption",
            inline_policies={"CreateRepositories": iam.PolicyDocument.from_json(statements.document(granted))},
        )
        if key is not None and key.stack is not stack_of(scope):
            # The policy of a key of another account must allow it too.
            key.grant(role, *permissions.CREATION_TEMPLATE_KEY)
        return role

    def _warn_of_the_settings(self, scope: Construct, applied_for: Sequence[AppliedFor]) -> None:
        found = cautions(
            mutability=self.settings.image_tag_mutability.name,
            lifecycle=self.settings.lifecycle,
            created_by=[a.value for a in applied_for],
        )
        if self.settings.encryption_type == DSSE and partition_name(place_of(scope).region) is None:
            found = {
                **found,
                "dsseWithoutRegion": f"{DSSE} exists in AWS GovCloud (US) alone, and the stack has no Region",
            }
        for name, text in found.items():
            Annotations.of(self).add_warning_v2(f"cdk-ecr-pull-through-cache:{name}", text)
