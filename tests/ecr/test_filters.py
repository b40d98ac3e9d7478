"""Filters of replication, scanning and signing: those that the API takes, and no others."""

import re

import botocore.session
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecr_pull_through_cache import UserError
from ecr_pull_through_cache.ecr.filters import REPLICATION, SCANNING, SIGNING

SHAPES = {
    "RepositoryFilterValue": REPLICATION,
    "ScanningRepositoryFilterValue": SCANNING,
    "SigningRepositoryFilterValue": SIGNING,
}
MODEL = botocore.session.get_session().get_service_model("ecr")
# Short, since one pattern of the API takes exponential time.
FILTERS = st.text("ab0.*_-/", min_size=2, max_size=10)


@pytest.mark.parametrize("shape", SHAPES)
@given(text=FILTERS)
def test_the_grammar_is_that_of_the_api(shape, text):
    pattern = re.compile(MODEL.shape_for(shape).metadata["pattern"])
    assert bool(SHAPES[shape].pattern.fullmatch(text)) == bool(pattern.fullmatch(text))


@pytest.mark.parametrize("shape", SHAPES)
def test_the_length_is_that_of_the_api(shape):
    assert SHAPES[shape].longest == MODEL.shape_for(shape).metadata["max"]


@pytest.mark.parametrize("grammar", SHAPES.values(), ids=SHAPES)
def test_root_means_all_repositories(grammar):
    assert grammar.filters(["ROOT"]) == grammar.filters(["ROOT", "team-a"]) == grammar.filters(["team-a", "ROOT"]) == []


@pytest.mark.parametrize(
    ("grammar", "expected"),
    [(REPLICATION, ["team-a/", "b2/"]), (SCANNING, ["team-a/*", "b2/*"]), (SIGNING, ["team-a/*", "b2/*"])],
)
def test_prefixes_stand_for_the_repositories_below_them_once(grammar, expected):
    assert grammar.filters(["team-a/", "b2", "team-a"]) == expected


def test_a_prefix_that_a_rule_takes_may_not_be_one_for_scanning():
    assert REPLICATION.filters(["team--cache"]) == ["team--cache/"]
    with pytest.raises(UserError, match=re.escape("ECR takes no filter 'team--cache/*' for scanning")):
        SCANNING.filters(["team--cache"])


def test_a_long_prefix_is_judged_at_once():
    with pytest.raises(UserError):
        SCANNING.filters(["a" * 200 + "--b"])
