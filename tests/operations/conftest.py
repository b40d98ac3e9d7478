"""An AWS on the loopback, empty for each test that asks for it."""

import functools

import botocore.session
import pytest

from tests.real.aws import loopback_aws, reset

# Every session reads botocore's models anew, which takes longer than what is tested; here they are read once.
_loader = functools.cache(botocore.session.create_loader)


@pytest.fixture(scope="session")
def _loopback():
    with loopback_aws() as running:
        yield running


@pytest.fixture
def loopback(_loopback, monkeypatch):
    for name, value in _loopback.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(botocore.session, "create_loader", _loader)
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    reset(_loopback)
    yield _loopback
    reset(_loopback)
