"""One mapping, every form of it, on the real engines: thousands of references, and no disagreement."""

from __future__ import annotations

import subprocess

import pytest
import yaml

from ecr_pull_through_cache.admission import FailurePolicy, PolicyForm, PolicySettings, render_policy
from ecr_pull_through_cache.configuration import load
from ecr_pull_through_cache.images import CachedUpstream, CacheMapping, PinnedByDigest, Reason, Upstream
from ecr_pull_through_cache.manifests import Rewriter
from ecr_pull_through_cache.manifests.yaml_text import to_yaml
from tests.corpus import HOST, corpus, mapping
from tests.real.engines import ROOT, engine
from tests.real.kyverno import applied, is_left_alone, is_rewritten
from tests.real.pods import images_of, pod, pods

IMAGES = corpus()
EXAMPLES = ROOT / "examples/kyverno-tests"
PATTERNS = CacheMapping.of(
    HOST,
    mapping().rules,
    pinned_by_digest=PinnedByDigest.REWRITE,
    exclude=["registry.k8s.io/pause*", "docker.io/library/nginx", "quay.io/argoproj/*:v*", "*:latest", "docker.io/*5*"],
    only=[
        "registry.k8s.io/*",
        "docker.io/*",
        "quay.io/*",
        "222233334444.dkr.ecr.us-east-1.amazonaws.com/*",
        "ghcr.io/*:1.*",
    ],
)
ALLOWED = CacheMapping.of(
    HOST,
    [
        CachedUpstream(upstream=Upstream.KUBERNETES, repository_prefix="k8s", allow=("pause*", "coredns/*")),
        CachedUpstream(upstream=Upstream.DOCKER_HUB, repository_prefix="docker-hub", allow=("library/*",)),
        CachedUpstream(upstream=Upstream.QUAY, repository_prefix="quay"),
    ],
)
MAPPINGS = pytest.mark.parametrize(
    "cache",
    [mapping(PinnedByDigest.LEAVE), mapping(PinnedByDigest.REWRITE), PATTERNS, ALLOWED],
    ids=["leave", "rewrite", "exclude-and-only", "allow"],
)


def disagreements(given: list[dict], got: list[dict], cache) -> list[str]:
    """Every image that did not become what the mapping says."""
    results = {p["metadata"]["name"]: images_of(p) for p in got}
    wrong = []
    for before in given:
        after = results[before["metadata"]["name"]]
        wrong += [
            f"{image} -> {after.get(name)}, not {cache.map(image)}"
            for name, image in images_of(before).items()
            if after.get(name) != cache.map(image)
        ]
    return wrong


def test_there_are_at_least_five_thousand_references():
    assert len(IMAGES) >= 5_000
    rewritten = sum(mapping().decide(image).is_rewritten for image in IMAGES)
    assert rewritten > len(IMAGES) / 3
    assert rewritten < len(IMAGES) * 2 / 3


def test_the_patterns_take_a_part_of_them():
    whole = mapping(PinnedByDigest.REWRITE)
    rewritten = [image for image in IMAGES if whole.decide(image).is_rewritten]
    reasons = {PATTERNS.decide(image).reason for image in rewritten}
    assert reasons == {Reason.CACHED, Reason.EXCLUDED, Reason.NOT_SELECTED}


@MAPPINGS
def test_manifests(cache):
    given = list(pods(IMAGES))
    text = yaml.safe_dump_all(given, sort_keys=False)
    assert disagreements(given, list(yaml.safe_load_all(Rewriter(cache).rewrite(text).text)), cache) == []


@pytest.mark.engine
@pytest.mark.xdist_group("kubernetes")
@MAPPINGS
@pytest.mark.parametrize("form", PolicyForm, ids=lambda form: form.value)
def test_every_reference_in_a_cluster(api, form, cache):
    """A real API server, and Kyverno's own admission controller in front of it."""
    given = [*pods(IMAGES), pod("alone", ["quay.io/a/b:1"]), pod("pair", ["quay.io/a/b:1", "a.b/c"])]
    probe = "quay.io/probe/probe:2"
    with applied(
        api,
        render_policy(cache, form, PolicySettings(failure_policy=FailurePolicy.FAIL)),
        works=lambda: is_rewritten(api, probe),
        gone=lambda: is_left_alone(api, probe),
    ):
        assert disagreements(given, [api.create_pod(p) for p in given], cache) == []


@pytest.mark.engine
@pytest.mark.parametrize("form", [PolicyForm.CLUSTER_POLICY, PolicyForm.MUTATING_POLICY], ids=lambda form: form.value)
def test_kyvernos_command_line_says_the_same(form, tmp_path):
    """People try policies with it before they apply them."""
    cache = mapping()
    given = list(pods(IMAGES[:500]))
    (tmp_path / "policy.yaml").write_text(to_yaml(render_policy(cache, form)))
    (tmp_path / "pods.yaml").write_text(to_yaml(given))
    done = subprocess.run(
        [engine("kyverno"), "apply", tmp_path / "policy.yaml", "--resource", tmp_path / "pods.yaml", "-o", tmp_path / "out.yaml"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert "error: 0" in done.stdout, done.stdout[-2000:]
    patched = {p["metadata"]["name"]: p for p in yaml.safe_load_all((tmp_path / "out.yaml").read_text()) if p}
    got = [patched.get(p["metadata"]["name"], p) for p in given]
    assert disagreements(given, got, cache) == []


@pytest.mark.engine
@pytest.mark.parametrize("form", ["cluster-policy", "mutating-policy"])
def test_the_tests_that_are_shipped_to_users_pass(form):
    done = subprocess.run(
        [engine("kyverno"), "test", EXAMPLES / form, "--require-tests"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 tests passed and 0 tests failed" in done.stdout, done.stdout


@pytest.mark.parametrize("form", ["cluster-policy", "mutating-policy"])
def test_the_policies_that_are_shipped_to_users_are_the_generated_ones(form):
    minimal = load(ROOT / "environments/minimal.yaml").clusters["demo"].mapping
    assert (EXAMPLES / form / "policy.yaml").read_text() == to_yaml(render_policy(minimal, PolicyForm(form)))
