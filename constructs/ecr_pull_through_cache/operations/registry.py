"""The OCI distribution API of a registry, as far as an import needs it: manifests, and who refers to them.

https://github.com/opencontainers/distribution-spec
"""

from __future__ import annotations

import random
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime

import urllib3

from ..errors import UserError
from .connections import Connections, Cut
from .failures import Failure, RegistryError, Stopped, explain
from .oci import INDEXES, LARGEST, MANIFESTS, Malformed, Manifest, digests_of, is_digest, read_manifest, read_referrers
from .text import printable

__all__ = [
    "Failure",
    "LayerStart",
    "RateLimit",
    "RegistryClient",
    "RegistryError",
    "Retries",
    "Stopped",
    "Traffic",
    "check_url",
    "explain",
]


_ACCEPT = ", ".join((*INDEXES, *MANIFESTS))
_URL = re.compile(r"(?P<scheme>https?)://(?P<host>\[[0-9a-f:]+\]|[A-Za-z0-9.-]+)(?::(?P<port>\d{1,5}))?/?", re.ASCII)
_LOOPBACK = frozenset({"127.0.0.1", "[::1]", "localhost"})
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_MOST_DIGITS = 15
_LAYER = frozenset({200, 206, 301, 302, 303, 307, 308})
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MOST_REDIRECTS = 5
_RETRIED = frozenset({408, 429, 500, 502, 503, 504})


@dataclass(frozen=True)
class Retries:
    """The number of retries and their pauses.

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


@dataclass(frozen=True, kw_only=True)
class LayerStart:
    """The source of the first bytes of a layer.

    :param host: the registry's host, or the host that it redirects to.
    :param received: bytes read.
    """

    host: str
    received: int


@dataclass
class Traffic:
    """The counts of requests and bytes.

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
    :param timeout: seconds until an answer must be whole; then a try has failed.
    :raises UserError: when the address, the proxy or the certificates cannot be used.
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
        self._timeout = timeout
        self._connections = Connections(self._stopped, proxy=proxy, ca_certs=ca_certs, most=connections)

    def close(self) -> None:
        """Close the connections."""
        self._connections.close()

    def stop(self) -> None:
        """Begin no further request, end every pause, and end what is under way within two seconds: what is not answered by
        then raises :class:`Stopped`.
        """
        self._stopped.set()

    def manifest(self, repository: str, reference: str) -> Manifest:
        """The manifest of a tag or digest.

        :param repository: the repository.
        :param reference: the tag or digest.
        :raises RegistryError: when it cannot be had, or is no manifest.
        :raises Stopped: when the client was stopped.
        """
        path = f"/v2/{repository}/manifests/{_in_path(reference)}"
        _, body, headers = self._get(path, {"Accept": _ACCEPT}, check=_complete(reference))
        with _told(f"{repository}:{reference}"):
            return read_manifest(body, headers.get("Content-Type", ""))

    def referrers(self, repository: str, digest: str) -> tuple[str, ...]:
        """Digests of what refers to a manifest, such as signatures and bills of materials.

        :param repository: the repository.
        :param digest: digest of the manifest.
        :raises RegistryError: when they cannot be had; a registry that knows of none answers with none.
        :raises Stopped: when the client was stopped.
        """
        try:
            _, body, headers = self._get(f"/v2/{repository}/referrers/{_in_path(digest)}", {"Accept": INDEXES[0]})
        except RegistryError as error:
            if error.status in (400, 404, 405):
                return ()
            raise
        with _told(f"the referrers of {repository}@{digest}"):
            if "next" in headers.get("Link", ""):
                raise Malformed("the list of referrers has further pages, which are not read")
            return read_referrers(body)

    def layer_start(self, repository: str, digest: str, *, most: int = 1024) -> LayerStart:
        """Read the first bytes of a layer, as a node does when it begins to download it.

        :param repository: the repository.
        :param digest: digest of the layer.
        :param most: bytes to read.
        :raises RegistryError: when the layer cannot be had.
        :raises Stopped: when the client was stopped.
        """
        path = f"/v2/{repository}/blobs/{_in_path(digest)}"
        part = {"Range": f"bytes=0-{most - 1}"}
        status, body, headers = self._get(path, part, good=_LAYER, most=most)
        if status not in _REDIRECTS:
            return LayerStart(host=self.host, received=len(body))
        where = headers.get("Location", "")
        for _ in range(_MOST_REDIRECTS):
            host = _redirected_to(where, plain=self._base.startswith("http:"))
            try:
                # Without the token: it is for the registry alone.
                answer = self._connections.get(where, part, seconds=self._timeout, most=most)
            except (urllib3.exceptions.HTTPError, OSError, Cut) as error:
                raise RegistryError(
                    f"{host}, where the registry keeps the layer, does not answer: {type(error).__name__}",
                    failure=Failure.NO_ANSWER,
                ) from None
            if answer.status not in _REDIRECTS:
                if answer.status not in _LAYER:
                    raise RegistryError(f"{host} answers with {answer.status} for the layer", status=answer.status)
                return LayerStart(host=host, received=len(answer.body))
            where = answer.headers.get("Location", "")
        raise RegistryError("the layer is redirected without end", failure=Failure.MALFORMED)

    def _get(
        self,
        path: str,
        wanted: Mapping[str, str],
        check: Callable[[bytes, Mapping[str, str]], str | None] = lambda *_: None,
        *,
        good: frozenset[int] = frozenset({200}),
        most: int = LARGEST + 1,
    ) -> tuple[int, bytes, Mapping[str, str]]:
        renewed = False
        problem = RegistryError(f"{self.host} was not asked")
        for attempt in range(1, self._retries.tries + 1):
            self._pause(self._rate.take())
            asked: float | None = None
            try:
                status, body, headers = self._once(
                    path, wanted, renew=renewed and problem.status == 401, again=attempt > 1, most=most
                )
            except (urllib3.exceptions.HTTPError, OSError, Cut) as error:
                problem = self._unanswered(error)
            else:
                wrong = check(body, headers) if status in good else None
                if status in good and wrong is None:
                    return status, body, headers
                problem = RegistryError(wrong, status=status) if wrong else explain(status, body, path)
                if status == 401 and not renewed:
                    renewed = True
                    continue
                if status not in good and status not in _RETRIED and problem.failure is not Failure.UPSTREAM_RATE_LIMIT:
                    raise problem
                asked = _retry_after(headers)
            self._pause(self._retries.pause(attempt, asked) if attempt < self._retries.tries else 0)
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
        why = f"within {self._timeout:g} seconds" if isinstance(error, Cut) else f": {type(error).__name__}"
        return RegistryError(
            f"{self.host} does not answer{'' if why.startswith(':') else ' '}{why}", failure=Failure.NO_ANSWER
        )

    def _pause(self, seconds: float) -> None:
        if self._stopped.is_set() or (seconds > 0 and self._stopped.wait(seconds)):
            raise Stopped("it was stopped before its time; run it again to go on")

    def _once(
        self, path: str, wanted: Mapping[str, str], *, renew: bool, again: bool, most: int
    ) -> tuple[int, bytes, Mapping[str, str]]:
        headers = dict(wanted)
        authorization = self._authorization(renew)
        if authorization is not None:
            headers["Authorization"] = authorization
        answer = self._connections.get(self._base + path, headers, seconds=self._timeout, most=most)
        self.traffic.count(len(answer.body), repeated=again)
        if len(answer.body) > LARGEST:
            raise RegistryError(f"{self.host} answers with more than a manifest may hold", failure=Failure.MALFORMED)
        expected = _number(answer.headers.get("Content-Length", ""))
        whole = "Content-Encoding" not in answer.headers and len(answer.body) < most
        if whole and expected is not None and expected != len(answer.body):
            raise urllib3.exceptions.IncompleteRead(len(answer.body), expected - len(answer.body))
        return answer.status, answer.body, answer.headers


def _redirected_to(where: str, *, plain: bool) -> str:
    """The host of a redirect that may be followed.

    :param plain: whether the registry itself is asked over http, on the loopback.
    :raises RegistryError: when it leads to anything but https.
    """
    try:
        found = urllib3.util.parse_url(where)
    except urllib3.exceptions.LocationParseError:
        found = urllib3.util.Url()
    if found.host and (found.scheme == "https" or (plain and found.scheme == "http" and found.host in _LOOPBACK)):
        return found.host
    raise RegistryError(
        f"the registry redirects to {printable(where, longest=100)!r}, which is not an https address",
        failure=Failure.MALFORMED,
    )


def check_url(url: str) -> str:
    """The address of a registry that is not reached at its own host.

    :param url: ``https://HOST[:PORT]``; ``http`` on the loopback only, for a token is sent there.
    :raises UserError: when it is something else.
    """
    match = _URL.fullmatch(url)
    if match is None or int(match["port"] or 1) not in range(1, 65_536):
        raise UserError(f"{url!r} is not where a registry can be reached; write https://HOST or https://HOST:PORT")
    if match["scheme"] == "http" and match["host"] not in _LOOPBACK:
        raise UserError(f"{url!r} would carry the registry's token in the clear; http is for the loopback only")
    return url.rstrip("/")


def _in_path(reference: str) -> str:
    """A tag or digest that leads nowhere else when it stands in a path.

    :raises RegistryError: when it is neither.
    """
    if is_digest(reference) or _TAG.fullmatch(reference):
        return reference
    raise RegistryError(
        f"{printable(reference, longest=100)!r} is neither a tag nor a digest by sha256 or sha512",
        failure=Failure.MALFORMED,
    )


@contextmanager
def _told(what: str) -> Iterator[None]:
    """Turn a faulty answer into an error for the image."""
    try:
        yield
    except Malformed as error:
        reason = f"the registry's answer for {printable(what, longest=300)} cannot be used: {error}"
        raise RegistryError(reason, failure=Failure.MALFORMED) from None


def _complete(reference: str) -> Callable[[bytes, Mapping[str, str]], str | None]:
    """Whether a manifest is the one that was asked for, to the byte."""

    def check(body: bytes, headers: Mapping[str, str]) -> str | None:
        claimed = headers.get("Docker-Content-Digest", "")
        for expected in filter(None, (reference if ":" in reference else "", claimed)):
            if not is_digest(expected):
                return f"the registry gives {printable(expected, longest=100)!r} for a digest, which is none"
            if expected not in digests_of(body):
                return f"the registry answers with another manifest than the one with the digest {expected}"
        return None

    return check


def _number(text: str) -> int | None:
    """A number of a header: digits, and not more of them than a time or a length has."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= _MOST_DIGITS else None


def _retry_after(headers: Mapping[str, str]) -> float | None:
    value = headers.get("Retry-After", "")
    seconds = _number(value)
    if seconds is not None:
        return float(seconds)
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except (TypeError, ValueError, OverflowError, LookupError):
        return None
