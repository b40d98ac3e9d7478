"""A cache to warm, backfill, watch and remove, and a topic for alarms."""

import pytest
from aws_cdk import aws_sns as sns

from ecr_pull_through_cache import PullThroughCache, Upstream


@pytest.fixture
def cache(stack):
    return PullThroughCache(stack, "Cache", upstreams={"k8s": Upstream.KUBERNETES})


@pytest.fixture
def topic(stack):
    return sns.Topic.from_topic_arn(stack, "Topic", "arn:aws:sns:eu-west-1:111122223333:alarms")
