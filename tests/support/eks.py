"""Clusters that exist already, of both modules of the CDK, and the resources that act on them."""

from __future__ import annotations

from aws_cdk import aws_eks as eks
from aws_cdk import aws_eks_v2 as eks_v2
from aws_cdk import aws_iam as iam
from aws_cdk.lambda_layer_kubectl_v34 import KubectlV34Layer

MANIFEST = "Custom::AWSCDK-EKS-KubernetesResource"
CHART = "Custom::AWSCDK-EKS-HelmChart"


def imported(stack, version):
    """A cluster that exists already, of one of the CDK's two modules."""
    layer = KubectlV34Layer(stack, "Kubectl")
    if version == 2:
        provider = eks_v2.KubectlProvider.from_kubectl_provider_attributes(
            stack, "Provider", service_token="arn:aws:lambda:eu-west-1:111122223333:function:kubectl"
        )
        return eks_v2.Cluster.from_cluster_attributes(stack, "Cluster", cluster_name="prod", kubectl_provider=provider)
    role = iam.Role.from_role_arn(stack, "KubectlRole", "arn:aws:iam::111122223333:role/kubectl")
    return eks.Cluster.from_cluster_attributes(
        stack, "Cluster", cluster_name="prod", kubectl_role_arn=role.role_arn, kubectl_layer=layer
    )
