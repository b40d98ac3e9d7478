"""ECR's side of an import, against botocore's own model of ECR."""

import re
import threading
from datetime import UTC, datetime, timedelta

import boto3
import pytest
from botocore.exceptions import ClientError, ConnectionClosedError, EndpointConnectionError, NoCredentialsError
from botocore.loaders import JSONFileLoader
from botocore.stub import Stubber
from moto import mock_aws

from ecr_pull_through_cache.errors import UserError
from ecr_pull_through_cache.operations.aws import (
    AwsError,
    EcrLayers,
    EcrToken,
    Sessions,
    SignedOut,
    registry_of,
    to_aws_error,
)
from ecr_pull_through_cache.operations.least_privilege import VERBS, actions_of, options_of


@pytest.fixture
def ecr():
    client = boto3.client("ecr", region_name="eu-west-1", aws_access_key_id="x", aws_secret_access_key="y")
    with Stubber(client) as stub:
        client.stub = stub
        yield client
        stub.assert_no_pending_responses()


def token(ecr, text, hours):
    until = datetime.now(UTC) + timedelta(hours=hours)
    ecr.stub.add_response(
        "get_authorization_token", {"authorizationData": [{"authorizationToken": text, "expiresAt": until}]}, {}
    )


def test_a_token_is_asked_for_once(ecr):
    token(ecr, "one", 12)
    header = EcrToken(ecr)
    assert [header(False), header(False)] == ["Basic one", "Basic one"]


def test_a_token_is_renewed_before_it_expires(ecr):
    token(ecr, "one", 0.01)
    token(ecr, "two", 12)
    header = EcrToken(ecr)
    assert [header(False), header(False)] == ["Basic one", "Basic two"]


def test_a_token_that_is_refused_at_once_is_not_renewed_by_every_thread(ecr):
    token(ecr, "one", 12)
    header = EcrToken(ecr)
    assert [header(False), header(True), header(True)] == ["Basic one"] * 3


def used() -> dict[str, set[str]]:
    """The operations that the verbs call, by service."""
    actions = {a for verb in VERBS for s in actions_of(verb, options_of(verb)) if not s.because for a in s.actions}
    found: dict[str, set[str]] = {"sts": {"GetCallerIdentity", "AssumeRole"}}
    for service, operation in (action.split(":") for action in actions):
        found.setdefault(service, set()).add(operation)
    return found


def modelled() -> list[tuple[str, str, str]]:
    """Every error that botocore's models say an operation can return, by the code that stands in the answer."""
    return [
        (service, operation, shape.metadata.get("error", {}).get("code", shape.name))
        for service, operations in sorted(used().items())
        for operation in sorted(operations)
        for shape in boto3.client(service, region_name="eu-west-1").meta.service_model.operation_model(operation).error_shapes
    ]  # fmt: skip


ANY_CALL = (
    "AccessDeniedException", "ExpiredTokenException", "InternalFailure", "InvalidClientTokenId", "InvalidSignatureException",
    "OptInRequired", "RequestExpired", "RequestTimeout", "ServiceUnavailable", "SignatureDoesNotMatch", "Throttling",
    "ThrottlingException", "TooManyRequestsException", "UnknownOperationException", "UnrecognizedClientException", "ValidationError",
)  # fmt: skip


def sentence(code, *, call="ecr:Call", message="because", status=400) -> UserError:
    answer = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return to_aws_error(ClientError(answer, "Call"), call=call)


@pytest.mark.parametrize(("service", "operation", "code"), modelled())
def test_each_error_that_a_call_can_return_is_a_sentence_of_its_own(service, operation, code):
    text = str(sentence(code, call=f"{service}:{operation}"))
    assert "failed with" not in text
    assert code not in text
    assert text[0].islower() or text.startswith(("AWS", "ECR", "IAM", "STS"))
    assert "{" not in text


@pytest.mark.parametrize("code", ANY_CALL)
def test_each_error_that_any_call_can_return_is_a_sentence_of_its_own(code):
    assert code not in str(sentence(code))


def test_an_error_that_nobody_knows_says_its_code_and_what_aws_says():
    assert str(sentence("NewException")) == "ecr:Call failed with NewException: because"


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_an_answer_without_a_code_is_a_problem_of_aws(status):
    assert str(sentence(str(status), status=status)).startswith("AWS has a problem of its own")


@pytest.mark.parametrize(
    "code", ["ExpiredTokenException", "ExpiredToken", "UnrecognizedClientException", "InvalidClientTokenId"]
)
def test_credentials_that_are_gone_end_a_run(code):
    assert isinstance(sentence(code), SignedOut)


@pytest.mark.parametrize(
    "error",
    [
        NoCredentialsError(),
        EndpointConnectionError(endpoint_url="https://ecr"),
        ConnectionClosedError(endpoint_url="https://ecr"),
    ],
)
def test_an_aws_that_cannot_be_reached_is_a_sentence(error):
    assert str(to_aws_error(error, call="ecr:Call")).startswith("AWS cannot be asked: ")


def test_a_token_that_ecr_does_not_give_is_a_sentence(ecr):
    ecr.stub.add_client_error("get_authorization_token", "AccessDeniedException", "because")
    with pytest.raises(UserError, match="ecr:GetAuthorizationToken is not allowed: because"):
        EcrToken(ecr)(False)


def test_layers_are_looked_for_a_hundred_at_a_time(ecr):
    digests = [f"sha256:{n:064}" for n in range(150)]
    for part in (digests[:100], digests[100:]):
        there = [{"layerDigest": d, "layerAvailability": "AVAILABLE"} for d in part[1:]]
        ecr.stub.add_response(
            "batch_check_layer_availability",
            {"layers": [*there, {"layerDigest": part[0], "layerAvailability": "UNAVAILABLE"}]},
            {"registryId": "111122223333", "repositoryName": "k8s/a", "layerDigests": part},
        )
    assert EcrLayers(ecr, "111122223333").missing("k8s/a", digests) == [digests[0], digests[100]]


def test_only_ecr_has_tokens_of_ecr():
    assert registry_of("111122223333.dkr.ecr.eu-west-1.amazonaws.com").region == "eu-west-1"
    with pytest.raises(UserError, match="'example.com' is not a private ECR registry"):
        registry_of("example.com")


@pytest.fixture
def accounts(monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        yield


def who(client) -> str:
    return client.get_caller_identity()["Arn"]


def test_a_role_is_assumed_in_each_account(accounts):
    sessions = Sessions(assume_role="ReadOnly")
    for account in ("111122223333", "222233334444"):
        assert who(sessions.client("sts", account, "eu-west-1")).startswith(
            f"arn:aws:sts::{account}:assumed-role/ReadOnly/"
        )


def test_the_model_of_a_service_is_read_once_for_all_accounts(accounts, monkeypatch):
    read = []
    load = JSONFileLoader.load_file

    def noted(loader, path):
        found = load(loader, path)
        if found is not None:
            read.append(path)
        return found

    monkeypatch.setattr(JSONFileLoader, "load_file", noted)
    sessions = Sessions(assume_role="ReadOnly")
    for account in ("111122223333", "222233334444"):
        sessions.client("secretsmanager", account, "eu-west-1")
    assert len([path for path in read if re.search(r"secretsmanager\W.*service-2$", path)]) == 1


def test_an_assumed_role_is_assumed_again_before_it_expires(accounts, monkeypatch):
    client = Sessions(assume_role="ReadOnly").client("sts", "111122223333", "eu-west-1")
    credentials = client._request_signer._credentials
    first = credentials.access_key
    assert credentials.access_key == first, "it is assumed once while it lasts"
    monkeypatch.setattr(credentials, "_expiry_time", datetime.now(UTC) + timedelta(seconds=30))
    assert credentials.access_key != first
    assert who(client)


def test_without_a_role_the_account_is_the_callers_own(accounts):
    with pytest.raises(
        AwsError, match="the credentials are those of 123456789012, not of 111122223333; give --assume-role"
    ):
        Sessions().client("ecr", "111122223333", "eu-west-1")


def test_an_account_that_cannot_be_reached_is_not_tried_for_each_of_its_registries(loopback):
    loopback.fault = lambda call: "AccessDenied"
    sessions = Sessions(assume_role="ReadOnly")
    for region in ("eu-west-1", "us-east-1"):
        with pytest.raises(AwsError, match="sts:AssumeRole of arn:aws:iam::111122223333:role/ReadOnly is not allowed"):
            sessions.client("ecr", "111122223333", region)
    assert len(loopback.calls) == 1


def test_an_account_that_does_not_answer_keeps_nobody_waiting_who_asks_another_one(loopback):
    asked, let_go = threading.Event(), threading.Event()

    def hang(call):
        if "111122223333" in call.arguments.get("RoleArn", ""):
            asked.set()
            assert let_go.wait(30)

    loopback.fault = hang
    sessions = Sessions(assume_role="ReadOnly")
    hanging = threading.Thread(target=sessions.client, args=("ecr", "111122223333", "eu-west-1"))
    hanging.start()
    assert asked.wait(30)
    assert sessions.client("ecr", "222233334444", "eu-west-1").meta.region_name == "eu-west-1"
    assert hanging.is_alive()
    let_go.set()
    hanging.join(30)
