"""Warming a cache against copying the same images with skopeo, both through a CNCF registry that pulls through another.

Each side has a proxy of its own with nothing in it. ``python -m benchmarks.warm --copied 1000`` lets skopeo, too, copy all.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import io
import json
import multiprocessing
import os
import random
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.report import Row, left_out
from tests.corpus import HOST
from tests.emulators.ecr_api import ecr_api, environment
from tests.real.engines import _port, cache
from tests.real.registries import INDEX, MANIFEST

LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
CONFIG = "application/vnd.oci.image.config.v1+json"
PLATFORMS = ("amd64", "arm64")
TAGS = 10
BASES, BASE = 20, 3_500_000
"""Layers that many images share, for each platform: as many, and of as many bytes, which is what Alpine has."""
TOPS, TOP = 50, 2_000_000
"""The layer of its own that each tag has, for each platform: they repeat after so many images, so as to fit in memory.

Most images are larger: skopeo would take longer, and warming would not.
"""


def layer(size: int, seed: str) -> bytes:
    """A layer as registries hold them, of bytes that do not compress."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as archive:
        entry = tarfile.TarInfo("data")
        entry.size = size
        archive.addfile(entry, io.BytesIO(random.Random(seed).randbytes(size)))
    return gzip.compress(raw.getvalue(), compresslevel=0, mtime=0)


class Store:
    """A registry's files, written as the registry itself writes them: pushing as much takes ten times as long."""

    def __init__(self, folder: Path) -> None:
        self._root = folder / "data/docker/registry/v2"
        self._layers: dict[str, dict[str, object]] = {}

    def blob(self, body: bytes) -> str:
        name = hashlib.sha256(body).hexdigest()
        path = self._root / "blobs/sha256" / name[:2] / name / "data"
        if not path.exists():
            path.parent.mkdir(parents=True)
            path.write_bytes(body)
        return f"sha256:{name}"

    def manifest(self, repository: str, content: dict[str, object]) -> tuple[str, int]:
        body = json.dumps(content).encode()
        digest = self.blob(body)
        self._enter(repository, "_manifests/revisions", digest)
        return digest, len(body)

    def part(self, repository: str, body: bytes, media_type: str) -> dict[str, object]:
        digest = self.blob(body)
        self._enter(repository, "_layers", digest)
        return {"mediaType": media_type, "size": len(body), "digest": digest}

    def layer(self, repository: str, size: int, seed: str) -> dict[str, object]:
        if seed not in self._layers:
            self._layers[seed] = self.part(repository, layer(size, seed), LAYER)
        self._enter(repository, "_layers", str(self._layers[seed]["digest"]))
        return self._layers[seed]

    def _enter(self, repository: str, kind: str, digest: str) -> None:
        name = digest.removeprefix("sha256:")
        self._link(self._root / "repositories" / repository / kind / "sha256" / name, name)

    def tag(self, repository: str, tag: str, digest: str) -> None:
        name = digest.removeprefix("sha256:")
        folder = self._root / "repositories" / repository / "_manifests/tags" / tag
        self._link(folder / "current", name)
        self._link(folder / "index/sha256" / name, name)

    @staticmethod
    def _link(folder: Path, name: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "link").write_text(f"sha256:{name}")

    def image(self, repository: str, number: int, tags: Sequence[str]) -> None:
        """A multi-platform image with its tags."""
        for tag in tags:
            entries = [self._platform(repository, number, tag, platform) for platform in PLATFORMS]
            index, _ = self.manifest(repository, {"schemaVersion": 2, "mediaType": INDEX, "manifests": entries})
            self.tag(repository, tag, index)

    def _platform(self, repository: str, number: int, tag: str, platform: str) -> dict[str, object]:
        label = {"Labels": {"of": f"{repository}:{tag}"}}
        config = json.dumps({"os": "linux", "architecture": platform, "config": label}).encode()
        layers = [
            self.layer(repository, BASE, f"base {number % BASES} {platform}"),
            self.layer(repository, TOP, f"top {number % TOPS} {tag} {platform}"),
        ]
        content = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": self.part(repository, config, CONFIG),
            "layers": layers,
        }
        digest, size = self.manifest(repository, content)
        named = {"os": "linux", "architecture": platform}
        return {"mediaType": MANIFEST, "digest": digest, "size": size, "platform": named}


def _names(images: int) -> list[str]:
    return [f"team-{n % 20}/app-{n}" for n in range(images)]


def _fill(folder: Path, images: int, tags: Sequence[str]) -> None:
    store = Store(folder)
    for n, name in enumerate(_names(images)):
        store.image(name, n, tags)


def fill(folder: Path, images: int) -> list[str]:
    """Make the images; gives their names with tags."""
    tags = [f"v{n}" for n in range(TAGS)]
    # In a process of its own: a child's peak of memory is no lower than what its parent had when it was started.
    maker = multiprocessing.get_context("spawn").Process(target=_fill, args=(folder, images, tags))
    maker.start()
    maker.join()
    assert maker.exitcode == 0
    return [f"{name}:{tag}" for name in _names(images) for tag in tags]


@contextmanager
def registry(folder: Path, upstream: str | None = None) -> Iterator[str]:
    """The registry over a folder, writing down each request that it answers."""
    port = _port()
    proxy = f"proxy: {{remoteurl: '{upstream}', ttl: 0}}\n" if upstream else ""
    folder.mkdir(exist_ok=True)
    (folder / "config.yml").write_text(
        f"version: 0.1\nlog: {{level: error, accesslog: {{disabled: {str(not upstream).lower()}}}}}\n"
        f"storage: {{filesystem: {{rootdirectory: {folder}/data}}, maintenance: {{uploadpurging: {{enabled: false}}}}}}\n"
        f"http: {{addr: '127.0.0.1:{port}'}}\n{proxy}"
    )
    with (folder / "access.log").open("wb") as log:
        process = subprocess.Popen(
            [_binary(), "serve", folder / "config.yml"],
            stdout=log, stderr=subprocess.DEVNULL, env={**os.environ, "OTEL_TRACES_EXPORTER": "none"},
        )  # fmt: skip
        try:
            _wait_for(port)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(10)


def _binary() -> Path:
    return next(cache().glob("registry-*/registry"))


def _wait_for(port: int) -> None:
    import socket

    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.05)


@dataclass(frozen=True, kw_only=True)
class Run:
    """What one way took.

    :param seconds: time on the clock.
    :param requests: requests that the proxy answered.
    :param received: bytes of bodies that it answered with.
    :param memory: the process's peak of resident memory, in MB.
    """

    seconds: float
    requests: int
    received: int
    memory: float


def _timed(command: Sequence[str | Path], proxy: Path, environment: dict[str, str]) -> Run:
    before = (proxy / "access.log").stat().st_size
    begin = time.perf_counter()
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert process.stderr is not None
    said = process.stderr.read()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = status
    taken = time.perf_counter() - begin
    assert status == 0, said.decode()[-2000:]
    with (proxy / "access.log").open() as log:
        log.seek(before)
        sizes = [int(line.split('" ')[1].split()[1]) for line in log if '" ' in line]
    return Run(seconds=taken, requests=len(sizes), received=sum(sizes), memory=used.ru_maxrss / 1024)


def with_this(names: Sequence[str], proxy: Path, url: str, scratch: Path) -> Run:
    """The command line, as one would run it: a list of images, all platforms of each."""
    listed = scratch / "images.txt"
    listed.write_text("".join(f"registry.k8s.io/{name}\n" for name in names))
    command: list[str | Path] = [
        Path(sys.executable).with_name("ecr-pull-through"), "warm", f"@{listed}", "--host", HOST,
        "--upstream", "ROOT=registry.k8s.io", "--registry-url", url, "--no-wait", "--rate", "0", "--concurrency", "16",
    ]  # fmt: skip
    with ecr_api() as api:
        return _timed(command, proxy, environment(api, dict(os.environ)))


def with_skopeo(names: Sequence[str], proxy: Path, url: str, scratch: Path, kept: str) -> Run:
    """One `skopeo sync` of the same list, all platforms of each, into a registry or a folder."""
    host = url.removeprefix("http://")
    images: dict[str, list[str]] = {}
    for name in names:
        repository, _, tag = name.partition(":")
        images.setdefault(repository, []).append(tag)
    wanted = scratch / "sync.yaml"
    wanted.write_text(json.dumps({host: {"tls-verify": False, "images": images}}))
    command: list[str | Path] = ["skopeo", "sync", "--all", "--src", "yaml", wanted]
    if kept == "folder":
        target = scratch / "copied"
        target.mkdir()
        try:
            return _timed([*command, "--dest", "dir", target], proxy, dict(os.environ))
        finally:
            shutil.rmtree(target)
    with registry(scratch / "target") as theirs:
        target_host = theirs.removeprefix("http://")
        run = _timed([*command, "--dest", "docker", "--dest-tls-verify=false", target_host], proxy, dict(os.environ))
    shutil.rmtree(scratch / "target")
    return run


def _memory(names: Sequence[str], proxy: Path, url: str, scratch: Path) -> list[float]:
    """Peaks of resident memory, in MB."""
    return [with_this(names, proxy, url, scratch).memory for _ in range(3)]


def _roomy() -> str | None:
    """A folder in memory if there is room for five gigabytes: the disk is not what is measured."""
    memory = Path("/dev/shm")
    return str(memory) if memory.is_dir() and shutil.disk_usage(memory).free > 8e9 else None


def measure(images: int, copied: int) -> tuple[Run, dict[str, Run], list[float], int]:
    """One run of everything.

    :param images: how many images are warmed, of ten tags each.
    :param copied: how many of them skopeo copies.
    :returns: ours, skopeo's by where it copies to, the memory of 100 tags, and how many tags are copied.
    """
    with tempfile.TemporaryDirectory(dir=_roomy()) as name:
        scratch = Path(name)
        names = fill(scratch / "upstream", images)
        some = names[: copied * TAGS]
        theirs = {}
        with registry(scratch / "upstream") as upstream:
            with registry(scratch / "ours", upstream) as url:
                ours = with_this(names, scratch / "ours", url, scratch)
                few = _memory(names[:100], scratch / "ours", url, scratch)
            shutil.rmtree(scratch / "ours")
            for kept in ("registry", "folder"):
                proxy = scratch / f"theirs-{kept}"
                with registry(proxy, upstream) as url:
                    theirs[kept] = with_skopeo(some, proxy, url, scratch, kept)
                shutil.rmtree(proxy)
    return ours, theirs, few, len(some)


def rows(images: int = 1_000, copied: int = 50) -> list[Row]:
    """Time, requests, bytes and memory.

    :param images: how many images are warmed, of ten tags each.
    :param copied: how many of them skopeo copies: an hour and more for a thousand.
    """
    tags = images * TAGS
    what = f"{tags:,} tags of {images:,} images warmed, both platforms"
    if shutil.which("skopeo") is None:
        return [left_out(what, "skopeo is not on the path", against="skopeo sync", bar="≤ 0.05 x")]
    if not list(cache().glob("registry-*/registry")):
        return [left_out(what, "`make engines` builds the registry", against="skopeo sync", bar="≤ 0.05 x")]
    ours, theirs, few, some = measure(images, copied)
    scale = tags / some
    size = 2 * (BASE + TOP) / 1e6
    note = (
        f"each side through an empty CNCF proxy registry of its own; an image is {size:.1f} MB in 9 parts. Warming asks for "
        "manifests, and ECR itself brings the layers in; skopeo carries them through the machine it runs on. "
    )
    sampled = f"skopeo was measured on {some:,} tags and multiplied" if scale > 1 else "skopeo was measured on all tags"
    return [
        *(
            Row(
                what=what,
                ours=[ours.seconds],
                against=f"skopeo sync into a {kept}",
                theirs=[run.seconds * scale],
                bar="≤ 0.05 x",
                note=f"{note}{sampled}",
            )
            for kept, run in theirs.items()
        ),
        Row(
            what="requests for each tag",
            ours=[ours.requests / tags],
            against="skopeo sync into a registry",
            theirs=[theirs["registry"].requests / some],
            unit="requests",
            note="an index and two manifests, and nothing else",
        ),
        Row(
            what=f"bytes through the client for {tags:,} tags",
            ours=[ours.received / 1e6],
            against="skopeo sync into a registry",
            theirs=[theirs["registry"].received * scale / 1e6],
            unit="MB",
            note="manifests only; what skopeo sends on is not counted",
        ),
        Row(
            what=f"peak memory for {tags:,} tags",
            ours=[ours.memory],
            against="the same for 100 tags",
            theirs=few,
            unit="MB",
            bar="≤ 1.2 x",
        ),
    ]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--images", type=int, default=1_000)
    options.add_argument("--copied", type=int, default=50)
    chosen = options.parse_args()
    for row in rows(chosen.images, chosen.copied):
        print(row)


if __name__ == "__main__":
    main()
