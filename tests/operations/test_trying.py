"""`try`: what a node does, and one sentence for each thing that stops it."""

from __future__ import annotations

import http.server
import json
import os
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path

import boto3
import pytest
from botocore.stub import Stubber

from ecr_pull_through_cache.images import CachedUpstream, CacheMapping, ImageReference, Upstream
from ecr_pull_through_cache.operations.failures import Failure, RegistryError
from ecr_pull_through_cache.operations.registry import RegistryClient, Retries
from ecr_pull_through_cache.operations.trying import Result, Step, Trial, login_lines, pod_that_pulls, wait_lines
from ecr_pull_through_cache.operations.upstreams import UpstreamClient
from tests.corpus import HOST
from tests.emulators.ecr_api import ecr_api, environment
from tests.real.registries import TOKEN, cache

MAPPING = CacheMapping.of(HOST, [CachedUpstream(upstream=Upstream.KUBERNETES, repository_prefix="k8s")])
PAUSE = "registry.k8s.io/pause:3.10"
NEVER = Retries(tries=1)


@pytest.fixture(scope="module")
def running():
    with cache() as found:
        found.upstream.image("pause", "3.10")
        yield found


@pytest.fixture
def stage(running):
    running.faults.reset()
    return running


def rules(*prefixes: str) -> object:
    client = boto3.client("ecr", region_name="eu-west-1", aws_access_key_id="a", aws_secret_access_key="b")
    stub = Stubber(client)
    found = [{"ecrRepositoryPrefix": prefix} for prefix in prefixes]
    if found:
        stub.add_response("describe_pull_through_cache_rules", {"pullThroughCacheRules": found})
    else:
        stub.add_client_error("describe_pull_through_cache_rules", "PullThroughCacheRuleNotFoundException", "none")
    stub.activate()
    return client


def trial(stage, **given):
    client = RegistryClient(HOST, authorization=lambda _: TOKEN, url=f"http://{stage.host}", retries=NEVER, timeout=5)
    return Trial(MAPPING, client, token=lambda _: TOKEN, **given)


def upstream(stage):
    return UpstreamClient(urls={"registry.k8s.io": f"http://{stage.upstream._host}"}, timeout=5)


@pytest.mark.engine
class TestAgainstARegistry:
    def test_an_image_that_can_be_pulled_is_tried_to_the_first_bytes_of_each_layer(self, stage):
        tried = list(trial(stage).run(PAUSE))
        assert [t.result for t in tried] == [Result.OK] * 6
        assert [t.step for t in tried] == [
            Step.NAME, Step.SIGN_IN, Step.MANIFEST, Step.MANIFEST, Step.LAYER, Step.LAYER,
        ]  # fmt: skip
        assert tried[0].detail == f"{PAUSE} is {HOST}/k8s/pause:3.10 in the cache"
        assert all(path.startswith("/v2/k8s/pause/") for path in stage.faults.seen)

    def test_the_cache_s_own_name_is_tried_too(self, stage):
        assert {t.result for t in trial(stage).run(f"{HOST}/k8s/pause:3.10")} == {Result.OK}

    def test_a_platform_that_the_image_lacks_is_said_with_those_it_has(self, stage):
        last = list(trial(stage, platform="windows/amd64").run(PAUSE))[-1]
        assert last.detail == (
            "the image has no platform windows/amd64; it has linux/amd64, linux/arm64; give --platform"
        )

    def test_a_missing_rule_is_told_from_a_missing_image(self, stage):
        last = list(trial(stage, ecr=rules(), upstream=upstream(stage)).run("registry.k8s.io/none:1"))[-1]
        assert (last.failure, last.detail) == (
            Failure.NO_RULE,
            f"there is no pull through cache rule for the repository prefix k8s in {HOST}; deploy the stack of this registry",
        )
        last = list(trial(stage, ecr=rules("k8s"), upstream=upstream(stage)).run("registry.k8s.io/none:1"))[-1]
        assert (last.failure, last.detail) == (
            Failure.NO_SUCH_IMAGE, "there is no image registry.k8s.io/none:1 upstream"
        )  # fmt: skip

    def test_an_import_that_is_not_allowed_is_told_from_a_missing_image(self, stage):
        stage.faults.choose = lambda path: "404"
        last = list(trial(stage, ecr=rules("k8s"), upstream=upstream(stage)).run(PAUSE))[-1]
        assert last.failure is Failure.NOT_ALLOWED
        assert last.detail.startswith(
            "upstream has registry.k8s.io/pause:3.10, but ECR does not import it: the import is not"
        )

    def test_where_upstream_is_not_asked_both_reasons_are_named(self, stage):
        last = list(trial(stage, ecr=rules("k8s")).run("registry.k8s.io/none:1"))[-1]
        assert "either there is no image registry.k8s.io/none:1 upstream, or the import is not allowed" in last.detail

    REFUSED = {
        "403": (Failure.NOT_ALLOWED, "importing k8s/pause:3.10 is not allowed"),
        "denied upstream": (Failure.UPSTREAM_CREDENTIALS, "the upstream registry refuses the rule's credentials"),
        "too many upstream": (Failure.UPSTREAM_RATE_LIMIT, "the upstream registry's rate limit was met"),
        "quota": (Failure.QUOTA, "a quota of the registry is used up"),
        "500": (Failure.OTHER, "the registry answers with 500"),
        "reset": (Failure.NO_ANSWER, f"{HOST} does not answer"),
        "wrong digest": (Failure.OTHER, "the registry answers with another manifest"),
    }

    @pytest.mark.parametrize("fault", REFUSED)
    def test_each_refusal_is_one_sentence(self, stage, fault):
        stage.faults.choose = lambda path: fault
        last = list(trial(stage, ecr=rules("k8s"), upstream=upstream(stage)).run(PAUSE))[-1]
        failure, sentence = self.REFUSED[fault]
        assert (last.result, last.failure) == (Result.FAILED, failure)
        assert last.detail.startswith(sentence)
        assert "\n" not in last.detail

    def test_a_layer_that_ecr_has_not_yet_is_said(self, stage):
        stage.faults.choose = lambda path: "404" if "/blobs/" in path else None
        last = list(trial(stage).run(PAUSE))[-1]
        assert (last.step, last.failure) == (Step.LAYER, Failure.NOT_COMPLETE)

    def test_a_digest_that_was_never_imported_names_the_way_out(self, stage):
        digest = upstream(stage).digest_of(ImageReference.parse(PAUSE))
        stage.faults.choose = lambda path: "404"
        last = list(trial(stage, ecr=rules("k8s"), upstream=upstream(stage)).run(f"{PAUSE}@{digest}"))[-1]
        assert last.failure is Failure.PINNED_BY_DIGEST
        assert "pull registry.k8s.io/pause:3.10 by its tag first" in last.detail

    def test_as_a_process_it_ends_with_0_or_1(self, stage):
        with ecr_api() as api:
            program = Path(sys.executable).with_name("ecr-pull-through")
            command = [
                program, "try", PAUSE, "--host", HOST, "--upstream", "k8s=registry.k8s.io", "--no-upstream", "--json",
                "--registry-url", f"http://{stage.host}",
            ]  # fmt: skip
            run = lambda: subprocess.run(  # noqa: E731
                command, capture_output=True, text=True, env=environment(api, dict(os.environ)), check=False
            )
            done = run()
            assert (done.returncode, done.stderr) == (0, f"{PAUSE} can be pulled\n")
            assert {json.loads(line)["result"] for line in done.stdout.splitlines()} == {"ok"}
            stage.faults.choose = lambda path: "quota"
            done = run()
            assert (done.returncode, done.stderr) == (1, f"{PAUSE} cannot be pulled\n")
            assert json.loads(done.stdout.splitlines()[-1])["failure"] == "quota"


def test_what_stays_with_its_upstream_is_not_tried(tmp_path):
    client = RegistryClient(HOST, url="http://127.0.0.1:9", retries=NEVER)
    tried = list(Trial(MAPPING, client, token=lambda _: TOKEN).run("quay.io/a/b:1"))
    assert [t.detail for t in tried] == ["quay.io/a/b:1 stays with its upstream: no rule caches this registry"]


def test_who_may_not_sign_in_is_told_first():
    def refused(_):
        raise RegistryError("ecr:GetAuthorizationToken is not allowed", failure=Failure.NOT_ALLOWED)

    client = RegistryClient(HOST, url="http://127.0.0.1:9", retries=NEVER)
    last = list(Trial(MAPPING, client, token=refused).run(PAUSE))[-1]
    assert (last.step, last.detail) == (Step.SIGN_IN, "ecr:GetAuthorizationToken is not allowed")


@dataclass
class Site:
    """A web server on the loopback that answers what it is told to, and remembers what it was asked."""

    answers: dict[str, tuple[int, dict[str, str], bytes]]
    asked: list[tuple[str, str, str | None]] = field(default_factory=list)
    url: str = ""


@pytest.fixture
def site():
    found = Site({})

    class Handler(http.server.BaseHTTPRequestHandler):
        def log_message(self, *_):
            pass

        def do_GET(self):
            found.asked.append((self.command, self.path, self.headers.get("Authorization")))
            status, headers, body = found.answers.get(self.path.partition("?")[0], (404, {}, b""))
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        def do_HEAD(self):
            self.do_GET()

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    found.url = f"http://127.0.0.1:{server.server_port}"
    yield found
    server.shutdown()
    server.server_close()


DIGEST = "sha256:" + "a" * 64


class TestLayers:
    def client(self, site):
        return RegistryClient(HOST, authorization=lambda _: TOKEN, url=site.url, retries=NEVER, timeout=5)

    def test_a_redirect_is_followed_without_the_token(self, site):
        site.answers[f"/v2/k8s/pause/blobs/{DIGEST}"] = (307, {"Location": f"{site.url}/bucket"}, b"")
        site.answers["/bucket"] = (206, {}, b"x" * 1024)
        assert self.client(site).layer_start("k8s/pause", DIGEST).received == 1024
        assert [token for _, _, token in site.asked] == [TOKEN, None]

    @pytest.mark.parametrize("where", ["http://example.com/x", "ftp://127.0.0.1/x", "", "//", "https://", "/relative"])
    def test_a_redirect_to_anything_but_https_is_refused(self, site, where):
        site.answers[f"/v2/k8s/pause/blobs/{DIGEST}"] = (307, {"Location": where}, b"")
        with pytest.raises(RegistryError, match="not an https address"):
            self.client(site).layer_start("k8s/pause", DIGEST)

    def test_a_redirect_in_circles_ends(self, site):
        site.answers[f"/v2/k8s/pause/blobs/{DIGEST}"] = (307, {"Location": f"{site.url}/a"}, b"")
        site.answers["/a"] = (302, {"Location": f"{site.url}/a"}, b"")
        with pytest.raises(RegistryError, match="redirected without end"):
            self.client(site).layer_start("k8s/pause", DIGEST)
        assert len(site.asked) == 6

    def test_a_layer_that_still_comes_from_the_upstream_s_cdn_is_a_warning(self, site, monkeypatch):
        from ecr_pull_through_cache.operations import trying

        body = json.dumps(
            {
                "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
                "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": DIGEST, "size": 2},
                "layers": [],
            }
        ).encode()  # fmt: skip
        site.answers["/v2/k8s/pause/manifests/3.10"] = (200, {}, body)
        site.answers[f"/v2/k8s/pause/blobs/{DIGEST}"] = (307, {"Location": f"{site.url}/cdn"}, b"")
        site.answers["/cdn"] = (200, {}, b"x")
        monkeypatch.setattr(trying, "_is_loopback", lambda host: False)
        last = list(Trial(MAPPING, self.client(site), token=lambda _: TOKEN).run(PAUSE))[-1]
        assert last.result is Result.WARNING
        assert "nodes without internet access cannot pull it yet" in last.detail


class TestUpstreams:
    PATH = "/v2/pause/manifests/3.10"

    def ask(self, site, text=PAUSE):
        return UpstreamClient(urls={"registry.k8s.io": site.url}, timeout=5).digest_of(ImageReference.parse(text))

    def test_the_digest_is_what_the_registry_says(self, site):
        site.answers[self.PATH] = (200, {"Docker-Content-Digest": DIGEST}, b"")
        assert self.ask(site) == DIGEST
        assert [method for method, _, _ in site.asked] == ["HEAD"]

    def test_an_image_that_is_not_there_is_none(self, site):
        assert self.ask(site) is None

    def test_a_token_is_fetched_where_one_is_wanted_and_goes_to_no_redirect(self, site):
        challenge = f'Bearer realm="{site.url}/token",service="s",scope="repository:pause:pull"'
        site.answers[self.PATH] = (401, {"WWW-Authenticate": challenge}, b"")
        site.answers["/token"] = (200, {}, b'{"token": "t"}')
        with pytest.raises(RegistryError, match="does not say without credentials whether it has"):
            self.ask(site)
        assert [token for _, _, token in site.asked] == [None, None, "Bearer t"]
        assert site.asked[1][1] == "/token?scope=repository:pause:pull&service=s"

    def test_a_redirect_is_followed(self, site):
        site.answers[self.PATH] = (307, {"Location": f"{site.url}/there"}, b"")
        site.answers["/there"] = (200, {"Docker-Content-Digest": DIGEST}, b"")
        assert self.ask(site) == DIGEST

    @pytest.mark.parametrize("body", [b"", b"[]", b'{"token": 1}', b'{"token": "a\\nb"}', b"{" * 100_000])
    def test_a_token_that_is_none_is_not_sent(self, site, body):
        site.answers[self.PATH] = (401, {"WWW-Authenticate": f'Bearer realm="{site.url}/token"'}, b"")
        site.answers["/token"] = (200, {}, body)
        with pytest.raises(RegistryError):
            self.ask(site)
        assert [token for _, _, token in site.asked] == [None, None, None]

    ODD = {
        "no digest": ((200, {}, b""), "gives '' for the digest"),
        "a rate limit": ((429, {}, b""), "rate limit of registry.k8s.io for anonymous requests"),
        "a fault": ((500, {}, b""), "registry.k8s.io answers with 500"),
    }

    @pytest.mark.parametrize("case", ODD)
    def test_what_is_no_answer_is_said(self, site, case):
        site.answers[self.PATH], sentence = self.ODD[case]
        with pytest.raises(RegistryError, match=sentence):
            self.ask(site)

    def test_an_upstream_that_is_away_is_said(self):
        client = UpstreamClient(urls={"registry.k8s.io": "http://127.0.0.1:9"}, timeout=2)
        with pytest.raises(RegistryError, match="does not answer"):
            client.digest_of(ImageReference.parse(PAUSE))


def test_the_lines_to_sign_in():
    assert login_lines(HOST, "eu-west-1")[0] == (
        f"aws ecr get-login-password --region eu-west-1 | docker login --username AWS --password-stdin {HOST}"
    )
    assert [line.split(" | ")[1].split(" --")[0] for line in login_lines(HOST, "eu-west-1")] == [
        "docker login", "podman login", "crane auth login",
    ]  # fmt: skip


def test_the_pod_of_the_post():
    pod = pod_that_pulls(f"{HOST}/k8s/pause:3.10")
    assert pod["spec"]["containers"] == [
        {"name": "test", "image": f"{HOST}/k8s/pause:3.10", "imagePullPolicy": "Always"}
    ]
    assert "containerID" in wait_lines()[0]
