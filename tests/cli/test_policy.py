"""`policy`: every form of the admission policy."""

import pytest
import yaml

from tests.support.command_line import RULES, cli


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
