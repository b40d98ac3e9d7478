"""ECR's side of an import, against botocore's own model of ECR."""

from datetime import UTC, datetime, timedelta

import boto3
import pytest
from botocore.stub import Stubber

from ecr_pull_through_cache.errors import UserError
from ecr_pull_through_cache.operations.aws import EcrLayers, EcrToken, registry_of


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


ERRORS = {
    "AccessDeniedException": "ecr:GetAuthorizationToken is not allowed: because",
    "ExpiredTokenException": "the AWS credentials are not valid any more; sign in again",
    "ServerException": "ecr:GetAuthorizationToken failed with ServerException: because",
}


@pytest.mark.parametrize(("code", "message"), ERRORS.items())
def test_what_aws_refuses_is_a_sentence(ecr, code, message):
    ecr.stub.add_client_error("get_authorization_token", code, "because")
    with pytest.raises(UserError) as error:
        EcrToken(ecr)(False)
    assert str(error.value) == message


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
