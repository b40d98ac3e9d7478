"""Warming: against a real registry that pulls through another one, with faults in between."""

from __future__ import annotations

import base64
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from ecr_pull_through_cache.operations.journal import Journal
from ecr_pull_through_cache.operations.proxies import proxy_for
from ecr_pull_through_cache.operations.registry import RateLimit, RegistryClient, RegistryError, Retries
from ecr_pull_through_cache.operations.warming import Warmer, WarmOptions
from tests.real.registries import INDEX, TOKEN, Cache, cache

pytestmark = pytest.mark.engine
PATIENT = Retries(tries=6, first=0.01, longest=1.0)
IMAGES = [(f"team/app-{n % 5}", f"v{n}") for n in range(30)]


@pytest.fixture(scope="module")
def stage():
    with cache() as running:
        running.digests = {image: running.upstream.image(*image) for image in IMAGES}  # type: ignore[attr-defined]
        yield running


@pytest.fixture
def here(stage):
    stage.faults.choose = lambda path: None
    stage.faults.seen.clear()
    stage.faults.tokens = {TOKEN}
    stage.faults.received = 0
    return stage


def client(here: Cache, authorization=lambda renew: TOKEN, **options) -> RegistryClient:
    return RegistryClient(
        here.host, scheme="http", authorization=authorization, **{"retries": PATIENT, "timeout": 20.0, **options}
    )


def references(here: Cache, images=IMAGES) -> list[str]:
    return [f"{here.host}/k8s/{repository}:{tag}" for repository, tag in images]


def warm(here: Cache, images=None, *, options=None, layers=None, journal=None, **client_options):
    results = []
    asked = client(here, **client_options)
    warmer = Warmer(asked, options or WarmOptions(wait=0), layers=layers)
    report = warmer.warm(references(here) if images is None else images, journal=journal, on_result=results.append)
    asked.close()
    return report, results


def test_every_image_is_imported_with_all_of_its_platforms(here):
    report, results = warm(here)
    assert (report.done, report.failed) == (len(IMAGES), [])
    found = {r.image: r.digest for r in results}
    assert found == {f"{here.host}/k8s/{r}:{t}": digest for (r, t), digest in here.digests.items()}


def test_nothing_but_manifests_passes_through_the_client(here):
    warm(here)
    assert all("/manifests/" in path for path in here.faults.seen)
    assert len(here.faults.seen) == 3 * len(IMAGES), "an index and two platforms"
    assert here.faults.received < 2_000 * len(IMAGES)


def test_chosen_platforms_alone(here):
    warm(here, options=WarmOptions(wait=0, platforms=("linux/arm64",)))
    assert len(here.faults.seen) == 2 * len(IMAGES)


def test_a_platform_that_an_image_is_not_made_for(here):
    report, _ = warm(here, references(here)[:1], options=WarmOptions(wait=0, platforms=("linux/s390x",)))
    assert report.failed[0].reason == "it is not made for linux/s390x, but for linux/amd64, linux/arm64"


def test_an_image_that_is_not_there_does_not_stop_the_others(here):
    report, _ = warm(here, [f"{here.host}/k8s/none:1", *references(here)[:3]])
    assert report.done == 3
    assert "there is no image k8s/none:1 upstream" in report.failed[0].reason


class TestDigests:
    def test_an_image_pinned_by_digest_is_imported_by_its_tag(self, here):
        (repository, tag), digest = next(iter(here.digests.items()))
        report, _ = warm(here, [f"{here.host}/k8s/{repository}:{tag}@{digest}"])
        assert report.done == 1
        assert here.faults.seen[0].endswith(f"/manifests/{tag}")

    def test_a_tag_that_moved_is_said_to_have(self, here):
        (repository, tag), digest = next(iter(here.digests.items()))
        report, _ = warm(here, [f"{here.host}/k8s/{repository}:{tag}@sha256:{'0' * 64}"])
        assert report.failed[0].reason == f"the tag {tag} is now {digest}, not sha256:{'0' * 64}"

    def test_a_digest_alone_cannot_be_imported(self, here):
        report, _ = warm(here, [f"{here.host}/k8s/a@sha256:{'0' * 64}"])
        assert "give the tag that carries the digest: NAME:TAG@DIGEST" in report.failed[0].reason


class TestReferrers:
    """Signatures and bills of materials: by the referrers API where there is one, and by the tags that stand for it."""

    @pytest.fixture
    def signed(self, stage):
        digest = stage.upstream.image("team/signed", "v1")
        names = {suffix: f"{digest.replace(':', '-')}{suffix}" for suffix in ("", ".sig")}
        stage.upstream.image("team/signed", names[".sig"], ("linux/amd64",))
        bill = stage.upstream.image("team/signed", "bill", ("linux/amd64",))
        entry = {"mediaType": INDEX, "digest": bill}
        stage.upstream.manifest(
            "team/signed", names[""], {"schemaVersion": 2, "mediaType": INDEX, "manifests": [entry]}
        )
        return names, bill

    def test_they_are_imported_on_request(self, here, signed):
        names, bill = signed
        asked = [f"{here.host}/k8s/team/signed:v1"]
        warm(here, asked)
        assert not any(name in path for path in here.faults.seen for name in names.values())
        report, _ = warm(here, asked, options=WarmOptions(wait=0, referrers=True, platforms=("linux/amd64",)))
        assert report.done == 1, [failed.reason for failed in report.failed]
        wanted = {path.rpartition("/")[2] for path in here.faults.seen}
        assert {*names.values(), bill} <= wanted

    def test_an_image_without_any_is_done(self, here):
        report, _ = warm(here, references(here)[:1], options=WarmOptions(wait=0, referrers=True))
        assert report.done == 1


def every(nth: int, fault: str):
    """Each path fails with a fault at its first request, if it is the nth of them."""
    seen: Counter[str] = Counter()

    def choose(path: str) -> str | None:
        seen[path] += 1
        return fault if seen[path] == 1 and len(seen) % nth == 0 else None

    return choose


PASSING = [
    "reset",
    "429",
    "429 after 0",
    "429 after 1",
    "500",
    "502",
    "503",
    "504",
    "slow",
    "truncated",
    "wrong digest",
]


@pytest.mark.parametrize("fault", PASSING)
def test_no_image_is_lost_to_a_fault_that_passes(here, fault):
    here.faults.choose = every(4, fault)
    report, results = warm(here, timeout=0.5 if fault == "slow" else 20.0)
    assert report.failed == []
    assert {r.image for r in results} == set(references(here))


PERMANENT = {
    "429": "the rate limit was met and did not pass",
    "503": "the registry answers with 503",
    "reset": "does not answer",
    "truncated": "does not answer: IncompleteRead",
    "wrong digest": "the registry answers with another manifest than the one with the digest",
    "403": "importing k8s/team/app-0:v0 is not allowed; it takes ecr:BatchImportUpstreamImage and ecr:CreateRepository",
}


@pytest.mark.parametrize(("fault", "reason"), PERMANENT.items(), ids=PERMANENT)
def test_a_fault_that_stays_is_one_sentence_for_its_image_alone(here, fault, reason):
    here.faults.choose = lambda path: fault if path.endswith("/team/app-0/manifests/v0") else None
    report, _ = warm(here, references(here)[:4])
    assert report.done == 3
    assert reason in report.failed[0].reason


def test_a_token_that_expires_half_way_is_renewed(here):
    tokens = iter(["Basic Mg==", "Basic Mw=="])
    current = [TOKEN]

    def authorization(renew: bool) -> str:
        if renew:
            current[0] = next(tokens)
        return current[0]

    def expire(path: str) -> None:
        if len(here.faults.seen) == 20:
            here.faults.tokens = {"Basic Mg=="}

    here.faults.choose = expire
    report, _ = warm(here, authorization=authorization, options=WarmOptions(wait=0, concurrency=1))
    assert report.failed == []
    assert current == ["Basic Mg=="]


def test_a_proxy_on_the_way_is_used_with_its_password():
    seen = []

    class Proxy(BaseHTTPRequestHandler):
        def do_GET(self):
            seen.append((self.path, self.headers["Proxy-Authorization"]))
            self.send_error(404)

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Proxy) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        asked = RegistryClient("registry.test", scheme="http", proxy=f"http://me:a%3Ab@127.0.0.1:{server.server_port}")
        with pytest.raises(RegistryError, match="there is no image"):
            asked.manifest("a", "v1")
        asked.close()
        server.shutdown()
    password = base64.b64encode(b"me:a:b").decode()
    assert seen == [("http://registry.test/v2/a/manifests/v1", f"Basic {password}")]


@pytest.mark.parametrize(
    ("url", "environment", "proxy"),
    [
        ("https://111122223333.dkr.ecr.eu-west-1.amazonaws.com", {"HTTPS_PROXY": "http://p:1"}, "http://p:1"),
        ("https://111122223333.dkr.ecr.eu-west-1.amazonaws.com", {"HTTPS_PROXY": "http://p:1", "NO_PROXY": "amazonaws.com"}, None),
        ("https://111122223333.dkr.ecr.eu-west-1.amazonaws.com", {}, None),
        ("http://127.0.0.1:5000", {"HTTPS_PROXY": "http://p:1", "HTTP_PROXY": "http://p:1"}, None),
    ],
)  # fmt: skip
def test_the_environment_names_the_proxy(monkeypatch, url, environment, proxy):
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert proxy_for(url) == proxy


def test_requests_keep_to_the_rate(here):
    begin = time.monotonic()
    warm(here, references(here)[:5], rate=RateLimit(30))
    assert time.monotonic() - begin >= 14 / 30


class TestLayers:
    class Slow:
        """Layers that arrive one look later than their image."""

        def __init__(self, looks: int) -> None:
            self.looks = looks

        def missing(self, repository, digests):
            self.looks -= 1
            return digests if self.looks >= 0 else []

    def test_an_image_is_there_when_its_layers_are(self, here):
        layers = self.Slow(1)
        report, _ = warm(here, references(here)[:1], options=WarmOptions(wait=5), layers=layers)
        assert report.done == 1
        assert layers.looks < 0

    def test_layers_that_never_arrive_are_a_failure(self, here):
        report, _ = warm(here, references(here)[:1], options=WarmOptions(wait=0.1), layers=self.Slow(1000))
        assert "of its layers are not in ECR after 0 seconds; run this again" in report.failed[0].reason


class TestJournal:
    def test_what_is_done_is_not_done_again(self, here, tmp_path):
        warm(here, references(here)[:10], journal=Journal(tmp_path / "j"))
        here.faults.seen.clear()
        report, _ = warm(here, journal=Journal(tmp_path / "j"))
        assert (report.earlier, report.done) == (10, len(IMAGES) - 10)
        assert len(here.faults.seen) == 3 * (len(IMAGES) - 10)

    def test_killed_in_the_middle_it_goes_on_from_there(self, here, tmp_path):
        program = tmp_path / "program.py"
        program.write_text(
            "import sys\nfrom pathlib import Path\n"
            "from ecr_pull_through_cache.operations.journal import Journal\n"
            "from ecr_pull_through_cache.operations.registry import RegistryClient\n"
            "from ecr_pull_through_cache.operations.warming import Warmer, WarmOptions\n"
            "host, journal, token, *images = sys.argv[1:]\n"
            "client = RegistryClient(host, scheme='http', authorization=lambda renew: token)\n"
            "report = Warmer(client, WarmOptions(wait=0, concurrency=2)).warm(images, journal=Journal(Path(journal)))\n"
            "print(report.done, report.earlier, len(report.failed))\n"
        )
        command = [sys.executable, program, here.host, tmp_path / "j", TOKEN, *references(here)]
        here.faults.choose = lambda path: time.sleep(0.02)
        running = subprocess.Popen(command, stdout=subprocess.PIPE)
        while not (tmp_path / "j").exists() or (tmp_path / "j").read_bytes().count(b"\n") < 6:
            time.sleep(0.01)
        os.kill(running.pid, signal.SIGKILL)
        running.communicate()
        earlier = (tmp_path / "j").read_bytes().count(b"\n") - 1
        here.faults.choose = lambda path: None
        done, passed_over, failed = map(int, subprocess.check_output(command, text=True).split())
        assert 5 <= passed_over == earlier < len(IMAGES)
        assert (done + passed_over, failed) == (len(IMAGES), 0)


def test_operations_import_neither_the_cdk_nor_pydantic():
    code = (
        "import sys\n"
        "from ecr_pull_through_cache.operations import aws, inventory, journal, presence, registry, warming\n"
        "print([m for m in ('aws_cdk', 'jsii', 'pydantic', 'yaml', 'rich', 'typer') if m in sys.modules])"
    )
    assert (
        subprocess.check_output([sys.executable, "-c", code], text=True, cwd=Path(__file__).parents[2]).strip() == "[]"
    )
