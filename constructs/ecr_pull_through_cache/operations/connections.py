"""HTTP connections that are kept, and answers that come whole within a time or not at all.

urllib3's own time-outs are for each read: an answer that drips byte by byte never meets them, and nothing ends a read that
has begun. So each request is watched, and its connection is shut down when its time is over or the run is stopped.
"""

from __future__ import annotations

import os
import socket
import ssl
import threading
import time
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from ..errors import UserError
from .proxies import check_proxy

_CONNECT = 10.0
_TICK = 0.1
"""Seconds between two looks at what is under way."""
_GRACE = 0.5
"""Seconds that an answer which is under way has when the run is stopped. The run itself ends within two."""


class Cut(Exception):
    """An answer was not whole when its time was over, or when the run was stopped."""


@dataclass(frozen=True)
class Answer:
    """The answer.

    :param status: HTTP status.
    :param body: the body, decompressed; cut off after the most bytes that were asked for.
    :param headers: the headers.
    """

    status: int
    body: bytes
    headers: Mapping[str, str]


@dataclass(eq=False)
class _Watched:
    """One request that is under way, and the sockets that it uses."""

    until: float
    cut: bool = False
    sockets: list[socket.socket] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, used: socket.socket) -> None:
        """One more socket; a duplicate is kept, for a socket under TLS may not be shut down while another thread reads."""
        with suppress(OSError), self.lock:
            self.sockets.append(socket.socket(fileno=os.dup(used.fileno())))
            if self.cut:
                self.sockets[-1].shutdown(socket.SHUT_RDWR)

    def end(self) -> None:
        """Shut the sockets down, so that their readers end."""
        with self.lock:
            self.cut = True
            for used in self.sockets:
                with suppress(OSError):
                    used.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Let go of the duplicates."""
        with self.lock:
            while self.sockets:
                self.sockets.pop().close()


_current = threading.local()


def _watch(used: Any) -> None:
    watched: _Watched | None = getattr(_current, "watched", None)
    if watched is not None and used is not None:
        watched.add(used)


class _Plain(HTTPConnection):
    def _new_conn(self) -> socket.socket:
        used = super()._new_conn()
        _watch(used)
        return used

    def request(self, *arguments: Any, **options: Any) -> None:
        _watch(self.sock)
        super().request(*arguments, **options)


class _Tls(HTTPSConnection):
    def _new_conn(self) -> socket.socket:
        used = super()._new_conn()
        _watch(used)
        return used

    def request(self, *arguments: Any, **options: Any) -> None:
        _watch(self.sock)
        super().request(*arguments, **options)


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _Plain


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _Tls


class Connections:
    """Connections for several threads, until they are closed.

    :param stopped: set when the run is stopped.
    :param proxy: the HTTP proxy on the way, ``http://[USER:PASSWORD@]HOST:PORT``, if any.
    :param ca_certs: file of the certificates that are trusted. Default: the system's.
    :param most: how many connections are kept.
    :raises UserError: when proxy or certificates cannot be used.
    """

    def __init__(self, stopped: threading.Event, *, proxy: str | None, ca_certs: str | None, most: int) -> None:
        self._stopped = stopped
        self._pool = _pool(proxy, num_pools=2, maxsize=most, retries=False, ca_certs=check_certificates(ca_certs))
        self._under_way: set[_Watched] = set()
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._watching = False

    def close(self) -> None:
        """Close them."""
        self._closed.set()
        self._pool.clear()

    def get(self, url: str, headers: Mapping[str, str], *, seconds: float, most: int, method: str = "GET") -> Answer:
        """Ask for something. Redirects are not followed.

        :param url: the address.
        :param headers: headers of the request.
        :param seconds: seconds until the answer must be whole.
        :param most: bytes of the body after which nothing more is read.
        :param method: ``GET`` or ``HEAD``.
        :raises Cut: when it was not whole by then, or the run was stopped.
        :raises urllib3.exceptions.HTTPError: when there is no answer.
        """
        with self._watched(seconds) as watched:
            try:
                answer = self._ask(method, url, headers, min(seconds, _CONNECT), seconds, most)
            except (urllib3.exceptions.HTTPError, OSError):
                if watched.cut:
                    raise Cut from None
                raise
            if watched.cut:
                raise Cut  # the end of a connection may pass for the end of a body
            return answer

    def _ask(self, method: str, url: str, headers: Mapping[str, str], connect: float, read: float, most: int) -> Answer:
        response = self._pool.request(
            method, url, headers=headers, preload_content=False, redirect=False,
            timeout=urllib3.Timeout(connect=connect, read=read),
        )  # fmt: skip
        try:
            body = _plain(response.read(most, decode_content=False), response.headers.get("Content-Encoding", ""), most)
        except BaseException:
            response.close()
            raise
        if len(body) < most:
            response.release_conn()
        else:
            response.close()
        return Answer(response.status, body, response.headers)

    @contextmanager
    def _watched(self, seconds: float) -> Iterator[_Watched]:
        watched = _Watched(time.monotonic() + seconds)
        with self._lock:
            self._under_way.add(watched)
            if not self._watching:
                self._watching = True
                threading.Thread(target=self._look, name="answers", daemon=True).start()
        _current.watched = watched
        try:
            yield watched
        finally:
            _current.watched = None
            with self._lock:
                self._under_way.discard(watched)
            watched.close()

    def _look(self) -> None:
        """End what takes too long. One look costs some microseconds for each request that is under way."""
        last = float("inf")
        while not self._closed.wait(_TICK):
            now = time.monotonic()
            if self._stopped.is_set():
                last = min(last, now + _GRACE)
            with self._lock:
                late = [watched for watched in self._under_way if now >= min(watched.until, last)]
            for watched in late:
                watched.end()


def _plain(body: bytes, encoding: str, most: int) -> bytes:
    """A body without its compression, which was not asked for; never more of it than was asked for.

    :raises urllib3.exceptions.DecodeError: when it cannot be decompressed.
    """
    if encoding.lower() in ("", "identity"):
        return body
    if encoding.lower() not in ("gzip", "x-gzip"):
        raise urllib3.exceptions.DecodeError("an encoding that was not asked for")
    try:
        return zlib.decompressobj(16 + zlib.MAX_WBITS).decompress(body, most)
    except zlib.error:
        raise urllib3.exceptions.DecodeError("not gzip") from None


def _pool(proxy: str | None, **options: Any) -> urllib3.PoolManager:
    if proxy is None:
        manager = urllib3.PoolManager(**options)
    else:
        url = check_proxy(proxy)
        authority = urllib3.util.parse_url(url).auth
        headers = urllib3.make_headers(proxy_basic_auth=unquote(authority)) if authority else None
        manager = urllib3.ProxyManager(url, proxy_headers=headers, **options)
    manager.pool_classes_by_scheme = {"http": _PlainPool, "https": _TlsPool}
    return manager


def check_certificates(path: str | None) -> str | None:
    """A file of certificates that are trusted.

    :param path: path of the file; ``None`` for the system's certificates.
    :raises UserError: when it holds no certificate.
    """
    if path is None:
        return None
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(cafile=path)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) and not isinstance(error, ssl.SSLError) else None
        raise UserError(
            f"{path}: the certificates to trust cannot be read: {why or 'it is no file of certificates in PEM'}; "
            "set AWS_CA_BUNDLE to such a file, or unset it"
        ) from None
    return path
