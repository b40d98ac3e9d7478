"""Lifecycle policies as repository creation templates take them: a JSON text.

aws-cdk-lib's ``LifecycleRule`` cannot be rendered into a template (aws/aws-cdk#35208).
https://docs.aws.amazon.com/AmazonECR/latest/userguide/lifecycle_policy_parameters.html
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, TypeVar

from ..errors import UserError
from . import quotas


class TagSelection(Enum):
    """Which images a lifecycle rule looks at, by their tags."""

    TAGGED = "tagged"
    UNTAGGED = "untagged"
    ANY = "any"


class StorageClass(Enum):
    """Where an image is stored. An archived image cannot be pulled until it is restored."""

    STANDARD = "standard"
    ARCHIVE = "archive"


class CountType(Enum):
    """What a lifecycle rule counts."""

    IMAGE_COUNT_MORE_THAN = "imageCountMoreThan"
    """All but the newest so many."""
    SINCE_IMAGE_PUSHED = "sinceImagePushed"
    """Days since the push or import."""
    SINCE_IMAGE_PULLED = "sinceImagePulled"
    """Days since the last pull."""
    SINCE_IMAGE_TRANSITIONED = "sinceImageTransitioned"
    """Days since the move to the archive class."""


class LifecycleAction(Enum):
    """What happens to the images that a lifecycle rule selects."""

    EXPIRE = "expire"
    ARCHIVE = "transition"


@dataclass(frozen=True, kw_only=True)
class LifecycleRule:
    """One rule of a lifecycle policy.

    :param priority: order of evaluation, from 1, unique in the policy.
    :param count_type: what is counted.
    :param count: number of images, or of days for the ``SINCE_…`` counts; at least 1.
    :param tags: which images are looked at.
    :param tag_patterns: patterns with at most four ``*``, for ``TAGGED``; an image must match all of them.
    :param tag_prefixes: prefixes, for ``TAGGED``; instead of patterns.
    :param storage_class: images of this class only.
    :param action: what happens to them.
    :param description: what the rule is for.
    :raises UserError: when the parts do not go together.
    """

    priority: int
    count_type: CountType
    count: int
    tags: TagSelection = TagSelection.ANY
    tag_patterns: tuple[str, ...] = ()
    tag_prefixes: tuple[str, ...] = ()
    storage_class: StorageClass | None = None
    action: LifecycleAction = LifecycleAction.EXPIRE
    description: str | None = None

    def __post_init__(self) -> None:
        problem = next((text for wrong, text in self._problems() if wrong), None)
        if problem:
            raise UserError(f"lifecycle rule {self.priority}: {problem}")

    def _problems(self) -> list[tuple[bool, str]]:
        named = bool(self.tag_patterns) or bool(self.tag_prefixes)
        transitioned = self.count_type is CountType.SINCE_IMAGE_TRANSITIONED
        return [
            (self.priority < 1, "the priority must be at least 1"),
            (self.count < 1, f"the count is {self.count}; it must be at least 1"),
            (bool(self.tag_patterns) and bool(self.tag_prefixes), "give tag patterns or tag prefixes, not both"),
            (self.tags is TagSelection.TAGGED and not named, "tagged images are selected by tag patterns or prefixes"),
            (
                self.tags is not TagSelection.TAGGED and named,
                f"tag patterns and prefixes go with tagged images, not with {self.tags.value!r}",
            ),
            (any(p.count("*") > 4 for p in self.tag_patterns), "a tag pattern may hold at most four '*'"),
            (
                transitioned and self.storage_class is not StorageClass.ARCHIVE,
                "days since the transition are counted for the storage class ARCHIVE only",
            ),
            (
                self.action is LifecycleAction.ARCHIVE and self.storage_class is StorageClass.ARCHIVE,
                "what is archived already cannot be moved to the archive",
            ),
        ]

    @classmethod
    def from_json(cls, rule: Mapping[str, Any]) -> LifecycleRule:
        """A rule from the words of the service.

        :param rule: ``rulePriority``, ``description``, ``selection`` and ``action``.
        :raises UserError: when it is not a rule that the service takes.
        """
        selection = _part(rule, "selection", Mapping)
        action = _part(rule, "action", Mapping)
        parsed = cls(
            priority=_part(rule, "rulePriority", int),
            description=_part(rule, "description", str) if "description" in rule else None,
            count_type=_choice(CountType, selection, "countType"),
            count=_part(selection, "countNumber", int),
            tags=_choice(TagSelection, selection, "tagStatus"),
            tag_patterns=tuple(selection.get("tagPatternList", ())),
            tag_prefixes=tuple(selection.get("tagPrefixList", ())),
            storage_class=_choice(StorageClass, selection, "storageClass") if "storageClass" in selection else None,
            action=_choice(LifecycleAction, action, "type"),
        )
        expected = parsed.to_json()
        for name, given, known in (
            ("selection", selection, expected["selection"]),
            ("action", action, expected["action"]),
        ):
            unlike = sorted(key for key in given if key not in known or given[key] != known[key])
            if unlike:
                raise UserError(
                    f"lifecycle rule {parsed.priority}: {name}.{unlike[0]} {given[unlike[0]]!r} is not allowed there"
                )
        return parsed

    def to_json(self) -> dict[str, Any]:
        """The rule in the words of the service."""
        selection: dict[str, Any] = {"tagStatus": self.tags.value}
        if self.tag_patterns:
            selection["tagPatternList"] = list(self.tag_patterns)
        if self.tag_prefixes:
            selection["tagPrefixList"] = list(self.tag_prefixes)
        if self.storage_class:
            selection["storageClass"] = self.storage_class.value
        selection["countType"] = self.count_type.value
        if self.count_type is not CountType.IMAGE_COUNT_MORE_THAN:
            selection["countUnit"] = "days"
        selection["countNumber"] = self.count
        action = {"type": self.action.value}
        if self.action is LifecycleAction.ARCHIVE:
            action["targetStorageClass"] = StorageClass.ARCHIVE.value
        description = {"description": self.description} if self.description else {}
        return {"rulePriority": self.priority, **description, "selection": selection, "action": action}


_E = TypeVar("_E", bound=Enum)


def _part(of: Mapping[str, Any], key: str, kind: type[Any]) -> Any:
    value = of.get(key)
    if not isinstance(value, kind) or isinstance(value, bool):
        words = {Mapping: "a mapping", int: "a whole number", str: "a text"}
        raise UserError(f"a lifecycle rule has the {key} {value!r}; it must be {words[kind]}")
    return value


def _choice(kind: type[_E], of: Mapping[str, Any], key: str) -> _E:
    value = of.get(key)
    if value not in [member.value for member in kind]:
        allowed = ", ".join(str(member.value) for member in kind)
        raise UserError(f"a lifecycle rule has the {key} {value!r}; allowed are {allowed}")
    return kind(value)


@dataclass(frozen=True)
class LifecyclePolicy:
    """The rules by which images of a repository expire or are archived.

    :param rules: at most 50, each with a priority of its own; one that selects ``ANY`` images comes last.
    :raises UserError: when the service would refuse the policy.
    """

    rules: Sequence[LifecycleRule]

    def __post_init__(self) -> None:
        ordered = sorted(self.rules, key=lambda rule: rule.priority)
        object.__setattr__(self, "rules", tuple(ordered))
        priorities = [rule.priority for rule in ordered]
        if not ordered or len(ordered) > quotas.LIFECYCLE_RULES.value:
            raise UserError(
                f"a lifecycle policy has 1 to {quotas.LIFECYCLE_RULES.value} rules, this one has {len(ordered)}"
            )
        if len(set(priorities)) < len(priorities):
            raise UserError(f"lifecycle rules have the priorities {priorities}; each must be given once")
        for storage in {rule.storage_class for rule in ordered}:
            same = [rule for rule in ordered if rule.storage_class is storage]
            if any(rule.tags is TagSelection.ANY for rule in same[:-1]):
                raise UserError("a lifecycle rule that selects any image must have the highest priority number")
        if len(self.to_text()) > quotas.LIFECYCLE_CHARACTERS.value:
            raise UserError(
                f"the lifecycle policy has {len(self.to_text())} characters; "
                f"at most {quotas.LIFECYCLE_CHARACTERS.value} are allowed"
            )

    @classmethod
    def expire_unpulled(cls, *, days: int) -> LifecyclePolicy:
        """Expire what nobody has pulled for some time: the next pull by tag imports it again.

        :param days: days since the last pull.
        """
        rule = LifecycleRule(
            priority=1,
            count_type=CountType.SINCE_IMAGE_PULLED,
            count=days,
            description=f"Expire what was not pulled for {days} days",
        )
        return cls([rule])

    @property
    def archives(self) -> bool:
        """Whether a rule moves images to the archive class, from which they cannot be pulled."""
        return any(rule.action is LifecycleAction.ARCHIVE for rule in self.rules)

    def to_text(self) -> str:
        """The JSON text that the service takes."""
        return json.dumps({"rules": [rule.to_json() for rule in self.rules]}, separators=(",", ":"))
