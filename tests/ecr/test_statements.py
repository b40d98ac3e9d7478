"""Statements of a cache's policies: who may pull, import and replicate."""

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecr_pull_through_cache import UserError
from ecr_pull_through_cache.ecr import statements
from ecr_pull_through_cache.ecr.registry import EcrRegistry
from ecr_pull_through_cache.ecr.statements import Importable, Who

HUB = EcrRegistry(account="111122223333", region="eu-west-1")
UPSTREAM = EcrRegistry(account="444455556666", region="eu-central-1")
K8S = "arn:aws:ecr:eu-west-1:111122223333:repository/k8s/*"
QUAY = "arn:aws:ecr:eu-west-1:111122223333:repository/quay/*"
NINE = tuple(
    Importable(prefix=p) for p in ("acr", "cgr", "ecr-public", "ghcr", "gitlab", "hub", "k8s", "quay", "team-a")
)


def accounts(number):
    return Who(accounts=tuple(str(200_000_000_000 + n) for n in range(number)))


def test_all_accounts_stand_in_one_statement_and_the_organisation_in_another():
    who = Who(accounts=("333344445555", "222233334444", "222233334444"), organization="o-exampleorg1")
    listed, organization = statements.registry_import(HUB, who, [Importable(prefix="k8s"), Importable(prefix="quay")])
    assert listed["Principal"] == {"AWS": ["arn:aws:iam::222233334444:root", "arn:aws:iam::333344445555:root"]}
    assert organization["Principal"] == {"AWS": "*"}
    assert organization["Condition"] == {"StringEquals": {"aws:PrincipalOrgID": "o-exampleorg1"}}
    assert listed["Resource"] == organization["Resource"] == [K8S, QUAY]


def test_nobody_is_no_statement():
    assert not Who()
    assert statements.repository_pull(HUB, Who()) == []
    assert statements.registry_replication(HUB, [HUB.account], ["k8s"]) == [], "its own account needs no permission"


def test_a_template_that_tags_makes_importers_and_sources_need_to_tag():
    (imports,) = statements.registry_import(HUB, accounts(1), NINE, tags=True)
    (replicates,) = statements.registry_replication(HUB, ["222233334444"], ["k8s"], tags=True)
    assert imports["Action"] == ["ecr:BatchImportUpstreamImage", "ecr:CreateRepository", "ecr:TagResource"]
    assert replicates["Action"] == ["ecr:CreateRepository", "ecr:ReplicateImage", "ecr:TagResource"]


def test_the_root_prefix_takes_the_place_of_every_other_one():
    assert statements.repositories(HUB, ["k8s", "ROOT"]) == ["arn:aws:ecr:eu-west-1:111122223333:repository/*"]


def test_an_allow_list_limits_what_is_imported_on_both_sides():
    caches = [Importable(prefix="hub", allow=("library/alpine", "bitnami/*")), Importable(prefix="k8s")]
    allowed = [K8S, *(K8S.replace("k8s/*", f"hub/{name}") for name in ("bitnami/*", "library/alpine"))]
    (registry,) = statements.registry_import(HUB, accounts(1), caches)
    assert registry["Resource"] == sorted(allowed)
    nodes = {s["Sid"]: s for s in statements.node_pull(HUB, caches)}
    assert nodes["ImportNewImages"]["Resource"] == sorted(allowed)
    assert nodes["ImportNothingElse"] == {
        "Sid": "ImportNothingElse",
        "Effect": "Deny",
        "Action": ["ecr:BatchImportUpstreamImage"],
        "NotResource": sorted(allowed),
        "Condition": {"StringEquals": {"aws:ResourceAccount": "111122223333", "aws:RequestedRegion": "eu-west-1"}},
    }


def test_known_repositories_only_means_that_none_is_created():
    caches = [Importable(prefix="k8s"), Importable(prefix="quay", known_only=True)]
    nodes = {s["Sid"]: s for s in statements.node_pull(HUB, caches, tags=True)}
    assert nodes["ImportNewImages"]["Resource"] == [K8S]
    known = nodes["ImportNewImagesOfKnownRepositories"]
    assert (known["Action"], known["Resource"]) == (["ecr:BatchImportUpstreamImage"], [QUAY])
    assert (nodes["CreateNothing"]["Effect"], nodes["CreateNothing"]["Resource"]) == ("Deny", [QUAY])


def test_nodes_that_import_nothing_are_denied_it():
    assert [s["Sid"] for s in statements.node_pull(HUB, NINE, imports=False)] == [
        "SignIn", "PullCachedImages", "ImportNothing",
    ]  # fmt: skip


def test_an_upstream_in_ecr_grants_the_four_actions_that_aws_names():
    (grant,) = statements.upstream_grant(UPSTREAM, [HUB.account, UPSTREAM.account], ["team"])
    assert grant["Action"] == [
        "ecr:BatchGetImage", "ecr:BatchImportUpstreamImage", "ecr:GetDownloadUrlForLayer", "ecr:GetImageCopyStatus",
    ]  # fmt: skip
    assert grant["Principal"] == {"AWS": ["arn:aws:iam::111122223333:root"]}
    assert grant["Resource"] == ["arn:aws:ecr:eu-central-1:444455556666:repository/team/*"]


class TestSize:
    def test_it_is_the_length_of_the_text_without_white_space(self):
        policy = statements.document(statements.registry_import(HUB, accounts(3), NINE))
        assert statements.characters(policy) == len(json.dumps(policy, separators=(",", ":")))

    def test_what_is_known_at_deployment_only_counts_as_its_shortest_value(self):
        join = {"Fn::Join": ["", ["arn:", {"Ref": "AWS::Partition"}, ":iam::", {"Ref": "AWS::AccountId"}, ":root"]]}
        assert statements.characters({"A": join}) == len('{"A":"arn:aws:iam::111122223333:root"}')
        assert statements.characters({"A": {"Fn::ImportValue": "x" * 99}}) == len('{"A":""}')
        assert statements.characters({"A": "${Token[AWS.AccountId.3]}x"}) == len('{"A":"x"}')

    @pytest.mark.parametrize("number", [5, 40])
    def test_so_many_accounts_fit_with_nine_upstreams(self, number):
        statements.check_size(
            "registry policy", statements.document(statements.registry_import(HUB, accounts(number), NINE))
        )

    def test_too_many_are_one_error_that_names_the_way_out(self):
        policy = statements.document(statements.repository_pull(HUB, accounts(400)))
        with pytest.raises(UserError) as error:
            statements.check_size("repository policy", policy)
        assert str(error.value) == (
            "the repository policy would have 13,398 characters, and ECR accepts 10,240; it names 400 principals: name their "
            "AWS organisation instead (organization: true under 'pull' in a configuration, Pullers(organization=...) in "
            "Python)"
        )


@given(st.integers(min_value=1, max_value=120), st.booleans())
def test_the_permissions_of_nodes_are_shared_out_over_policies_that_iam_accepts(number, imports):
    caches = [Importable(prefix=f"payments-platform-team-no-{n:03d}") for n in range(number)]
    whole = statements.node_pull(HUB, caches, imports=imports)
    policies = statements.split(whole)
    sizes = [statements.characters(statements.document(policy)) for policy in policies]
    assert max(sizes) <= 6_144
    assert all(one + other > 6_144 for one, other in pairwise(sizes)), "no two could be one"

    def said(some):
        return {(s["Effect"], action, arn) for s in some for action in s["Action"] for arn in s["Resource"]}

    assert said(s for policy in policies for s in policy) == said(whole)


def test_a_denial_of_everything_else_is_not_cut():
    caches = [Importable(prefix="hub", allow=tuple(f"library/{'x' * 90}{n}" for n in range(60)))]
    with pytest.raises(UserError, match="the statement .ImportNothingElse. has [0-9,]* characters, and a managed"):
        statements.split(statements.node_pull(HUB, caches))
