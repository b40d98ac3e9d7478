"""Kyverno's ``MutatingPolicy``, and its report-only variant.

``policies.kyverno.io/v1`` is served by Kyverno 1.17 and newer.
https://kyverno.io/docs/policy-types/mutating-policy/
"""

from __future__ import annotations

from typing import Any

from ..images import CacheMapping
from . import cel
from .match import CHANGES_SPEC, NOT_A_MIRROR, constraints, metadata
from .settings import PolicySettings

API_VERSION = "policies.kyverno.io/v1"
# Autogen is on by default for policies on Pods, does not rewrite their expressions, and so breaks Deployments
# (kyverno/kyverno#15474).
NO_AUTOGEN: dict[str, Any] = {"podControllers": {"controllers": []}}


def mutating_policy(mapping: CacheMapping, settings: PolicySettings) -> list[dict[str, Any]]:
    """The policy as documents of YAML.

    :param mapping: what images become.
    :param settings: how the policy behaves.
    """
    return [
        {
            "apiVersion": API_VERSION,
            "kind": "MutatingPolicy",
            "metadata": metadata(settings),
            "spec": {
                "failurePolicy": settings.failure_policy.value,
                "autogen": NO_AUTOGEN,
                "matchConstraints": constraints(settings, applied_again=True),
                "matchConditions": [NOT_A_MIRROR, CHANGES_SPEC],
                "variables": [{"name": cel.SUBSTITUTIONS, "expression": cel.substitutions(mapping)}],
                "mutations": mutations(mapping),
            },
        }
    ]


def mutating_policy_audit(mapping: CacheMapping, settings: PolicySettings) -> list[dict[str, Any]]:
    """The report-only variant, which lists the Pods that would change: a ``ValidatingPolicy`` that audits.

    :param mapping: what images become.
    :param settings: how the policy behaves.
    """
    return [
        {
            "apiVersion": API_VERSION,
            "kind": "ValidatingPolicy",
            "metadata": metadata(settings, suffix="-audit"),
            "spec": {
                "failurePolicy": "Ignore",
                "autogen": NO_AUTOGEN,
                "validationActions": ["Audit"],
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
        }
    ]


def mutations(mapping: CacheMapping) -> list[dict[str, Any]]:
    """The mutations of a policy in CEL: images of Pods, and of new debug containers."""
    expressions = [cel.patch_of_pods(mapping), cel.patch_of_debug_containers(mapping)]
    return [
        {"patchType": "ApplyConfiguration", "applyConfiguration": {"expression": expression}}
        for expression in expressions
    ]
