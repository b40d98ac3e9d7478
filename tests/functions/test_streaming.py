"""A list in JSON, read piece by piece."""

import io
import json
import time
import tracemalloc

import pytest

from ecr_pull_through_cache.errors import UserError
from ecr_pull_through_cache.functions import streaming
from ecr_pull_through_cache.functions.streaming import entries

LISTS = [
    [],
    [1],
    [1, 22, 333],
    [{"a": "ü\u2028😀" * 50}, [], None, "x]", {"b": [1, {"c": '\\"'}]}],
    [{"a": "x" * 5_000}] * 7,
]


@pytest.mark.parametrize("piece", [1, 2, 7, 1_000, 262_144])
@pytest.mark.parametrize("wanted", LISTS)
def test_every_entry_is_read_wherever_the_pieces_end(monkeypatch, wanted, piece):
    monkeypatch.setattr(streaming, "_PIECE", piece)
    for text in (json.dumps(wanted), json.dumps(wanted, indent=2, ensure_ascii=False)):
        assert list(entries(io.BytesIO(text.encode()), name="x")) == wanted


@pytest.mark.parametrize(
    "text",
    ["", "{}", "null", "[", "[1", '[{"a": ', '[{"a": 1}', "[1,", "<html>", "[" * 100_000, '["' + "x" * 5_000_000],
)
def test_what_is_no_whole_list_is_a_sentence(text):
    with pytest.raises(UserError, match="^s3://b/k: this"):
        list(entries(io.BytesIO(text.encode()), name="s3://b/k"))


class Endless(io.RawIOBase):
    """A list of many entries that is made while it is read."""

    def __init__(self, count):
        self._entries = iter(range(count))
        self._rest = b"["

    def read(self, size=-1):
        while len(self._rest) < size:
            number = next(self._entries, None)
            if number is None:
                break
            self._rest += json.dumps({"Output": "x" * 2_000, "n": number}).encode() + b","
        found, self._rest = self._rest[:size], self._rest[size:]
        return found


def test_memory_does_not_grow_with_the_list():
    tracemalloc.start()
    with pytest.raises(UserError):  # its end is cut off
        for _ in entries(Endless(20_000), name="x"):
            pass
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 8_000_000, "the list has 40 MB"


@pytest.mark.parametrize("make", [lambda n: [{"a": "x" * 200}] * n, lambda n: ["x" * 100 * n], lambda n: [[1] * n]])
def test_twice_as_much_takes_twice_as_long(make):
    def seconds(n):
        data = json.dumps(make(n)).encode()
        taken = []
        for _ in range(5):
            begin = time.process_time()
            list(entries(io.BytesIO(data), name="x"))
            taken.append(time.process_time() - begin)
        return min(taken)

    assert seconds(20_000) < 3.2 * seconds(10_000) + 0.005
