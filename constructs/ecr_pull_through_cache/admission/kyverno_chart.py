"""Kyverno's Helm chart: the version, and the values with which it comes from the cache.

https://kyverno.io/docs/installation/methods/
"""

from __future__ import annotations

from typing import Any

from ..images import CacheMapping, Reason

CHART_VERSION = "3.9.0"
"""The chart of Kyverno 1.19.0, the newest when this package was released."""
REPOSITORY = "https://kyverno.github.io/kyverno/"

# Kyverno publishes at reg.kyverno.io, which ECR cannot pull through, and the same images at ghcr.io.
_IMAGES = {
    "admissionController.initContainer": "kyvernopre",
    "admissionController.container": "kyverno",
    "backgroundController": "background-controller",
    "cleanupController": "cleanup-controller",
    "reportsController": "reports-controller",
    "crds.migration": "kyverno-cli",
    "test": "readiness-checker",
    "webhooksCleanup": "readiness-checker",
}
_REPLICAS = {"admissionController": 3, "backgroundController": 2, "cleanupController": 2, "reportsController": 2}


def kyverno_values(mapping: CacheMapping | None) -> dict[str, Any]:
    """Values of Kyverno's chart: replicas, and images from the cache as far as the mapping has them.

    Kyverno cannot rewrite its own Pods, so its images are values of its chart.

    :param mapping: the mapping, or ``None`` to leave all images with their upstream.
    """
    values: dict[str, Any] = {component: {"replicas": count} for component, count in _REPLICAS.items()}
    for place, name in _IMAGES.items():
        decision = mapping.decide(f"ghcr.io/kyverno/{name}") if mapping else None
        if decision is None or decision.reason is not Reason.CACHED:
            continue
        registry, _, repository = decision.image.partition("/")
        at: dict[str, Any] = {"image": {"registry": registry, "repository": repository}}
        for key in reversed(place.split(".")):
            at = {key: at}
        values = merged(values, at)
    return values


def merged(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """Values over values, as Helm merges them."""
    result = dict(below)
    for key, value in above.items():
        mine = result.get(key)
        result[key] = merged(mine, value) if isinstance(mine, dict) and isinstance(value, dict) else value
    return result


def install_command(values: str, *, version: str = CHART_VERSION) -> str:
    """The command that installs Kyverno, or upgrades it.

    :param values: file with :func:`kyverno_values`.
    :param version: version of the chart.
    """
    return (
        f"helm upgrade --install kyverno kyverno --repo {REPOSITORY} --version {version} "
        f"--namespace kyverno --create-namespace --wait --values {values}"
    )
