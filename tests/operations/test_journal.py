"""The journal: what is no journal stays as it is, and what is one survives whatever happens to its writer."""

import json
import os
import resource
import signal
import subprocess
import sys
import time
import tracemalloc

import pytest

from ecr_pull_through_cache.errors import UserError
from ecr_pull_through_cache.operations.journal import HEAD, Journal
from tests.faults import Fault

FAULTS = [
    Fault(verb="warm", fault="`--journal` names a file that is no journal", outcome="one sentence, exit code 2; the file stays as it is, to the byte"),
    Fault(verb="warm", fault="the disk is full for one line of the journal", outcome="it stops with a sentence, exit code 2; no half of a line stays; the next run goes on"),
    Fault(verb="warm", fault="two runs write one journal", outcome="each line is whole"),
]  # fmt: skip
LINE = b'{"what": "a", "result": "b"}\n'


@pytest.fixture
def path(tmp_path):
    return tmp_path / "journal"


def read(path):
    journal = Journal(path)
    try:
        return dict(journal)
    finally:
        journal.close()


def test_it_begins_with_a_line_that_says_so_and_holds_what_is_done(path):
    journal = Journal(path)
    assert dict(journal) == {}
    journal.write("a", "b")
    journal.write("ü\ud800", "")
    journal.write("a", "c")
    assert (dict(journal), len(journal), journal.get("x")) == ({"a": "c", "ü\ud800": ""}, 2, None)
    journal.close()
    assert path.read_bytes().startswith(HEAD)
    assert read(path) == {"a": "c", "ü\ud800": ""}


@pytest.mark.parametrize("file", [b"", HEAD])
def test_an_empty_file_becomes_one(path, file):
    path.write_bytes(file)
    assert read(path) == {}
    assert path.read_bytes() == HEAD


THEIRS = {
    "JSON without a line's end": b'{"registries": {"main": "my only copy"}}',
    "a list of images": b"registry.k8s.io/pause:1",
    "lines": b"important\n",
    "lines that look like it": LINE,
    "one that looks like it": LINE[:-1],
    "half of its head": HEAD[:20],
    "its head without an end": HEAD[:-1],
    "another version of it": HEAD.replace(b"1", b"2"),
    "its head in the second line": b"\n" + HEAD + LINE,
    "a byte order mark before it": b"\xef\xbb\xbf" + HEAD,
    "a carriage return in it": HEAD.replace(b"\n", b"\r\n"),
    "nothing but zeros": b"\0" * 4_096,
    "bytes": b"\x00\xff\n",
    "one byte": b"{",
    "deep": b"[" * 100_000,
}


@pytest.mark.parametrize("content", THEIRS.values(), ids=THEIRS)
def test_what_is_no_journal_is_refused_and_stays_to_the_byte(path, content):
    path.write_bytes(content)
    with pytest.raises(UserError, match=":1: this is not a journal; give another file"):
        Journal(path)
    assert path.read_bytes() == content


STRANGE = [
    b"[]\n", b"null\n", b"5\n", b"\n", b"\xff\n", b"{}\n", b'{"v": 2}\n', b"[" * 100_000 + b"\n", b"x" * 100_000 + b"\n", b"x" * 200_000,
    b'{"what": [], "result": "b"}\n', b'{"what": "a", "result": null}\n', b'{"what": "a", "result": 1}\n', b"\0" * 100 + b"\n",
]  # fmt: skip


@pytest.mark.parametrize("line", STRANGE)
def test_a_line_that_is_none_is_named_and_the_file_stays(path, line):
    content = HEAD + LINE + line + (LINE if line.endswith(b"\n") else b"")
    path.write_bytes(content)
    with pytest.raises(UserError, match=":3: ") as refused:
        Journal(path)
    assert str(refused.value).isprintable()
    assert path.read_bytes() == content


@pytest.mark.parametrize("rest", [b'{"what": "x', b'{"what": "\xc3', b"\0" * 4_096, b"{", LINE[:-1]])
def test_a_last_line_that_is_cut_off_is_done_again(path, rest):
    path.write_bytes(HEAD + LINE + rest)
    journal = Journal(path)
    assert dict(journal) == {"a": "b"}
    journal.write("c", "d")
    journal.close()
    assert read(path) == {"a": "b", "c": "d"}


@pytest.mark.parametrize("kind", ["folder", "pipe", "device", "missing", "loop"])
def test_what_is_no_file_is_refused_and_nobody_waits(path, kind):
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path = type(path)("/dev/null")
    elif kind == "missing":
        path = path / "none" / "journal"
    else:
        path.symlink_to(path)
    with pytest.raises(UserError, match="journal"):
        Journal(path)


def test_a_short_write_is_noticed_and_leaves_no_half_of_a_line(path, monkeypatch):
    journal = Journal(path)
    journal.write("a", "b")
    write = os.write
    monkeypatch.setattr(os, "write", lambda file, data: write(file, data[:10]))
    with pytest.raises(UserError, match="the journal cannot be written: no room is left"):
        journal.write("c", "d")
    monkeypatch.undo()
    assert path.read_bytes() == HEAD + LINE
    assert dict(journal) == {"a": "b"}
    journal.write("e", "f")
    journal.close()
    assert read(path) == {"a": "b", "e": "f"}


def test_a_full_disk_keeps_what_is_written_and_the_next_run_goes_on(path):
    program = (
        "import sys; from pathlib import Path; from ecr_pull_through_cache.operations.journal import Journal\n"
        "journal = Journal(Path(sys.argv[1]))\n"
        "for number in range(1000): journal.write(f'image-{number:04}', f'sha256:{number:064}')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, path], capture_output=True, text=True, check=False,
        preexec_fn=lambda: (signal.signal(signal.SIGXFSZ, signal.SIG_IGN), resource.setrlimit(resource.RLIMIT_FSIZE, (4_000, 4_000))),
    )  # fmt: skip
    assert "the journal cannot be written" in done.stderr
    content = path.read_bytes()
    assert content.endswith(b"\n")
    assert len(read(path)) == content.count(b"\n") - 1 > 20


def test_a_disk_that_is_full_from_the_beginning_is_one_sentence(path, monkeypatch):
    monkeypatch.setattr(os, "write", lambda file, data: 0)
    with pytest.raises(UserError, match="the journal cannot be written"):
        Journal(path)
    assert path.read_bytes() == b""


def test_two_processes_write_one_journal(path):
    program = (
        "import sys; from pathlib import Path; from ecr_pull_through_cache.operations.journal import Journal\n"
        "journal = Journal(Path(sys.argv[1]))\n"
        "for number in range(500): journal.write(sys.argv[2] + str(number) + 'x' * 300, 'y')\n"
    )
    running = [subprocess.Popen([sys.executable, "-c", program, path, name]) for name in "ab"]
    assert [process.wait(60) for process in running] == [0, 0]
    assert len(read(path)) == 1_000


def filled(path, count):
    with path.open("wb") as file:
        file.write(HEAD)
        for number in range(count):
            entry = {
                "what": f"111122223333.dkr.ecr.eu-west-1.amazonaws.com/k8s/some/image-{number}:v1",
                "result": f"sha256:{number:064}",
            }
            file.write(json.dumps(entry).encode() + b"\n")
    return path


def test_it_is_read_as_a_stream_and_little_of_it_is_held(path):
    filled(path, 20_000)
    tracemalloc.start()
    journal = Journal(path)
    held, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(journal) == 20_000
    assert journal["111122223333.dkr.ecr.eu-west-1.amazonaws.com/k8s/some/image-19999:v1"] == f"sha256:{19_999:064}"
    assert held < 20_000 * 70, "the texts alone are 150 bytes each"
    assert most < 20_000 * 120
    journal.close()


def test_twice_as_many_entries_take_twice_as_long(tmp_path):
    def seconds(count):
        path = filled(tmp_path / str(count), count)
        taken = []
        for _ in range(5):
            begin = time.process_time()
            Journal(path).close()
            taken.append(time.process_time() - begin)
        return min(taken)

    assert seconds(20_000) < 3.2 * seconds(10_000)
