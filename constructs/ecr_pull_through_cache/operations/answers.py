"""Answers of AWS, and answers that only look like one: the sign-in page of a proxy comes with the status 200, too.

botocore reads a page of HTML as an answer without members, so a list that could not be had would pass for an empty one.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from typing import Any

from botocore.exceptions import BotoCoreError

from ..errors import UserError

_LOG = logging.getLogger(__name__)
_THROTTLED = frozenset(
    {
        "ThrottlingException", "Throttling", "ThrottledException", "TooManyRequestsException", "RequestLimitExceeded",
        "RequestThrottled", "RequestThrottledException", "SlowDown", "PriorRequestNotComplete", "BandwidthLimitExceeded",
    }
)  # fmt: skip
_SCALARS: dict[str, tuple[type, ...]] = {
    "string": (str,), "character": (str,), "blob": (str,), "boolean": (bool,), "integer": (int,), "long": (int,),
    "float": (int, float, str), "double": (int, float, str), "timestamp": (int, float, str),
}  # fmt: skip
_PATIENCE = 3
"""Tries after which it is said that AWS throttles."""
_SILENCE = 15.0
"""Seconds between two such sentences."""


class AwsError(UserError):
    """AWS refused a call, or did not answer it; the message says which one and what it takes."""


class NotAws(BotoCoreError):
    """An answer came from something else than AWS."""

    fmt = "the answer did not come from AWS"


class Answer(dict[str, Any]):
    """An answer of AWS. A missing member is an error with a sentence.

    :param call: the permission that the call takes, such as ``ecr:DescribeRepositories``.
    :param members: the members.
    """

    def __init__(self, call: str, members: dict[str, Any]) -> None:
        super().__init__((name, _answer(call, value)) for name, value in members.items())
        self._call = call

    def __missing__(self, name: str) -> Any:
        raise not_aws(self._call, f"it has no {name}")


def answer(call: str, members: Any) -> Answer:
    """Wrap an answer of botocore.

    :param call: the permission that the call takes.
    :param members: what botocore gives.
    :raises AwsError: when it is none.
    """
    if not isinstance(members, dict):
        raise not_aws(call, "it is no object")
    return Answer(call, members)


def _answer(call: str, value: Any) -> Any:
    if isinstance(value, dict):
        return Answer(call, value)
    if isinstance(value, list):
        if any(item is None for item in value):
            raise not_aws(call, "a list in it has an entry that is null")
        return [_answer(call, item) for item in value]
    return value


def not_aws(call: str, why: str = "it is not in AWS's form") -> AwsError:
    """An answer that AWS does not give, as a sentence.

    :param call: the permission that the call takes.
    :param why: what is wrong with it.
    """
    return AwsError(
        f"the answer to {call} did not come from AWS, for {why}; a proxy may stand in between: "
        "look at HTTPS_PROXY and AWS_ENDPOINT_URL, and run this again"
    )


def watch(client: Any) -> None:
    """Have each answer of a client looked at, and throttling that does not pass said in the log.

    :param client: a client of boto3.
    """
    client.meta.events.register("after-call", _check)
    client.meta.events.register("needs-retry", _Throttling())


def _check(http_response: Any, model: Any, **_: Any) -> None:
    """Whether the body is in the form of the service's protocol.

    :raises NotAws: when it is not.
    """
    if http_response.status_code >= 300 or model.has_streaming_output:
        return
    body = http_response.content.strip()
    protocol = model.service_model.metadata.get("protocol", "")
    if protocol == "json":
        wrong = not _is_json(body, model.output_shape)
    elif protocol == "query":
        wrong = f"<{model.name}Response".encode() not in body[:2_000]
    else:
        wrong = body.lower().startswith((b"<html", b"<!doctype html"))
    if wrong:
        raise NotAws


def _is_json(body: bytes, shape: Any) -> bool:
    if not body:
        return not (shape and shape.members)
    try:
        members = json.loads(body)
        return isinstance(members, dict) and (shape is None or _fits(members, shape))
    except (ValueError, RecursionError):
        return False


def _fits(value: Any, shape: Any) -> bool:
    """Whether a value has the types that the service's model says. botocore reads many others as if nothing were there."""
    kind = shape.type_name
    if kind == "structure":
        known = shape.members
        return isinstance(value, dict) and all(
            part is None or name not in known or _fits(part, known[name]) for name, part in value.items()
        )
    if kind == "list":
        return isinstance(value, list) and all(_fits(part, shape.member) for part in value)
    if kind == "map":
        return isinstance(value, dict) and all(_fits(part, shape.value) for part in value.values())
    return isinstance(value, _SCALARS.get(kind, object)) and (kind == "boolean" or not isinstance(value, bool))


class _Throttling:
    """Reports from time to time that AWS throttles. botocore retries ten times, which takes minutes."""

    def __init__(self) -> None:
        self._next = 0.0
        self._lock = threading.Lock()

    def __call__(self, response: Any, attempts: int, operation: Any, **_: Any) -> None:
        """Look at one answer before it is decided whether it is asked for again."""
        code = response[1].get("Error", {}).get("Code", "") if response else ""
        if code not in _THROTTLED or attempts < _PATIENCE:
            return
        with self._lock:
            now = time.monotonic()
            if now < self._next:
                return
            self._next = now + _SILENCE
        _LOG.warning("AWS throttles %s; it is asked again, more slowly", operation.name)
