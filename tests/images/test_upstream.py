"""The catalogue of upstream registries is the one of Amazon ECR's API."""

import botocore.session

from ecr_pull_through_cache.images import Upstream

WITH_A_HOST_OF_THEIR_OWN = {"azure-container-registry", "ecr"}


def test_it_knows_every_upstream_that_the_api_has_and_no_other():
    model = botocore.session.get_session().get_service_model("ecr")
    in_the_api = set(model.shape_for("UpstreamRegistry").enum)
    assert {upstream.name for upstream in Upstream.catalogue()} | WITH_A_HOST_OF_THEIR_OWN == in_the_api


def test_registries_with_a_host_of_their_own_have_the_names_of_the_api_too():
    made = [Upstream.azure("example.azurecr.io"), Upstream.ecr(account="111122223333", region="eu-west-1")]
    assert {upstream.name for upstream in made} == WITH_A_HOST_OF_THEIR_OWN


def test_every_attribute_is_in_the_catalogue_and_every_host_finds_its_upstream():
    attributes = {value for value in vars(Upstream).values() if isinstance(value, Upstream)}
    assert attributes == set(Upstream.catalogue())
    for upstream in attributes:
        assert {Upstream.from_host(host) for host in (*upstream.hosts, upstream.url)} == {upstream}
