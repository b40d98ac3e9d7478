"""RegistryPolicy: one for each registry, with the statements of all constructs, and short whoever grants what."""

import aws_cdk as cdk
import pytest
from aws_cdk import aws_iam as iam

from ecr_pull_through_cache import RegistryPolicy, UserError
from ecr_pull_through_cache.ecr import statements
from tests.support.templates import only

POLICY = "AWS::ECR::RegistryPolicy"
IMPORT = ["ecr:BatchImportUpstreamImage", "ecr:CreateRepository"]
ACCOUNTS = [str(200_000_000_000 + n) for n in range(400)]


def said(stack):
    return only(stack, POLICY)["PolicyText"]["Statement"]


def root(account):
    return f"arn:aws:iam::{account}:root"


def test_grants_to_several_principals_are_one_statement(stack):
    policy = RegistryPolicy.of(stack)
    for account in ACCOUNTS[:3]:
        policy.grant_import(iam.ArnPrincipal(root(account)), repository_prefixes=["k8s"])
    assert said(stack) == [
        {
            "Effect": "Allow",
            "Action": IMPORT,
            "Principal": {"AWS": [root(account) for account in ACCOUNTS[:3]]},
            "Resource": "arn:aws:ecr:eu-west-1:111122223333:repository/k8s/*",
        }
    ]


def test_grants_under_several_prefixes_are_one_statement(stack):
    policy = RegistryPolicy.of(stack)
    for prefix in ("k8s", "quay"):
        policy.grant_replication("222233334444", repository_prefixes=[prefix])
    (statement,) = said(stack)
    assert [arn.rsplit(":", 1)[1] for arn in statement["Resource"]] == ["repository/k8s/*", "repository/quay/*"]


def test_what_differs_in_both_is_not_merged(stack):
    policy = RegistryPolicy.of(stack)
    policy.grant_import(iam.ArnPrincipal(root(ACCOUNTS[0])), repository_prefixes=["k8s"])
    policy.grant_import(iam.ArnPrincipal(root(ACCOUNTS[1])), repository_prefixes=["quay"])
    assert len(said(stack)) == 2, "each may import under its own prefix alone"


def test_the_same_grant_twice_says_it_once(stack):
    for _ in range(2):
        RegistryPolicy.of(stack).grant_import(iam.OrganizationPrincipal("o-exampleorg1"), repository_prefixes=["k8s"])
    (statement,) = said(stack)
    assert statement["Principal"] == {"AWS": "*"}
    assert statement["Condition"] == {"StringEquals": {"aws:PrincipalOrgID": "o-exampleorg1"}}


def test_a_principal_of_a_role_keeps_its_token(stack):
    role = iam.Role(stack, "Role", assumed_by=iam.AccountRootPrincipal())
    RegistryPolicy.of(stack).grant_import(role, iam.AccountPrincipal(cdk.Aws.ACCOUNT_ID), repository_prefixes=["k8s"])
    (statement,) = said(stack)
    assert len(statement["Principal"]["AWS"]) == 2


def test_a_policy_that_is_too_long_is_refused_where_it_is_granted(stack):
    with pytest.raises(UserError, match="Stack/EcrRegistryPolicy: the registry policy would have .*organization: true"):
        RegistryPolicy.of(stack).grant_replication(*ACCOUNTS, repository_prefixes=["k8s"])


def test_statements_of_ones_own_count_too(stack, app):
    for account in ACCOUNTS:
        RegistryPolicy.of(stack).add_to_resource_policy(
            iam.PolicyStatement(principals=[iam.AccountPrincipal(account)], actions=IMPORT, resources=["*"])
        )
    with pytest.raises(RuntimeError, match="the registry policy would have .* characters, and ECR accepts 10,240"):
        app.synth()


def test_the_length_that_is_checked_is_the_one_that_is_deployed(stack):
    RegistryPolicy.of(stack).grant_replication(*ACCOUNTS[:40], repository_prefixes=["k8s", "quay"])
    text = only(stack, POLICY)["PolicyText"]
    granted = statements.registry_replication(RegistryPolicy.of(stack).registry, ACCOUNTS[:40], ["k8s", "quay"])
    assert statements.characters(text) == statements.characters(statements.document(granted))


def test_a_registry_that_others_cache_grants_them_what_aws_names(stack):
    RegistryPolicy.of(stack).grant_upstream("222233334444", "111122223333", repository_prefixes=["team"])
    (statement,) = said(stack)
    assert statement["Action"] == [
        "ecr:BatchGetImage", "ecr:BatchImportUpstreamImage", "ecr:GetDownloadUrlForLayer", "ecr:GetImageCopyStatus",
    ]  # fmt: skip
    assert statement["Principal"] == {"AWS": root("222233334444")}, "its own account needs no permission"
    assert statement["Resource"] == "arn:aws:ecr:eu-west-1:111122223333:repository/team/*"


class TestRegistryPolicy:
    def statements(self, stack):
        return only(stack, "AWS::ECR::RegistryPolicy")["PolicyText"]["Statement"]

    def test_all_constructs_of_a_stack_share_one(self, stack):
        assert RegistryPolicy.of(stack) is RegistryPolicy.of(stack)

    def test_one_made_by_hand_is_the_one(self, stack):
        mine = RegistryPolicy(stack, "Mine")
        assert RegistryPolicy.of(stack) is mine

    def test_a_source_of_replication_may_create_and_replicate(self, stack):
        RegistryPolicy.of(stack).grant_replication("222233334444", repository_prefixes=["k8s"])
        (statement,) = self.statements(stack)
        assert statement["Action"] == ["ecr:CreateRepository", "ecr:ReplicateImage"]
        assert statement["Resource"] == "arn:aws:ecr:eu-west-1:111122223333:repository/k8s/*"
        assert "222233334444" in str(statement["Principal"])

    def test_importers_may_import_and_create(self, stack):
        RegistryPolicy.of(stack).grant_import(iam.OrganizationPrincipal("o-exampleorg1"))
        (statement,) = self.statements(stack)
        assert statement["Action"] == ["ecr:BatchImportUpstreamImage", "ecr:CreateRepository"]
        assert statement["Condition"] == {"StringEquals": {"aws:PrincipalOrgID": "o-exampleorg1"}}

    def test_an_empty_one_is_refused_at_synth(self, app, stack):
        RegistryPolicy(stack, "Empty")
        with pytest.raises(RuntimeError, match="the registry policy has no statements"):
            app.synth()
