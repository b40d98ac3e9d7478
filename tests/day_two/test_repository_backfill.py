"""RepositoryBackfill: existing repositories get the settings of their creation template."""

import json

import pytest

from ecr_pull_through_cache import (
    CreationTemplateSettings,
    LifecyclePolicy,
    PullThroughCache,
    ReplicaRegistry,
    RepositoryBackfill,
    UserError,
)
from tests.support.templates import allowed, another, only, resources, template

PREFIX = "arn:aws:ecr:eu-west-1:111122223333:repository/k8s/*"
REGISTRY = "arn:aws:ecr:eu-west-1:111122223333:repository/*"


class TestRepositoryBackfill:
    def backfill(self, stack, cache, **props):
        return RepositoryBackfill(stack, "Backfill", cache=cache, **props)

    def test_logical_ids_are_reviewed(self, stack, cache, reviewed_ids):
        self.backfill(stack, cache)
        reviewed_ids(
            "constructs", "RepositoryBackfill", {k: v for k, v in template(stack).items() if k.startswith("Backfill")}
        )

    def test_it_runs_after_the_templates_and_again_when_they_change(self):
        def deployed(**settings):
            stack = another()
            it = ReplicaRegistry(stack, "T", repository_prefixes=["k8s"], settings=CreationTemplateSettings(**settings))
            RepositoryBackfill(stack, "Backfill", cache=it)
            (resource,) = (r for r in template(stack).values() if r["Type"] == "Custom::EcrRepositoryBackfill")
            assert [name for name in resource["DependsOn"] if name.startswith("T")]
            return resource["Properties"]["Templates"]

        settings = ({}, {"resource_tags": {"a": "b"}}, {"lifecycle": LifecyclePolicy.expire_after(days=9)})
        assert len({deployed(**given) for given in settings}) == 3
        assert deployed() == deployed()

    def test_what_is_changed_behind_the_construct_counts_too(self):
        def deployed(mutability):
            stack = another()
            it = ReplicaRegistry(stack, "T", repository_prefixes=["k8s"])
            RepositoryBackfill(stack, "Backfill", cache=it)
            it.templates["k8s"].resource.image_tag_mutability = mutability
            return only(stack, "Custom::EcrRepositoryBackfill")["Templates"]

        assert deployed("MUTABLE") != deployed("IMMUTABLE")

    def test_no_deployment_waits_for_it(self, stack, cache):
        self.backfill(stack, cache)
        assert only(stack, "Custom::EcrRepositoryBackfill")["ServiceTimeout"] == "300"

    def test_it_changes_settings_below_the_prefixes_and_may_nothing_else(self, stack, cache):
        self.backfill(stack, cache)
        may = allowed(stack, "BackfillFunctionRole")
        changes = {action for action, where in may.items() if where == PREFIX}
        assert changes == {
            "ecr:GetLifecyclePolicy", "ecr:GetRepositoryPolicy", "ecr:ListTagsForResource", "ecr:PutImageTagMutability",
            "ecr:PutLifecyclePolicy", "ecr:SetRepositoryPolicy", "ecr:TagResource",
        }  # fmt: skip
        assert may["ecr:DescribeRepositories"] == REGISTRY
        assert {action for action, where in may.items() if where == "*"} == {"ecr:DescribeRepositoryCreationTemplates"}
        assert not [action for action in may if "Delete" in action]

    def test_settings_of_others_are_replaced_where_one_says_so(self, stack, cache):
        self.backfill(stack, cache, replace=["resourceTags", "lifecyclePolicy"])
        variables = only(stack, "AWS::Lambda::Function")["Environment"]["Variables"]
        assert json.loads(variables["REPLACE"]) == ["lifecyclePolicy", "resourceTags"]

    def test_what_cannot_be_is_refused(self, stack, cache):
        with pytest.raises(UserError, match="Stack/Backfill: 'policy' cannot be replaced; allowed are lifecyclePolicy"):
            self.backfill(stack, cache, replace=["policy"])

    def test_a_cache_whose_templates_are_made_elsewhere_is_refused(self, stack):
        theirs = PullThroughCache.from_attributes(stack, "Theirs", upstreams={"k8s": "registry.k8s.io"})
        with pytest.raises(UserError, match="Stack/Backfill: the cache is not of this app"):
            self.backfill(stack, theirs)

    def test_replicas_of_the_same_registry_are_brought_too(self, stack, cache):
        replicas = ReplicaRegistry(stack, "Replicas", repository_prefixes=["team"])
        self.backfill(stack, cache, replica_registries=[replicas])
        variables = only(stack, "AWS::Lambda::Function")["Environment"]["Variables"]
        assert json.loads(variables["PREFIXES"]) == ["k8s", "team"]

    def test_a_topic_is_told(self, stack, cache, topic):
        self.backfill(stack, cache, alarm_topic=topic)
        alarms = resources(stack, "AWS::CloudWatch::Alarm").values()
        assert {a["MetricName"] for a in alarms} == {"SettingsFailed", "AsyncEventsDropped"}
        assert all(a["AlarmActions"] == [topic.topic_arn] for a in alarms)
