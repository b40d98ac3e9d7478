"""Kyverno itself, from the cache."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from aws_cdk import CfnResource, Duration

from constructs import Construct

from .._props import checked
from ..admission.kyverno_chart import CHART_VERSION, REPOSITORY, kyverno_values, merged
from ..images import CacheMapping
from ._eks import is_v2

if TYPE_CHECKING:
    from aws_cdk import aws_eks as eks
    from aws_cdk import aws_eks_v2 as eks_v2

    from ..registry.pull_through_cache import IPullThroughCache


@checked
class Kyverno(Construct):
    """Kyverno by its Helm chart, highly available, its own images from the cache where ``ghcr.io`` is cached.

    Kyverno cannot rewrite its own Pods: its webhooks leave its namespace out, and it is not there before it is there. So
    its images are set by the chart's values. The chart leaves out ``kube-system`` too, where much of registry.k8s.io runs;
    for that namespace use a ``MutatingAdmissionPolicy``, or give values that include it.

    https://kyverno.io/docs/installation/methods/

    :param scope: parent.
    :param id: id below the parent.
    :param cluster: cluster of ``aws_eks`` or ``aws_eks_v2``.
    :param cache: the cache that Kyverno's own images come from, or a mapping of its own. Default: they come from upstream.
    :param namespace: namespace of Kyverno, created where it is missing. Default: ``kyverno``.
    :param version: version of the chart. Default: the newest when this package was released.
    :param values: further values of the chart; they win. Default: none.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        cluster: eks.ICluster | eks_v2.ICluster,
        cache: IPullThroughCache | CacheMapping | None = None,
        namespace: str = "kyverno",
        version: str = CHART_VERSION,
        values: dict[str, Any] | None = None,
    ) -> None:
        from aws_cdk import aws_eks as eks
        from aws_cdk import aws_eks_v2 as eks_v2

        super().__init__(scope, id)
        mapping = cache if cache is None or isinstance(cache, CacheMapping) else cache.mapping()
        self.values = merged(kyverno_values(mapping), values or {})
        """The chart's values."""
        chart: type[eks.HelmChart] | type[eks_v2.HelmChart] = eks_v2.HelmChart if is_v2(cluster) else eks.HelmChart
        self.chart = chart(
            self,
            "Resource",
            cluster=cluster,  # type: ignore[arg-type]
            chart="kyverno",
            repository=REPOSITORY,
            release="kyverno",
            namespace=namespace,
            create_namespace=True,
            version=version,
            values=self.values,
            wait=True,
            timeout=Duration.minutes(10),
        )
        """The Helm release."""

    @property
    def resource(self) -> CfnResource:
        """The L1 of the Helm release."""
        return cast("CfnResource", self.chart.node.find_child("Resource").node.default_child)
