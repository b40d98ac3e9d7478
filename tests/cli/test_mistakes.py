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
    "no such kind of cluster": (["cluster-config", "nomad", *RULES], "error: KIND 'nomad' is not known; allowed are kubeadm, kops, containerd, k3s, cri-o;"),
    "a choice nearly right": (["policy", "--form", "mutating-polic"], "error: --form 'mutating-polic' is not known (did you mean 'mutating-policy'?); allowed are cluster-policy, mutating-policy, mutating-admission-policy; ecr-pull-through policy --help explains it\n"),
    "no such format": (["inventory", "--output", "xml"], "error: --output 'xml' is not known; allowed are table, json, csv, images;"),
    "no such setting": (["backfill", "--config", "x", "--replace", "policy"], "error: --replace 'policy' is not known; allowed are lifecyclePolicy, imageTagMutability, resourceTags;"),
    "no such form to begin with": (["init", "--rewrite", "polcy"], "error: --rewrite 'polcy' is not known; allowed are cluster-policy, mutating-policy, mutating-admission-policy, none;"),
    "a verb that needs no policy": (["iam", "inventory", "--config", "x"], "error: COMMAND 'inventory' is not known; allowed are warm, try, backfill, check, purge;"),
    "no such verb": (["frobnicate"], "error: there is no command 'frobnicate'; there are init, describe, diagram, synth, iam, image, rewrite,"),
    "a verb nearly right": (["polcy"], "error: there is no command 'polcy' (did you mean 'policy'?); there are init,"),
    "an option nearly right": (["policy", "--fom", "x"], "error: there is no option --fom (did you mean '--form'?); ecr-pull-through policy --help explains it\n"),
    "no kind of cluster": (["cluster-config", *RULES], "error: KIND is not given; allowed are kubeadm, kops, containerd, k3s, cri-o;"),
    "no references": (["image", *RULES], "error: IMAGE is not given;"),
    "no configuration": (["purge", "k8s", "--registry", "main"], "error: cache.yaml: the configuration cannot be read: No such file or directory; write one with `ecr-pull-through init`, or name another one with --config\n"),
    "an option without its value": (["check", "--config"], "error: --config needs a value;"),
    "a switch with a value": (["check", "--yes=3"], "error: --yes takes no value;"),
    "too many arguments": (["diagram", "a", "b"], "error: 'a b' is one argument too many;"),
    "not a number": (["warm", "a", "--concurrency", "x"], "error: --concurrency 'x' is not a whole number; allowed are 1 to 200;"),
    "a number out of range": (["warm", "a", "--concurrency", "0"], "error: --concurrency '0' is not allowed; allowed are 1 to 200;"),
    "a negative number": (["warm", "a", "--rate", "-1"], "error: --rate '-1' is not allowed; allowed are 0 and more;"),
    "a namespace that is none": (["policy", "--exclude-namespace", "A B", *RULES], "'A B' is not the name of a namespace"),
    "a broken configuration": (["describe", "--config", "README.md"], "README.md"),
}  # fmt: skip


@pytest.mark.parametrize(("arguments", "message"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_one_sentence(arguments, message):
    done = cli(*arguments, expect=2)
    assert message in done.stderr
    assert done.stderr.count("\n") == 1, "one line"
    assert done.stdout == ""
