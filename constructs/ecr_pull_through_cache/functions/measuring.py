"""Metrics of the contents of a cache and its use of quotas, for which AWS has none.

https://docs.aws.amazon.com/AmazonECR/latest/userguide/service-quotas.html
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import boto3

from ..images import ROOT
from ..operations.answers import watch
from ..operations.aws import ecr_client, paginate
from ..operations.parallel import THREADS, in_order
from .contract import PREFIXES, QUOTAS
from .reporting import metrics

_GONE = {"RepositoryNotFoundException"}


@dataclass(frozen=True)
class Held:
    """The contents of one repository.

    :param images: number of its images.
    :param size: bytes of them, layers that images share counted for each.
    """

    images: int
    size: int


def handler(_: Any, context: Any) -> dict[str, Any]:
    """Count, and write metrics into the log: for each prefix what it holds, for the registry what it uses of its quotas.

    :param context: Lambda's context.
    """
    del context
    ecr = ecr_client(os.environ["AWS_REGION"], connections=THREADS)
    names = [r["repositoryName"] for r in paginate(ecr, "describe_repositories", "repositories")]
    held: dict[str, Held] = {}
    for prefix in json.loads(os.environ[PREFIXES]):
        below = [name for name in names if prefix == ROOT or name.startswith(f"{prefix}/")]
        held.update(zip(below, in_order(lambda name: _held(ecr, name), below, threads=THREADS), strict=True))
        of_prefix = [held[name] for name in below]
        counts = {"Repositories": len(below), "Images": sum(h.images for h in of_prefix)}
        print(metrics({"Prefix": prefix}, counts))
        print(metrics({"Prefix": prefix}, {"StoredBytes": sum(h.size for h in of_prefix)}, unit="Bytes"))
    rules = sum(1 for _ in paginate(ecr, "describe_pull_through_cache_rules", "pullThroughCacheRules"))
    used = {
        "Registered repositories": len(names),
        "Images per repository": max((h.images for h in held.values()), default=0),
        "Pull through cache rules per registry": rules,
    }
    shares = {QUOTAS[name]: 100 * used[name] / value for name, value in _quotas() if name in used and value}
    print(metrics({}, shares, unit="Percent"))
    return {"repositories": len(held), "images": sum(h.images for h in held.values()), **shares}


def _held(ecr: Any, name: str) -> Held:
    # A repository that was deleted meanwhile holds nothing.
    images = paginate(ecr, "describe_images", "imageDetails", absent=_GONE, repositoryName=name)
    count = size = 0
    for image in images:
        count, size = count + 1, size + image.get("imageSizeInBytes", 0)
    return Held(count, size)


def _quotas() -> Iterator[tuple[str, float]]:
    client = boto3.client("service-quotas")
    watch(client)
    for quota in paginate(client, "list_service_quotas", "Quotas", ServiceCode="ecr"):
        yield quota["QuotaName"], quota["Value"]
