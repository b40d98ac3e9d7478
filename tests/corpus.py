"""Image references for the differential tests: the nasty ones by name, and thousands that are generated."""

from __future__ import annotations

import random

from ecr_pull_through_cache.images import CachedUpstream, CacheMapping, PinnedByDigest, Upstream

HOST = "111122223333.dkr.ecr.eu-west-1.amazonaws.com"
DIGEST = "sha256:" + "0123456789abcdef" * 4


def mapping(pinned_by_digest: PinnedByDigest = PinnedByDigest.LEAVE) -> CacheMapping:
    """A cache of every kind of upstream: aliases, Docker Hub, parts of a registry, ACR, another ECR."""
    rules = [
        CachedUpstream(upstream=Upstream.KUBERNETES, repository_prefix="k8s"),
        CachedUpstream(upstream=Upstream.DOCKER_HUB, repository_prefix="docker-hub"),
        CachedUpstream(upstream=Upstream.QUAY, repository_prefix="quay"),
        CachedUpstream(upstream=Upstream.QUAY, repository_prefix="argo", upstream_repository_prefix="argoproj"),
        CachedUpstream(upstream=Upstream.ECR_PUBLIC, repository_prefix="team/public"),
        CachedUpstream(upstream=Upstream.GITHUB, repository_prefix="gh", upstream_repository_prefix="fluxcd"),
        CachedUpstream(upstream=Upstream.azure("example.azurecr.io"), repository_prefix="azure"),
        CachedUpstream(upstream=Upstream.ecr(account="222233334444", region="us-east-1"), repository_prefix="theirs"),
    ]
    return CacheMapping.of(HOST, rules, pinned_by_digest=pinned_by_digest)


NASTY = [
    "nginx", "nginx:1", "library/nginx", "bitnami/redis:7", "docker.io/nginx", "docker.io/library/nginx:1.29",
    "docker.io/bitnami/redis", "index.docker.io/nginx", "registry-1.docker.io/bitnami/redis:7", f"nginx@{DIGEST}",
    f"nginx:1@{DIGEST}", f"quay.io/a/b@{DIGEST}", f"registry.k8s.io/pause:3.10@{DIGEST}", "localhost/a", "localhost:5000/a",
    "localhost:5000/a:1", "a.b/c", "a:5000/c", "host:5000/nginx:1", "a.b", "a.b:5000", "1.2.3.4/a", "[::1]:5000/a:1",
    "registry.k8s.io/pause", "registry.k8s.io/coredns/coredns:v1.12.0", "k8s.gcr.io/pause:3.1", "eu.gcr.io/k8s/pause:1",
    "quay.io/argoproj/argocd:v3", "quay.io/argoproj/nested/path:1", "quay.io/argoprojx/argocd:v3", "quay.io/argoproj",
    "quay.io:443/a/b", "quay.iox/a/b", "xquay.io/a/b", "a/quay.io/b", "mirror.example/quay.io/a/b:1", "docker.iox/a",
    "ghcr.io/fluxcd/source-controller:v1", "ghcr.io/other/source-controller:v1", "public.ecr.aws/docker/library/alpine:3",
    "example.azurecr.io/team/app:1", "other.azurecr.io/team/app:1", "mcr.microsoft.com/dotnet/sdk:9.0",
    f"{HOST}/k8s/pause:3.10", f"{HOST}/docker-hub/library/nginx@{DIGEST}", f"{HOST}/apps/web:1", f"{HOST}/a",
    "111122223333.dkr-ecr.eu-west-1.on.aws/k8s/pause:1", "111122223333.dkr.ecr.us-west-2.amazonaws.com/k8s/pause:1",
    "222233334444.dkr.ecr.us-east-1.amazonaws.com/app:1", "222233334444.dkr-ecr.us-east-1.on.aws/app:1",
    "222233334444.dkr.ecr.us-west-1.amazonaws.com/app:1", "602401143452.dkr.ecr.eu-west-1.amazonaws.com/eks/pause:3.5",
    "k8s/pause", "docker-hub/library/nginx", "quay/a", "UPPER/a:1", "Quay.io/a/b", "docker/io", "docker-io/a__b-c.d/e:T_a.g-1",
]  # fmt: skip

_REGISTRIES = [
    None, None, None, "docker.io", "index.docker.io", "registry-1.docker.io", "registry.k8s.io", "k8s.gcr.io", "quay.io",
    "quay.io", "ghcr.io", "public.ecr.aws", "example.azurecr.io", "mcr.microsoft.com", "localhost", "localhost:5000",
    "registry.example.com:8443", "nvcr.io", HOST, "222233334444.dkr.ecr.us-east-1.amazonaws.com", "10.0.0.7:5000", "HOST",
]  # fmt: skip
_WORDS = [
    "library",
    "argoproj",
    "fluxcd",
    "coredns",
    "pause",
    "nginx",
    "a",
    "k8s",
    "b-c",
    "d_e",
    "f.g",
    "quay.io",
    "x__y",
    "r2--d2",
    "docker-hub",
]
_TAGS = [None, None, "latest", "v1", "1.2.3", "3.10", "V_1-a.b", "5000", "sha256-abc", "a" * 128]


def generated(count: int, seed: int) -> list[str]:
    """So many different legal references."""
    chance = random.Random(seed)
    found: dict[str, None] = {}
    while len(found) < count:
        path = "/".join(chance.choice(_WORDS) for _ in range(chance.choice([1, 1, 2, 2, 3])))
        registry = chance.choice(_REGISTRIES)
        tag = chance.choice(_TAGS)
        digest = DIGEST if chance.random() < 0.15 else None
        suffix = chance.choice(["", "", str(chance.randrange(10_000))])
        name = f"{registry + '/' if registry else ''}{path}{suffix}"
        found[f"{name}{':' + tag if tag else ''}{'@' + digest if digest else ''}"] = None
    return list(found)


def corpus(count: int = 5_000, seed: int = 20261124) -> list[str]:
    """The nasty ones and so many generated ones."""
    return list(dict.fromkeys([*NASTY, *generated(count, seed)]))
