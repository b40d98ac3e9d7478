"""YAML of strangers as plain data: exact, and bounded."""

import pytest

from ecr_pull_through_cache.errors import UserError
from ecr_pull_through_cache.manifests.values_yaml import Plain, documents
from ecr_pull_through_cache.manifests.yaml_text import to_yaml


def read(text):
    return next(documents(text, "values.yaml"))


def test_a_scalar_that_is_no_text_keeps_its_writing():
    values = read('{tag: 1.10, date: 2024-31-12, odd: 0x_, on: true, text: "1.10", none: null}')
    assert values == {"tag": "1.10", "date": "2024-31-12", "odd": "0x_", "on": "true", "text": "1.10", "none": None}
    assert [isinstance(values[key], Plain) for key in ("tag", "on", "text")] == [True, True, False]
    assert to_yaml([{"tag": values["tag"], "text": values["text"]}]) == "---\ntag: 1.10\ntext: '1.10'\n"


def test_aliases_and_merges_are_data():
    assert read("a: &a {x: q, y: r}\nb: {<<: *a, y: s}\n") == {"a": {"x": "q", "y": "r"}, "b": {"x": "q", "y": "s"}}


BOMB = "a: &a {x: q}\n" + "".join(
    f"{c}: &{c} {{{','.join(f'k{n}: *{p}' for n in range(10))}}}\n" for p, c in zip("abcdefgh", "bcdefghi", strict=True)
)
HOSTILE = {
    "aliases of aliases": (BOMB, "holds more than 1,000,000 values"),
    "contains itself": ("a: &a\n  b: *a\n", r"\*a contains itself"),
    "deep": ("".join(f"{' ' * n}k:\n" for n in range(300)), "nested more than 100 levels"),
    "deep in brackets": ("[" * 100_000, "nest"),
    "no YAML": ("a: [", "line 2"),
}


@pytest.mark.parametrize(("text", "said"), HOSTILE.values(), ids=HOSTILE)
def test_what_is_hostile_is_one_sentence(text, said):
    with pytest.raises(UserError, match=said):
        list(documents(text, "values.yaml"))
