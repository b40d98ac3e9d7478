"""What a stack does by itself after its deployment: functions, custom resources and the state machine, run by an engine.

The stack is deployed by ministack, which runs Lambda functions and state machines as processes; ECR is fakecloud's, before a
real registry as upstream. ministack refuses ECR's own resource types: the rule and the templates are made through the API
before, and left out of the stack.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.deploy.deploying import PLATFORM, Deployer, changed, leave_out
from tests.deploy.mending import TEMPLATE, put_templates, settings_of
from tests.deploy.ministack import NAME, ministack
from tests.real.registries import Pusher, registry

REGION = "us-east-1"
PUSHED = ("pause", "coredns/coredns", "etcd")
CONFIGURATION = {
    "accounts": {"platform": PLATFORM},
    "registries": {
        "main": {
            "account": "platform",
            "region": REGION,
            "upstreams": {"k8s": "registry.k8s.io"},
            "template": {"lifecyclePolicy": {"expireAfterDays": 90}},
            "pull": {"accounts": ["222233334444"]},
            "warm": {"images": [f"registry.k8s.io/{name}:v1" for name in PUSHED[:2]]},
            "backfill": {},
            "emptyOnDelete": True,
        }
    },
}


@pytest.fixture(scope="module")
def aws(cloud, record, tmp_path_factory):
    folder = tmp_path_factory.mktemp("ministack")
    cloud.fleet.registry = (PLATFORM, REGION)
    with registry() as upstream, ministack(folder, AWS_ENDPOINT_URL=cloud.url) as port:
        cloud.fleet.beside = port
        pusher = Pusher(upstream)
        digests = {name: pusher.image(name, "v1") for name in PUSHED}
        pusher.close()
        deployer = Deployer(cloud.url, PLATFORM, folder, record, NAME, mended=False)
        deployer.bootstrap(PLATFORM, REGION)
        deployer.configure(CONFIGURATION)
        ecr = deployer.client("ecr", REGION)
        ecr.create_repository(repositoryName="k8s/before")
        time.sleep(1.1)  # what is older than the rule is not the rule's, and the engine counts seconds
        ecr.create_pull_through_cache_rule(ecrRepositoryPrefix="k8s", upstreamRegistryUrl=upstream)

        def change(resource: dict[str, Any]) -> None:
            if resource["Type"] == TEMPLATE:
                settings = settings_of(resource["Properties"], {"AWS::Partition": "aws"})
                put_templates(ecr, {settings["prefix"]: settings})
            if resource["Type"].startswith("AWS::ECR::"):
                leave_out(resource)
            if resource["Type"] == "AWS::StepFunctions::StateMachine":
                resource["Properties"] = one_by_one(resource["Properties"])
            variables = resource["Properties"].get("Environment", {}).get("Variables", {})
            if "WARMING" in variables:
                warming = json.loads(variables["WARMING"])
                assert warming["registryUrl"] is None
                variables["WARMING"] = json.dumps(warming | {"registryUrl": cloud.url})

        deployer.synthesise(change)
        seen = deployer.deploy()
        deployer.digests, deployer.seen, deployer.change = digests, seen, change
        yield deployer


def one_by_one(properties: dict[str, Any]) -> dict[str, Any]:
    """The engine has no ItemBatcher: each image is a batch of its own."""
    text = json.dumps(properties)
    batches = json.dumps('"ItemBatcher":{"MaxItemsPerBatch":20}')[1:-1]
    assert batches in text
    return json.loads(
        text.replace(batches, json.dumps('"ItemSelector":{"Items.$":"States.Array($$.Map.Item.Value)"}')[1:-1])
    )


CUSTOM = ("Custom::EcrImageWarmer", "Custom::EcrRepositoryBackfill", "Custom::EcrCacheRemoval")


def images(aws) -> dict[str, str]:
    """Digests of what is tagged v1, by the name upstream."""
    ecr = aws.client("ecr", REGION)
    names = [r["repositoryName"] for r in ecr.describe_repositories()["repositories"]]
    return {
        name.removeprefix("k8s/"): image["imageDigest"]
        for name in names
        for image in ecr.describe_images(repositoryName=name)["imageDetails"]
        if "v1" in image.get("imageTags", ())
    }


def test_the_stack_is_deployed_with_its_functions_and_custom_resources(aws):
    assert {
        "AWS::Lambda::Function",
        "AWS::Logs::LogGroup",
        "AWS::S3::Bucket",
        "AWS::StepFunctions::StateMachine",
        *CUSTOM,
    } <= aws.seen


def test_what_was_there_before_has_the_template_s_settings(aws):
    ecr = aws.client("ecr", REGION)
    lifecycle = json.loads(ecr.get_lifecycle_policy(repositoryName="k8s/before")["lifecyclePolicyText"])
    assert lifecycle["rules"][0]["selection"]["countNumber"] == 90
    (statement,) = json.loads(ecr.get_repository_policy(repositoryName="k8s/before")["policyText"])["Statement"]
    assert statement["Principal"] == {"AWS": "arn:aws:iam::222233334444:root"}


def test_the_deployment_warms_what_its_list_says(aws):
    """The state machine reads the list from S3 and calls the function for each image.

    The engine has no ResultWriter, so the report after the imports has nothing to read.
    """
    wait_for(aws, PUSHED[:2])
    aws.found("by running", "AWS::Lambda::Function", "AWS::StepFunctions::StateMachine", *CUSTOM)


def test_a_longer_list_is_warmed_when_it_is_deployed(aws):
    assert "etcd" not in images(aws)
    configuration = changed(CONFIGURATION)
    configuration["registries"]["main"]["warm"]["images"].append("registry.k8s.io/etcd:v1")
    aws.configure(configuration)
    aws.synthesise(aws.change)
    assert "Custom::EcrImageWarmer" in aws.deploy()
    wait_for(aws, PUSHED)


def wait_for(aws, names: Sequence[str]) -> None:
    """Until images are there; then end what the engine cannot finish."""
    deadline = time.monotonic() + 180
    while not images(aws).items() >= {name: aws.digests[name] for name in names}.items():
        assert time.monotonic() < deadline, images(aws)
        time.sleep(1)
    states = aws.client("stepfunctions", REGION)
    (machine,) = states.list_state_machines()["stateMachines"]
    for execution in states.list_executions(stateMachineArn=machine["stateMachineArn"])["executions"]:
        if execution["status"] == "RUNNING":
            states.stop_execution(executionArn=execution["executionArn"])


def test_destroying_the_stack_takes_its_cache_along(aws):
    ecr = aws.client("ecr", REGION)
    aws.destroy()
    with pytest.raises(ClientError, match="RepositoryNotFoundException"):
        ecr.describe_images(repositoryName="k8s/pause")
    names = {r["repositoryName"] for r in ecr.describe_repositories()["repositories"]}
    assert names == {"k8s/before"}, names
