"""Each call of aws-cdk-lib is a round trip to another process: what is known already is not asked."""

import aws_cdk as cdk
import jsii
import pytest
from jsii._kernel.providers.process import _NodeProcess

from constructs import Construct
from ecr_pull_through_cache import Pullers, PullThroughCache, Upstream, UserError
from ecr_pull_through_cache._place import is_unresolved, place_of, stack_of


@jsii.implements(cdk.IStringProducer)
class _Text:
    def produce(self, context):
        return "text"


@pytest.fixture
def round_trips(monkeypatch):
    """The requests that are sent to aws-cdk-lib."""
    sent = []
    send = _NodeProcess.send

    def record(self, request, response_type):
        sent.append(request)
        return send(self, request, response_type)

    monkeypatch.setattr(_NodeProcess, "send", record)
    return sent


def test_a_text_is_a_token_for_us_exactly_where_it_is_one_for_the_cdk():
    number = cdk.Token.as_number({"Ref": "Number"})
    tokens = [
        cdk.Aws.ACCOUNT_ID, f"arn:{cdk.Aws.PARTITION}:iam::1:root", cdk.Lazy.string(_Text()), cdk.Token.as_string(number),
    ]  # fmt: skip
    texts = [
        "", "111122223333", "eu-west-1", "${AWS::Region}", "${Token[", "Token[", "${Token[]}", "${Token[x.1]}", "${Token[a b]}",
        "#{Token[x.1]}", *cdk.Token.as_list({"Ref": "List"}), str(number),
    ]  # fmt: skip
    assert all(is_unresolved(text) for text in tokens[:3])
    assert [is_unresolved(text) for text in tokens + texts] == [
        cdk.Token.is_unresolved(text) for text in tokens + texts
    ]


@pytest.mark.parametrize("env", [None, cdk.Environment(account="111122223333", region="eu-west-1")])
def test_a_place_is_what_aws_cdk_lib_says(app, env):
    stack = cdk.Stack(cdk.Stage(app, "Stage"), "Stack", env=env)
    below = Construct(stack, "Below")
    for construct in (stack, below, Construct(below, "Deeper")):
        place = place_of(construct)
        assert (place.path, place.account, place.region) == (construct.node.path, stack.account, stack.region)
        assert place.claims is place_of(stack).claims
        assert stack_of(construct) is stack


def test_apps_know_nothing_of_each_other(app, stack):
    other = cdk.Stack(cdk.App(), "Stack", env=cdk.Environment(account=stack.account, region=stack.region))
    for scope in (stack, other):
        PullThroughCache(scope, "Cache", upstreams={"k8s": Upstream.KUBERNETES})
    with pytest.raises(UserError, match="overlaps"):
        PullThroughCache(stack, "Again", upstreams={"k8s": Upstream.KUBERNETES})


def test_an_upstream_more_asks_only_for_what_it_makes(stack, round_trips):
    def asked(id, upstreams):
        before = len(round_trips)
        PullThroughCache(stack, id, upstreams=upstreams, pullers=Pullers(accounts=("222233334444",)))
        return len(round_trips) - before

    asked("First", {"first": Upstream.QUAY})
    one = asked("One", {"k8s": Upstream.KUBERNETES})
    three = asked("Three", {"a1": Upstream.ECR_PUBLIC, "a2": Upstream.QUAY, "a3": Upstream.KUBERNETES})
    # Template and its L1, the document of its policy and its text, rule and its L1, and the dependency between the two.
    assert (three - one) / 2 == 8
