"""`cluster-config`: files for tools that install clusters."""

import yaml

from tests.corpus import HOST
from tests.support.command_line import RULES, cli


def test_cluster_config_writes_files(tmp_path):
    cli("cluster-config", "kubeadm", "--output", tmp_path, *RULES)
    assert yaml.safe_load((tmp_path / "kubeadm.yaml").read_text())["imageRepository"] == f"{HOST}/k8s"


def test_patterns_that_whole_registries_cannot_have_are_said(tmp_path):
    (tmp_path / "c.yaml").write_text(
        'registries: {main: {account: "111122223333", region: eu-west-1, upstreams: {k8s: registry.k8s.io}, '
        "exclude: [registry.k8s.io/kube-*]}}"
    )
    done = cli("cluster-config", "containerd", "--config", tmp_path / "c.yaml", "--registry", "main")
    assert "the patterns of 'exclude', 'only' and 'allow' have no effect on them" in done.stderr
