"""Deployments are opt-in: `make test-deploy` sets this, because the engines take minutes to build."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.deploy.deploying import PLATFORM, Deployer
from tests.deploy.fleet import VERSION, Fleet, front
from tests.deploy.verification import Record

collect_ignore_glob = [] if os.environ.get("ECR_PULL_THROUGH_DEPLOY") else ["test_*.py"]


@dataclass
class Cloud:
    """AWS on the loopback, and somebody who deploys there."""

    deployer: Deployer
    fleet: Fleet
    url: str


@pytest.fixture(scope="session")
def record() -> Record:
    return Record()


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory, record: Record) -> Iterator[Cloud]:
    """Empty accounts, for the tests of one file, which build on each other."""
    folder: Path = tmp_path_factory.mktemp("cloud")
    fleet = Fleet(folder)
    with front(fleet) as url:
        yield Cloud(Deployer(url, PLATFORM, folder, record, f"fakecloud {VERSION}"), fleet, url)
