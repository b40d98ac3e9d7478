"""Configuration of self-hosted clusters: what admission never sees, such as static Pods and the pause image."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Any

from ..errors import UserError
from ..images import CacheMapping, EcrHost, Reason, Upstream
from .yaml_text import to_yaml

PAUSE = "registry.k8s.io/pause:3.10.1"
"""The pause image of Kubernetes 1.34 and newer."""


class ClusterKind(Enum):
    """The installer or the container runtime of a cluster."""

    KUBEADM = "kubeadm"
    KOPS = "kops"
    CONTAINERD = "containerd"
    K3S = "k3s"
    CRIO = "cri-o"


def cluster_config(mapping: CacheMapping, kind: ClusterKind) -> dict[str, str]:
    """The files for a cluster, by the path where each belongs.

    Each begins with a comment that says what to do with it. The kubelet's credential provider is among them: nodes sign
    in to ECR with it, and mirrors of containerd and CRI-O, which cannot sign in to ECR by themselves, do not.

    :param mapping: what images become.
    :param kind: what the files are for.
    :raises UserError: when the mapping does not cache ``registry.k8s.io``, from where a control plane comes.
    """
    return _MAKERS[kind](mapping)


def _kubernetes(mapping: CacheMapping) -> str:
    """The cached location of the images of registry.k8s.io."""
    decision = mapping.decide(PAUSE)
    if decision.reason is not Reason.CACHED:
        raise UserError(
            f"{PAUSE} is not pulled through this cache ({decision.reason.value}); "
            f"a control plane needs an upstream of {Upstream.KUBERNETES.host}"
        )
    return decision.image.rpartition("/")[0]


def _kubeadm(mapping: CacheMapping) -> dict[str, str]:
    repository = _kubernetes(mapping)
    cluster = {
        "apiVersion": "kubeadm.k8s.io/v1beta4",
        "kind": "ClusterConfiguration",
        "imageRepository": repository,
        # kubeadm takes imageRepository/coredns; upstream's image lies one level deeper.
        "dns": {"imageRepository": f"{repository}/coredns"},
    }
    return {
        "kubeadm.yaml": _file(
            "Add this to the file for `kubeadm init --config` and `kubeadm upgrade --config`.", cluster
        ),
        "/etc/containerd/conf.d/ecr-pull-through-cache.toml": _pause(mapping),
        **_credential_provider(mapping),
    }


def _pause(mapping: CacheMapping) -> str:
    image = mapping.map(PAUSE)
    return (
        "# The pause image of every Pod, which containerd 2 pulls by itself.\n"
        "# /etc/containerd/config.toml must have: imports = ['/etc/containerd/conf.d/*.toml']\n"
        "version = 3\n\n"
        "[plugins.'io.containerd.cri.v1.images'.pinned_images]\n"
        f"  sandbox = '{image}'\n"
    )


def _kops(mapping: CacheMapping) -> dict[str, str]:
    repository = _kubernetes(mapping)
    spec = {
        "spec": {
            "assets": {"containerProxy": repository},
            "kubelet": {"podInfraContainerImage": mapping.map(PAUSE)},
        }
    }
    return {
        "kops-cluster.yaml": _file(
            "Merge this into the cluster's spec with `kops edit cluster`, then `kops update cluster`.\n"
            "containerProxy replaces the registry of every image that kOps itself deploys, so all of them must be images\n"
            "of registry.k8s.io; add-ons from elsewhere are rewritten at admission. Nodes sign in by their instance role:\n"
            "attach the node pull policy to it under spec.externalPolicies.",
            spec,
        )
    }


def _containerd(mapping: CacheMapping) -> dict[str, str]:
    files = {
        f"/etc/containerd/certs.d/{host}/hosts.toml": (
            "# containerd asks the cache first and the upstream registry when the cache does not answer.\n"
            "# ECR wants a token of twelve hours, which containerd cannot get by itself: this works where something keeps\n"
            "# the header below fresh. Rewrite images at admission where nothing does.\n"
            f'server = "{_server(host)}"\n\n'
            f'[host."https://{mapping.registry}/v2/{prefix.rstrip("/")}"]\n'
            '  capabilities = ["pull", "resolve"]\n'
            "  override_path = true\n"
            f'  [host."https://{mapping.registry}/v2/{prefix.rstrip("/")}".header]\n'
            '    authorization = "Basic TOKEN"\n'
        )
        for host, prefix in _mirrors(mapping).items()
    }
    return {
        **files,
        "/etc/containerd/conf.d/ecr-pull-through-cache.toml": _pause(mapping),
        **_credential_provider(mapping),
    }


def _k3s(mapping: CacheMapping) -> dict[str, str]:
    mirrors = {
        host: {"endpoint": [f"https://{mapping.registry}"], "rewrite": {"^(.*)$": f"{prefix}$1"}}
        for host, prefix in _mirrors(mapping).items()
    }
    document = {
        "mirrors": mirrors,
        "configs": {mapping.registry: {"auth": {"username": "AWS", "password": "TOKEN"}}},
    }
    return {
        "/etc/rancher/k3s/registries.yaml": _file(
            "ECR's token lives for twelve hours: write `aws ecr get-login-password` in place of TOKEN and restart k3s before\n"
            "it ends, or leave configs out and rewrite images at admission, where the credential provider below signs in.",
            document,
        ),
        "/etc/rancher/k3s/config.yaml": _file(
            "The pause image, and where k3s finds the credential provider.",
            {
                "pause-image": mapping.map(PAUSE),
                "kubelet-arg": [
                    "image-credential-provider-config=/etc/kubernetes/credential-provider.yaml",
                    "image-credential-provider-bin-dir=/usr/local/bin",
                ],
            },
        ),
        **_credential_provider(mapping),
    }


def _crio(mapping: CacheMapping) -> dict[str, str]:
    head = (
        "# CRI-O asks the mirror first. It signs in with /etc/containers/auth.json alone, and ECR's token lives for twelve\n"
        f"# hours: keep it fresh with `aws ecr get-login-password | podman login -u AWS --password-stdin {mapping.registry}`.\n"
    )
    tables = [
        f'\n[[registry]]\nprefix = "{s.source.rstrip("/")}"\nlocation = "{s.source.rstrip("/")}"\n\n'
        f'[[registry.mirror]]\nlocation = "{s.target.rstrip("/")}"\npull-from-mirror = "tag-only"\n'
        for s in mapping.substitutions
    ]
    pause = f'# The pause image of every Pod.\n[crio.image]\npause_image = "{mapping.map(PAUSE)}"\n'
    return {
        "/etc/containers/registries.conf.d/ecr-pull-through-cache.conf": head + "".join(tables),
        "/etc/crio/crio.conf.d/10-ecr-pull-through-cache.conf": pause,
        **_credential_provider(mapping),
    }


def _mirrors(mapping: CacheMapping) -> dict[str, str]:
    """The prefix in the cache of each upstream host that is cached as a whole; a mirror knows no parts of a host."""
    return {
        s.source.rstrip("/"): s.target[len(mapping.registry) + 1 :]
        for s in mapping.substitutions
        if s.source.count("/") == 1
    }


def _server(host: str) -> str:
    return f"https://{'registry-1.docker.io' if host == 'docker.io' else host}"


def _credential_provider(mapping: CacheMapping) -> dict[str, str]:
    """The kubelet's way to ECR's tokens: the provider's binary is cloud-provider-aws's ecr-credential-provider."""
    suffixes = {"*.dkr.ecr.*.amazonaws.com", "*.dkr.ecr.*.amazonaws.com.cn", "*.dkr-ecr.*.on.aws"}
    matches = sorted(suffixes) if EcrHost.parse(mapping.registry) else [mapping.registry]
    document = {
        "apiVersion": "kubelet.config.k8s.io/v1",
        "kind": "CredentialProviderConfig",
        "providers": [
            {
                "name": "ecr-credential-provider",
                "matchImages": matches,
                "defaultCacheDuration": "6h",
                "apiVersion": "credentialprovider.kubelet.k8s.io/v1",
            }
        ],
    }
    return {
        "/etc/kubernetes/credential-provider.yaml": _file(
            "The kubelet signs in to ECR with this: --image-credential-provider-config=this file, and\n"
            "--image-credential-provider-bin-dir= the folder of ecr-credential-provider (kubernetes/cloud-provider-aws).",
            document,
        )
    }


def _file(comment: str, document: dict[str, Any]) -> str:
    lines = "".join(f"# {line}\n" for line in comment.splitlines())
    return lines + to_yaml([document]).removeprefix("---\n")


_MAKERS: dict[ClusterKind, Callable[[CacheMapping], dict[str, str]]] = {
    ClusterKind.KUBEADM: _kubeadm,
    ClusterKind.KOPS: _kops,
    ClusterKind.CONTAINERD: _containerd,
    ClusterKind.K3S: _k3s,
    ClusterKind.CRIO: _crio,
}
