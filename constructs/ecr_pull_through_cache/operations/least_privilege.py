"""The least IAM policy of each verb.

One truth for people, who give a pipeline a role with ``ecr-pull-through iam VERB``, and for the Lambda functions of this
package. A test compares it with the calls that the verbs really send.

https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonelasticcontainerregistry.html
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from ..ecr import permissions, secrets
from ..ecr.registry import EcrRegistry
from ..errors import UserError
from ..images import ROOT


class On(Enum):
    """The kind of resource on which a statement allows its actions."""

    EVERYTHING = "everything"
    """``*``: AWS allows nothing narrower."""
    REGISTRY = "registry"
    """Every repository of the registry: listing them knows no prefix."""
    REPOSITORIES = "repositories"
    """The repositories under the prefixes."""
    REPLICAS = "replicas"
    """The repositories under the prefixes, where the registry replicates to."""
    SECRETS = "secrets"
    """The secrets of the rules."""
    KEYS = "keys"
    """The customer managed keys of the repositories."""
    OWN_ORGANIZATION = "own-organization"
    """The organisation of an account that pulls because it belongs to it; AWS allows nothing narrower than ``*``."""
    NODE_ROLES = "node-roles"
    """The roles of the nodes that pull."""
    UPSTREAM_ROLES = "upstream-roles"
    """The roles that ECR reads private upstreams with."""


@dataclass(frozen=True, kw_only=True)
class Statement:
    """Actions that a verb needs, on one kind of resource.

    :param sid: id of the statement.
    :param actions: the actions.
    :param on: what they are allowed on.
    :param because: page that says so, for actions that are no call of the verb's own: those behind the OCI distribution API.
    :param passed_to: the services that alone may be passed the roles. Default: no roles are passed.
    """

    sid: str
    actions: tuple[str, ...]
    on: On
    because: str | None = None
    passed_to: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Place:
    """A registry, or the account of a cluster, as far as policies name it.

    :param account: 12 digits.
    :param region: its Region.
    :param prefixes: repository prefixes that the verb works under; ``ROOT`` for all.
    :param replicate_to: the registries that the registry replicates to.
    :param secrets: names or complete ARNs of the rules' secrets.
    :param keys: ARNs of the customer managed keys.
    :param node_roles: names of the roles that pull.
    :param upstream_roles: names of the roles that ECR reads private upstreams with.
    :param registry: whether there is a registry; otherwise it is the account of a cluster alone.
    :param member: whether the account pulls because it belongs to the organisation.
    """

    account: str
    region: str
    prefixes: tuple[str, ...] = ()
    replicate_to: tuple[EcrRegistry, ...] = ()
    secrets: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    node_roles: tuple[str, ...] = ()
    upstream_roles: tuple[str, ...] = ()
    registry: bool = True
    member: bool = False

    def resources(self, on: On) -> list[str]:
        """ARNs, or patterns of them."""
        here = EcrRegistry(account=self.account, region=self.region)
        return {
            On.EVERYTHING: ["*"] if self.registry else [],
            On.REGISTRY: [here.arn_for_repositories(ROOT)] if self.registry else [],
            On.REPOSITORIES: [here.arn_for_repositories(prefix) for prefix in self.prefixes],
            On.REPLICAS: [to.arn_for_repositories(prefix) for to in self.replicate_to for prefix in self.prefixes],
            On.SECRETS: [secrets.arn_pattern(here, secret) for secret in self.secrets],
            On.KEYS: list(self.keys),
            # A role is written down without its path, and stands in its ARN with it.
            On.OWN_ORGANIZATION: ["*"] if self.member else [],
            On.NODE_ROLES: [here.role_arn(path + role) for role in self.node_roles for path in ("", "*/")],
            On.UPSTREAM_ROLES: [here.role_arn(role) for role in self.upstream_roles],
        }[on]


_OCI = "https://docs.aws.amazon.com/AmazonECR/latest/userguide/pull-through-cache-iam.html"
_ROLES = "https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonelasticcontainerregistry.html"
_KMS = "https://docs.aws.amazon.com/AmazonECR/latest/userguide/encryption-at-rest.html"

# What a verb needs with all of the options named by a key; "" is what it needs in any case.
_NEEDS: Mapping[str, Mapping[str, tuple[Statement, ...]]] = {
    "inventory": {"": ()},
    "warm": {
        "": (
            Statement(sid="SignIn", actions=permissions.AUTHENTICATE, on=On.EVERYTHING),
            # ListImageReferrers, which signatures are found by, is allowed by ecr:BatchGetImage too.
            Statement(
                sid="ImportByManifests",
                actions=("ecr:BatchGetImage", *permissions.IMPORT),
                on=On.REPOSITORIES,
                because=_OCI,
            ),
        ),
        "wait": (
            Statement(sid="SeeLayers", actions=("ecr:BatchCheckLayerAvailability",), on=On.REPOSITORIES),
        ),
        "images": (
            Statement(sid="SeeImages", actions=("ecr:DescribeImages",), on=On.REPOSITORIES),
        ),
        "replicas": (
            Statement(sid="SeeReplication", actions=("ecr:DescribeImageReplicationStatus",), on=On.REPOSITORIES),
            Statement(sid="SeeReplicas", actions=("ecr:DescribeImages",), on=On.REPLICAS),
        ),
        # Without a configuration, the registry says where it replicates to.
        "destinations": (
            Statement(sid="FindReplicas", actions=("ecr:DescribeRegistry",), on=On.EVERYTHING),
        ),
        "tags": (Statement(sid="TagOnCreation", actions=permissions.TAG, on=On.REPOSITORIES, because=_OCI),),
    },
    "try": {
        "": (
            Statement(sid="SignIn", actions=permissions.AUTHENTICATE, on=On.EVERYTHING),
            Statement(
                sid="PullAsANode",
                actions=("ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer", *permissions.IMPORT),
                on=On.REPOSITORIES,
                because=_OCI,
            ),
            Statement(sid="ReadRules", actions=("ecr:DescribePullThroughCacheRules",), on=On.EVERYTHING),
        ),
        "tags": (Statement(sid="TagOnCreation", actions=permissions.TAG, on=On.REPOSITORIES, because=_OCI),),
    },
    "backfill": {
        "settings": (
            Statement(sid="ReadTemplates", actions=("ecr:DescribeRepositoryCreationTemplates",), on=On.EVERYTHING),
            Statement(sid="ListRepositories", actions=("ecr:DescribeRepositories",), on=On.REGISTRY),
            Statement(
                sid="ReadSettings",
                actions=("ecr:GetLifecyclePolicy", "ecr:GetRepositoryPolicy", "ecr:ListTagsForResource"),
                on=On.REPOSITORIES,
            ),
        ),
        "settings yes": (
            Statement(
                sid="ChangeSettings",
                actions=(
                    "ecr:PutImageTagMutability",
                    "ecr:PutLifecyclePolicy",
                    "ecr:SetRepositoryPolicy",
                    "ecr:TagResource",
                ),
                on=On.REPOSITORIES,
            ),
        ),
        "replication": (
            Statement(
                sid="SeeReplication",
                actions=("ecr:DescribeRegistry", "ecr:ListReplicationBackfills"),
                on=On.EVERYTHING,
            ),
        ),
        "replication yes": (
            Statement(
                sid="ReplicateWhatIsThere",
                actions=("ecr:DescribeReplicationBackfillResults", "ecr:StartReplicationBackfill"),
                on=On.EVERYTHING,
            ),
        ),
    },
    "check": {
        "": (
            Statement(
                sid="ReadRegistry",
                actions=(
                    "ecr:DescribePullThroughCacheRules",
                    "ecr:DescribeRegistry",
                    "ecr:DescribeRepositoryCreationTemplates",
                    "ecr:GetAccountSetting",
                    "ecr:GetRegistryPolicy",
                    "ecr:GetRegistryScanningConfiguration",
                    "ecr:ValidatePullThroughCacheRule",
                ),
                on=On.EVERYTHING,
            ),
            Statement(sid="FindSecrets", actions=("secretsmanager:DescribeSecret",), on=On.SECRETS),
        ),
        "secret-values": (
            Statement(sid="SeeShapeOfSecrets", actions=("secretsmanager:GetSecretValue",), on=On.SECRETS),
        ),
        "members": (
            Statement(sid="SeeOrganization", actions=("organizations:DescribeOrganization",), on=On.OWN_ORGANIZATION),
        ),
        "nodes": (
            Statement(sid="AskForNodes", actions=("iam:GetRole", "iam:SimulatePrincipalPolicy"), on=On.NODE_ROLES),
        ),
        "repositories": (
            Statement(sid="ListRepositories", actions=("ecr:DescribeRepositories",), on=On.REGISTRY),
            Statement(
                sid="ReadSettings",
                actions=("ecr:GetLifecyclePolicy", "ecr:GetRepositoryPolicy", "ecr:ListTagsForResource"),
                on=On.REPOSITORIES,
            ),
        ),
        "stale": (
            Statement(sid="ListRepositories", actions=("ecr:DescribeRepositories",), on=On.REGISTRY),
            Statement(sid="SeeLastPulls", actions=("ecr:DescribeImages",), on=On.REPOSITORIES),
        ),
        "fix yes": (
            Statement(
                sid="MendRulesAndAccountSettings",
                actions=("ecr:PutAccountSetting", "ecr:UpdatePullThroughCacheRule"),
                on=On.EVERYTHING,
            ),
            Statement(
                sid="GiveRulesTheirRoles",
                actions=("iam:PassRole",),
                on=On.UPSTREAM_ROLES,
                because=_ROLES,
                passed_to=("ecr.amazonaws.com", "pullthroughcache.ecr.amazonaws.com"),
            ),
        ),
    },
    "purge": {
        "": (
            Statement(
                sid="ReadRules",
                actions=("ecr:DescribePullThroughCacheRules", "ecr:DescribeRepositoryCreationTemplates"),
                on=On.EVERYTHING,
            ),
            Statement(sid="ListRepositories", actions=("ecr:DescribeRepositories",), on=On.REGISTRY),
            Statement(sid="ReadTags", actions=("ecr:ListTagsForResource",), on=On.REPOSITORIES),
        ),
        "yes": (
            Statement(sid="DeleteRepositories", actions=("ecr:DeleteRepository",), on=On.REPOSITORIES),
            Statement(sid="RetireGrants", actions=("kms:RetireGrant",), on=On.KEYS, because=_KMS),
        ),
        "rule yes": (
            Statement(sid="DeleteRule", actions=("ecr:DeletePullThroughCacheRule",), on=On.EVERYTHING),
        ),
    },
}  # fmt: skip

VERBS = tuple(_NEEDS)
"""The verbs that ask AWS, or could."""

READ_ONLY = frozenset(
    {"images", "members", "nodes", "repositories", "replication", "rule", "secret-values", "settings", "tags", "wait"}
)
"""The options of a run that shows everything and changes nothing."""


def options_of(verb: str) -> frozenset[str]:
    """The options by which a verb needs more.

    :raises UserError: when there is no such verb.
    """
    return frozenset(word for key in _needs(verb) for word in key.split())


def actions_of(verb: str, options: Collection[str] = READ_ONLY) -> tuple[Statement, ...]:
    """Return the statements that a verb needs.

    :param verb: ``warm``, ``backfill``, ``check`` or ``purge``; ``inventory`` needs nothing of AWS.
    :param options: ``yes``, ``fix``, ``replication`` and others of :func:`options_of`.
    :raises UserError: when there is no such verb or option.
    """
    unknown = sorted(set(options) - options_of(verb) - READ_ONLY)
    if unknown:
        raise UserError(
            f"{unknown[0]!r} changes nothing for {verb}; what does is {', '.join(sorted(options_of(verb))) or 'nothing'}"
        )
    needs = _needs(verb)
    found = [s for key, statements in needs.items() if set(key.split()) <= set(options) for s in statements]
    return tuple(dict.fromkeys(found))


def policy_of(statements: Iterable[Statement], places: Iterable[Place]) -> dict[str, Any]:
    """The policy of a role of one account.

    :param statements: what it needs.
    :param places: the registries and clusters of that account.
    """
    there = tuple(places)
    return {"Version": "2012-10-17", "Statement": list(_rendered(statements, there))}


def caller_policy(accounts: Iterable[str], role: str, *, partition: str = "aws") -> dict[str, Any]:
    """The policy of whoever runs a verb with ``--assume-role``.

    :param accounts: the accounts of the configuration.
    :param role: name of the role in each of them.
    :param partition: ``aws``, ``aws-cn`` or ``aws-us-gov``.
    """
    roles = [f"arn:{partition}:iam::{account}:role/{role}" for account in sorted(set(accounts))]
    statement = {"Sid": "AssumeRoles", "Effect": "Allow", "Action": ["sts:AssumeRole"], "Resource": roles}
    return {"Version": "2012-10-17", "Statement": [statement]}


def _rendered(statements: Iterable[Statement], places: tuple[Place, ...]) -> Iterator[dict[str, Any]]:
    for statement in statements:
        resources = sorted({arn for place in places for arn in place.resources(statement.on)})
        if resources:
            yield {
                "Sid": statement.sid,
                "Effect": "Allow",
                "Action": sorted(statement.actions),
                "Resource": resources,
                **(
                    {"Condition": {"StringEquals": {"iam:PassedToService": list(to)}}}
                    if (to := statement.passed_to)
                    else {}
                ),
            }


def _needs(verb: str) -> Mapping[str, tuple[Statement, ...]]:
    if verb not in _NEEDS:
        raise UserError(f"there is no verb {verb!r} that asks AWS; there are {', '.join(VERBS)}")
    return _NEEDS[verb]
