"""The mapping as admission policies: Pods are rewritten when they are created, whoever creates them.

Pure Python: a policy is a list of documents, to be written as YAML.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Any

from ..images import CacheMapping
from .cluster_policy import cluster_policy, cluster_policy_audit
from .mutating_admission_policy import mutating_admission_policy, mutating_admission_policy_audit
from .mutating_policy import mutating_policy, mutating_policy_audit
from .settings import FailurePolicy, PolicySettings


class PolicyForm(Enum):
    """The kinds of policy that rewrite images."""

    CLUSTER_POLICY = "cluster-policy"
    """Kyverno's ``ClusterPolicy``, as in the AWS post; deprecated since Kyverno 1.17."""
    MUTATING_POLICY = "mutating-policy"
    """Kyverno's ``MutatingPolicy``, from Kyverno 1.17."""
    MUTATING_ADMISSION_POLICY = "mutating-admission-policy"
    """Kubernetes' own ``MutatingAdmissionPolicy``, from Kubernetes 1.36."""


_Render = Callable[[CacheMapping, PolicySettings], list[dict[str, Any]]]
_RENDERERS: dict[PolicyForm, tuple[_Render, _Render]] = {
    PolicyForm.CLUSTER_POLICY: (cluster_policy, cluster_policy_audit),
    PolicyForm.MUTATING_POLICY: (mutating_policy, mutating_policy_audit),
    PolicyForm.MUTATING_ADMISSION_POLICY: (mutating_admission_policy, mutating_admission_policy_audit),
}


def render_policy(
    mapping: CacheMapping, form: PolicyForm, settings: PolicySettings | None = None, *, audit: bool = False
) -> list[dict[str, Any]]:
    """A policy that rewrites images as the mapping does.

    :param mapping: what images become. One without rules, or of a registry of replicas, makes a policy of nothing.
    :param form: the kind of policy.
    :param settings: how it behaves.
    :param audit: the twin that reports which Pods would change, and changes nothing.
    :returns: documents to be applied together.
    """
    return _RENDERERS[form][audit](mapping, settings or PolicySettings())


__all__ = [
    "FailurePolicy",
    "PolicyForm",
    "PolicySettings",
    "cluster_policy",
    "mutating_admission_policy",
    "mutating_policy",
    "render_policy",
]
