"""Grants on a cache: to principals of its own account, of other accounts, and of none."""

import json

import aws_cdk as cdk
import pytest
from aws_cdk import aws_iam as iam

from ecr_pull_through_cache import (
    CacheRegistry,
    CreationTemplateSettings,
    ImageWarmer,
    NodePullPolicy,
    Pullers,
    PullThroughCache,
    PullThroughCacheRule,
    RepositoryCreationTemplate,
    Upstream,
    UserError,
)
from tests.support.templates import another, only, resources, template, warnings

OTHER = "222233334444"
TEMPLATE = "AWS::ECR::RepositoryCreationTemplate"
REGISTRY_POLICY = "AWS::ECR::RegistryPolicy"
IMPORT = "ecr:BatchImportUpstreamImage"


def cache(stack, **props):
    return PullThroughCache(stack, "Cache", **{"upstreams": {"k8s": Upstream.KUBERNETES}, **props})


def theirs(stack, **attributes):
    """A cache that another app makes, in another account."""
    registry = CacheRegistry(account=OTHER, region="us-east-1")
    upstreams = {"k8s": Upstream.KUBERNETES}
    return PullThroughCache.from_attributes(stack, "Theirs", registry=registry, upstreams=upstreams, **attributes)


def role_of(stack, name="Role"):
    return iam.Role(stack, name, assumed_by=iam.ServicePrincipal("ec2.amazonaws.com"))


def foreign_role(stack):
    return iam.Role.from_role_arn(stack, "Foreign", f"arn:aws:iam::{OTHER}:role/nodes")


def elsewhere(app, name="Elsewhere", account=OTHER):
    return cdk.Stack(app, name, env=cdk.Environment(account=account, region="eu-west-1"))


class TestTags:
    """Where a template sets resource tags, an import needs one permission more, whichever way it is granted."""

    def test_every_way_to_grant_an_import_carries_it(self, stack):
        it = cache(stack, settings=CreationTemplateSettings(resource_tags={"team": "x"}))
        NodePullPolicy(stack, "Nodes", cache=it)
        it.add_node_pull_policy("Added")
        ImageWarmer(stack, "Warmer", cache=it, images=["registry.k8s.io/pause:3.10"])
        it.rules["k8s"].grant_import(role_of(stack, "ByRule"))
        it.grant_import(role_of(stack, "ByCache"))
        it.grant_import(iam.AccountPrincipal(OTHER))
        importing = {
            name: json.dumps(resource["Properties"])
            for name, resource in template(stack).items()
            if "Policy" in resource["Type"] and IMPORT in json.dumps(resource["Properties"])
        }
        assert len(importing) == 6
        assert [name for name, text in importing.items() if "ecr:TagResource" not in text] == []

    def test_a_cache_that_does_not_tag_carries_it_nowhere(self, stack):
        it = cache(stack)
        NodePullPolicy(stack, "Nodes", cache=it)
        it.grant_import(role_of(stack))
        assert "ecr:TagResource" not in json.dumps(template(stack))

    def test_an_imported_cache_says_whether_it_tags(self, stack):
        pullers = Pullers(accounts=("111122223333",))
        it = theirs(stack, tags_repositories=True, pullers=pullers)
        it.grant_import(role_of(stack, "ByCache"))
        it.rules["k8s"].grant_import(role_of(stack, "ByRule"))
        policies = resources(stack, "AWS::IAM::Policy").values()
        assert ["ecr:TagResource" in json.dumps(policy) for policy in policies] == [True, True]


class TestWithinTheAccount:
    def test_the_identity_is_enough(self, stack):
        grant = cache(stack).grant_import(role_of(stack))
        assert grant.success
        assert not resources(stack, REGISTRY_POLICY)

    def test_any_action_can_be_granted_on_the_repositories(self, stack):
        cache(stack).grant(role_of(stack), "ecr:DescribeImages")
        _, rest = only(stack, "AWS::IAM::Policy")["PolicyDocument"]["Statement"]
        assert rest["Action"] == "ecr:DescribeImages"
        assert rest["Resource"] == "arn:aws:ecr:eu-west-1:111122223333:repository/k8s/*"

    def test_the_account_itself_is_let_in_by_the_registry(self, stack):
        assert cache(stack).grant_pull(iam.AccountRootPrincipal()).success
        assert "root" in json.dumps(only(stack, TEMPLATE)["RepositoryPolicy"])

    def test_an_identity_that_cannot_be_written_from_here_is_refused(self, app, stack):
        registry = CacheRegistry(account=OTHER, region="eu-west-1")
        it = PullThroughCache.from_attributes(stack, "Theirs", registry=registry, upstreams={"k8s": "registry.k8s.io"})
        with pytest.raises(
            UserError, match=f"Stack/Theirs: arn:aws:iam::{OTHER}:role/nodes is of the account {OTHER}, and"
        ):
            it.grant_pull(foreign_role(stack))


class TestAcrossAccounts:
    def test_a_role_of_the_app_gets_both_sides(self, app, stack):
        there = elsewhere(app)
        assert cache(stack).grant_import(role_of(there)).success
        assert IMPORT in json.dumps(only(there, "AWS::IAM::Policy"))
        (statement,) = only(stack, REGISTRY_POLICY)["PolicyText"]["Statement"]
        assert statement["Action"] == ["ecr:BatchImportUpstreamImage", "ecr:CreateRepository"]
        assert statement["Principal"] == {"AWS": f"arn:aws:iam::{OTHER}:root"}
        policy = json.loads(only(stack, TEMPLATE)["RepositoryPolicy"])
        assert policy["Statement"][0]["Principal"] == {"AWS": f"arn:aws:iam::{OTHER}:root"}
        assert warnings(stack) == []

    def test_a_role_that_lies_elsewhere_is_let_in_and_its_own_policy_is_asked_for(self, stack):
        assert cache(stack).grant_import(foreign_role(stack)).success
        assert OTHER in json.dumps(only(stack, REGISTRY_POLICY))
        assert OTHER in json.dumps(only(stack, TEMPLATE)["RepositoryPolicy"])
        assert warnings(stack) == ["cdk-ecr-pull-through-cache:grantNeedsIdentityPolicy"]

    @pytest.mark.parametrize(
        ("principal", "written"),
        [
            (iam.AccountPrincipal(OTHER), f"{OTHER}:root"),
            (iam.ArnPrincipal(f"arn:aws:iam::{OTHER}:role/nodes"), f"{OTHER}:root"),
            (iam.OrganizationPrincipal("o-exampleorg1"), "o-exampleorg1"),
            (iam.ServicePrincipal("codebuild.amazonaws.com"), "codebuild.amazonaws.com"),
        ],
        ids=["account", "role", "organization", "service"],
    )
    def test_a_principal_without_policies_of_its_own_is_let_in_by_the_registry(self, stack, principal, written):
        assert cache(stack).grant_import(principal).success
        assert written in json.dumps(only(stack, REGISTRY_POLICY))
        assert written in json.dumps(only(stack, TEMPLATE)["RepositoryPolicy"])

    def test_a_pull_needs_no_registry_policy(self, app, stack):
        cache(stack).grant_pull(role_of(elsewhere(app)))
        assert not resources(stack, REGISTRY_POLICY)
        assert IMPORT not in json.dumps(only(stack, TEMPLATE))

    def test_who_is_let_in_already_is_not_let_in_again(self):
        def deployed(*, granted):
            stack = another()
            it = cache(stack, pullers=Pullers(accounts=(OTHER,)))
            if granted:
                it.grant_import(role_of(elsewhere(stack.node.root)))
                it.rules["k8s"].grant_import(role_of(elsewhere(stack.node.root, "Third")))
            return template(stack)

        assert deployed(granted=True) == deployed(granted=False)

    def test_two_grants_to_one_account_are_one_statement(self, app, stack):
        it = cache(stack)
        there = elsewhere(app)
        it.grant_import(role_of(there, "One"))
        it.grant_import(role_of(there, "Two"))
        assert len(only(stack, REGISTRY_POLICY)["PolicyText"]["Statement"]) == 1
        assert len(json.loads(only(stack, TEMPLATE)["RepositoryPolicy"])["Statement"]) == 1

    def test_a_repository_policy_of_ones_own_is_added_to_and_left_as_it_was(self, app, stack):
        mine = iam.PolicyDocument(
            statements=[iam.PolicyStatement(sid="Mine", principals=[iam.StarPrincipal()], actions=["ecr:ListImages"])]
        )
        upstreams = {"k8s": Upstream.KUBERNETES, "quay": Upstream.QUAY}
        cache(stack, upstreams=upstreams, settings=CreationTemplateSettings(repository_policy=mine)).grant_pull(
            role_of(elsewhere(app))
        )
        for made in resources(stack, TEMPLATE).values():
            assert [s["Sid"] for s in json.loads(made["RepositoryPolicy"])["Statement"]] == ["Mine", f"GrantTo{OTHER}"]
        assert mine.statement_count == 1

    @pytest.mark.parametrize("grant", ["grant_pull", "grant_import"])
    def test_a_cache_of_another_app_cannot_be_opened_from_here(self, stack, grant):
        it = theirs(stack)
        for granting in (it, it.rules["k8s"]):
            with pytest.raises(
                UserError, match="the account 111122223333 is not let in by the registry 222233334444/us-east"
            ):
                getattr(granting, grant)(role_of(stack, f"Role{granting.node.id}"))

    def test_a_cache_of_another_app_grants_to_accounts_that_it_lets_in(self, stack):
        theirs(stack, pullers=Pullers(accounts=("111122223333",))).grant_import(role_of(stack))
        assert IMPORT in json.dumps(only(stack, "AWS::IAM::Policy"))

    def test_other_actions_than_pulls_are_not_let_in_by_pullers(self, stack):
        it = theirs(stack, pullers=Pullers(accounts=("111122223333",)))
        with pytest.raises(UserError, match="is not let in by the registry"):
            it.grant(role_of(stack), "ecr:DescribeImages")


class TestOfARule:
    def rule(self, stack):
        return PullThroughCacheRule(stack, "Rule", upstream=Upstream.KUBERNETES, repository_prefix="k8s")

    def test_pulls_of_another_account_need_a_template(self, app, stack):
        with pytest.raises(
            UserError, match="Stack/Rule: pulls of another account need a repository policy, and k8s has no"
        ):
            self.rule(stack).grant_pull(role_of(elsewhere(app)))

    @pytest.mark.parametrize("prefix", ["k8s", "k8s/coredns"])
    def test_its_templates_let_another_account_pull(self, app, stack, prefix):
        RepositoryCreationTemplate(stack, "Template", prefix=prefix)
        self.rule(stack).grant_pull(role_of(elsewhere(app)))
        assert OTHER in json.dumps(only(stack, TEMPLATE)["RepositoryPolicy"])

    def test_a_template_of_more_than_the_rule_is_not_opened(self, app, stack):
        RepositoryCreationTemplate(stack, "Template", prefix="ROOT")
        with pytest.raises(UserError, match="k8s has no creation template of its own"):
            self.rule(stack).grant_pull(role_of(elsewhere(app)))


def test_what_is_no_principal_is_refused(stack):
    with pytest.raises(
        UserError, match="Stack/Cache: 'nodes' is no principal; grant to a role, a user, a group or a principal"
    ):
        cache(stack).grant_pull("nodes")
