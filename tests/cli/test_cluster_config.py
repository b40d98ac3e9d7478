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


def test_a_part_of_a_host_that_cannot_be_mirrored_is_said_and_shows_in_the_exit_code():
    part = ["--upstream", "prom=quay.io/prometheus"]
    done = cli("cluster-config", "containerd", *RULES, *part, expect=1)
    assert "quay.io/prometheus: containerd mirrors whole hosts only; its images stay upstream" in done.stderr
    assert "quay.io" in cli("cluster-config", "cri-o", *RULES, *part).stdout


def test_a_version_of_kops_that_cannot_use_a_cache_is_refused():
    assert (
        "kOps 1.36 writes a mirror without override_path"
        in cli("cluster-config", "kops", "--kops-version", "1.36", *RULES, expect=2).stderr
    )


def test_a_script_can_be_run_where_it_is_written(tmp_path):
    cli("cluster-config", "containerd", "--output", tmp_path, *RULES)
    assert (tmp_path / "usr/local/sbin/ecr-mirrors").stat().st_mode & 0o777 == 0o755
