"""`exclude`, `only` and `optIn`: exceptions of a registry and of a cluster."""

import pytest

from ecr_pull_through_cache.configuration import load
from ecr_pull_through_cache.errors import UserError
from ecr_pull_through_cache.images import Reason

BASE = """
registries:
  main:
    account: "111122223333"
    region: eu-west-1
    upstreams: {k8s: registry.k8s.io, quay: quay.io}
    exclude: [quay.io/team/*]
clusters:
  plain: {account: "111122223333", region: eu-west-1, registry: main}
  own:
    account: "111122223333"
    region: eu-west-1
    registry: main
    exclude: []
    only: [registry.k8s.io/*, quay.io/team/*]
    rewrite: {optIn: true}
"""


@pytest.fixture
def clusters(tmp_path):
    (tmp_path / "c.yaml").write_text(BASE)
    return load(tmp_path / "c.yaml").clusters


def test_a_cluster_has_the_exceptions_of_its_registry(clusters):
    for mapping in (clusters["plain"].mapping, clusters["plain"].registry.mapping):
        assert mapping.decide("quay.io/team/a").reason is Reason.EXCLUDED
        assert mapping.decide("quay.io/other/a").reason is Reason.CACHED


def test_a_cluster_says_its_own(clusters):
    mapping = clusters["own"].mapping
    assert mapping.decide("quay.io/team/a").reason is Reason.CACHED
    assert mapping.decide("quay.io/other/a").reason is Reason.NOT_SELECTED
    assert clusters["own"].policy_settings.opt_in
    assert not clusters["plain"].policy_settings.opt_in


def test_a_pattern_that_is_none_is_reported_with_its_place(tmp_path):
    (tmp_path / "c.yaml").write_text(BASE.replace("quay.io/team/*]\nclusters", "nginx]\nclusters"))
    with pytest.raises(UserError, match="registries.main.exclude.*'nginx' is a pattern of images without a registry"):
        load(tmp_path / "c.yaml")
