"""Files that are hostile: each is a sentence, soon and with little memory."""

import resource
import subprocess
import sys
import time

import jsonschema
import pytest
import yaml

from ecr_pull_through_cache.configuration import parse
from ecr_pull_through_cache.configuration.schema import json_schema
from ecr_pull_through_cache.errors import UserError
from tests.support import ROOT


def lists(levels):
    text = "x0: &x0 [a,a,a,a,a,a,a,a,a,a]\n"
    return text + "".join(f"x{n}: &x{n} [{','.join([f'*x{n - 1}'] * 10)}]\n" for n in range(1, levels))


def maps(levels):
    text = "x0: &x0 {a: 1}\n"
    return text + "".join(
        f"x{n}: &x{n} {{{', '.join(f'k{k}: *x{n - 1}' for k in range(10))}}}\n" for n in range(1, levels)
    )


def merges(levels):
    text = "x0: &x0 {a: 1, b: 2}\n"
    return text + "".join(f"x{n}: &x{n} {{<<: [{','.join([f'*x{n - 1}'] * 10)}]}}\n" for n in range(1, levels))


HOSTILE = {
    "aliases of lists": lists(9),
    "aliases of lists, many": lists(60),
    "aliases of mappings": maps(9),
    "merges of merges": merges(9),
    "an alias for itself": "a: &a [*a]\n",
    "an alias for itself in a mapping": "registries: &a {main: *a}\n",
    "two that name each other": "a: &a {b: &b {c: *a, d: *b}}\n",
    "a merge of itself": "a: &a {<<: *a}\n",
    "no such date": "registries: {main: {account: 2024-02-30}}\n",
    "a month that is none": "version: 2024-31-12\n",
    "a number that is none": "version: 0x_\n",
    "a date that is none as key": "2024-13-01: x\n",
    "a list for a key": "? [a]\n: b\n",
    "a mapping for a key": "? {a: b}\n: b\n",
    "deep lists": "a: " + "[" * 100_000,
    "deep mappings": "".join(" " * n + "k:\n" for n in range(2_000)),
    "a long number": "a: 1" + "0" * 100_000 + "\n",
    "a number by sixties": "a: 1" + ":1" * 200_000 + "\n",
    "an object of Python": "a: !!python/object/apply:os.system [id]\n",
    "several documents": "a: 1\n---\nb: 2\n",
    "a binary": "a: !!binary x\n",
    "a set": "registries: !!set {a, b}\n",
    "zeros": "\0" * 100,
    "nothing but a mark": "\ufeff",
    "a scalar": "5\n",
    "an endless list of aliases": "a: &a [1]\nb: [" + "*a," * 200_000 + "]\n",
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_what_is_hostile_is_a_sentence_soon(text):
    begin = time.process_time()
    with pytest.raises(UserError) as refused:
        parse(text)
    assert time.process_time() - begin < 5
    assert str(refused.value)


@pytest.mark.parametrize("make", [lists, maps, merges])
def test_a_bomb_takes_little_memory(make, tmp_path):
    (tmp_path / "c.yaml").write_text(make(9))
    done = subprocess.run(
        [sys.executable, "-c", "from ecr_pull_through_cache.cli import main; main()", "describe", "--config", tmp_path / "c.yaml"],
        capture_output=True, text=True, cwd=ROOT, timeout=60, check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (1_500_000_000, 1_500_000_000)),
    )  # fmt: skip
    assert done.returncode == 2
    assert "stands for more than 300,000 values" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_file_without_end_is_a_sentence():
    done = subprocess.run(
        [sys.executable, "-c", "from ecr_pull_through_cache.cli import main; main()", "describe", "--config", "/dev/zero"],
        capture_output=True, text=True, cwd=ROOT, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "a configuration has at most 8,388,608 bytes" in done.stderr


def test_what_aliases_are_for_is_allowed():
    text = """
registries:
  main:
    account: "111122223333"
    region: eu-west-1
    upstreams: &upstreams
      k8s: registry.k8s.io
  other:
    account: "111122223333"
    region: eu-central-1
    upstreams: *upstreams
"""
    assert list(parse(text).registries) == ["main", "other"]


@pytest.mark.parametrize("value", ["'75'", "yes please", "'true'", "[1]", "{}"])
@pytest.mark.parametrize(
    "key", ["dashboard: {quotaThresholdPercent: VALUE}", "warm: {images: ['registry.k8s.io/a:1'], maxConcurrency: VALUE}", "emptyOnDelete: VALUE"]
)  # fmt: skip
def test_a_text_is_no_number_and_no_switch_for_the_loader_as_for_the_schema(key, value):
    text = f"""
registries:
  main: {{account: "111122223333", region: eu-west-1, upstreams: {{k8s: registry.k8s.io}}, {key.replace("VALUE", value)}}}
"""
    schema = json_schema()
    assert not jsonschema.validators.validator_for(schema)(schema).is_valid(yaml.safe_load(text))
    with pytest.raises(UserError, match=r"^configuration:3: registries\.main\."):
        parse(text)
