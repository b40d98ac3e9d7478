"""Policy statements of a pull through cache, as JSON: who may pull, import and replicate, and what ECR's roles may do.

Constructs wrap them with ``PolicyStatement.from_json``; ``check`` compares the deployed policies with the very same ones.
Every text in them may be a CDK token.

https://docs.aws.amazon.com/AmazonECR/latest/userguide/pull-through-cache-iam.html
https://docs.aws.amazon.com/AmazonECR/latest/userguide/registry-permissions.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import UserError
from ..images import ROOT
from . import permissions, quotas
from .registry import EcrRegistry

Statement = dict[str, Any]
"""One statement of a policy, in the words of IAM."""

VERSION = "2012-10-17"


@dataclass(frozen=True, kw_only=True)
class Who:
    """The accounts, and the organisation, that a policy of a registry names.

    :param accounts: account numbers, or tokens.
    :param organization: id of an AWS organisation, all accounts of which are meant.
    """

    accounts: tuple[str, ...] = ()
    organization: str | None = None

    def __bool__(self) -> bool:
        return bool(self.accounts) or self.organization is not None

    def statements(
        self, registry: EcrRegistry, actions: Iterable[str], *, resources: Sequence[str] = (), sid: str = ""
    ) -> list[Statement]:
        """At most two statements that allow actions: one for all accounts, one for the organisation.

        :param registry: the registry whose policy it is.
        :param actions: what is allowed.
        :param resources: ARNs. Default: none, as repository policies want it.
        :param sid: beginning of the statements' ids; ``FromAccounts`` or ``FromOrganization`` follows. Default: no ids.
        """
        where = {"Action": list(actions), **({"Resource": list(resources)} if resources else {})}
        found: list[Statement] = []
        if self.accounts:
            listed = [registry.account_principal(account) for account in sorted(set(self.accounts))]
            found.append({**_head(sid, "FromAccounts"), "Principal": {"AWS": listed}, **where})
        if self.organization is not None:
            condition = {"StringEquals": {"aws:PrincipalOrgID": self.organization}}
            everyone = {"Principal": {"AWS": "*"}, **where, "Condition": condition}
            found.append({**_head(sid, "FromOrganization"), **everyone})
        return found


def _head(sid: str, kind: str = "") -> Statement:
    return {**({"Sid": sid + kind} if sid else {}), "Effect": "Allow"}


def document(statements: Iterable[Statement]) -> dict[str, Any]:
    """A policy of statements."""
    return {"Version": VERSION, "Statement": list(statements)}


def repository_pull(registry: EcrRegistry, who: Who) -> list[Statement]:
    """The repository policy that lets other accounts pull cached images; a creation template sets it.

    https://docs.aws.amazon.com/AmazonECR/latest/userguide/repository-policy-examples.html
    """
    return who.statements(registry, permissions.PULL, sid="Pull")


def registry_pull(registry: EcrRegistry, who: Who, prefixes: Iterable[str]) -> list[Statement]:
    """The same by the registry policy, for repositories that exist already too: only under its scope V2.

    https://docs.aws.amazon.com/AmazonECR/latest/userguide/registry-permissions-create.html
    """
    return who.statements(registry, permissions.PULL, resources=repositories(registry, prefixes))


def registry_import(
    registry: EcrRegistry, who: Who, caches: Iterable[Importable], *, tags: bool = False
) -> list[Statement]:
    """The statements of a registry policy that let other accounts import images.

    :param registry: the registry.
    :param who: the other accounts.
    :param caches: what may be imported.
    :param tags: whether a creation template sets resource tags.
    """
    return [
        statement
        for actions, resources in import_parts(registry, caches, tags=tags)
        for statement in who.statements(registry, actions, resources=resources)
    ]


def registry_replication(
    registry: EcrRegistry, accounts: Iterable[str], prefixes: Iterable[str], *, tags: bool = False
) -> list[Statement]:
    """The statement of a registry policy that lets other accounts replicate images into the registry.

    https://docs.aws.amazon.com/AmazonECR/latest/userguide/registry-permissions-create-replication.html
    https://docs.aws.amazon.com/AmazonECR/latest/userguide/repository-creation-templates.html (resource tags)

    :param registry: the destination.
    :param accounts: accounts of the sources; the destination's own needs no permission.
    :param prefixes: repository prefixes of the replicas; ``ROOT`` for all.
    :param tags: whether a creation template of the destination sets resource tags.
    """
    actions = (*permissions.REPLICATE, *(permissions.TAG if tags else ()))
    others = Who(accounts=tuple(set(accounts) - {registry.account}))
    return others.statements(registry, actions, resources=repositories(registry, prefixes))


@dataclass(frozen=True, kw_only=True)
class Importable:
    """The images that may be imported under a repository prefix.

    :param prefix: the repository prefix, or ``ROOT``.
    :param allow: repositories below it, each a path or a path followed by ``/*``. Default: all of them.
    :param known_only: whether only repositories that exist already may be imported into.
    """

    prefix: str
    allow: tuple[str, ...] = ()
    known_only: bool = False

    @property
    def is_limited(self) -> bool:
        """Whether anything under the prefix may not be imported."""
        return bool(self.allow) or self.known_only

    def resources(self, registry: EcrRegistry) -> list[str]:
        """ARN patterns of the repositories."""
        return [registry.arn_for_repositories(self.prefix, name=name) for name in self.allow or ("*",)]


def check_limits(caches: Iterable[Importable]) -> None:
    """Refuse limits that a rule without a prefix makes void: its repositories are all of the registry's to IAM.

    :param caches: the images that may be imported.
    :raises UserError: when the limit of a prefix would not hold.
    """
    listed = list(caches)
    limited = [cache.prefix for cache in listed if cache.is_limited and cache.prefix != ROOT]
    everything = [cache for cache in listed if cache.prefix == ROOT]
    if limited and everything and not everything[0].allow:
        raise UserError(
            f"the limits under {', '.join(limited)} do not hold beside an upstream under {ROOT}, whose repositories are to IAM "
            f"all of the registry's; give that upstream a prefix, or an allow list"
        )


def node_pull(
    registry: EcrRegistry, caches: Sequence[Importable], *, imports: bool = True, tags: bool = False
) -> list[Statement]:
    """The statements of a role whose pods or tasks pull.

    What must not be imported is denied, because AWS's own managed policies for nodes allow it on every repository.

    :param registry: the registry that is pulled from.
    :param caches: the repository prefixes that are pulled under.
    :param imports: whether a pull may import. Default: it may.
    :param tags: whether a creation template sets resource tags.
    """
    pulled = repositories(registry, [cache.prefix for cache in caches])
    statements = [
        {"Sid": "SignIn", "Effect": "Allow", "Action": list(permissions.AUTHENTICATE), "Resource": ["*"]},
        {"Sid": "PullCachedImages", "Effect": "Allow", "Action": list(permissions.PULL), "Resource": pulled},
    ]
    if not imports:
        return [
            *statements,
            {"Sid": "ImportNothing", "Effect": "Deny", "Action": list(permissions.IMPORT), "Resource": pulled},
        ]
    names = ("ImportNewImages", "ImportNewImagesOfKnownRepositories")
    allowed = [
        {"Sid": name, "Effect": "Allow", "Action": list(actions), "Resource": resources}
        for name, (actions, resources) in zip(names, import_parts(registry, caches, tags=tags), strict=False)
    ]
    return [*statements, *allowed, *_denied(registry, caches)]


def import_parts(
    registry: EcrRegistry, caches: Iterable[Importable], *, tags: bool
) -> list[tuple[tuple[str, ...], list[str]]]:
    """Actions of an import and their resources: the repositories that may be created, then those that must exist.

    :param registry: the registry.
    :param caches: the images that may be imported.
    :param tags: whether a creation template sets resource tags.
    """
    listed = list(caches)
    create = (*permissions.IMPORT, *(permissions.TAG if tags else ()))
    found = []
    for known_only, actions in ((False, create), (True, permissions.IMPORT_INTO_KNOWN)):
        some = [cache for cache in listed if cache.known_only is known_only]
        if some:
            found.append((actions, sorted({arn for cache in some for arn in cache.resources(registry)})))
    return found


def _denied(registry: EcrRegistry, caches: Sequence[Importable]) -> list[Statement]:
    """Denials of what an allow list leaves out, in this registry alone."""
    statements: list[Statement] = []
    if any(cache.allow for cache in caches):
        here = {"aws:ResourceAccount": registry.account, "aws:RequestedRegion": registry.region}
        allowed = sorted({arn for cache in caches for arn in cache.resources(registry)})
        statements.append(
            {
                "Sid": "ImportNothingElse",
                "Effect": "Deny",
                "Action": list(permissions.IMPORT_INTO_KNOWN),
                "NotResource": allowed,
                "Condition": {"StringEquals": here},
            }
        )
    known = [cache.prefix for cache in caches if cache.known_only]
    if known:
        statements.append(
            {
                "Sid": "CreateNothing",
                "Effect": "Deny",
                "Action": list(permissions.CREATE),
                "Resource": repositories(registry, known),
            }
        )
    return statements


def template_role(registry: EcrRegistry, prefix: str, *, key: str | None = None) -> list[Statement]:
    """Statements for the custom role of a repository creation template.

    https://docs.aws.amazon.com/AmazonECR/latest/userguide/repository-creation-templates-iam.html

    :param registry: the registry.
    :param prefix: prefix of the template.
    :param key: ARN of the customer managed key. Default: none.
    """
    create = {
        "Sid": "CreateRepositories",
        "Effect": "Allow",
        "Action": list(permissions.CREATION_TEMPLATE),
        "Resource": [registry.arn_for_repositories(prefix)],
    }
    use = {"Sid": "UseKey", "Effect": "Allow", "Action": list(permissions.CREATION_TEMPLATE_KEY), "Resource": [key]}
    return [create, use] if key is not None else [create]


def upstream_role(registry: EcrRegistry, prefix: str, upstream: EcrRegistry, upstream_prefix: str) -> list[Statement]:
    """Statements for the custom role of a rule whose upstream is a private ECR registry of another account.

    https://docs.aws.amazon.com/AmazonECR/latest/userguide/pull-through-cache-private.html

    :param registry: the registry of the cache.
    :param prefix: the rule's repository prefix.
    :param upstream: the upstream registry.
    :param upstream_prefix: the part of it that is cached, ``ROOT`` for all.
    """
    return [
        {
            "Sid": "ReadUpstream",
            "Effect": "Allow",
            "Action": list(permissions.READ_ECR_UPSTREAM),
            "Resource": [upstream.arn_for_repositories(upstream_prefix)],
        },
        {
            "Sid": "WriteCache",
            "Effect": "Allow",
            "Action": list(permissions.WRITE_ECR_CACHE),
            "Resource": [registry.arn_for_repositories(prefix)],
        },
        {"Sid": "SignIn", "Effect": "Allow", "Action": list(permissions.AUTHENTICATE), "Resource": ["*"]},
    ]


def upstream_grant(upstream: EcrRegistry, accounts: Iterable[str], prefixes: Iterable[str]) -> list[Statement]:
    """Statements that the registry policy of a private ECR upstream needs for the accounts that cache it.

    https://docs.aws.amazon.com/AmazonECR/latest/userguide/pull-through-cache-private.html

    :param upstream: the upstream registry.
    :param accounts: accounts of the registries that cache it; its own needs no permission.
    :param prefixes: the parts of it that are cached, ``ROOT`` for all.
    """
    others = Who(accounts=tuple(set(accounts) - {upstream.account}))
    return others.statements(upstream, permissions.READ_ECR_UPSTREAM, resources=repositories(upstream, prefixes))


def repositories(registry: EcrRegistry, prefixes: Iterable[str]) -> list[str]:
    """ARN patterns of the repositories under prefixes, each once; one pattern where ``ROOT`` is among them.

    :param registry: the registry.
    :param prefixes: repository prefixes.
    """
    given = set(prefixes)
    return [registry.arn_for_repositories(prefix) for prefix in ([ROOT] if ROOT in given else sorted(given))]


_TOKEN = re.compile(r"\$\{Token\[[^\]]*\]\}")
_PSEUDO = {"AWS::Partition": "aws", "AWS::AccountId": "1" * 12, "AWS::Region": "us-east-1", "AWS::URLSuffix": ""}


def characters(policy: Mapping[str, Any]) -> int:
    """Characters that a policy has at least, as AWS counts them: without white space.

    What is only known at deployment (a token, a reference) counts as its shortest value, so that a policy that is said to be
    too long is too long in truth.

    :param policy: the policy as JSON, perhaps with CloudFormation's functions in it.
    """
    return len(json.dumps(_shortest(policy), separators=(",", ":"), ensure_ascii=False))


def _shortest(value: Any) -> Any:
    if isinstance(value, str):
        return _TOKEN.sub("", value)
    if isinstance(value, Mapping):
        keys = set(value)
        if keys == {"Ref"}:
            return _PSEUDO.get(value["Ref"], "")
        if keys == {"Fn::Join"}:
            separator, parts = value["Fn::Join"]
            return str(separator).join(map(_text, parts)) if isinstance(parts, list) else ""
        if len(keys) == 1 and next(iter(keys)).startswith("Fn::"):
            return ""
        return {key: _shortest(part) for key, part in value.items()}
    return [_shortest(part) for part in value] if isinstance(value, list | tuple) else value


def _text(part: Any) -> str:
    return str(_shortest(part))


def check_size(kind: str, policy: Mapping[str, Any]) -> None:
    """Refuse a policy of the registry that ECR would refuse for its length.

    :param kind: ``registry policy`` or ``repository policy``.
    :param policy: the policy.
    :raises UserError: when it is too long.
    """
    size = characters(policy)
    if size <= quotas.REGISTRY_POLICY_CHARACTERS.value:
        return
    named = {one for statement in policy["Statement"] for one in _named(statement)}
    raise UserError(
        f"the {kind} would have {size:,} characters, and ECR accepts {quotas.REGISTRY_POLICY_CHARACTERS.value:,}; it names "
        f"{len(named)} principals: name their AWS organisation instead (organization: true under 'pull' in a configuration, "
        "Pullers(organization=...) in Python)"
    )


def _named(statement: Mapping[str, Any]) -> Iterable[str]:
    principal = statement.get("Principal", {})
    given = principal.get("AWS", []) if isinstance(principal, Mapping) else principal
    return [given] if isinstance(given, str) else [str(one) for one in given]


def split(
    statements: Sequence[Statement], *, longest: int = quotas.MANAGED_POLICY_CHARACTERS.value
) -> list[list[Statement]]:
    """Statements shared out over as few policies as needed, none of them longer than IAM allows.

    A statement that is too long by itself is cut between its resources. ``NotResource`` is never cut: a denial of everything
    but a part would deny the other part.

    :param statements: statements of one identity.
    :param longest: characters that a policy may have. Default: those of a managed policy.
    :raises UserError: when a statement cannot be cut.
    """
    policies: list[list[Statement]] = [[]]
    for statement in statements:
        for part in _cut(statement, longest):
            if policies[-1] and characters(document([*policies[-1], part])) > longest:
                policies.append([])
            policies[-1].append(part)
    return policies


def _cut(statement: Statement, longest: int) -> list[Statement]:
    if characters(document([statement])) <= longest:
        return [statement]
    resources = statement.get("Resource", [])
    if isinstance(resources, str) or len(resources) < 2:
        raise UserError(
            f"the statement {statement.get('Sid', '')!r} has {characters(document([statement])):,} characters, and a managed "
            f"policy holds {longest:,}; give fewer or shorter patterns under 'allow'"
        )
    room = longest - characters(document([{**statement, "Resource": []}]))
    parts: list[list[str]] = [[]]
    left = room
    for resource in resources:
        size = characters({"": resource}) - len('{"":}') + 1
        if parts[-1] and size > left:
            parts.append([])
            left = room
        parts[-1].append(resource)
        left -= size
    return [{**statement, "Resource": part} for part in parts]
