"""What a registry may answer, and what is refused of it: each rule with inputs of its own."""

import hashlib
import json
import time
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecr_pull_through_cache.operations.oci import (
    INDEXES,
    LARGEST,
    MANIFESTS,
    MOST_ENTRIES,
    Malformed,
    Platform,
    digests_of,
    is_digest,
    read_manifest,
    read_referrers,
)

OCI, INDEX = MANIFESTS[0], INDEXES[0]
A, B, C = (f"sha256:{letter * 64}" for letter in "abc")


def sent(**content):
    return json.dumps({"schemaVersion": 2, **content}).encode()


def image(**content):
    return sent(**{"mediaType": OCI, "config": {"digest": A}, "layers": [{"digest": B}], **content})


def index(*entries, **content):
    return sent(**{"mediaType": INDEX, "manifests": list(entries), **content})


def test_a_manifest_is_its_digests_and_blobs():
    body = image(layers=[{"digest": B, "size": 5}, {"digest": C}, {"digest": B}])
    read = read_manifest(body, OCI)
    assert (read.blobs, read.entries, read.is_index, read.size) == ((A, B, C), (), False, len(body))
    assert read.digests == tuple(f"{name}:{hashlib.new(name, body).hexdigest()}" for name in ("sha256", "sha512"))


def test_an_index_is_its_entries_each_once():
    arm, amd = {"os": "linux", "architecture": "arm64"}, {"os": "linux", "architecture": "amd64"}
    read = read_manifest(index({"digest": A, "platform": arm}, {"digest": B}, {"digest": A, "platform": amd}), INDEX)
    assert [entry.digest for entry in read.entries] == [A, B]
    assert read.entries[0].platforms == (Platform("linux", "arm64"), Platform("linux", "amd64"))
    assert read.entries[1].platforms == ()


def test_layers_that_are_kept_elsewhere_are_not_waited_for():
    foreign = {"digest": C, "urls": ["https://mcr.microsoft.com/v2/windows/blobs/x"]}
    assert read_manifest(image(layers=[{"digest": B, "urls": []}, foreign]), OCI).blobs == (A, B)


@pytest.mark.parametrize("header", ["", "application/json", "text/plain; charset=utf-8", OCI.upper(), f"{OCI}; a=b"])
def test_a_header_that_says_nothing_else_leaves_it_to_the_body(header):
    assert read_manifest(image(), header).media_type == OCI


WRONG = [None, 5, 1.5, True, "abc", [], {}, ["x"], [None], [[]]]
"""Values of every type; each member refuses those that are not of its own."""
REFUSED = {
    **{f"layers {value!r}": image(layers=value) for value in WRONG if value != []},
    **{f"config {value!r}": image(config=value) for value in WRONG},
    **{f"digest {value!r}": image(layers=[{"digest": value}]) for value in WRONG},
    **{f"size {value!r}": image(layers=[{"digest": B, "size": value}]) for value in [*WRONG, -1] if value != 5},
    **{f"urls {value!r}": image(layers=[{"digest": B, "urls": value}]) for value in WRONG if value not in ([], ["x"])},
    **{f"mediaType {value!r}": image(mediaType=value) for value in WRONG},
    **{f"manifests {value!r}": sent(mediaType=INDEX, manifests=value) for value in WRONG},
    **{f"entry {value!r}": index(value) for value in WRONG},
    **{f"entry's digest {value!r}": index({"digest": value}) for value in WRONG},
    **{f"platform {value!r}": index({"digest": A, "platform": value}) for value in WRONG if value != {}},
    **{f"architecture {value!r}": index({"digest": A, "platform": {"architecture": value}}) for value in WRONG if value != "abc"},
    **{f"entry's type {value!r}": index({"digest": A, "mediaType": value}) for value in WRONG},
    **{f"top {value!r}": json.dumps(value).encode() for value in WRONG},
    "no config": sent(mediaType=OCI, layers=[]),
    "no layers": sent(mediaType=OCI, config={"digest": A}),
    "no members at all": b"{}",
    "an index that is empty": index(),
    "an index that calls itself a manifest": sent(mediaType=OCI, manifests=[{"digest": A}]),
    "a manifest that calls itself an index": image(mediaType=INDEX),
    "both at once": image(manifests=[{"digest": A}]),
    "a name twice": b'{"mediaType": "%s", "config": {"digest": "%s"}, "layers": [], "layers": []}' % (OCI.encode(), A.encode()),
    "layers in an index": index({"digest": A, "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip"}),
    "an entry that contradicts itself": index({"digest": A, "size": 1}, {"digest": A, "size": 2}),
    "deep": b"[" * 50_000,
    "deeper objects": b'{"a":' * 40_000,
    "not JSON": b"<html>sign in</html>",
    "half of it": image()[:-5],
    "no text": b"\xff\xfe\x00",
    "another encoding": json.dumps({"mediaType": OCI, "config": {"digest": A}, "layers": []}).encode("utf-16"),
    "an endless number": b'{"layers": ' + b"9" * 5_000 + b"}",
    "empty": b"",
    "too long": b" " * (LARGEST + 1),
    "too many parts": b"[" + b"0," * 100_001 + b"0]",
    "too many manifests": index(*({"digest": f"sha256:{n:064x}"} for n in range(MOST_ENTRIES + 1))),
    "too many layers": image(layers=[{"digest": B}] * 10_001),
}  # fmt: skip


@pytest.mark.parametrize("body", REFUSED.values(), ids=REFUSED)
def test_what_is_no_manifest_is_refused_with_a_sentence(body):
    with pytest.raises(Malformed) as refused:
        read_manifest(body)
    assert 10 < len(str(refused.value)) < 400
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("header", "body"),
    [
        (INDEX, image()),
        (OCI, index({"digest": A})),
        (INDEXES[1], index({"digest": A})),
        ("text/html", index({"digest": A})),
        ("text/html", image()),
        ("application/vnd.docker.distribution.manifest.v1+prettyjws", sent(fsLayers=[], history=[])),
        ("application/vnd.oci.artifact.manifest.v1+json", sent(blobs=[])),
    ],
)
def test_a_header_that_contradicts_the_body_is_refused(header, body):
    with pytest.raises(Malformed):
        read_manifest(body, header)


NO_DIGESTS = [
    "", "sha256", "sha256:", "sha256:1", f"sha256:{'A' * 64}", f"sha256:{'a' * 63}", f"sha256:{'a' * 65}", f"sha512:{'a' * 64}",
    f"md5:{'a' * 32}", f"blake3:{'a' * 64}", f"sha256:{'a' * 64}\n", f" sha256:{'a' * 64}", "../../../v2/_catalog",
    "x/../../../../quay/evil/app/manifests/latest", f"sha256:{'a' * 60}/../", f"sha256:{chr(0x661) * 64}", f"sha256:{'a' * 64}?x=1",
]  # fmt: skip


@pytest.mark.parametrize("text", NO_DIGESTS)
def test_what_is_no_digest_is_never_asked_for(text):
    assert not is_digest(text)
    with pytest.raises(Malformed, match="which is not a digest"):
        read_manifest(index({"digest": text}))
    with pytest.raises(Malformed, match="which is not a digest"):
        read_referrers(index({"digest": text}))


@pytest.mark.parametrize("value", WRONG)
def test_referrers_of_the_wrong_type_are_refused_and_never_none(value):
    if value != []:
        with pytest.raises(Malformed):
            read_referrers(sent(mediaType=INDEX, manifests=value))
    with pytest.raises(Malformed):
        read_referrers(json.dumps(value).encode())


def test_referrers_are_digests_each_once_and_may_be_none():
    assert read_referrers(index({"digest": A}, {"digest": A}, {"digest": B})) == (A, B)
    assert read_referrers(index()) == ()


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from([A, OCI, INDEX]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["digest", "size", "layers", "config", "manifests", "platform", "os", "urls", "mediaType"]),
            inner,
        )
    ),
    max_leaves=20,
)


@given(values, st.sampled_from(["", OCI, INDEX, "text/html"]))
def test_whatever_comes_is_a_manifest_or_a_sentence(value, header):
    body = json.dumps(value).encode()
    try:
        read = read_manifest(body, header)
    except Malformed:
        return
    assert read.digests == digests_of(body)
    assert all(map(is_digest, [*read.blobs, *(entry.digest for entry in read.entries)]))
    assert bool(read.entries) == read.is_index


def seconds(body: bytes) -> float:
    """The smallest of five, in the processor's time."""
    taken = []
    for _ in range(5):
        begin = time.process_time()
        with suppress(Malformed):
            read_manifest(body)
        taken.append(time.process_time() - begin)
    return min(taken)


@pytest.mark.parametrize(
    "make",
    [
        lambda n: image(layers=[{"digest": f"sha256:{k:064x}"} for k in range(n)]),
        lambda n: index(*[{"digest": A, "platform": {"os": "linux"}}] * n),
        lambda n: index(*[{"digest": A, "platform": {"os": f"linux{k}"}} for k in range(n)]),
        lambda n: b'{"a":1,' + b",".join(b'"k%d":1' % k for k in range(4 * n)) + b',"a":2}',
    ],
    ids=["layers", "equal entries", "platforms of one manifest", "names of one object"],
)  # fmt: skip
def test_twice_as_much_takes_twice_as_long(make):
    assert seconds(make(8_000)) < 3.2 * seconds(make(4_000)) + 0.01
