"""Pods that hold images in every place a Pod can, and what stands in those places afterwards."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any


def pods(images: Iterable[str], size: int = 50) -> Iterator[dict[str, Any]]:
    """Pods with so many images each: a half in containers, the rest in init containers and image volumes."""
    remaining = iter(images)
    number = 0
    while group := list(islice(remaining, size)):
        yield pod(f"p{number}", group)
        number += 1


def pod(name: str, images: list[str], **metadata: Any) -> dict[str, Any]:
    containers = [{"name": f"c{n}", "image": image} for n, image in enumerate(images)]
    third = max(1, len(containers) // 3)
    main, init, volumes = containers[: third + 1], containers[third + 1 : 2 * third + 1], containers[2 * third + 1 :]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "default", **metadata},
        "spec": {
            "containers": main,
            **({"initContainers": init} if init else {}),
            **(
                {
                    "volumes": [
                        *(
                            {"name": c["name"], "image": {"reference": c["image"], "pullPolicy": "IfNotPresent"}}
                            for c in volumes
                        ),
                        {"name": "empty", "emptyDir": {}},
                    ]
                }
                if volumes
                else {}
            ),
        },
    }


def images_of(given: dict[str, Any]) -> dict[str, str]:
    """Images by the name of their container or volume."""
    spec = given["spec"]
    found = {c["name"]: c["image"] for field in FIELDS for c in spec.get(field) or []}
    found.update({v["name"]: v["image"]["reference"] for v in spec.get("volumes") or [] if v.get("image")})
    return found


FIELDS = ("containers", "initContainers", "ephemeralContainers")
