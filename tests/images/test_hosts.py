"""Hosts, accounts and Regions: what AWS has, and what it may have tomorrow."""

import pytest

from ecr_pull_through_cache.images import (
    FIPS_REGIONS,
    PARTITIONS,
    REGIONS,
    EcrHost,
    is_account,
    is_new_region,
    new_region,
)


@pytest.mark.parametrize("region", ["sa-west-1", "me-west-1", "ap-southeast-12", "us-gov-central-1", "cn-south-1"])
def test_a_region_of_a_known_form_may_be_new(region):
    assert is_new_region(region)
    assert new_region(region).startswith(f"this package does not know the Region {region!r}")


@pytest.mark.parametrize(
    "region", [*REGIONS, "eu-wset-1", "eu-centrall-1", "nowhere", "", "eu-west-", "eu-west-0", "eu-west-1a"]
)
def test_a_region_that_is_known_or_misspelt_is_not_new(region):
    assert not is_new_region(region)


@pytest.mark.parametrize(
    "text", ["11112222333", "1111222233334", "\u0661" * 12, "\uff11" * 12, "111122223333\n", " 11112222333"]
)
def test_an_account_has_12_ascii_digits(text):
    assert not is_account(text)
    assert EcrHost.parse(f"{text}.dkr.ecr.eu-west-1.amazonaws.com") is None


def test_every_partition_says_whether_pull_through_is_verified():
    assert {p.name: p.unverified is None for p in PARTITIONS} == {
        "aws": True, "aws-cn": False, "aws-us-gov": False, "aws-eusc": False
    }  # fmt: skip


def test_regions_and_fips_endpoints_are_those_of_botocore():
    import botocore.session

    session = botocore.session.get_session()
    regions, fips = set(), set()
    for partition in PARTITIONS:
        names = session.get_available_regions("ecr", partition.name, allow_non_regional=True)
        regions |= {name for name in names if partition.has_region(name)}
        fips |= {name.removeprefix("fips-") for name in names if name.startswith("fips-") and "dkr" not in name}
    assert regions == set(REGIONS)
    assert fips == set(FIPS_REGIONS)
