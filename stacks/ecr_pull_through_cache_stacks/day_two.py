"""Warmer, backfill, dashboard and removal of a registry's stack."""

from __future__ import annotations

from collections.abc import Sequence

import aws_cdk as cdk
from aws_cdk import aws_kms as kms
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_sns as sns

from ecr_pull_through_cache import (
    CacheDashboard,
    CacheRemoval,
    ImageWarmer,
    PullThroughCache,
    ReplicaRegistry,
    RepositoryBackfill,
)
from ecr_pull_through_cache.configuration import RegistryPlan
from ecr_pull_through_cache.configuration.models import Warm

from .acknowledgements import acknowledge_day_two, acknowledge_warmer


def add_day_two(
    stack: cdk.Stack,
    plan: RegistryPlan,
    *,
    cache: PullThroughCache | None,
    replica_registries: Sequence[ReplicaRegistry],
) -> None:
    """Add the constructs that the configuration asks for.

    :param stack: the registry's stack.
    :param plan: the registry.
    :param cache: the cache, if anything is pulled through here.
    :param replica_registries: the prefixes whose images are replicated or pushed here.
    """
    topics = _Topics(stack)
    settings = plan.settings
    warmer = _warmer(stack, settings.warm, cache, topics) if settings.warm is not None and cache is not None else None
    shown = cache or replica_registries[0]
    others = replica_registries if cache is not None else replica_registries[1:]
    if settings.backfill is not None:
        backfill = RepositoryBackfill(
            stack,
            "Backfill",
            cache=shown,
            replica_registries=others,
            replace=settings.backfill.replace,
            alarm_topic=topics.of(settings.backfill.alarm_topic),
        )
        acknowledge_day_two(backfill)
    if settings.empty_on_delete and cache is not None:
        acknowledge_day_two(CacheRemoval(stack, "Removal", cache=cache))
    if settings.dashboard is not None:
        dashboard = CacheDashboard(
            stack,
            "Dashboard",
            cache=shown,
            replica_registries=others,
            warmer=warmer,
            failed_imports_threshold=settings.dashboard.failed_imports_threshold,
            quota_threshold_percent=settings.dashboard.quota_threshold_percent,
            alarm_topic=topics.of(settings.dashboard.alarm_topic),
        )
        acknowledge_day_two(dashboard)


class _Topics:
    """Topics by their ARN, each imported once."""

    def __init__(self, stack: cdk.Stack) -> None:
        self._stack = stack
        self._found: dict[str, sns.ITopic] = {}

    def of(self, arn: str | None) -> sns.ITopic | None:
        if arn is not None and arn not in self._found:
            self._found[arn] = sns.Topic.from_topic_arn(self._stack, f"Topic-{arn}", arn)
        return self._found[arn] if arn is not None else None


def _warmer(stack: cdk.Stack, warm: Warm, cache: PullThroughCache, topics: _Topics) -> ImageWarmer:
    key = warm.kms_key
    warmer = ImageWarmer(
        stack,
        "Warmer",
        cache=cache,
        images=warm.images,
        schedule=scheduler.ScheduleExpression.expression(warm.schedule) if warm.schedule else None,
        platforms=warm.platforms,
        referrers=warm.referrers,
        max_concurrency=warm.max_concurrency,
        requests_per_second=warm.requests_per_second,
        encryption_key=kms.Key.from_key_arn(stack, "WarmerKey", key) if key else None,
        alarm_topic=topics.of(warm.alarm_topic),
    )
    if not warm.images:
        cdk.CfnOutput(stack, "ImageList", value=warmer.list_uri, description="Write the list of images to warm here")
    cdk.CfnOutput(stack, "WarmerReports", value=warmer.reports_uri, description="What became of each image")
    acknowledge_warmer(warmer)
    return warmer
