"""Where images stand in manifests."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from ..errors import UserError

Path = tuple[str, ...]
"""The way from the top of a document to a value; ``[]`` is an item of a list."""


@dataclass(frozen=True)
class ImagePlaces:
    """The fields that hold images.

    :param anywhere: the end of paths that mean an image in whatever kind.
    :param in_kind: whole paths that mean an image in one kind of custom resource.
    """

    anywhere: frozenset[Path]
    in_kind: dict[str, frozenset[Path]]

    @cached_property
    def keys(self) -> frozenset[str]:
        """The last keys of all paths."""
        return frozenset(path[-1] for path in (*self.anywhere, *(p for paths in self.in_kind.values() for p in paths)))

    def holds_image(self, kind: str | None, path: Path) -> bool:
        """Whether a path of a kind of resource means an image."""
        if any(path[-len(end) :] == end for end in self.anywhere):
            return True
        paths = self.in_kind.get(kind or "", frozenset())
        # The resource itself may be an item of a List.
        return path in paths or (path[:2] == ("items", "[]") and path[2:] in paths)

    def adding(self, entries: Iterable[str]) -> ImagePlaces:
        """With further custom resources.

        :param entries: ``Kind=path.to.image``, a list's items being written as ``steps[].image``.
        :raises UserError: when an entry is not of that form.
        """
        more = {kind: set(paths) for kind, paths in self.in_kind.items()}
        for entry in entries:
            kind, equals, path = entry.partition("=")
            if not (kind and equals and path):
                raise UserError(f"{entry!r} is not 'Kind=path.to.image', such as 'Prometheus=spec.image'")
            more.setdefault(kind, set()).add(_path(path))
        return ImagePlaces(self.anywhere, {kind: frozenset(paths) for kind, paths in more.items()})


def _path(text: str) -> Path:
    return tuple(text.replace("[]", ".[]").split("."))


_POD = ("containers", "initContainers", "ephemeralContainers")
_CUSTOM = {
    "Alertmanager": ["spec.image"],
    "Prometheus": ["spec.image", "spec.thanos.image"],
    "PrometheusAgent": ["spec.image"],
    "ThanosRuler": ["spec.image"],
    "Cluster": ["spec.imageName"],  # CloudNativePG
    "Elasticsearch": ["spec.image"],
    "Kibana": ["spec.image"],
    "OpenTelemetryCollector": ["spec.image"],
    "Instrumentation": [f"spec.{language}.image" for language in ("java", "nodejs", "python", "dotnet", "go")],
    "Task": ["spec.steps[].image", "spec.sidecars[].image"],
    "Workflow": ["spec.templates[].container.image", "spec.templates[].script.image"],
    "WorkflowTemplate": ["spec.templates[].container.image", "spec.templates[].script.image"],
    "CronWorkflow": ["spec.workflowSpec.templates[].container.image", "spec.workflowSpec.templates[].script.image"],
}

KNOWN = ImagePlaces(
    anywhere=frozenset(
        [
            *((field, "[]", "image") for field in _POD),
            ("volumes", "[]", "image", "reference"),
            ("images", "[]", "newName"),  # of a kustomization, which need not name its kind
        ]
    ),
    in_kind={kind: frozenset(_path(path) for path in paths) for kind, paths in _CUSTOM.items()},
)
"""Every workload of Kubernetes, whatever contains a Pod's template, and custom resources that are in wide use."""
