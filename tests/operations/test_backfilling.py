"""backfill: what a template would have set, brought to what exists already; on botocore's own model of ECR."""

import json
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber
from hypothesis import given
from hypothesis import strategies as st

from ecr_pull_through_cache.errors import UserError
from ecr_pull_through_cache.lifecycle import LifecyclePolicy
from ecr_pull_through_cache.operations.backfilling import Backfiller, Change, Left, merge_policies

ARN = "arn:aws:ecr:eu-west-1:111122223333:repository/"
OURS = {"Sid": "PullFromAccounts", "Effect": "Allow", "Principal": {"AWS": "1"}, "Action": ["ecr:BatchGetImage"]}
THEIRS = {"Sid": "Theirs", "Effect": "Deny", "Principal": "*", "Action": "ecr:*"}
LIFECYCLE = LifecyclePolicy.expire_unpulled(days=90).to_text()


def policy(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


@pytest.fixture
def ecr():
    client = boto3.client("ecr", region_name="eu-west-1", aws_access_key_id="x", aws_secret_access_key="y")
    with Stubber(client) as stub:
        client.stub = stub
        yield client
        stub.assert_no_pending_responses()


def registry(ecr, templates: list[dict[str, Any]], *repositories: str, **settings):
    ecr.stub.add_response("describe_repository_creation_templates", {"repositoryCreationTemplates": templates}, {})
    listed = [
        {"repositoryName": n, "repositoryArn": ARN + n, "imageTagMutability": "MUTABLE", **settings}
        for n in repositories
    ]
    ecr.stub.add_response("describe_repositories", {"repositories": listed}, {"maxResults": 1000})


def test_a_repository_without_a_policy_gets_the_templates(ecr):
    registry(ecr, [{"prefix": "k8s", "repositoryPolicy": policy(OURS)}], "k8s/pause", "apps/web")
    ecr.stub.add_client_error("get_repository_policy", "RepositoryPolicyNotFoundException")
    (change,) = Backfiller(ecr).plan()
    assert (change.repository, change.what) == ("k8s/pause", "repository policy")
    ecr.stub.add_response(
        "set_repository_policy", {}, {"repositoryName": "k8s/pause", "policyText": change.arguments["policyText"]}
    )
    Backfiller(ecr).apply(change)
    assert json.loads(change.arguments["policyText"])["Statement"] == [OURS]


def test_what_others_wrote_into_a_policy_stays(ecr):
    registry(ecr, [{"prefix": "k8s", "repositoryPolicy": policy(OURS)}], "k8s/pause")
    stale = {**OURS, "Principal": {"AWS": "0"}}
    ecr.stub.add_response(
        "get_repository_policy", {"policyText": policy(THEIRS, stale)}, {"repositoryName": "k8s/pause"}
    )
    (change,) = Backfiller(ecr).plan()
    assert json.loads(change.arguments["policyText"])["Statement"] == [THEIRS, OURS]


def test_what_is_as_it_should_be_is_left(ecr):
    template = {
        "prefix": "k8s",
        "repositoryPolicy": policy(OURS),
        "lifecyclePolicy": LIFECYCLE,
        "imageTagMutability": "MUTABLE",
    }
    registry(ecr, [template], "k8s/pause")
    ecr.stub.add_response(
        "get_repository_policy", {"policyText": policy(OURS, THEIRS)}, {"repositoryName": "k8s/pause"}
    )
    ecr.stub.add_response("get_lifecycle_policy", {"lifecyclePolicyText": LIFECYCLE}, {"repositoryName": "k8s/pause"})
    assert list(Backfiller(ecr).plan()) == []


def test_lifecycle_mutability_and_tags(ecr):
    template = {
        "prefix": "k8s", "lifecyclePolicy": LIFECYCLE, "imageTagMutability": "IMMUTABLE",
        "resourceTags": [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}],
    }  # fmt: skip
    registry(ecr, [template], "k8s/pause")
    ecr.stub.add_client_error("get_lifecycle_policy", "LifecyclePolicyNotFoundException")
    there = [{"Key": "b", "Value": "theirs"}]
    ecr.stub.add_response("list_tags_for_resource", {"tags": there}, {"resourceArn": ARN + "k8s/pause"})
    steps = list(Backfiller(ecr).plan())
    assert [s.what for s in steps if isinstance(s, Change)] == ["lifecycle policy", "tag mutability", "tags"]
    assert next(s for s in steps if isinstance(s, Change) and s.what == "tags").arguments["tags"] == [
        {"Key": "a", "Value": "1"}
    ]
    assert [s.reason for s in steps if isinstance(s, Left)] == ["has another value for the tag b"]


def test_a_lifecycle_policy_of_others_stays(ecr):
    registry(ecr, [{"prefix": "k8s", "lifecyclePolicy": LIFECYCLE}], "k8s/pause")
    ecr.stub.add_response(
        "get_lifecycle_policy",
        {"lifecyclePolicyText": LifecyclePolicy.expire_unpulled(days=30).to_text()},
        {"repositoryName": "k8s/pause"},
    )
    assert list(Backfiller(ecr).plan()) == [Left(repository="k8s/pause", reason="has another lifecycle policy")]


def test_the_longest_prefix_wins_and_root_is_for_the_rest(ecr):
    templates = [{"prefix": p, "imageTagMutability": "IMMUTABLE"} for p in ("ROOT", "k8s", "k8s/coredns")]
    for chosen, expected in (
        ("ROOT", ["k8sx/a"]),
        ("k8s", ["k8s/pause"]),
        ("k8s/coredns", ["k8s/coredns/coredns"]),
    ):
        registry(ecr, templates, "k8s/pause", "k8s/coredns/coredns", "k8sx/a")
        assert [step.repository for step in Backfiller(ecr).plan((chosen,))] == expected


def test_what_ecr_refuses_is_a_sentence(ecr):
    ecr.stub.add_client_error("describe_repository_creation_templates", "AccessDeniedException", "because")
    with pytest.raises(UserError, match="ecr:DescribeRepositoryCreationTemplates is not allowed: because"):
        list(Backfiller(ecr).plan())


STATEMENTS = st.lists(
    st.fixed_dictionaries({"Effect": st.sampled_from(["Allow", "Deny"])}, optional={"Sid": st.sampled_from("abc")}),
    max_size=4,
)


@given(STATEMENTS, STATEMENTS)
def test_merging_keeps_what_others_wrote_and_twice_is_once(current, wanted):
    merged = merge_policies({"Statement": current}, {"Statement": wanted})
    sids = {s.get("Sid") for s in wanted} - {None}
    assert [s for s in current if s.get("Sid") not in sids] == [
        s for s in merged["Statement"] if s in current and s.get("Sid") not in sids
    ][: len([s for s in current if s.get("Sid") not in sids])]
    assert merge_policies(merged, {"Statement": wanted}) == merged
