"""Names and ARNs of the secrets that ECR reads."""

import pytest

from ecr_pull_through_cache import UserError
from ecr_pull_through_cache.ecr import secrets
from ecr_pull_through_cache.ecr.registry import EcrRegistry

ARN = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:ecr-pullthroughcache/hub-AbCdEf"
HERE = EcrRegistry(account="111122223333", region="eu-west-1")


@pytest.mark.parametrize("given", ["hub", "ecr-pullthroughcache/hub", "team/hub_+=.@-1", "a" * 491])
def test_a_name_is_completed_with_the_prefix(given):
    assert secrets.check_name(given) == secrets.full_name(given)
    assert secrets.full_name(given).startswith("ecr-pullthroughcache/")


NAMES_REFUSED = {
    "nothing": ("", "'' is not the name of a secret; allowed are letters, digits and '/_+=.@-'"),
    "the prefix alone": ("ecr-pullthroughcache/", "'ecr-pullthroughcache/' is not the name of a secret"),
    "a blank": ("my hub", "'my hub' is not the name of a secret"),
    "letters of other scripts": ("hüb", "'hüb' is not the name of a secret"),
    "492 characters": (
        "a" * 492,
        "the name of the secret has 513 characters; at most 512 are allowed, 'ecr-pullthroughcache/' included",
    ),
}


@pytest.mark.parametrize(("given", "message"), NAMES_REFUSED.values(), ids=NAMES_REFUSED)
def test_names_that_are_refused(given, message):
    with pytest.raises(UserError) as error:
        secrets.check_name(given)
    assert str(error.value).startswith(message)


def test_the_secret_of_another_name_is_one_that_ecr_does_not_read():
    with pytest.raises(UserError, match="in the secret 'team/hub'; ECR reads secrets whose name begins with"):
        secrets.check_reads("team/hub")


def test_a_complete_arn_has_its_parts():
    assert secrets.check_complete_arn(ARN) == secrets.SecretArn(
        account="111122223333", region="eu-west-1", name="ecr-pullthroughcache/hub-AbCdEf"
    )


@pytest.mark.parametrize(
    "given",
    [
        "hub",
        ARN[:-7],
        ARN.replace("ecr-pullthroughcache/", ""),
        ARN.replace("111122223333", ""),
        ARN.replace("hub", "h b"),
        ARN.replace("secretsmanager", "kms"),
    ],
)
def test_what_is_no_complete_arn_is_refused(given):
    with pytest.raises(UserError, match="is not the complete ARN of a secret that ECR reads"):
        secrets.check_complete_arn(given)


def test_an_arn_whose_name_is_too_long_is_refused_for_that():
    with pytest.raises(UserError, match="the name of the secret has 521 characters"):
        secrets.check_complete_arn(ARN.replace("hub", "a" * 500))


def test_a_policy_names_a_secret_whose_suffix_nobody_knows_yet():
    assert secrets.arn_pattern(HERE, "hub") == ARN.replace("AbCdEf", "??????")
    assert secrets.arn_pattern(HERE, ARN) == ARN
    assert secrets.arn_pattern(HERE, ARN[:-7]) == f"{ARN[:-7]}-??????"
