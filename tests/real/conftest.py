"""One cluster for all tests of a process: etcd, kube-apiserver and Kyverno's controller."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.real.engines import ApiServer
from tests.real.kyverno import Kyverno, kyverno_cluster, make_namespace

OPT_OUT = {"ecr-pull-through-cache/rewrite": "disabled"}
OPT_IN = {"ecr-pull-through-cache/rewrite": "enabled"}


@pytest.fixture(scope="session")
def kyverno() -> Iterator[Kyverno]:
    with kyverno_cluster() as running:
        make_namespace(running.api, "excluded")
        make_namespace(running.api, "opted-out", **OPT_OUT)
        make_namespace(running.api, "opted-in", **OPT_IN)
        make_namespace(running.api, "free", **{"ecr-pull-through-cache/refuse": "disabled"})
        yield running


@pytest.fixture(scope="session")
def api(kyverno: Kyverno) -> ApiServer:
    return kyverno.api
