"""`cluster-config`: files for tools that install clusters."""

import yaml

from tests.corpus import HOST
from tests.support.command_line import RULES, cli


def test_cluster_config_writes_files(tmp_path):
    cli("cluster-config", "kubeadm", "--output", tmp_path, *RULES)
    assert yaml.safe_load((tmp_path / "kubeadm.yaml").read_text())["imageRepository"] == f"{HOST}/k8s"
