"""Policies compared by what they say, however it is written: ``"*"`` or ``{"AWS": ["*"]}``, one action or a list of one."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from fnmatch import fnmatchcase
from itertools import product
from typing import Any

_ACCOUNT = re.compile(r"arn:[\w-]+:iam::(\d{12}):root", re.ASCII)
_LISTS = ("Action", "NotAction", "Resource", "NotResource")


def statements_of(policy: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The statements of a policy, a single one included."""
    found = policy.get("Statement", [])
    return [found] if isinstance(found, dict) else list(found)


def canonical(statement: Mapping[str, Any]) -> str:
    """One text for every way of writing a statement.

    :param statement: the statement; its ``Sid`` is left out, for it says nothing.
    """
    said = {key: value for key, value in statement.items() if key != "Sid"}
    for key in _LISTS:
        if key in said:
            said[key] = _sorted(said[key])
    for key in ("Principal", "NotPrincipal"):
        if key in said:
            said[key] = {kind: sorted(who) for kind, who in _principals(said[key]).items()}
    if "Condition" in said:
        said["Condition"] = _condition(said["Condition"])
    return json.dumps(said, sort_keys=True)


def same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two policies say the same, statement by statement."""
    return {canonical(s) for s in statements_of(one)} == {canonical(s) for s in statements_of(other)}


def allows(policy: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Whether a policy's statements allow, together, all that one statement does. What it denies is not looked at.

    :param policy: the policy.
    :param wanted: a statement that allows actions on resources to principals.
    """
    allowing = [s for s in statements_of(policy) if s.get("Effect") == "Allow"]
    parts = product(_pairs(wanted["Principal"]), _sorted(wanted["Action"]), _sorted(wanted["Resource"]))
    return all(any(_allows(s, wanted, *part) for s in allowing) for part in parts)


def _allows(
    statement: Mapping[str, Any], wanted: Mapping[str, Any], who: tuple[str, str], action: str, arn: str
) -> bool:
    principals = _pairs(statement.get("Principal", {}))
    conditions = _condition(statement.get("Condition", {}))
    return (
        (who in principals or ("AWS", "*") in principals)
        and conditions in ({}, _condition(wanted.get("Condition", {})))
        and any(fnmatchcase(action.lower(), pattern.lower()) for pattern in _sorted(statement.get("Action", [])))
        # A pattern of ours is within one of theirs when theirs matches it as if it were a name.
        and any(fnmatchcase(arn, pattern) for pattern in _sorted(statement.get("Resource", [])))
    )


def _pairs(principal: Any) -> set[tuple[str, str]]:
    return {(kind, one) for kind, who in _principals(principal).items() for one in who}


def _principals(principal: Any) -> dict[str, set[str]]:
    if principal == "*":
        return {"AWS": {"*"}}
    return {kind: {_account(one) for one in _sorted(who)} for kind, who in principal.items()}


def _account(principal: str) -> str:
    match = _ACCOUNT.fullmatch(principal)
    return match[1] if match else principal


def _condition(condition: Mapping[str, Any]) -> dict[str, dict[str, list[str]]]:
    return {
        operator: {key.lower(): _sorted(values) for key, values in keys.items()} for operator, keys in condition.items()
    }


def _sorted(value: Any) -> list[str]:
    return sorted(str(one) for one in ([value] if isinstance(value, str | bool | int) else value))
