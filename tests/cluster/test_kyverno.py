"""Kyverno: the chart, pinned, with its own images from the cache."""

import json

import pytest

from ecr_pull_through_cache import Kyverno, Upstream
from tests.corpus import HOST
from tests.support.eks import CHART, imported
from tests.support.templates import only


class TestKyverno:
    @pytest.mark.parametrize("version", [1, 2])
    def test_it_is_pinned_and_highly_available(self, stack, version):
        Kyverno(stack, "Kyverno", cluster=imported(stack, version))
        chart = only(stack, CHART)
        assert chart["Version"] == "3.9.0"
        values = json.loads(chart["Values"])
        assert values["admissionController"] == {"replicas": 3}

    def test_its_own_images_come_from_the_cache(self, stack):
        from ecr_pull_through_cache.images import CachedUpstream, CacheMapping

        rules = [CachedUpstream(upstream=Upstream.GITHUB, repository_prefix="github")]
        Kyverno(
            stack, "Kyverno", cluster=imported(stack, 1), cache=CacheMapping.of(HOST, rules),
            values={"admissionController": {"replicas": 5}},
        )  # fmt: skip
        values = json.loads(only(stack, CHART)["Values"])
        assert values["admissionController"] == {
            "replicas": 5,
            "container": {"image": {"registry": HOST, "repository": "github/kyverno/kyverno"}},
            "initContainer": {"image": {"registry": HOST, "repository": "github/kyverno/kyvernopre"}},
        }
