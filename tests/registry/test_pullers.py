"""Pullers: the accounts and the organization that may pull."""

import pytest

from ecr_pull_through_cache import Pullers, UserError


@pytest.mark.parametrize("wrong", [{"accounts": ("1",)}, {"organization": "example"}])
def test_pullers_that_are_none(wrong):
    with pytest.raises(UserError, match="is not an"):
        Pullers(**wrong)
