"""A registry on the loopback that answers whatever a test wants, to the byte."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

OCI = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
_TYPE = re.compile(rb'"mediaType": "([^"]+)"')
BLOB = "sha256:" + "b" * 64


def digest(body: bytes, algorithm: str = "sha256") -> str:
    return f"{algorithm}:{hashlib.new(algorithm, body).hexdigest()}"


def image(**content: Any) -> bytes:
    """A manifest of an image; what is given replaces its members."""
    whole = {
        "schemaVersion": 2,
        "mediaType": OCI,
        "config": {"digest": "sha256:" + "a" * 64},
        "layers": [{"digest": BLOB}],
    }
    return json.dumps({**whole, **content}).encode()


def index(*entries: Any, **content: Any) -> bytes:
    return json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": list(entries), **content}).encode()


@dataclass
class Answers:
    """What is answered for each path's end, and what was asked.

    :param by_end: body by the tag or digest that a path ends in, or a function that writes an answer itself.
    """

    host: str = ""
    by_end: dict[str, bytes | Callable[[BaseHTTPRequestHandler], None]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def hold(self, *bodies: bytes) -> list[str]:
        """Hold manifests under their digests; gives the digests."""
        found = [digest(body) for body in bodies]
        self.by_end |= dict(zip(found, bodies, strict=True))
        return found

    def names(self, *tags: str) -> list[str]:
        return [f"{self.host}/k8s/app:{tag}" for tag in tags]


def write(handler: BaseHTTPRequestHandler, status: int, body: bytes, **headers: str) -> None:
    """An answer with a length."""
    handler.send_response(status)
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


@contextmanager
def answers() -> Iterator[Answers]:
    """Start it."""
    held = Answers()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: Any) -> None:
            pass

        def do_GET(self) -> None:
            held.asked.append(self.path)
            answer = held.by_end.get(self.path.rpartition("/")[2])
            with suppress(OSError):
                if answer is None:
                    write(self, 404, b'{"errors": [{"code": "MANIFEST_UNKNOWN"}]}')
                elif isinstance(answer, bytes):
                    named = _TYPE.search(answer[:200])
                    write(self, 200, answer, Content_Type=named[1].decode() if named else OCI)
                else:
                    answer(self)

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 128

        def handle_error(self, *_: Any) -> None:
            pass

    server = Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    held.host = f"127.0.0.1:{server.server_port}"
    try:
        yield held
    finally:
        server.shutdown()
        server.server_close()
