"""Lambda's Python, and a CloudFormation that waits for answers."""

import json
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.real.lambdas import Lambda, asset, runtime


@pytest.fixture(scope="session")
def functions(tmp_path_factory) -> Lambda:
    folder = tmp_path_factory.mktemp("lambda")
    return Lambda(asset(folder / "asset.zip"), runtime(folder / "runtime"))


@pytest.fixture
def deployed(functions, loopback):
    """The functions in an account that AWS's loopback knows."""
    return replace(functions, environment=loopback.environment)


class CloudFormation:
    """Sends requests of custom resources, and keeps the answers."""

    STACK = "arn:aws:cloudformation:eu-west-1:123456789012:stack/registry/1"

    def __init__(self, url: str) -> None:
        self.url = url
        self.answers: list[dict] = []
        self.busy = 0
        """How many answers it does not take before it takes one."""

    def request(self, kind: str, **properties) -> dict:
        request = {
            "RequestType": kind, "ResponseURL": self.url, "StackId": self.STACK, "RequestId": f"request-{kind}",
            "LogicalResourceId": "Resource", "ResourceProperties": {"ServiceToken": "arn", **properties},
        }  # fmt: skip
        return request if kind == "Create" else {**request, "PhysicalResourceId": "Resource"}

    @property
    def statuses(self) -> list[str]:
        return [answer["Status"] for answer in self.answers]


@pytest.fixture
def cloudformation():
    class Handler(BaseHTTPRequestHandler):
        def do_PUT(self):
            assert not self.headers.get("Content-Type"), "the signed URL knows none"
            said = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if it.busy:
                it.busy -= 1
                self.send_response(503)
            else:
                it.answers.append(said)
                self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    it = CloudFormation(f"http://127.0.0.1:{server.server_port}/answer")
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield it
    server.shutdown()
    server.server_close()
