"""Configuration of self-hosted clusters."""

import tomllib

import pytest
import yaml

from ecr_pull_through_cache.errors import UserError
from ecr_pull_through_cache.images import CachedUpstream, CacheMapping, Upstream
from ecr_pull_through_cache.manifests.clusters import PAUSE, ClusterKind, cluster_config
from tests.corpus import HOST, mapping


def parsed(kind):
    files = cluster_config(mapping(), kind)
    return {
        name: tomllib.loads(text) if name.endswith((".toml", ".conf")) else yaml.safe_load(text)
        for name, text in files.items()
    }


@pytest.mark.parametrize("kind", ClusterKind)
def test_every_file_is_well_formed_and_says_what_it_is_for(kind):
    assert parsed(kind)
    assert all(text.startswith("# ") for text in cluster_config(mapping(), kind).values())


def test_kubeadm_has_the_extra_level_of_coredns():
    document = parsed(ClusterKind.KUBEADM)["kubeadm.yaml"]
    assert document == {
        "apiVersion": "kubeadm.k8s.io/v1beta4",
        "kind": "ClusterConfiguration",
        "imageRepository": f"{HOST}/k8s",
        "dns": {"imageRepository": f"{HOST}/k8s/coredns"},
    }
    # What kubeadm makes of it is what the mapping makes of the images that kubeadm takes otherwise.
    repository, dns = document["imageRepository"], document["dns"]["imageRepository"]
    assert f"{repository}/kube-apiserver:v1.36.0" == mapping().map("registry.k8s.io/kube-apiserver:v1.36.0")
    assert f"{dns}/coredns:v1.12.0" == mapping().map("registry.k8s.io/coredns/coredns:v1.12.0")


def test_the_pause_image_is_that_of_the_cache():
    pause = parsed(ClusterKind.CONTAINERD)["/etc/containerd/conf.d/ecr-pull-through-cache.toml"]
    assert pause["plugins"]["io.containerd.cri.v1.images"]["pinned_images"]["sandbox"] == mapping().map(PAUSE)
    crio = parsed(ClusterKind.CRIO)["/etc/crio/crio.conf.d/10-ecr-pull-through-cache.conf"]
    assert crio["crio"]["image"]["pause_image"] == mapping().map(PAUSE)


def test_containerd_mirrors_whole_hosts_alone():
    hosts = {name.split("/")[4] for name in parsed(ClusterKind.CONTAINERD) if name.endswith("hosts.toml")}
    assert {"registry.k8s.io", "k8s.gcr.io", "docker.io", "quay.io", "public.ecr.aws"} <= hosts
    assert "ghcr.io" not in hosts, "only a part of it is cached"


def test_containerd_asks_the_cache_under_its_prefix():
    files = parsed(ClusterKind.CONTAINERD)
    mirror = files["/etc/containerd/certs.d/docker.io/hosts.toml"]
    assert mirror["server"] == "https://registry-1.docker.io"
    assert mirror["host"][f"https://{HOST}/v2/docker-hub"]["override_path"] is True


def test_k3s_rewrites_paths():
    mirrors = parsed(ClusterKind.K3S)["/etc/rancher/k3s/registries.yaml"]["mirrors"]
    assert mirrors["quay.io"] == {"endpoint": [f"https://{HOST}"], "rewrite": {"^(.*)$": "quay/$1"}}


def test_cri_o_knows_parts_of_a_registry():
    tables = parsed(ClusterKind.CRIO)["/etc/containers/registries.conf.d/ecr-pull-through-cache.conf"]["registry"]
    found = {table["prefix"]: table["mirror"][0]["location"] for table in tables}
    assert found["quay.io/argoproj"] == f"{HOST}/argo"
    assert found["quay.io"] == f"{HOST}/quay"


def test_nodes_sign_in_by_the_credential_provider():
    document = parsed(ClusterKind.KUBEADM)["/etc/kubernetes/credential-provider.yaml"]
    assert document["kind"] == "CredentialProviderConfig"
    assert "*.dkr.ecr.*.amazonaws.com" in document["providers"][0]["matchImages"]


def test_a_cache_without_kubernetes_makes_no_control_plane():
    quay = CacheMapping.of(HOST, [CachedUpstream(upstream=Upstream.QUAY, repository_prefix="quay")])
    with pytest.raises(UserError, match="a control plane needs an upstream of registry.k8s.io"):
        cluster_config(quay, ClusterKind.KUBEADM)
