"""NodePullPolicy: the permissions of nodes."""

import json

import aws_cdk as cdk
import pytest
from aws_cdk import aws_iam as iam

from ecr_pull_through_cache import (
    CacheRegistry,
    NodePullMode,
    NodePullPolicy,
    Pullers,
    PullThroughCache,
    Upstream,
    UserError,
)
from tests.support.templates import only, resources

OTHER = "222233334444"
POLICY = "AWS::IAM::ManagedPolicy"


class TestNodePullPolicy:
    REGISTRY = CacheRegistry(account=OTHER, region="us-east-1")

    def cache(self, stack, **attributes):
        given = {"registry": self.REGISTRY, "upstreams": {"k8s": Upstream.KUBERNETES}, **attributes}
        return PullThroughCache.from_attributes(stack, "Cache", **given)

    def policy(self, stack, *, attributes=None, **props):
        NodePullPolicy(stack, "N", cache=self.cache(stack, **(attributes or {})), **props)
        return only(stack, POLICY)

    def test_importing_nodes_import_under_their_prefixes_alone(self, stack):
        sign_in, pull, bring = self.policy(stack)["PolicyDocument"]["Statement"]
        assert sign_in["Resource"] == "*"
        assert pull["Resource"] == bring["Resource"] == "arn:aws:ecr:us-east-1:222233334444:repository/k8s/*"
        assert bring["Action"] == ["ecr:BatchImportUpstreamImage", "ecr:CreateRepository"]

    def test_importing_nodes_tag_where_the_template_does(self, stack):
        policy = self.policy(stack, attributes={"tags_repositories": True})
        assert "ecr:TagResource" in policy["PolicyDocument"]["Statement"][2]["Action"]

    def test_pull_only_denies_what_aws_managed_policies_would_allow(self, stack):
        deny = self.policy(stack, mode=NodePullMode.PULL_ONLY)["PolicyDocument"]["Statement"][2]
        assert deny["Effect"] == "Deny"
        assert deny["Action"] == ["ecr:BatchImportUpstreamImage", "ecr:CreateRepository"]

    def test_nodes_of_a_registry_of_replicas_pull_only(self, stack):
        replicas = {"upstreams": {}, "replicas": {"k8s": Upstream.KUBERNETES}}
        assert self.policy(stack, attributes=replicas)["PolicyDocument"]["Statement"][2]["Effect"] == "Deny"

    def test_nodes_of_a_registry_of_replicas_cannot_import(self, stack):
        replicas = {"upstreams": {}, "replicas": {"k8s": Upstream.KUBERNETES}}
        with pytest.raises(UserError, match="Stack/N: the registry holds replicas only"):
            self.policy(stack, attributes=replicas, mode=NodePullMode.IMPORT)

    def test_it_attaches_to_roles_of_the_app_and_by_name(self, stack):
        role = iam.Role(stack, "Role", assumed_by=iam.ServicePrincipal("ec2.amazonaws.com"))
        assert len(self.policy(stack, roles=[role], role_names=["b", "a"])["Roles"]) == 3

    def test_a_role_can_be_added_later(self, stack):
        it = NodePullPolicy(stack, "N", cache=self.cache(stack))
        it.attach_to(iam.Role.from_role_name(stack, "R", "fargate"))
        assert only(stack, POLICY)["Roles"] == ["fargate"]

    def test_no_prefixes_would_be_no_policy(self, stack):
        with pytest.raises(UserError, match="Stack/Cache: no upstreams are given"):
            self.policy(stack, attributes={"upstreams": {}})


class TestAcrossAccountsOfOneApp:
    """Two of three sides is the usual mistake."""

    def nodes(self, app, stack, **props):
        cache = PullThroughCache(stack, "Cache", upstreams={"k8s": Upstream.KUBERNETES}, **props)
        elsewhere = cdk.Stack(app, "Nodes", env=cdk.Environment(account=OTHER, region="eu-west-1"))
        NodePullPolicy(elsewhere, "N", cache=cache)
        return elsewhere

    def test_the_registry_lets_the_account_of_the_nodes_in(self, app, stack):
        self.nodes(app, stack)
        assert OTHER in json.dumps(only(stack, "AWS::ECR::RegistryPolicy"))
        assert OTHER in json.dumps(only(stack, "AWS::ECR::RepositoryCreationTemplate")["RepositoryPolicy"])

    def test_an_account_that_is_let_in_already_changes_nothing(self, app, stack):
        self.nodes(app, stack, pullers=Pullers(accounts=(OTHER,)))
        (statement,) = only(stack, "AWS::ECR::RegistryPolicy")["PolicyText"]["Statement"]
        assert json.dumps(statement).count(OTHER) == 1


def characters(policy):
    """As IAM counts them: without white space, and with the longest values of what is known at deployment."""
    text = json.dumps(policy["PolicyDocument"], separators=(",", ":"))
    for name, longest in {"AccountId": 12, "Region": 20, "Partition": 12}.items():
        text = text.replace(json.dumps({"Ref": f"AWS::{name}"}, separators=(",", ":")), "x" * longest)
    return len(text)


class TestManyPrefixes:
    PREFIXES = tuple(f"payments-platform-team-no-{i:03d}" for i in range(40))

    def policies(self, stack, count, mode):
        cache = PullThroughCache.from_attributes(
            stack,
            "Cache",
            registry=CacheRegistry(account=OTHER, region="ap-northeast-1") if stack.account[0] == "1" else None,
            upstreams=dict.fromkeys(self.PREFIXES[:count], Upstream.QUAY),
            tags_repositories=True,
        )
        it = NodePullPolicy(stack, "N", cache=cache, mode=mode, role_names=["nodes"], managed_policy_name="pull")
        assert len(it.managed_policy_arns) == len(it.policies)
        return list(resources(stack, POLICY).values())

    @pytest.mark.parametrize("mode", NodePullMode)
    @pytest.mark.parametrize("known", [True, False])
    @pytest.mark.parametrize("count", [1, 9, 30, 36, 40])
    def test_each_policy_is_one_that_iam_accepts_and_all_say_the_same(self, app, count, known, mode):
        env = cdk.Environment(account="111122223333", region="us-east-1") if known else None
        made = self.policies(cdk.Stack(app, "Stack", env=env), count, mode)
        assert all(characters(policy) <= 6144 for policy in made)
        assert all(policy["Roles"] == ["nodes"] for policy in made)
        assert len({policy["ManagedPolicyName"] for policy in made}) == len(made)
        assert len(made) > 1 or count < 36
        named = {}
        for statement in (s for policy in made for s in policy["PolicyDocument"]["Statement"]):
            where = statement["Resource"]
            for arn in where if isinstance(where, list) else [where]:
                named.setdefault(statement["Sid"], []).append(json.dumps(arn))
        for sid, arns in named.items():
            assert len(arns) == len(set(arns)) == (1 if sid == "SignIn" else count), sid
