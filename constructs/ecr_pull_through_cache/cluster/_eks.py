"""The two modules that the CDK has for EKS."""

from __future__ import annotations

from typing import TYPE_CHECKING

from typing_extensions import TypeIs

if TYPE_CHECKING:
    from aws_cdk import aws_eks as eks
    from aws_cdk import aws_eks_v2 as eks_v2


def is_v2(cluster: eks.ICluster | eks_v2.ICluster) -> TypeIs[eks_v2.ICluster]:
    """Whether a cluster is one of ``aws_eks_v2``, which does not expose the role of kubectl."""
    return not hasattr(cluster, "kubectl_role")
