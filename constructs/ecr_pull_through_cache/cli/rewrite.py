"""``rewrite``: rewrite images in manifests."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import UserError
from ..images import Reason
from ..manifests.rewriting import Finding, Found, Mentions, Rewriter
from ..operations.text import printable
from ._files import Given, Unreadable, files_of, read, why_not_written, write
from ._mapping import Cluster, Config, Digests, Host, Registry, Upstreams, mapping_of, reverse_mappings_of
from ._usage import Command

if TYPE_CHECKING:
    from ..images import CacheMapping
    from ..manifests import ImagePlaces
    from ..manifests.rewriting import Rewritten

_KUSTOMIZATIONS = ("kustomization.yaml", "kustomization.yml", "Kustomization")

ImagePath = Annotated[
    list[str] | None,
    typer.Option(
        metavar="KIND=PATH", help="Path of an image in a kind of resource, such as Runner=spec.image; repeatable."
    ),
]
ImagePaths = Annotated[
    list[Path] | None,
    typer.Option(
        metavar="FILE", help="File of kinds with the paths of their images, as YAML; repeatable.", show_default=False
    ),
]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(cls=Command)(rewrite)


def places_of(image_path: list[str] | None, image_paths: list[Path] | None) -> ImagePlaces:
    """The fields that hold images, with those of the options.

    :param image_path: ``KIND=PATH`` entries.
    :param image_paths: files of kinds and paths.
    :raises UserError: when one of them is of another form.
    """
    from ..manifests import KNOWN

    places = KNOWN.adding(image_path or [])
    for file in image_paths or []:
        places = places.adding_file(file)
    return places


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
    image_path: ImagePath = None,
    image_paths: ImagePaths = None,
    links: Annotated[
        bool,
        typer.Option(
            "--links", help="Write files with several hard links, and through links that lead out of a folder."
        ),
    ] = False,
) -> None:
    """Rewrite the images in manifests.

    Nothing else in them is changed.

    A file that cannot be read or rewritten for certain is left and named; the others are rewritten. Exit codes: 0 when every
    file was done, 1 when --check finds changes, 2 when a file was left.

    Example: ecr-pull-through rewrite manifests/ --in-place --config environments/minimal.yaml --cluster demo
    """
    if [in_place, check, diff].count(True) > 1:
        raise UserError("give one of --in-place, --check and --diff")
    options = config, cluster, registry, host, upstream
    mapping: CacheMapping | list[CacheMapping] = (
        reverse_mappings_of(*options) if reverse else mapping_of(*options, pinned_by_digest)
    )
    files = list(files_of(paths))
    if not (in_place or check or diff) and len(files) > 1:
        raise UserError(f"{len(files)} files are given; add --in-place, --check or --diff, or give one file")
    rewriter = Rewriter(
        mapping,
        reverse=reverse,
        mentions=mentions,
        places=places_of(image_path, image_paths),
        pinned=() if reverse else _pinned(files),
    )
    run = _Run(rewriter, in_place=in_place, check=check, diff=diff, links=links)
    for given in files:
        run.one(given)
    run.report()
    if run.problems:
        raise typer.Exit(2)
    if check and run.changes:
        raise typer.Exit(1)


def _pinned(files: list[Given]) -> set[str]:
    """The images that manifests pin by digest, where a kustomization lies beside them."""
    from ..manifests.rewriting import pinned_names

    if not any(given.name.endswith(_KUSTOMIZATIONS) for given in files):
        return set()
    names: set[str] = set()
    for given in files:
        if given.name != "-":
            try:
                names |= pinned_names(read(given.name))
            except Unreadable:
                continue  # it is named when its turn comes
    return names


class _Run:
    """One run over files, and its counts."""

    def __init__(self, rewriter: Rewriter, *, in_place: bool, check: bool, diff: bool, links: bool) -> None:
        self._rewriter = rewriter
        self._in_place = in_place
        self._check = check
        self._diff = diff
        self._links = links
        self.files = self.changes = self.problems = 0
        self._left: dict[str, int] = {}

    def one(self, given: Given) -> None:
        """Rewrite one file. Whatever is wrong with it concerns no other."""
        try:
            text = read(given.name)
            result = self._rewriter.rewrite(text, given.name)
            if result.problem is None and result.changes and self._in_place and given.name != "-":
                against = None if self._links else why_not_written(given)
                if against is not None:
                    raise Unreadable(against)
                write(given.name, result.text)
        except (Unreadable, OSError) as error:
            self._leave(given.name, str(error).removeprefix(f"{given.name}: "))
            return
        except RecursionError:
            self._leave(given.name, "it is nested too deeply")
            return
        if result.problem:
            self._leave(given.name, result.problem)
        self._count(result)
        self._print(given.name, text, result)

    def _leave(self, name: str, why: str) -> None:
        self.problems += 1
        _say(f"{name}: left as it is: {why}")

    def _count(self, result: Rewritten) -> None:
        self.files += bool(result.changes)
        self.changes += len(result.changes)
        for finding in (*result.reported, *result.left):
            what = _PINNED if finding.why == Reason.PINNED_BY_DIGEST.value else _COUNTED[finding.found]
            self._left[what] = self._left.get(what, 0) + 1
        unverified = sum(finding.found is Found.VALUES for finding in result.changes)
        if unverified:
            self._left[_COUNTED[Found.VALUES]] = self._left.get(_COUNTED[Found.VALUES], 0) + unverified

    def _print(self, name: str, text: str, result: Rewritten) -> None:
        if self._check:
            _list(name, result.changes, sys.stdout)
        elif self._diff:
            _print_diff(name, text, result.text)
        elif not self._in_place or name == "-":
            sys.stdout.buffer.write(result.text.encode("utf-8", "surrogateescape"))
        _list(name, (*result.reported, *result.left), sys.stderr)

    def report(self) -> None:
        """Count the files and images on standard error."""
        if self._in_place or self._check or self._left or self.problems:
            left = "".join(f", {count} {what}" for what, count in self._left.items())
            files = f", {self.problems} files left as they are" if self.problems else ""
            _say(f"{self.changes} images in {self.files} files{left}{files}")


_LONGEST = 10_000
"""Characters of one line of output."""
_COUNTED = {
    Found.MENTION: "named elsewhere and left",
    Found.MATCHED: "matched, built or pushed and left",
    Found.LEFT: "left upstream",
    Found.VALUES: "of them values of charts, not verified",
}
_PINNED = "pinned by digest and left upstream"


def _list(name: str, findings: Iterable[Finding], to: object) -> None:
    for finding in sorted(findings, key=lambda f: (f.line, f.column)):
        where = f"{name}:{finding.line}:{finding.column}"
        if finding.found is Found.LEFT:
            line = f"{where}: {finding.given}: left: {finding.why}"
        elif finding.found in (Found.MATCHED, Found.VALUES):
            line = f"{where}: {finding.given} -> {finding.image}: {finding.found.value}"
        else:
            line = f"{where}: {finding.given} -> {finding.image}"
        print(printable(line, longest=_LONGEST), file=to)  # type: ignore[call-overload]


def _print_diff(name: str, before: str, after: str) -> None:
    import difflib

    lines = difflib.unified_diff(_lines(before), _lines(after), name, name)
    for line in lines:
        ended = line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"
        sys.stdout.buffer.write(ended.encode("utf-8", "surrogateescape"))
    sys.stdout.buffer.flush()


def _lines(text: str) -> list[str]:
    """Lines as patch knows them: they end in a line feed and nothing else."""
    lines = text.split("\n")
    return [*(f"{line}\n" for line in lines[:-1]), *lines[-1:]] if lines[-1] else [f"{line}\n" for line in lines[:-1]]


def _say(text: str) -> None:
    print(printable(text, longest=_LONGEST), file=sys.stderr)
