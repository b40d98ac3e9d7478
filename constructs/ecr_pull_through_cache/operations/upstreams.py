"""Upstream registries, asked as anybody may ask them: anonymously, and without downloading anything.

https://distribution.github.io/distribution/spec/auth/token/
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Mapping
from urllib.parse import quote

import urllib3

from ..images import DOCKER_HUB, ImageReference, Upstream
from .connections import Answer, Connections, Cut
from .failures import Failure, RegistryError
from .oci import INDEXES, MANIFESTS, is_digest
from .text import printable

_ACCEPT = ", ".join((*INDEXES, *MANIFESTS))
_PARAMETER = re.compile(r'(\w+)="([^"\\]*)"')
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MOST_REDIRECTS = 5
_MOST = 65_536
_LOOPBACK = frozenset({"127.0.0.1", "[::1]", "localhost"})


class UpstreamClient:
    """Asks upstream registries which digest a reference has.

    :param urls: addresses of registries that are not reached under their own host, by host, for tests and private proxies.
    :param proxy: the HTTP proxy on the way, ``http://[USER:PASSWORD@]HOST:PORT``. Default: none.
    :param ca_certs: file of the certificates that are trusted. Default: the system's.
    :param timeout: seconds until an answer must be whole.
    :raises UserError: when proxy or certificates cannot be used.
    """

    def __init__(
        self,
        *,
        urls: Mapping[str, str] | None = None,
        proxy: str | None = None,
        ca_certs: str | None = None,
        timeout: float = 20.0,
    ) -> None:
        self._urls = dict(urls or {})
        self._timeout = timeout
        self._stopped = threading.Event()
        self._connections = Connections(self._stopped, proxy=proxy, ca_certs=ca_certs, most=8)

    def close(self) -> None:
        """Close the connections."""
        self._connections.close()

    def stop(self) -> None:
        """End what is under way within two seconds."""
        self._stopped.set()

    def digest_of(self, reference: ImageReference) -> str | None:
        """Ask for the digest of a reference.

        :param reference: an upstream's own name of an image.
        :returns: the digest; ``None`` when the upstream has no such image.
        :raises RegistryError: when the upstream does not say, for want of credentials or of an answer.
        """
        host = reference.registry
        url = f"{self._base(host)}/v2/{reference.repository}/manifests/{reference.digest or reference.tag or 'latest'}"
        answer = self._ask(url, None)
        if answer.status == 401:
            token = self._token(answer.headers.get("WWW-Authenticate", ""), reference.repository, host)
            answer = self._ask(url, token)
        if answer.status == 404:
            return None
        if answer.status in (401, 403):
            raise RegistryError(
                f"{host} does not say without credentials whether it has {reference}",
                status=answer.status,
                failure=Failure.UPSTREAM_CREDENTIALS,
            )
        if answer.status == 429:
            raise RegistryError(
                f"the rate limit of {host} for anonymous requests was met; try again later",
                status=429,
                failure=Failure.UPSTREAM_RATE_LIMIT,
            )
        if answer.status != 200:
            raise RegistryError(f"{host} answers with {answer.status} for {reference}", status=answer.status)
        digest = answer.headers.get("Docker-Content-Digest", "")
        if not is_digest(digest):
            raise RegistryError(
                f"{host} gives {printable(digest, longest=100)!r} for the digest of {reference}, which is none",
                failure=Failure.MALFORMED,
            )
        return digest

    def _base(self, host: str) -> str:
        if host in self._urls:
            return self._urls[host]
        return f"https://{Upstream.DOCKER_HUB.url if host == DOCKER_HUB else host}"

    def _ask(self, url: str, token: str | None) -> Answer:
        headers = {"Accept": _ACCEPT, **({"Authorization": f"Bearer {token}"} if token else {})}
        answer = self._get("HEAD", url, headers)
        for _ in range(_MOST_REDIRECTS):
            where = answer.headers.get("Location", "")
            if answer.status not in _REDIRECTS or not _may_follow(where, url):
                break
            # A token is for the registry that asked for it, not for where it redirects to.
            answer = self._get("HEAD", where, {"Accept": _ACCEPT})
        return answer

    def _token(self, challenge: str, repository: str, host: str) -> str | None:
        scheme, _, rest = challenge.partition(" ")
        given = dict(_PARAMETER.findall(rest))
        realm = given.get("realm", "")
        if scheme.lower() != "bearer" or not _may_follow(realm, self._base(host)):
            return None
        scope = quote(f"repository:{repository}:pull", safe=":/")
        service = f"&service={quote(given['service'], safe='')}" if "service" in given else ""
        answer = self._get("GET", f"{realm}{'&' if '?' in realm else '?'}scope={scope}{service}", {})
        try:
            body = json.loads(answer.body)
            token = body.get("token") or body.get("access_token")
        except (ValueError, AttributeError, RecursionError):
            return None
        return token if isinstance(token, str) and re.fullmatch(r"[\x21-\x7e]+", token) else None

    def _get(self, method: str, url: str, headers: Mapping[str, str]) -> Answer:
        try:
            return self._connections.get(url, headers, seconds=self._timeout, most=_MOST, method=method)
        except (urllib3.exceptions.HTTPError, OSError, Cut) as error:
            host = urllib3.util.parse_url(url).host
            raise RegistryError(f"{host} does not answer: {type(error).__name__}", failure=Failure.NO_ANSWER) from None


def _may_follow(where: str, origin: str) -> bool:
    """Whether an address that a registry gives is one of https; http only on the loopback, as the registry itself."""
    try:
        found, before = urllib3.util.parse_url(where), urllib3.util.parse_url(origin)
    except urllib3.exceptions.LocationParseError:
        return False
    plain = found.scheme == before.scheme == "http" and found.host in _LOOPBACK and before.host in _LOOPBACK
    return bool(found.host) and (found.scheme == "https" or plain)
