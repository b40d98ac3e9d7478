"""Configuration of self-hosted clusters: what admission never sees, such as static Pods and the pause image."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from enum import Enum
from typing import Any

from ..errors import UserError
from ..images import CacheMapping, EcrHost, Reason, Upstream
from ..images.hosts import PARTITIONS
from .node_mirrors import mirror_files
from .yaml_text import to_yaml

_CERTS = "/etc/containerd/certs.d"
_CRIO_AUTH = "/etc/crio/ecr-auth.json"

# kubernetes/kops: useECRCredentialsForMirrors is in v1.33.2, hosts.toml without override_path in v1.36 (nodeup/pkg/model)
_KOPS_SIGNS_IN = 33
_KOPS_BREAKS_PATHS = 36

# https://docs.aws.amazon.com/AmazonECR/latest/userguide/Registries.html
_ECR_HOSTS = frozenset(
    pattern
    for partition in PARTITIONS
    for fips in ("", "-fips")
    for pattern in (f"*.dkr.ecr{fips}.*.{partition.suffix}", f"*.dkr-ecr{fips}.*.{partition.dual_stack_suffix}")
)

PAUSE = "registry.k8s.io/pause:3.10.1"
"""The pause image of Kubernetes 1.34 and newer."""


class ClusterKind(Enum):
    """The installer or the container runtime of a cluster."""

    KUBEADM = "kubeadm"
    KOPS = "kops"
    CONTAINERD = "containerd"
    K3S = "k3s"
    CRIO = "cri-o"


KOPS_VERSION = "1.35"
"""The minor version of kOps that files are for when none is given."""


def cluster_config(mapping: CacheMapping, kind: ClusterKind, *, kops_version: str = KOPS_VERSION) -> dict[str, str]:
    """The files for a cluster, by the path where each belongs.

    Each begins with a comment that says what to do with it. No file holds a token, and no runtime is made to pull the pause
    image with a sign-in that it does not have.

    :param mapping: what images become.
    :param kind: the installer or runtime that the files are for.
    :param kops_version: the minor version of kOps, such as ``1.35``; only for :attr:`ClusterKind.KOPS`.
    :raises UserError: when the mapping has nothing that the kind can express: kubeadm and kOps need ``registry.k8s.io``,
        containerd and k3s a whole host, CRI-O a registry of Amazon ECR; or when this version of kOps cannot use a cache.
    """
    if kind is ClusterKind.KOPS:
        return _kops(mapping, kops_version)
    return _MAKERS[kind](mapping)


def not_expressed(mapping: CacheMapping, kind: ClusterKind) -> list[str]:
    """The parts of upstream hosts that the runtime cannot mirror, a sentence for each.

    :param mapping: what images become.
    :param kind: the installer or runtime that the files are for.
    """
    if kind not in (ClusterKind.CONTAINERD, ClusterKind.K3S):
        return []
    whole = _mirrors(mapping)
    return [
        f"{s.source.rstrip('/')}: {kind.value} mirrors whole hosts only; its images "
        + (
            f"are pulled through {mapping.registry}/{whole[host]} instead of {s.target.rstrip('/')}"
            if (host := s.source.partition("/")[0]) in whole
            else "stay upstream: rewrite them at admission"
        )
        for s in mapping.substitutions
        if s.source.count("/") > 1
    ]


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
            "Add this to the file for `kubeadm init --config` and `kubeadm upgrade --config`.\n"
            "kubeadm's preflight pulls these images without credentials and stops with [ERROR ImagePull]. Run kubeadm with\n"
            "--ignore-preflight-errors=ImagePull: the kubelet then pulls them, and signs in by the credential provider.\n"
            "The pause image keeps upstream's name in the configuration of the runtime, which cannot sign in to ECR for it.",
            cluster,
        ),
        **_credential_provider(mapping),
    }


def _kops(mapping: CacheMapping, version: str) -> dict[str, str]:
    match = re.fullmatch(r"v?1\.([0-9]{1,3})(?:\.[0-9]+)?", version, re.ASCII)
    if match is None:
        raise UserError(f"{version!r} is no version of kOps; give a minor version such as {KOPS_VERSION}")
    minor = int(match.group(1))
    if minor < _KOPS_SIGNS_IN:
        raise UserError(
            f"kOps {version} cannot sign in to a mirror: containerd.useECRCredentialsForMirrors comes with kOps 1.33.2; "
            "upgrade kOps, or rewrite images at admission"
        )
    if minor >= _KOPS_BREAKS_PATHS:
        raise UserError(
            f"kOps {version} writes a mirror without override_path, so containerd asks for another path than the cache's, and "
            "assets.containerProxy also moves the pause image, for which containerd cannot sign in: "
            "rewrite images at admission, or use kOps 1.33 to 1.35"
        )
    prefix = _kubernetes(mapping).removeprefix(mapping.registry)
    containerd = {
        "registryMirrors": {Upstream.KUBERNETES.host: [f"https://{mapping.registry}/v2{prefix}"]},
        "useECRCredentialsForMirrors": True,
    }
    return {
        "kops-cluster.yaml": _file(
            "Merge this into the cluster's spec with `kops edit cluster`, then `kops update cluster`.\n"
            "It needs kOps 1.33.2 to 1.35.\n"
            "kOps pins its images by digest. ECR answers a digest only once the image was imported by its tag: until then nodes\n"
            "pull it from registry.k8s.io. Warm the images of `kops get assets`, or set KOPS_FEATURE_FLAGS=-ImageDigest.\n"
            "The pause image keeps its name and comes from registry.k8s.io, without credentials.\n"
            "Do not add docker.io, quay.io or ghcr.io: containerd falls back to them and would send them ECR's token.\n"
            "Attach the node pull policy to the instance roles under spec.externalPolicies.",
            {"spec": {"containerd": containerd}},
        )
    }


def _containerd(mapping: CacheMapping) -> dict[str, str]:
    return {
        "/etc/containerd/conf.d/ecr-pull-through-cache.toml": (
            "# Without this, containerd 2.2 and newer ignore hosts.toml in silence. It must be one folder.\n"
            "# /etc/containerd/config.toml must have: imports = ['/etc/containerd/conf.d/*.toml']\n"
            "version = 3\n\n"
            "[plugins.'io.containerd.cri.v1.images'.registry]\n"
            f"  config_path = '{_CERTS}'\n"
        ),
        **mirror_files(mapping.registry, _whole_hosts(mapping, ClusterKind.CONTAINERD), certs=_CERTS),
        **_credential_provider(mapping),
    }


def _k3s(mapping: CacheMapping) -> dict[str, str]:
    mirrors = _whole_hosts(mapping, ClusterKind.K3S)
    return {
        "/etc/rancher/k3s/config.yaml": _file(
            "Where k3s finds the credential provider. Name none of the mirrored hosts in /etc/rancher/k3s/registries.yaml: k3s\n"
            "would write its own hosts.toml over that of ecr-mirrors. The pause image keeps upstream's name.",
            {
                "kubelet-arg": [
                    "image-credential-provider-config=/etc/kubernetes/credential-provider.yaml",
                    "image-credential-provider-bin-dir=/usr/local/bin",
                ],
            },
        ),
        **mirror_files(mapping.registry, mirrors, certs="/var/lib/rancher/k3s/agent/etc/containerd/certs.d"),
        **_credential_provider(mapping),
    }


def _crio(mapping: CacheMapping) -> dict[str, str]:
    if EcrHost.parse(mapping.registry) is None:
        raise UserError(
            f"{mapping.registry} is no host of Amazon ECR, and docker-credential-ecr-login signs in to those only"
        )
    tables = [
        f'\n[[registry]]\nprefix = "{s.source.rstrip("/")}"\nlocation = "{s.source.rstrip("/")}"\n\n'
        f'[[registry.mirror]]\nlocation = "{s.target.rstrip("/")}"\npull-from-mirror = "tag-only"\n'
        for s in mapping.substitutions
    ]
    return {
        "/etc/containers/registries.conf.d/ecr-pull-through-cache.conf": (
            "# CRI-O asks the mirror first and the upstream registry when the mirror does not answer.\n"
            + "".join(tables)
        ),
        "/etc/crio/crio.conf.d/10-ecr-pull-through-cache.conf": (
            "# CRI-O signs in to the mirrors, also for the pause image, by docker-credential-ecr-login\n"
            "# (awslabs/amazon-ecr-credential-helper), which must be in its PATH and renews the token by itself.\n"
            f'[crio.image]\nglobal_auth_file = "{_CRIO_AUTH}"\n'
        ),
        _CRIO_AUTH: json.dumps({"credHelpers": {mapping.registry: "ecr-login"}}, indent=2) + "\n",
        **_credential_provider(mapping),
    }


def _whole_hosts(mapping: CacheMapping, kind: ClusterKind) -> dict[str, str]:
    mirrors = _mirrors(mapping)
    if not mirrors:
        raise UserError(
            f"{kind.value} mirrors whole hosts only, and this cache has parts of hosts only: rewrite images at admission"
        )
    return mirrors


def _mirrors(mapping: CacheMapping) -> dict[str, str]:
    """The prefix in the cache of each upstream host that is cached as a whole; a mirror knows no parts of a host."""
    return {
        s.source.rstrip("/"): s.target[len(mapping.registry) + 1 :].rstrip("/")
        for s in mapping.substitutions
        if s.source.count("/") == 1
    }


def _credential_provider(mapping: CacheMapping) -> dict[str, str]:
    """The kubelet's way to ECR's tokens: the provider's binary is cloud-provider-aws's ecr-credential-provider."""
    matches = sorted(_ECR_HOSTS) if EcrHost.parse(mapping.registry) else [mapping.registry]
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
            "--image-credential-provider-bin-dir= the folder of ecr-credential-provider (kubernetes/cloud-provider-aws).\n"
            "Never add docker.io, quay.io, ghcr.io or another upstream to matchImages: a runtime that falls back to it would\n"
            "send it ECR's token. A host that is not ECR's own also needs AWS_REGION in the provider's env.",
            document,
        )
    }


def _file(comment: str, document: dict[str, Any]) -> str:
    lines = "".join(f"# {line}\n" for line in comment.splitlines())
    return lines + to_yaml([document]).removeprefix("---\n")


_MAKERS: dict[ClusterKind, Callable[[CacheMapping], dict[str, str]]] = {
    ClusterKind.KUBEADM: _kubeadm,
    ClusterKind.CONTAINERD: _containerd,
    ClusterKind.K3S: _k3s,
    ClusterKind.CRIO: _crio,
}
