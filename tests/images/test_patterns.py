"""`ImagePattern`, and `exclude` and `only` of a mapping: which images go to the cache."""

import re

import pytest

from ecr_pull_through_cache.errors import UserError
from ecr_pull_through_cache.images import CachedUpstream, CacheMapping, ImagePattern, Reason, Upstream

HOST = "111122223333.dkr.ecr.eu-west-1.amazonaws.com"
DIGEST = "sha256:" + "0" * 64
RULES = (
    CachedUpstream(upstream=Upstream.KUBERNETES, repository_prefix="k8s"),
    CachedUpstream(upstream=Upstream.DOCKER_HUB, repository_prefix="hub"),
    CachedUpstream(upstream=Upstream.QUAY, repository_prefix="quay"),
    CachedUpstream(upstream=Upstream.QUAY, repository_prefix="argo", upstream_repository_prefix="argoproj"),
)

MATCHES = {
    ("quay.io/argoproj/*", "quay.io/argoproj/argocd:v3"): True,
    ("quay.io/argoproj/*", "quay.io/argoproj/a/b"): True,
    ("quay.io/argoproj/*", "quay.io/argoprojx/a"): False,
    ("quay.io/a", f"quay.io/a@{DIGEST}"): True,
    ("quay.io/a", f"quay.io/a:1@{DIGEST}"): True,
    ("quay.io/a", "quay.io/ab"): False,
    ("quay.io/a", "quayXio/a"): False,
    ("quay.io/*-debug", "quay.io/a/b-debug:1"): True,
    ("quay.io/*:*-debug", "quay.io/a/b:1-debug"): True,
    ("quay.io/*:*-debug", "quay.io/a/b:1"): False,
    ("quay.io/a:1.2", "quay.io/a:1x2"): False,
    ("quay.io/a:latest", "quay.io/a"): True,
    ("quay.io/a:l*", "quay.io/a"): True,
    ("quay.io/a:latest", f"quay.io/a@{DIGEST}"): False,
    ("quay.io/a:1", f"quay.io/a:1@{DIGEST}"): True,
    ("docker.io/nginx", "docker.io/library/nginx:1"): True,
    ("index.docker.io/nginx", "docker.io/library/nginx:1"): True,
    ("docker.io/*", "docker.io/grafana/grafana"): True,
    ("k8s.gcr.io/pause", "registry.k8s.io/pause:3.10"): True,
    ("*", "quay.io/a"): True,
    ("*/pause", "registry.k8s.io/pause:3.10"): True,
    ("*:latest", "quay.io/a"): True,
}


@pytest.mark.parametrize(
    ("pair", "expected"), MATCHES.items(), ids=lambda value: "-".join(value) if isinstance(value, tuple) else ""
)
def test_a_pattern_is_about_references(pair, expected):
    pattern, canonical = pair
    assert bool(re.fullmatch(ImagePattern.parse(pattern).expression, canonical)) is expected


@pytest.mark.parametrize(
    "text", ["", "quay.io/a@sha256:1", "quay.io/a:", "quay.io/ä", "a b", "quay.io/a:1:2", "q*" * 300]
)
def test_text_that_is_no_pattern_is_refused(text):
    with pytest.raises(UserError, match="is not a pattern of images; a pattern is REGISTRY/REPOSITORY"):
        ImagePattern.parse(text)


@pytest.mark.parametrize("text", ["nginx", "library/nginx", "quay.io", "quay.io/", "nginx:1"])
def test_a_pattern_names_its_registry(text):
    with pytest.raises(UserError, match="a pattern of images without a registry; write the registry too"):
        ImagePattern.parse(text)


def test_a_pattern_is_written_as_it_was_read():
    assert str(ImagePattern.parse("quay.io/a*:1")) == "quay.io/a*:1"
    assert str(ImagePattern.parse("docker.io/nginx")) == "docker.io/library/nginx"


def test_a_mapping_refuses_what_is_no_pattern():
    with pytest.raises(UserError, match="without a registry"):
        CacheMapping.of(HOST, RULES, exclude=["nginx"])


class TestExclude:
    mapping = CacheMapping.of(
        HOST, RULES, exclude=["docker.io/nginx", "registry.k8s.io/kube-*", "quay.io/argoproj/*:v2*"]
    )

    @pytest.mark.parametrize(
        "image",
        ["nginx", "nginx:1", "docker.io/library/nginx", "k8s.gcr.io/kube-proxy:v1", "quay.io/argoproj/argocd:v2.1"],
    )
    def test_what_a_pattern_names_keeps_its_upstream(self, image):
        decision = self.mapping.decide(image)
        assert (decision.image, decision.reason) == (image, Reason.EXCLUDED)
        assert decision.rule is not None

    @pytest.mark.parametrize(
        "image", ["redis", "registry.k8s.io/pause:3.10", "quay.io/argoproj/argocd:v3", "nginx/nginx"]
    )
    def test_all_else_goes_to_the_cache(self, image):
        assert self.mapping.decide(image).reason is Reason.CACHED


class TestOnly:
    mapping = CacheMapping.of(HOST, RULES, only=["quay.io/*", "docker.io/library/*"], exclude=["quay.io/secret/*"])

    def test_what_a_pattern_names_goes_to_the_cache(self):
        assert self.mapping.map("nginx:1") == f"{HOST}/hub/library/nginx:1"
        assert self.mapping.map("quay.io/argoproj/argocd:v3") == f"{HOST}/argo/argocd:v3"

    @pytest.mark.parametrize("image", ["grafana/grafana", "registry.k8s.io/pause:3.10"])
    def test_all_else_keeps_its_upstream(self, image):
        decision = self.mapping.decide(image)
        assert (decision.image, decision.reason) == (image, Reason.NOT_SELECTED)

    def test_what_is_excluded_stays_excluded(self):
        assert self.mapping.decide("quay.io/secret/a").reason is Reason.EXCLUDED


def test_the_cache_and_unknown_registries_are_no_matter_of_patterns():
    mapping = CacheMapping.of(HOST, RULES, exclude=["*"])
    assert mapping.decide(f"{HOST}/quay/a").reason is Reason.ALREADY_CACHED
    assert mapping.decide("ghcr.io/a/b").reason is Reason.NO_RULE
