"""Kyverno's ``ClusterPolicy``, as in the AWS post: for Kyverno up to 1.19, deprecated since 1.17.

https://kyverno.io/docs/policy-types/cluster-policy/mutate/
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..images import CacheMapping, PinnedByDigest
from .match import metadata
from .settings import OPT_OUT_VALUE, PolicySettings

# Backslashes would have to pass through YAML, Kyverno's variables and JMESPath; a class of one character needs none.
_LISTS = {"containers": "image", "initContainers": "image", "volumes": "image.reference"}
_DEBUG = {"ephemeralContainers": "image"}


def cluster_policy(mapping: CacheMapping, settings: PolicySettings) -> list[dict[str, Any]]:
    """The policy as documents of YAML.

    :param mapping: what images become.
    :param settings: how the policy behaves.
    """
    return [_policy(settings, [_rule(mapping, settings, *kind) for kind in _KINDS])]


def cluster_policy_audit(mapping: CacheMapping, settings: PolicySettings) -> list[dict[str, Any]]:
    """The twin that reports which Pods would change, and changes nothing.

    :param mapping: what images become.
    :param settings: how the policy behaves.
    """
    rules = []
    for name, kind, operation, lists in _KINDS:
        foreach = [
            {
                "list": f"request.object.spec.{path} || `[]`",
                "context": _context(mapping, field),
                "deny": {"conditions": {"all": _conditions(mapping)}},
            }
            for path, field in lists.items()
        ]
        message = "an image of this pod would be pulled through the cache"
        match = _match(settings, kind, operation)
        validate = {"failureAction": "Audit", "message": message, "foreach": foreach}
        rules.append({"name": name, **match, "validate": validate})
    return [_policy(settings, rules, suffix="-audit")]


_KINDS = (
    ("rewrite-images", "Pod", "CREATE", _LISTS),
    ("rewrite-images-of-debug-containers", "Pod/ephemeralcontainers", "UPDATE", _DEBUG),
)


def _policy(settings: PolicySettings, rules: list[dict[str, Any]], suffix: str = "") -> dict[str, Any]:
    head = metadata(settings, suffix=suffix)
    # Pods alone: rewriting a Deployment's template would look like drift to whoever owns it.
    head["annotations"]["pod-policies.kyverno.io/autogen-controllers"] = "none"
    return {
        "apiVersion": "kyverno.io/v1",
        "kind": "ClusterPolicy",
        "metadata": head,
        "spec": {
            "background": bool(suffix),
            "failurePolicy": "Ignore" if suffix else settings.failure_policy.value,
            "rules": rules,
        },
    }


def _rule(
    mapping: CacheMapping, settings: PolicySettings, name: str, kind: str, operation: str, lists: dict[str, str]
) -> dict[str, Any]:
    foreach = [
        {
            "list": f"request.object.spec.{path} || `[]`",
            "context": _context(mapping, field),
            "preconditions": {"all": [*_conditions(mapping), *_is_new(path)]},
            "patchesJson6902": (
                f"- op: replace\n"
                f"  path: /spec/{path}/{{{{elementIndex}}}}/{field.replace('.', '/')}\n"
                f'  value: "{{{{cached}}}}"\n'
            ),
        }
        for path, field in lists.items()
    ]
    return {"name": name, **_match(settings, kind, operation), "mutate": {"foreach": foreach}}


def _is_new(path: str) -> list[dict[str, Any]]:
    if path not in _DEBUG:
        return []
    names = f"{{{{ request.oldObject.spec.{path}[].name || `[]` }}}}"
    return [{"key": "{{ element.name }}", "operator": "AnyNotIn", "value": names}]


def _match(settings: PolicySettings, kind: str, operation: str) -> dict[str, Any]:
    opted_out = {"key": settings.opt_out_label, "operator": "NotIn", "values": [OPT_OUT_VALUE]}
    resources = {
        "kinds": [kind],
        "operations": [operation],
        "selector": {"matchExpressions": [opted_out]},
        "namespaceSelector": {"matchExpressions": [opted_out]},
    }
    matched: dict[str, Any] = {"match": {"any": [{"resources": resources}]}}
    if settings.excluded_namespaces:
        excluded = {"namespaces": sorted(set(settings.excluded_namespaces))}
        matched["exclude"] = {"any": [{"resources": excluded}]}
    return matched


def _context(mapping: CacheMapping, field: str) -> list[dict[str, Any]]:
    return [
        {"name": "given", "variable": {"jmesPath": f"element.{field} || ''"}},
        {"name": "canonical", "variable": {"jmesPath": _canonical(mapping)}},
        {"name": "cached", "variable": {"jmesPath": _substituted(mapping)}},
    ]


def _conditions(mapping: CacheMapping) -> list[dict[str, Any]]:
    changed = {"key": "{{ cached }}", "operator": "NotEquals", "value": "{{ canonical }}"}
    pinned = {"key": "{{ contains(given, '@') }}", "operator": "Equals", "value": False}
    return [changed, pinned] if mapping.pinned_by_digest is PinnedByDigest.LEAVE else [changed]


def _canonical(mapping: CacheMapping) -> str:
    """The reference with its registry written out, where names without one mean something to the mapping."""
    if not any(s.rule.upstream.is_docker_hub for s in mapping.substitutions):
        return "given"
    hosts = "|".join(_literal(host) for host in mapping.docker_hub_hosts)
    return _replaced(
        "given",
        [
            # A name without a registry; `localhost/` is one, and is written as no name can be until the end.
            ("^localhost/", "//"),
            ("^([^/.:A-Z]+/.*)$", "docker.io/$1"),
            ("^([^/]+)$", "docker.io/$1"),
            ("^//", "localhost/"),
            (f"^({hosts})/", "docker.io/"),
            ("^docker[.]io/([^/]+)$", "docker.io/library/$1"),
        ],
    )


def _substituted(mapping: CacheMapping) -> str:
    return _replaced("canonical", ((f"^{_literal(s.source)}", s.target) for s in mapping.substitutions))


def _replaced(subject: str, steps: Iterable[tuple[str, str]]) -> str:
    expression = subject
    for pattern, replacement in steps:
        expression = f"regex_replace_all('{pattern}', {expression}, '{replacement}')"
    return expression


def _literal(text: str) -> str:
    return text.replace(".", "[.]")
