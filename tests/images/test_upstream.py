"""The catalogue of upstream registries: what ECR pulls through, from where, and what it refuses."""

import pytest

from ecr_pull_through_cache import UnsupportedUpstream, Upstream, UserError
from ecr_pull_through_cache.images import Credentials

ARABIC = "\u0661\u0661\u0661\u0661\u0662\u0662\u0662\u0662\u0663\u0663\u0663\u0663"


@pytest.mark.parametrize("host", ["contoso.azurecr.io", "contosoacr-f8f0c6h2azg7gwbw.azurecr.io"])
def test_azure_registries_with_and_without_a_domain_name_label_are_accepted(host):
    upstream = Upstream.from_host(host)
    assert (upstream.name, upstream.url, upstream.credentials) == (
        "azure-container-registry", host, Credentials.REQUIRED
    )  # fmt: skip
    assert Upstream.azure(host) == upstream


@pytest.mark.parametrize(
    "host", ["contoso.azurecr.cn", "contoso.azurecr.us", "acr.azurecr.io", "a-b-c.azurecr.io", "x.contoso.azurecr.io"]
)
def test_azure_registries_that_ecr_does_not_know_are_refused(host):
    with pytest.raises(UnsupportedUpstream, match="is not an Azure container registry that ECR pulls through"):
        Upstream.from_host(host)
    with pytest.raises(UserError, match="is not an Azure container registry that ECR pulls through"):
        Upstream.azure(host)


def test_only_azure_docker_hub_github_gitlab_and_chainguard_take_credentials():
    needs = {upstream.host: upstream.credentials for upstream in Upstream.catalogue()}
    assert needs == {
        "registry.k8s.io": Credentials.NONE,
        "public.ecr.aws": Credentials.NONE,
        "quay.io": Credentials.NONE,
        "docker.io": Credentials.REQUIRED,
        "ghcr.io": Credentials.REQUIRED,
        "registry.gitlab.com": Credentials.REQUIRED,
        "cgr.dev": Credentials.REQUIRED,
    }


def test_a_private_registry_has_the_suffix_of_its_partition():
    assert Upstream.ecr(account="111122223333", region="cn-north-1").url.endswith("cn-north-1.amazonaws.com.cn")
    assert Upstream.ecr(account="111122223333", region="sa-west-1").url.endswith("sa-west-1.amazonaws.com")


@pytest.mark.parametrize("account", ["12", "1111222233334", ARABIC, "111122223333\n", ""])
def test_the_account_of_a_private_registry_has_12_digits(account):
    with pytest.raises(UserError, match="is not an account; an account has 12 digits"):
        Upstream.ecr(account=account, region="eu-west-1")


def test_the_region_of_a_private_registry_is_one():
    with pytest.raises(UserError, match="'nowhere' is not a Region"):
        Upstream.ecr(account="111122223333", region="nowhere")


@pytest.mark.parametrize(
    "host",
    [
        f"{ARABIC}.dkr.ecr.eu-west-1.amazonaws.com",
        "111122223333.dkr.ecr.cn-north-1.amazonaws.com",
        "111122223333.dkr.ecr.nowhere.amazonaws.com",
    ],
)
def test_a_host_like_that_of_a_private_registry_is_none(host):
    with pytest.raises(UnsupportedUpstream):
        Upstream.from_host(host)


TEAM = Upstream.ecr(account="444455556666", region="eu-west-1")


@pytest.mark.parametrize(
    ("upstream", "account", "region", "reason"),
    [
        (TEAM, "444455556666", "eu-west-1", "is this registry itself"),
        (TEAM, "444455556666", "us-east-1", None),
        (TEAM, "111122223333", "eu-west-1", None),
        (TEAM, "111122223333", "cn-north-1", "lies in the partition aws, and this registry in aws-cn"),
        (TEAM, None, None, None),
        (Upstream.KUBERNETES, "111122223333", "us-gov-west-1", None),
        (Upstream.of("k8s", url="registry.k8s.io", partitions=["aws"]), "1", "us-gov-west-1", "cannot pull"),
    ],
)
def test_why_an_upstream_is_not_pulled_through(upstream, account, region, reason):
    found = upstream.why_not_pulled_through(account=account, region=region)
    assert (found is None) == (reason is None)
    assert (reason or "") in (found or "")


@pytest.mark.parametrize(
    ("region", "known"),
    [("eu-west-1", True), ("cn-north-1", False), ("us-gov-east-1", False), ("eusc-de-east-1", False), (None, True)],
)
def test_it_is_said_where_aws_does_not_say_that_it_pulls_through(region, known):
    assert (Upstream.KUBERNETES.unverified_in(region) is None) == known
