"""Plain manifests are read by their lines: the same images as by a parser, or the parser is asked."""

import time
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecr_pull_through_cache.manifests.structure import Lines, documents, plain_fields
from ecr_pull_through_cache.manifests.tree import Scalar, Walk, span_of, trees

KEYS = frozenset({"image", "reference"})
LINES = [
    "kind: Pod", "spec:", "  containers:", "  - name: a", "    image: nginx:1", "    image: 'nginx:2' # c", "  -  image: quay.io/a/b",
    "    args: [a, b]", "    args:", "    - --x=y", "    - \"q: r\"", "    text: |", "      image: nginx:3", "      - image: nginx:4",
    "    env: {a: b}", "    env: {image: c}", "    more: 'it''s'", "    long: \"a", "      image: b\"", "# image: nginx", "", "---",
    "    image:", "      nginx:5", "    image: &i nginx:6", "    image: *i", "    image: !!str nginx:7", "    image: >-", "    &a image: nginx:8",
    "    ? image", "    : nginx:9", "  -", "    - image: nginx:10", "    <<: *x", "  labels: &labels", "    \"im\\u0061ge\": nginx", "\timage: nginx",
    "    a: b: c", "    url: http://x:80/#f", "    key#1: v", "    image : nginx:11", "    plain: some", "      more text", "    image: \"\"",
    "  volumes:", "    - image:", "        reference: nginx:12", "    empty: {}", "    list: [", "      image]", "...", "%YAML 1.1",
]  # fmt: skip


def by_parser(text: str) -> list[tuple[tuple[str, ...], str, int]] | None:
    """What a parser sees, or nothing where the text is no YAML."""
    found = []
    try:
        for root in trees(text):
            for visit in Walk(root):
                if (
                    visit.key is not None
                    and visit.key.value in KEYS
                    and isinstance(visit.node, Scalar)
                    and visit.node.value
                ):
                    span = span_of(text, visit.node)
                    assert span is not None
                    found.append((visit.path, visit.node.value, span[0]))
    except Exception:
        return None
    return found


@given(st.lists(st.sampled_from(LINES), min_size=1, max_size=9), st.sampled_from(["\n", "\r\n"]))
@settings(max_examples=3_000, deadline=None)
def test_lines_and_parser_see_the_same_or_the_parser_is_asked(lines, end):
    text = end.join(lines) + end
    by_lines = plain_fields(text, KEYS)
    parsed = by_parser(text)
    if by_lines is None or parsed is None:
        return
    assert sorted((f.path, f.value, f.start) for f in by_lines) == sorted(parsed)


@pytest.mark.parametrize(
    "line",
    [
        "image:",
        "image: &i nginx",
        "image: *i",
        "image: !!str nginx",
        "image: >-",
        "image: |-",
        "? image",
        '"im\\u0061ge": x',
        "<<: *x",
    ],
)
def test_what_is_not_plain_is_told_apart(line):
    assert plain_fields(f"kind: Pod\nspec:\n  containers:\n  - name: a\n    {line}\n", KEYS) is None


@pytest.mark.parametrize("odd", ["\ufeff", "a: b\rc: d\n", "a: b\x85", "a: b\u2028"])
def test_line_breaks_that_only_yaml_knows_are_told_apart(odd):
    assert plain_fields(f"{odd}spec:\n  containers:\n  - image: nginx\n", KEYS) is None


def test_documents_keep_their_directives():
    text = "%YAML 1.1\n---\na: 1\n--- # two\nb: 2\n"
    assert [text[begin:end] for begin, end in documents(text)] == ["%YAML 1.1\n---\na: 1\n", "--- # two\nb: 2\n"]


def test_lines_and_columns_are_asked_in_any_order():
    lines = Lines("a\nbc\n\nd")
    assert [lines.at(index) for index in (0, 3, 6, 2, 5)] == [(1, 1), (2, 2), (4, 1), (2, 1), (3, 1)]


def slow(make: Callable[[int], str], size: int) -> float:
    """Seconds of processor time, the best of three."""
    from ecr_pull_through_cache.manifests import Rewriter
    from tests.corpus import mapping

    text = make(size)
    taken = []
    for _ in range(3):
        begin = time.process_time()
        Rewriter(mapping()).rewrite(text)
        taken.append(time.process_time() - begin)
    return min(taken)


GROWING = {
    "a kustomization of images": lambda n: (
        "images:\n" + "".join(f"- name: quay.io/a/b{i}\n  newTag: v1\n" for i in range(n))
    ),
    "mentions on one line": lambda n: (
        '{"kind": "Pod", "x": [' + ", ".join(f'"--a=quay.io/a/b{i}:1"' for i in range(n)) + "]}"
    ),
    "images on one line": lambda n: (
        '{"kind": "Pod", "spec": {"containers": [' + ", ".join('{"image": "nginx"}' for _ in range(n)) + "]}}"
    ),
    "spaces behind a key": lambda n: "kind: Pod\nspec:\n  containers:\n  - image: nginx\nkey" + " " * (n * 40) + "x\n",
    "colons": lambda n: "kind: Pod\nspec:\n  containers:\n  - image: nginx\n" + "a:" * (n * 20) + "\n",
    "quotes": lambda n: "kind: Pod\nspec:\n  containers:\n  - image: nginx\n" + "a: '" * (n * 10) + "\n",
    "containers": lambda n: "kind: Pod\nspec:\n  containers:\n" + "  - image: nginx\n    name: a\n" * n,
    "flags": lambda n: "kind: Pod\nspec:\n  containers:\n  - args:\n" + "    - --image=quay.io/a/b:1\n" * n,
    "words": lambda n: "kind: ConfigMap\ndata:\n  x: " + "image " * n + "\n",
    "documents": lambda n: "kind: Prometheus\nspec: {image: nginx}\n---\n" * n,
    "a Dockerfile": lambda n: "FROM nginx AS a\n" + "COPY --from=a /x /x\n" * n,
}


@pytest.mark.slow
@pytest.mark.parametrize("make", GROWING.values(), ids=GROWING)
def test_twice_the_text_takes_twice_the_time(make):
    size = 500
    while slow(make, size) < 0.05 and size < 64_000:
        size *= 2
    assert slow(make, 4 * size) < 8 * max(slow(make, size), 0.01)
