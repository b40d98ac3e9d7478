"""``rewrite``: rewrite images in manifests."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import UserError
from ..manifests.rewriting import Finding, Mentions, Rewriter
from ._mapping import Cluster, Config, Digests, Host, Registry, Upstreams, mapping_of
from ._usage import Command

if TYPE_CHECKING:
    from ..manifests.rewriting import Rewritten

SUFFIXES = (".yaml", ".yml", ".json", ".tpl")
SKIPPED = {".git", "node_modules", ".venv", "cdk.out", ".terraform"}


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(cls=Command)(rewrite)


def rewrite(
    paths: Annotated[list[str], typer.Argument(metavar="PATH...", help="Files, folders, or - for standard input.")],
    config: Config = None,
    cluster: Cluster = None,
    registry: Registry = None,
    host: Host = None,
    upstream: Upstreams = None,
    pinned_by_digest: Digests = None,
    in_place: Annotated[bool, typer.Option("--in-place", help="Write the files; each is replaced atomically.")] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Change nothing; exit with 1 if something would change.")
    ] = False,
    diff: Annotated[bool, typer.Option("--diff", help="Change nothing; print what would change.")] = False,
    reverse: Annotated[bool, typer.Option("--reverse", help="Rewrite cached images back to upstream's names.")] = False,
    mentions: Annotated[
        Mentions, typer.Option(help="Images that are named in arguments, environment variables and ConfigMaps.")
    ] = Mentions.REPORT,
    image_path: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KIND=PATH", help="Path of an image in a custom resource, such as Runner=spec.image; repeatable."
        ),
    ] = None,
) -> None:
    """Rewrite the images in manifests.

    Nothing else in them is changed.

    Example: ecr-pull-through rewrite manifests/ --in-place --config environments/minimal.yaml --cluster demo
    """
    from ..manifests import KNOWN

    mapping = mapping_of(config, cluster, registry, host, upstream, pinned_by_digest)
    rewriter = Rewriter(mapping, reverse=reverse, mentions=mentions, places=KNOWN.adding(image_path or []))
    if [in_place, check, diff].count(True) > 1:
        raise UserError("give one of --in-place, --check and --diff")
    files = list(_files(paths))
    if not (in_place or check or diff) and len(files) > 1:
        raise UserError(f"{len(files)} files are given; add --in-place, --check or --diff, or give one file")
    tally = _Tally()
    for name in files:
        _one(name, rewriter, in_place=in_place, check=check, diff=diff, tally=tally)
    tally.report(quiet=not (in_place or check))
    if tally.problems:
        raise typer.Exit(2)
    if check and tally.changes:
        raise typer.Exit(1)


class _Tally:
    def __init__(self) -> None:
        self.files = self.changes = self.reported = self.problems = 0

    def add(self, result: Rewritten) -> None:
        self.files += bool(result.changes)
        self.changes += len(result.changes)
        self.reported += len(result.reported)
        self.problems += result.problem is not None

    def report(self, *, quiet: bool) -> None:
        if not quiet:
            left = f", {self.reported} named elsewhere and left" if self.reported else ""
            print(f"{self.changes} images in {self.files} files{left}", file=sys.stderr)


def _one(name: str, rewriter: Rewriter, *, in_place: bool, check: bool, diff: bool, tally: _Tally) -> None:
    text = _read(name)
    result = rewriter.rewrite(text)
    tally.add(result)
    if result.problem:
        print(f"{name}: left as it is: {result.problem}", file=sys.stderr)
    if check:
        _list(name, result.changes, sys.stdout)
    elif diff:
        _print_diff(name, text, result.text)
    elif in_place and name != "-":
        if result.changes:
            _write(name, result.text)
    else:
        sys.stdout.buffer.write(result.text.encode("utf-8", "surrogateescape"))
    _list(name, result.reported, sys.stderr)


def _list(name: str, findings: Iterable[Finding], to: object) -> None:
    for finding in findings:
        where = f"{name}:{finding.line}:{finding.column}"
        print(f"{where}: {finding.given} -> {finding.image}", file=to)  # type: ignore[call-overload]


def _print_diff(name: str, before: str, after: str) -> None:
    import difflib

    lines = difflib.unified_diff(before.splitlines(keepends=True), after.splitlines(keepends=True), name, name)
    for line in lines:
        sys.stdout.write(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n")


def _read(name: str) -> str:
    try:
        if name == "-":
            data = sys.stdin.buffer.read()
        else:
            with open(name, "rb") as file:  # noqa: PTH123 - thousands of files; a Path for each costs a tenth of the time
                data = file.read()
    except OSError as error:
        raise UserError(f"{name}: {error.strerror}") from None
    return data.decode("utf-8", "surrogateescape")


def _write(name: str, text: str) -> None:
    """Replace a file at once: whoever reads it sees the old one or the new one."""
    target = os.path.realpath(name) if os.path.islink(name) else name  # noqa: PTH114
    folder, base = os.path.split(target)
    beside = os.path.join(folder, f".{base}.{os.getpid()}.tmp")  # noqa: PTH118
    try:
        mode = os.stat(target).st_mode & 0o7777  # noqa: PTH116
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        try:
            os.fchmod(descriptor, mode)
            data = text.encode("utf-8", "surrogateescape")
            while data:
                data = data[os.write(descriptor, data) :]
        finally:
            os.close(descriptor)
        os.replace(beside, target)  # noqa: PTH105
    except OSError as error:
        Path(beside).unlink(missing_ok=True)
        raise UserError(f"{name}: {error.strerror}; it is as it was, run this again") from None


def _files(paths: list[str]) -> Iterator[str]:
    for path in paths:
        if path != "-" and Path(path).is_dir():
            yield from _in_folder(path)
        elif path == "-" or Path(path).exists():
            yield path
        else:
            raise UserError(f"{path}: no such file or folder")


def _in_folder(folder: str) -> Iterator[str]:
    for root, folders, names in os.walk(folder):
        folders[:] = sorted(set(folders) - SKIPPED)
        for name in sorted(names):
            if name.endswith(SUFFIXES):
                yield f"{root}/{name}"
