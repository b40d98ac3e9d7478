"""What ECR says is there, here and where it replicates to, on botocore's own model of its answers."""

from __future__ import annotations

import boto3
import pytest
from botocore.stub import Stubber

from ecr_pull_through_cache.errors import UserError
from ecr_pull_through_cache.operations.presence import EcrImages, EcrReplicas
from ecr_pull_through_cache.operations.registry import Failure, RegistryError
from tests.corpus import DIGEST

ACCOUNT, OTHER = "111122223333", "222233334444"


@pytest.fixture
def stubbed():
    made = []

    def make(region: str = "eu-west-1") -> tuple[object, Stubber]:
        client = boto3.client("ecr", region_name=region, aws_access_key_id="a", aws_secret_access_key="b")
        stubber = Stubber(client)
        stubber.activate()
        made.append(stubber)
        return client, stubber

    yield make
    for stubber in made:
        stubber.assert_no_pending_responses()


class TestImages:
    @pytest.mark.parametrize(("reference", "key"), [("v1", "imageTag"), (DIGEST, "imageDigest")])
    def test_by_tag_and_by_digest(self, stubbed, reference, key):
        client, stubber = stubbed()
        asked = {"registryId": ACCOUNT, "repositoryName": "k8s/a", "imageIds": [{key: reference}]}
        stubber.add_response("describe_images", {"imageDetails": [{"imageDigest": DIGEST}]}, asked)
        assert EcrImages(client, ACCOUNT).digest("k8s/a", reference) == DIGEST

    @pytest.mark.parametrize("code", ["ImageNotFoundException", "RepositoryNotFoundException"])
    def test_what_is_not_there(self, stubbed, code):
        client, stubber = stubbed()
        stubber.add_client_error("describe_images", code)
        assert EcrImages(client, ACCOUNT).digest("k8s/a", "v1") is None

    def test_who_may_not_ask_is_told_so(self, stubbed):
        client, stubber = stubbed()
        stubber.add_client_error("describe_images", "AccessDeniedException", "no")
        with pytest.raises(UserError, match="ecr:DescribeImages is not allowed"):
            EcrImages(client, ACCOUNT).digest("k8s/a", "v1")


def status(*states: tuple[str, str, str]) -> dict[str, object]:
    return {"replicationStatuses": [{"registryId": a, "region": r, "status": s} for a, r, s in states]}


class TestReplicas:
    def replicas(self, client, destinations=None, there=None):
        return EcrReplicas(client, ACCOUNT, client=lambda region: there, destinations=destinations)

    def test_those_that_are_under_way_are_missing(self, stubbed):
        client, stubber = stubbed()
        places = [(ACCOUNT, "us-east-1"), (OTHER, "us-west-2")]
        stubber.add_response(
            "describe_image_replication_status",
            status((ACCOUNT, "us-east-1", "COMPLETE"), (OTHER, "us-west-2", "IN_PROGRESS")),
            {"registryId": ACCOUNT, "repositoryName": "k8s/a", "imageId": {"imageDigest": DIGEST}},
        )
        assert self.replicas(client, places).missing("k8s/a", DIGEST) == [f"{OTHER}/us-west-2"]

    def test_one_that_failed_is_an_error_with_ecrs_code(self, stubbed):
        client, stubber = stubbed()
        failed = {"registryId": OTHER, "region": "us-west-2", "status": "FAILED", "failureCode": "AccessDenied"}
        stubber.add_response("describe_image_replication_status", {"replicationStatuses": [failed]})
        with pytest.raises(RegistryError, match=f"to {OTHER}/us-west-2 failed with AccessDenied") as caught:
            self.replicas(client, [(OTHER, "us-west-2")]).missing("k8s/a", DIGEST)
        assert caught.value.failure is Failure.NOT_COMPLETE

    @pytest.mark.parametrize(("code", "missing"), [(None, []), ("ImageNotFoundException", [f"{ACCOUNT}/us-east-1"])])
    def test_one_without_a_status_is_asked_itself(self, stubbed, code, missing):
        client, stubber = stubbed()
        there, its = stubbed("us-east-1")
        stubber.add_response("describe_image_replication_status", status())
        if code:
            its.add_client_error("describe_images", code)
        else:
            its.add_response("describe_images", {"imageDetails": [{"imageDigest": DIGEST}]})
        assert self.replicas(client, [(ACCOUNT, "us-east-1")], there).missing("k8s/a", DIGEST) == missing

    def test_an_image_whose_import_is_not_finished_is_nowhere(self, stubbed):
        client, stubber = stubbed()
        there, its = stubbed("us-east-1")
        stubber.add_client_error("describe_image_replication_status", "ImageNotFoundException")
        its.add_client_error("describe_images", "RepositoryNotFoundException")
        assert self.replicas(client, [(ACCOUNT, "us-east-1")], there).missing("k8s/a", DIGEST) == [
            f"{ACCOUNT}/us-east-1"
        ]

    def test_the_registry_itself_says_where_which_repository_goes(self, stubbed):
        client, stubber = stubbed()
        places = [{"region": "us-east-1", "registryId": ACCOUNT}]
        rules = [
            {"destinations": places, "repositoryFilters": [{"filter": "k8s", "filterType": "PREFIX_MATCH"}]},
            {"destinations": [{"region": "us-west-2", "registryId": ACCOUNT}], "repositoryFilters": [{"filter": "quay", "filterType": "PREFIX_MATCH"}]},
        ]  # fmt: skip
        stubber.add_response("describe_registry", {"replicationConfiguration": {"rules": rules}})
        stubber.add_response("describe_image_replication_status", status((ACCOUNT, "us-east-1", "IN_PROGRESS")))
        replicas = self.replicas(client)
        assert replicas.missing("k8s/a", DIGEST) == [f"{ACCOUNT}/us-east-1"]
        assert replicas.missing("hub/a", DIGEST) == (), "the registry is asked once"

    @pytest.mark.parametrize("call", ["describe_registry", "describe_image_replication_status"])
    def test_who_may_not_ask_is_told_which_permission_it_takes(self, stubbed, call):
        client, stubber = stubbed()
        stubber.add_client_error(call, "AccessDeniedException", "no")
        given = None if call == "describe_registry" else [(ACCOUNT, "us-east-1")]
        name = "".join(part.title() for part in call.split("_"))
        with pytest.raises(UserError, match=f"ecr:{name} is not allowed"):
            self.replicas(client, given).missing("k8s/a", DIGEST)
