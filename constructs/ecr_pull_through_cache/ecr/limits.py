"""The rules of AWS that this package enforces, as data: each with its source, and whether it is an error or a warning.

The code that enforces a rule reads its number from :mod:`ecr_pull_through_cache.ecr.quotas` or from here. The page
``docs/reference/limits.md`` is written from :data:`LIMITS`, and a test breaks each rule and expects the answer that stands here.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from . import quotas
from .quotas import Quota

GUIDE = "https://docs.aws.amazon.com/AmazonECR/latest/userguide/"
API = "https://docs.aws.amazon.com/AmazonECR/latest/APIReference/"
CLOUDFORMATION = "https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/"
ROADMAP = "https://github.com/aws/containers-roadmap/issues/"


WITHOUT_SIGNING = (
    "ap-east-2",
    "ap-northeast-3",
    "ap-south-2",
    "ap-southeast-3",
    "ap-southeast-4",
    "ap-southeast-5",
    "ap-southeast-6",
    "ap-southeast-7",
    "ca-west-1",
    "cn-north-1",
    "cn-northwest-1",
    "eu-central-2",
    "eu-south-2",
    "il-central-1",
    "me-central-1",
    "mx-central-1",
)
"""The Regions whose CloudFormation schema lacks ``AWS::ECR::SigningConfiguration``; cfn-lint 1.58 ships the schemas."""


class Severity(Enum):
    """The outcome of breaking a rule."""

    ERROR = "error"
    """Nothing is synthesised: AWS would refuse it, or nothing could be pulled."""
    WARNING = "warning"
    """It is synthesised, and a warning says what happens or what is not known."""


class Where(Enum):
    """The place where a rule is enforced."""

    CONFIGURATION = "configuration"
    """When a configuration file is read, by every command."""
    SYNTHESIS = "synthesis"
    """When a construct is made."""
    COMMAND_LINE = "command line"
    """When an option or an argument is read."""


@dataclass(frozen=True, kw_only=True)
class Limit:
    """One rule of AWS.

    :param id: a short name, unique.
    :param subject: what the rule is about, a heading of the page.
    :param rule: the rule, one sentence.
    :param severity: what happens where it is broken.
    :param where: where it is enforced.
    :param sources: addresses of the pages that say so; more than one where they contradict each other.
    :param quota: the number behind it, if it is a quota.
    """

    id: str
    subject: str
    rule: str
    severity: Severity
    where: tuple[Where, ...]
    sources: tuple[str, ...]
    quota: Quota | None = None


_BOTH = (Where.CONFIGURATION, Where.SYNTHESIS)
_EVERYWHERE = (Where.CONFIGURATION, Where.SYNTHESIS, Where.COMMAND_LINE)
_SYNTHESIS = (Where.SYNTHESIS,)
_QUOTAS = f"{GUIDE}service-quotas.html"

_RULES = "Pull through cache rules"
_CREDENTIALS = "Upstream credentials"
_TEMPLATES = "Repository creation templates"
_LIFECYCLE = "Lifecycle policies"
_REPLICATION = "Replication"
_SCANNING = "Scanning and signing"
_POLICIES = "Policies"
_PLACES = "Accounts, Regions and endpoints"
_IMAGES = "Image references"


def _error(
    id: str,
    subject: str,
    rule: str,
    *sources: str,
    where: tuple[Where, ...] = _BOTH,
    quota: Quota | None = None,
) -> Limit:
    return Limit(id=id, subject=subject, rule=rule, severity=Severity.ERROR, where=where, sources=sources, quota=quota)


def _warning(id: str, subject: str, rule: str, *sources: str, where: tuple[Where, ...] = _SYNTHESIS) -> Limit:
    return Limit(id=id, subject=subject, rule=rule, severity=Severity.WARNING, where=where, sources=sources)


LIMITS: tuple[Limit, ...] = (
    _error(
        "rule-prefix",
        _RULES,
        "A repository prefix has 2 to 30 characters: lower-case letters and digits, joined by '.', '_', '__', "
        "'-' or '/'; or it is "
        "ROOT.",
        f"{API}API_CreatePullThroughCacheRule.html",
        where=_EVERYWHERE,
    ),
    _error(
        "root-with-part",
        _RULES,
        "An upstream repository prefix goes with a repository prefix other than ROOT.",
        f"{GUIDE}pull-through-cache-private-wildcards.html",
        where=_EVERYWHERE,
    ),
    _error("rules", _RULES, "A registry has at most 50 rules.", _QUOTAS, quota=quotas.RULES),
    _error(
        "upstream",
        _RULES,
        "ECR pulls through from nine kinds of registries alone, of Azure's from NAME.azurecr.io and "
        "NAME-HASH.azurecr.io.",
        f"{API}API_CreatePullThroughCacheRule.html",
        where=_EVERYWHERE,
    ),
    _error(
        "own-upstream",
        _RULES,
        "A registry is not its own upstream.",
        f"{GUIDE}pull-through-cache-private.html",
    ),
    _error(
        "upstream-partition",
        _RULES,
        "A private ECR upstream lies in the partition of the registry, because IAM roles do not cross partitions.",
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html",
        f"{GUIDE}pull-through-cache-private.html",
    ),
    _warning(
        "unverified-partition",
        _RULES,
        "Whether ECR pulls through in China, AWS GovCloud (US) and the European Sovereign Cloud is not verified: "
        "the user guide no "
        "longer excludes the first two, and no announcement includes any.",
        f"{GUIDE}pull-through-cache.html",
        f"{ROADMAP}2458",
        where=_BOTH,
    ),
    _error(
        "credentials-needed",
        _CREDENTIALS,
        "Docker Hub, GitHub, GitLab, Azure and Chainguard need a secret.",
        f"{GUIDE}pull-through-cache.html",
    ),
    _error(
        "credentials-refused",
        _CREDENTIALS,
        "registry.k8s.io, ECR Public, Quay and private ECR registries take no secret.",
        f"{GUIDE}pull-through-cache.html",
        f"{ROADMAP}2652",
    ),
    _error(
        "secret-name",
        _CREDENTIALS,
        "The name of the secret begins with ecr-pullthroughcache/; a secret made in the same app is given such a name.",
        f"{GUIDE}pull-through-cache-creating-secret.html",
    ),
    _error(
        "secret-name-length",
        _CREDENTIALS,
        "The name of the secret has at most 512 characters.",
        "https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_CreateSecret.html",
        quota=quotas.SECRET_NAME,
    ),
    _error(
        "secret-place",
        _CREDENTIALS,
        "The secret lies in the account and Region of the rule.",
        f"{GUIDE}pull-through-cache-creating-secret.html",
    ),
    _error(
        "secret-key",
        _CREDENTIALS,
        "The secret is encrypted with the AWS managed key aws/secretsmanager.",
        f"{GUIDE}pull-through-cache-creating-secret.html",
        where=_SYNTHESIS,
    ),
    _error(
        "template-prefix",
        _TEMPLATES,
        "The prefix of a template has at most 256 characters.",
        f"{API}API_CreateRepositoryCreationTemplate.html",
        where=_SYNTHESIS,
    ),
    _error(
        "exclusion-filters",
        _TEMPLATES,
        "A mutability exclusion filter has 1 to 128 letters, digits, '.', '_', '-' and at most two '*'; a "
        "template has 1 to 5 of "
        "them, with a mutability that ends in _WITH_EXCLUSION.",
        f"{API}API_ImageTagMutabilityExclusionFilter.html",
    ),
    _error(
        "dsse",
        _TEMPLATES,
        "KMS_DSSE exists in the AWS GovCloud (US) Regions alone.",
        f"{GUIDE}encryption-at-rest.html",
    ),
    _error(
        "tags",
        _TEMPLATES,
        "A tag key has 1 to 128 and its value at most 256 letters, digits, blanks and '+-=._:/@'; no key begins "
        "with aws: in any "
        "case; a repository has at most 50 tags. Keys are case-sensitive, so Team and team are two tags.",
        f"{GUIDE}ecr-using-tags.html",
        "https://docs.aws.amazon.com/tag-editor/latest/userguide/best-practices-and-strats.html",
        quota=quotas.TAGS,
    ),
    _warning(
        "immutable-cache",
        _TEMPLATES,
        "Under IMMUTABLE, ECR cannot refresh a cached tag that moved upstream.",
        f"{GUIDE}pull-through-cache.html",
        where=_BOTH,
    ),
    _warning(
        "immutable-replicas",
        _TEMPLATES,
        "Under IMMUTABLE, a replica whose tag exists already arrives without the tag, so nodes keep the old image.",
        f"{GUIDE}replication.html",
        where=_BOTH,
    ),
    _warning(
        "archived",
        _TEMPLATES,
        "Nobody can pull an archived image until it is restored, neither from a cache nor from replicas.",
        f"{GUIDE}archive-image.html",
        where=_BOTH,
    ),
    _warning(
        "expiring-replicas",
        _TEMPLATES,
        "A replica that has expired does not come back by a pull: the source replicates an image once, when it "
        "is pushed or imported.",
        f"{GUIDE}replication.html",
        where=_BOTH,
    ),
    _error(
        "lifecycle-combinations",
        _LIFECYCLE,
        "imageCountMoreThan and sinceImagePushed select standard images and expire or archive them; "
        "sinceImagePulled selects standard "
        "images and archives them; sinceImageTransitioned selects archived images and expires them.",
        f"{GUIDE}lifecycle_policy_parameters.html",
        f"{GUIDE}lifecycle_policy_examples.html",
    ),
    _error(
        "lifecycle-archive-days",
        _LIFECYCLE,
        "A lifecycle rule expires an archived image after 90 days at the earliest.",
        f"{GUIDE}lifecycle_policy_examples.html",
        quota=quotas.ARCHIVE_DAYS,
    ),
    _error(
        "lifecycle-selections",
        _LIFECYCLE,
        "For each storage class, one rule selects any images, and has the highest priority number; one selects "
        "untagged images; and "
        "no two rules have the same set of tag prefixes or patterns.",
        f"{GUIDE}LifecyclePolicies.html",
        f"{GUIDE}lifecycle_policy_parameters.html",
    ),
    _error(
        "lifecycle-tags",
        _LIFECYCLE,
        "Tagged images, and no others, are selected by tag patterns, with at most four '*' each, or by tag prefixes.",
        f"{GUIDE}lifecycle_policy_parameters.html",
    ),
    _error(
        "lifecycle-priorities",
        _LIFECYCLE,
        "Each rule has a priority of its own.",
        f"{GUIDE}lifecycle_policy_parameters.html",
    ),
    _error("lifecycle-rules", _LIFECYCLE, "A policy has 1 to 50 rules.", _QUOTAS, quota=quotas.LIFECYCLE_RULES),
    _error(
        "lifecycle-characters",
        _LIFECYCLE,
        "A policy has at most 30,720 characters.",
        _QUOTAS,
        quota=quotas.LIFECYCLE_CHARACTERS,
    ),
    _warning(
        "replication-rules",
        _REPLICATION,
        "A configuration has at most 10 rules (25 in ca-central-1) by one page of the user guide, and 25 by "
        "another: more than 10 is a "
        "warning.",
        _QUOTAS,
        f"{GUIDE}replication.html",
    ),
    _error(
        "replication-rules-api",
        _REPLICATION,
        "A configuration has at most 25 rules.",
        f"{API}API_ReplicationConfiguration.html",
        where=_SYNTHESIS,
        quota=quotas.REPLICATION_RULES_API,
    ),
    _error(
        "replication-destinations",
        _REPLICATION,
        "All rules together have at most 25 destinations.",
        _QUOTAS,
        quota=quotas.REPLICATION_DESTINATIONS,
    ),
    _error(
        "replication-filters",
        _REPLICATION,
        "A rule has at most 100 filters; a filter has 2 to 256 characters.",
        _QUOTAS,
        f"{API}API_RepositoryFilter.html",
        where=_SYNTHESIS,
        quota=quotas.REPLICATION_FILTERS,
    ),
    _error(
        "replication-self",
        _REPLICATION,
        "A registry does not replicate to itself.",
        f"{API}API_ReplicationDestination.html",
    ),
    _error(
        "replication-partition",
        _REPLICATION,
        "Images are not replicated to another partition.",
        f"{GUIDE}replication.html",
    ),
    _error(
        "scan-frequency",
        _SCANNING,
        "A scanning rule has the frequency SCAN_ON_PUSH or, with ENHANCED alone, CONTINUOUS_SCAN; each at most once.",
        f"{CLOUDFORMATION}aws-properties-ecr-registryscanningconfiguration-scanningrule.html",
        where=_SYNTHESIS,
    ),
    _error(
        "scan-filters",
        _SCANNING,
        "A scanning rule has at most 100 filters of at most 255 characters; '--' and '__' cannot stand in a filter.",
        f"{API}API_ScanningRepositoryFilter.html",
        where=_SYNTHESIS,
        quota=quotas.SCANNING_FILTERS,
    ),
    _error(
        "signing-rules",
        _SCANNING,
        "A signing configuration has 1 to 10 rules.",
        f"{GUIDE}managed-signing.html",
        where=_SYNTHESIS,
        quota=quotas.SIGNING_RULES,
    ),
    _error(
        "signing-filters",
        _SCANNING,
        "A signing rule has at most 100 filters of at most 256 characters; '--' and '__' cannot stand in a filter.",
        f"{API}API_SigningRepositoryFilter.html",
        where=_SYNTHESIS,
        quota=quotas.SIGNING_FILTERS,
    ),
    _error(
        "signing-profile",
        _SCANNING,
        "The signing profile lies in the Region of the registry; its account may be another.",
        f"{GUIDE}managed-signing.html",
        where=_SYNTHESIS,
    ),
    _error(
        "signing-region",
        _SCANNING,
        "ECR signs in the Regions whose CloudFormation schema has AWS::ECR::SigningConfiguration.",
        f"{CLOUDFORMATION}aws-resource-ecr-signingconfiguration.html",
        where=_SYNTHESIS,
    ),
    _error(
        "account",
        _PLACES,
        "An account has 12 digits, 0 to 9.",
        "https://docs.aws.amazon.com/accounts/latest/reference/manage-acct-identifiers.html",
        where=_EVERYWHERE,
    ),
    _warning(
        "new-region",
        _PLACES,
        "A Region that this package does not know, of a name like those of its partition, is taken to have ECR.",
        "https://docs.aws.amazon.com/general/latest/gr/ecr.html",
        where=_BOTH,
    ),
    _error(
        "policy-size",
        _POLICIES,
        "A registry policy and a repository policy have at most 10,240 characters. All accounts stand in one statement; "
        "where they are too many, name their organisation.",
        f"{API}API_PutRegistryPolicy.html",
        f"{API}API_SetRepositoryPolicy.html",
        quota=quotas.REGISTRY_POLICY_CHARACTERS,
    ),
    _error(
        "managed-policy-size",
        _POLICIES,
        "A managed policy of IAM has at most 6,144 characters. The permissions of nodes are shared out over several "
        "policies; an allow list that fits into none is refused.",
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html",
        where=_SYNTHESIS,
        quota=quotas.MANAGED_POLICY_CHARACTERS,
    ),
    _error(
        "limits-beside-root",
        _POLICIES,
        "An allow list, or known repositories only, does not go with another upstream under ROOT, whose repositories are to "
        "IAM all of the registry's.",
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html",
    ),
    _error(
        "fips-endpoints",
        _PLACES,
        "ECR has FIPS endpoints in us-east-1, us-east-2, us-west-1, us-west-2 and AWS GovCloud (US).",
        "https://docs.aws.amazon.com/general/latest/gr/ecr.html",
        f"{GUIDE}vpc-endpoints.html",
        where=_SYNTHESIS,
    ),
    _warning(
        "fips-first-pull",
        _PLACES,
        "FIPS endpoints do not serve the first pull of an image.",
        f"{GUIDE}pull-through-cache.html",
    ),
    _error(
        "repository-name",
        _IMAGES,
        "The name of a cached repository, prefix included, has at most 255 characters: container runtimes take no more, and "
        "Amazon ECR takes 256. An image whose name would be longer keeps its upstream.",
        f"{API}API_CreateRepository.html",
        where=(Where.SYNTHESIS, Where.COMMAND_LINE),
        quota=quotas.REPOSITORY_NAME,
    ),
    _error(
        "image-uri",
        _IMAGES,
        "A repository is a path without host, tag and digest; a tag has at most 128 characters; a digest is an "
        "algorithm and its "
        "hexadecimal digits.",
        "https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pulling-manifests",
        where=_SYNTHESIS,
    ),
    _warning(
        "lambda",
        _IMAGES,
        "AWS Lambda does not pull through a rule: an image of a function has to be in the cache before.",
        f"{GUIDE}pull-through-cache.html",
    ),
)
"""Every rule, in the order of the page."""
