"""A rule, what it cached, and the replicas of that, removed.

ECR does not say what created a repository: ``DescribeRepositories`` has no origin, and ``DescribeImages`` tells an imported
image from a pushed one by nothing. So it is told from what is known: a repository under the prefix that is older than the
rule was not created by it, and neither was one without a tag that the creation template sets, or one under a longer prefix
that another rule has. What cannot be told is a
repository that was created by hand below a rule's prefix, after the rule and with the template's tags.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ..errors import UserError
from ..images import ROOT
from .answers import AwsError, not_aws
from .aws import SignedOut, Throttled, call, paginate
from .backfilling import template_of
from .parallel import THREADS, in_order

_NO_RULE = "PullThroughCacheRuleNotFoundException"
_GONE = "RepositoryNotFoundException"


@dataclass(frozen=True, kw_only=True)
class Found:
    """A repository under the rule's prefix.

    :param repository: its name.
    :param removable: whether the rule may have made it.
    :param reason: why it did not, or why that cannot be told.
    :param failed: whether it could not be looked at.
    """

    repository: str
    removable: bool
    reason: str | None = None
    failed: bool = False


def used_anywhere(used: Mapping[tuple[str, str], str], places: Collection[str]) -> dict[tuple[str, str], str]:
    """The users of repositories, with those of their source and replicas: what is kept keeps its replicas.

    ECR replicates what is pushed or imported, so a replica that is deleted does not come back.

    :param used: a workload by registry (``ACCOUNT/REGION``) and repository.
    :param places: the registries that hold the same repositories: the source and its replicas.
    """
    found = {key: user for key, user in used.items() if key[0] in places}
    for (at, repository), user in list(found.items()):
        for place in places:
            found.setdefault((place, repository), f"{user}, from {at},")
    return found


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
        asked = {"ecrRepositoryPrefixes": [prefix]}
        answer = call(self._ecr, "describe_pull_through_cache_rules", absent=[_NO_RULE], **asked)
        rules = answer["pullThroughCacheRules"] if answer else []
        created: datetime | None = rules[0]["createdAt"] if rules else None
        return created

    def rules_below(self, prefix: str) -> frozenset[str]:
        """The prefixes of other rules that lie below the prefix of a rule.

        :raises AwsError: when rules cannot be listed.
        """
        rules = paginate(self._ecr, "describe_pull_through_cache_rules", "pullThroughCacheRules")
        known = (rule["ecrRepositoryPrefix"].rstrip("/") for rule in rules)
        return frozenset(other for other in known if other.startswith(f"{prefix}/"))

    def find(
        self,
        prefix: str,
        created: datetime,
        *,
        others: Collection[str] = (),
        also: Collection[str] = (),
        threads: int = THREADS,
        on_progress: Callable[[int, int], None] = lambda *_: None,
    ) -> Iterator[Found]:
        """The repositories under a prefix.

        :param created: when the rule was created; what is older was made by others.
        :param others: prefixes below it whose repositories other rules made, besides those of this registry's rules.
        :param also: names of repositories that may go whoever made them.
        :param threads: how many are looked at at once.
        :param on_progress: called with how many have been looked at, of how many.
        :raises AwsError: when they cannot be listed, or the credentials are not valid any more.
        """
        there = list(self._under(prefix))
        templates = self._templates() if there else {}
        below = {other: other for other in (*others, *self.rules_below(prefix))} if there else {}
        on_progress(0, len(there))

        def judge(repository: Mapping[str, Any]) -> Found | None:
            if repository["repositoryName"] in also:
                return Found(repository=repository["repositoryName"], removable=True)
            other = template_of(repository["repositoryName"], below)
            if other is not None:
                reason = f"it is one of the rule {other}"
                return Found(repository=repository["repositoryName"], removable=False, reason=reason)
            return self._judge(repository, created, templates)

        for number, found in enumerate(in_order(judge, there, threads=threads), 1):
            on_progress(number, len(there))
            if found is not None:
                yield found

    def _under(self, prefix: str) -> Iterator[Mapping[str, Any]]:
        for repository in paginate(self._ecr, "describe_repositories", "repositories", page=1000):
            if repository["repositoryName"].startswith(f"{prefix}/"):
                yield repository

    def _templates(self) -> dict[str, Any]:
        templates = paginate(self._ecr, "describe_repository_creation_templates", "repositoryCreationTemplates")
        return {template["prefix"]: template for template in templates}

    def _judge(self, repository: Mapping[str, Any], created: datetime, templates: Mapping[str, Any]) -> Found | None:
        """Whether the rule may have made a repository; ``None`` for one that is gone."""
        name = repository["repositoryName"]
        if repository["createdAt"] < created:
            return Found(repository=name, removable=False, reason="it is older than the rule")
        template = template_of(name, templates)
        tags = {tag["Key"] for tag in (template or {}).get("resourceTags") or ()}
        if not tags:
            return Found(repository=name, removable=True)
        try:
            there = self._tags(repository["repositoryArn"])
        except (SignedOut, Throttled):
            raise
        except UserError as error:
            return Found(repository=name, removable=False, reason=str(error), failed=True)
        if there is None:
            return None
        missing = ", ".join(sorted(tags - there))
        reason = f"it lacks a tag of the creation template: {missing}" if missing else None
        return Found(repository=name, removable=not missing, reason=reason)

    def _tags(self, arn: str) -> set[str] | None:
        answer = call(self._ecr, "list_tags_for_resource", absent=[_GONE], resourceArn=arn)
        return None if answer is None else {tag["Key"] for tag in answer["tags"]}

    def delete_repository(self, name: str) -> None:
        """Delete a repository with its images; one that is gone already is as good.

        :param name: name of the repository.
        :raises AwsError: when ECR refuses, or does not say that it is deleted.
        """
        found = call(self._ecr, "delete_repository", absent=[_GONE], repositoryName=name, force=True)
        if found is not None and found["repository"].get("repositoryName", name) != name:
            raise not_aws("ecr:DeleteRepository", "it names another repository")

    def delete_rule(self, prefix: str) -> None:
        """Delete a rule; one that is gone already is as good. Last of all: without it nobody knows what it made.

        :param prefix: repository prefix of the rule.
        :raises AwsError: when ECR refuses, or has the rule still.
        """
        call(self._ecr, "delete_pull_through_cache_rule", absent=[_NO_RULE], ecrRepositoryPrefix=prefix)
        if self.rule_created(prefix) is not None:
            raise AwsError(f"the rule {prefix} is still there after ecr:DeletePullThroughCacheRule; run this again")
