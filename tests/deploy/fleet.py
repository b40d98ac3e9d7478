"""Engines that stand for AWS on the loopback: one process for each account and Region, and a front that finds the right one.

An engine alone knows accounts, but shares one ECR registry among all Regions of an account. Where there is one process
for each, nothing is shared that AWS does not share. IAM, which AWS does share, is answered by the process that knows what
is asked for; what is written goes where the test says.
"""

from __future__ import annotations

import http.client
import json
import re
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote

from tests.real.engines import _port, cache, missing

VERSION = "0.51.0"
_SCOPE = re.compile(r"Credential=([^/]+)/\d{8}/([a-z0-9-]+)/([a-z0-9-]+)/aws4_request")
_ASSUMED = re.compile(rb"<AccessKeyId>([^<]+)</AccessKeyId>")
_HOP = frozenset({"connection", "transfer-encoding", "content-length", "keep-alive"})

Place = tuple[str, str]
"""An account and a Region."""


class Fleet:
    """The processes, started when they are first asked for.

    :param folder: where they log.
    """

    def __init__(self, folder: Path) -> None:
        program = cache() / f"fakecloud-{VERSION}" / "fakecloud"
        if not program.exists():
            missing("fakecloud", "tools/engines fakecloud")
        self._program = program
        self._folder = folder
        self._lock = threading.Lock()
        self._ports: dict[Place, int] = {}
        self._processes: list[subprocess.Popen[bytes]] = []
        self.keys: dict[str, str] = {}
        """Accounts by access key id. A key that is an account number is that account's."""
        self.iam: dict[str, str] = {}
        """The Region whose process keeps what is written to the IAM of an account."""
        self.hook: Callable[[str, str], None] = lambda action, body: None
        """Called with the action and body of each request before it is passed on."""
        self.after: Callable[[str, str], None] = lambda action, body: None
        """Called with them when it was answered."""
        self.beside: int | None = None
        """Where another engine listens, which answers for everything but ECR."""
        self.registry: Place | None = None
        """Whose images are asked for under the front's own host; their layers are then imported as ECR does it."""

    def port(self, place: Place) -> int:
        """Where the process of an account and Region listens."""
        with self._lock:
            if place not in self._ports:
                self._ports[place] = self._start(place)
            return self._ports[place]

    @property
    def there(self) -> list[Place]:
        """Where processes run."""
        with self._lock:
            return list(self._ports)

    def _start(self, place: Place) -> int:
        account, region = place
        port = _port()
        with (self._folder / f"{account}-{region}.log").open("wb") as log:
            command = [self._program, "--addr", f"127.0.0.1:{port}", "--account-id", account, "--region", region]
            self._processes.append(subprocess.Popen(command, stdout=log, stderr=log))
        for _ in range(300):
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                return port
            except OSError:
                time.sleep(0.05)
        raise AssertionError(f"the engine of {account}/{region} does not start")

    def stop(self) -> None:
        """End all processes."""
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            process.wait(20)

    def places(self, headers: Any, path: str, body: bytes, action: str) -> list[Place] | list[None]:
        """The account and Region that a request is for, as AWS's own hosts would tell; for IAM all that may know."""
        if path.startswith("/v2/") and self.registry is not None:
            return [self.registry]
        scope = _SCOPE.search(headers.get("Authorization", "")) or _SCOPE.search(
            unquote(path).replace("X-Amz-Credential", "Credential")
        )
        if self.beside is not None and (scope is None or scope[3] != "ecr"):
            return [None]
        assert scope is not None, f"nobody signed {path}"
        key, region, service = scope[1], scope[2], scope[3]
        account = self.keys.get(key, key)
        if service == "iam" and action.startswith(("Get", "List", "Simulate")):
            return self._knowing(account, headers, body, action) or [(account, region)]
        if service == "iam":
            region = self.iam.get(account, region)
        elif service == "sts" and b"Action=AssumeRole" in body:
            account = parse_qs(body.decode())["RoleArn"][0].split(":")[4]
        return [(account, region)]

    def _knowing(self, account: str, headers: Any, body: bytes, action: str) -> list[Place]:
        """Whose IAM to ask, one after the other. A simulation is answered for unknown roles as well: look before."""
        there = [place for place in self.there if place[0] == account]
        if not action.startswith("Simulate"):
            return there
        role = parse_qs(body.decode())["PolicySourceArn"][0].rpartition("/")[2]
        look = f"Action=GetRole&Version=2010-05-08&RoleName={role}".encode()
        return [p for p in there if _ask(self.port(p), "POST", "/", look, headers)[0] == 200]

    def learn(self, place: Place, body: bytes) -> None:
        """Remember whose the key of an assumed role is."""
        for key in _ASSUMED.findall(body):
            self.keys[key.decode()] = place[0]


class _Front(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    fleet: Fleet

    def log_message(self, *_: Any) -> None:
        pass

    def _serve(self) -> None:
        body = self._body()
        text = body.decode(errors="replace")
        action = _action(self.headers, text)
        fleet = self.fleet
        fleet.hook(action, text)
        for place in fleet.places(self.headers, self.path, body, action):
            port = fleet.port(place) if place is not None else fleet.beside
            status, headers, content = _ask(port, self.command, self.path, body, self.headers)
            if status < 400:
                break
        if action == "AssumeRole" and place is not None:
            fleet.learn(place, content)
        if self.command == "GET" and status == 200 and "/manifests/" in self.path:
            self._import(place, content)
        fleet.after(action, text)
        self.send_response_only(status)
        for name, value in headers:
            if name.lower() not in _HOP:
                self.send_header(name, value)
        length = {n.lower(): v for n, v in headers}.get("content-length") if self.command == "HEAD" else None
        self.send_header("Content-Length", length or str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = _serve  # noqa: N815 - http.server calls them so

    def _import(self, place: Place, manifest: bytes) -> None:
        """ECR imports the layers of a manifest by itself, this engine when somebody asks for them: ask."""
        content = json.loads(manifest)
        for part in [content.get("config"), *content.get("layers", ())]:
            if part:
                path = f"{self.path.partition('/manifests/')[0]}/blobs/{part['digest']}"
                _ask(self.fleet.port(place), "GET", path, b"", self.headers)

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return b"".join(parts)


def _action(headers: Any, body: str) -> str:
    target = headers.get("X-Amz-Target", "")
    if target:
        return str(target.rpartition(".")[2])
    found = re.search(r"(?:^|&)Action=(\w+)", body)
    return found[1] if found else ""


def _ask(port: int, method: str, path: str, body: bytes, headers: Any) -> tuple[int, list[tuple[str, str]], bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    try:
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        for name, value in headers.items():
            if name.lower() not in _HOP and name.lower() != "expect":
                connection.putheader(name, value)
        connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        answer = connection.getresponse()
        return answer.status, answer.getheaders(), answer.read()
    finally:
        connection.close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, *_: Any) -> None:
        pass


@contextmanager
def front(fleet: Fleet) -> Iterator[str]:
    """Start the front of a fleet; gives its URL, which stands for every endpoint of AWS."""
    server = _Server(("127.0.0.1", 0), type("Front", (_Front,), {"fleet": fleet}))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        fleet.stop()
