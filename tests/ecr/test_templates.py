"""TemplateSettings: the settings of a creation template, and what follows from them."""

import pytest

from ecr_pull_through_cache import UserError
from ecr_pull_through_cache.ecr.templates import TemplateSettings, check_exclusion

KEY = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"


@pytest.mark.parametrize(
    ("settings", "encryption", "needs_role"),
    [
        ({}, "AES256", False),
        ({"resource_tags": {"a": "b"}}, "AES256", True),
        ({"kms_key": KEY}, "KMS", True),
        ({"encryption_type": "KMS"}, "KMS", True),
        ({"encryption_type": "KMS_DSSE", "kms_key": KEY}, "KMS_DSSE", True),
        ({"encryption_type": "AES256"}, "AES256", False),
    ],
)
def test_a_key_means_kms_and_tags_or_kms_need_a_role(settings, encryption, needs_role):
    values = TemplateSettings(**settings)
    assert (values.encryption, values.needs_role) == (encryption, needs_role)


REFUSED = {
    "a key with AES256": (
        {"encryption_type": "AES256", "kms_key": KEY},
        "a KMS key is given with the encryption AES256; a key goes with KMS or KMS_DSSE",
    ),
    "filters without their setting": (
        {"exclusion_filters": ("latest",)},
        "the tag mutability MUTABLE is given with 1 exclusion filters",
    ),
    "a setting without its filters": (
        {"image_tag_mutability": "IMMUTABLE_WITH_EXCLUSION"},
        "the tag mutability IMMUTABLE_WITH_EXCLUSION is given with 0 exclusion filters",
    ),
    "too many filters": (
        {"image_tag_mutability": "IMMUTABLE_WITH_EXCLUSION", "exclusion_filters": tuple("abcdef")},
        "6 exclusion filters are given; at most 5 are allowed",
    ),
    "another mutability": (
        {"image_tag_mutability": "mutable"},
        "'mutable' is not a tag mutability; allowed are MUTABLE",
    ),
    "another encryption": ({"encryption_type": "SSE"}, "'SSE' is not a type of encryption; allowed are AES256, KMS"),
}


@pytest.mark.parametrize(("settings", "message"), REFUSED.values(), ids=REFUSED)
def test_settings_that_do_not_go_together_are_refused(settings, message):
    with pytest.raises(UserError) as error:
        TemplateSettings(**settings)
    assert str(error.value).startswith(message)


@pytest.mark.parametrize("pattern", ["", "a b", "a" * 129, "***", "v1:2", "é"])
def test_a_filter_that_is_no_tag_pattern_is_refused(pattern):
    with pytest.raises(UserError, match="is not a tag pattern"):
        check_exclusion(pattern)
