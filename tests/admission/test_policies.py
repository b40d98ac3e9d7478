"""The documents of the policies; what they do is shown on real engines by tests/real."""

import json

import pytest

from ecr_pull_through_cache.admission import (
    FailurePolicy,
    PolicyForm,
    PolicySettings,
    RefusalSettings,
    render_policy,
    render_refusal,
)
from ecr_pull_through_cache.errors import UserError
from tests.corpus import mapping

FORMS = pytest.mark.parametrize("form", PolicyForm, ids=lambda form: form.value)
FAIL = PolicySettings(failure_policy=FailurePolicy.FAIL, excluded_namespaces=("b", "a"))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"name": "Upper"}, "'Upper' is not the name of a policy"),
        ({"name": "a" * 64}, "is not the name of a policy"),
        ({"excluded_namespaces": ("a b",)}, "'a b' is not the name of a namespace"),
    ],
)
@pytest.mark.parametrize("settings", [PolicySettings, RefusalSettings])
def test_names_that_kubernetes_does_not_accept_are_refused(settings, given, message):
    with pytest.raises(UserError, match=message):
        settings(**given)


def test_a_label_that_is_none_is_refused():
    with pytest.raises(UserError, match="'a b' is not a label"):
        PolicySettings(opt_out_label="a b")


def test_exceptions_of_a_refusal_are_patterns():
    with pytest.raises(UserError, match="'nginx' is a pattern of images without a registry"):
        RefusalSettings(allowed=("nginx",))


def test_a_refusal_fails_closed_and_spares_kube_system():
    settings = RefusalSettings()
    assert (settings.failure_policy, settings.excluded_namespaces) == (FailurePolicy.FAIL, ("kube-system",))


@FORMS
def test_audit_twins_have_names_of_their_own_and_stop_nothing(form):
    for documents in (render_policy(mapping(), form, FAIL, audit=True), render_refusal(mapping(), form, audit=True)):
        for document in documents:
            assert "-audit" in document["metadata"]["name"]
            assert document["spec"].get("failurePolicy", "Ignore") == "Ignore"


class TestClusterPolicy:
    """Kyverno puts variables into text, and reads that text again."""

    policy, *others = render_policy(mapping(), PolicyForm.CLUSTER_POLICY, FAIL)

    def test_no_rule_has_a_foreach_or_a_patch_as_text(self):
        assert self.others == []
        text = json.dumps(self.policy)
        assert "foreach" not in text
        assert "patchesJson6902" not in text

    def test_a_patch_is_a_variable_and_nothing_beside_it(self):
        patches = [rule["mutate"]["patchStrategicMerge"] for rule in self.policy["spec"]["rules"]]
        assert patches == [{"spec": "{{ patch }}"}] * 3

    def test_only_what_has_safe_characters_becomes_a_part_of_an_expression(self):
        inside = {
            part.partition("}}")[0].strip()
            for rule in self.policy["spec"]["rules"]
            for entry in rule["context"]
            for part in entry["variable"]["jmesPath"].split("{{")[1:]
        }
        assert inside == {"safe", "oldNames"}

    def test_its_webhook_knows_the_exemptions_where_an_outage_stops_pods(self):
        conditions = self.policy["spec"]["webhookConfiguration"]["matchConditions"]
        assert [condition["name"] for condition in conditions] == [
            "not-opted-out", "not-excluded", "not-a-mirror-pod", "changes-its-spec",
        ]  # fmt: skip
        assert "request.namespace in ['a', 'b']" in conditions[1]["expression"]

    def test_older_versions_of_kyverno_take_it_where_an_outage_stops_nothing(self):
        (policy,) = render_policy(mapping(), PolicyForm.CLUSTER_POLICY)
        assert "webhookConfiguration" not in policy["spec"]

    def test_only_the_audit_twin_of_pods_scans_what_runs(self):
        pods, debug = render_policy(mapping(), PolicyForm.CLUSTER_POLICY, audit=True)
        assert (pods["spec"]["background"], debug["spec"]["background"]) == (True, False)
        assert "ephemeralcontainers" not in json.dumps(pods["spec"]["rules"])


@pytest.mark.parametrize("form", [PolicyForm.MUTATING_POLICY, PolicyForm.MUTATING_ADMISSION_POLICY], ids=str)
def test_policies_in_cel_leave_mirror_pods_and_updates_that_leave_the_spec_alone(form):
    policy, *_ = render_policy(mapping(), form)
    assert [c["name"] for c in policy["spec"]["matchConditions"]] == ["not-a-mirror-pod", "changes-its-spec"]


@FORMS
def test_opt_in_asks_for_the_label_of_the_namespace(form):
    text = json.dumps(render_policy(mapping(), form, PolicySettings(opt_in=True)))
    assert '"operator": "In", "values": ["enabled"]' in text


@FORMS
def test_a_pod_cannot_exempt_itself_from_a_refusal(form):
    text = json.dumps(render_refusal(mapping(), form))
    assert '"selector"' not in text
    assert '"objectSelector"' not in text
    assert "object.metadata.labels" not in text
