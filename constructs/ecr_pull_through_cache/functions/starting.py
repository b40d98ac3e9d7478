"""A state machine started by a deployment, which does not wait for it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from ..operations.aws import to_aws_error
from .cloudformation import answer


def handler(event: Mapping[str, Any], _: Any) -> dict[str, str]:
    """Start the state machine of a custom resource, except when that is deleted. CloudFormation has its answer before.

    :param event: the request; ``StateMachineArn`` and ``Input`` are its properties. The request's id is the execution's name,
        so that a repeated request starts nothing twice.
    :raises AwsError: when it cannot be started; Lambda repeats the invocation, for a role that is new takes effect a little
        later.
    """
    answer(event)
    if event.get("RequestType") == "Delete":
        return {}
    properties = event["ResourceProperties"]
    try:
        return {"execution": _start(properties["StateMachineArn"], properties["Input"], event["RequestId"])}
    except (ClientError, BotoCoreError) as error:
        raise to_aws_error(error, call="states:StartExecution") from None


def _start(machine: str, given: Mapping[str, Any], name: str) -> str:
    client = boto3.client("stepfunctions")
    try:
        return str(client.start_execution(stateMachineArn=machine, input=json.dumps(given), name=name)["executionArn"])
    except client.exceptions.ExecutionAlreadyExists:
        return name
