"""Settings for repositories that were there before their creation template.

A template acts on repositories that ECR creates later. What it would have set is read from the deployed template itself and
brought to the repositories under its prefix; what others wrote is never taken away. Encryption cannot be changed once a
repository is there. Scanning is not among the settings: ECR has deprecated it for single repositories
(``PutImageScanningConfiguration``), templates do not carry it, and the registry's scanning configuration applies to
repositories that exist as well; ``check`` looks at that.

https://docs.aws.amazon.com/AmazonECR/latest/userguide/repository-creation-templates.html
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..errors import UserError
from ..images import ROOT
from .aws import SignedOut, Throttled, call, paginate
from .parallel import THREADS, in_order
from .policies import canonical, statements_of

REPLACEABLE = ("lifecyclePolicy", "imageTagMutability", "resourceTags")
"""Settings that are kept if they were customized, unless they are to be replaced."""

_NONE = frozenset(
    {"RepositoryPolicyNotFoundException", "LifecyclePolicyNotFoundException", "RepositoryNotFoundException"}
)


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
    """A customized setting that is kept.

    :param repository: name of the repository.
    :param reason: what it is.
    """

    repository: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Failed:
    """A repository that could not be looked at; the others were.

    :param repository: its name.
    :param reason: why, in a sentence.
    """

    repository: str
    reason: str


class Backfiller:
    """Brings deployed creation templates to the repositories of one registry.

    :param ecr: client of ECR in the registry's account and Region.
    :param replace: settings of ``REPLACEABLE`` to overwrite even where they were customized.
    """

    def __init__(self, ecr: Any, *, replace: Collection[str] = ()) -> None:
        self._ecr = ecr
        self._replace = frozenset(replace)

    def plan(
        self,
        prefixes: tuple[str, ...] = (),
        *,
        threads: int = THREADS,
        on_progress: Callable[[int, int], None] = lambda *_: None,
    ) -> Iterator[Change | Left | Failed]:
        """Plan the changes, repository by repository. Nothing is changed.

        :param prefixes: prefixes of the templates to bring; all of them if left out.
        :param threads: how many repositories are looked at at once.
        :param on_progress: called with how many repositories have been looked at, of how many.
        :raises AwsError: when templates or repositories cannot be listed, or the credentials are not valid any more.
        """
        found = list(self._repositories(prefixes))
        on_progress(0, len(found))
        steps = in_order(lambda pair: self._look_at(*pair), found, threads=threads)
        for number, of_one in enumerate(steps, 1):
            on_progress(number, len(found))
            yield from of_one

    def plan_one(self, name: str) -> list[Change | Left | Failed]:
        """Plan the changes of one repository, for callers that react to the event of its creation.

        :param name: name of the repository.
        :raises AwsError: when templates or the repository cannot be asked for.
        """
        templates = self._templates()
        template = template_of(name, templates)
        if template is None:
            return []
        answer = self._ask_for("describe_repositories", repositoryNames=[name])
        found = next(iter(answer["repositories"]), None) if answer else None
        return self._look_at(found, template) if found else []

    def apply(self, change: Change) -> None:
        """Make one change. Made twice, it is as made once; a repository that is gone needs none.

        :raises AwsError: when ECR refuses.
        """
        self._ask_for(change.operation, **change.arguments)

    def _templates(self) -> dict[str, Any]:
        templates = paginate(self._ecr, "describe_repository_creation_templates", "repositoryCreationTemplates")
        return {template["prefix"]: template for template in templates}

    def _repositories(self, prefixes: tuple[str, ...]) -> Iterator[tuple[Any, Any]]:
        templates = self._templates()
        if not templates:
            return
        for repository in paginate(self._ecr, "describe_repositories", "repositories", page=1000):
            template = template_of(repository["repositoryName"], templates)
            if template is not None and (not prefixes or template["prefix"] in prefixes):
                yield repository, template

    def _look_at(self, repository: Mapping[str, Any], template: Mapping[str, Any]) -> list[Change | Left | Failed]:
        name = repository["repositoryName"]
        steps: list[Change | Left | Failed] = []
        try:
            steps += self._policy(name, template.get("repositoryPolicy"))
            steps += self._lifecycle(name, template.get("lifecyclePolicy"))
            steps += self._mutability(name, repository, template)
            steps += self._tags(name, repository["repositoryArn"], template.get("resourceTags") or [])
        except (SignedOut, Throttled):
            raise
        except UserError as error:
            steps.append(Failed(repository=name, reason=str(error)))
        return steps

    def _policy(self, name: str, wanted: str | None) -> Iterator[Change]:
        if not wanted:
            return
        answer = self._ask_for("get_repository_policy", repositoryName=name)
        current = json.loads(answer["policyText"]) if answer else {"Version": "2012-10-17", "Statement": []}
        merged = merge_policies(current, json.loads(wanted))
        if merged["Statement"] != statements_of(current):
            text = json.dumps(merged, separators=(",", ":"))
            arguments = {"repositoryName": name, "policyText": text}
            yield Change(
                repository=name, what="repository policy", operation="set_repository_policy", arguments=arguments
            )

    def _lifecycle(self, name: str, wanted: str | None) -> Iterator[Change | Left]:
        if not wanted:
            return
        answer = self._ask_for("get_lifecycle_policy", repositoryName=name)
        what = "lifecyclePolicy"
        if answer is not None and json.loads(answer["lifecyclePolicyText"]) == json.loads(wanted):
            return
        if answer is None or what in self._replace:
            arguments = {"repositoryName": name, "lifecyclePolicyText": wanted}
            yield Change(repository=name, what=what, operation="put_lifecycle_policy", arguments=arguments)
        else:
            yield Left(repository=name, reason="has another lifecycle policy")

    def _mutability(
        self, name: str, repository: Mapping[str, Any], template: Mapping[str, Any]
    ) -> Iterator[Change | Left]:
        wanted = template.get("imageTagMutability")
        there = repository.get("imageTagMutability")
        filters = template.get("imageTagMutabilityExclusionFilters") or []
        if not wanted or (there, _patterns(repository)) == (wanted, _patterns(template)):
            return
        what = "imageTagMutability"
        # MUTABLE is what ECR sets by itself; anything else was chosen.
        if there not in (None, "MUTABLE") and what not in self._replace:
            yield Left(repository=name, reason=f"has the tag mutability {there}")
            return
        arguments = {"repositoryName": name, "imageTagMutability": wanted}
        if filters:
            arguments["imageTagMutabilityExclusionFilters"] = filters
        yield Change(repository=name, what=what, operation="put_image_tag_mutability", arguments=arguments)

    def _tags(self, name: str, arn: str, wanted: list[Mapping[str, str]]) -> Iterator[Change | Left]:
        if not wanted:
            return
        answer = self._ask_for("list_tags_for_resource", resourceArn=arn)
        if answer is None:
            return
        there = {tag["Key"]: tag["Value"] for tag in answer["tags"]}
        others = [tag for tag in wanted if there.get(tag["Key"], tag["Value"]) != tag["Value"]]
        missing = [dict(tag) for tag in wanted if tag["Key"] not in there]
        if "resourceTags" in self._replace:
            missing += [dict(tag) for tag in others]
            others = []
        if missing:
            arguments = {"resourceArn": arn, "tags": missing}
            yield Change(repository=name, what="resourceTags", operation="tag_resource", arguments=arguments)
        for tag in others:
            yield Left(repository=name, reason=f"has another value for the tag {tag['Key']}")

    def _ask_for(self, operation: str, **arguments: Any) -> Any:
        """Return the answer of ECR; ``None`` if there is no such setting or repository."""
        return call(self._ecr, operation, absent=_NONE, **arguments)


def merge_policies(current: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """A policy with the wanted statements in it: one of the same Sid is replaced, every other one stays.

    :param current: the policy that is there.
    :param wanted: the policy whose statements are to be in it.
    """
    existing = statements_of(current)
    for statement in statements_of(wanted):
        sid = statement.get("Sid")
        places = [
            n
            for n, old in enumerate(existing)
            if old.get("Sid") == sid and (sid or canonical(old) == canonical(statement))
        ]
        if not places:
            existing.append(statement)
        elif canonical(existing[places[0]]) != canonical(statement):
            existing[places[0]] = statement
    return {**current, "Statement": existing}


def template_of(repository: str, templates: Mapping[str, Any]) -> Any:
    """The template that ECR would create a repository by: that of the longest prefix, else ``ROOT``; ``None`` for none.

    :param repository: name of the repository.
    :param templates: the templates by their prefix.
    """
    matching = [
        prefix for prefix in templates if prefix != ROOT and f"{repository}/".startswith(f"{prefix.rstrip('/')}/")
    ]
    best = max(matching, key=len, default=ROOT)
    return templates.get(best)


def _patterns(settings: Mapping[str, Any]) -> set[str]:
    return {entry["filter"] for entry in settings.get("imageTagMutabilityExclusionFilters") or []}
