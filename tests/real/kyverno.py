"""Kyverno's own admission controller on a real kube-apiserver, both as processes on the loopback.

It runs as its chart would run it: with the chart's own configuration, so that what it leaves alone is what users see it
leave alone. Custom resources and chart come out of the module that the controller is built of.
"""

from __future__ import annotations

import os
import shutil
import ssl
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.real.engines import ApiServer, _port, api_server, engine, layer_tool, run
from tests.real.pods import images_of, pod

NAMESPACE = "kyverno"
PROBE = "registry.k8s.io/pause:3.10"
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_ENVIRONMENT = {
    "KYVERNO_NAMESPACE": NAMESPACE,
    "KYVERNO_POD_NAME": "kyverno-0",
    "KYVERNO_SERVICEACCOUNT_NAME": "kyverno-admission-controller",
    "KYVERNO_ROLE_NAME": "kyverno:admission-controller",
    "KYVERNO_DEPLOYMENT": "kyverno-admission-controller",
    "KYVERNO_SVC": "kyverno-svc",
    "INIT_CONFIG": "kyverno",
    "METRICS_CONFIG": "kyverno-metrics",
}


@dataclass
class Kyverno:
    """The controller, beside the API server that it watches."""

    api: ApiServer
    folder: Path
    port: int = field(default_factory=_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        return self.folder / "kyverno.log"

    def start(self) -> None:
        """Start the controller, and wait until its webhooks are there."""
        config = self.folder / "kubeconfig"
        config.write_text(yaml.safe_dump(_kubeconfig(self.api)))
        command = [
            str(engine("kyverno-controller")), f"--kubeconfig={config}", f"--serverIP=127.0.0.1:{self.port}",
            "--webhookServerHost=127.0.0.1", f"--webhookServerPort={self.port}", "--caSecretName=kyverno-ca",
            "--tlsSecretName=kyverno-tls", "--disableMetrics=true", "--metricsHost=::1", f"--metricsPort={_port()}", "--controllerRuntimeMetricsAddress=0",
            "--enableTuf=false", "--leaderElectionRetryPeriod=1s",
        ]  # fmt: skip
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.folder), **_ENVIRONMENT}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, env=environment, cwd=self.folder)
        wait_until(self._is_ready, lambda: f"Kyverno is not ready\n{self.log.read_text()[-3000:]}", seconds=120)

    def kill(self) -> None:
        """End the controller as an outage does: its webhooks stay registered."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait(20)

    def _is_ready(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log.read_text()[-3000:]
        try:
            address = f"https://127.0.0.1:{self.port}/health/readiness"
            urllib.request.urlopen(address, context=ssl._create_unverified_context(), timeout=2).close()
        except OSError:
            return False
        return "kyverno-policy-mutating-webhook-cfg" in webhooks(self.api)

    def processor_seconds(self) -> float:
        """Processor time that the controller has taken so far."""
        assert self.process is not None
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def wait_until(condition: Callable[[], bool], message: Callable[[], str], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return
        time.sleep(0.1)
    raise AssertionError(message())


def webhooks(api: ApiServer) -> dict[str, list[dict[str, Any]]]:
    """The webhooks of every configuration that changes objects, by the configuration's name."""
    found = api.call("GET", "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations")["items"]
    return {item["metadata"]["name"]: item.get("webhooks") or [] for item in found}


def _kubeconfig(api: ApiServer) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "there",
        "clusters": [{"name": "there", "cluster": {"server": api.url, "insecure-skip-tls-verify": True}}],
        "users": [{"name": "admin", "user": {"token": api.token}}],
        "contexts": [{"name": "there", "context": {"cluster": "there", "user": "admin"}}],
    }


def custom_resources() -> Iterator[dict[str, Any]]:
    """Kyverno's custom resource definitions, without their descriptions, which are three quarters of them."""
    for path in sorted((engine("kyverno-controller").parent / "crds").rglob("*.yaml")):
        for document in yaml.load_all(path.read_text(), _LOADER):
            if document:
                yield _undescribed(document)


def _undescribed(node: Any) -> Any:
    if isinstance(node, dict):
        return {
            key: _undescribed(value)
            for key, value in node.items()
            if not (key == "description" and isinstance(value, str))
        }
    return [_undescribed(item) for item in node] if isinstance(node, list) else node


def chart_documents(folder: Path, values: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    """The chart of the same version as helm renders it, without the charts that it would fetch."""
    chart = folder / "chart"
    if not chart.exists():
        shutil.copytree(engine("kyverno-controller").parent / "kyverno", chart)
        about = yaml.safe_load((chart / "Chart.yaml").read_text())
        about["dependencies"] = [each for each in about["dependencies"] if "repository" not in each]
        (chart / "Chart.yaml").write_text(yaml.safe_dump(about))
        (chart / "Chart.lock").unlink(missing_ok=True)
    (folder / "values.yaml").write_text(yaml.safe_dump(values or {}))
    command: list[str | Path] = [
        layer_tool("helm"),
        "template",
        "kyverno",
        chart,
        "--namespace",
        NAMESPACE,
        "--kube-version",
        "1.36.3",
    ]
    rendered = run([*command, "--values", folder / "values.yaml"]).stdout
    return [document for document in yaml.load_all(rendered, _LOADER) if document]


def configuration(folder: Path, values: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    """The ConfigMaps that the controller reads its configuration from, by the chart and its values."""
    found = [
        document
        for document in chart_documents(folder, values)
        if document["kind"] == "ConfigMap" and document["metadata"]["name"] in ("kyverno", "kyverno-metrics")
    ]
    assert len(found) == 2, found
    return found


@contextmanager
def kyverno_cluster() -> Iterator[Kyverno]:
    """etcd, kube-apiserver and Kyverno, started and stopped."""
    # Named first, so that a missing engine is said before anything is started.
    engine("kyverno-controller")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        api = stack.enter_context(api_server())
        for document in custom_resources():
            api.apply(document)
        for name in (NAMESPACE, "kube-system", "kube-public", "kube-node-lease"):
            make_namespace(api, name)
        for document in configuration(folder):
            api.call("POST", f"/api/v1/namespaces/{NAMESPACE}/configmaps", document)
        kyverno = Kyverno(api, folder)
        stack.callback(kyverno.kill)
        kyverno.start()
        yield kyverno


def make_namespace(api: ApiServer, name: str, **labels: str) -> None:
    """A namespace, unless it is there."""
    known = {item["metadata"]["name"] for item in api.call("GET", "/api/v1/namespaces")["items"]}
    if name not in known:
        api.call(
            "POST",
            "/api/v1/namespaces",
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}},
        )


def is_rewritten(api: ApiServer, image: str = PROBE, **metadata: Any) -> bool:
    """Whether a Pod would be changed now. A webhook that is not ready refuses it, which is a no."""
    try:
        return images_of(api.create_pod(pod("probe", [image], **metadata)))["c0"] != image
    except RuntimeError:
        return False


def is_left_alone(api: ApiServer, image: str = PROBE, **metadata: Any) -> bool:
    """Whether a Pod is admitted as it is."""
    try:
        return images_of(api.create_pod(pod("probe", [image], **metadata)))["c0"] == image
    except RuntimeError:
        return False


@contextmanager
def applied(
    api: ApiServer, documents: list[dict[str, Any]], *, works: Callable[[], bool], gone: Callable[[], bool]
) -> Iterator[None]:
    """Documents in the cluster: applied, waited for, and taken away.

    :param works: whether they have taken effect.
    :param gone: whether they have no effect any more.
    """
    made: list[dict[str, Any]] = []
    try:
        for document in documents:
            api.apply(document)
            made.append(document)
        wait_until(works, lambda: "the policy never took effect")
        yield
    finally:
        for document in reversed(made):
            api.delete(document)
        wait_until(gone, lambda: "the policy never went")
