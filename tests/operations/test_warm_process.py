"""The way of `warm` to AWS and to the registry, as options and the environment name it."""

import os
import signal
import ssl
import subprocess
import sys
import threading
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from typer.testing import CliRunner

from ecr_pull_through_cache.cli import app
from tests.emulators.ecr_api import ecr_api, environment

ACCOUNT = "111122223333"
HOST = f"{ACCOUNT}.dkr.ecr.eu-west-1.amazonaws.com"
COMMAND = ["warm", f"{HOST}/k8s/pause:3.10", "--host", HOST, "--upstream", "k8s=registry.k8s.io", "--no-wait"]


@contextmanager
def answering_404(seen, tls=None):
    """A server that knows of nothing, and notes what it was asked."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            seen.append(self.path)
            asked.set()
            self.send_error(404)

        def do_CONNECT(self):
            self.do_GET()

        def log_message(self, *_):
            pass

    asked = threading.Event()
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        if tls is not None:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"{'https' if tls else 'http'}://127.0.0.1:{server.server_port}", asked
        server.shutdown()


def test_the_registry_is_asked_through_the_proxy_of_the_environment():
    seen = []
    with answering_404(seen) as (proxy, asked), ecr_api() as api:
        base = {k: v for k, v in os.environ.items() if "proxy" not in k.lower()}
        process = subprocess.Popen(
            [Path(sys.executable).with_name("ecr-pull-through"), *COMMAND],
            env={**environment(api, base), "HTTPS_PROXY": proxy}, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            assert asked.wait(60)
            process.send_signal(signal.SIGINT)
            assert process.wait(60) == 130
        finally:
            process.kill()
    assert set(seen) == {f"{HOST}:443"}


def test_a_role_is_assumed_in_the_account_of_the_registry(loopback):
    seen = []
    with answering_404(seen) as (registry, _):
        done = CliRunner().invoke(app, [*COMMAND, "--assume-role", "Warm", "--registry-url", registry])
    assert done.exit_code == 1, done.output
    assert seen == ["/v2/k8s/pause/manifests/3.10"]
    assert {(c.operation, c.account, c.region) for c in loopback.calls} == {
        ("AssumeRole", "123456789012", "eu-west-1"),
        ("GetAuthorizationToken", ACCOUNT, "eu-west-1"),
    }
    assert loopback.calls[0].arguments["RoleArn"] == f"arn:aws:iam::{ACCOUNT}:role/Warm"


@pytest.fixture
def signed(tmp_path):
    """A certificate of the loopback that no system trusts: its file, and what a server shows it with."""
    key = ec.generate_private_key(ec.SECP256R1())
    name, now = x509.Name([]), datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    file, secret = tmp_path / "authority.pem", tmp_path / "key.pem"
    file.write_bytes(certificate.public_bytes(pem))
    plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    secret.write_bytes(key.private_bytes(pem, *plain))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file, secret)
    return file, context


def test_certificates_of_a_proxy_are_trusted_as_aws_is_told_to(loopback, signed, monkeypatch):
    authority, tls = signed
    monkeypatch.setenv("AWS_CA_BUNDLE", str(authority))
    seen = []
    with answering_404(seen, tls) as (registry, _):
        done = CliRunner().invoke(app, [*COMMAND, "--registry-url", registry])
    assert done.exit_code == 1, done.output
    assert seen == ["/v2/k8s/pause/manifests/3.10"]


def test_a_certificate_that_is_not_trusted_is_said_at_once(loopback, signed):
    seen = []
    with answering_404(seen, signed[1]) as (registry, _):
        done = CliRunner().invoke(app, [*COMMAND, "--registry-url", registry])
    assert done.exit_code == 1
    assert f"the certificate of {HOST} is not trusted" in done.output
    assert seen == []
