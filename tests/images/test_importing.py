"""Which images a cache can import, and lists of them."""

import pytest

from ecr_pull_through_cache.images import CachedUpstream, CacheMapping, Upstream, listed_images, why_not_importable

HOST = "111122223333.dkr.ecr.eu-west-1.amazonaws.com"
RULES = (
    CachedUpstream(upstream=Upstream.KUBERNETES, repository_prefix="k8s"),
    CachedUpstream(upstream=Upstream.DOCKER_HUB, repository_prefix="hub"),
)
MAPPING = CacheMapping(registry=HOST, rules=RULES)
DIGEST = f"sha256:{'0' * 64}"


@pytest.mark.parametrize(
    "image", ["registry.k8s.io/pause:3.10", "nginx", f"registry.k8s.io/pause:3.10@{DIGEST}", f"{HOST}/k8s/pause:3.10"]
)
def test_what_a_rule_caches_can_be_imported_by_either_name(image):
    assert why_not_importable(image, MAPPING) is None


@pytest.mark.parametrize(
    ("image", "why"),
    [
        (
            "quay.io/a/b:1",
            "'quay.io/a/b:1' is not an image of an upstream that is cached here; cached are registry.k8s.io, docker.io",
        ),
        (f"{HOST}/apps/web:1", f"'{HOST}/apps/web:1' lies below no prefix that is cached here; there are k8s, hub"),
        (
            f"nginx@{DIGEST}",
            f"'nginx@{DIGEST}' is pinned by its digest alone, and ECR imports by tags; write NAME:TAG@DIGEST",
        ),
        ("Nginx", "'Nginx' has an upper-case letter in its repository; only lower case is allowed there"),
    ],
)
def test_what_stands_against_others_is_said(image, why):
    assert why_not_importable(image, MAPPING) == why


def test_replicas_are_imported_where_they_come_from():
    replicas = CacheMapping(registry=HOST, rules=RULES, replica_only=True)
    said = why_not_importable("nginx", replicas)
    assert said == "'nginx' cannot be imported into a registry that holds replicas only; import it where they come from"


def test_a_list_has_comments_empty_lines_and_each_image_once():
    assert listed_images(["# base", "", " a:1 ", "b:1 # for b", "a:1"]) == ("a:1", "b:1")


@pytest.mark.parametrize(
    ("image", "why"),
    [
        ("auto", "a placeholder that another tool replaces, not an image"),
        ("registry.k8s.io/kube-proxy:v1", "a pattern of 'exclude' names it"),
        ("docker.io/library/nginx:1", "no pattern of 'only' names it"),
    ],
)
def test_what_is_not_sent_to_the_cache_is_not_imported(image, why):
    rules = [
        CachedUpstream(upstream=Upstream.KUBERNETES, repository_prefix="k8s"),
        CachedUpstream(upstream=Upstream.DOCKER_HUB, repository_prefix="hub"),
    ]
    host = "111122223333.dkr.ecr.eu-west-1.amazonaws.com"
    mapping = CacheMapping.of(host, rules, exclude=["registry.k8s.io/kube-*"], only=["registry.k8s.io/*"])
    assert why_not_importable(image, mapping) == f"{image!r} is not sent to the cache: {why}"
    assert why_not_importable("registry.k8s.io/pause:3.10", mapping) is None
