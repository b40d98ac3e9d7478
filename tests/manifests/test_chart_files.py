"""The files of a chart: folders, archives, charts in charts; bounded, and never outside of the chart."""

import gzip
import io
import os
import tarfile

import pytest

from ecr_pull_through_cache.errors import UserError
from ecr_pull_through_cache.manifests.chart_files import read_chart, read_values, values_in

META = b"apiVersion: v2\nname: app\nversion: 1.0.0\n"
VALUES = b"image:\n  repository: quay.io/a/b\n"


def packed(members, links=()):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
        for name, target, kind in links:
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, target
            archive.addfile(info)
    return out.getvalue()


CHART = {"app/Chart.yaml": META, "app/values.yaml": VALUES}


def test_a_folder_and_its_archive_are_the_same_chart(tmp_path):
    (tmp_path / "app").mkdir()
    (tmp_path / "app/Chart.yaml").write_bytes(META)
    (tmp_path / "app/values.yaml").write_bytes(VALUES)
    (tmp_path / "app.tgz").write_bytes(packed(CHART))
    assert read_chart(tmp_path / "app") == read_chart(tmp_path / "app.tgz")
    assert read_chart(tmp_path / "app").values == {"image": {"repository": "quay.io/a/b"}}


def test_dependencies_stand_below_their_alias_in_folders_and_archives_and_at_any_level(tmp_path):
    app = tmp_path / "app"
    (app / "charts/cache/charts/deep").mkdir(parents=True)
    (app / "Chart.yaml").write_bytes(
        META + b"dependencies:\n- {name: db, alias: one}\n- {name: db, alias: two}\n- {name: cache}\n- {name: gone}\n"
    )
    (app / "charts/db-1.tgz").write_bytes(packed({"db/Chart.yaml": b"name: db\n", "db/values.yaml": VALUES}))
    (app / "charts/cache/Chart.yaml").write_bytes(b"name: cache\n")
    (app / "charts/cache/charts/deep/Chart.yaml").write_bytes(b"name: deep\n")
    chart = read_chart(app)
    assert {at for at, _ in chart.charts()} == {(), ("one",), ("two",), ("cache",), ("cache", "deep")}
    assert dict(chart.below)["two"].values == {"image": {"repository": "quay.io/a/b"}}
    assert chart.missing == ("gone",)


def cut(data):
    return data[: len(data) // 2]


def flipped(data):
    return data[:-6] + bytes([data[-6] ^ 0xFF]) + data[-5:]


def sparse():
    header = bytearray(tarfile.TarInfo("app/values.yaml").tobuf(tarfile.GNU_FORMAT))
    header[156:157] = b"S"
    header[386:398] = header[398:410] = header[124:136] = b"00000000000\0"
    header[483:495] = b"\x80" + (10**12).to_bytes(11, "big")
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header[:512])
    return gzip.compress(bytes(header[:512]) + b"\0" * 1024)


def bomb(name="app/values.yaml", size=200_000_000):
    info = tarfile.TarInfo(name)
    info.size = size
    return gzip.compress(info.tobuf() + b"#" * size, 1)


HOSTILE = {
    "cut": (cut(packed(CHART)), "the chart cannot be read: "),
    "a wrong check sum": (flipped(packed(CHART)), "CRC check failed"),
    "no archive": (b"hello", "Not a gzipped file"),
    "empty": (b"", "the chart cannot be read: "),
    "a link out of it": (packed({}, [("app/values.yaml", "/etc/passwd", tarfile.SYMTYPE)]), "not a plain file"),
    "a hard link": (packed(CHART, [("app/charts/x/values.yaml", "app/x", tarfile.LNKTYPE)]), "not a plain file"),
    "a sparse file": (sparse(), "not a plain file"),
    "a large values file": (bomb(), "larger than 5,242,880 bytes"),
    "a large other file": (bomb("app/README"), "unpacks to more than 104,857,600 bytes"),
    "many files": (packed({f"app/f{n}": b"" for n in range(20_001)}), "more than 20,000 files"),
    "an archive within that is cut": (
        packed({**CHART, "app/charts/db.tgz": cut(packed(CHART))}),
        r"charts/db.tgz: the chart cannot be read",
    ),
    "values that are a list": (packed({**CHART, "app/values.yaml": b"- a\n"}), "holds no keys and values"),
    "values in Latin-1": (packed({**CHART, "app/values.yaml": b"# caf\xe9\n"}), "not UTF-8 text"),
}


@pytest.mark.parametrize(("data", "said"), HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_archive_is_one_sentence(tmp_path, data, said):
    (tmp_path / "app.tgz").write_bytes(data)
    with pytest.raises(UserError, match=said):
        read_chart(tmp_path / "app.tgz")


def test_a_member_that_leaves_the_archive_is_not_read(tmp_path):
    outside = {"../../values.yaml": b"- no values\n", "app/../values.yaml": b"- none either\n"}
    (tmp_path / "app.tgz").write_bytes(packed({**CHART, **outside}))
    assert read_chart(tmp_path / "app.tgz").values == {"image": {"repository": "quay.io/a/b"}}


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "values.yaml")
    with pytest.raises(UserError, match="not a plain file"):
        read_values(tmp_path / "values.yaml")
    with pytest.raises(UserError, match="not a plain file"):
        read_chart(tmp_path)


@pytest.mark.parametrize("name", ["nothing", "empty"])
def test_no_chart_is_one_sentence(tmp_path, name):
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"cannot be read|there is no Chart\.yaml"):
        read_chart(tmp_path / name)


def test_values_that_are_at_hand():
    assert values_in(b"\xef\xbb\xbfa: 1\n", "stdin") == {"a": "1"}
    with pytest.raises(UserError, match="stdin: "):
        values_in(b"[", "stdin")
