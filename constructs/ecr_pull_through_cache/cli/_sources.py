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
from ._files import SKIPPED, is_known, read

if TYPE_CHECKING:
    from ..manifests import ImagePlaces
    from ..manifests.finding import Found, Left
    from ..operations.inventory import Use

_KNOWN = (
    "give Pods (`kubectl get pods -A -o json`), manifests, a chart (a folder with a Chart.yaml, or its .tgz), "
    "what `helm template` prints, a CloudFormation template, or cdk.out"
)
_WORDS = ("kind", "images:", "services:", "FROM ", "jobs:")
"""Words of files that may name images and happen to name none."""
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


def uses_of(
    sources: Sequence[str], cluster: Cluster, values: Sequence[Path], places: ImagePlaces | None = None
) -> Iterator[Use | Left]:
    """The images of everything given, and what could not be read of it; of a live cluster if nothing is given.

    :param sources: files, folders, ``-`` for standard input.
    :param cluster: how kubectl finds the cluster.
    :param values: values files for charts.
    :param places: the fields that hold images. Default: the known ones.
    :raises UserError: when something given is nothing that images can be found in.
    """
    if not sources:
        yield from _of_text(text_of(None, cluster), "the cluster", places)
    for source in sources:
        if source == "-":
            yield from _of_text(text_of(source, cluster), "-", places)
        else:
            yield from _of_path(Path(source), values, places)


def text_of(source: str | None, cluster: Cluster) -> str:
    """The text of a file, of standard input for ``-``, or the Pods of a cluster.

    :raises UserError: when it cannot be had.
    """
    if source is None:
        return _kubectl(cluster)
    return _decoded(sys.stdin.buffer.read(), "standard input") if source == "-" else _read(Path(source))


def _of_path(path: Path, values: Sequence[Path], places: ImagePlaces | None) -> Iterator[Use | Left]:
    from ..manifests.assembly import images_of_assembly, is_assembly

    if path.is_dir():
        if _is_chart(path):
            yield from _of_text(_rendered(path, values), str(path), places)
        elif is_assembly(path):
            yield from _used(images_of_assembly(path))
        else:
            yield from _of_folder(path, values, places)
    elif path.name.endswith((".tgz", ".tar.gz")):
        yield from _of_text(_rendered(path, values), str(path), places)
    else:
        yield from _of_text(_read(path), str(path), places)


def _of_folder(folder: Path, values: Sequence[Path], places: ImagePlaces | None) -> Iterator[Use | Left]:
    """Find the images of a folder. A file or chart that cannot be read does not hide the others."""
    from ..manifests.finding import Left

    for path in sorted(folder.iterdir()):
        try:
            if _is_looked_at(path):
                yield from _of_path(path, values, places)
        except _NothingKnown:
            continue
        except (UserError, OSError) as error:
            yield Left(str(path), str(error).removeprefix(f"{path}: "))


def _is_looked_at(path: Path) -> bool:
    if path.is_dir():
        return path.name not in SKIPPED and not path.is_symlink()
    return is_known(path.name) or path.name.endswith(".tgz")


class _NothingKnown(UserError):
    """A file that images cannot be found in."""


def _of_text(text: str, name: str, places: ImagePlaces | None = None) -> Iterator[Use | Left]:
    """Pods with the digests that they pulled, a template, or manifests."""
    from ..manifests.assembly import images_of_template, is_template
    from ..operations.inventory import are_pods

    text = text.removeprefix("\ufeff")
    data = _as_json(text)
    if data is not None and is_template(data):
        yield from _used(images_of_template(data, Path(name).name.removesuffix(".json").removesuffix(".template")))
    elif data is not None and are_pods(data):
        yield from _of_pods(data, name)
    elif data is None and (pods := _pods_in_yaml(text)):
        for document in pods:
            yield from _of_pods(document, name)
    else:
        if data is None and text.lstrip().startswith("{") and not text.lstrip().startswith("{{"):
            _as_yaml(text, name)  # half of a list in JSON is not taken for the whole of it
        yield from _of_manifests(text, name, places)


def _pods_in_yaml(text: str) -> list[Any]:
    """The documents of a text, if each is a Pod that runs or a list of these: only such have ids of images."""
    from ..operations.inventory import are_pods

    if "imageID:" not in text:
        return []
    try:
        documents = _as_yaml(text, "")
    except UserError:
        return []
    return documents if documents and all(are_pods(document) for document in documents) else []


def _of_manifests(text: str, name: str, places: ImagePlaces | None) -> Iterator[Use | Left]:
    from ..manifests import KNOWN
    from ..manifests.finding import images_of

    found = list(_used(images_of(text, name, places=places or KNOWN)))
    if not found and not any(word in text for word in _WORDS):
        raise _NothingKnown(f"{name}: this is nothing that images can be found in; {_KNOWN}")
    yield from found


def _of_pods(data: Any, name: str) -> Iterator[Use]:
    from ..operations.inventory import of_pod_list

    try:
        yield from of_pod_list(data)
    except UserError as error:
        raise UserError(f"{name}: {error}") from None


def _used(found: Iterator[Found | Left]) -> Iterator[Use | Left]:
    from ..manifests.finding import Left
    from ..operations.inventory import Use

    for entry in found:
        if isinstance(entry, Left):
            yield entry
        else:
            yield Use(image=entry.image, where=entry.where, is_mention=entry.is_mention)


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
        # Every value as text: a date that is none, in a tag or an annotation, concerns nobody here.
        loaded = yaml.load_all(text, Loader=getattr(yaml, "CBaseLoader", yaml.BaseLoader))
        return [document for document in loaded if document]
    except (yaml.YAMLError, UnicodeEncodeError) as error:
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
    text = read(str(path))
    try:
        text.encode()
    except UnicodeEncodeError:
        raise UserError(f"{path}: this is not text; {_KNOWN}") from None
    return text


def _decoded(data: bytes, name: str) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise UserError(f"{name}: this is not text; {_KNOWN}") from None
