"""The command line, as people and pipelines call it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.corpus import HOST

ROOT = Path(__file__).parents[2]
RULES = ["--host", HOST, "--upstream", "k8s=registry.k8s.io", "--upstream", "hub=docker.io"]
POD = "kind: Pod\nspec:\n  containers:\n  - image: nginx:1 # keep\n    args: [--x=registry.k8s.io/a:1]\n"
CACHED = POD.replace("nginx:1", f"{HOST}/hub/library/nginx:1")


def cli(*arguments, stdin="", cwd=ROOT, expect=0):
    done = subprocess.run(
        [Path(sys.executable).with_name("ecr-pull-through"), *map(str, arguments)],
        input=stdin, capture_output=True, text=True, cwd=cwd, check=False,
    )  # fmt: skip
    assert done.returncode == expect, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done


def test_image_prints_what_references_become():
    done = cli("image", "registry.k8s.io/pause:3.10", "-", *RULES, stdin="nginx\n\nmcr.microsoft.com/x\n")
    assert done.stdout.splitlines() == [f"{HOST}/k8s/pause:3.10", f"{HOST}/hub/library/nginx", "mcr.microsoft.com/x"]


def test_image_says_why_and_finds_the_way_back():
    assert "no rule caches this registry" in cli("image", "mcr.microsoft.com/x", "--explain", *RULES).stdout
    assert cli("image", f"{HOST}/k8s/pause", "--reverse", *RULES).stdout == "registry.k8s.io/pause\n"


def test_image_goes_on_after_one_that_is_none():
    done = cli("image", "Nginx", "nginx", *RULES, expect=2)
    assert done.stdout == f"{HOST}/hub/library/nginx\n"
    assert done.stderr.startswith("error: 'Nginx' has an upper-case letter")


class TestRewrite:
    def test_a_pipe(self):
        assert cli("rewrite", "-", *RULES, stdin=POD).stdout == CACHED

    def test_in_place_and_in_folders(self, tmp_path):
        (tmp_path / "a").mkdir()
        (tmp_path / "a/pod.yaml").write_text(POD)
        (tmp_path / "other.txt").write_text(POD)
        (tmp_path / "a/pod.yaml").chmod(0o640)
        done = cli("rewrite", tmp_path, "--in-place", *RULES)
        assert (tmp_path / "a/pod.yaml").read_text() == CACHED
        assert (tmp_path / "a/pod.yaml").stat().st_mode & 0o777 == 0o640
        assert (tmp_path / "other.txt").read_text() == POD
        assert [p.name for p in (tmp_path / "a").iterdir()] == ["pod.yaml"]
        assert "1 images in 1 files, 1 named elsewhere and left" in done.stderr

    def test_check_is_for_pipelines(self, tmp_path):
        path = tmp_path / "pod.yaml"
        path.write_text(POD)
        done = cli("rewrite", path, "--check", *RULES, expect=1)
        assert done.stdout == f"{path}:4:12: nginx:1 -> {HOST}/hub/library/nginx:1\n"
        assert path.read_text() == POD
        path.write_text(CACHED)
        assert cli("rewrite", path, "--check", *RULES).stdout == ""

    def test_a_diff(self, tmp_path):
        path = tmp_path / "pod.yaml"
        path.write_text(POD)
        assert f"+  - image: {HOST}/hub/library/nginx:1 # keep\n" in cli("rewrite", path, "--diff", *RULES).stdout

    def test_the_way_back(self):
        assert cli("rewrite", "-", "--reverse", *RULES, stdin=CACHED).stdout == POD.replace(
            "nginx", "docker.io/library/nginx"
        )

    def test_links_stay_links(self, tmp_path):
        (tmp_path / "real.yaml").write_text(POD)
        (tmp_path / "link.yaml").symlink_to("real.yaml")
        cli("rewrite", tmp_path / "link.yaml", "--in-place", *RULES)
        assert (tmp_path / "link.yaml").is_symlink()
        assert (tmp_path / "real.yaml").read_text() == CACHED


def test_helm_values(tmp_path):
    (tmp_path / "values.yaml").write_text("image:\n  repository: nginx\n  tag: 1\nx: {image: quay.io/a/b}\n")
    done = cli("helm-values", tmp_path / "values.yaml", *RULES)
    assert yaml.safe_load(done.stdout) == {"image": {"repository": f"{HOST}/hub/library/nginx"}}
    assert "x.image: left: quay.io/a/b: no rule caches this registry" in done.stderr


def test_cluster_config_writes_files(tmp_path):
    cli("cluster-config", "kubeadm", "--output", tmp_path, *RULES)
    assert yaml.safe_load((tmp_path / "kubeadm.yaml").read_text())["imageRepository"] == f"{HOST}/k8s"


@pytest.mark.parametrize("form", ["cluster-policy", "mutating-policy", "mutating-admission-policy"])
@pytest.mark.parametrize("audit", [[], ["--audit"]])
def test_policy(form, audit):
    documents = list(yaml.safe_load_all(cli("policy", "--form", form, *audit, *RULES).stdout))
    assert all(d["apiVersion"] for d in documents)


def test_policy_of_a_cluster_is_as_its_configuration_says():
    text = cli("policy", "--config", "environments/example.yaml", "--cluster", "prod-private").stdout
    policy, binding = yaml.safe_load_all(text)
    assert policy["kind"] == "MutatingAdmissionPolicy"
    assert policy["spec"]["failurePolicy"] == "Fail"
    assert binding["kind"] == "MutatingAdmissionPolicyBinding"


def test_a_registry_of_the_configuration_is_a_mapping_too():
    done = cli("image", "registry.k8s.io/pause:3.10", "--config", "environments/minimal.yaml", "--registry", "main")
    assert done.stdout == "111122223333.dkr.ecr.us-east-1.amazonaws.com/k8s/pause:3.10\n"


def test_describe_as_data():
    data = json.loads(cli("describe", "--config", "environments/minimal.yaml", "--json").stdout)
    assert data["registries"]["main"]["upstreams"] == {"k8s": "registry.k8s.io"}
    assert data["clusters"]["demo"]["imports"] is True


MISTAKES = {
    "no mapping": (["image", "nginx"], "no cache is selected; give --config FILE with --cluster NAME or --registry NAME, or --host HOST with --upstream PREFIX=HOST"),
    "no cache": (["image", "nginx", "--host", HOST], "--host is given without --upstream; add the upstreams it caches"),
    "no registry": (["image", "nginx", "--upstream", "k8s=registry.k8s.io"], "--upstream is given without --host"),
    "no pair": (["image", "nginx", "--host", HOST, "--upstream", "k8s"], "--upstream 'k8s' is not PREFIX=HOST"),
    "an upstream that ECR refuses": (["image", "nginx", "--host", HOST, "--upstream", "x1=gcr.io"], "'gcr.io' is not an upstream registry"),
    "both": (["image", "nginx", "--registry", "main", "--cluster", "demo", "--config", "environments/minimal.yaml"], "--cluster and --registry cannot be combined"),
    "no such cluster": (["image", "a", "--config", "environments/minimal.yaml", "--cluster", "x"], "there is no cluster 'x'; give --cluster with one of demo"),
    "no such registry": (["image", "a", "--config", "environments/minimal.yaml", "--registry", "x"], "there is no registry 'x'; there are europe, main, west"),
    "a registry of replicas": (["image", "a", "--config", "environments/minimal.yaml", "--registry", "west"], "west pulls nothing through itself; those that do: main"),
    "rules beside a configuration": (["image", "a", "--config", "environments/minimal.yaml", *RULES], "--host and --upstream cannot be combined with --config"),
    "a folder below a file": (["cluster-config", "kubeadm", "--output", "README.md/x", *RULES], "README.md/x"),
    "no such file": (["rewrite", "nowhere.yaml", *RULES], "nowhere.yaml: no such file or folder"),
    "many files to one output": (["rewrite", "environments", *RULES], "add --in-place, --check or --diff, or give one file"),
    "two outputs": (["rewrite", "-", "--check", "--diff", *RULES], "give one of --in-place, --check and --diff"),
    "no such kind of cluster": (["cluster-config", "nomad", *RULES], "'nomad' is not a kind of cluster; allowed are kubeadm, kops"),
    "a namespace that is none": (["policy", "--exclude-namespace", "A B", *RULES], "'A B' is not the name of a namespace"),
    "a broken configuration": (["describe", "--config", "README.md"], "README.md"),
}  # fmt: skip


@pytest.mark.parametrize(("arguments", "message"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_one_sentence(arguments, message):
    assert message in cli(*arguments, expect=2).stderr
