"""Settings for repositories that were there before their creation template.

A template acts on repositories that ECR creates later. What it would have set is read from the deployed template itself and
brought to the repositories under its prefix; what others wrote is never taken away.

https://docs.aws.amazon.com/AmazonECR/latest/userguide/repository-creation-templates.html
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from ..images import ROOT
from .aws import said

_NONE = {"RepositoryPolicyNotFoundException", "LifecyclePolicyNotFoundException"}


@dataclass(frozen=True, kw_only=True)
class Change:
    """One setting of one repository.

    :param repository: its name.
    :param what: the setting, in a word or two.
    :param operation: the call of ECR's client that makes it.
    :param arguments: the call's arguments.
    """

    repository: str
    what: str
    operation: str
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Left:
    """A setting that somebody else made otherwise, and that stays.

    :param repository: name of the repository.
    :param reason: what it is.
    """

    repository: str
    reason: str


class Backfiller:
    """Brings deployed creation templates to the repositories of one registry.

    :param ecr: client of ECR in the registry's account and Region.
    """

    def __init__(self, ecr: Any) -> None:
        self._ecr = ecr

    def plan(self, prefixes: tuple[str, ...] = ()) -> Iterator[Change | Left]:
        """What would change, repository by repository. Nothing is changed.

        :param prefixes: prefixes of the templates to bring; all of them if left out.
        :raises AwsError: when AWS cannot be asked.
        """
        templates = {
            t["prefix"]: t for t in self._pages("describe_repository_creation_templates", "repositoryCreationTemplates")
        }
        for repository in self._pages("describe_repositories", "repositories"):
            template = _template_of(repository["repositoryName"], templates)
            if template is not None and (not prefixes or template["prefix"] in prefixes):
                yield from self._of_repository(repository, template)

    def apply(self, change: Change) -> None:
        """Make one change. Made twice, it is as made once.

        :raises AwsError: when ECR refuses.
        """
        self._ask(change.operation, **change.arguments)

    def _of_repository(self, repository: Mapping[str, Any], template: Mapping[str, Any]) -> Iterator[Change | Left]:
        name = repository["repositoryName"]
        yield from self._policy(name, template.get("repositoryPolicy"))
        yield from self._lifecycle(name, template.get("lifecyclePolicy"))
        yield from _mutability(name, repository, template)
        yield from self._tags(name, repository["repositoryArn"], template.get("resourceTags") or [])

    def _policy(self, name: str, wanted: str | None) -> Iterator[Change]:
        if not wanted:
            return
        answer = self._ask_for("get_repository_policy", repositoryName=name)
        current = json.loads(answer["policyText"]) if answer else {"Version": "2012-10-17", "Statement": []}
        merged = merge_policies(current, json.loads(wanted))
        if merged != current:
            text = json.dumps(merged, separators=(",", ":"))
            arguments = {"repositoryName": name, "policyText": text}
            yield Change(
                repository=name, what="repository policy", operation="set_repository_policy", arguments=arguments
            )

    def _lifecycle(self, name: str, wanted: str | None) -> Iterator[Change | Left]:
        if not wanted:
            return
        answer = self._ask_for("get_lifecycle_policy", repositoryName=name)
        if answer is None:
            arguments = {"repositoryName": name, "lifecyclePolicyText": wanted}
            yield Change(
                repository=name, what="lifecycle policy", operation="put_lifecycle_policy", arguments=arguments
            )
        elif json.loads(answer["lifecyclePolicyText"]) != json.loads(wanted):
            yield Left(repository=name, reason="has another lifecycle policy")

    def _tags(self, name: str, arn: str, wanted: list[Mapping[str, str]]) -> Iterator[Change | Left]:
        if not wanted:
            return
        there = {tag["Key"]: tag["Value"] for tag in self._ask("list_tags_for_resource", resourceArn=arn)["tags"]}
        missing = [dict(tag) for tag in wanted if tag["Key"] not in there]
        if missing:
            arguments = {"resourceArn": arn, "tags": missing}
            yield Change(repository=name, what="tags", operation="tag_resource", arguments=arguments)
        for tag in wanted:
            if there.get(tag["Key"], tag["Value"]) != tag["Value"]:
                yield Left(repository=name, reason=f"has another value for the tag {tag['Key']}")

    def _ask_for(self, operation: str, **arguments: Any) -> Any:
        """The same, ``None`` where there is nothing of that kind."""
        try:
            return getattr(self._ecr, operation)(**arguments)
        except ClientError as error:
            if error.response["Error"]["Code"] in _NONE:
                return None
            raise said(error, call=f"ecr:{_camel(operation)}") from None
        except BotoCoreError as error:
            raise said(error, call=f"ecr:{_camel(operation)}") from None

    def _ask(self, operation: str, **arguments: Any) -> Any:
        try:
            return getattr(self._ecr, operation)(**arguments)
        except (ClientError, BotoCoreError) as error:
            raise said(error, call=f"ecr:{_camel(operation)}") from None

    def _pages(self, operation: str, key: str) -> Iterator[Any]:
        try:
            for page in self._ecr.get_paginator(operation).paginate():
                yield from page[key]
        except (ClientError, BotoCoreError) as error:
            raise said(error, call=f"ecr:{_camel(operation)}") from None


def merge_policies(current: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """A policy with the wanted statements in it: one of the same Sid is replaced, every other one stays.

    :param current: the policy that is there.
    :param wanted: the policy whose statements are to be in it.
    """
    existing = current.get("Statement", [])
    existing = [existing] if isinstance(existing, dict) else list(existing)
    statements = wanted.get("Statement", [])
    for statement in [statements] if isinstance(statements, dict) else statements:
        sid = statement.get("Sid")
        places = [n for n, old in enumerate(existing) if (sid and old.get("Sid") == sid) or old == statement]
        if places:
            existing[places[0]] = statement
        else:
            existing.append(statement)
    return {**current, "Statement": existing}


def _template_of(repository: str, templates: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The template that ECR would create a repository by: that of the longest prefix, else ``ROOT``."""
    matching = [
        prefix for prefix in templates if prefix != ROOT and f"{repository}/".startswith(f"{prefix.rstrip('/')}/")
    ]
    best = max(matching, key=len, default=ROOT)
    return templates.get(best)


def _mutability(name: str, repository: Mapping[str, Any], template: Mapping[str, Any]) -> Iterator[Change]:
    wanted = template.get("imageTagMutability")
    filters = template.get("imageTagMutabilityExclusionFilters") or []
    there = (repository.get("imageTagMutability"), repository.get("imageTagMutabilityExclusionFilters") or [])
    if wanted and there != (wanted, filters):
        arguments = {"repositoryName": name, "imageTagMutability": wanted}
        if filters:
            arguments["imageTagMutabilityExclusionFilters"] = filters
        yield Change(repository=name, what="tag mutability", operation="put_image_tag_mutability", arguments=arguments)


def _camel(operation: str) -> str:
    return "".join(part.capitalize() for part in operation.split("_"))
