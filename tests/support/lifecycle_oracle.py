"""What Amazon ECR accepts as a lifecycle policy, written from the user guide and not from the package.

It reads the text alone and shares no code with the builder, so that neither can hide a fault of the other.

https://docs.aws.amazon.com/AmazonECR/latest/userguide/lifecycle_policy_parameters.html,
https://docs.aws.amazon.com/AmazonECR/latest/userguide/LifecyclePolicies.html,
https://docs.aws.amazon.com/AmazonECR/latest/userguide/lifecycle_policy_examples.html and
https://docs.aws.amazon.com/AmazonECR/latest/userguide/service-quotas.html
"""

import json
from collections.abc import Iterator
from typing import Any

# count type: (storage class, actions, smallest number, whether it counts days)
TABLE: dict[str, tuple[str, set[str], int, bool]] = {
    "imageCountMoreThan": ("standard", {"expire", "transition"}, 1, False),
    "sinceImagePushed": ("standard", {"expire", "transition"}, 1, True),
    "sinceImagePulled": ("standard", {"transition"}, 1, True),
    "sinceImageTransitioned": ("archive", {"expire"}, 90, True),
}
RULE = {"rulePriority", "description", "selection", "action"}
SELECTION = {"tagStatus", "tagPatternList", "tagPrefixList", "storageClass", "countType", "countUnit", "countNumber"}


def refusals(text: str) -> list[str]:
    """Why ECR refuses a lifecycle policy; nothing where it accepts it."""
    try:
        rules = json.loads(text)["rules"]
    except (ValueError, KeyError, TypeError):
        return ["not an object with rules"]
    found = [problem for rule in rules for problem in _rule(rule)]
    if len(text) > 30_720:
        found.append("too long")
    if not 1 <= len(rules) <= 50:
        found.append("number of rules")
    return found or list(_together(rules))


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _rule(rule: dict[str, Any]) -> Iterator[str]:
    if not {"rulePriority", "selection", "action"} <= set(rule) <= RULE:
        yield "keys of the rule"
        return
    if not _whole(rule["rulePriority"]) or rule["rulePriority"] < 1:
        yield "rulePriority"
    selection = rule["selection"]
    if not {"tagStatus", "countType", "countNumber"} <= set(selection) <= SELECTION:
        yield "keys of the selection"
        return
    yield from _tags(selection)
    if selection["countType"] not in TABLE:
        yield "countType"
        return
    storage, actions, least, in_days = TABLE[selection["countType"]]
    if selection.get("storageClass", "standard") != storage:
        yield f"{selection['countType']} of another storage class"
    if not _whole(selection["countNumber"]) or selection["countNumber"] < least:
        yield "countNumber"
    if selection.get("countUnit") != ("days" if in_days else None):
        yield "countUnit"
    if rule["action"].get("type") not in actions:
        yield f"{selection['countType']} with {rule['action'].get('type')}"
    target = {"targetStorageClass": "archive"} if rule["action"].get("type") == "transition" else {}
    if {key: value for key, value in rule["action"].items() if key != "type"} != target:
        yield "targetStorageClass"


def _tags(selection: dict[str, Any]) -> Iterator[str]:
    named = [key for key in ("tagPatternList", "tagPrefixList") if key in selection]
    if selection["tagStatus"] not in ("tagged", "untagged", "any"):
        yield "tagStatus"
    elif (selection["tagStatus"] == "tagged") != (len(named) == 1):
        yield "tagged images need one list, others none"
    for key in named:
        if not selection[key] or not all(isinstance(text, str) and text for text in selection[key]):
            yield key
        elif key == "tagPatternList" and any(text.count("*") > 4 for text in selection[key]):
            yield "more than four wildcards"


def _together(rules: list[dict[str, Any]]) -> Iterator[str]:
    priorities = [rule["rulePriority"] for rule in rules]
    if len(set(priorities)) < len(priorities):
        yield "a priority twice"
    by_class: dict[str, list[tuple[int, dict[str, Any]]]] = {}
    for rule in rules:
        selection = rule["selection"]
        by_class.setdefault(selection.get("storageClass", "standard"), []).append((rule["rulePriority"], selection))
    for selected in by_class.values():
        kinds = [
            (s["tagStatus"], *(key + ":" + ",".join(sorted(set(s.get(key, [])))) for key in ("tagPatternList", "tagPrefixList")))
            for _, s in selected
        ]  # fmt: skip
        if len(set(kinds)) < len(kinds):
            yield "the same selection twice"
        last = max(priority for priority, _ in selected)
        if any(s["tagStatus"] == "any" and priority != last for priority, s in selected):
            yield "any is not last"
