"""A mistake on the command line is one sentence on standard error, and exit code 2."""

import pytest

from tests.corpus import HOST
from tests.support.command_line import RULES, cli

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
