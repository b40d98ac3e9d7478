"""What a cache holds, and how much of its quotas is used: no metric of AWS says either.

https://docs.aws.amazon.com/AmazonECR/latest/userguide/service-quotas.html
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from ..images import ROOT
from ..operations.aws import ecr_client, said
from ..operations.parallel import THREADS, in_order
from .contract import PREFIXES, QUOTAS
from .reporting import metrics


@dataclass(frozen=True)
class Held:
    """What one repository holds.

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
    names = [r["repositoryName"] for r in _pages(ecr, "describe_repositories", "repositories")]
    held: dict[str, Held] = {}
    for prefix in json.loads(os.environ[PREFIXES]):
        below = [name for name in names if prefix == ROOT or name.startswith(f"{prefix}/")]
        held.update(zip(below, in_order(lambda name: _held(ecr, name), below, threads=THREADS), strict=True))
        of_prefix = [held[name] for name in below]
        counts = {"Repositories": len(below), "Images": sum(h.images for h in of_prefix)}
        print(metrics({"Prefix": prefix}, counts))
        print(metrics({"Prefix": prefix}, {"StoredBytes": sum(h.size for h in of_prefix)}, unit="Bytes"))
    rules = sum(1 for _ in _pages(ecr, "describe_pull_through_cache_rules", "pullThroughCacheRules"))
    used = {
        "Registered repositories": len(names),
        "Images per repository": max((h.images for h in held.values()), default=0),
        "Pull through cache rules per registry": rules,
    }
    shares = {QUOTAS[name]: 100 * used[name] / value for name, value in _quotas() if name in used and value}
    print(metrics({}, shares, unit="Percent"))
    return {"repositories": len(held), "images": sum(h.images for h in held.values()), **shares}


def _held(ecr: Any, name: str) -> Held:
    try:
        sizes = [
            i.get("imageSizeInBytes", 0) for i in _pages(ecr, "describe_images", "imageDetails", repositoryName=name)
        ]
    except _Gone:
        sizes = []
    return Held(len(sizes), sum(sizes))


class _Gone(Exception):
    """A repository was deleted meanwhile."""


def _quotas() -> Iterator[tuple[str, float]]:
    client = boto3.client("service-quotas")
    for quota in _pages(client, "list_service_quotas", "Quotas", service="servicequotas", ServiceCode="ecr"):
        yield quota["QuotaName"], quota["Value"]


def _pages(client: Any, operation: str, key: str, *, service: str = "ecr", **given: Any) -> Iterator[Mapping[str, Any]]:
    try:
        for page in client.get_paginator(operation).paginate(**given):
            yield from page[key]
    except (ClientError, BotoCoreError) as error:
        if isinstance(error, ClientError) and error.response["Error"]["Code"] == "RepositoryNotFoundException":
            raise _Gone from None
        call = "".join(part.capitalize() for part in operation.split("_"))
        raise said(error, call=f"{service}:{call}") from None
