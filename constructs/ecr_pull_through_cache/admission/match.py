"""Which Pods a rewrite policy is about."""

from __future__ import annotations

from typing import Any

from .settings import OPT_OUT_VALUE, PolicySettings


def metadata(settings: PolicySettings, *, suffix: str = "") -> dict[str, Any]:
    """Name, labels and a description of a policy."""
    return {
        "name": settings.name + suffix,
        "labels": {"app.kubernetes.io/managed-by": "ecr-pull-through-cache"},
        "annotations": {
            "policies.kyverno.io/title": "Pull images through the Amazon ECR cache",
            "policies.kyverno.io/description": "Generated from the cache's mapping of upstream registries; "
            "change the configuration, not this.",
        },
    }


def constraints(settings: PolicySettings) -> dict[str, Any]:
    """``matchConstraints`` of the policies in CEL.

    Pods when they are created, never when they are updated: a container's image is one of the few fields of a running
    Pod that can change, and changing it restarts the container. Debug containers are added by their subresource.
    """
    opted_out = {"key": settings.opt_out_label, "operator": "NotIn", "values": [OPT_OUT_VALUE]}
    namespaces = [opted_out]
    if settings.excluded_namespaces:
        namespaces.append(
            {
                "key": "kubernetes.io/metadata.name",
                "operator": "NotIn",
                "values": sorted(set(settings.excluded_namespaces)),
            }
        )
    core = {"apiGroups": [""], "apiVersions": ["v1"]}
    return {
        "namespaceSelector": {"matchExpressions": namespaces},
        "objectSelector": {"matchExpressions": [opted_out]},
        "resourceRules": [
            {**core, "operations": ["CREATE"], "resources": ["pods"]},
            {**core, "operations": ["UPDATE"], "resources": ["pods/ephemeralcontainers"]},
        ],
    }
