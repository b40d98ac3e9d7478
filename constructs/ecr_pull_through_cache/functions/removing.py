"""Deletes the cached images of rules when their stack is deleted."""

from __future__ import annotations

import json
import os
import time
import traceback
from collections.abc import Iterator, Mapping
from typing import Any

import boto3

from ..errors import UserError
from ..operations.answers import watch
from ..operations.aws import call, ecr_client
from ..operations.parallel import THREADS, in_order
from ..operations.purging import Found, Purger
from .backfilling import MARGIN
from .cloudformation import Unfinished, answer
from .contract import PREFIXES

_MOST_NAMED = 10


def handler(event: Mapping[str, Any], context: Any) -> dict[str, int]:
    """Empty what the rules cached, if the stack itself is being deleted.

    Nothing is removed when this was only taken out of the stack, or when a deployment that brought it is rolled back: rule
    and cache stay then.

    :param event: the request of a custom resource.
    :param context: Lambda's context, for the time that is left.
    :returns: how many repositories were deleted, and how many left because the rules did not make them.
    :raises Unfinished: when time was over before.
    """
    counts = {"deleted": 0, "left": 0}
    try:
        if event.get("RequestType") == "Delete" and _stack_goes(event["StackId"]):
            until = time.monotonic() + context.get_remaining_time_in_millis() / 1000 - MARGIN
            failed = list(_remove(until, counts))
            if failed:
                named = "; ".join(failed[:_MOST_NAMED])
                raise UserError(
                    f"{len(failed)} repositories cannot be deleted, {counts['deleted']} were: {named}. "
                    "Delete the stack again to go on"
                )
    except Unfinished:
        raise
    except UserError as error:
        answer(event, failed=str(error))
    except Exception as error:
        # Without an answer CloudFormation waits for an hour.
        traceback.print_exc()
        answer(event, failed=f"{type(error).__name__}: {error}; the function's log has all of it")
    else:
        answer(event)
    print(json.dumps(counts))
    return counts


def _stack_goes(stack: str) -> bool:
    client = boto3.client("cloudformation")
    watch(client)
    (found,) = call(client, "describe_stacks", StackName=stack)["Stacks"]
    return str(found["StackStatus"]) == "DELETE_IN_PROGRESS"


def _remove(until: float, counts: dict[str, int]) -> Iterator[str]:
    """Delete what may go; gives what cannot be deleted, with the reason."""
    purger = Purger(ecr_client(os.environ["AWS_REGION"], connections=THREADS))

    def remove(found: Found) -> tuple[str, str]:
        if time.monotonic() > until:
            raise Unfinished("the time limit is reached; the next invocation continues with the remaining repositories")
        if not found.removable:
            return ("failed" if found.failed else "left"), f"{found.repository}: {found.reason}"
        try:
            purger.delete_repository(found.repository)
        except UserError as error:
            return "failed", f"{found.repository}: {error}"
        return "deleted", found.repository

    for prefix in json.loads(os.environ[PREFIXES]):
        created = purger.rule_created(prefix)
        for what, line in in_order(remove, purger.find(prefix, created), threads=THREADS) if created else ():
            print(json.dumps({what: line}))
            if what == "failed":
                yield line
            else:
                counts[what] += 1
