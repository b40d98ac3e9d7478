"""CacheRemoval: cached images are deleted with the stack."""

import pytest
from aws_cdk import aws_kms as kms

from ecr_pull_through_cache import CacheRemoval, PullThroughCache, Upstream, UserError
from tests.support.templates import allowed, template

PREFIX = "arn:aws:ecr:eu-west-1:111122223333:repository/k8s/*"


class TestCacheRemoval:
    def removal(self, stack, cache, **props):
        rules, templates = list(cache.rules.values()), list(cache.templates.values())
        return CacheRemoval(stack, "Removal", **{"rules": rules, "templates": templates, **props})

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

    def test_it_deletes_below_the_prefixes_alone(self, stack, cache):
        key = kms.Key.from_key_arn(stack, "Key", "arn:aws:kms:eu-west-1:111122223333:key/1234abcd")
        self.removal(stack, cache, encryption_keys=[key])
        may = allowed(stack, "RemovalRemoveRole")
        assert may["ecr:DeleteRepository"] == PREFIX
        assert may["kms:RetireGrant"] == key.key_arn
        assert may["cloudformation:DescribeStacks"] == {"Ref": "AWS::StackId"}
        assert "ecr:DeletePullThroughCacheRule" not in may

    def test_a_rule_without_a_prefix_cannot_be_told_from_the_rest(self, stack):
        cache = PullThroughCache(stack, "Cache", upstreams={"ROOT": Upstream.KUBERNETES})
        with pytest.raises(UserError, match="Stack/Removal: a rule without a prefix shares the registry"):
            self.removal(stack, cache)

    def test_nothing_to_remove_is_refused(self, stack):
        with pytest.raises(UserError, match="Stack/Removal: no rules are given"):
            CacheRemoval(stack, "Removal", rules=[])
