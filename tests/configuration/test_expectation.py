"""A configuration as AWS should show it."""

import pytest

from ecr_pull_through_cache.configuration import parse
from ecr_pull_through_cache.configuration.expectation import (
    expected_member,
    expected_nodes,
    expected_registry,
    registry_policy,
    upstream_grants,
)

TEXT = """
organization: o-exampleorg1
registries:
  hub:
    account: "111122223333"
    region: eu-west-1
    upstreams:
      k8s: registry.k8s.io
      team: 444455556666.dkr.ecr.eu-central-1.amazonaws.com
      part: { upstream: 444455556666.dkr.ecr.eu-central-1.amazonaws.com, upstreamRepositoryPrefix: apps }
      theirs: 999988887777.dkr.ecr.eu-west-1.amazonaws.com
    pull: { organization: true, accounts: ["888877776666"] }
    registryPolicyScope: V2
  team:
    account: "444455556666"
    region: eu-central-1
    upstreams: { quay: quay.io }
clusters:
  far: { account: "222233334444", region: eu-west-1, registry: hub, nodes: [{ role: a, kind: fargate }, { role: b }] }
  listed: { account: "888877776666", region: eu-west-1, registry: hub }
  near: { account: "111122223333", region: eu-west-1, registry: hub }
"""


@pytest.fixture(scope="module")
def configuration():
    return parse(TEXT)


def test_the_organisation_stands_for_the_accounts_of_clusters(configuration):
    hub = configuration.registries["hub"]
    assert (hub.pullers.accounts, hub.pullers.organization) == (("888877776666",), "o-exampleorg1")
    assert hub.members == ("222233334444",), "neither the one that is listed nor the hub's own"


def test_an_account_that_pulls_as_a_member_is_asked_for_its_organisation(configuration):
    members = {name: expected_member(cluster) for name, cluster in configuration.clusters.items()}
    assert {name for name, member in members.items() if member is not None} == {"far"}
    assert (members["far"].registry, members["far"].organization) == ("hub", "o-exampleorg1")


def test_under_scope_v2_the_registry_policy_lets_pull_too(configuration):
    statements = list(registry_policy(configuration.registries["hub"]))
    pulls = [s for s in statements if "ecr:BatchGetImage" in s["Action"]]
    assert [s["Principal"]["AWS"] for s in pulls] == [["arn:aws:iam::888877776666:root"], "*"]
    assert all("arn:aws:ecr:eu-west-1:111122223333:repository/k8s/*" in s["Resource"] for s in pulls)
    assert expected_registry(configuration.registries["hub"]).account_settings == {"REGISTRY_POLICY_SCOPE": "V2"}


def test_a_private_upstream_of_the_configuration_grants_its_downstream(configuration):
    grants = upstream_grants(configuration.registries["team"])
    assert [s["Resource"] for s in grants] == [
        ["arn:aws:ecr:eu-central-1:444455556666:repository/apps/*"],
        ["arn:aws:ecr:eu-central-1:444455556666:repository/*"],
    ]
    assert {tuple(s["Action"]) for s in grants} == {
        ("ecr:BatchGetImage", "ecr:BatchImportUpstreamImage", "ecr:GetDownloadUrlForLayer", "ecr:GetImageCopyStatus")
    }
    assert {s["Principal"]["AWS"][0] for s in grants} == {"arn:aws:iam::111122223333:root"}


def test_the_kind_of_nodes_says_which_service_assumes_their_role(configuration):
    a, b = expected_nodes(configuration.clusters["far"])
    assert (a.trusted, b.trusted) == ({"eks-fargate-pods.amazonaws.com"}, frozenset())


def test_tasks_of_ecs_get_no_policy_of_admission_from_the_defaults():
    text = (
        TEXT
        + "  tasks: { account: '111122223333', region: eu-west-1, registry: hub, nodes: [{ role: t, kind: ecs }] }\n"
    )
    clusters = parse("defaults: { rewrite: {} }\n" + text).clusters
    assert clusters["tasks"].rewrite is None
    assert clusters["near"].rewrite is not None
