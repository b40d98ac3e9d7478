"""Kubernetes' own ``MutatingAdmissionPolicy``: no controller in the cluster at all.

Stable in Kubernetes 1.36; ``admissionregistration.k8s.io/v1beta1``, off by default, in 1.34 and 1.35.
https://kubernetes.io/docs/reference/access-authn-authz/mutating-admission-policy/
"""

from __future__ import annotations

from typing import Any

from ..images import CacheMapping
from . import cel
from .match import CHANGES_SPEC, NOT_A_MIRROR, constraints, metadata
from .mutating_policy import mutations
from .settings import PolicySettings

GROUP = "admissionregistration.k8s.io"


def mutating_admission_policy(
    mapping: CacheMapping, settings: PolicySettings, *, version: str = "v1"
) -> list[dict[str, Any]]:
    """The policy and its binding as documents of YAML.

    It is asked again when another admission plugin changes a Pod after it, so that images of sidecars which are injected
    later are rewritten too.

    :param mapping: what images become.
    :param settings: how the policy behaves.
    :param version: version of the API: ``v1``, or ``v1beta1`` before Kubernetes 1.36.
    """
    return [
        {
            "apiVersion": f"{GROUP}/{version}",
            "kind": "MutatingAdmissionPolicy",
            "metadata": metadata(settings),
            "spec": {
                "failurePolicy": settings.failure_policy.value,
                "reinvocationPolicy": "IfNeeded",
                "matchConstraints": constraints(settings, applied_again=True),
                "matchConditions": [NOT_A_MIRROR, CHANGES_SPEC],
                "variables": [{"name": cel.SUBSTITUTIONS, "expression": cel.substitutions(mapping)}],
                "mutations": mutations(mapping),
            },
        },
        {
            "apiVersion": f"{GROUP}/{version}",
            "kind": "MutatingAdmissionPolicyBinding",
            "metadata": metadata(settings),
            "spec": {"policyName": settings.name},
        },
    ]


def mutating_admission_policy_audit(mapping: CacheMapping, settings: PolicySettings) -> list[dict[str, Any]]:
    """The report-only variant, which lists the Pods that would change: a ``ValidatingAdmissionPolicy`` that audits and warns.

    :param mapping: what images become.
    :param settings: how the policy behaves.
    """
    name = metadata(settings, suffix="-audit")
    return [
        {
            "apiVersion": f"{GROUP}/v1",
            "kind": "ValidatingAdmissionPolicy",
            "metadata": name,
            "spec": {
                "failurePolicy": "Ignore",
                "matchConstraints": constraints(settings, applied_again=False),
                "matchConditions": [NOT_A_MIRROR],
                "variables": [{"name": cel.SUBSTITUTIONS, "expression": cel.substitutions(mapping)}],
                "validations": [
                    {
                        "expression": f"!({cel.changes(mapping)})",
                        "message": "an image of this pod would be pulled through the cache",
                    }
                ],
            },
        },
        {
            "apiVersion": f"{GROUP}/v1",
            "kind": "ValidatingAdmissionPolicyBinding",
            "metadata": name,
            "spec": {"policyName": name["name"], "validationActions": ["Audit", "Warn"]},
        },
    ]
