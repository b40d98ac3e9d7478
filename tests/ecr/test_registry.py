"""EcrRegistry: the names that follow from an account and a Region."""

import pytest

from ecr_pull_through_cache.ecr.registry import EcrRegistry

HERE = EcrRegistry(account="111122223333", region="eu-west-1")


def test_it_is_written_as_account_and_region():
    assert str(HERE) == "111122223333/eu-west-1"
    assert EcrRegistry(account="111122223333", region="eu-west-1") == HERE


@pytest.mark.parametrize(
    ("region", "partition", "host"),
    [
        ("eu-west-1", "aws", "111122223333.dkr.ecr.eu-west-1.amazonaws.com"),
        ("cn-north-1", "aws-cn", "111122223333.dkr.ecr.cn-north-1.amazonaws.com.cn"),
        ("us-gov-west-1", "aws-us-gov", "111122223333.dkr.ecr.us-gov-west-1.amazonaws.com"),
        ("eusc-de-east-1", "aws-eusc", "111122223333.dkr.ecr.eusc-de-east-1.amazonaws.eu"),
    ],
)
def test_partition_host_and_arns_follow_from_the_region(region, partition, host):
    registry = EcrRegistry(account="111122223333", region=region)
    assert registry.partition == partition
    assert registry.host == host
    assert registry.arn_for_repositories("k8s") == f"arn:{partition}:ecr:{region}:111122223333:repository/k8s/*"
    assert registry.role_arn("path/nodes") == f"arn:{partition}:iam::111122223333:role/path/nodes"
    assert registry.account_principal("222233334444") == f"arn:{partition}:iam::222233334444:root"


def test_the_root_prefix_is_every_repository():
    assert HERE.arn_for_repositories("ROOT") == "arn:aws:ecr:eu-west-1:111122223333:repository/*"
    assert (
        HERE.arn_for_repositories("ROOT", name="team/app") == "arn:aws:ecr:eu-west-1:111122223333:repository/team/app"
    )
    assert HERE.arn_for_repositories("hub", name="bitnami/*") == (
        "arn:aws:ecr:eu-west-1:111122223333:repository/hub/bitnami/*"
    )


def test_an_image_has_its_prefix_tag_and_digest():
    assert HERE.image_uri("k8s", "pause", tag="3.10") == f"{HERE.host}/k8s/pause:3.10"
    assert HERE.image_uri("ROOT", "pause", digest=f"sha256:{'0' * 64}") == f"{HERE.host}/pause@sha256:{'0' * 64}"
