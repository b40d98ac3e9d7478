"""PullThroughCache and ReplicaRegistry."""

import json

import aws_cdk as cdk
import pytest
from aws_cdk import aws_iam as iam
from aws_cdk.assertions import Template

from ecr_pull_through_cache import (
    CreationTemplateSettings,
    NodePullPolicy,
    Pullers,
    PullThroughCache,
    ReplicaRegistry,
    ReplicationDestination,
    Upstream,
    UpstreamCache,
    UserError,
)
from tests.support.templates import only, resources

OTHER = "222233334444"
TEMPLATE = "AWS::ECR::RepositoryCreationTemplate"


def cache(stack, **props):
    upstreams = {"k8s": Upstream.KUBERNETES, "quay": Upstream.QUAY}
    return PullThroughCache(stack, "Cache", **{"upstreams": upstreams, **props})


def test_five_lines_make_rules_and_templates_and_nothing_else(stack):
    cache(stack)
    kinds = {resource["Type"] for resource in Template.from_stack(stack).to_json()["Resources"].values()}
    assert kinds == {"AWS::ECR::PullThroughCacheRule", TEMPLATE}


def test_logical_ids_are_reviewed(stack, reviewed_ids):
    it = cache(stack, replicate_to=[ReplicationDestination(region="us-east-1")], pullers=Pullers(accounts=(OTHER,)))
    NodePullPolicy(stack, "Nodes", cache=it)
    reviewed_ids("constructs", "PullThroughCache", Template.from_stack(stack).to_json()["Resources"])


def test_the_order_of_upstreams_changes_nothing():
    def synth(order):
        upstreams = {"k8s": Upstream.KUBERNETES, "quay": Upstream.QUAY, "public": Upstream.ECR_PUBLIC}
        stack = cdk.Stack(cdk.App(), "Stack")
        cache(stack, upstreams={prefix: upstreams[prefix] for prefix in order})
        return json.dumps(Template.from_stack(stack).to_json())

    assert synth(["k8s", "quay", "public"]) == synth(["public", "quay", "k8s"])


def test_rules_wait_for_replication_and_their_template(stack):
    cache(stack, replicate_to=[ReplicationDestination(region="us-east-1")])
    for rule in Template.from_stack(stack).find_resources("AWS::ECR::PullThroughCacheRule").values():
        kinds = {Template.from_stack(stack).to_json()["Resources"][name]["Type"] for name in rule["DependsOn"]}
        assert kinds == {"AWS::ECR::ReplicationConfiguration", TEMPLATE}


def test_only_the_cache_is_replicated(stack):
    cache(stack, replicate_to=[ReplicationDestination(region="us-east-1")], replicate_also=["apps"])
    (rule,) = only(stack, "AWS::ECR::ReplicationConfiguration")["ReplicationConfiguration"]["Rules"]
    assert [f["Filter"] for f in rule["RepositoryFilters"]] == ["apps/", "k8s/", "quay/"]


def test_root_replicates_everything(stack):
    cache(stack, upstreams={"ROOT": Upstream.KUBERNETES}, replicate_to=[ReplicationDestination(region="us-east-1")])
    (rule,) = only(stack, "AWS::ECR::ReplicationConfiguration")["ReplicationConfiguration"]["Rules"]
    assert "RepositoryFilters" not in rule


class TestAcrossAccounts:
    """Two of three sides is what everybody gets wrong."""

    def test_the_registry_policy_lets_the_pullers_import(self, stack):
        cache(stack, pullers=Pullers(accounts=(OTHER,)))
        (statement,) = only(stack, "AWS::ECR::RegistryPolicy")["PolicyText"]["Statement"]
        assert statement["Action"] == ["ecr:BatchImportUpstreamImage", "ecr:CreateRepository"]
        assert statement["Resource"] == [
            f"arn:aws:ecr:eu-west-1:111122223333:repository/{p}/*" for p in ("k8s", "quay")
        ]

    def test_every_template_lets_the_pullers_pull(self, stack):
        cache(stack, pullers=Pullers(accounts=(OTHER,), organization="o-exampleorg1"))
        for template in resources(stack, TEMPLATE).values():
            text = json.dumps(template["RepositoryPolicy"])
            assert OTHER in text
            assert "o-exampleorg1" in text
            assert "ecr:GetAuthorizationToken" not in text

    def test_pullers_need_not_import(self, stack):
        cache(stack, pullers=Pullers(accounts=(OTHER,)), importers=Pullers())
        assert not resources(stack, "AWS::ECR::RegistryPolicy")
        assert all("RepositoryPolicy" in template for template in resources(stack, TEMPLATE).values())

    def test_a_repository_policy_of_ones_own_is_added_to(self, stack):
        mine = iam.PolicyDocument(
            statements=[iam.PolicyStatement(sid="Mine", principals=[iam.StarPrincipal()], actions=["ecr:ListImages"])]
        )
        cache(stack, settings=CreationTemplateSettings(repository_policy=mine), pullers=Pullers(accounts=(OTHER,)))
        for template in resources(stack, TEMPLATE).values():
            assert "Mine" in json.dumps(template["RepositoryPolicy"])
            assert "PullFromAccounts" in json.dumps(template["RepositoryPolicy"])
        assert mine.statement_count == 1

    def test_nothing_is_open_to_the_world(self, stack):
        cache(stack, pullers=Pullers(organization="o-exampleorg1"))
        for statement in only(stack, "AWS::ECR::RegistryPolicy")["PolicyText"]["Statement"]:
            assert statement["Condition"] == {"StringEquals": {"aws:PrincipalOrgID": "o-exampleorg1"}}


def test_templates_are_for_replicas_too_where_some_arrive(stack):
    cache(stack, replicated_from=["111122223333", OTHER])
    assert all(t["AppliedFor"] == ["PULL_THROUGH_CACHE", "REPLICATION"] for t in resources(stack, TEMPLATE).values())
    (statement,) = only(stack, "AWS::ECR::RegistryPolicy")["PolicyText"]["Statement"]
    assert statement["Action"] == ["ecr:CreateRepository", "ecr:ReplicateImage"]


def test_each_upstream_may_have_settings_of_its_own(stack):
    own = CreationTemplateSettings(resource_tags={"a": "b"})
    it = cache(
        stack, upstreams={"k8s": UpstreamCache(upstream=Upstream.KUBERNETES, settings=own), "quay": Upstream.QUAY}
    )
    assert it.tags_repositories
    assert [bool(t.get("ResourceTags")) for t in resources(stack, TEMPLATE).values()] == [True, False]


def test_grants_cover_every_prefix_and_nothing_else(stack):
    role = iam.Role(stack, "Role", assumed_by=iam.ServicePrincipal("ec2.amazonaws.com"))
    cache(stack).grant_import(role)
    sign_in, rest = only(stack, "AWS::IAM::Policy")["PolicyDocument"]["Statement"]
    assert sign_in["Action"] == "ecr:GetAuthorizationToken"
    assert rest["Resource"] == [f"arn:aws:ecr:eu-west-1:111122223333:repository/{p}/*" for p in ("k8s", "quay")]


def test_the_mapping_of_a_cache_is_that_of_its_rules(stack):
    mapping = cache(stack).mapping()
    assert mapping.map("registry.k8s.io/pause:3.10") == "111122223333.dkr.ecr.eu-west-1.amazonaws.com/k8s/pause:3.10"


def test_an_uri_under_an_unknown_prefix_names_those_there_are(stack):
    it = cache(stack)
    assert it.image_uri("quay", "a/b", tag="1") == "111122223333.dkr.ecr.eu-west-1.amazonaws.com/quay/a/b:1"
    with pytest.raises(UserError, match="Stack/Cache: no upstream is cached under 'hub'; there are k8s, quay"):
        it.image_uri("hub", "nginx")


def test_a_cache_of_nothing_is_refused(stack):
    with pytest.raises(UserError, match="Stack/Cache: no upstreams are given"):
        cache(stack, upstreams={})


class TestReplicaRegistry:
    def test_it_has_templates_for_replication_and_lets_other_accounts_in(self, stack):
        ReplicaRegistry(stack, "R", repository_prefixes=["quay", "k8s"], replicated_from=["111122223333", OTHER])
        assert {t["Prefix"] for t in resources(stack, TEMPLATE).values()} == {"k8s", "quay"}
        assert all(t["AppliedFor"] == ["REPLICATION"] for t in resources(stack, TEMPLATE).values())
        (statement,) = only(stack, "AWS::ECR::RegistryPolicy")["PolicyText"]["Statement"]
        assert OTHER in str(statement["Principal"])

    def test_within_an_account_no_policy_is_needed(self, stack):
        ReplicaRegistry(stack, "R", repository_prefixes=["k8s"], replicated_from=["111122223333"])
        assert not resources(stack, "AWS::ECR::RegistryPolicy")

    def test_no_prefixes_are_refused(self, stack):
        with pytest.raises(UserError, match="Stack/R: no repository prefixes are given"):
            ReplicaRegistry(stack, "R", repository_prefixes=[])
