"""Policies that refuse images from outside the cache, in the same three forms as those that rewrite.

They look at Pods after everything else has changed them, so an image that is rewritten is not refused. An image that a Pod
has already is never refused: a Pod that runs can be labelled, and can end.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..images import CacheMapping
from ..images.patterns import expression_of_any_host
from . import cel, jmespath
from .match import CHANGES_SPEC, MIRROR, NOT_A_MIRROR, conditions_of_webhook, metadata, rules
from .settings import OPT_OUT_VALUE, FailurePolicy, PolicySettings

REFUSE_LABEL = "ecr-pull-through-cache/refuse"
"""A namespace with this label set to ``disabled`` may use any image. A Pod cannot exempt itself."""


@dataclass(frozen=True, kw_only=True)
class RefusalSettings:
    """The behavior of a policy that refuses images.

    :param name: name of the policy, at most 63 characters.
    :param failure_policy: what happens to Pods while the policy cannot be asked, or fails. Default: ``FAIL``, since
        ``IGNORE`` would admit whatever makes it fail.
    :param excluded_namespaces: namespaces that may use any image. Default: ``kube-system``, whose images are often those
        of the cloud's own add-ons, and without which no cluster works.
    :param allowed: patterns of images that are let through; see :class:`ImagePattern`. Default: none.
    :raises UserError: when a name is not one that Kubernetes accepts, or a pattern is none.
    """

    name: str = "ecr-pull-through-cache-refuse"
    failure_policy: FailurePolicy = FailurePolicy.FAIL
    excluded_namespaces: tuple[str, ...] = ("kube-system",)
    allowed: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        self.expression  # noqa: B018 - reads the patterns
        self.policy  # noqa: B018 - checks the names

    @property
    def expression(self) -> str | None:
        """The patterns as one regular expression."""
        return expression_of_any_host(self.allowed) if self.allowed else None

    @property
    def policy(self) -> PolicySettings:
        """The same in the words of the policies that rewrite."""
        return PolicySettings(
            name=self.name, failure_policy=self.failure_policy, excluded_namespaces=self.excluded_namespaces
        )


_WHY = "these images do not come from the cache, and nothing may be pulled from elsewhere: "
_ANY = "an image of this Pod does not come from the cache, and nothing may be pulled from elsewhere"
_UNNAMED = "a name that is not legal"


def refuse_by_cluster_policy(mapping: CacheMapping, settings: RefusalSettings, audit: bool) -> list[dict[str, Any]]:
    """Kyverno's ``ClusterPolicy``.

    :param mapping: whose hosts images may come from.
    :param settings: how the policy behaves.
    :param audit: whether Pods are reported rather than refused.
    """
    head = _metadata(settings, audit)
    head["annotations"]["pod-policies.kyverno.io/autogen-controllers"] = "none"
    spec: dict[str, Any] = {"background": False, "failurePolicy": _failure(settings, audit)}
    if settings.failure_policy is FailurePolicy.FAIL and not audit:
        conditions = [c for c in conditions_of_webhook(settings.policy) if c["name"] != "not-opted-out"]
        spec["webhookConfiguration"] = {"matchConditions": conditions}
    kinds = (("Pod", "CREATE"), ("Pod", "UPDATE"), ("Pod/ephemeralcontainers", "UPDATE"))
    spec["rules"] = [_rule(mapping, settings, kind, operation, audit) for kind, operation in kinds]
    return [{"apiVersion": "kyverno.io/v1", "kind": "ClusterPolicy", "metadata": head, "spec": spec}]


def _rule(mapping: CacheMapping, settings: RefusalSettings, kind: str, operation: str, audit: bool) -> dict[str, Any]:
    before = (
        {} if operation == "CREATE" else {"before": jmespath.safe(jmespath.images_of("request.oldObject"), instead="")}
    )
    outside = jmespath.outside(
        mapping.hosts, mapping.docker_hub_hosts, settings.expression, before="before" if before else None
    )
    named = f"join(', ', {jmespath.safe('outside', instead=_UNNAMED)})"
    resources = {
        "kinds": [kind],
        "operations": [operation],
        "namespaceSelector": {"matchExpressions": [_not_opted_out()]},
    }
    exempt: list[dict[str, Any]] = [{"resources": {"annotations": {MIRROR: "*"}}}]
    if settings.excluded_namespaces:
        exempt.append({"resources": {"namespaces": sorted(set(settings.excluded_namespaces))}})
    return {
        "name": "refuse-" + "-".join([*kind.lower().split("/"), operation.lower()]),
        "match": {"any": [{"resources": resources}]},
        "exclude": {"any": exempt},
        "context": [
            {"name": name, "variable": {"jmesPath": expression}}
            for name, expression in {**before, "outside": outside, "named": named}.items()
        ],
        "validate": {
            "failureAction": "Audit" if audit else "Enforce",
            "message": _WHY + "{{ named }}",
            "deny": {"conditions": {"any": [{"key": "{{ length(outside) }}", "operator": "GreaterThan", "value": 0}]}},
        },
    }


def refuse_by_validating_policy(mapping: CacheMapping, settings: RefusalSettings, audit: bool) -> list[dict[str, Any]]:
    """Kyverno's ``ValidatingPolicy``, from Kyverno 1.17.

    :param mapping: whose hosts images may come from.
    :param settings: how the policy behaves.
    :param audit: whether Pods are reported rather than refused.
    """
    spec = _spec(mapping, settings, audit)
    # Autogen would refuse Deployments for what becomes of their Pods: those are rewritten, and they are not.
    spec["autogen"] = {"podControllers": {"controllers": []}}
    spec["validationActions"] = ["Audit"] if audit else ["Deny"]
    return [
        {
            "apiVersion": "policies.kyverno.io/v1",
            "kind": "ValidatingPolicy",
            "metadata": _metadata(settings, audit),
            "spec": spec,
        }
    ]


def refuse_by_admission_policy(mapping: CacheMapping, settings: RefusalSettings, audit: bool) -> list[dict[str, Any]]:
    """Kubernetes' own ``ValidatingAdmissionPolicy``, from Kubernetes 1.30, and its binding.

    :param mapping: whose hosts images may come from.
    :param settings: how the policy behaves.
    :param audit: whether Pods are reported rather than refused.
    """
    version = "admissionregistration.k8s.io/v1"
    head = _metadata(settings, audit)
    actions = ["Audit", "Warn"] if audit else ["Deny"]
    return [
        {
            "apiVersion": version,
            "kind": "ValidatingAdmissionPolicy",
            "metadata": head,
            "spec": _spec(mapping, settings, audit),
        },
        {
            "apiVersion": version,
            "kind": "ValidatingAdmissionPolicyBinding",
            "metadata": head,
            "spec": {"policyName": head["name"], "validationActions": actions},
        },
    ]


def _spec(mapping: CacheMapping, settings: RefusalSettings, audit: bool) -> dict[str, Any]:
    """The common parts of the two forms in CEL."""
    namespaces = [_not_opted_out()]
    if settings.excluded_namespaces:
        names = sorted(set(settings.excluded_namespaces))
        namespaces.append({"key": "kubernetes.io/metadata.name", "operator": "NotIn", "values": names})
    outside = cel.outside(mapping.hosts, mapping.docker_hub_hosts, settings.expression)
    return {
        "failurePolicy": _failure(settings, audit),
        "matchConstraints": {
            "namespaceSelector": {"matchExpressions": namespaces},
            "resourceRules": rules(applied_again=True),
        },
        "matchConditions": [NOT_A_MIRROR, CHANGES_SPEC],
        "variables": [{"name": "outside", "expression": outside}],
        "validations": [
            {
                "expression": "size(variables.outside) == 0",
                "messageExpression": f"{cel.quote(_WHY)} + variables.outside.join(', ')",
                "message": _ANY,
            }
        ],
    }


def _metadata(settings: RefusalSettings, audit: bool) -> dict[str, Any]:
    head = metadata(settings.policy, suffix="-audit" if audit else "")
    head["annotations"]["policies.kyverno.io/title"] = "Refuse images from outside the Amazon ECR cache"
    return head


def _failure(settings: RefusalSettings, audit: bool) -> str:
    return FailurePolicy.IGNORE.value if audit else settings.failure_policy.value


def _not_opted_out() -> dict[str, Any]:
    return {"key": REFUSE_LABEL, "operator": "NotIn", "values": [OPT_OUT_VALUE]}
