"""What every test may ask for."""

import functools

import aws_cdk as cdk
import pytest
from hypothesis import HealthCheck, settings

# How long an example takes says how busy the machine is, and nothing of the code.
settings.register_profile("patient", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")

ACCOUNT = "111122223333"
REGION = "eu-west-1"


@pytest.fixture
def app() -> cdk.App:
    return cdk.App(builtin_cloud_formation_validation=False)


@pytest.fixture
def stack(app) -> cdk.Stack:
    return cdk.Stack(app, "Stack", env=cdk.Environment(account=ACCOUNT, region=REGION))


@pytest.fixture(scope="session")
def _loopback():
    from tests.emulators.aws import loopback_aws  # it loads moto, which few tests need

    with loopback_aws() as running:
        yield running


@pytest.fixture
def loopback(_loopback):
    """An AWS on the loopback, empty for each test that asks for it."""
    from tests.emulators.aws import reset

    reset(_loopback)
    yield _loopback
    reset(_loopback)


@pytest.fixture
def reviewed_ids(request):
    """Compares logical ids with those in tests/logical_ids.json; with --snapshot-update it writes them there."""
    from tests.support.logical_ids import compare

    return functools.partial(compare, update=request.config.getoption("update_snapshots"))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config, items):
    """Keep each xdist_group in one process: pytest-xdist 3.8 writes the group where pytest 9.2 no longer looks for it."""
    if not getattr(config.option, "loadgroup", False):
        return
    for item in items:
        group = item.get_closest_marker("xdist_group")
        if group is not None and "@" not in item.nodeid.rpartition("]")[2]:
            item._id = type(item._id).parse(f"{item.nodeid}@{group.args[0]}")
