"""The client of a registry against answers that no registry should give."""

import gzip
import json
import threading
import time
import tracemalloc

import pytest

from ecr_pull_through_cache.errors import UserError
from ecr_pull_through_cache.operations.failures import Failure
from ecr_pull_through_cache.operations.journal import Journal
from ecr_pull_through_cache.operations.registry import RegistryClient, RegistryError, Retries, Stopped
from ecr_pull_through_cache.operations.warming import Warmer, WarmOptions
from tests.emulators.answers import INDEX, OCI, answers, digest, image, index, write
from tests.faults import Fault

ALONE = "this image fails with a sentence, kind and exit code 1; the others are done"
FAULTS = [
    Fault(verb="warm", fault="a manifest with null, or another wrong type, anywhere", outcome=ALONE),
    Fault(verb="warm", fault="a digest that is none, such as a path", outcome=f"it is asked for nowhere; {ALONE}"),
    Fault(verb="warm", fault="an index of another type, without entries, or too deep in others", outcome=ALONE),
    Fault(verb="warm", fault="an answer that is endless, deep, compressed without end, or of many parts", outcome=f"at most 4 MiB are read; {ALONE}"),
    Fault(verb="warm", fault="an answer that comes byte by byte", outcome="given up after a minute and asked again"),
    Fault(verb="warm", fault="an error of the package itself", outcome=ALONE),
    Fault(verb="warm", fault="Ctrl-C while an answer is on its way", outcome="it ends within two seconds"),
]  # fmt: skip


@pytest.fixture
def registry():
    with answers() as running:
        running.by_end["good"] = image()
        yield running


@pytest.fixture
def client(registry):
    made = impatient(registry, 20)
    yield made
    made.close()


def impatient(registry, timeout):
    retries = Retries(tries=2, first=0.01, longest=0.05)
    return RegistryClient(registry.host, scheme="http", retries=retries, timeout=timeout)


def warm(client, registry, *tags, **options):
    layers = options.pop("layers", None)
    warmer = Warmer(client, WarmOptions(**{"wait": 0, "concurrency": 4, **options}), layers=layers)
    return warmer.warm(registry.names(*tags))


def refused(client, registry, tag="bad", **options):
    """The one failure of a run in which the good image is done."""
    report = warm(client, registry, tag, "good", **options)
    assert (report.done, len(report.failed), report.stopped) == (1, 1, False)
    (failed,) = report.failed
    assert failed.reason
    assert "\n" not in failed.reason
    assert len(failed.reason) < 1_000
    return failed


WRONG = {
    "layers: null, as docker/cnab-to-oci pushes it": image(layers=None),
    "layers of texts": image(layers="abc"),
    "config of text": image(config="x"),
    "a layer without digest": image(layers=[{"size": 1}]),
    "entries: null": index(manifests=None),
    "an entry of text": index("x"),
    "a platform of text": index({"digest": "sha256:" + "a" * 64, "platform": "linux"}),
    "deep": b"[" * 1_000_000,
    "a page of HTML": b"<html>sign in</html>",
}


@pytest.mark.parametrize("body", WRONG.values(), ids=WRONG)
def test_an_answer_that_is_no_manifest_fails_its_image_alone(client, registry, body):
    registry.by_end["bad"] = body
    assert refused(client, registry).failure is Failure.MALFORMED


def test_a_run_with_one_of_them_is_done_with_all_others_and_the_journal_knows(client, registry, tmp_path):
    tags = [f"v{n}" for n in range(60)]
    registry.by_end |= {tag: image() for tag in tags}
    registry.by_end["v7"] = image(layers=None)
    for done, earlier in ((59, 0), (0, 59)):
        journal = Journal(tmp_path / "journal")
        report = Warmer(client, WarmOptions(wait=0)).warm(registry.names(*tags), journal=journal)
        journal.close()
        assert (report.done, report.earlier, len(report.failed)) == (done, earlier, 1)


@pytest.mark.parametrize(
    "digest_", ["x/../../../../quay/evil/app/manifests/latest", "../../../../v2/_catalog?x=\r\nX: y", "sha256:1"]
)
def test_a_digest_that_is_a_path_leads_nowhere(client, registry, digest_):
    registry.by_end["bad"] = index({"digest": digest_})
    assert "which is not a digest" in refused(client, registry).reason
    assert sorted(path.rpartition("/")[2] for path in registry.asked) == ["bad", "good"]


@pytest.mark.parametrize("reference", ["a/b", "..", "", "a?b", "a#b", "-a", "a" * 129, "sha256:x", "a\r\nb", "%2e%2e"])
def test_nothing_but_a_tag_or_a_digest_gets_into_a_path(client, registry, reference):
    with pytest.raises(RegistryError, match="is neither a tag nor a digest"):
        client.manifest("k8s/app", reference)
    assert registry.asked == []


class TestIndexes:
    def test_one_in_another_is_followed_to_its_images(self, client, registry):
        (inner,) = registry.hold(index({"digest": digest(image(a=1))}))
        registry.hold(image(a=1))
        registry.by_end["bad"] = index({"digest": inner, "mediaType": INDEX})
        assert warm(client, registry, "bad").done == 1
        assert registry.asked[-1].endswith(digest(image(a=1)))

    @pytest.mark.parametrize("platform", [None, {"os": "linux", "architecture": "arm64"}])
    def test_and_a_platform_is_found_in_it(self, client, registry, platform):
        arm, amd = registry.hold(image(a=1), image(a=2))
        entries = [
            {"digest": arm, "platform": {"os": "linux", "architecture": "arm64"}},
            {"digest": amd, "platform": {"os": "linux", "architecture": "amd64"}},
        ]
        (inner,) = registry.hold(index(*entries))
        registry.by_end["bad"] = index(
            {"digest": inner, "mediaType": INDEX, **({"platform": platform} if platform else {})}
        )
        assert warm(client, registry, "bad", platforms=("linux/arm64",)).done == 1
        ends = [path.rpartition("/")[2] for path in registry.asked]
        assert arm in ends
        assert amd not in ends

    def test_the_same_manifest_for_two_platforms_is_found_by_each(self, client, registry):
        (inner,) = registry.hold(image(a=1))
        platforms = [{"os": "linux", "architecture": name} for name in ("arm64", "amd64")]
        registry.by_end["bad"] = index(*({"digest": inner, "platform": platform} for platform in platforms))
        for name in ("linux/arm64", "linux/amd64"):
            assert warm(client, registry, "bad", platforms=(name,)).done == 1

    def test_too_deep_in_others_is_refused(self, client, registry):
        (inner,) = registry.hold(image())
        for _ in range(6):
            (inner,) = registry.hold(index({"digest": inner}))
        registry.by_end["bad"] = index({"digest": inner})
        assert "more than 3 deep" in refused(client, registry).reason

    def test_without_entries_is_never_done(self, client, registry):
        registry.by_end["bad"] = index()
        assert "names no manifest" in refused(client, registry).reason

    @pytest.mark.parametrize(
        "entry", [{"size": 1}, {"mediaType": INDEX}, {"mediaType": "application/vnd.oci.image.layer.v1.tar"}]
    )
    def test_that_says_something_else_than_its_image_is_refused(self, client, registry, entry):
        (inner,) = registry.hold(image())
        registry.by_end["bad"] = index({"digest": inner, **entry})
        assert refused(client, registry).failure is Failure.MALFORMED

    def test_of_many_equal_entries_is_asked_for_once(self, client, registry):
        (inner,) = registry.hold(image())
        registry.by_end["bad"] = index(*[{"digest": inner}] * 30_000)
        assert warm(client, registry, "bad").done == 1
        assert len(registry.asked) == 2

    def test_under_the_type_of_an_image_is_refused(self, client, registry):
        body = index({"digest": "sha256:" + "c" * 64}, mediaType=OCI)
        registry.by_end["bad"] = body
        assert refused(client, registry).failure is Failure.MALFORMED

    def test_that_leads_to_too_many_is_refused(self, client, registry):
        inner = registry.hold(*(index(*({"digest": f"sha256:{n:032x}{k:032x}"} for k in range(400))) for n in range(4)))
        registry.by_end["bad"] = index(*({"digest": one} for one in inner))
        assert "leads to more than 1,000 manifests" in refused(client, registry).reason
        assert len(registry.asked) == 6


class TestDigests:
    def test_by_sha512_are_compared(self, client, registry):
        body = image(a=1)
        registry.by_end[digest(body, "sha512")] = body
        registry.by_end["bad"] = index({"digest": digest(body, "sha512")})
        assert warm(client, registry, "bad").done == 1
        registry.by_end[digest(body, "sha512")] = image(a=2)
        assert "another manifest than the one with the digest sha512:" in refused(client, registry).reason

    def test_of_a_reference_by_sha512_are_compared(self, client, registry):
        right, wrong = digest(image(), "sha512"), digest(b"", "sha512")
        report = Warmer(client, WarmOptions(wait=0)).warm(
            [f"{name}@{d}" for d in (right, wrong) for name in registry.names("good")]
        )
        assert report.done == 1
        assert f"the tag good is now {digest(image())}, not {wrong}" in str(report.failed[0].reason)

    def test_that_a_header_claims_are_compared(self, client, registry):
        for claimed in ("sha256:" + "0" * 64, "sha512:" + "0" * 128, "md5:1", "x"):
            registry.by_end["bad"] = lambda handler, claimed=claimed: write(
                handler, 200, image(), Content_Type=OCI, Docker_Content_Digest=claimed
            )
            assert "digest" in refused(client, registry).reason


def test_layers_that_are_kept_elsewhere_are_not_waited_for(client, registry):
    asked = []

    class Layers:
        def missing(self, repository, digests):
            asked.extend(digests)
            return []

    foreign = {"digest": "sha256:" + "f" * 64, "urls": ["https://mcr.microsoft.com/x"]}
    registry.by_end["bad"] = image(layers=[{"digest": "sha256:" + "b" * 64}, foreign])
    assert warm(client, registry, "bad", wait=5, layers=Layers()).done == 1
    assert asked == ["sha256:" + "a" * 64, "sha256:" + "b" * 64]


def endless(handler):
    handler.send_response(200)
    handler.end_headers()
    while True:
        handler.wfile.write(b" " * 65_536)


def bomb(handler):
    write(handler, 200, gzip.compress(b" " * 50_000_000), Content_Type=OCI, Content_Encoding="gzip")


@pytest.mark.parametrize(
    "answer",
    [endless, bomb, b"[" + b"0," * 2_000_000 + b"0]", b" " * 4_194_305],
    ids=["endless", "compressed", "many parts", "long"],
)
def test_memory_is_bounded_whatever_is_sent(client, registry, answer):
    registry.by_end["bad"] = answer
    tracemalloc.start()
    try:
        assert refused(client, registry).failure is Failure.MALFORMED
        assert tracemalloc.get_traced_memory()[1] < 120_000_000, "server and client are one process here"
    finally:
        tracemalloc.stop()


def test_a_compressed_answer_is_read(client, registry):
    registry.by_end["bad"] = lambda handler: write(
        handler, 200, gzip.compress(image()), Content_Type=OCI, Content_Encoding="gzip"
    )
    assert warm(client, registry, "bad").done == 1


def drip_body(handler):
    handler.send_response(200)
    handler.send_header("Content-Length", "100000")
    handler.end_headers()
    while True:
        handler.wfile.write(b" ")
        time.sleep(0.05)


def drip_until_closed(handler):
    """Without a length the end of the connection is the end of the body: a whole manifest comes first."""
    handler.close_connection = True
    handler.send_response(200)
    handler.send_header("Content-Type", OCI)
    handler.end_headers()
    handler.wfile.write(image())
    while True:
        handler.wfile.write(b" ")
        time.sleep(0.05)


def drip_head(handler):
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
    for number in range(90):
        handler.wfile.write(b"X-%d: y\r\n" % number)
        time.sleep(0.05)


DRIPS = [drip_body, drip_until_closed, drip_head, lambda handler: time.sleep(3)]


@pytest.mark.parametrize("drip", DRIPS, ids=["body", "body without a length", "head", "nothing"])
class TestSlow:
    def test_an_answer_that_is_not_whole_in_time_is_given_up(self, registry, drip):
        client = impatient(registry, 0.6)
        registry.by_end["bad"] = drip
        begin = time.monotonic()
        failed = refused(client, registry)
        client.close()
        assert time.monotonic() - begin < 4
        assert failed.failure is Failure.NO_ANSWER
        assert "does not answer" in failed.reason

    def test_and_holds_up_nobody_who_stops(self, registry, drip):
        client = RegistryClient(registry.host, scheme="http", timeout=60)
        registry.by_end["bad"] = drip
        warmer = Warmer(client, WarmOptions(wait=0))
        threading.Timer(0.3, warmer.stop).start()
        begin = time.monotonic()
        report = warmer.warm(registry.names("bad"))
        client.close()
        assert time.monotonic() - begin < 0.3 + 2
        assert (report.stopped, report.done, report.failed) == (True, 0, [])


def test_a_client_that_is_stopped_says_so(registry):
    client = RegistryClient(registry.host, scheme="http", timeout=60)
    registry.by_end["bad"] = drip_body
    threading.Timer(0.2, client.stop).start()
    with pytest.raises(Stopped):
        client.manifest("k8s/app", "bad")
    client.close()


@pytest.mark.parametrize(
    "value",
    ["\xb2", "9" * 5_000, "Mon, 01 Jan 0001 00:00:00 -0000", "Fri, 31 Dec 2024 23:59:59 +99999999", "-5", "1e9"],
)
def test_a_time_to_wait_that_is_none_is_not_waited_for(client, registry, value):
    registry.by_end["bad"] = lambda handler: write(handler, 503, b"", Retry_After=value)
    assert refused(client, registry).reason == "the registry answers with 503"


@pytest.mark.parametrize("length", ["\xb2", "9" * 5_000, "-5", "2, 9", "x"])
def test_a_length_that_is_none_is_no_traceback(client, registry, length):
    def answer(handler):
        handler.close_connection = True
        handler.wfile.write(f"HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{{}}".encode("latin-1"))

    registry.by_end["bad"] = answer
    refused(client, registry)


@pytest.mark.parametrize(
    "body",
    [
        b'{"errors": [null]}', b'{"errors": null}', b"[]", b"[" * 1_000_000, b'{"errors": [{"code": 5, "message": ["x"]}]}', b"\xff",
        b'{"errors": [{"code": "X", "message": "' + b"m" * 3_000_000 + b'"}]}',
        json.dumps({"errors": [{"code": "X", "message": "\x1b[2J\x1b]0;x\x07\nfake: line\u202e"}]}).encode(),
        json.dumps({"errors": [{"code": "\x1b" * 5_000, "message": "m" * 60_000}]}).encode(),
    ],
)  # fmt: skip
def test_what_an_error_says_is_one_short_line_without_control_characters(client, registry, body):
    registry.by_end["bad"] = lambda handler: write(handler, 400, body)
    reason = refused(client, registry).reason
    assert reason.startswith("the registry answers with 400")
    assert reason.isprintable()


class TestReferrers:
    @pytest.mark.parametrize(
        "body",
        [b'{"manifests": null}', b"<html>", b"[]", b"[" * 1_000_000, index({"digest": 5}), index({"digest": "../x"}), b'{"a": 1}'],
    )  # fmt: skip
    def test_that_are_none_are_never_taken_for_an_empty_list(self, client, registry, body):
        registry.by_end[digest(image())] = body
        registry.by_end["bad"] = image(a=1)
        registry.by_end[digest(image(a=1))] = lambda handler: write(
            handler, 200, body if "/referrers/" in handler.path else image(a=1)
        )
        report = warm(client, registry, "bad", referrers=True)
        assert report.failed[0].failure is Failure.MALFORMED
        assert "the referrers of" in report.failed[0].reason

    def test_on_several_pages_are_not_half_read(self, client, registry):
        registry.by_end[digest(image())] = lambda handler: write(
            handler, 200, index(), Link='</v2/x/referrers/y?n=2>; rel="next"'
        )
        assert "further pages" in str(warm(client, registry, "good", referrers=True).failed[0].reason)


def test_an_error_of_the_package_itself_fails_its_image_alone(client, registry, monkeypatch):
    registry.by_end["bad"] = image()
    read = RegistryClient.manifest

    def broken(self, repository, reference):
        if reference == "bad":
            raise KeyError("\x1b[31mlayers")
        return read(self, repository, reference)

    monkeypatch.setattr(RegistryClient, "manifest", broken)
    assert refused(client, registry).reason == r"an unexpected error: KeyError: '\x1b[31mlayers'"


@pytest.mark.parametrize(
    "proxy", ["socks5://127.0.0.1:1080", "http://127.0.0.1:99999", "http://[::1", "http://", "ftp://p:1", "http://p:x", "p q:1", "http://p:0"]
)  # fmt: skip
def test_a_proxy_that_is_none_is_one_sentence_without_its_password(proxy):
    with pytest.raises(UserError, match="is no HTTP proxy; write http://HOST:PORT"):
        RegistryClient("registry.test", proxy=proxy)
    with pytest.raises(UserError) as refused_:
        RegistryClient("registry.test", proxy="socks5://me:secret@p:1")
    assert "secret" not in str(refused_.value)


@pytest.mark.parametrize("content", [None, "", "hello", "-----BEGIN CERTIFICATE-----\nxx\n-----END CERTIFICATE-----\n"])
def test_certificates_that_are_none_are_one_sentence(tmp_path, content):
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_text(content)
    with pytest.raises(UserError, match="the certificates to trust cannot be read"):
        RegistryClient("registry.test", ca_certs=str(path))
