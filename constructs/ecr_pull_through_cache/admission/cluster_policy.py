"""Kyverno's ``ClusterPolicy``, as in the AWS post: for Kyverno up to 1.19, deprecated since 1.17.

A rule computes all images of a Pod at once and merges them. Kyverno's ``foreach`` would take time that grows with the
square of the number of containers, and would patch with text in which an image could end the patch and begin another.
https://kyverno.io/docs/policy-types/cluster-policy/mutate/
"""

from __future__ import annotations

from typing import Any

from ..images import CacheMapping
from . import jmespath
from .match import MIRROR, chosen, conditions_of_webhook, excluded, metadata, not_opted_out
from .settings import FailurePolicy, PolicySettings

_ITEMS = "found"
_OLD_NAMES = "oldNames"


def cluster_policy(mapping: CacheMapping, settings: PolicySettings) -> list[dict[str, Any]]:
    """The policy as documents of YAML.

    :param mapping: what images become.
    :param settings: how the policy behaves.
    """
    rules = [_on_create(mapping, settings), _on_update(mapping, settings), _on_debug(mapping, settings)]
    spec: dict[str, Any] = {"background": False, "failurePolicy": settings.failure_policy.value}
    if settings.failure_policy is FailurePolicy.FAIL:
        # The webhook knows nothing of the rules' selectors, and would stop exempt Pods too while Kyverno is down.
        spec["webhookConfiguration"] = {"matchConditions": conditions_of_webhook(settings)}
    return [_policy(metadata(settings), {**spec, "rules": rules})]


def cluster_policy_audit(mapping: CacheMapping, settings: PolicySettings) -> list[dict[str, Any]]:
    """The report-only variants, which list the Pods that would change.

    They are two: the one about Pods also reports those that run already, and Kyverno refuses that for a subresource.

    :param mapping: what images become.
    :param settings: how the policies behave.
    """
    parts = (
        ("-audit", True, _on_create(mapping, settings)),
        ("-audit-debug", False, _on_debug(mapping, settings)),
    )
    return [
        _policy(
            metadata(settings, suffix=suffix),
            {"background": background, "failurePolicy": "Ignore", "rules": [_audited(rule)]},
        )
        for suffix, background, rule in parts
    ]


def _audited(rule: dict[str, Any]) -> dict[str, Any]:
    conditions = rule.pop("preconditions")
    del rule["mutate"]
    rule["context"] = [entry for entry in rule["context"] if entry["name"] != "patch"]
    message = "an image of this pod would be pulled through the cache"
    return {**rule, "validate": {"failureAction": "Audit", "message": message, "deny": {"conditions": conditions}}}


def _policy(head: dict[str, Any], spec: dict[str, Any]) -> dict[str, Any]:
    # Pods alone: rewriting a Deployment's template would look like drift to whoever owns it.
    head["annotations"]["pod-policies.kyverno.io/autogen-controllers"] = "none"
    return {"apiVersion": "kyverno.io/v1", "kind": "ClusterPolicy", "metadata": head, "spec": spec}


def _on_create(mapping: CacheMapping, settings: PolicySettings) -> dict[str, Any]:
    lists = jmespath.OF_PODS
    patches = {path: jmespath.patch_of(jmespath.of_list(_ITEMS, path), field) for path, field in lists.items()}
    return {
        "name": "rewrite-images",
        **_match(settings, "Pod", "CREATE"),
        "context": [_variable(_ITEMS, jmespath.mapped(mapping, lists)), _variable("patch", _merged(patches))],
        "preconditions": {"any": [_some(f"{_ITEMS}[?to]")]},
        "mutate": {"patchStrategicMerge": {"spec": "{{ patch }}"}},
    }


def _on_update(mapping: CacheMapping, settings: PolicySettings) -> dict[str, Any]:
    """A Pod that is applied again brings its upstream image back; it keeps exactly what that image becomes."""
    lists = jmespath.OF_PODS
    kept = {path: f"kept{path[0].upper()}{path[1:]}" for path in lists}
    return {
        "name": "keep-images-of-pods-applied-again",
        **_match(settings, "Pod", "UPDATE"),
        "context": [
            _variable(_ITEMS, jmespath.mapped(mapping, lists)),
            _variable("safe", jmespath.pairs(_ITEMS)),
            *(_variable(kept[path], jmespath.kept(path, field, "safe")) for path, field in lists.items()),
            _variable("patch", _merged(kept)),
        ],
        "preconditions": {"any": [_some(f"{items}[?image]") for items in kept.values()]},
        "mutate": {"patchStrategicMerge": {"spec": "{{ patch }}"}},
    }


def _on_debug(mapping: CacheMapping, settings: PolicySettings) -> dict[str, Any]:
    """New debug containers. Those that are there never change, and their names were checked when they came."""
    ((path, field),) = jmespath.OF_DEBUG_CONTAINERS.items()
    is_new = f"(to && !contains(`{{{{ {_OLD_NAMES} }}}}`, name))"
    return {
        "name": "rewrite-images-of-debug-containers",
        **_match(settings, "Pod/ephemeralcontainers", "UPDATE"),
        "context": [
            _variable(_ITEMS, jmespath.mapped(mapping, jmespath.OF_DEBUG_CONTAINERS)),
            _variable(_OLD_NAMES, f"(request.oldObject.spec.{path} || `[]`)[].name"),
            _variable("new", jmespath.patch_of(_ITEMS, field, condition=is_new)),
            _variable("patch", _merged({path: "new"})),
        ],
        "preconditions": {"any": [_some("new[?image]")]},
        "mutate": {"patchStrategicMerge": {"spec": "{{ patch }}"}},
    }


def _variable(name: str, expression: str) -> dict[str, Any]:
    return {"name": name, "variable": {"jmesPath": expression}}


def _merged(lists: dict[str, str]) -> str:
    """A part of a Pod's spec: the lists that have items, since an empty one would be written."""
    parts = [f"(length({items}) > `0` && {{{path}: {items}}}) || `{{}}`" for path, items in lists.items()]
    return f"merge({', '.join(parts)})" if len(parts) > 1 else parts[0]


def _some(items: str) -> dict[str, Any]:
    return {"key": f"{{{{ length({items}) }}}}", "operator": "GreaterThan", "value": 0}


def _match(settings: PolicySettings, kind: str, operation: str) -> dict[str, Any]:
    resources = {
        "kinds": [kind],
        "operations": [operation],
        "selector": {"matchExpressions": [not_opted_out(settings)]},
        "namespaceSelector": {"matchExpressions": [chosen(settings)]},
    }
    exempt: list[dict[str, Any]] = [{"resources": {"annotations": {MIRROR: "*"}}}]
    if settings.excluded_namespaces:
        exempt.append({"resources": {"namespaces": excluded(settings)}})
    return {"match": {"any": [{"resources": resources}]}, "exclude": {"any": exempt}}
