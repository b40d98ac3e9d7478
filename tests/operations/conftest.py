"""An AWS on the loopback, empty for each test that asks for it."""

import pytest

from tests.real.aws import loopback_aws, reset


@pytest.fixture(scope="session")
def _loopback():
    with loopback_aws() as running:
        yield running


@pytest.fixture
def loopback(_loopback, monkeypatch):
    for name, value in _loopback.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    reset(_loopback)
    yield _loopback
    reset(_loopback)
