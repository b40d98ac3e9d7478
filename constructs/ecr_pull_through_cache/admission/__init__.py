"""The mapping as admission policies: Pods are rewritten when they are created, or refused, whoever creates them.

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
from .refusing import (
    REFUSE_LABEL,
    RefusalSettings,
    refuse_by_admission_policy,
    refuse_by_cluster_policy,
    refuse_by_validating_policy,
)
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
    :param audit: whether to render the report-only variant, which lists the Pods that would change.
    :returns: documents to be applied together.
    """
    return _RENDERERS[form][audit](mapping, settings or PolicySettings())


_REFUSALS: dict[PolicyForm, Callable[[CacheMapping, RefusalSettings, bool], list[dict[str, Any]]]] = {
    PolicyForm.CLUSTER_POLICY: refuse_by_cluster_policy,
    PolicyForm.MUTATING_POLICY: refuse_by_validating_policy,
    PolicyForm.MUTATING_ADMISSION_POLICY: refuse_by_admission_policy,
}


def render_refusal(
    mapping: CacheMapping, form: PolicyForm, settings: RefusalSettings | None = None, *, audit: bool = False
) -> list[dict[str, Any]]:
    """A policy that refuses Pods with images from outside the cache.

    :param mapping: whose hosts images may come from.
    :param form: the kind of policy that rewrites, of which this is the counterpart: a ``ClusterPolicy`` for
        ``CLUSTER_POLICY``, Kyverno's ``ValidatingPolicy`` for ``MUTATING_POLICY``, Kubernetes'
        ``ValidatingAdmissionPolicy`` for ``MUTATING_ADMISSION_POLICY``.
    :param settings: how it behaves, and its exceptions.
    :param audit: whether Pods are reported rather than refused, which should come first.
    :returns: documents to be applied together.
    """
    return _REFUSALS[form](mapping, settings or RefusalSettings(), audit)


__all__ = [
    "REFUSE_LABEL",
    "FailurePolicy",
    "PolicyForm",
    "PolicySettings",
    "RefusalSettings",
    "cluster_policy",
    "mutating_admission_policy",
    "mutating_policy",
    "render_policy",
    "render_refusal",
]
