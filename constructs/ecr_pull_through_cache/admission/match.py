"""Which Pods a policy is about."""

from __future__ import annotations

from typing import Any

from .cel import quote
from .settings import OPT_IN_VALUE, OPT_OUT_VALUE, PolicySettings

MIRROR = "kubernetes.io/config.mirror"
"""Annotation of the mirror of a static Pod. The kubelet runs what its own file says: a change would be a lie."""

_NOT_A_MIRROR = f"!has(object.metadata.annotations) || !('{MIRROR}' in object.metadata.annotations)"
# An update of labels or finalizers, which Jobs need in order to end, is no business of the policy.
_CHANGES_SPEC = "request.operation != 'UPDATE' || object.spec != oldObject.spec"

NOT_A_MIRROR = {"name": "not-a-mirror-pod", "expression": _NOT_A_MIRROR}
CHANGES_SPEC = {"name": "changes-its-spec", "expression": _CHANGES_SPEC}


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


def chosen(settings: PolicySettings) -> dict[str, Any]:
    """The requirement on a namespace's label."""
    if settings.opt_in:
        return {"key": settings.opt_out_label, "operator": "In", "values": [OPT_IN_VALUE]}
    return {"key": settings.opt_out_label, "operator": "NotIn", "values": [OPT_OUT_VALUE]}


def not_opted_out(settings: PolicySettings) -> dict[str, Any]:
    """The requirement on a Pod's label."""
    return {"key": settings.opt_out_label, "operator": "NotIn", "values": [OPT_OUT_VALUE]}


def excluded(settings: PolicySettings) -> list[str]:
    """The namespaces that are left alone, in order."""
    return sorted(set(settings.excluded_namespaces))


def constraints(settings: PolicySettings, *, applied_again: bool) -> dict[str, Any]:
    """``matchConstraints`` of the policies in CEL that rewrite, and of their audit twins.

    :param settings: how the policy behaves.
    :param applied_again: whether Pods that are applied again are matched too, in order to keep their cached images.
    """
    namespaces = [chosen(settings)]
    if settings.excluded_namespaces:
        namespaces.append({"key": "kubernetes.io/metadata.name", "operator": "NotIn", "values": excluded(settings)})
    return {
        "namespaceSelector": {"matchExpressions": namespaces},
        "objectSelector": {"matchExpressions": [not_opted_out(settings)]},
        "resourceRules": rules(applied_again=applied_again),
    }


def rules(*, applied_again: bool) -> list[dict[str, Any]]:
    """``resourceRules``: Pods, and debug containers by their subresource."""
    core = {"apiGroups": [""], "apiVersions": ["v1"]}
    return [
        {**core, "operations": ["CREATE", *(["UPDATE"] if applied_again else [])], "resources": ["pods"]},
        {**core, "operations": ["UPDATE"], "resources": ["pods/ephemeralcontainers"]},
    ]


def conditions_of_webhook(settings: PolicySettings) -> list[dict[str, str]]:
    """The selectors of a ``ClusterPolicy`` for its webhook.

    Kyverno keeps those selectors to itself: in an outage with ``Fail`` they would not exempt anything. The API server
    knows neither labels of namespaces nor, therefore, a namespace that has opted out.
    """
    label = quote(settings.opt_out_label)
    labels = "object.metadata.labels"
    opted_out = f"has({labels}) && {label} in {labels} && {labels}[{label}] == '{OPT_OUT_VALUE}'"
    found = [{"name": "not-opted-out", "expression": f"!({opted_out})"}]
    if settings.excluded_namespaces:
        names = ", ".join(quote(name) for name in excluded(settings))
        found.append({"name": "not-excluded", "expression": f"!(request.namespace in [{names}])"})
    return [*found, NOT_A_MIRROR, CHANGES_SPEC]
