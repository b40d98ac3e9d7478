"""The part of ECR's API that `warm` asks, answering for a registry on the loopback."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from botocore import xform_name

TOKEN = "QVdTOnRva2Vu"
ERRORS = {
    "ThrottlingException": "Rate exceeded",
    "ServerException": "",
    "AccessDeniedException": "User: arn:aws:iam::111122223333:user/a is not authorized to perform: ecr:X",
    "ExpiredTokenException": "The security token included in the request is expired",
}


@dataclass
class EcrApi:
    """What ECR says, and what it was asked.

    :param held: images that it holds: digest by repository and tag or digest. A front fills it with what it has answered.
    :param looks: how often it says that layers are missing before it says that they are there.
    :param replicas: replication status by destination Region, where there is one.
    :param destinations: Regions that the registry replicates to.
    :param choose: called for each operation; the name of the error to answer with, or none.
    :param calls: how often each operation was called.
    """

    held: dict[tuple[str, str], str] = field(default_factory=dict)
    looks: int = 0
    replicas: dict[str, str] = field(default_factory=dict)
    destinations: tuple[str, ...] = ()
    choose: Callable[[str], str | None] = lambda operation: None
    calls: Counter[str] = field(default_factory=Counter)
    url: str = ""
    token: str = TOKEN

    def reset(self) -> None:
        """As if nothing had been asked yet."""
        self.__init__(url=self.url)  # type: ignore[misc]

    def answer(self, operation: str, asked: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        self.calls[operation] += 1
        error = self.choose(operation)
        if error is not None:
            return (500 if error == "ServerException" else 400), {"__type": error, "message": ERRORS[error]}
        answer: tuple[int, dict[str, Any]] = getattr(self, xform_name(operation))(asked)
        return answer

    def get_authorization_token(self, asked: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        return 200, {"authorizationData": [{"authorizationToken": self.token, "expiresAt": time.time() + 43_200}]}

    def describe_images(self, asked: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        (image,) = asked["imageIds"]
        digest = self.held.get((asked["repositoryName"], image.get("imageTag") or image["imageDigest"]))
        if digest is None:
            return 400, {"__type": "ImageNotFoundException", "message": "The image does not exist"}
        return 200, {"imageDetails": [{"imageDigest": digest}]}

    def batch_check_layer_availability(self, asked: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        self.looks -= 1
        state = "UNAVAILABLE" if self.looks >= 0 else "AVAILABLE"
        return 200, {"layers": [{"layerDigest": d, "layerAvailability": state} for d in asked["layerDigests"]]}

    def describe_registry(self, asked: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        places = [{"registryId": "111122223333", "region": region} for region in self.destinations]
        filters = [{"filter": "k8s", "filterType": "PREFIX_MATCH"}]
        rules = [{"destinations": places, "repositoryFilters": filters}] if places else []
        return 200, {"registryId": "111122223333", "replicationConfiguration": {"rules": rules}}

    def describe_image_replication_status(self, asked: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        states = [{"registryId": "111122223333", "region": r, "status": s} for r, s in self.replicas.items()]
        return 200, {"replicationStatuses": states}


@contextmanager
def ecr_api() -> Iterator[EcrApi]:
    """Start it; `AWS_ENDPOINT_URL_ECR` is to be its `url`."""
    api = EcrApi()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: Any) -> None:
            pass

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            status, answer = api.answer(self.headers["X-Amz-Target"].rpartition(".")[2], body)
            data = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/x-amz-json-1.1")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    api.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield api
    finally:
        server.shutdown()
        server.server_close()


def environment(api: EcrApi, base: dict[str, str]) -> dict[str, str]:
    """The environment of a process whose ECR this is."""
    return {
        **base,
        "AWS_ENDPOINT_URL_ECR": api.url,
        "AWS_ACCESS_KEY_ID": "a",
        "AWS_SECRET_ACCESS_KEY": "b",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
