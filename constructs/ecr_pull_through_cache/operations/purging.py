"""A rule, what it cached, and the replicas of that, removed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from ..errors import UserError
from ..images import ROOT
from .aws import said


@dataclass(frozen=True, kw_only=True)
class Found:
    """A repository under the rule's prefix.

    :param repository: its name.
    :param removable: whether the rule may have made it: it was not there before the rule.
    """

    repository: str
    removable: bool


class Purger:
    """Removes what a rule made from one registry: its own, or one of its replicas.

    :param ecr: client of ECR in the registry's account and Region.
    """

    def __init__(self, ecr: Any) -> None:
        self._ecr = ecr

    def rule_created(self, prefix: str) -> datetime | None:
        """When a rule was created, ``None`` when there is none.

        :raises UserError: for ``ROOT``, whose repositories cannot be told from others.
        """
        if prefix == ROOT:
            raise UserError(
                "a rule without a prefix shares the registry with everything else; delete its repositories by name"
            )
        try:
            rules = self._ecr.describe_pull_through_cache_rules(ecrRepositoryPrefixes=[prefix])["pullThroughCacheRules"]
        except ClientError as error:
            if error.response["Error"]["Code"] == "PullThroughCacheRuleNotFoundException":
                return None
            raise said(error, call="ecr:DescribePullThroughCacheRules") from None
        except BotoCoreError as error:
            raise said(error, call="ecr:DescribePullThroughCacheRules") from None
        created: datetime | None = rules[0]["createdAt"] if rules else None
        return created

    def find(self, prefix: str, created: datetime) -> Iterator[Found]:
        """The repositories under a prefix.

        :param created: when the rule was created; what is older was made by others.
        """
        try:
            for page in self._ecr.get_paginator("describe_repositories").paginate():
                for repository in page["repositories"]:
                    if repository["repositoryName"].startswith(f"{prefix}/"):
                        yield Found(
                            repository=repository["repositoryName"], removable=repository["createdAt"] >= created
                        )
        except (ClientError, BotoCoreError) as error:
            raise said(error, call="ecr:DescribeRepositories") from None

    def delete_repository(self, name: str) -> None:
        """Delete a repository with its images; one that is gone already is as good."""
        self._gone("delete_repository", "RepositoryNotFoundException", repositoryName=name, force=True)

    def delete_rule(self, prefix: str) -> None:
        """Delete a rule; one that is gone already is as good. Last of all: without it nobody knows what it made."""
        self._gone(
            "delete_pull_through_cache_rule", "PullThroughCacheRuleNotFoundException", ecrRepositoryPrefix=prefix
        )

    def _gone(self, operation: str, missing: str, **arguments: Any) -> None:
        call = "ecr:" + "".join(part.capitalize() for part in operation.split("_"))
        try:
            getattr(self._ecr, operation)(**arguments)
        except ClientError as error:
            if error.response["Error"]["Code"] != missing:
                raise said(error, call=call) from None
        except BotoCoreError as error:
            raise said(error, call=call) from None
