"""The keys of a configuration file. Key names are AWS's own where AWS has one."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StrictFloat,
    StrictInt,
    model_validator,
)  # fmt: skip
from pydantic.alias_generators import to_camel

from ..admission import PolicyForm
from ..ecr import templates
from ..ecr.lifecycle import EXPIRE_BY_LAST_PULL, LifecyclePolicy, LifecycleRule
from ..ecr.template_rules import check_tags
from ..errors import UserError
from ..images import (
    ROOT,
    CachedUpstream,
    Credentials,
    ImagePattern,
    PinnedByDigest,
    Upstream,
    check_allowed,
    check_platform,
    check_prefix,
)
from .patterns import (
    AccountNumber,
    AddressRange,
    KeyArn,
    Name,
    OrganizationId,
    RoleName,
    RouteTableId,
    Schedule,
    SubnetId,
    TopicArn,
    VpcId,
)


class Model(BaseModel):
    """Camel case in files, snake case here; unknown keys are refused."""

    # Deferred: most of these models are only ever validated as a part of Document, which builds its parts itself.
    model_config = ConfigDict(
        extra="forbid", frozen=True, alias_generator=to_camel, validate_by_name=False, defer_build=True
    )


class NodeKind(StrEnum):
    """Kinds of compute whose role pulls. Each but the self-managed one has a role that a certain AWS service assumes."""

    MANAGED_NODE_GROUP = "managed-node-group"
    KARPENTER = "karpenter"
    AUTO_MODE = "auto-mode"
    FARGATE = "fargate"
    SELF_MANAGED = "self-managed"
    ECS = "ecs"


def _text_of_digits(value: Any) -> Any:
    if isinstance(value, int) and not isinstance(value, bool):
        raise UserError(f"given the number {value}; write accounts in quotes, so that no leading 0 is lost")
    return value


def _pattern_of_images(value: str) -> str:
    ImagePattern.parse(value)
    return value


def _upstream_from_host(value: Any) -> Any:
    return {"upstream": value} if isinstance(value, str) else value


AccountName = Annotated[str, BeforeValidator(_text_of_digits)]
Platform = Annotated[str, AfterValidator(check_platform)]
Patterns = tuple[Annotated[str, AfterValidator(_pattern_of_images)], ...]
Tags = Annotated[dict[str, str], AfterValidator(check_tags)]
SecretName = Annotated[
    str,
    Field(
        description="Name of the secret to create, or complete ARN of an existing one; "
        "either way its name begins with ecr-pullthroughcache/."
    ),
]


class Lifecycle(Model):
    """Images that expire or are archived. Give one of the two keys."""

    expire_after_days: Annotated[int, Field(ge=1)] | None = Field(
        None,
        description="Days after its import when an image expires, whether it is pulled or not; "
        "the next pull by tag imports it again.",
    )
    rules: list[dict[str, Any]] | None = Field(
        None, description="Rules in the words of ECR's lifecycle policies: rulePriority, selection, action."
    )

    @model_validator(mode="before")
    @classmethod
    def _no_last_pull(cls, given: Any) -> Any:
        if isinstance(given, dict) and "expireUnpulledAfterDays" in given:
            raise UserError(f"expireUnpulledAfterDays is not possible: {EXPIRE_BY_LAST_PULL} (expireAfterDays)")
        return given

    @model_validator(mode="after")
    def _one_of_two(self) -> Lifecycle:
        if (self.expire_after_days is None) == (self.rules is None):
            raise UserError("give one of 'expireAfterDays' and 'rules'")
        self.policy()
        return self

    def policy(self) -> LifecyclePolicy:
        """The typed policy.

        :raises UserError: when ECR would refuse it.
        """
        if self.expire_after_days is not None:
            return LifecyclePolicy.expire_after(days=self.expire_after_days)
        return LifecyclePolicy([LifecycleRule.from_json(rule) for rule in self.rules or ()])


ExclusionFilter = Annotated[str, AfterValidator(templates.check_exclusion)]


class Template(Model):
    """Settings of the repositories that ECR creates by itself."""

    image_tag_mutability: templates.TagMutability = Field(
        templates.DEFAULT_TAG_MUTABILITY,
        description="Whether a tag can be moved to another image. ECR refreshes cached tags by moving them.",
    )
    image_tag_mutability_exclusion_filters: tuple[ExclusionFilter, ...] = Field(
        (),
        max_length=templates.MOST_EXCLUSIONS,
        description="Tag patterns that are exempt, for the ..._WITH_EXCLUSION settings.",
    )
    encryption_type: templates.EncryptionType | None = Field(
        None, description="Encryption of the repositories. Default: AES256, or KMS if there is a kmsKey."
    )
    kms_key: KeyArn | None = Field(None, description="ARN of a key in the registry's account and Region.")
    lifecycle_policy: Lifecycle | None = Field(
        None, description="Lifecycle policy of the repositories. Default: images do not expire."
    )
    resource_tags: Tags = Field(default_factory=dict, description="Tags of the repositories.")

    @model_validator(mode="after")
    def _goes_together(self) -> Template:
        _ = self.settings
        return self

    @property
    def settings(self) -> templates.TemplateSettings:
        """The settings as the package knows them everywhere else.

        :raises UserError: when they do not go together.
        """
        return templates.TemplateSettings(
            image_tag_mutability=self.image_tag_mutability,
            exclusion_filters=self.image_tag_mutability_exclusion_filters,
            encryption_type=self.encryption_type,
            kms_key=self.kms_key,
            lifecycle=self.lifecycle_policy.policy() if self.lifecycle_policy else None,
            resource_tags=self.resource_tags,
        )


class UpstreamRule(Model):
    """One upstream registry, cached under one repository prefix. Its host alone is enough where no more is to say."""

    upstream: str = Field(description="Host of the upstream registry: registry.k8s.io, docker.io, NAME.azurecr.io ...")
    upstream_repository_prefix: str = Field(ROOT, description="Part of the upstream to cache. Default: all of it.")
    credentials: SecretName | None = Field(None, description="Secret with which ECR signs in to the upstream.")
    deployed_credentials: str | None = Field(
        None,
        description="Complete ARN of the secret with which the rule was created, if another one is used now: "
        "CloudFormation cannot change it, `ecr-pull-through check --fix` does.",
    )
    role: RoleName | None = Field(
        None, description="Role for a private ECR upstream of another account. Default: it is created."
    )
    mode: Literal["pull-through", "push"] = Field(
        "pull-through",
        description="'push' where ECR cannot pull through: repositories get their settings, and you push the images.",
    )
    allow: tuple[str, ...] = Field(
        (),
        description="Repositories that may be imported, by their path below what the prefix stands for: library/alpine, "
        "bitnami/*. A * stands for any characters. All of them if left out.",
    )
    known_repositories_only: StrictBool = Field(
        False,
        description="Whether nodes may import into existing repositories alone; the registry's owner creates them, for example "
        "by warming.",
    )
    template: Template | None = Field(None, description="Settings that override the registry's template.")

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: Any, handler: Any) -> Any:
        schema = handler(core_schema)
        return {
            "anyOf": [
                {"type": "string", "description": "Host of the upstream registry."},
                handler.resolve_ref_schema(schema),
            ]
        }

    @model_validator(mode="after")
    def _has_what_it_needs(self) -> UpstreamRule:
        known = Upstream.from_host(self.upstream)
        check_prefix(self.upstream_repository_prefix)
        check_allowed(known, self.upstream_repository_prefix, self.allow)
        if self.mode == "push":
            if self.allow or self.known_repositories_only:
                raise UserError(
                    "'allow' and 'knownRepositoriesOnly' are about imports, and nothing is imported by a push"
                )
            return self
        if known.credentials is Credentials.REQUIRED and self.credentials is None:
            raise UserError(f"{self.upstream} needs credentials; add 'credentials' with the name of a secret")
        if known.credentials is Credentials.NONE and self.credentials is not None:
            raise UserError(f"{self.upstream} takes no credentials; leave 'credentials' out")
        if known.credentials is Credentials.NONE and self.deployed_credentials is not None:
            raise UserError(f"{self.upstream} takes no credentials; leave 'deployedCredentials' out")
        return self

    def cached(self, prefix: str) -> CachedUpstream:
        """The rule as the mapping knows it."""
        return CachedUpstream(
            upstream=Upstream.from_host(self.upstream),
            repository_prefix=prefix,
            upstream_repository_prefix=self.upstream_repository_prefix,
            allow=self.allow,
        )


class Pull(Model):
    """Other accounts that may pull. The accounts of the clusters in this file may pull without being listed."""

    accounts: tuple[AccountName, ...] = Field((), description="Accounts, by name or 12 digits.")
    organization: StrictBool = Field(
        False,
        description="Every account of the organization, those of the clusters in this file among them: they are not listed "
        "one by one.",
    )


class Warm(Model):
    """Images that are imported before they are pulled. Without a list here, it is the object images.txt of a bucket."""

    images: tuple[str, ...] = Field((), description="Image references: upstream's names or cached names.")
    images_file: str | None = Field(
        None, description="File of image references beside the configuration, one in each line; # begins a comment."
    )
    schedule: Schedule | None = Field(
        None, description="Schedule of further imports, such as rate(1 day) or cron(0 3 * * ? *). Default: no schedule."
    )
    platforms: tuple[Platform, ...] = Field((), description="Platforms to import, such as linux/arm64. Default: all.")
    referrers: StrictBool = Field(False, description="Also import signatures and bills of materials.")
    max_concurrency: StrictInt = Field(10, ge=1, le=1000, description="Concurrent batches of 20 images.")
    requests_per_second: StrictFloat = Field(200, ge=0, description="Limit for all batches together; 0 for no limit.")
    kms_key: KeyArn | None = Field(
        None, description="ARN of a KMS key for the bucket with list and reports. Default: encryption with keys of S3."
    )
    alarm_topic: TopicArn | None = Field(None, description="Topic to notify of failed runs and failed images.")

    @model_validator(mode="after")
    def _one_list(self) -> Warm:
        if self.images and self.images_file:
            raise UserError("give one of 'images' and 'imagesFile'")
        return self


class Backfill(Model):
    """Repositories that exist already get what their creation template says, whenever that changes."""

    replace: tuple[Literal["lifecyclePolicy", "imageTagMutability", "resourceTags"], ...] = Field(
        (), description="Settings to overwrite even where they were customized."
    )
    alarm_topic: TopicArn | None = Field(None, description="Topic to notify of repositories that cannot be changed.")


class Dashboard(Model):
    """A CloudWatch dashboard of pulls, imports, failures, storage and quotas, with alarms."""

    failed_imports_threshold: StrictFloat = Field(
        10, gt=0, description="Failed imports in an hour at which an alarm is raised."
    )
    quota_threshold_percent: StrictFloat = Field(
        80, gt=0, le=100, description="Use of a quota, in per cent, at which an alarm is raised."
    )
    alarm_topic: TopicArn | None = Field(None, description="Topic to notify of alarms.")


class Registry(Model):
    """A private ECR registry: an account in a Region. Without upstreams it receives what others replicate to it."""

    account: AccountName = Field(description="Name of an account under accounts, or its 12 digits in quotes.")
    region: str = Field(description="Name of a Region under regions, or the Region itself.")
    upstreams: dict[str, Annotated[UpstreamRule, BeforeValidator(_upstream_from_host)]] = Field(
        default_factory=dict, description="Upstream registry of each repository prefix; ROOT for no prefix."
    )
    template: Template | None = Field(None, description="Settings of new repositories. Default: defaults.template.")
    replicate_to: tuple[str, ...] = Field(
        (), description="Names of the registries to which ECR replicates cached images."
    )
    pull: Pull | None = Field(
        None,
        description="Accounts that may pull and import, besides those of the clusters in this file; {} for none. Default: the "
        "pull of the registries that replicate here, without imports, and defaults.pull where they say nothing.",
    )
    registry_policy_scope: Literal["V2"] | None = Field(
        None,
        description="V2: the registry policy lets other accounts pull too, from existing repositories as well. The registry's "
        "account setting must be V2; `check` compares it and `check --fix` sets it. Not seen on AWS. Pulls are allowed by the "
        "policy of each repository alone if left out.",
    )
    scan_type: Literal["BASIC", "ENHANCED"] | None = Field(
        None,
        description="Scan images when they are imported or pushed. Default: the registry's setting is not managed.",
    )
    exclude: Patterns = Field(
        (),
        description="Patterns of images that keep their upstream: quay.io/team/*, docker.io/library/nginx:1.2*. Default: none.",
    )
    only: Patterns = Field((), description="Patterns of the images that go to the cache. Default: all.")
    warm: Warm | None = Field(None, description="Import images before they are pulled. Default: no warmer.")
    backfill: Backfill | None = Field(
        None, description="Apply the settings of templates to existing repositories. Default: no backfill."
    )
    dashboard: Dashboard | None = Field(None, description="CloudWatch dashboard with alarms. Default: no dashboard.")
    empty_on_delete: StrictBool = Field(
        False, description="Delete cached images with the stack. Default: they are kept."
    )
    accept_unverified: StrictBool = Field(
        False,
        description="Silence the warnings that AWS does not say whether ECR pulls through in this partition or Region.",
    )


class Nodes(Model):
    """A role that pulls."""

    role: RoleName
    kind: NodeKind | None = Field(
        None,
        description="Kind of compute that has the role. `check` then compares the service that may assume the role; a cluster "
        "of `ecs` alone has no admission. Not checked if left out.",
    )


class Rewrite(Model):
    """Admission policy that rewrites images."""

    form: PolicyForm = Field(
        PolicyForm.MUTATING_POLICY,
        description="Form of the admission policy. Kyverno deprecates cluster-policy since 1.17 and will remove it.",
    )
    pinned_by_digest: PinnedByDigest = Field(
        PinnedByDigest.LEAVE,
        description="'rewrite' only where every image is in the cache before it is rolled out: "
        "ECR cannot answer a first pull by digest.",
    )
    failure_policy: Literal["Ignore", "Fail"] = Field(
        "Ignore", description="Ignore admits Pods unchanged while the policy cannot be evaluated; Fail rejects them."
    )
    excluded_namespaces: tuple[str, ...] = Field((), description="Namespaces whose Pods are not rewritten.")
    opt_in: StrictBool = Field(
        False,
        description="Rewrite only in namespaces with the label ecr-pull-through-cache/rewrite: enabled. Default: in all.",
    )


class Endpoints(Model):
    """The VPC that gets endpoints for ECR and its layers."""

    vpc: VpcId
    cidr: AddressRange = Field(description="CIDR range that may reach the endpoints.")
    subnets: dict[str, SubnetId] = Field(min_length=1, description="One private subnet in each Availability Zone.")
    route_tables: dict[str, RouteTableId] = Field(
        min_length=1, description="Route table of the subnet in each Availability Zone."
    )

    @model_validator(mode="after")
    def _same_zones(self) -> Endpoints:
        if set(self.subnets) != set(self.route_tables):
            raise UserError(
                f"subnets are given for {', '.join(sorted(self.subnets))} and routeTables for "
                f"{', '.join(sorted(self.route_tables))}; give both for the same availability zones"
            )
        return self


class Cluster(Model):
    """A cluster, or anything else that pulls, and the registry it pulls from."""

    account: AccountName = Field(description="Name of an account under accounts, or its 12 digits in quotes.")
    region: str = Field(description="Name of a Region under regions, or the Region itself.")
    registry: str = Field(description="Name of the registry from which the cluster pulls.")
    nodes: tuple[Nodes, ...] = Field(
        (), description="Roles to which the pull policy is attached. Default: it is created and not attached."
    )
    import_: StrictBool = Field(
        True,
        alias="import",
        description="Whether a pull may import a new image; false if images are approved and warmed first.",
    )
    exclude: Patterns | None = Field(
        None,
        description="Patterns of images that keep their upstream, such as quay.io/team/*. Default: the registry's.",
    )
    only: Patterns | None = Field(
        None, description="Patterns of the images that go to the cache. Default: the registry's, else all."
    )
    rewrite: Rewrite | None = Field(None, description="Admission policy that rewrites images. Default: no policy.")
    prepopulated: StrictBool = Field(
        False, description="Declares that images are warmed before they run here, as a registry of replicas requires."
    )
    endpoints: Endpoints | None = Field(None, description="VPC endpoints for private subnets.")


class Defaults(Model):
    """Defaults for registries and clusters."""

    template: Template | None = None
    rewrite: Rewrite | None = None
    pull: Pull | None = Field(
        None, description="Accounts that may pull from every registry that has no pull of its own."
    )


class Document(Model):
    """A configuration: registries, the clusters that pull from them, and names for accounts and Regions."""

    accounts: dict[Name, Annotated[AccountNumber, BeforeValidator(_text_of_digits)]] = Field(
        default_factory=dict, description="Accounts by a name of your choice."
    )
    regions: dict[Name, str] = Field(default_factory=dict, description="Regions by a name of your choice.")
    organization: OrganizationId | None = Field(None, description="Id of the AWS organization, for pull.organization.")
    tags: Tags = Field(default_factory=dict, description="Tags of every stack.")
    defaults: Defaults = Field(default_factory=Defaults)
    registries: dict[Name, Registry] = Field(min_length=1, description="Registries by a name of your choice.")
    clusters: dict[Name, Cluster] = Field(default_factory=dict, description="Clusters by a name of your choice.")
