"""RegistryPolicy: one for each registry, with the statements of all constructs."""

import pytest
from aws_cdk import aws_iam as iam

from ecr_pull_through_cache import RegistryPolicy
from tests.support.templates import only


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
