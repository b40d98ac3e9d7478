"""Which upstreams a cache for what runs already would need, and what it could not cache."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import UserError
from ..images import EcrHost, ImageReference, InvalidImageReference, UnsupportedUpstream, Upstream
from .inventory import of_pods


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """The proposal for a cache from an inventory. Each image is counted once.

    :param upstreams: images by host of the upstream registry that ECR can pull through, most images first.
    :param impossible: images by host of the registry that ECR cannot pull through, most images first.
    :param in_ecr: images that lie in a private ECR registry already.
    :param pinned: images of those upstreams that are pinned by digest.
    :param unreadable: what stands for an image and is none.
    """

    upstreams: Mapping[str, int]
    impossible: Mapping[str, int]
    in_ecr: int = 0
    pinned: int = 0
    unreadable: int = 0


def images_of(text: str) -> Iterator[str]:
    """The images of an inventory.

    :param text: what ``kubectl get pods -A -o json`` or ``ecr-pull-through inventory --output json`` prints.
    :raises UserError: when the text is neither.
    """
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        data = None
    if isinstance(data, list):
        yield from map(_image_of, data)
    elif isinstance(data, dict):
        yield from (use.image for use in of_pods(text))
    else:
        raise UserError(_NEITHER)


def propose(images: Iterable[str]) -> Proposal:
    """The upstreams that a cache of these images needs.

    :param images: references as they stand in Pods.
    """
    upstreams: Counter[str] = Counter()
    impossible: Counter[str] = Counter()
    in_ecr = pinned = unreadable = 0
    for image in sorted(set(images)):
        try:
            reference = ImageReference.parse(image)
            host = Upstream.from_host(reference.registry).host
        except InvalidImageReference:
            unreadable += 1
        except UnsupportedUpstream:
            impossible[reference.registry] += 1
        else:
            if EcrHost.parse(host) is not None:
                in_ecr += 1
            else:
                upstreams[host] += 1
                pinned += reference.digest is not None
    return Proposal(
        upstreams=dict(upstreams.most_common()),
        impossible=dict(impossible.most_common()),
        in_ecr=in_ecr,
        pinned=pinned,
        unreadable=unreadable,
    )


def _image_of(entry: Any) -> str:
    if isinstance(entry, dict) and isinstance(entry.get("image"), str):
        return str(entry["image"])
    raise UserError(_NEITHER)


_NEITHER = (
    "this is neither what `kubectl get pods -A -o json` nor what `ecr-pull-through inventory --output json` prints; "
    "give one of the two"
)
