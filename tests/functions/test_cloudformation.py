"""The answer that CloudFormation waits for: always given, and never longer than it takes."""

import json
from types import SimpleNamespace

import pytest

from ecr_pull_through_cache.functions import backfilling, removing, starting
from ecr_pull_through_cache.functions.cloudformation import Unfinished, answer
from tests.faults import Fault

FAULTS = [
    Fault(verb="function", fault="anything that goes wrong while a stack is deleted", outcome="CloudFormation has its answer, FAILED with the reason, and waits for nothing"),
    Fault(verb="function", fault="a reason of any length for CloudFormation", outcome="it is cut: the answer has at most 4,096 bytes"),
]  # fmt: skip
CONTEXT = SimpleNamespace(function_name="f", get_remaining_time_in_millis=lambda: 900_000)


@pytest.mark.parametrize("reason", ["x" * 100_000, "ü" * 100_000, "😀" * 5_000, "\x00" * 5_000, '"' * 5_000, "short"])
@pytest.mark.parametrize("id_", ["Resource", "x" * 1_500])
def test_a_reason_of_any_length_fits(cloudformation, reason, id_):
    answer({**cloudformation.request("Delete"), "PhysicalResourceId": id_}, failed=reason)
    (said,) = cloudformation.answers
    assert len(json.dumps(said).encode()) <= 4_096
    assert said["Status"] == "FAILED"
    assert said["PhysicalResourceId"] == id_
    assert said["Reason"]


def test_a_request_without_a_url_is_answered_to_nobody():
    answer({})


ERRORS = [
    KeyError("x"),
    RuntimeError("\n" * 10_000),
    MemoryError(),
    TypeError("a"),
    RecursionError(),
    OSError(28, "No space left"),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_a_deletion_is_answered_whatever_fails(cloudformation, monkeypatch, error):
    def broken(_):
        raise error

    monkeypatch.setattr(removing, "_stack_goes", broken)
    removing.handler(cloudformation.request("Delete"), CONTEXT)
    (said,) = cloudformation.answers
    assert said["Status"] == "FAILED"
    assert said["Reason"].startswith(type(error).__name__)


def test_but_not_when_lambda_comes_again(cloudformation, monkeypatch):
    def over(_):
        raise Unfinished

    monkeypatch.setattr(removing, "_stack_goes", over)
    with pytest.raises(Unfinished):
        removing.handler(cloudformation.request("Delete"), CONTEXT)
    assert cloudformation.answers == []


@pytest.mark.parametrize("missing", ["RequestType", "StackId", "RequestId", "LogicalResourceId", "ResourceProperties"])
@pytest.mark.parametrize("function", [removing, backfilling, starting])
def test_a_request_without_a_member_is_answered_too(cloudformation, monkeypatch, missing, function):
    monkeypatch.setattr(removing, "_stack_goes", lambda _: False)
    request = cloudformation.request("Delete")
    del request[missing]
    try:
        function.handler(request, CONTEXT)
    except Exception as error:  # the work after the answer
        assert cloudformation.answers, error
    assert len(cloudformation.answers) == 1
