"""A real registry with a real upstream behind it, images made on the spot, and faults in front."""

from __future__ import annotations

import hashlib
import http.client
import json
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.real.engines import _port, engine

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
ERROR = b'{"errors": [{"code": "X", "message": ""}]}'
TOKEN = "Basic QVdTOnRva2Vu"


def digest_of(body: bytes) -> str:
    return "sha256:" + hashlib.sha256(body).hexdigest()


@contextmanager
def registry(**proxied: str) -> Iterator[str]:
    """The CNCF registry on the loopback: a store of its own, or a proxy of an upstream."""
    with tempfile.TemporaryDirectory() as folder:
        port = _port()
        proxy = f"proxy:\n  remoteurl: {proxied['upstream']}\n" if proxied else ""
        Path(folder, "config.yml").write_text(
            f"version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {folder}/data}}}}\n"
            f"http: {{addr: '127.0.0.1:{port}'}}\n{proxy}"
        )
        process = subprocess.Popen(
            [engine("registry"), "serve", f"{folder}/config.yml"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            for _ in range(200):
                try:
                    socket.create_connection(("127.0.0.1", port), 1).close()
                    break
                except OSError:
                    time.sleep(0.05)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(10)


class Pusher:
    """Makes images and pushes them over the distribution API."""

    def __init__(self, url: str) -> None:
        self._host = url.removeprefix("http://")
        self._connection = http.client.HTTPConnection(self._host)
        self._blobs: set[tuple[str, str]] = set()

    def close(self) -> None:
        self._connection.close()

    def _call(self, method: str, path: str, body: bytes = b"", kind: str = "application/octet-stream") -> Any:
        self._connection.request(method, path, body, {"Content-Type": kind, "Content-Length": str(len(body))})
        answer = self._connection.getresponse()
        content = answer.read()
        assert answer.status < 300, f"{method} {path}: {answer.status} {content[:300]!r}"
        return answer

    def blob(self, repository: str, body: bytes) -> dict[str, Any]:
        digest = digest_of(body)
        if (repository, digest) not in self._blobs:
            where = self._call("POST", f"/v2/{repository}/blobs/uploads/").headers["Location"]
            path = where.removeprefix(f"http://{self._host}")
            self._call("PUT", f"{path}&digest={digest}", body)
            self._blobs.add((repository, digest))
        return {"digest": digest, "size": len(body)}

    def manifest(self, repository: str, tag: str, content: dict[str, Any]) -> str:
        body = json.dumps(content).encode()
        self._call("PUT", f"/v2/{repository}/manifests/{tag}", body, content["mediaType"])
        return digest_of(body)

    def image(self, repository: str, tag: str, platforms: tuple[str, ...] = ("linux/amd64", "linux/arm64")) -> str:
        """A multi-platform image whose layers hold real bytes."""
        entries = []
        for platform in platforms:
            system, _, architecture = platform.partition("/")
            config = self.blob(
                repository, json.dumps({"os": system, "architecture": architecture, "tag": tag}).encode()
            )
            layer = self.blob(repository, f"{repository} {platform}".encode() * 5_000)
            content = {
                "schemaVersion": 2, "mediaType": MANIFEST,
                "config": {"mediaType": "application/vnd.oci.image.config.v1+json", **config},
                "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar", **layer}],
            }  # fmt: skip
            body = json.dumps(content).encode()
            digest = self.manifest(repository, digest_of(body), content)
            entries.append(
                {
                    "mediaType": MANIFEST,
                    "digest": digest,
                    "size": len(body),
                    "platform": {"os": system, "architecture": architecture},
                }
            )
        return self.manifest(repository, tag, {"schemaVersion": 2, "mediaType": INDEX, "manifests": entries})


SAID = {
    "denied upstream": (403, "The authentication to the upstream registry failed. Verify the credentials of the rule."),
    "too many upstream": (429, "Too many requests were sent to the upstream registry."),
    "quota": (400, "The repository cannot be created, for the limit of repositories is reached."),
}
"""Errors that come with a sentence of ECR's kind."""


@dataclass
class Faults:
    """What goes wrong, and what was seen and answered meanwhile.

    :param choose: called for each request with its path; what it returns is done instead of answering.
    :param held: digest by repository and tag or digest of every manifest that was answered.
    """

    choose: Callable[[str], str | None] = lambda path: None
    seen: list[str] = field(default_factory=list)
    tokens: set[str] = field(default_factory=lambda: {TOKEN})
    received: int = 0
    held: dict[tuple[str, str], str] = field(default_factory=dict)

    def reset(self) -> None:
        """As if nothing had been asked yet."""
        self.__init__()  # type: ignore[misc]


class _Front(BaseHTTPRequestHandler):
    """What ECR shows of a cache: repositories below a prefix, behind a token; and the faults of its network."""

    protocol_version = "HTTP/1.1"
    backend: str
    prefix: str
    faults: Faults
    lock: threading.Lock

    def log_message(self, *_: Any) -> None:
        pass

    def do_GET(self) -> None:
        with self.lock:
            self.faults.seen.append(self.path)
            fault = self.faults.choose(self.path) or ""
        if fault == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
            self.close_connection = True
            self.connection.close()
        elif fault == "slow":
            time.sleep(1.5)
            self.close_connection = True
        elif fault.startswith("429 after "):
            self._answer(429, ERROR, Retry_After=fault.rpartition(" ")[2])
        elif fault.isdigit():
            self._answer(int(fault), ERROR)
        elif fault in SAID:
            status, message = SAID[fault]
            self._answer(status, json.dumps({"errors": [{"code": "DENIED", "message": message}]}).encode())
        elif self.headers.get("Authorization") not in self.faults.tokens:
            self._answer(401, ERROR)
        else:
            self._forward(fault)

    def _forward(self, fault: str) -> None:
        path = self.path.replace(f"/v2/{self.prefix}/", "/v2/", 1)
        connection = http.client.HTTPConnection(self.backend, timeout=30)
        try:
            connection.request("GET", path, headers={"Accept": self.headers.get("Accept", "*/*")})
            got = connection.getresponse()
            body = got.read()
        finally:
            connection.close()
        if fault == "truncated":
            self.send_response(got.status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: len(body) // 2])
            self.close_connection = True
            return
        if fault == "wrong digest":
            body = body.replace(b'"schemaVersion": 2', b'"schemaVersion":  2')
        with self.lock:
            self.faults.received += len(body)
            repository, _, reference = self.path.removeprefix("/v2/").partition("/manifests/")
            if got.status == 200 and reference:
                digest = digest_of(body)
                self.faults.held |= {(repository, reference): digest, (repository, digest): digest}
        kept = ("Content-Type", "Docker-Content-Digest")
        self._answer(got.status, body, **{k.replace("-", "_"): got.headers[k] for k in kept if got.headers.get(k)})

    def _answer(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, *_: Any) -> None:
        pass


@contextmanager
def front(backend: str, prefix: str, faults: Faults) -> Iterator[str]:
    """Start it; gives its host."""
    parts = {"backend": backend.removeprefix("http://"), "prefix": prefix, "faults": faults, "lock": threading.Lock()}
    server = _Server(("127.0.0.1", 0), type("Front", (_Front,), parts))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@dataclass
class Cache:
    """A cache with its upstream."""

    host: str
    upstream: Pusher
    faults: Faults


@contextmanager
def cache(prefix: str = "k8s") -> Iterator[Cache]:
    """A registry that pulls through a real one, under a prefix, behind a token."""
    with ExitStack() as stack:
        upstream = stack.enter_context(registry())
        proxy = stack.enter_context(registry(upstream=upstream))
        faults = Faults()
        pusher = Pusher(upstream)
        stack.callback(pusher.close)
        yield Cache(stack.enter_context(front(proxy, prefix, faults)), pusher, faults)
