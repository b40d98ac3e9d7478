"""A state machine started by a deployment, which does not wait for it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from ..operations.aws import said
from .cloudformation import answer


def handler(event: Mapping[str, Any], _: Any) -> dict[str, str]:
    """Start the state machine of a custom resource, except when that is deleted.

    :param event: the request; ``StateMachineArn`` and ``Input`` are its properties. The request's id is the execution's name,
        so that a repeated request starts nothing twice.
    """
    started = {}
    try:
        if event["RequestType"] != "Delete":
            properties = event["ResourceProperties"]
            started = {"execution": _start(properties["StateMachineArn"], properties["Input"], event["RequestId"])}
    except (ClientError, BotoCoreError) as error:
        # The deployment is good without; the schedule, or somebody, starts it again.
        print(json.dumps({"failed": str(said(error, call="states:StartExecution"))}))
    answer(event)
    return started


def _start(machine: str, given: Mapping[str, Any], name: str) -> str:
    client = boto3.client("stepfunctions")
    try:
        return str(client.start_execution(stateMachineArn=machine, input=json.dumps(given), name=name)["executionArn"])
    except client.exceptions.ExecutionAlreadyExists:
        return name
