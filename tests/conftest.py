"""What every test may ask for."""

import aws_cdk as cdk
import pytest

ACCOUNT = "111122223333"
REGION = "eu-west-1"


@pytest.fixture
def app() -> cdk.App:
    return cdk.App(builtin_cloud_formation_validation=False)


@pytest.fixture
def stack(app) -> cdk.Stack:
    return cdk.Stack(app, "Stack", env=cdk.Environment(account=ACCOUNT, region=REGION))
