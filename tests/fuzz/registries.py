"""Answers of registries through the client and the warmer, over HTTP."""

from __future__ import annotations

import copy
import json
import random
from typing import Any

from ecr_pull_through_cache.operations.failures import Failure
from ecr_pull_through_cache.operations.registry import RegistryClient, Retries
from ecr_pull_through_cache.operations.warming import Warmer, WarmOptions
from tests.emulators.answers import INDEX, OCI, Answers, answers, image, index, write
from tests.fuzz import Tally, mutated

_DIGEST = "sha256:" + "b" * 64
_VALUES: list[Any] = [
    None, True, 0, -1, 1.5, 10**40, "", "x", _DIGEST, _DIGEST.upper(), "sha512:" + "b" * 128, "../../_catalog", "a\r\nb", [], {}, [None], [[]], {"digest": 5},
    OCI, INDEX, "text/html", "https://x", "\ud800", "\x1b[2J",
]  # fmt: skip
_KEYS = ["mediaType", "config", "layers", "manifests", "digest", "size", "platform", "os", "urls", "x", "subject"]
_TYPES = [None, OCI, INDEX, "text/html", "application/json", "\xff", "a" * 500]
_PIECES = ["null", "[", "]", "{", "}", ",", '"', ":", "0", "\\ud800", "\0", "[[[[", "1e999", "-", "NaN", _DIGEST]


def hostile(seed: int, count: int) -> Tally:
    """Warm so many images whose registry is hostile: each is done or has a reason, and none ends the run."""
    tally = Tally("hostile registries")
    with answers() as registry:
        good = registry.hold(image(a=1), image(a=2))
        for number in range(count):
            chance = random.Random(f"{seed}-registries-{number}")
            registry.by_end[f"v{number}"] = _answer(chance, good)
        client = RegistryClient(
            registry.host, scheme="http", retries=Retries(tries=2, first=0.001, longest=0.002), timeout=5
        )
        names = [f"{registry.host}/k8s/app:v{number}" for number in range(count)]
        report = Warmer(client, WarmOptions(wait=0, referrers=False, concurrency=8)).warm(names)
        client.close()
        _judge(registry, tally, report, count)
    return tally


def _judge(registry: Answers, tally: Tally, report: Any, count: int) -> None:
    tally.tried = report.seen
    tally.outcomes["done"] = report.done
    if report.seen != count or report.stopped:
        tally.wrong("the run ended early", str(report.why_stopped), report.seen)
    for failed in report.failed:
        tally.outcomes[failed.failure.value] += 1
        body = registry.by_end[failed.image.rpartition(":")[2]]
        if failed.reason.startswith("an unexpected error"):
            tally.wrong("traceback", failed.reason, body)
        if not failed.reason.isprintable() or len(failed.reason) > 1_500:
            tally.wrong("a reason that is no sentence", failed.reason, body)
        if failed.failure is Failure.NO_ANSWER:
            tally.outcomes[f"  {failed.reason.rpartition(' ')[2]}"] += 1


def _answer(chance: random.Random, good: list[str]) -> Any:
    entries = [{"digest": digest, "platform": {"os": "linux", "architecture": "arm64"}} for digest in good]
    data = json.loads(chance.choice([image(), index(*entries)]))
    for _ in range(chance.choice([1, 1, 2, 3])):
        _change(chance, data)
    text = json.dumps(data)
    if chance.random() < 0.3:
        text = mutated(chance, text, _PIECES)
    body = text.encode("utf-8", "surrogatepass")
    status = chance.choice([200] * 9 + [400, 403, 404, 429, 500])
    kind = chance.choice([OCI, INDEX, OCI, INDEX, *_TYPES])
    headers = {"Content_Type": kind} if kind else {}
    return lambda handler: write(handler, status, body, **headers)


def _change(chance: random.Random, data: Any) -> None:
    places = list(_places(data))
    if not places:
        return
    parent, key = chance.choice(places)
    if chance.random() < 0.2:
        del parent[key]
    elif chance.random() < 0.2 and isinstance(parent, dict):
        parent[chance.choice(_KEYS)] = copy.deepcopy(chance.choice(_VALUES))
    else:
        parent[key] = copy.deepcopy(chance.choice(_VALUES))


def _places(data: Any) -> Any:
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in items:
        yield data, key
        yield from _places(value)
