"""What a policy adds to the creation of a Pod, on a real API server with Kyverno's own admission controller.

Each round takes every policy in turn: no policy, the three forms of this package, and a MutatingPolicy of the shape that public
samples have, which knows one target and replaces the registry of containers and init containers by it. Pods are created as a dry
run over one connection; a number is what a form took beyond no policy in the same round. Half as many init containers as
containers come on top.

``python -m benchmarks.admission`` prints the table.
"""

from __future__ import annotations

import http.client
import json
import ssl
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlparse

from benchmarks.report import Row, left_out, table
from ecr_pull_through_cache.admission import FailurePolicy, PolicyForm, PolicySettings, render_policy
from tests.corpus import HOST, mapping
from tests.real.engines import ApiServer, cache
from tests.real.kyverno import applied, is_left_alone, is_rewritten, kyverno_cluster

SIZES = (1, 5, 20, 100)
NONE = "no policy"
SAMPLE = "a public sample's MutatingPolicy"
NAMES = {
    PolicyForm.MUTATING_ADMISSION_POLICY: "MutatingAdmissionPolicy",
    PolicyForm.MUTATING_POLICY: "MutatingPolicy",
    PolicyForm.CLUSTER_POLICY: "ClusterPolicy",
}
BARS = {("MutatingAdmissionPolicy", 5): "≤ 3 ms", ("MutatingPolicy", 5): "≤ 5 ms"}


def sample() -> list[dict[str, Any]]:
    """A policy that sends every image to one registry, as samples do."""

    def mapped(path: str) -> str:
        spec = f"object.spec.{path}"
        rest = "c.image.matches('^[a-zA-Z0-9.]+[.:][^/]*/') ? c.image.substring(c.image.indexOf('/') + 1) : c.image"
        item = f"Object.spec.{path}{{name: c.name, image: '{HOST}/' + ({rest})}}"
        return f"{path}: has({spec}) ? {spec}.map(c, {item}) : []"

    expression = f"Object{{spec: Object.spec{{{mapped('containers')}, {mapped('initContainers')}}}}}"
    resources = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"], "resources": ["pods"]}
    return [
        {
            "apiVersion": "policies.kyverno.io/v1",
            "kind": "MutatingPolicy",
            "metadata": {"name": "sample"},
            "spec": {
                "failurePolicy": "Fail",
                "autogen": {"podControllers": {"controllers": []}},
                "matchConstraints": {"resourceRules": [resources]},
                "mutations": [{"patchType": "ApplyConfiguration", "applyConfiguration": {"expression": expression}}],
            },
        }
    ]


def policies() -> dict[str, list[dict[str, Any]]]:
    settings = PolicySettings(failure_policy=FailurePolicy.FAIL)
    ours = {NAMES[form]: render_policy(mapping(), form, settings) for form in NAMES}
    return {NONE: [], **ours, SAMPLE: sample()}


def pod(size: int) -> dict[str, Any]:
    images = ["registry.k8s.io/pause:3.10", "nginx:1", "quay.io/argoproj/argocd:v3", "a.b/c:1", "ghcr.io/fluxcd/a:1"]
    containers = [{"name": f"c{n}", "image": images[n % len(images)]} for n in range(size)]
    init = [{"name": f"i{n}", "image": images[n % len(images)]} for n in range(size // 2)]
    metadata = {"name": "measured", "namespace": "default"}
    spec = {"containers": containers, "initContainers": init}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


@contextmanager
def connection(api: ApiServer) -> Iterator[http.client.HTTPSConnection]:
    address = urlparse(api.url)
    assert address.hostname is not None
    opened = http.client.HTTPSConnection(
        address.hostname, address.port, context=ssl._create_unverified_context(), timeout=60
    )
    try:
        yield opened
    finally:
        opened.close()


def milliseconds(api: ApiServer, opened: http.client.HTTPSConnection, size: int, times: int) -> float:
    """The median of so many creations."""
    body = json.dumps(pod(size))
    headers = {"Authorization": f"Bearer {api.token}", "Content-Type": "application/json"}
    taken = []
    for _ in range(times):
        begin = time.perf_counter()
        opened.request("POST", "/api/v1/namespaces/default/pods?dryRun=All", body, headers)
        answer = opened.getresponse()
        answer.read()
        taken.append((time.perf_counter() - begin) * 1_000)
        assert answer.status == 201, answer.status
    return statistics.median(taken)


def measure(rounds: int = 5, times: int = 15) -> dict[str, dict[int, list[float]]]:
    """Milliseconds for each policy and number of containers, once for each round."""
    found: dict[str, dict[int, list[float]]] = {name: {size: [] for size in SIZES} for name in policies()}
    with kyverno_cluster() as kyverno, connection(kyverno.api) as opened:
        api = kyverno.api
        for _ in range(rounds):
            for name, documents in policies().items():
                works = (lambda: is_rewritten(api)) if documents else (lambda: True)
                with applied(api, documents, works=works, gone=lambda: is_left_alone(api)):
                    for size in SIZES:
                        milliseconds(api, opened, size, 2)
                        found[name][size].append(milliseconds(api, opened, size, times if size < 100 else 5))
    return found


def rows(rounds: int = 5) -> list[Row]:
    if not any(cache().glob("kyverno-controller-*/kyverno-controller")):
        return [left_out("a policy at admission", "Kyverno is not built; `make engines` builds it")]
    taken = measure(rounds)

    def added(name: str, size: int) -> list[float]:
        return [with_it - without for with_it, without in zip(taken[name][size], taken[NONE][size], strict=True)]

    result = []
    for name in NAMES.values():
        for size in SIZES:
            whole = statistics.median(taken[name][size])
            bare = statistics.median(taken[NONE][size])
            result.append(
                Row(
                    what=f"{name} adds to a Pod of {size} container{'s' if size > 1 else ''}",
                    ours=added(name, size),
                    against=SAMPLE,
                    theirs=added(SAMPLE, size),
                    unit="ms",
                    bar=BARS.get((name, size), ""),
                    note=f"{whole:.1f} ms in all, {bare:.1f} ms without a policy",
                )
            )
    return result


def main() -> None:
    print(table(rows()))


if __name__ == "__main__":
    main()
