"""Kyverno's chart: values with images from the cache, and the command that installs it."""

from ecr_pull_through_cache.admission.kyverno_chart import install_command, kyverno_values, merged
from ecr_pull_through_cache.images import CachedUpstream, CacheMapping, Upstream
from tests.corpus import HOST


def test_without_a_mapping_the_images_stay_with_their_upstream():
    assert kyverno_values(None)["admissionController"] == {"replicas": 3}


def test_a_cache_of_ghcr_io_brings_every_image():
    rules = [CachedUpstream(upstream=Upstream.GITHUB, repository_prefix="gh")]
    values = kyverno_values(CacheMapping.of(HOST, rules))
    assert values["crds"]["migration"]["image"] == {"registry": HOST, "repository": "gh/kyverno/kyverno-cli"}
    assert values["admissionController"]["replicas"] == 3


def test_an_image_that_a_pattern_excludes_stays():
    rules = [CachedUpstream(upstream=Upstream.GITHUB, repository_prefix="gh")]
    values = kyverno_values(CacheMapping.of(HOST, rules, exclude=["ghcr.io/kyverno/*"]))
    assert values["admissionController"] == {"replicas": 3}


def test_values_are_merged_as_helm_does():
    assert merged({"a": {"b": 1, "c": [1]}}, {"a": {"c": [2]}, "d": 3}) == {"a": {"b": 1, "c": [2]}, "d": 3}


def test_the_command_pins_the_chart():
    assert "--version 3.9.0 --namespace kyverno --create-namespace --wait --values v.yaml" in install_command("v.yaml")
