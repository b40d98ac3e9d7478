"""Configuration of self-hosted clusters."""

import tomllib
from fnmatch import fnmatchcase

import pytest
import yaml

from ecr_pull_through_cache.errors import UserError
from ecr_pull_through_cache.images import CachedUpstream, CacheMapping, Upstream
from ecr_pull_through_cache.manifests.clusters import PAUSE, ClusterKind, cluster_config, not_expressed
from tests.corpus import HOST, mapping


def read(name, text):
    if name.endswith((".toml", ".conf")):
        return tomllib.loads(text)
    return yaml.safe_load(text) if name.endswith((".yaml", ".json")) else text


def parsed(kind):
    return {name: read(name, text) for name, text in cluster_config(mapping(), kind).items()}


@pytest.mark.parametrize("kind", ClusterKind)
def test_every_file_is_well_formed_and_says_what_it_is_for(kind):
    assert parsed(kind)
    files = cluster_config(mapping(), kind)
    assert all(text.startswith("#") for name, text in files.items() if not name.endswith(".json"))


@pytest.mark.parametrize("kind", ClusterKind)
def test_no_file_holds_a_token_or_a_pause_image_that_the_runtime_cannot_sign_in_for(kind):
    text = "".join(cluster_config(mapping(), kind).values())
    assert mapping().map(PAUSE) not in text
    assert 'TOKEN"' not in text
    assert "password: " not in text


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


def test_containerd_reads_the_mirrors_from_one_folder():
    drop_in = parsed(ClusterKind.CONTAINERD)["/etc/containerd/conf.d/ecr-pull-through-cache.toml"]
    registry = drop_in["plugins"]["io.containerd.cri.v1.images"]["registry"]
    assert registry == {"config_path": "/etc/containerd/certs.d"}


def test_containerd_and_k3s_say_which_parts_of_hosts_they_cannot_mirror():
    said = not_expressed(mapping(), ClusterKind.CONTAINERD)
    assert [sentence.partition(":")[0] for sentence in said] == ["quay.io/argoproj", "ghcr.io/fluxcd"]
    assert said[0].endswith(f"are pulled through {HOST}/quay instead of {HOST}/argo")
    assert said[1].endswith("stay upstream: rewrite them at admission")
    assert not not_expressed(mapping(), ClusterKind.CRIO)


def test_kubeadm_names_the_way_past_its_preflight():
    assert "--ignore-preflight-errors=ImagePull" in cluster_config(mapping(), ClusterKind.KUBEADM)["kubeadm.yaml"]


@pytest.mark.parametrize("version", ["1.33", "v1.34.2", "1.35"])
def test_kops_mirrors_kubernetes_alone_and_names_digests(version):
    text = cluster_config(mapping(), ClusterKind.KOPS, kops_version=version)["kops-cluster.yaml"]
    containerd = yaml.safe_load(text)["spec"]
    assert containerd == {
        "containerd": {
            "registryMirrors": {"registry.k8s.io": [f"https://{HOST}/v2/k8s"]},
            "useECRCredentialsForMirrors": True,
        }
    }
    assert "KOPS_FEATURE_FLAGS=-ImageDigest" in text


@pytest.mark.parametrize(
    ("version", "message"),
    [("1.32", "cannot sign in"), ("1.36", "without override_path"), ("2.0", "is no version"), ("new", "is no version")],
)
def test_kops_that_cannot_use_a_cache_is_refused(version, message):
    with pytest.raises(UserError, match=message):
        cluster_config(mapping(), ClusterKind.KOPS, kops_version=version)


def test_cri_o_knows_parts_of_a_registry():
    tables = parsed(ClusterKind.CRIO)["/etc/containers/registries.conf.d/ecr-pull-through-cache.conf"]["registry"]
    found = {table["prefix"]: table["mirror"][0]["location"] for table in tables}
    assert found["quay.io/argoproj"] == f"{HOST}/argo"
    assert found["quay.io"] == f"{HOST}/quay"


def test_cri_o_signs_in_by_a_helper():
    files = parsed(ClusterKind.CRIO)
    auth = files["/etc/crio/crio.conf.d/10-ecr-pull-through-cache.conf"]["crio"]["image"]["global_auth_file"]
    assert files[auth] == {"credHelpers": {HOST: "ecr-login"}}


@pytest.mark.parametrize(
    "host",
    [
        f"111122223333.{form}.{region}.{suffix}"
        for region, plain, dual in (
            ("us-east-1", "amazonaws.com", "on.aws"),
            ("us-gov-west-1", "amazonaws.com", "on.aws"),
            ("cn-north-1", "amazonaws.com.cn", "on.amazonwebservices.com.cn"),
            ("eusc-de-east-1", "amazonaws.eu", "on.amazonwebservices.eu"),
        )
        for form, suffix in (
            ("dkr.ecr", plain), ("dkr.ecr-fips", plain), ("dkr-ecr", dual), ("dkr-ecr-fips", dual),
        )
    ],
)  # fmt: skip
def test_nodes_sign_in_to_every_host_of_ecr_by_the_credential_provider(host):
    made = CacheMapping.of(host, [CachedUpstream(upstream=Upstream.KUBERNETES, repository_prefix="k8s")])
    files = cluster_config(made, ClusterKind.KUBEADM)
    assert yaml.safe_load(files["kubeadm.yaml"])["imageRepository"] == f"{host}/k8s"
    patterns = yaml.safe_load(files["/etc/kubernetes/credential-provider.yaml"])["providers"][0]["matchImages"]
    assert len(patterns) == 12
    assert any(kubelet_matches(pattern, host) for pattern in patterns)
    assert not any(kubelet_matches(pattern, "docker.io") for pattern in patterns)


def kubelet_matches(pattern, host):
    """The kubelet's rule: as many parts between dots, and each part matches its glob."""
    globs, parts = pattern.split("."), host.split(".")
    return len(globs) == len(parts) and all(map(fnmatchcase, parts, globs))


def test_a_cache_without_kubernetes_makes_no_control_plane():
    quay = CacheMapping.of(HOST, [CachedUpstream(upstream=Upstream.QUAY, repository_prefix="quay")])
    with pytest.raises(UserError, match="a control plane needs an upstream of registry.k8s.io"):
        cluster_config(quay, ClusterKind.KUBEADM)
