"""Tags and encryption of creation templates, as AWS accepts and refuses them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecr_pull_through_cache import UserError
from ecr_pull_through_cache.ecr.template_rules import check_encryption, check_tags

REFUSED = {
    "a key of AWS's": ({"aws:owner": "x"}, "the tag key 'aws:owner' begins with 'aws:', which is reserved for AWS"),
    "a key of AWS's in other letters": ({"AwS:owner": "x"}, "the tag key 'AwS:owner' begins with 'aws:'"),
    "braces": (
        {"cost{}": "1"},
        "the tag key 'cost{}' holds '{', '}'; allowed are letters, digits, blanks and '_.:/=+-@'",
    ),
    "a key with a line break": ({"a\nb": "1"}, "holds"),
    "a value with a bracket": ({"a": "<1>"}, "the value of the tag 'a', '<1>' holds '<', '>'"),
    "an empty key": ({"": "1"}, "the tag key '' has 0 characters; allowed are 1 to 128"),
    "a long key": ({"k" * 129: "1"}, "has 129 characters; allowed are 1 to 128"),
    "a long value": ({"k": "v" * 257}, "has 257 characters; at most 256 are allowed"),
    "51 tags": ({f"k{number}": "" for number in range(51)}, "51 tags are given; allowed are 50 tags per repository"),
}


@pytest.mark.parametrize(("tags", "message"), REFUSED.values(), ids=REFUSED)
def test_tags_that_aws_refuses(tags, message):
    with pytest.raises(UserError) as error:
        check_tags(tags)
    assert message in str(error.value)


@pytest.mark.parametrize(
    "tags",
    [
        {"team": "platform", "Team": "other"},
        {"Kostenstelle für Ärzte": "Größe 1/2 = 0.5 @ a+b_c:d-e"},
        {"awsome": "aws", "a:aws:": ""},
        {"k" * 128: "v" * 256},
        {"origin": "aws:cloudformation"},
        {f"k{number}": "" for number in range(50)},
    ],
)
def test_tags_that_aws_accepts(tags):
    assert check_tags(tags) == tags


@given(st.dictionaries(st.text(), st.text()))
def test_any_tags_are_accepted_or_refused_in_one_sentence(tags):
    try:
        check_tags(tags)
    except UserError as error:
        assert "\n" not in str(error)


@pytest.mark.parametrize(
    ("encryption", "partition", "accepted"),
    [
        ("KMS_DSSE", "aws-us-gov", True),
        ("KMS_DSSE", None, True),
        ("KMS_DSSE", "aws", False),
        ("KMS_DSSE", "aws-cn", False),
        ("KMS", "aws", True),
        ("AES256", "aws-cn", True),
    ],
)
def test_double_encryption_by_kms_is_for_govcloud(encryption, partition, accepted):
    if accepted:
        check_encryption(encryption, partition)
        return
    with pytest.raises(UserError, match="exists in the AWS GovCloud .US. Regions alone"):
        check_encryption(encryption, partition)
