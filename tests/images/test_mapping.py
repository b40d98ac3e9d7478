"""`CacheMapping`: what an upstream image becomes, and the way back."""

import pytest

from ecr_pull_through_cache.images import (
    ROOT,
    CachedUpstream,
    CacheMapping,
    EcrHost,
    PinnedByDigest,
    Reason,
    UnsupportedUpstream,
    Upstream,
    canonical,
    overlaps,
    partition_of,
)

HOST = "111122223333.dkr.ecr.eu-west-1.amazonaws.com"
SHA = "sha256:" + "0" * 64


def cached(upstream: Upstream, prefix: str, below: str = ROOT) -> CachedUpstream:
    return CachedUpstream(upstream=upstream, repository_prefix=prefix, upstream_repository_prefix=below)


MAPPING = CacheMapping.of(
    HOST,
    [
        cached(Upstream.KUBERNETES, "k8s"),
        cached(Upstream.DOCKER_HUB, "docker-hub"),
        cached(Upstream.QUAY, "quay"),
        cached(Upstream.QUAY, "argo", "argoproj"),
        cached(Upstream.azure("example.azurecr.io"), "azure"),
        cached(Upstream.ecr(account="444455556666", region="us-east-1"), "shared"),
    ],
)

BECOMES = {
    "registry.k8s.io/pause:3.10": f"{HOST}/k8s/pause:3.10",
    "k8s.gcr.io/pause:3.1": f"{HOST}/k8s/pause:3.1",
    "nginx": f"{HOST}/docker-hub/library/nginx",
    "nginx:1": f"{HOST}/docker-hub/library/nginx:1",
    "library/nginx": f"{HOST}/docker-hub/library/nginx",
    "docker.io/nginx": f"{HOST}/docker-hub/library/nginx",
    "docker.io/grafana/grafana:11": f"{HOST}/docker-hub/grafana/grafana:11",
    "index.docker.io/library/nginx": f"{HOST}/docker-hub/library/nginx",
    "registry-1.docker.io/grafana/grafana": f"{HOST}/docker-hub/grafana/grafana",
    "quay.io/prometheus/node-exporter:v1": f"{HOST}/quay/prometheus/node-exporter:v1",
    "quay.io/argoproj/argocd:v3": f"{HOST}/argo/argocd:v3",
    "quay.io/argoproj-labs/x:1": f"{HOST}/quay/argoproj-labs/x:1",
    "example.azurecr.io/team/app:1": f"{HOST}/azure/team/app:1",
    "444455556666.dkr.ecr.us-east-1.amazonaws.com/app:1": f"{HOST}/shared/app:1",
    "444455556666.dkr-ecr.us-east-1.on.aws/app:1": f"{HOST}/shared/app:1",
}

STAYS = {
    "localhost:5000/a": Reason.NO_RULE,
    "a.b/c": Reason.NO_RULE,
    "ghcr.io/a/b:1": Reason.NO_RULE,
    "example.org/registry.k8s.io/pause:1": Reason.NO_RULE,
    "registry.k8s.io:443/pause": Reason.NO_RULE,
    "registry.k8s.io.example.org/pause": Reason.NO_RULE,
    f"{HOST}/k8s/pause:3.10": Reason.ALREADY_CACHED,
    f"{HOST}/own/app@{SHA}": Reason.ALREADY_CACHED,
    "111122223333.dkr-ecr.eu-west-1.on.aws/k8s/pause:3.10": Reason.ALREADY_CACHED,
    "999999999999.dkr.ecr.eu-west-1.amazonaws.com/app": Reason.NO_RULE,
    f"nginx@{SHA}": Reason.PINNED_BY_DIGEST,
    f"nginx:1@{SHA}": Reason.PINNED_BY_DIGEST,
}


@pytest.mark.parametrize(("image", "expected"), BECOMES.items())
def test_an_upstream_image_becomes_its_cached_form(image, expected):
    decision = MAPPING.decide(image)
    assert (decision.image, decision.reason, decision.is_rewritten) == (expected, Reason.CACHED, True)


@pytest.mark.parametrize(("image", "reason"), STAYS.items())
def test_any_other_image_stays_as_it_is_written(image, reason):
    decision = MAPPING.decide(image)
    assert (decision.image, decision.reason, decision.is_rewritten) == (image, reason, False)


@pytest.mark.parametrize("image", BECOMES)
def test_mapping_is_idempotent(image):
    assert MAPPING.map(MAPPING.map(image)) == MAPPING.map(image)


@pytest.mark.parametrize("image", BECOMES)
def test_the_way_back_gives_an_image_that_maps_to_the_same(image):
    back = MAPPING.upstream_of(MAPPING.map(image))
    assert back is not None
    assert MAPPING.map(back) == MAPPING.map(image)


def test_the_way_back_of_an_alias_is_the_canonical_host():
    assert MAPPING.upstream_of(f"{HOST}/k8s/pause:1") == "registry.k8s.io/pause:1"
    assert MAPPING.upstream_of("nginx") is None
    assert MAPPING.upstream_of(f"{HOST}/own/app:1") is None


def test_a_digest_is_kept_where_the_cache_is_known_to_hold_it():
    mapping = CacheMapping.of(HOST, MAPPING.rules, pinned_by_digest=PinnedByDigest.REWRITE)
    assert mapping.map(f"nginx:1@{SHA}") == f"{HOST}/docker-hub/library/nginx:1@{SHA}"
    assert mapping.map(f"nginx@{SHA}") == f"{HOST}/docker-hub/library/nginx@{SHA}"


def test_a_registry_of_replicas_changes_nothing_and_says_why():
    mapping = CacheMapping(registry=HOST, rules=MAPPING.rules, replica_only=True)
    decision = mapping.decide("registry.k8s.io/pause:1")
    assert (decision.image, decision.reason) == ("registry.k8s.io/pause:1", Reason.REPLICA_ONLY)
    assert decision.rule is MAPPING.rules[0]


def test_root_puts_the_upstream_at_the_top_of_the_registry():
    mapping = CacheMapping.of(HOST, [cached(Upstream.KUBERNETES, ROOT), cached(Upstream.QUAY, "quay")])
    assert mapping.map("registry.k8s.io/pause:1") == f"{HOST}/pause:1"
    assert mapping.upstream_of(f"{HOST}/pause:1") == "registry.k8s.io/pause:1"
    assert mapping.upstream_of(f"{HOST}/quay/a:1") == "quay.io/a:1"


def test_dual_stack_and_china_hosts_are_hosts_of_the_cache():
    china = EcrHost.of("111122223333", "cn-north-1")
    mapping = CacheMapping.of(china.host, [cached(Upstream.KUBERNETES, "k8s")])
    assert china.host == "111122223333.dkr.ecr.cn-north-1.amazonaws.com.cn"
    assert mapping.map("registry.k8s.io/pause:1") == f"{china.host}/k8s/pause:1"
    assert mapping.decide(f"{china.dual_stack}/k8s/pause:1").reason is Reason.ALREADY_CACHED
    assert EcrHost.parse(china.dual_stack) == EcrHost.parse(china.fips) == china


def test_substitutions_are_what_renderers_need_and_come_longest_first():
    sources = [s.source for s in MAPPING.substitutions]
    assert sources == sorted(sources, key=lambda s: (-len(s), s))
    assert "quay.io/argoproj/" in sources
    assert "index.docker.io/" not in sources
    for image, expected in BECOMES.items():
        text = canonical(image)
        hit = next(s for s in MAPPING.substitutions if text.startswith(s.source))
        assert text.replace(hit.source, hit.target, 1) == expected


@pytest.mark.parametrize("upstream", Upstream.catalogue())
def test_every_upstream_of_the_catalogue_is_found_by_its_hosts(upstream):
    for host in (*upstream.hosts, upstream.url):
        assert Upstream.from_host(host) == upstream


def test_the_catalogue_holds_every_upstream_of_the_ecr_api():
    from botocore.loaders import Loader

    known = set(Loader().load_service_model("ecr", "service-2")["shapes"]["UpstreamRegistry"]["enum"])
    ours = {u.name for u in Upstream.catalogue()} | {
        Upstream.azure("example.azurecr.io").name,
        Upstream.ecr(account="1" * 12, region="us-east-1").name,
    }
    assert ours == known


def test_an_upstream_that_ecr_does_not_support_names_the_ways_left():
    with pytest.raises(UnsupportedUpstream, match=r"'mcr\.microsoft\.com' is not an upstream .* copy images"):
        Upstream.from_host("mcr.microsoft.com")
    with pytest.raises(UnsupportedUpstream, match=r"did you mean 'registry\.k8s\.io'"):
        Upstream.from_host("registry.k8s.oi")


@pytest.mark.parametrize("prefix", ["", "a", "A", "k8s//x", "-a", "x" * 31, "a_-b", "k8s\n"])
def test_a_prefix_that_ecr_refuses_is_refused(prefix):
    with pytest.raises(ValueError, match="is not a repository prefix"):
        cached(Upstream.QUAY, prefix)


def test_a_trailing_slash_means_the_same_prefix():
    assert cached(Upstream.QUAY, "quay/") == cached(Upstream.QUAY, "quay")


def test_prefixes_overlap_by_whole_path_components():
    assert overlaps("k8s", "k8s/io")
    assert not overlaps("k8s", "k8s-io")
    assert overlaps(ROOT, ROOT)
    assert not overlaps(ROOT, "k8s")


@pytest.mark.parametrize(
    ("region", "partition"),
    [("eu-west-1", "aws"), ("us-gov-west-1", "aws-us-gov"), ("cn-north-1", "aws-cn"), ("eusc-de-east-1", "aws-eusc")],
)
def test_a_region_tells_its_partition(region, partition):
    assert partition_of(region).name == partition
    assert partition_of("moon-base-1") is None


def test_a_placeholder_is_left_alone_and_its_reason_said():
    decision = MAPPING.decide("auto")
    assert (decision.image, decision.reason, decision.rule) == ("auto", Reason.PLACEHOLDER, None)
    assert MAPPING.decide("auto:1").reason is Reason.CACHED
