"""The constructs of day two side by side in one stack."""

import json

import aws_cdk as cdk
import pytest
from aws_cdk import aws_scheduler as scheduler

from ecr_pull_through_cache import (
    CacheDashboard,
    CacheRemoval,
    ImageWarmer,
    PullThroughCache,
    RepositoryBackfill,
    Upstream,
)
from ecr_pull_through_cache_stacks.acknowledgements import acknowledge, acknowledge_day_two
from tests.support.templates import allowed, nag

PAUSE = "registry.k8s.io/pause:3.10"
DAILY = scheduler.ScheduleExpression.expression("rate(1 day)")
PREFIX = "arn:aws:ecr:eu-west-1:111122223333:repository/k8s/*"


def test_cdk_nag_finds_nothing_in_the_others(tmp_path):
    app = cdk.App(builtin_cloud_formation_validation=False, outdir=str(tmp_path / "out"))
    stack = cdk.Stack(app, "Stack", env=cdk.Environment(account="111122223333", region="eu-west-1"))
    cache = PullThroughCache(stack, "Cache", upstreams={"k8s": Upstream.KUBERNETES})
    RepositoryBackfill(stack, "Backfill", cache=cache)
    CacheRemoval(stack, "Removal", cache=cache)
    CacheDashboard(stack, "Dashboard", cache=cache)
    acknowledge(stack, repositories=[PREFIX])
    acknowledge_day_two(stack)
    assert nag(app, tmp_path) == []


@pytest.mark.parametrize("images", [(), (PAUSE,)])
def test_every_part_can_be_reached_as_an_attribute(stack, cache, images):
    warmer = ImageWarmer(stack, "Warmer", cache=cache, schedule=DAILY, images=images)
    made = (
        warmer,
        RepositoryBackfill(stack, "Backfill", cache=cache),
        CacheRemoval(stack, "Removal", cache=cache),
        CacheDashboard(stack, "Dashboard", cache=cache, warmer=warmer),
    )
    for construct in made:
        values = [v if isinstance(v, tuple) else (v,) for k, v in vars(construct).items() if not k.startswith("_")]
        paths = {v.node.path for value in values for v in value if hasattr(v, "node")}
        assert {child.node.path for child in construct.node.children} <= paths


def test_tokens_are_welcome_everywhere(app):
    stack = cdk.Stack(app, "Agnostic")
    cache = PullThroughCache(stack, "Cache", upstreams={"k8s": Upstream.KUBERNETES})
    warmer = ImageWarmer(stack, "Warmer", cache=cache, schedule=DAILY)
    RepositoryBackfill(stack, "Backfill", cache=cache)
    CacheRemoval(stack, "Removal", cache=cache)
    CacheDashboard(stack, "Dashboard", cache=cache, warmer=warmer)
    for role, action in (
        ("WarmerWarmRole", "ecr:BatchImportUpstreamImage"),
        ("BackfillFunctionRole", "ecr:SetRepositoryPolicy"),
        ("RemovalRemoveRole", "ecr:DeleteRepository"),
        ("DashboardMeasureRole", "ecr:DescribeImages"),
    ):
        where = json.dumps(allowed(stack, role)[action])
        assert "AWS::AccountId" in where
        assert ":repository/k8s/*" in where
