"""An AWS on the loopback: moto's server for what it knows, and in front of it what moto does not know, and faults.

The verbs reach it as they reach AWS, by boto3 and AWS_ENDPOINT_URL. It is several accounts and Regions at once: the Region is
that of a request's signature, the account that of the role whose credentials signed it.
"""

from __future__ import annotations

import json
import logging
import re
import socket
import struct
import sys
import threading
import time
import urllib.request
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

import boto3
import pytest
from moto.server import ThreadedMotoServer

OWN = "123456789012"
"""The account of credentials that no role gave."""
_SCOPE = re.compile(r"Credential=(?P<key>[^/]+)/\d+/(?P<region>[^/]+)/(?P<service>[^/]+)/")
_CODES = {
    "ThrottlingException": 400, "TooManyRequestsException": 429, "ServerException": 500, "ServiceUnavailable": 503,
    "ExpiredTokenException": 400, "AccessDeniedException": 400, "LimitExceededException": 400,
}  # fmt: skip


@dataclass(frozen=True)
class Call:
    """One request, as it came; repeated ones too."""

    account: str
    region: str
    service: str
    operation: str
    arguments: dict[str, Any] = field(default_factory=dict, hash=False)

    @property
    def action(self) -> str:
        return f"{self.service}:{self.operation}"


class Aws:
    """What the loopback AWS holds besides what moto holds."""

    def __init__(self, moto: str) -> None:
        self.moto = moto
        self.url = ""
        self.lock = threading.Lock()
        self.keys: dict[str, str] = {}
        self._clients: dict[tuple[str, str, str], Any] = {}
        self._sessions: dict[str, Any] = {}
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        self.calls: list[Call] = []
        self.fault: Callable[[Call], str | None] = lambda _: None
        self.rules: dict[tuple[str, str], dict[str, dict[str, Any]]] = {}
        self.templates: dict[tuple[str, str], dict[str, dict[str, Any]]] = {}
        self.backfills: dict[tuple[str, str], list[dict[str, Any]]] = {}
        self.allowed: Callable[[str, str], bool] = lambda *_: True
        self.invalid: dict[str, str] = {}
        self.settings: dict[tuple[str, str], dict[str, str]] = {}
        self.organizations: dict[str, str] = {}

    @property
    def environment(self) -> dict[str, str]:
        """What a process is told to reach it by."""
        return {
            "AWS_ENDPOINT_URL": self.url, "AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_SESSION_TOKEN": "testing", "AWS_EC2_METADATA_DISABLED": "true", "AWS_DEFAULT_REGION": "us-east-1",
        }  # fmt: skip

    def client(self, service: str, region: str, *, account: str = OWN) -> Any:
        """A client of an account, for tests to look and to set the stage with."""
        if (service, region, account) not in self._clients:
            self._clients[service, region, account] = self._session(account).client(
                service, region_name=region, endpoint_url=self.url
            )
        return self._clients[service, region, account]

    def _session(self, account: str) -> Any:
        if account not in self._sessions:
            key = f"TESTER{account}"
            self.keys[key] = account
            self._sessions[account] = boto3.Session(
                aws_access_key_id="testing" if account == OWN else key, aws_secret_access_key="testing"
            )
        return self._sessions[account]

    def rule(self, place: tuple[str, str], prefix: str, url: str, *, created: float, **more: Any) -> None:
        """A pull through cache rule."""
        self.rules.setdefault(place, {})[prefix] = {
            "ecrRepositoryPrefix": prefix, "upstreamRegistryUrl": url, "createdAt": created, "registryId": place[0], **more,
        }  # fmt: skip

    def template(self, place: tuple[str, str], prefix: str, **settings: Any) -> None:
        """A repository creation template."""
        self.templates.setdefault(place, {})[prefix] = {"prefix": prefix, **settings}

    def actions(self) -> set[str]:
        """The actions that were called."""
        return {call.action for call in self.calls}

    # What moto does not know.

    def describe_pull_through_cache_rules(self, call: Call) -> Any:
        there = self.rules.get((call.account, call.region), {})
        wanted = call.arguments.get("ecrRepositoryPrefixes")
        if wanted and not set(wanted) <= set(there):
            return "PullThroughCacheRuleNotFoundException"
        return {"pullThroughCacheRules": [rule for prefix, rule in there.items() if not wanted or prefix in wanted]}

    def delete_pull_through_cache_rule(self, call: Call) -> Any:
        there = self.rules.get((call.account, call.region), {})
        rule = there.pop(call.arguments["ecrRepositoryPrefix"], None)
        return rule or "PullThroughCacheRuleNotFoundException"

    def update_pull_through_cache_rule(self, call: Call) -> Any:
        rule = self.rules[call.account, call.region][call.arguments["ecrRepositoryPrefix"]]
        rule.update({name: arn for name, arn in call.arguments.items() if name in ("credentialArn", "customRoleArn")})
        return rule

    def validate_pull_through_cache_rule(self, call: Call) -> Any:
        failure = self.invalid.get(call.arguments["ecrRepositoryPrefix"])
        return {"isValid": failure is None, "failure": failure}

    def describe_repository_creation_templates(self, call: Call) -> Any:
        return {"repositoryCreationTemplates": list(self.templates.get((call.account, call.region), {}).values())}

    def get_account_setting(self, call: Call) -> Any:
        there = {"REGISTRY_POLICY_SCOPE": "V2", "BASIC_SCAN_TYPE_VERSION": "AWS_NATIVE"}
        there.update(self.settings.get((call.account, call.region), {}))
        return {"name": call.arguments["name"], "value": there[call.arguments["name"]]}

    def put_account_setting(self, call: Call) -> Any:
        self.settings.setdefault((call.account, call.region), {})[call.arguments["name"]] = call.arguments["value"]
        return call.arguments

    def describe_organization(self, call: Call) -> Any:
        there = self.organizations.get(call.account)
        return {"Organization": {"Id": there}} if there else "AWSOrganizationsNotInUseException"

    def list_replication_backfills(self, call: Call) -> Any:
        return {"backfills": self.backfills.get((call.account, call.region), [])}

    def start_replication_backfill(self, call: Call) -> Any:
        there = self.backfills.setdefault((call.account, call.region), [])
        running = [b for b in there if b["status"] == "IN_PROGRESS"]
        if any(b["destination"]["region"] == call.arguments["destination"]["region"] for b in running):
            return "ReplicationBackfillInProgressException"
        if len(running) >= 10:
            return "LimitExceededException"
        there.append({
            "replicationBackfillId": str(uuid.uuid4()), "destination": call.arguments["destination"], "startedAt": time.time(),
            "status": "IN_PROGRESS", "progress": _progress(0),
        })  # fmt: skip
        return there[-1]

    def describe_replication_backfill_results(self, call: Call) -> Any:
        """Half of it is done at the first look, all of it at the second."""
        (found,) = [
            b for b in self.backfills.get((call.account, call.region), [])
            if b["replicationBackfillId"] == call.arguments["replicationBackfillId"]
        ]  # fmt: skip
        if found["status"] == "IN_PROGRESS":
            found["progress"] = _progress(found["progress"]["completedReplicationCount"] + 5)
            found["status"] = "COMPLETE" if found["progress"]["completedReplicationCount"] == 10 else "IN_PROGRESS"
        return {**found, "results": found.get("results", [])}

    def describe_image_replication_status(self, call: Call) -> Any:
        """Of nothing does it know a status, as of what came before replication was configured."""
        return {"repositoryName": call.arguments["repositoryName"], "replicationStatuses": []}

    def simulate_principal_policy(self, call: Call) -> Any:
        """IAM's answer in its own XML: one result for each action, with one for each resource in it."""
        arguments = call.arguments
        actions, arns = (
            [value for name, value in arguments.items() if name.startswith(f"{kind}.member.")]
            for kind in ("ActionNames", "ResourceArns")
        )

        def decision(*of: str) -> str:
            return "allowed" if self.allowed(*of) else "implicitDeny"

        def result(action: str) -> str:
            each = "".join(
                f"<member><EvalResourceName>{arn}</EvalResourceName>"
                f"<EvalResourceDecision>{decision(action, arn)}</EvalResourceDecision></member>"
                for arn in arns
            )
            return (
                f"<member><EvalActionName>{action}</EvalActionName><EvalResourceName>*</EvalResourceName>"
                f"<EvalDecision>{decision(action, arns[0])}</EvalDecision>"
                f"<ResourceSpecificResults>{each}</ResourceSpecificResults></member>"
            )

        results = "".join(map(result, actions))
        return (
            '<SimulatePrincipalPolicyResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><SimulatePrincipalPolicyResult>'
            f"<IsTruncated>false</IsTruncated><EvaluationResults>{results}</EvaluationResults>"
            "</SimulatePrincipalPolicyResult></SimulatePrincipalPolicyResponse>"
        )


def _progress(done: int) -> dict[str, Any]:
    return {
        "totalReplicationCount": 10,
        "completedReplicationCount": done,
        "failedReplicationCount": 0,
        "failureCodes": [],
    }


class _Front(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 65536  # head and body in one packet: in two, each answer waits for a delayed acknowledgement
    disable_nagle_algorithm = True
    aws: Aws

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        body = self.rfile.read(length)
        if len(body) < length:
            return  # who asked was killed
        call = self._call(body)
        with self.aws.lock:
            self.aws.calls.append(call)
        fault = self.aws.fault(call)
        if fault == "lost":
            self._send = lambda *_: None  # type: ignore[method-assign]
            self._answer(call, body)
        if fault in ("reset", "lost"):
            # An RST, as from a machine that died.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
            self.close_connection = True
        elif fault is not None and fault[:1] in ("", "<", "{", "["):
            self._send(200, fault)  # what something else than AWS answers
        elif fault is not None:
            self._refuse(call, fault)
        else:
            self._answer(call, body)

    def _call(self, body: bytes) -> Call:
        match = _SCOPE.search(self.headers.get("Authorization", ""))
        assert match, self.headers
        target = self.headers.get("X-Amz-Target")
        if target:
            operation, arguments = target.rpartition(".")[2], json.loads(body or b"{}")
        else:
            arguments = {name: values[0] for name, values in parse_qs(body.decode()).items()}
            operation = arguments.pop("Action")
        account = self.aws.keys.get(match["key"], OWN)
        return Call(account, match["region"], match["service"], operation, arguments)

    def _answer(self, call: Call, body: bytes) -> None:
        own = getattr(self.aws, re.sub(r"(?<!^)(?=[A-Z])", "_", call.operation).lower(), None)
        if own is not None:
            with self.aws.lock:
                answer = own(call)
            if isinstance(answer, str) and not answer.startswith("<"):
                self._refuse(call, answer)
            else:
                self._send(200, answer if isinstance(answer, str) else json.dumps(answer))
            return
        headers = {k: v for k, v in self.headers.items() if k.lower() not in ("host", "content-length", "connection")}
        headers["x-moto-account-id"] = call.account
        request = urllib.request.Request(self.aws.moto, data=body, headers=headers, method="POST")
        try:
            with urllib.request.urlopen(request) as response:
                status, text = response.status, response.read().decode()
        except urllib.error.HTTPError as error:
            status, text = error.code, error.read().decode()
        if call.operation == "AssumeRole" and status == 200:
            key = re.search(r"<AccessKeyId>([^<]+)", text)
            self.aws.keys[key[1] if key else ""] = call.arguments["RoleArn"].split(":")[4]
        self._send(status, text)

    def _refuse(self, call: Call, code: str) -> None:
        said = "as the test wants it"
        if call.service in ("cloudformation", "iam", "sts"):
            text = f"<ErrorResponse><Error><Code>{code}</Code><Message>{said}</Message></Error></ErrorResponse>"
        else:
            text = json.dumps({"__type": code, "message": said})
        self._send(_CODES.get(code, 400), text)

    def _send(self, status: int, text: str) -> None:
        data = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/xml" if text.startswith("<") else "application/x-amz-json-1.1")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Nothing."""


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


@contextmanager
def loopback_aws() -> Iterator[Aws]:
    """One that runs."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    moto = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    moto.start()
    host, port = moto.get_host_and_port()
    aws = Aws(f"http://{host}:{port}")
    front = _Server(("127.0.0.1", 0), type("Front", (_Front,), {"aws": aws}))
    front.daemon_threads = True
    aws.url = f"http://127.0.0.1:{front.server_address[1]}"
    thread = threading.Thread(target=front.serve_forever, daemon=True)
    thread.start()
    try:
        yield aws
    finally:
        front.shutdown()
        front.server_close()
        moto.stop()


# Faults, to be set as ``aws.fault``. Each takes the request that is about to be answered.


def first_of_each(code: str, *, times: int = 1) -> Callable[[Call], str | None]:
    """The first requests of each operation are refused."""
    seen: Counter[str] = Counter()

    def fault(call: Call) -> str | None:
        seen[call.action] += 1
        return code if seen[call.action] <= times else None

    return fault


def after(count: int, code: str, *, operation: str = "") -> Callable[[Call], str | None]:
    """Every request after so many is refused, those of one operation alone being counted where one is given."""
    seen: Counter[str] = Counter()

    def fault(call: Call) -> str | None:
        seen["all"] += not operation or call.operation == operation
        return code if seen["all"] > count else None

    return fault


def about(text: str, code: str) -> Callable[[Call], str | None]:
    """Requests that are about something are refused."""
    return lambda call: code if text in json.dumps(call.arguments) else None


TRANSIENT = {
    "throttling": "ThrottlingException",
    "too many requests (429)": "TooManyRequestsException",
    "an error of AWS's own (500)": "ServerException",
    "an AWS that is not available (503)": "ServiceUnavailable",
    "a connection that is reset": "reset",
    "an answer that is lost after the work was done": "lost",
}
"""Faults that pass, by the name that their row has."""

PASSING = [
    pytest.param(name, marks=pytest.mark.slow if name in ("throttling", "too many requests (429)") else ()) for name in TRANSIENT
]  # fmt: skip
"""The same for parametrize: a client that was throttled goes slowly for some seconds."""


def reset(aws: Aws) -> None:
    """As if nothing had been done."""
    urllib.request.urlopen(urllib.request.Request(f"{aws.moto}/moto-api/reset", method="POST")).close()
    aws.clear()
