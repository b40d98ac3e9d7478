"""Lifecycle policies as repository creation templates take them: a JSON text.

aws-cdk-lib's ``LifecycleRule`` cannot be rendered into a template (aws/aws-cdk#35208).

https://docs.aws.amazon.com/AmazonECR/latest/userguide/lifecycle_policy_parameters.html,
https://docs.aws.amazon.com/AmazonECR/latest/userguide/LifecyclePolicies.html (evaluation rules) and
https://docs.aws.amazon.com/AmazonECR/latest/userguide/lifecycle_policy_examples.html say which rules ECR accepts.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Protocol, TypeVar

from ..errors import UserError
from . import quotas


class TagSelection(Enum):
    """Which images a lifecycle rule looks at, by their tags."""

    TAGGED = "tagged"
    UNTAGGED = "untagged"
    ANY = "any"


class StorageClass(Enum):
    """The storage class of an image. An archived image cannot be pulled until it is restored."""

    STANDARD = "standard"
    ARCHIVE = "archive"


class CountType(Enum):
    """The quantity that a lifecycle rule counts."""

    IMAGE_COUNT_MORE_THAN = "imageCountMoreThan"
    """Every image beyond the newest ones."""
    SINCE_IMAGE_PUSHED = "sinceImagePushed"
    """Days since the push or import."""
    SINCE_IMAGE_PULLED = "sinceImagePulled"
    """Days since the last pull; for :attr:`LifecycleAction.ARCHIVE` alone."""
    SINCE_IMAGE_TRANSITIONED = "sinceImageTransitioned"
    """Days since the move to the archive class; for images of that class alone."""


class LifecycleAction(Enum):
    """The action on the images that a lifecycle rule selects."""

    EXPIRE = "expire"
    """ECR deletes them."""
    ARCHIVE = "transition"
    """ECR moves them to the archive class, from which they cannot be pulled."""


class Period(Protocol):
    """A period of time such as ``aws_cdk.Duration``, which this module does not import."""

    def to_hours(self, *, integral: bool | None = None) -> float:
        """The period in hours."""


def whole_days(given: int | Period) -> int:
    """A number of days, however it is given.

    :param given: the number, or a period of whole days.
    :raises UserError: when the period is not one of whole days.
    """
    if not hasattr(given, "to_hours"):
        return given
    hours = given.to_hours(integral=False)
    if hours % 24:
        raise UserError(f"a lifecycle rule counts days, and {hours:g} hours are no whole days")
    return int(hours // 24)


@dataclass(frozen=True, kw_only=True)
class Combination:
    """The combinations that ECR accepts for a count type.

    :param storage_class: the only storage class; ECR takes ``STANDARD`` where a rule names none.
    :param actions: the actions.
    :param least: the smallest count.
    """

    storage_class: StorageClass
    actions: tuple[LifecycleAction, ...]
    least: int = 1


COMBINATIONS: Mapping[CountType, Combination] = {
    CountType.IMAGE_COUNT_MORE_THAN: Combination(storage_class=StorageClass.STANDARD, actions=tuple(LifecycleAction)),
    CountType.SINCE_IMAGE_PUSHED: Combination(storage_class=StorageClass.STANDARD, actions=tuple(LifecycleAction)),
    CountType.SINCE_IMAGE_PULLED: Combination(storage_class=StorageClass.STANDARD, actions=(LifecycleAction.ARCHIVE,)),
    CountType.SINCE_IMAGE_TRANSITIONED: Combination(
        storage_class=StorageClass.ARCHIVE,
        actions=(LifecycleAction.EXPIRE,),
        least=quotas.ARCHIVE_DAYS.value,
    ),
}
"""Which storage class, actions and counts ECR accepts for each count type; it refuses every other combination."""

EXPIRE_BY_LAST_PULL = (
    "ECR cannot expire images by their last pull: sinceImagePulled goes with the action 'transition' only, and archived "
    "images cannot be pulled; let images expire by their age since the push instead"
)
"""Why no lifecycle policy can expire what nobody pulls, and the way out (aws/containers-roadmap#2728)."""

_TAG_WILDCARDS = 4


@dataclass(frozen=True, kw_only=True)
class LifecycleRule:
    """One rule of a lifecycle policy.

    :param priority: order of evaluation, from 1, unique in the policy.
    :param count_type: what is counted. :data:`COMBINATIONS` holds the actions and storage class that go with it.
    :param count: number of images, or of days for the ``SINCE_…`` counts; at least 1, for ``SINCE_IMAGE_TRANSITIONED`` at
        least 90.
    :param tags: which images the rule selects. Default: any image.
    :param tag_patterns: patterns with at most four ``*``, for ``TAGGED``; an image must match all of them.
    :param tag_prefixes: prefixes, for ``TAGGED``, instead of patterns; an image must match all of them.
    :param storage_class: the storage class of the images. Default: ECR takes ``STANDARD``.
    :param action: what happens to the images. Default: they expire.
    :param description: the purpose of the rule.
    :raises UserError: when ECR would refuse the rule.
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
        checks = (*self._number_problems(), *self._tag_problems(), *self._combination_problems())
        problem = next((text for wrong, text in checks if wrong), None)
        if problem:
            raise UserError(f"lifecycle rule {self.priority}: {problem}")

    @property
    def selected_class(self) -> StorageClass:
        """The storage class that the rule selects, ECR's default included."""
        return self.storage_class or StorageClass.STANDARD

    def _number_problems(self) -> tuple[tuple[bool, str], ...]:
        least = COMBINATIONS[self.count_type].least
        return (
            (self.priority < 1, "the priority must be at least 1"),
            (
                self.count < least,
                f"the count of {self.count_type.value} is {self.count}; it must be at least {least}",
            ),
        )

    def _tag_problems(self) -> tuple[tuple[bool, str], ...]:
        named = (*self.tag_patterns, *self.tag_prefixes)
        return (
            (bool(self.tag_patterns) and bool(self.tag_prefixes), "give tag patterns or tag prefixes, not both"),
            (
                self.tags is TagSelection.TAGGED and not named,
                "tagged images are selected by tag patterns or prefixes; give some",
            ),
            (
                self.tags is not TagSelection.TAGGED and bool(named),
                f"tag patterns and prefixes go with tagged images, not with {self.tags.value!r}",
            ),
            ("" in named, "a tag pattern or prefix is empty"),
            (
                any(pattern.count("*") > _TAG_WILDCARDS for pattern in self.tag_patterns),
                "a tag pattern may hold at most four '*'",
            ),
        )

    def _combination_problems(self) -> tuple[tuple[bool, str], ...]:
        kind, allowed = self.count_type, COMBINATIONS[self.count_type]
        actions = " or ".join(repr(action.value) for action in allowed.actions)
        return (
            (kind is CountType.SINCE_IMAGE_PULLED and self.action is LifecycleAction.EXPIRE, EXPIRE_BY_LAST_PULL),
            (
                self.action not in allowed.actions,
                f"the count type {kind.value} is given with the action {self.action.value!r}; allowed is {actions}",
            ),
            (
                self.selected_class is not allowed.storage_class,
                (
                    f"the count type {kind.value} selects images of the storage class {self.selected_class.value!r}; "
                    f"allowed is {allowed.storage_class.value!r}"
                ),
            ),
        )

    @classmethod
    def from_json(cls, rule: Mapping[str, Any]) -> LifecycleRule:
        """Read a rule in the words of the service.

        :param rule: ``rulePriority``, ``description``, ``selection`` and ``action``.
        :raises UserError: when ECR would refuse it.
        """
        selection = _part(rule, "selection", Mapping)
        action = _part(rule, "action", Mapping)
        parsed = cls(
            priority=_part(rule, "rulePriority", int),
            description=_part(rule, "description", str) if "description" in rule else None,
            count_type=_choice(CountType, selection, "countType"),
            count=_part(selection, "countNumber", int),
            tags=_choice(TagSelection, selection, "tagStatus"),
            tag_patterns=_texts(selection, "tagPatternList"),
            tag_prefixes=_texts(selection, "tagPrefixList"),
            storage_class=_choice(StorageClass, selection, "storageClass") if "storageClass" in selection else None,
            action=_choice(LifecycleAction, action, "type"),
        )
        parsed._refuse_unlike(rule)
        return parsed

    def _refuse_unlike(self, given: Mapping[str, Any]) -> None:
        """Refuse keys that the rule does not come to, a missing ``countUnit`` among them."""
        expected = {"": {**self.to_json(), "description": given.get("description")}, **self.to_json()}
        for part, of in (("", given), ("selection", given["selection"]), ("action", given["action"])):
            known, place = expected[part], f"{part}." if part else ""
            for key in sorted(map(str, of)):
                if key not in known or (part and of[key] != known[key]):
                    raise UserError(
                        f"lifecycle rule {self.priority}: {place}{key} {of.get(key)!r} is not allowed there"
                    )
            missing = sorted(set(known) - set(of) - {"description", "storageClass"})
            if missing:
                raise UserError(
                    f"lifecycle rule {self.priority}: {place}{missing[0]} is missing; "
                    f"it must be {known[missing[0]]!r} there"
                )

    def to_json(self) -> dict[str, Any]:
        """Render the rule in the words of the service."""
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


def _texts(of: Mapping[str, Any], key: str) -> tuple[str, ...]:
    value = of.get(key, ())
    if not isinstance(value, (list, tuple)) or not all(isinstance(text, str) for text in value):
        raise UserError(f"a lifecycle rule has the {key} {value!r}; it must be a list of texts")
    return tuple(value)


def _choice(kind: type[_E], of: Mapping[str, Any], key: str) -> _E:
    value = of.get(key)
    if value not in [member.value for member in kind]:
        allowed = ", ".join(str(member.value) for member in kind)
        raise UserError(f"a lifecycle rule has the {key} {value!r}; allowed are {allowed}")
    return kind(value)


@dataclass(frozen=True)
class LifecyclePolicy:
    """The rules by which images of a repository expire or are archived.

    :param rules: 1 to 50, each with a priority of its own. For each storage class, one rule at most selects ``ANY`` images,
        after all others, one ``UNTAGGED`` images, and one each set of tag prefixes or patterns.
    :raises UserError: when ECR would refuse the policy.
    """

    rules: Sequence[LifecycleRule]

    def __post_init__(self) -> None:
        ordered = sorted(self.rules, key=lambda rule: rule.priority)
        object.__setattr__(self, "rules", tuple(ordered))
        if not ordered or len(ordered) > quotas.LIFECYCLE_RULES.value:
            raise UserError(
                f"a lifecycle policy has 1 to {quotas.LIFECYCLE_RULES.value} rules, this one has {len(ordered)}"
            )
        _check_priorities([rule.priority for rule in ordered])
        for storage in StorageClass:
            _check_selections([rule for rule in ordered if rule.selected_class is storage], storage)
        if len(self.to_text()) > quotas.LIFECYCLE_CHARACTERS.value:
            raise UserError(
                f"the lifecycle policy has {len(self.to_text())} characters; "
                f"at most {quotas.LIFECYCLE_CHARACTERS.value} are allowed"
            )

    @classmethod
    def expire_after(cls, *, days: int | Period) -> LifecyclePolicy:
        """Expire images by their age, whether they are pulled or not; the next pull by tag imports an image again.

        ECR has no rule that expires images by their last pull (aws/containers-roadmap#2728).

        :param days: days since ECR imported the image, at least 1, or a ``Duration`` of whole days.
        :raises UserError: when a period is not one of whole days.
        """
        count = whole_days(days)
        rule = LifecycleRule(
            priority=1,
            count_type=CountType.SINCE_IMAGE_PUSHED,
            count=count,
            description=f"Expire images {count} days after they were imported",
        )
        return cls([rule])

    @property
    def archives(self) -> bool:
        """Whether a rule moves images to the archive class, from which they cannot be pulled."""
        return any(rule.action is LifecycleAction.ARCHIVE for rule in self.rules)

    @property
    def expires_by_age(self) -> bool:
        """Whether a rule deletes images that have a tag by their age, pulled or not."""
        return any(
            rule.action is LifecycleAction.EXPIRE
            and rule.count_type is CountType.SINCE_IMAGE_PUSHED
            and rule.tags is not TagSelection.UNTAGGED
            for rule in self.rules
        )

    def to_text(self) -> str:
        """Render the JSON text that the service takes."""
        return json.dumps({"rules": [rule.to_json() for rule in self.rules]}, separators=(",", ":"))


def _check_priorities(priorities: list[int]) -> None:
    if len(set(priorities)) < len(priorities):
        raise UserError(f"lifecycle rules have the priorities {priorities}; each must be given once")


def _check_selections(rules: list[LifecycleRule], storage: StorageClass) -> None:
    """Refuse two rules for the same images of a storage class, and a rule after the one for any image."""
    seen: dict[tuple[TagSelection, frozenset[str], frozenset[str]], LifecycleRule] = {}
    for rule in rules:
        selection = (rule.tags, frozenset(rule.tag_patterns), frozenset(rule.tag_prefixes))
        first = seen.setdefault(selection, rule)
        if first is not rule:
            raise UserError(
                f"the lifecycle rules {first.priority} and {rule.priority} both select {_selected(rule)} of the storage class "
                f"{storage.value!r}; ECR takes one such rule for each storage class, so make them one"
            )
    if any(rule.tags is TagSelection.ANY for rule in rules[:-1]):
        raise UserError("a lifecycle rule that selects any image must have the highest priority number")


def _selected(rule: LifecycleRule) -> str:
    if rule.tags is not TagSelection.TAGGED:
        return f"{rule.tags.value} images"
    by, texts = ("pattern", rule.tag_patterns) if rule.tag_patterns else ("prefix", rule.tag_prefixes)
    return f"images by the tag {by} {', '.join(sorted(set(texts)))}"
