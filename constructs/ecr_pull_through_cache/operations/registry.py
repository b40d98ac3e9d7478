"""The OCI distribution API of a registry, as far as an import needs it: manifests, and who refers to them.

https://github.com/opencontainers/distribution-spec
"""

from __future__ import annotations

import hashlib
import json
import random
import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from enum import Enum
from typing import Any
from urllib.parse import unquote

import urllib3

from ..errors import UserError

INDEXES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
MANIFESTS = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
_ACCEPT = ", ".join((*INDEXES, *MANIFESTS))
_LARGEST_MANIFEST = 4 * 1024 * 1024
_URL = re.compile(r"(?P<scheme>https?)://(?P<host>\[[0-9a-f:]+\]|[A-Za-z0-9.-]+)(?::\d{1,5})?/?", re.ASCII)
_LOOPBACK = frozenset({"127.0.0.1", "[::1]", "localhost"})
_RETRIED = frozenset({408, 429, 500, 502, 503, 504})


class Failure(Enum):
    """Why an image is not in the cache, in its user's words."""

    NO_SUCH_IMAGE = "no such image"
    UPSTREAM_CREDENTIALS = "upstream credentials"
    UPSTREAM_RATE_LIMIT = "the upstream's rate limit"
    RATE_LIMIT = "ECR's rate limit"
    NOT_ALLOWED = "import not allowed"
    QUOTA = "quota"
    PINNED_BY_DIGEST = "pinned by digest"
    NOT_COMPLETE = "not complete yet"
    NO_ANSWER = "no answer"
    SIGNED_OUT = "signed out of AWS"
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


@dataclass(frozen=True)
class Retries:
    """How often and how patiently a request is repeated.

    :param tries: tries in all.
    :param first: seconds before the second try; doubled for each further one.
    :param longest: seconds that no pause is longer than, ``Retry-After`` included.
    """

    tries: int = 8
    first: float = 0.5
    longest: float = 60.0

    def pause(self, attempt: int, asked: float | None) -> float:
        """Seconds to wait: what the registry asked for, else twice as long each time; with jitter, so that many
        clients do not come back at once.
        """
        if asked is not None:
            return min(asked, self.longest) + _jitter() * 0.1 * self.first
        return (0.5 + 0.5 * _jitter()) * min(self.longest, self.first * 2.0 ** (attempt - 1))


def _jitter() -> float:
    return random.random()  # noqa: S311 - it spreads requests and keeps no secret


class RateLimit:
    """At most so many requests a second, over all threads.

    :param per_second: requests a second; 0 for no limit.
    """

    def __init__(self, per_second: float) -> None:
        self._interval = 1 / per_second if per_second else 0.0
        self._next = 0.0
        self._lock = threading.Lock()

    def take(self) -> float:
        """Take the next request's turn: the seconds until it may go out."""
        if not self._interval:
            return 0.0
        with self._lock:
            now = time.monotonic()
            at = max(self._next, now)
            self._next = at + self._interval
        return at - now


@dataclass(frozen=True)
class Manifest:
    """A manifest, or an index of manifests.

    :param digest: its digest.
    :param media_type: its media type.
    :param content: what it says.
    :param size: bytes that came over the wire.
    """

    digest: str
    media_type: str
    content: Mapping[str, Any]
    size: int

    @property
    def is_index(self) -> bool:
        """Whether it lists manifests of several platforms."""
        return self.media_type in INDEXES

    @property
    def blobs(self) -> tuple[str, ...]:
        """Digests of configuration and layers."""
        parts = [self.content.get("config"), *self.content.get("layers", ())]
        return tuple(dict.fromkeys(part["digest"] for part in parts if part))


@dataclass
class Traffic:
    """What went over the wire.

    :param requests: requests sent, repeated ones included.
    :param received: bytes of bodies received.
    :param repeated: requests that were repeated.
    """

    requests: int = 0
    received: int = 0
    repeated: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    def count(self, received: int, *, repeated: bool) -> None:
        """Count one request."""
        with self._lock:
            self.requests += 1
            self.received += received
            self.repeated += repeated


class RegistryClient:
    """A registry, over HTTP with connections that are kept.

    :param host: its host.
    :param authorization: called for the value of the ``Authorization`` header, with whether a new one is wanted because
        the last one was refused.
    :param retries: how often and how patiently requests are repeated.
    :param rate: limit of requests a second.
    :param connections: how many threads will ask at once.
    :param scheme: ``https``, or ``http`` for registries on the loopback.
    :param url: where it is reached, if not under its own host: a proxy's or an endpoint's ``https://HOST[:PORT]``.
    :param proxy: the HTTP proxy on the way there, ``http://[USER:PASSWORD@]HOST:PORT``, if any.
    :param ca_certs: file of the certificates that are trusted, if not the system's.
    :param timeout: seconds without an answer after which a try has failed.
    """

    def __init__(
        self,
        host: str,
        *,
        authorization: Callable[[bool], str | None] = lambda _: None,
        retries: Retries = Retries(),
        rate: RateLimit | None = None,
        connections: int = 10,
        scheme: str = "https",
        url: str | None = None,
        proxy: str | None = None,
        ca_certs: str | None = None,
        timeout: float = 60.0,
    ) -> None:
        self.host = host
        self.traffic = Traffic()
        """What went over the wire so far."""
        self._authorization = authorization
        self._retries = retries
        self._rate = rate or RateLimit(0)
        self._stopped = threading.Event()
        self._base = check_url(url) if url else f"{scheme}://{host}"
        self._pool = _pool(
            proxy, num_pools=2, maxsize=connections, timeout=urllib3.Timeout(connect=10, read=timeout), retries=False,
            ca_certs=ca_certs,
        )  # fmt: skip

    def close(self) -> None:
        """Close the connections."""
        self._pool.clear()

    def stop(self) -> None:
        """Begin no further request and end every pause: what is not answered yet raises :class:`Stopped`."""
        self._stopped.set()

    def manifest(self, repository: str, reference: str) -> Manifest:
        """The manifest of a tag or digest.

        :raises RegistryError: when it cannot be had.
        """
        body, headers = self._get(f"/v2/{repository}/manifests/{reference}", _ACCEPT, check=_complete(reference))
        try:
            content = json.loads(body)
            if not isinstance(content, dict):
                raise ValueError("a manifest is an object")
        except ValueError:
            raise RegistryError(f"the registry's answer for {repository}:{reference} is no manifest") from None
        media_type = headers.get("Content-Type", "").partition(";")[0].strip() or content.get("mediaType", "")
        return Manifest(_digest(body), media_type, content, len(body))

    def referrers(self, repository: str, digest: str) -> tuple[str, ...]:
        """Digests of what refers to a manifest, such as signatures and bills of materials.

        :raises RegistryError: when they cannot be had; a registry that knows of none answers with none.
        """
        try:
            body, _ = self._get(f"/v2/{repository}/referrers/{digest}", INDEXES[0])
            listed = json.loads(body).get("manifests", [])
        except RegistryError as error:
            if error.status in (400, 404, 405):
                return ()
            raise
        except (ValueError, AttributeError):
            return ()
        return tuple(entry["digest"] for entry in listed if isinstance(entry, dict) and "digest" in entry)

    def _get(
        self, path: str, accept: str, check: Callable[[bytes, Mapping[str, str]], str | None] = lambda *_: None
    ) -> tuple[bytes, Mapping[str, str]]:
        renewed = False
        problem = RegistryError(f"{self.host} was not asked")
        for attempt in range(1, self._retries.tries + 1):
            self._pause(self._rate.take())
            asked: float | None = None
            try:
                status, body, headers = self._once(
                    path, accept, renew=renewed and problem.status == 401, again=attempt > 1
                )
            except (urllib3.exceptions.HTTPError, OSError) as error:
                problem = self._unanswered(error)
            else:
                wrong = check(body, headers) if status == 200 else None
                if status == 200 and wrong is None:
                    return body, headers
                problem = RegistryError(wrong, status=status) if wrong else explain(status, body, path)
                if status == 401 and not renewed:
                    renewed = True
                    continue
                if status != 200 and status not in _RETRIED and problem.failure is not Failure.UPSTREAM_RATE_LIMIT:
                    raise problem
                asked = _retry_after(headers)
            if attempt < self._retries.tries:
                self._pause(self._retries.pause(attempt, asked))
        raise problem

    def _unanswered(self, error: Exception) -> RegistryError:
        """Why there is no answer.

        :raises RegistryError: when there will be none the next time either.
        """
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            raise RegistryError(
                f"the certificate of {self.host} is not trusted; if a proxy signs it, name the proxy's certificates in "
                "AWS_CA_BUNDLE",
                failure=Failure.NO_ANSWER,
            ) from None
        return RegistryError(f"{self.host} does not answer: {type(error).__name__}", failure=Failure.NO_ANSWER)

    def _pause(self, seconds: float) -> None:
        if self._stopped.is_set() or (seconds > 0 and self._stopped.wait(seconds)):
            raise Stopped("it was stopped before its time; run it again to go on")

    def _once(self, path: str, accept: str, *, renew: bool, again: bool) -> tuple[int, bytes, Mapping[str, str]]:
        headers = {"Accept": accept}
        authorization = self._authorization(renew)
        if authorization is not None:
            headers["Authorization"] = authorization
        response = self._pool.request("GET", self._base + path, headers=headers, preload_content=False, redirect=False)
        try:
            body = response.read(_LARGEST_MANIFEST + 1)
            self.traffic.count(len(body), repeated=again)
            if len(body) > _LARGEST_MANIFEST:
                raise RegistryError(f"{self.host} answers with more than a manifest may hold")
            expected = response.headers.get("Content-Length")
            if expected is not None and expected.isdigit() and int(expected) != len(body):
                raise urllib3.exceptions.IncompleteRead(len(body), int(expected) - len(body))
        except BaseException:
            response.close()
            raise
        response.release_conn()
        return response.status, body, response.headers


def _pool(proxy: str | None, **options: Any) -> urllib3.PoolManager:
    if proxy is None:
        return urllib3.PoolManager(**options)
    authority = urllib3.util.parse_url(proxy).auth
    headers = urllib3.make_headers(proxy_basic_auth=unquote(authority)) if authority else None
    return urllib3.ProxyManager(proxy, proxy_headers=headers, **options)


def check_url(url: str) -> str:
    """Where a registry is reached, if not under its own host.

    :param url: ``https://HOST[:PORT]``; ``http`` on the loopback only, for a token is sent there.
    :raises UserError: when it is something else.
    """
    match = _URL.fullmatch(url)
    if match is None:
        raise UserError(f"{url!r} is not where a registry can be reached; write https://HOST or https://HOST:PORT")
    if match["scheme"] == "http" and match["host"] not in _LOOPBACK:
        raise UserError(f"{url!r} would carry the registry's token in the clear; http is for the loopback only")
    return url.rstrip("/")


def _complete(reference: str) -> Callable[[bytes, Mapping[str, str]], str | None]:
    """Whether a manifest is the one that was asked for, to the byte."""

    def check(body: bytes, headers: Mapping[str, str]) -> str | None:
        expected = reference if ":" in reference else headers.get("Docker-Content-Digest")
        if expected and expected.startswith("sha256:") and _digest(body) != expected:
            return f"the registry answers with another manifest than the one with the digest {expected}"
        return None

    return check


def _digest(body: bytes) -> str:
    return "sha256:" + hashlib.sha256(body).hexdigest()


def _retry_after(headers: Mapping[str, str]) -> float | None:
    value = headers.get("Retry-After", "")
    if value.isdigit():
        return float(value)
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except (TypeError, ValueError):
        return None


def explain(status: int, body: bytes, path: str) -> RegistryError:
    """An answer that is an error, as a sentence and as the kind of reason that people act on.

    https://docs.aws.amazon.com/AmazonECR/latest/userguide/error-pullthroughcache.html
    """
    try:
        error = json.loads(body)["errors"][0]
        code, message = str(error.get("code", "")), str(error.get("message", ""))
    except (ValueError, LookupError, TypeError, AttributeError):
        code, message = "", ""
    name = path.removeprefix("/v2/").replace("/manifests/", ":")
    failure, sentence = _judge(status, code, message.lower(), name)
    said = f" ({message})" if message else ""
    return RegistryError(f"{sentence}{said}", status=status, failure=failure)


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
