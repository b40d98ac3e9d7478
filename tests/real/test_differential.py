"""One mapping, every form of it, on the real engines: thousands of references, and no disagreement."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path

import pytest
import yaml

from ecr_pull_through_cache.admission import PolicyForm, PolicySettings, render_policy
from ecr_pull_through_cache.configuration import load
from ecr_pull_through_cache.images import PinnedByDigest
from ecr_pull_through_cache.manifests import Rewriter
from ecr_pull_through_cache.manifests.yaml_text import to_yaml
from tests.corpus import corpus, mapping
from tests.real.engines import api_server, engine, layer_tool, run
from tests.real.pods import images_of, pod, pods
from tests.support import ROOT

IMAGES = corpus()
EXAMPLES = ROOT / "examples/kyverno-tests"
DIGESTS = pytest.mark.parametrize("digests", PinnedByDigest, ids=lambda digests: digests.value)


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


@DIGESTS
def test_manifests(digests):
    cache = mapping(digests)
    given = list(pods(IMAGES))
    text = yaml.safe_dump_all(given, sort_keys=False)
    assert disagreements(given, list(yaml.safe_load_all(Rewriter(cache).rewrite(text).text)), cache) == []


@pytest.mark.engine
@DIGESTS
@pytest.mark.parametrize("form", [PolicyForm.CLUSTER_POLICY, PolicyForm.MUTATING_POLICY], ids=lambda form: form.value)
def test_kyverno(form, digests, tmp_path):
    cache = mapping(digests)
    given = [*pods(IMAGES), pod("alone", ["nginx"]), pod("pair", ["nginx", "a.b/c"])]
    got = kyverno_apply(render_policy(cache, form), given, tmp_path)
    assert disagreements(given, got, cache) == []


@pytest.mark.engine
def test_debug_containers_in_a_cluster_policy(tmp_path):
    """Kyverno's command line does not know the subresource, so its rule is given Pods instead."""
    (policy,) = render_policy(mapping(), PolicyForm.CLUSTER_POLICY)
    (rule,) = (r for r in policy["spec"]["rules"] if r["name"].endswith("debug-containers"))
    assert rule["match"]["any"][0]["resources"]["kinds"] == ["Pod/ephemeralcontainers"]
    rule["match"]["any"][0]["resources"].update(kinds=["Pod"], operations=["CREATE"])
    policy["spec"]["rules"] = [rule]
    given = pod("debugged", ["nginx"])
    given["spec"]["ephemeralContainers"] = [{"name": "debug", "image": "busybox"}, {"name": "other", "image": "a.b/c"}]
    (got,) = kyverno_apply([policy], [given], tmp_path)
    assert images_of(got) == {"c0": "nginx", "debug": mapping().map("busybox"), "other": "a.b/c"}


def kyverno_apply(policy: list[dict], given: list[dict], folder: Path) -> list[dict]:
    (folder / "policy.yaml").write_text(to_yaml(policy))
    (folder / "pods.yaml").write_text(to_yaml(given))
    done = subprocess.run(
        [engine("kyverno"), "apply", folder / "policy.yaml", "--resource", folder / "pods.yaml", "-o", folder / "out.yaml"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert "error: 0" in done.stdout, done.stdout[-2000:]
    patched = {p["metadata"]["name"]: p for p in yaml.safe_load_all((folder / "out.yaml").read_text()) if p}
    return [patched.get(p["metadata"]["name"], p) for p in given]


@pytest.fixture(scope="module")
def server():
    with api_server() as api:
        yield api


def wait_for(api, changed: bool, **metadata):
    """A policy takes effect some time after it is there."""
    probe = pod("probe", ["registry.k8s.io/pause:3.10"], **metadata)
    for _ in range(100):
        image = images_of(api.create_pod(probe))["c0"]
        if (image != "registry.k8s.io/pause:3.10") is changed:
            return
        time.sleep(0.2)
    raise AssertionError("the policy never took effect")


@pytest.fixture
def policy(server):
    made = []

    def apply(documents, **probe):
        for document in documents:
            server.apply(document)
            made.append(document)
        wait_for(server, changed=True, **probe)

    yield apply
    for document in reversed(made):
        server.delete(document)
    wait_for(server, changed=False)


@pytest.mark.engine
class TestKubernetesItself:
    """A real kube-apiserver with a MutatingAdmissionPolicy."""

    @DIGESTS
    def test_every_reference(self, server, policy, digests):
        cache = mapping(digests)
        policy(render_policy(cache, PolicyForm.MUTATING_ADMISSION_POLICY))
        given = list(pods(IMAGES))
        assert disagreements(given, [server.create_pod(p) for p in given], cache) == []

    def test_debug_containers(self, server, policy):
        cache = mapping()
        policy(render_policy(cache, PolicyForm.MUTATING_ADMISSION_POLICY))
        name = "debugged"
        server.create_pod(pod(name, ["nginx:1"]), dry_run=False)
        path = f"/api/v1/namespaces/default/pods/{name}"
        for number, image in enumerate(["busybox", "quay.io/a/b:1", "mcr.microsoft.com/x"]):
            debug = {"name": f"debug{number}", "image": image, "targetContainerName": "c0"}
            server.call(
                "PATCH", f"{path}/ephemeralcontainers", {"spec": {"ephemeralContainers": [debug]}},
                "application/strategic-merge-patch+json",
            )  # fmt: skip
        found = images_of(server.call("GET", path))
        assert found == {
            "c0": cache.map("nginx:1"),
            "debug0": cache.map("busybox"),
            "debug1": cache.map("quay.io/a/b:1"),
            "debug2": "mcr.microsoft.com/x",
        }

    def test_a_debug_container_from_before_the_policy_does_not_stop_the_next_one(self, server, policy):
        name = "debugged-before"
        path = f"/api/v1/namespaces/default/pods/{name}"
        server.create_pod(pod(name, ["nginx:1"]), dry_run=False)
        patch = "application/strategic-merge-patch+json"
        old = {"name": "old", "image": "busybox", "targetContainerName": "c0"}
        server.call("PATCH", f"{path}/ephemeralcontainers", {"spec": {"ephemeralContainers": [old]}}, patch)
        policy(render_policy(mapping(), PolicyForm.MUTATING_ADMISSION_POLICY))
        new = {"name": "new", "image": "busybox", "targetContainerName": "c0"}
        server.call("PATCH", f"{path}/ephemeralcontainers", {"spec": {"ephemeralContainers": [new]}}, patch)
        found = images_of(server.call("GET", path))
        assert found == {"c0": "nginx:1", "old": "busybox", "new": mapping().map("busybox")}

    def test_with_kubectl_as_people_use_it(self, server, policy, tmp_path):
        policy(render_policy(mapping(), PolicyForm.MUTATING_ADMISSION_POLICY))
        kubectl = [layer_tool("kubectl"), "--server", server.url, "--token", server.token, "--insecure-skip-tls-verify"]
        kubectl += ["--cache-dir", tmp_path / "cache", "--kubeconfig", "/dev/null"]
        (tmp_path / "pod.yaml").write_text(
            to_yaml([pod("by-hand", ["nginx:1", "busybox:1", "quay.io/a/b:1", "a.b/c:1"])])
        )
        run([*kubectl, "apply", "--filename", tmp_path / "pod.yaml"])
        run(
            [
                *kubectl,
                "debug",
                "by-hand",
                "--image",
                "registry.k8s.io/debug:1",
                "--container",
                "debug",
                "--attach=false",
            ]
        )
        found = images_of(json.loads(run([*kubectl, "get", "pod", "by-hand", "--output", "json"]).stdout))
        assert found == {
            "c0": mapping().map("nginx:1"),
            "c1": mapping().map("busybox:1"),
            "c2": mapping().map("quay.io/a/b:1"),
            "c3": "a.b/c:1",
            "debug": mapping().map("registry.k8s.io/debug:1"),
        }

    def test_a_sidecar_that_is_injected_later_is_rewritten_too(self, server, policy):
        injector = {
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "MutatingAdmissionPolicy",
            "metadata": {"name": "z-injector"},
            "spec": {
                "failurePolicy": "Fail",
                "reinvocationPolicy": "Never",
                "matchConstraints": {
                    "resourceRules": [
                        {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}
                    ]
                },
                "mutations": [
                    {
                        "patchType": "ApplyConfiguration",
                        "applyConfiguration": {
                            "expression": "Object{spec: Object.spec{containers: [Object.spec.containers{"
                            "name: 'sidecar', image: 'quay.io/mesh/proxy:1'}]}}"
                        },
                    }
                ],
            },
        }
        binding = {
            **injector,
            "kind": "MutatingAdmissionPolicyBinding",
            "spec": {"policyName": "z-injector"},
        }
        policy([*render_policy(mapping(), PolicyForm.MUTATING_ADMISSION_POLICY), injector, binding])
        for _ in range(100):
            found = images_of(server.create_pod(pod("meshed", ["nginx:1"])))
            if "sidecar" in found:
                break
            time.sleep(0.2)
        assert found == {"c0": mapping().map("nginx:1"), "sidecar": mapping().map("quay.io/mesh/proxy:1")}

    def test_a_running_pod_is_left_alone(self, server, policy):
        name = "running"
        path = f"/api/v1/namespaces/default/pods/{name}"
        server.create_pod(pod(name, ["nginx:1"]), dry_run=False)
        policy(render_policy(mapping(), PolicyForm.MUTATING_ADMISSION_POLICY))
        labelled = {"metadata": {"labels": {"a": "b"}}}
        server.call("PATCH", path, labelled, "application/merge-patch+json")
        assert images_of(server.call("GET", path)) == {"c0": "nginx:1"}

    def test_namespaces_and_pods_that_are_exempt(self, server, policy):
        for name, labels in (("excluded", {}), ("opted-out", {"ecr-pull-through-cache/rewrite": "disabled"})):
            metadata = {"name": name, "labels": labels}
            server.call("POST", "/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
        policy(
            render_policy(
                mapping(), PolicyForm.MUTATING_ADMISSION_POLICY, PolicySettings(excluded_namespaces=("excluded",))
            )
        )
        image = "registry.k8s.io/pause:3.10"
        for metadata in (
            {"namespace": "excluded"},
            {"namespace": "opted-out"},
            {"labels": {"ecr-pull-through-cache/rewrite": "disabled"}},
        ):
            assert images_of(server.create_pod(pod("p", [image], **metadata)))["c0"] == image, metadata

    def test_the_audit_twin_changes_nothing_and_warns(self, server):
        documents = render_policy(mapping(), PolicyForm.MUTATING_ADMISSION_POLICY, audit=True)
        for document in documents:
            server.apply(document)
        try:
            for _ in range(100):
                assert images_of(server.create_pod(pod("audited", ["nginx:1"]))) == {"c0": "nginx:1"}
                if server.warnings:
                    break
                time.sleep(0.2)
            assert "an image of this pod would be pulled through the cache" in server.warnings[0]
            server.create_pod(pod("audited", ["mcr.microsoft.com/a:1"]))
            assert server.warnings == []
        finally:
            for document in reversed(documents):
                server.delete(document)


@pytest.mark.engine
class TestAuditTwinsInKyverno:
    """They report what would change, and change nothing."""

    @pytest.mark.parametrize(
        "form", [PolicyForm.CLUSTER_POLICY, PolicyForm.MUTATING_POLICY], ids=lambda form: form.value
    )
    def test_pods_that_would_change_are_reported(self, form, tmp_path):
        (tmp_path / "policy.yaml").write_text(to_yaml(render_policy(mapping(), form, audit=True)))
        (tmp_path / "pods.yaml").write_text(
            to_yaml([pod("would", ["a.b/c:1", "nginx"]), pod("would-not", ["a.b/c:1"])])
        )
        done = subprocess.run(
            [engine("kyverno"), "apply", tmp_path / "policy.yaml", "--resource", tmp_path / "pods.yaml", "--policy-report"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        report = yaml.safe_load(done.stdout[done.stdout.index("apiVersion") :])
        failed = {r["resources"][0]["name"] for r in report["results"] if r["result"] in ("fail", "warn")}
        passed = {r["resources"][0]["name"] for r in report["results"] if r["result"] in ("pass", "skip")}
        assert failed == {"would"}
        assert "would" not in passed


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
