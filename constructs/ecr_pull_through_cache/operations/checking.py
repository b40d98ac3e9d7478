"""What is deployed, against what should be; and the one change that CloudFormation cannot make."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from ..permissions import SECRET_PREFIX
from .aws import said

PLACEHOLDER = "replace-me"
"""User name of a secret that was made and never written to."""
_KEYS = {"username", "accessToken"}


@dataclass(frozen=True, kw_only=True)
class ExpectedRule:
    """A pull through cache rule as it should be.

    :param prefix: its repository prefix.
    :param upstream_url: URL of its upstream registry.
    :param upstream_prefix: the part of the upstream, ``ROOT`` for all.
    :param credentials: name or complete ARN of its secret, ``None`` for none.
    """

    prefix: str
    upstream_url: str
    upstream_prefix: str = "ROOT"
    credentials: str | None = None


@dataclass(frozen=True, kw_only=True)
class ExpectedRegistry:
    """A registry as it should be.

    :param name: its name in the configuration.
    :param account: its account.
    :param region: its Region.
    :param rules: its pull through cache rules.
    :param templates: what the repository creation template of each prefix is applied for.
    :param replicate_to: accounts and Regions that it replicates to.
    """

    name: str
    account: str
    region: str
    rules: tuple[ExpectedRule, ...] = ()
    templates: Mapping[str, frozenset[str]]
    replicate_to: frozenset[tuple[str, str]] = frozenset()


@dataclass(frozen=True, kw_only=True)
class Finding:
    """Something that is not as it should be.

    :param registry: name of the registry.
    :param subject: what it is about: ``rule docker-hub``.
    :param problem: what is wrong, and what to do.
    :param credential_arn: the secret to give the rule by the API, where that mends it.
    """

    registry: str
    subject: str
    problem: str
    credential_arn: str | None = None

    @property
    def prefix(self) -> str:
        """The prefix of the rule that it is about."""
        return self.subject.partition(" ")[2]


class Checker:
    """Asks one registry what it is like.

    :param ecr: client of ECR in the registry's account and Region.
    :param secrets: client of Secrets Manager there.
    """

    def __init__(self, ecr: Any, secrets: Any) -> None:
        self._ecr = ecr
        self._secrets = secrets

    def check(self, expected: ExpectedRegistry) -> list[Finding]:
        """Everything that is not as it should be.

        :raises AwsError: when AWS cannot be asked.
        """
        return [
            Finding(registry=expected.name, subject=subject, problem=problem, credential_arn=arn)
            for subject, problem, arn in (
                *self._rules(expected),
                *((subject, problem, None) for subject, problem in self._templates(expected)),
                *((subject, problem, None) for subject, problem in self._replication(expected)),
            )
        ]

    def fix(self, finding: Finding) -> None:
        """Give a rule another secret, which CloudFormation cannot do: all properties of a rule are create-only.

        https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_UpdatePullThroughCacheRule.html

        :raises AwsError: when ECR refuses.
        """
        self._ask(
            self._ecr.update_pull_through_cache_rule,
            "ecr:UpdatePullThroughCacheRule",
            ecrRepositoryPrefix=finding.prefix,
            credentialArn=finding.credential_arn,
        )

    def _rules(self, expected: ExpectedRegistry) -> Iterator[tuple[str, str, str | None]]:
        there = {
            rule["ecrRepositoryPrefix"]: rule
            for page in self._pages("describe_pull_through_cache_rules", "ecr:DescribePullThroughCacheRules")
            for rule in page["pullThroughCacheRules"]
        }
        for rule in expected.rules:
            subject = f"rule {rule.prefix}"
            found = there.pop(rule.prefix, None)
            if found is None:
                yield subject, "is not there; deploy the stack of its registry", None
                continue
            for problem in _differences(rule, found):
                yield subject, problem, None
            wrong = self._credential(rule, found)
            if wrong is not None:
                yield subject, *wrong
            answer = self._ask(
                self._ecr.validate_pull_through_cache_rule,
                "ecr:ValidatePullThroughCacheRule",
                ecrRepositoryPrefix=rule.prefix,
            )
            if not answer.get("isValid"):
                yield subject, f"ECR cannot reach its upstream: {answer.get('failure', 'it does not say why')}", None
        for prefix in sorted(there):
            yield f"rule {prefix}", "is there and not in the configuration; somebody else made it, or it was left", None

    def _credential(self, rule: ExpectedRule, found: Mapping[str, Any]) -> tuple[str, str | None] | None:
        """What is wrong with a rule's secret, and the ARN that mends it."""
        if rule.credentials is None:
            return None
        given = rule.credentials
        name = given if given.startswith(("arn:", SECRET_PREFIX)) else SECRET_PREFIX + given
        try:
            arn: str = self._secrets.describe_secret(SecretId=name)["ARN"]
            text = self._secrets.get_secret_value(SecretId=arn).get("SecretString", "")
        except ClientError as error:
            if error.response["Error"]["Code"] == "ResourceNotFoundException":
                return f"its secret {name} is not there, or has no value", None
            raise said(error, call="secretsmanager:GetSecretValue") from None
        except BotoCoreError as error:
            raise said(error, call="secretsmanager:GetSecretValue") from None
        if found.get("credentialArn") != arn:
            return (
                f"it uses the secret {found.get('credentialArn')} and should use {arn}; CloudFormation cannot change it",
                arn,
            )
        return (problem, None) if (problem := _shape(name, text)) else None

    def _templates(self, expected: ExpectedRegistry) -> Iterator[tuple[str, str]]:
        there = {
            template["prefix"]: template
            for page in self._pages("describe_repository_creation_templates", "ecr:DescribeRepositoryCreationTemplates")
            for template in page["repositoryCreationTemplates"]
        }
        for prefix, wanted in sorted(expected.templates.items()):
            found = there.get(prefix)
            if found is None:
                yield f"template {prefix}", "is not there; deploy the stack of its registry"
            elif not wanted <= set(found.get("appliedFor", ())):
                missing = ", ".join(sorted(wanted - set(found.get("appliedFor", ()))))
                yield f"template {prefix}", f"is not applied for {missing}; deploy the stack of its registry"

    def _replication(self, expected: ExpectedRegistry) -> Iterator[tuple[str, str]]:
        if not expected.replicate_to:
            return
        answer = self._ask(self._ecr.describe_registry, "ecr:DescribeRegistry")
        rules = answer.get("replicationConfiguration", {}).get("rules", [])
        there = {(to["registryId"], to["region"]) for rule in rules for to in rule["destinations"]}
        for account, region in sorted(expected.replicate_to - there):
            yield f"replication to {account}/{region}", "is not there; deploy, or see who else owns the configuration"

    def _pages(self, operation: str, call: str) -> Iterator[Any]:
        try:
            yield from self._ecr.get_paginator(operation).paginate()
        except (ClientError, BotoCoreError) as error:
            raise said(error, call=call) from None

    def _ask(self, operation: Any, call: str, **arguments: Any) -> Any:
        try:
            return operation(**arguments)
        except (ClientError, BotoCoreError) as error:
            raise said(error, call=call) from None


def _differences(rule: ExpectedRule, found: Mapping[str, Any]) -> Iterator[str]:
    url = found.get("upstreamRegistryUrl")
    if url != rule.upstream_url:
        yield (
            f"caches {url} and should cache {rule.upstream_url}; CloudFormation cannot change it: "
            "deploy once without the rule, and once with it"
        )
    part = found.get("upstreamRepositoryPrefix") or "ROOT"
    if part.rstrip("/") != rule.upstream_prefix:
        yield (
            f"caches {part} of the upstream and should cache {rule.upstream_prefix}; CloudFormation cannot change it: "
            "deploy once without the rule, and once with it"
        )


def _shape(name: str, text: str) -> str | None:
    """What is wrong with a secret, without a word of its values."""
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    if not isinstance(value, dict) or not set(value) >= _KEYS:
        return f"its secret {name} does not have the JSON keys username and accessToken"
    if value["username"] == PLACEHOLDER:
        return f"its secret {name} was made and never written to; put the user name and the token into it"
    return None
