"""NodePullPolicy: the permissions of nodes."""

import pytest
from aws_cdk import aws_iam as iam

from ecr_pull_through_cache import CacheRegistry, NodePullMode, NodePullPolicy, UserError
from tests.support.templates import only

OTHER = "222233334444"


class TestNodePullPolicy:
    REGISTRY = CacheRegistry(account=OTHER, region="us-east-1")

    def policy(self, stack, **props):
        NodePullPolicy(stack, "N", **{"registry": self.REGISTRY, "repository_prefixes": ["k8s"], **props})
        return only(stack, "AWS::IAM::ManagedPolicy")

    def test_importing_nodes_import_under_their_prefixes_alone(self, stack):
        sign_in, pull, bring = self.policy(stack)["PolicyDocument"]["Statement"]
        assert sign_in["Resource"] == "*"
        assert pull["Resource"] == bring["Resource"] == "arn:aws:ecr:us-east-1:222233334444:repository/k8s/*"
        assert bring["Action"] == ["ecr:BatchImportUpstreamImage", "ecr:CreateRepository"]

    def test_importing_nodes_tag_where_the_template_does(self, stack):
        assert "ecr:TagResource" in self.policy(stack, tag_on_create=True)["PolicyDocument"]["Statement"][2]["Action"]

    def test_pull_only_denies_what_aws_managed_policies_would_allow(self, stack):
        deny = self.policy(stack, mode=NodePullMode.PULL_ONLY)["PolicyDocument"]["Statement"][2]
        assert deny["Effect"] == "Deny"
        assert deny["Action"] == ["ecr:BatchImportUpstreamImage", "ecr:CreateRepository"]

    def test_it_attaches_to_roles_of_the_app_and_by_name(self, stack):
        role = iam.Role(stack, "Role", assumed_by=iam.ServicePrincipal("ec2.amazonaws.com"))
        assert len(self.policy(stack, roles=[role], role_names=["b", "a"])["Roles"]) == 3

    def test_a_role_can_be_added_later(self, stack):
        it = NodePullPolicy(stack, "N", registry=self.REGISTRY, repository_prefixes=["k8s"])
        it.attach_to(iam.Role.from_role_name(stack, "R", "fargate"))
        assert only(stack, "AWS::IAM::ManagedPolicy")["Roles"] == ["fargate"]

    def test_no_prefixes_would_be_no_policy(self, stack):
        with pytest.raises(UserError, match="Stack/N: no repository prefixes are given"):
            self.policy(stack, repository_prefixes=[])
