"""CacheRegistry: the registry of a stack, wherever it is named."""

import json

import aws_cdk as cdk
import pytest
from aws_cdk import aws_iam as iam

from ecr_pull_through_cache import CacheRegistry, ImageWarmer, NodePullPolicy, PullThroughCache, Upstream, UserError
from tests.support.templates import only, template


def cache(stack):
    return PullThroughCache(stack, "Cache", upstreams={"k8s": Upstream.KUBERNETES})


class TestOfAStackWithoutAnEnvironment:
    """`AWS::AccountId` means another account in another stack, so it must never be written there for the cache's."""

    @pytest.fixture
    def stage(self, app):
        return cdk.Stage(app, "Prod")

    @pytest.fixture
    def own(self, stage):
        return cdk.Stack(stage, "Registry")

    @pytest.fixture
    def other(self, stage):
        return cdk.Stack(stage, "Nodes")

    USES = {
        "its host": lambda it, stack: cdk.CfnOutput(stack, "Host", value=it.registry.host),
        "an image": lambda it, stack: cdk.CfnOutput(stack, "Image", value=it.image_uri("k8s", "pause", tag="3.10")),
        "a rule's image": lambda it, stack: cdk.CfnOutput(stack, "Rule", value=it.rules["k8s"].image_uri("pause")),
        "its mapping": lambda it, stack: cdk.CfnOutput(stack, "Map", value=it.mapping().registry),
        "a node policy": lambda it, stack: NodePullPolicy(stack, "Nodes", cache=it),
        "a grant": lambda it, stack: it.grant_import(
            iam.Role(stack, "Role", assumed_by=iam.ServicePrincipal("ec2.amazonaws.com"))
        ),
        "a rule's grant": lambda it, stack: it.rules["k8s"].grant_pull(
            iam.Role(stack, "Role", assumed_by=iam.ServicePrincipal("ec2.amazonaws.com"))
        ),
    }

    @pytest.mark.parametrize("use", USES.values(), ids=USES)
    def test_in_another_stack_it_is_a_reference_to_the_cache_s_own(self, own, other, use):
        use(cache(own), other)
        text = json.dumps(cdk.assertions.Template.from_stack(other).to_json())
        assert "AWS::AccountId" not in text
        assert '{"Ref": "AWS::Region"}' not in text
        assert text.count("Fn::ImportValue") >= 2
        exported = json.dumps(cdk.assertions.Template.from_stack(own).to_json()["Outputs"])
        assert "AWS::AccountId" in exported
        assert "AWS::Region" in exported

    @pytest.mark.parametrize("use", USES.values(), ids=USES)
    def test_in_its_own_stack_nothing_is_exported(self, own, use):
        use(cache(own), own)
        made = cdk.assertions.Template.from_stack(own).to_json()
        assert "AWS::AccountId" in json.dumps(made)
        assert not [output for output in made.get("Outputs", {}).values() if "Export" in output]

    def test_the_warmer_of_another_stack_imports_into_the_cache_s_registry(self, own, other):
        cache(own).add_node_pull_policy("Nodes")
        (policy,) = (r for r in template(own).values() if r["Type"] == "AWS::IAM::ManagedPolicy")
        assert "AWS::AccountId" in json.dumps(policy)
        assert CacheRegistry.of(own) == CacheRegistry.of(own)
        assert CacheRegistry.of(own) != CacheRegistry.of(other)

    def test_a_stack_of_another_account_cannot_use_it(self, app, stage):
        it = cache(cdk.Stack(stage, "Registry"))
        there = cdk.Stack(stage, "There", env=cdk.Environment(account="222233334444", region="eu-west-1"))
        for add in (
            lambda: NodePullPolicy(there, "Nodes", cache=it),
            lambda: ImageWarmer(there, "Warmer", cache=it),
        ):
            with pytest.raises(
                UserError, match="the account of the cache's stack is not known, and 222233334444 of this"
            ):
                add()
        cdk.CfnOutput(there, "Host", value=it.registry.host)
        with pytest.raises(RuntimeError, match="cannot reference"):
            app.synth()


def test_an_account_that_is_known_is_written_out_in_every_stack(app, stack):
    there = cdk.Stack(app, "There", env=cdk.Environment(account="222233334444", region="us-east-1"))
    it = PullThroughCache.from_attributes(
        there, "Cache", registry=CacheRegistry.of(stack), upstreams={"k8s": "registry.k8s.io"}
    )
    NodePullPolicy(there, "Nodes", cache=it)
    assert "arn:aws:ecr:eu-west-1:111122223333:repository/k8s/*" in json.dumps(only(there, "AWS::IAM::ManagedPolicy"))


@pytest.mark.parametrize(("props", "why"), [({"account": 1, "region": "eu-west-1"}, "account is 1 .int.; give a text")])
def test_what_is_no_account_is_refused(props, why):
    with pytest.raises(UserError, match=why):
        CacheRegistry(**props)
