"""What a registry's stack has for day two: images that are brought before, repositories that are mended, a dashboard."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_kms as kms
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_sns as sns

from ecr_pull_through_cache import (
    CacheDashboard,
    CacheRemoval,
    ImageWarmer,
    PullThroughCache,
    RepositoryBackfill,
    RepositoryCreationTemplate,
)
from ecr_pull_through_cache.configuration import RegistryPlan
from ecr_pull_through_cache.configuration.models import Warm

from .acknowledgements import acknowledge_day_two, acknowledge_warmer


def add_day_two(
    stack: cdk.Stack,
    plan: RegistryPlan,
    *,
    cache: PullThroughCache | None,
    templates: list[RepositoryCreationTemplate],
) -> None:
    """Add what the configuration asks for.

    :param stack: the registry's stack.
    :param plan: the registry.
    :param cache: what is pulled through here, if anything.
    :param templates: the registry's creation templates.
    """
    topics = _Topics(stack)
    warmer = _warmer(stack, plan.warm, cache, topics) if plan.warm is not None and cache is not None else None
    if plan.backfill is not None:
        backfill = RepositoryBackfill(
            stack,
            "Backfill",
            templates=templates,
            replace=plan.backfill.replace,
            alarm_topic=topics.of(plan.backfill.alarm_topic),
        )
        acknowledge_day_two(backfill)
    if plan.empty_on_delete and cache is not None:
        keys = {key.key_arn: key for template in templates if (key := template.settings.encryption_key) is not None}
        removal = CacheRemoval(
            stack,
            "Removal",
            rules=list(cache.rules.values()),
            templates=list(cache.templates.values()),
            encryption_keys=[keys[arn] for arn in sorted(keys)],
        )
        acknowledge_day_two(removal)
        if warmer is not None:
            # Deleted in the other order: a run would bring back what is being removed.
            warmer.state_machine.node.add_dependency(removal.resource)
    if plan.dashboard is not None:
        dashboard = CacheDashboard(
            stack,
            "Dashboard",
            repository_prefixes=plan.prefixes,
            warmer=warmer,
            failed_imports_threshold=plan.dashboard.failed_imports_threshold,
            quota_threshold_percent=plan.dashboard.quota_threshold_percent,
            alarm_topic=topics.of(plan.dashboard.alarm_topic),
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
        mapping=cache.mapping(),
        images=warm.images,
        schedule=scheduler.ScheduleExpression.expression(warm.schedule) if warm.schedule else None,
        platforms=warm.platforms,
        referrers=warm.referrers,
        tag_on_create=cache.tags_repositories,
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
