"""Kyverno's ``MutatingPolicy``, and its twin that reports instead of changing.

``policies.kyverno.io/v1`` is served by Kyverno 1.17 and newer.
https://kyverno.io/docs/policy-types/mutating-policy/
"""

from __future__ import annotations

from typing import Any

from ..images import CacheMapping
from . import cel
from .match import constraints, metadata
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
                "matchConstraints": constraints(settings),
                "variables": [{"name": cel.SUBSTITUTIONS, "expression": cel.substitutions(mapping)}],
                "mutations": mutations(mapping),
            },
        }
    ]


def mutating_policy_audit(mapping: CacheMapping, settings: PolicySettings) -> list[dict[str, Any]]:
    """The twin that reports which Pods would change, and changes nothing: a ``ValidatingPolicy`` that audits.

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
                "matchConstraints": constraints(settings),
                "variables": [{"name": cel.SUBSTITUTIONS, "expression": cel.substitutions(mapping)}],
                "validations": [
                    {
                        "expression": f"!({cel.changes(mapping, (*cel.ON_CREATE, cel.DEBUG_CONTAINERS))})",
                        "message": "an image of this pod would be pulled through the cache",
                    }
                ],
            },
        }
    ]


def mutations(mapping: CacheMapping) -> list[dict[str, Any]]:
    """The mutations of a policy in CEL: images of new Pods, and of new debug containers."""
    is_new = (
        "(request.operation == 'CREATE' || !has(oldObject.spec.ephemeralContainers) || "
        "!oldObject.spec.ephemeralContainers.exists(old, old.name == c.name))"
    )
    expressions = [cel.patch(mapping, cel.ON_CREATE), cel.patch(mapping, (cel.DEBUG_CONTAINERS,), new=is_new)]
    guarded = [f"request.operation == 'CREATE' ? {expressions[0]} : Object{{}}", expressions[1]]
    return [
        {"patchType": "ApplyConfiguration", "applyConfiguration": {"expression": expression}} for expression in guarded
    ]
