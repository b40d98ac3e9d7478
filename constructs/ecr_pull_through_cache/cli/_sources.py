"""The sources of ``inventory``, whose kind is detected: a cluster, Pods, manifests, charts, templates, ``cdk.out``."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import UserError
from ._files import SKIPPED, SUFFIXES

if TYPE_CHECKING:
    from ..manifests.finding import Found, Left
    from ..operations.inventory import Use

_KNOWN = (
    "give Pods (`kubectl get pods -A -o json`), manifests, a chart (a folder with a Chart.yaml, or its .tgz), "
    "what `helm template` prints, a CloudFormation template, or cdk.out"
)
_LOGGED = re.compile(r"[IWEF]\d{4} ")
"""What a line of kubectl's log begins with; what it says to people follows."""


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """The options with which kubectl finds a cluster.

    :param context: context of the kubeconfig.
    :param kubeconfig: the kubeconfig.
    """

    context: str | None = None
    kubeconfig: Path | None = None


def uses_of(sources: Sequence[str], cluster: Cluster, values: Sequence[Path]) -> Iterator[Use | Left]:
    """The images of everything given, and what could not be read of it; of a live cluster if nothing is given.

    :param sources: files, folders, ``-`` for standard input.
    :param cluster: how kubectl finds the cluster.
    :param values: values files for charts.
    :raises UserError: when something given is nothing that images can be found in.
    """
    if not sources:
        yield from _of_text(text_of(None, cluster), "the cluster")
    for source in sources:
        if source == "-":
            yield from _of_text(text_of(source, cluster), "-")
        else:
            yield from _of_path(Path(source), values)


def text_of(source: str | None, cluster: Cluster) -> str:
    """The text of a file, of standard input for ``-``, or the Pods of a cluster.

    :raises UserError: when it cannot be had.
    """
    if source is None:
        return _kubectl(cluster)
    return _decoded(sys.stdin.buffer.read(), "standard input") if source == "-" else _read(Path(source))


def _of_path(path: Path, values: Sequence[Path]) -> Iterator[Use | Left]:
    from ..manifests.assembly import images_of_assembly, is_assembly

    if path.is_dir():
        if _is_chart(path):
            yield from _of_text(_rendered(path, values), str(path))
        elif is_assembly(path):
            yield from _used(images_of_assembly(path))
        else:
            yield from _of_folder(path, values)
    elif path.name.endswith((".tgz", ".tar.gz")):
        yield from _of_text(_rendered(path, values), str(path))
    else:
        yield from _of_text(_read(path), str(path))


def _of_folder(folder: Path, values: Sequence[Path]) -> Iterator[Use | Left]:
    """Find the images of a folder. A file or chart that cannot be read does not hide the others."""
    from ..manifests.finding import Left

    for path in sorted(folder.iterdir()):
        try:
            if path.name not in SKIPPED if path.is_dir() else path.name.endswith((*SUFFIXES, ".tgz")):
                yield from _of_path(path, values)
        except _NothingKnown:
            continue
        except UserError as error:
            yield Left(str(path), str(error).removeprefix(f"{path}: "))


class _NothingKnown(UserError):
    """A file that images cannot be found in."""


def _of_text(text: str, name: str) -> Iterator[Use | Left]:
    """Pods with what they pulled, a template, or manifests."""
    from ..manifests.assembly import images_of_template, is_template
    from ..manifests.finding import images_of
    from ..operations.inventory import are_pods

    data = _as_json(text)
    if data is not None and is_template(data):
        yield from _used(images_of_template(data, Path(name).name.removesuffix(".json").removesuffix(".template")))
    elif data is not None and are_pods(data):
        yield from _of_pods(data, name)
    elif "imageID:" in text:
        for document in _as_yaml(text, name):
            yield from _of_pods(document, name)
    elif not any(word in text for word in ("kind", "images:")):
        raise _NothingKnown(f"{name}: this is nothing that images can be found in; {_KNOWN}")
    else:
        if data is None and text.lstrip().startswith("{") and not text.lstrip().startswith("{{"):
            _as_yaml(text, name)  # half of a list in JSON is not taken for the whole of it
        yield from _used(images_of(text, name))


def _of_pods(data: Any, name: str) -> Iterator[Use]:
    from ..operations.inventory import of_pod_list

    try:
        yield from of_pod_list(data)
    except UserError as error:
        raise UserError(f"{name}: {error}") from None


def _used(found: Iterator[Found] | Iterator[Found | Left]) -> Iterator[Use | Left]:
    from ..manifests.finding import Left
    from ..operations.inventory import Use

    for entry in found:
        yield entry if isinstance(entry, Left) else Use(image=entry.image, where=entry.where)


def _as_json(text: str) -> Any:
    if not text.lstrip().startswith("{"):
        return None
    try:
        return json.loads(text)
    except ValueError:
        return None


def _as_yaml(text: str, name: str) -> list[Any]:
    import yaml

    from ..manifests.finding import why

    try:
        loaded = yaml.load_all(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        return [document for document in loaded if document is not None]
    except yaml.YAMLError as error:
        raise UserError(f"{name}: {why(error)}") from None


def _is_chart(folder: Path) -> bool:
    return (folder / "Chart.yaml").is_file()


def _rendered(chart: Path, values: Sequence[Path]) -> str:
    helm = shutil.which("helm")
    if helm is None:
        raise UserError(f"{chart}: helm is not on the path, which renders charts; pipe `helm template` of it instead")
    options = [option for path in values for option in ("--values", str(path))]
    return _output([helm, "template", "inventory", str(chart), "--include-crds", *options], f"{chart}: helm")


def _kubectl(cluster: Cluster) -> str:
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        raise UserError("kubectl is not on the path; give a file of `kubectl get pods -A -o json`, or - for a pipe")
    context = ["--context", cluster.context] if cluster.context else []
    kubeconfig = ["--kubeconfig", str(cluster.kubeconfig)] if cluster.kubeconfig else []
    return _output([kubectl, "get", "pods", "--all-namespaces", "--output", "json", *context, *kubeconfig], "kubectl")


def _output(command: list[str], who: str) -> str:
    done = subprocess.run(command, capture_output=True, check=False)  # noqa: S603 - no shell, own arguments
    if done.returncode != 0:
        lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
        said = "\n".join(line for line in lines if not _LOGGED.match(line))
        raise UserError(f"{who}: {said.removeprefix('Error: ').removeprefix('error: ') or 'it failed'}")
    return _decoded(done.stdout, who)


def _read(path: Path) -> str:
    try:
        return _decoded(path.read_bytes(), str(path))
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from None


def _decoded(data: bytes, name: str) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise UserError(f"{name}: this is not text; {_KNOWN}") from None
