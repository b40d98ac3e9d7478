"""CloudWatch metrics of the cache, with the options that every metric of aws-cdk-lib takes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, TypedDict

from ..functions.contract import NAMESPACE

if TYPE_CHECKING:
    import aws_cdk as cdk
    from aws_cdk import aws_cloudwatch as cloudwatch


class MetricOptions(TypedDict, total=False):
    """The options of a metric, as ``aws_cloudwatch.MetricOptions`` has them.

    https://docs.aws.amazon.com/cdk/api/v2/python/aws_cdk.aws_cloudwatch/MetricOptions.html
    """

    account: str
    color: str
    dimensions_map: Mapping[str, str]
    id: str
    label: str
    period: cdk.Duration
    region: str
    stack_account: str
    stack_region: str
    statistic: str
    unit: cloudwatch.Unit
    visible: bool


def metric_of(
    name: str,
    options: MetricOptions,
    *,
    dimensions: Mapping[str, str],
    defaults: MetricOptions,
    namespace: str = NAMESPACE,
) -> cloudwatch.Metric:
    """A metric.

    :param name: name of the metric.
    :param options: the caller's options; they win over the defaults.
    :param dimensions: dimensions that the metric has in any case.
    :param defaults: options where the caller gives none.
    :param namespace: namespace. Default: that of this package.
    """
    from aws_cdk import aws_cloudwatch as cloudwatch

    given: MetricOptions = {**defaults, **options}
    given["dimensions_map"] = {**dimensions, **given.get("dimensions_map", {})}
    return cloudwatch.Metric(namespace=namespace, metric_name=name, **given)
