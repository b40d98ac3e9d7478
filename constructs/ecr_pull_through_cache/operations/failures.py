"""Why an image is not in the cache: the kinds of reasons, and the sentence for each answer of a registry."""

from __future__ import annotations

import json
from enum import Enum
from typing import Any

from ..errors import UserError
from .text import printable

_MOST_READ = 65_536
"""Bytes of an error's body that are looked at."""


class Failure(Enum):
    """Why an image is not in the cache, in its user's words."""

    NO_SUCH_IMAGE = "no such image"
    NO_RULE = "no pull through cache rule"
    UPSTREAM_CREDENTIALS = "upstream credentials"
    UPSTREAM_RATE_LIMIT = "the upstream's rate limit"
    RATE_LIMIT = "ECR's rate limit"
    NOT_ALLOWED = "import not allowed"
    QUOTA = "quota"
    PINNED_BY_DIGEST = "pinned by digest"
    NOT_COMPLETE = "not complete yet"
    NO_ANSWER = "no answer"
    SIGNED_OUT = "signed out of AWS"
    MALFORMED = "not a valid image"
    OTHER = "other"


class RegistryError(UserError):
    """A registry did not answer with what was asked for, after all tries.

    :param reason: a sentence for people.
    :param status: HTTP status, 0 where there was no answer.
    :param failure: what kind of reason it is.
    """

    def __init__(self, reason: str, *, status: int = 0, failure: Failure = Failure.OTHER) -> None:
        super().__init__(reason)
        self.status = status
        self.failure = failure


class Stopped(UserError):
    """A run was told to stop before this was done."""


def explain(status: int, body: bytes, path: str) -> RegistryError:
    """An answer that is an error, as a sentence and as the kind of reason that people act on.

    :param status: HTTP status of the answer.
    :param body: its body.
    :param path: path of the request.

    https://docs.aws.amazon.com/AmazonECR/latest/userguide/error-pullthroughcache.html
    """
    code, message = _said(body)
    name = path.removeprefix("/v2/").replace("/manifests/", ":")
    failure, sentence = _judge(status, code, message.lower(), name)
    said = f" ({message})" if message else ""
    return RegistryError(f"{sentence}{said}", status=status, failure=failure)


def _said(body: bytes) -> tuple[str, str]:
    """Code and message of an error, on one line each and not too long; both empty where the body is no error of a registry.

    https://github.com/opencontainers/distribution-spec/blob/main/spec.md#error-codes
    """
    try:
        error: Any = json.loads(body[:_MOST_READ])["errors"][0]
        found = [error.get(name, "") for name in ("code", "message")]
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return "", ""
    code, message = (text if isinstance(text, str) else "" for text in found)
    return printable(code, longest=100), printable(message, longest=300)


def _judge(status: int, code: str, message: str, name: str) -> tuple[Failure, str]:
    upstream = "upstream" in message
    if upstream and any(word in message for word in _TOO_MANY):
        return Failure.UPSTREAM_RATE_LIMIT, "the upstream registry's rate limit was met and did not pass"
    if upstream and any(word in message for word in ("auth", "credential", "secret")):
        return Failure.UPSTREAM_CREDENTIALS, f"the upstream registry refuses the rule's credentials, or has no {name}"
    if status == 404:
        return Failure.NO_SUCH_IMAGE, f"there is no image {name} upstream, or its first pull may not import it"
    if status in (401, 403):
        return Failure.NOT_ALLOWED, (
            f"importing {name} is not allowed; it takes ecr:BatchImportUpstreamImage and ecr:CreateRepository "
            "under its prefix"
        )
    if status == 429:
        return Failure.RATE_LIMIT, "the rate limit was met and did not pass"
    if status == 400 and ("limit" in message or "quota" in message):
        return Failure.QUOTA, "a quota of the registry is used up"
    return Failure.OTHER, f"the registry answers with {status} {code}".rstrip()


_TOO_MANY = ("toomanyrequests", "too many requests", "rate limit", "rate exceeded", "throttl")
