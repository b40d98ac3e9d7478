"""Settings that are laid over one another: what a part of a configuration leaves out, its defaults say."""

from __future__ import annotations

from typing import TypeVar

from .models import Cluster, Document, Model, NodeKind, Registry, Rewrite, Template, UpstreamRule

_Model = TypeVar("_Model", bound=Model)


def merged_template(document: Document, registry: Registry, rule: UpstreamRule | None = None) -> Template:
    """The settings of a registry's repositories, or of those of one upstream.

    :param document: the configuration with its defaults.
    :param registry: the registry.
    :param rule: the upstream. Default: what holds for all upstreams of the registry.
    """
    merged = Template()
    for layer in (document.defaults.template, registry.template, rule.template if rule else None):
        if layer is not None:
            merged = _layered(merged, layer)
    return merged


def merged_rewrite(document: Document, cluster: Cluster) -> Rewrite | None:
    """Return the admission policy of a cluster; ``None`` if there is none: tasks of ECS pass no admission.

    :param document: the configuration with its defaults.
    :param cluster: the cluster.
    """
    if has_no_admission(cluster) or cluster.rewrite is None or document.defaults.rewrite is None:
        return cluster.rewrite or (None if has_no_admission(cluster) else document.defaults.rewrite)
    return _layered(document.defaults.rewrite, cluster.rewrite)


def has_no_admission(cluster: Cluster) -> bool:
    """Whether everything that pulls is ECS, which has no admission that could rewrite images.

    :param cluster: the cluster.
    """
    return bool(cluster.nodes) and all(nodes.kind is NodeKind.ECS for nodes in cluster.nodes)


def _layered(below: _Model, above: _Model) -> _Model:
    """One model over another: a key that is given above wins."""
    return below.model_copy(update={name: getattr(above, name) for name in above.model_fields_set})
