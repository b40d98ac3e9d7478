"""The AWS on the loopback as the one that this process asks."""

import functools

import botocore.session
import pytest

# Every session reads botocore's models anew, which takes longer than what is tested; here they are read once.
_loader = functools.cache(botocore.session.create_loader)


@pytest.fixture
def loopback(loopback, monkeypatch):
    for name, value in loopback.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(botocore.session, "create_loader", _loader)
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    return loopback
