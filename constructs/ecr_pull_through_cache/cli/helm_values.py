"""``helm-values``: print values that point a chart at the cache."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import UserError
from ..operations.text import printable
from ._helm import helm_program
from ._mapping import Cluster, Config, Digests, Host, Registry, Upstreams, mapping_of, reverse_mappings_of
from ._usage import Command

if TYPE_CHECKING:
    from ..manifests.becoming import Becomings
    from ..manifests.helm import ChartOverride

_ALWAYS = ("right", "left", "not verified")
_LONGEST_LINE = 2_000


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("helm-values", cls=Command)(helm_values)


def helm_values(
    chart: Annotated[
        str, typer.Argument(metavar="CHART", help="A chart's folder, its .tgz, or a values file, or - for stdin.")
    ],
    config: Config = None,
    cluster: Cluster = None,
    registry: Registry = None,
    host: Host = None,
    upstream: Upstreams = None,
    pinned_by_digest: Digests = None,
    values: Annotated[
        list[Path] | None,
        typer.Option(
            "--values",
            "-f",
            metavar="FILE",
            help="Your values file for the chart, - for stdin; repeatable.",
            show_default=False,
        ),
    ] = None,
    reverse: Annotated[bool, typer.Option("--reverse", help="The way back: from the cache to upstream.")] = False,
    as_arguments: Annotated[
        bool, typer.Option("--set", help="Print arguments of helm install and upgrade instead of a values file.")
    ] = False,
    kube_version: Annotated[
        str | None,
        typer.Option(
            metavar="VERSION",
            help="Version of Kubernetes that helm renders for. Default: helm's own.",
            show_default=False,
        ),
    ] = None,
    api_versions: Annotated[
        list[str] | None,
        typer.Option(
            metavar="VERSION", help="API version that the cluster has, for helm; repeatable.", show_default=False
        ),
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with 1 unless helm verifies that every image is from the cache.")
    ] = False,
) -> None:
    """Print Helm values that use cached images.

    Images that are left, or not verified, are listed on standard error.

    helm renders the chart, without a network, to find the values that images are made of and to verify the result.

    Example: ecr-pull-through helm-values values.yaml --host 111122223333.dkr.ecr.eu-west-1.amazonaws.com
    --upstream quay=quay.io > cached.yaml
    """
    from ..manifests.becoming import Becomings
    from ..manifests.chart_values import set_arguments
    from ..manifests.yaml_text import to_yaml

    if reverse:
        becomings = Becomings(None, back=reverse_mappings_of(config, cluster, registry, host, upstream))
    else:
        becomings = Becomings(mapping_of(config, cluster, registry, host, upstream, pinned_by_digest))
    options = [part for version in api_versions or () for part in ("--api-versions", version)]
    options += ["--kube-version", kube_version] if kube_version else []
    with TemporaryDirectory(prefix="helm-values-") as scratch:
        chart_at, *values_at = _at_hand([chart, *map(str, values or ())], Path(scratch))
        result = _override(becomings, chart_at, values_at, options)
    if result.values and as_arguments:
        print(shlex.join(set_arguments(result.values)))
    elif result.values:
        print(to_yaml([result.values]).removeprefix("---\n"), end="")
    _report(result)
    if strict and not result.is_all_right:
        raise typer.Exit(1)


def _at_hand(given: list[str], scratch: Path) -> list[Path]:
    """The paths of a chart and of values files; what stands on standard input becomes a file.

    :raises UserError: when a path does not exist, names a chart elsewhere, or standard input is no values file.
    """
    if given.count("-") > 1:
        raise UserError("standard input is given twice; give - once, and a path for every other values file")
    paths = [_existing(given[0]), *map(Path, given[1:])]
    if "-" in given:
        from ..manifests.chart_files import LARGEST_FILE, values_in

        data = sys.stdin.buffer.read(LARGEST_FILE + 1)
        if len(data) > LARGEST_FILE:
            raise UserError(f"standard input: it is larger than {LARGEST_FILE:,} bytes, the most that Helm takes")
        values_in(data, "standard input")
        paths[given.index("-")] = scratch / "values.yaml"
        (scratch / "values.yaml").write_bytes(data)
    return paths


def _existing(chart: str) -> Path:
    """The path of a chart on this machine.

    :raises UserError: when it names a chart elsewhere, or nothing.
    """
    path = Path(chart)
    if chart == "-" or path.exists():
        return path
    is_name = chart.count("/") == 1 and not chart.startswith((".", "/")) and not path.parent.exists()
    if "://" in chart or is_name:
        raise UserError(
            f"{chart}: this command downloads nothing; run `helm pull {shlex.quote(chart)}` and give the .tgz file that "
            "it leaves"
        )
    raise UserError(f"{chart}: there is no such file or folder; give a chart's folder, its .tgz, or a values file")


def _override(becomings: Becomings, chart: Path, values: list[Path], options: list[str]) -> ChartOverride:
    from ..manifests.chart_files import ChartFiles, read_chart, read_values
    from ..manifests.helm import guess_override, verified_override
    from ..manifests.helm_engine import Helm

    if not (chart.is_dir() or chart.name.endswith((".tgz", ".tar.gz"))):
        files = [read_values(path) for path in (chart, *values)]
        return guess_override(
            becomings, ChartFiles(""), files, "values do not show how a chart uses them; give the chart"
        )
    helm = helm_program()
    if helm is None:
        files = [read_values(path) for path in values]
        return guess_override(becomings, read_chart(chart), files, "helm is not on the PATH and renders nothing")
    return verified_override(becomings, chart, values, Helm(program=helm, options=tuple(options)))


def _report(result: ChartOverride) -> None:
    """Print every image that is not right, what else is to be known, and a line that counts."""
    stays = (*result.pinned, *result.elsewhere, *result.left)
    lines = [
        *(f"{place}: note: {text}" for place, text in result.notes),
        *(f"{found.where}: left: {found.image}: {found.why}" for found in stays),
        *(f"{found.where}: not verified: {found.image}: {found.why}" for found in result.not_verified),
    ]
    for line in dict.fromkeys(lines):
        print(printable(line, longest=_LONGEST_LINE), file=sys.stderr)
    counts = {
        "right": result.right,
        "pinned by digest": result.pinned,
        "without a rule": result.elsewhere,
        "left": result.left,
        "not verified": result.not_verified,
    }
    parts = [f"{len(set(found))} {name}" for name, found in counts.items() if found or name in _ALWAYS]
    print(f"Images: {', '.join(parts)}{'' if result.renderings else '; helm verified nothing'}", file=sys.stderr)
