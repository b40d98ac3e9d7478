"""The settings of a rewrite policy besides the mapping."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

from ..errors import UserError

_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)
_LABEL = re.compile(r"([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?", re.ASCII)

OPT_OUT_LABEL = "ecr-pull-through-cache/rewrite"
"""A Pod or namespace with this label set to ``disabled`` is left alone."""
OPT_OUT_VALUE = "disabled"
OPT_IN_VALUE = "enabled"
"""With ``opt_in``, only namespaces with the label set to this are rewritten."""


class FailurePolicy(Enum):
    """The treatment of Pods while the policy cannot be evaluated."""

    IGNORE = "Ignore"
    """They are admitted unchanged, and pull from upstream."""
    FAIL = "Fail"
    """They are not admitted: an outage of the policy engine stops deployments."""


@dataclass(frozen=True, kw_only=True)
class PolicySettings:
    """The behavior of a rewrite policy.

    :param name: name of the policy, at most 63 characters.
    :param failure_policy: what happens to pods while the policy cannot be asked.
    :param excluded_namespaces: namespaces whose pods are left alone.
    :param opt_out_label: label whose value ``disabled`` exempts a Pod or a namespace.
    :param opt_in: whether only namespaces whose label has the value ``enabled`` are rewritten. Default: every namespace is.
    :raises UserError: when a name is not one that Kubernetes accepts.
    """

    name: str = "ecr-pull-through-cache"
    failure_policy: FailurePolicy = FailurePolicy.IGNORE
    excluded_namespaces: tuple[str, ...] = ()
    opt_out_label: str = OPT_OUT_LABEL
    opt_in: bool = False

    def __post_init__(self) -> None:
        for what, name in (("policy", self.name), *(("namespace", name) for name in self.excluded_namespaces)):
            if not _NAME.fullmatch(name):
                raise UserError(
                    f"{name!r} is not the name of a {what}; allowed are at most 63 lower-case letters, digits and '-'"
                )
        if not _LABEL.fullmatch(self.opt_out_label):
            raise UserError(f"{self.opt_out_label!r} is not a label; a label looks like 'example.com/name'")
