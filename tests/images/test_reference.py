"""`ImageReference` follows the grammar of distribution/reference."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecr_pull_through_cache.images import ImageReference, InvalidImageReference, split_registry

SHA = "sha256:" + "0123456789abcdef" * 4

LEGAL = {
    "nginx": ("docker.io", "library/nginx", None, None),
    "nginx:1.27": ("docker.io", "library/nginx", "1.27", None),
    f"nginx@{SHA}": ("docker.io", "library/nginx", None, SHA),
    f"nginx:1@{SHA}": ("docker.io", "library/nginx", "1", SHA),
    "library/nginx": ("docker.io", "library/nginx", None, None),
    "docker.io/nginx": ("docker.io", "library/nginx", None, None),
    "index.docker.io/nginx": ("docker.io", "library/nginx", None, None),
    "grafana/grafana:11": ("docker.io", "grafana/grafana", "11", None),
    "localhost/a": ("localhost", "a", None, None),
    "localhost:5000/a": ("localhost:5000", "a", None, None),
    "a.b/c": ("a.b", "c", None, None),
    "a:5000/b:1": ("a:5000", "b", "1", None),
    "[::1]:5000/a": ("[::1]:5000", "a", None, None),
    "[2001:db8::1]/a/b:x": ("[2001:db8::1]", "a/b", "x", None),
    "Quay.io/a/b": ("Quay.io", "a/b", None, None),
    "UPPER/a": ("UPPER", "a", None, None),
    "registry.k8s.io/coredns/coredns:v1.11.3": ("registry.k8s.io", "coredns/coredns", "v1.11.3", None),
    "a/b__c/d-e/f--g": ("docker.io", "a/b__c/d-e/f--g", None, None),
    "a:T_.-1": ("docker.io", "library/a", "T_.-1", None),
}

ILLEGAL = {
    "": "an image reference is empty; write for example 'registry.k8s.io/pause:3.10'",
    "Nginx": "'Nginx' has an upper-case letter in its repository; only lower case is allowed there",
    "docker.io/A": "'docker.io/A' has an upper-case letter in its repository; only lower case is allowed there",
    "a//b": "'a//b' has the repository 'a//b'; allowed are lower-case letters and digits, "
    "joined by '.', '_', '__', '-' or '/'",
    "a/b ": "'a/b ' has the repository 'a/b '; allowed are lower-case letters and digits, "
    "joined by '.', '_', '__', '-' or '/'",
    "nginx:": "'nginx:' has the tag ''; allowed are at most 128 letters, digits, '_', '.' and '-', "
    "not beginning with '.' or '-'",
    "nginx:.x": "'nginx:.x' has the tag '.x'; allowed are at most 128 letters, digits, '_', '.' and '-', "
    "not beginning with '.' or '-'",
    "a@sha256:12": "'a@sha256:12' has the digest 'sha256:12'; a digest looks like 'sha256:' and 64 hexadecimal digits",
    "a@md5:" + "0" * 32: f"'a@md5:{'0' * 32}' has a digest of the unknown algorithm 'md5'; "
    "allowed are sha256, sha384, sha512",
    "a@sha256:" + "A" * 64: f"'a@sha256:{'A' * 64}' has a digest that is not sha256 followed by "
    "64 lower-case hexadecimal digits",
    "-a.b/c": "'-a.b/c' has the registry '-a.b', which is not a host name with an optional port",
    "a.b:x/c": "'a.b:x/c' has the registry 'a.b:x', which is not a host name with an optional port",
    "f" * 64: f"'{'f' * 64}' is an image id, not a name; write the repository's name",
    "a.b/" + "c" * 256: f"'a.b/{'c' * 256}' has a repository of 256 characters; at most 255 are allowed",
}


@pytest.mark.parametrize(("text", "parts"), LEGAL.items())
def test_a_legal_reference_is_taken_apart(text, parts):
    reference = ImageReference.parse(text)
    assert (reference.registry, reference.repository, reference.tag, reference.digest) == parts


@pytest.mark.parametrize(("text", "message"), ILLEGAL.items())
def test_an_illegal_reference_says_what_is_wrong(text, message):
    with pytest.raises(InvalidImageReference) as refused:
        ImageReference.parse(text)
    assert str(refused.value) == message


@pytest.mark.parametrize("text", LEGAL)
def test_the_canonical_form_parses_to_itself(text):
    reference = ImageReference.parse(text)
    assert ImageReference.parse(str(reference)) == reference


@given(st.text(max_size=80))
def test_any_text_is_either_a_reference_or_refused(text):
    try:
        reference = ImageReference.parse(text)
    except InvalidImageReference as refused:
        assert str(refused)
    else:
        assert ImageReference.parse(str(reference)) == reference


def test_the_identifier_is_what_a_registry_is_asked_for():
    assert ImageReference.parse("a").identifier == "latest"
    assert ImageReference.parse("a:1").identifier == "1"
    assert ImageReference.parse(f"a:1@{SHA}").identifier == SHA


@pytest.mark.parametrize(
    ("text", "registry"),
    [("nginx:5000", None), ("nginx:5000/a", "nginx:5000"), ("localhost/a", "localhost"), ("a/b.c:1", None)],
)
def test_a_registry_is_told_from_a_path_and_a_port_from_a_tag(text, registry):
    assert split_registry(text)[0] == registry
