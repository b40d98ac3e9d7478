"""CacheRemoval: cached images are deleted with the stack."""

import aws_cdk as cdk
import pytest
from aws_cdk import aws_kms as kms

from ecr_pull_through_cache import CacheRemoval, CreationTemplateSettings, PullThroughCache, Upstream, UserError
from tests.support.templates import allowed, template

PREFIX = "arn:aws:ecr:eu-west-1:111122223333:repository/k8s/*"


class TestCacheRemoval:
    def removal(self, stack, cache):
        return CacheRemoval(stack, "Removal", cache=cache)

    def test_logical_ids_are_reviewed(self, stack, cache, reviewed_ids):
        self.removal(stack, cache)
        reviewed_ids(
            "constructs", "CacheRemoval", {k: v for k, v in template(stack).items() if k.startswith("Removal")}
        )

    def test_it_goes_before_the_rules_and_templates_do(self, stack, cache):
        self.removal(stack, cache)
        (resource,) = (r for r in template(stack).values() if r["Type"] == "Custom::EcrCacheRemoval")
        kinds = {template(stack)[name]["Type"] for name in resource["DependsOn"]}
        assert kinds == {"AWS::ECR::PullThroughCacheRule", "AWS::ECR::RepositoryCreationTemplate"}
        assert resource["Properties"]["ServiceTimeout"] == "3600"

    def test_it_deletes_below_the_prefixes_alone(self, stack):
        key = kms.Key.from_key_arn(stack, "Key", "arn:aws:kms:eu-west-1:111122223333:key/1234abcd")
        settings = CreationTemplateSettings(encryption_key=key)
        self.removal(stack, PullThroughCache(stack, "Cache", upstreams={"k8s": "registry.k8s.io"}, settings=settings))
        may = allowed(stack, "RemovalRemoveRole")
        assert may["ecr:DeleteRepository"] == PREFIX
        assert may["kms:RetireGrant"] == key.key_arn
        assert may["cloudformation:DescribeStacks"] == {"Ref": "AWS::StackId"}
        assert "ecr:DeletePullThroughCacheRule" not in may

    def test_a_rule_without_a_prefix_cannot_be_told_from_the_rest(self, stack):
        cache = PullThroughCache(stack, "Cache", upstreams={"ROOT": Upstream.KUBERNETES})
        with pytest.raises(UserError, match="Stack/Removal: a rule without a prefix shares the registry"):
            self.removal(stack, cache)

    def test_only_the_stack_that_makes_the_rules_can_delete_what_they_made(self, app, stack, cache):
        theirs = PullThroughCache.from_attributes(stack, "Theirs", upstreams={"quay": "quay.io"})
        with pytest.raises(UserError, match="Stack/Removal: the cache is not of this app"):
            self.removal(stack, theirs)
        with pytest.raises(UserError, match="Other/Removal: the cache is of another stack"):
            self.removal(cdk.Stack(app, "Other"), cache)

    @pytest.mark.parametrize("first", ["warmer", "removal"])
    def test_it_deletes_images_after_every_warmer_has_gone(self, stack, cache, first):
        makers = {"warmer": lambda: cache.add_warmer("Warmer"), "removal": lambda: cache.add_removal("Removal")}
        for name in sorted(makers, key=lambda name: name != first):
            makers[name]()
        resources = template(stack)
        (machine,) = (r for r in resources.values() if r["Type"] == "AWS::StepFunctions::StateMachine")
        assert "Custom::EcrCacheRemoval" in {resources[name]["Type"] for name in machine["DependsOn"]}

    def test_a_cache_that_is_emptied_on_deletion_has_one(self, stack):
        cache = PullThroughCache(stack, "Cache", upstreams={"k8s": "registry.k8s.io"}, empty_on_delete=True)
        cache.add_warmer("Warmer")
        assert cache.removal is not None
        resources = template(stack)
        (machine,) = (r for r in resources.values() if r["Type"] == "AWS::StepFunctions::StateMachine")
        assert stack.get_logical_id(cache.removal.resource) in machine["DependsOn"]
