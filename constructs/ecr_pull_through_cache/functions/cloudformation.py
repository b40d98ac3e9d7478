"""The answer that CloudFormation waits for from a custom resource.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref-responses.html
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import urllib3

from ..operations.text import printable

_LONGEST_REASON = 2_000
_LONGEST_ANSWER = 4_096
_RETRIES = urllib3.Retry(5, backoff_factor=1, allowed_methods=None, status_forcelist=(500, 502, 503, 504))


class Unfinished(Exception):
    """Time is over and something is left to do.

    It is raised out of a handler that CloudFormation invoked: Lambda retries a failed asynchronous invocation twice with
    the same event, and each run continues where the last one stopped.

    https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
    """


def answer(event: Mapping[str, Any], *, failed: str | None = None) -> None:
    """Answer the request of a custom resource.

    :param event: the request. Without a ``ResponseURL`` it is not a custom resource request, and nothing is sent.
    :param failed: why it failed, if it did.
    :raises urllib3.exceptions.HTTPError: when S3 does not accept the answer, even after retries.
    """
    url = event.get("ResponseURL")
    if not url:
        return
    body = {
        "Status": "FAILED" if failed else "SUCCESS",
        "Reason": printable(failed or "done", longest=_LONGEST_REASON),
        # It never changes, so that no update is taken for a replacement, which would end in a deletion.
        "PhysicalResourceId": event.get("PhysicalResourceId") or event.get("LogicalResourceId", "none"),
        **{name: event.get(name, "") for name in ("StackId", "RequestId", "LogicalResourceId")},
    }
    with urllib3.PoolManager(retries=_RETRIES) as pool:
        # The URL is signed for a request without a content type.
        pool.request("PUT", url, body=_cut(body), headers={"Content-Type": ""}, timeout=20.0)


def _cut(body: dict[str, str]) -> bytes:
    """The answer as JSON. CloudFormation takes 4,096 bytes; a longer reason is cut."""
    while len(text := json.dumps(body).encode()) > _LONGEST_ANSWER and body["Reason"]:
        # One character takes up to twelve bytes.
        kept = len(body["Reason"]) - max(1, (len(text) - _LONGEST_ANSWER) // 12)
        body["Reason"] = body["Reason"][:kept]
    return text
