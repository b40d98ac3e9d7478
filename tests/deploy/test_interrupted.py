"""A deployment that ends in the middle, because the CLI is killed: deploying again finishes it."""

from __future__ import annotations

import subprocess
from typing import Any

import pytest

from tests.deploy.deploying import PLATFORM, UNATTENDED
from tests.support import ROOT


@pytest.fixture(scope="module")
def aws(cloud):
    cloud.deployer.bootstrap(PLATFORM, "us-east-1", "us-west-2", "eu-west-1")
    cloud.deployer.client("iam", "us-east-1").create_role(RoleName="demo-node-role", AssumeRolePolicyDocument="{}")
    cloud.deployer.configuration = ROOT / "environments/minimal.yaml"
    return cloud


def killed(aws: Any, when: str) -> list[str]:
    """Deploy, and kill the CLI before or after the first change set of the main registry is executed.

    :returns: the change sets that were executed.
    """
    executed: list[str] = []
    deployer = aws.deployer
    process = subprocess.Popen(
        deployer.command("deploy", "--all", *UNATTENDED),
        cwd=ROOT, env=deployer.environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip

    def kill(action: str, body: str) -> None:
        if action == "ExecuteChangeSet":
            executed.append(body)
            if "registry-main" in body:
                process.kill()

    setattr(aws.fleet, when, kill)
    try:
        assert process.wait(120) == -9
    finally:
        aws.fleet.hook = aws.fleet.after = lambda action, body: None
    return executed


def status(aws: Any, stack: str) -> str:
    found = aws.deployer.client("cloudformation", "us-east-1").describe_stacks(StackName=f"ecr-pull-through-{stack}")
    return found["Stacks"][0]["StackStatus"]


@pytest.mark.parametrize("when", ["hook", "after"], ids=["before the changes begin", "when they have begun"])
def test_a_first_deployment_is_finished_by_the_next(aws, when):
    killed(aws, when)
    assert status(aws, "registry-main") in ("REVIEW_IN_PROGRESS", "CREATE_IN_PROGRESS", "CREATE_COMPLETE")
    aws.deployer.deploy()
    assert aws.deployer.check() == []
    assert aws.deployer.deploy() == set()
    aws.deployer.destroy()
