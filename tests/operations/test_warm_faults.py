"""The faults that meet `warm`: after each, and one more run, every image is there and was brought once."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import boto3
import pytest
from botocore.config import Config

from ecr_pull_through_cache.errors import UserError
from ecr_pull_through_cache.operations.aws import EcrLayers, EcrToken
from ecr_pull_through_cache.operations.journal import Journal
from ecr_pull_through_cache.operations.presence import EcrImages
from ecr_pull_through_cache.operations.registry import RegistryClient, Retries
from ecr_pull_through_cache.operations.warming import Report, Warmer, WarmOptions
from tests.corpus import HOST
from tests.emulators.ecr_api import ecr_api
from tests.faults import Fault
from tests.real.registries import cache
from tests.support.warming import IMAGES, NAMES, Stage

pytestmark = [pytest.mark.engine, pytest.mark.slow]

_AGAIN = "asked again after a pause that doubles, with jitter"
_ALONE = "this image fails with a sentence and exit code 1, the others are done; the next run does it"


def _warm(fault: str, outcome: str, inject: str) -> Fault:
    return Fault(verb="warm", fault=fault, outcome=outcome, inject=inject)


PASSING = [
    _warm("a connection is reset", _AGAIN, "reset"),
    _warm("429 without Retry-After", _AGAIN, "429"),
    _warm("429 with Retry-After", "asked again after that time, with jitter", "429 after 1"),
    _warm("500", _AGAIN, "500"),
    _warm("502", _AGAIN, "502"),
    _warm("503", _AGAIN, "503"),
    _warm("504", _AGAIN, "504"),
    _warm("the upstream's rate limit", _AGAIN, "too many upstream"),
    _warm("no answer for long", "given up after a minute and asked again", "slow"),
    _warm("an answer that is cut off", _AGAIN, "truncated"),
    _warm("a manifest with another digest than its name says", f"never taken; {_AGAIN}", "wrong digest"),
    _warm("the token expires half-way", "one new token serves all, nobody waits", "token"),
    _warm("ECR's API throttles", "asked again by botocore, ten times", "api ThrottlingException"),
    _warm("ECR's API fails", "asked again by botocore, ten times", "api ServerException"),
]
STAYING = [
    _warm("503 that does not pass", _ALONE, "503 for one"),
    _warm("a rate limit that does not pass", _ALONE, "429 for one"),
    _warm("connections that are always reset", _ALONE, "reset for one"),
    _warm("an image that is not upstream yet", _ALONE, "404 for one"),
    _warm("upstream credentials that are refused", _ALONE, "denied upstream for one"),
    _warm("an import that is not allowed", _ALONE, "403 for one"),
    _warm("a quota that is used up", _ALONE, "quota for one"),
    _warm("layers that do not arrive in time", _ALONE, "layers"),
]  # fmt: skip
BROKEN_OFF = [
    _warm("the AWS credentials expire half-way", "it stops and says so, exit code 1; after signing in, the next run goes on from the journal", "api ExpiredTokenException"),
    _warm("the registry cannot be reached any more", "it stops when as many images as it asks for at once had no answer, exit code 1; the next run goes on from the journal", "unreachable"),
    _warm("kill -9 in the middle", "the next run goes on from the journal", "SIGKILL"),
    _warm("Ctrl-C", "what is under way ends, exit code 130; the next run goes on from the journal", "SIGINT"),
    _warm("SIGTERM, as from a job that is taken away", "what is under way ends, exit code 143; the next run goes on from the journal", "SIGTERM"),
    _warm("the journal's last line is cut off", "what it was about is done again", "half a line"),
]  # fmt: skip
FAULTS = [*PASSING, *STAYING, *BROKEN_OFF]


@dataclass
class Attempts:
    """Runs with one journal against one stage."""

    stage: Stage
    journal: Path

    def run(self, *, wait: float = 5, timeout: float = 20) -> Report | None:
        """One run in this process; nothing when it gave up as a whole."""
        ecr = boto3.client(
            "ecr",
            region_name="eu-west-1",
            endpoint_url=self.stage.api.url,
            aws_access_key_id="a",
            aws_secret_access_key="b",
            config=Config(retries={"mode": "standard", "max_attempts": 10}),
        )
        client = RegistryClient(
            HOST,
            url=f"http://{self.stage.cache.host}",
            authorization=EcrToken(ecr),
            retries=Retries(tries=6, first=0.01, longest=1.0),
            timeout=timeout,
        )
        account = "111122223333"
        warmer = Warmer(
            client,
            WarmOptions(wait=wait, concurrency=4),
            layers=EcrLayers(ecr, account),
            images=EcrImages(ecr, account),
        )
        journal = Journal(self.journal)
        try:
            return warmer.warm([f"{HOST}/k8s/{r}:{t}" for r, t in IMAGES], journal=journal)
        except UserError:
            return None
        finally:
            journal.close()
            client.close()

    @property
    def done(self) -> list[str]:
        """What the journal says was done, in its order."""
        if not self.journal.exists():
            return []
        return [json.loads(line)["what"] for line in self.journal.read_text().splitlines()[1:]]

    @contextmanager
    def finishing(self) -> Iterator[None]:
        """One more run, when the fault has gone: what was done before is not asked for again, and nothing is missing."""
        before = set(self.done)
        self.stage.cache.faults.choose = lambda path: None
        self.stage.api.choose = lambda operation: None
        self.stage.api.looks = 0
        self.stage.cache.faults.seen.clear()
        yield
        tags = {path.removeprefix("/v2/").replace("/manifests/", ":") for path in self.stage.cache.faults.seen}
        assert not {name.removeprefix(f"{HOST}/") for name in before} & tags, "nothing is done twice"
        assert Counter(self.done) == Counter(f"{HOST}/k8s/{r}:{t}" for r, t in IMAGES), "nothing is lost, each once"


@pytest.fixture(scope="module")
def running():
    with cache() as registry, ecr_api() as api:
        yield Stage(registry, api, {image: registry.upstream.image(*image) for image in IMAGES})


@pytest.fixture
def attempts(running, tmp_path):
    running.cache.faults.reset()
    running.api.reset()
    running.api.held = running.cache.faults.held
    return Attempts(running, tmp_path / "journal")


def counted(choose: Callable[[str], str | None], met: list[str]) -> Callable[[str], str | None]:
    """The same, writing down what it chose."""

    def chosen(what: str) -> str | None:
        fault = choose(what)
        if fault is not None:
            met.append(fault)
        return fault

    return chosen


def sometimes(fault: str) -> Callable[[str], str | None]:
    """At the first request of every third path."""
    seen: Counter[str] = Counter()

    def choose(path: str) -> str | None:
        seen[path] += 1
        return fault if seen[path] == 1 and len(seen) % 3 == 0 else None

    return choose


def inject(stage: Stage, what: str) -> list[str]:
    """Bring a fault about; gives the list in which it is written down each time."""
    faults, api = stage.cache.faults, stage.api
    met: list[str] = []
    if what == "token":

        def expire(path: str) -> None:
            if len(faults.seen) == 20:
                time.sleep(1.1)  # no token is renewed twice in a second
                met.append(what)
                faults.tokens = {"Basic bmV3"}
                api.token = "bmV3"

        faults.choose = expire
    elif what == "layers":
        met.append(what)
        api.looks = 10_000
    elif what.startswith("api "):
        error = what.removeprefix("api ")
        expires = error == "ExpiredTokenException"
        api.choose = lambda operation: (
            error if (sum(api.calls.values()) > 20 if expires else sum(api.calls.values()) % 5 == 2) else None
        )
    elif what.endswith(" for one"):
        faults.choose = lambda path: (
            what.removesuffix(" for one") if path.endswith("/team/app-0/manifests/v0") else None
        )
    else:
        faults.choose = sometimes(what)
    faults.choose, api.choose = counted(faults.choose, met), counted(api.choose, met)
    return met


@pytest.mark.parametrize("row", PASSING, ids=str)
def test_a_fault_that_passes(row, attempts):
    met = inject(attempts.stage, row.inject)
    report = attempts.run(timeout=0.5 if row.inject == "slow" else 20)
    assert met
    assert report is not None
    assert (report.done, report.failed) == (len(IMAGES), [])
    with attempts.finishing():
        again = attempts.run()
        assert again is not None
        assert (again.done, again.earlier) == (0, len(IMAGES))


@pytest.mark.parametrize("row", STAYING, ids=str)
def test_a_fault_that_stays(row, attempts):
    met = inject(attempts.stage, row.inject)
    report = attempts.run(wait=0.2)
    assert met
    assert report is not None
    assert report.failed
    if row.outcome == _ALONE and row.inject != "layers":
        assert report.done == len(IMAGES) - 1
    assert all(failed.reason and "\n" not in failed.reason for failed in report.failed)
    with attempts.finishing():
        again = attempts.run()
        assert again is not None
        assert again.failed == []


@pytest.mark.parametrize("row", [row for row in BROKEN_OFF if row.inject.startswith("SIG")], ids=str)
def test_a_process_that_ends(row, attempts, tmp_path):
    attempts.stage.cache.faults.choose = lambda path: time.sleep(0.03)
    (tmp_path / "list").write_text("\n".join(NAMES))
    arguments = [f"@{tmp_path / 'list'}", "--journal", attempts.journal, "--concurrency", "2"]
    process = subprocess.Popen(
        attempts.stage.command(*arguments), env=attempts.stage.environment, stderr=subprocess.PIPE, text=True
    )
    while len(attempts.done) < 5:
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.Signals[row.inject])
    process.communicate(timeout=20)
    assert 5 <= len(attempts.done) < len(IMAGES)
    with attempts.finishing():
        attempts.stage.run(*arguments)


def test_credentials_that_expire(attempts):
    (row,) = [row for row in BROKEN_OFF if row.inject.startswith("api ")]
    inject(attempts.stage, row.inject)
    report = attempts.run()
    assert report is not None
    assert report.stopped
    assert str(report.why_stopped).startswith("the AWS credentials are not valid any more; sign in again")
    assert report.failed == []
    assert 0 < report.done < len(IMAGES)
    with attempts.finishing():
        again = attempts.run()
        assert again is not None
        assert (again.stopped, again.failed) == (False, [])


def test_a_registry_that_is_gone(attempts):
    faults = attempts.stage.cache.faults
    faults.choose = lambda path: "reset" if len(faults.seen) > 20 else None
    report = attempts.run()
    assert report is not None
    assert report.stopped
    assert str(report.why_stopped) == f"{HOST} does not answer: ProtocolError, whatever it is asked for"
    assert 4 <= len(report.failed) < len(IMAGES) - report.done, "it did not ask for all of them"
    with attempts.finishing():
        again = attempts.run()
        assert again is not None
        assert (again.stopped, again.failed) == (False, [])


def test_a_line_that_is_cut_off(attempts):
    attempts.run()
    lines = attempts.journal.read_bytes().splitlines(keepends=True)
    attempts.journal.write_bytes(b"".join(lines[:8]) + lines[8][:20])
    half = json.loads(lines[8])["what"]
    attempts.stage.cache.faults.seen.clear()
    attempts.run()
    assert half.rpartition(":")[2] in {path.rpartition("/")[2] for path in attempts.stage.cache.faults.seen}
    assert len(attempts.done) == len(set(attempts.done)) == len(IMAGES)
