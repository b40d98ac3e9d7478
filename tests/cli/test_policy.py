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


def test_opt_in_is_an_option_too():
    (policy,) = yaml.safe_load_all(cli("policy", "--opt-in", *RULES).stdout)
    (requirement,) = policy["spec"]["matchConstraints"]["namespaceSelector"]["matchExpressions"]
    assert requirement == {"key": "ecr-pull-through-cache/rewrite", "operator": "In", "values": ["enabled"]}


class TestRefuse:
    @pytest.mark.parametrize(
        ("form", "kinds"),
        [
            ("cluster-policy", ["ClusterPolicy"]),
            ("mutating-policy", ["ValidatingPolicy"]),
            ("mutating-admission-policy", ["ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"]),
        ],
    )
    def test_every_form_refuses_with_fail_and_spares_kube_system(self, form, kinds):
        text = cli("policy", "--refuse", "--form", form, "--exclude-namespace", "builds", *RULES).stdout
        documents = list(yaml.safe_load_all(text))
        assert [d["kind"] for d in documents] == kinds
        assert documents[0]["metadata"]["name"] == "ecr-pull-through-cache-refuse"
        assert documents[0]["spec"]["failurePolicy"] == "Fail"
        assert "kube-system" in text
        assert "builds" in text

    def test_audit_comes_first(self):
        (policy,) = yaml.safe_load_all(cli("policy", "--refuse", "--audit", *RULES).stdout)
        assert policy["metadata"]["name"] == "ecr-pull-through-cache-refuse-audit"
        assert (policy["spec"]["validationActions"], policy["spec"]["failurePolicy"]) == (["Audit"], "Ignore")

    def test_exceptions_are_patterns(self):
        assert "quay[.]io/team/" in cli("policy", "--refuse", "--allow", "quay.io/team/*", *RULES).stdout
        done = cli("policy", "--refuse", "--allow", "nginx", *RULES, expect=2)
        assert "'nginx' is a pattern of images without a registry" in done.stderr

    def test_options_that_go_with_it_alone_are_refused_without_it(self):
        assert "--allow is given without --refuse" in cli("policy", "--allow", "quay.io/a", *RULES, expect=2).stderr
        done = cli("policy", "--refuse", "--opt-in", *RULES, expect=2)
        assert "--opt-in and --refuse cannot be combined" in done.stderr


class TestNextSteps:
    """Said on standard error, so that the output stays YAML."""

    def test_kyverno_is_installed_with_values_of_this_package(self):
        said = cli("policy", "--form", "mutating-policy", *RULES).stderr
        assert "this policy needs Kyverno 1.17 or newer" in said
        assert (
            "helm upgrade --install kyverno kyverno --repo https://kyverno.github.io/kyverno/ --version 3.9.0" in said
        )
        assert "deprecates" not in said

    def test_the_deprecation_is_said_where_the_form_is_chosen(self):
        said = cli("policy", "--form", "cluster-policy", *RULES).stderr
        assert "Kyverno deprecates ClusterPolicy since 1.17 and will remove it" in said

    def test_kubernetes_needs_nothing(self):
        said = cli("policy", "--form", "mutating-admission-policy", *RULES).stderr
        assert said == "this policy needs Kubernetes 1.36 or newer, and no controller\n"

    def test_the_values_put_its_images_into_the_cache(self):
        text = cli("policy", "--kyverno-values", *RULES, "--upstream", "gh=ghcr.io").stdout
        image = yaml.safe_load(text)["admissionController"]["container"]["image"]
        assert image == {"registry": RULES[1], "repository": "gh/kyverno/kyverno"}
