"""The report of a run: the results of a Step Functions Distributed Map, joined and counted.

https://docs.aws.amazon.com/step-functions/latest/dg/input-output-resultwriter.html
"""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from typing import IO, Any, cast

import boto3

from ..operations.text import printable
from .contract import NAMESPACE
from .streaming import entries
from .warming import images_of

MOST_NAMED = 20
"""How many images that failed are named in what the state machine shows; the report has all of them."""


def handler(event: Mapping[str, Any], _: Any) -> dict[str, Any]:
    """Write the report of a run and count its images. Of a million images, none is held in memory.

    :param event: ``results`` as the map's result writer gives them, ``list`` that was worked on, name of the ``execution``
        and of the ``stateMachine``, and the ``report`` to write: ``Bucket`` and ``Key``.
    :returns: the counts, the first images that failed, and where the report is; far below the 256 KiB that a state may give.
    """
    s3 = boto3.client("s3")
    counts = {"ImagesWarmed": 0, "ImagesFailed": 0}
    named: list[dict[str, str]] = []
    with tempfile.TemporaryFile() as report, tempfile.TemporaryFile() as failures:
        head = json.dumps({"execution": event["execution"], "list": event["list"]})
        report.write(f'{head[:-1]}, "done": ['.encode())
        for what, image in outcomes(s3, event["results"]["ResultWriterDetails"]):
            failed = what == "failed"
            name = "ImagesFailed" if failed else "ImagesWarmed"
            counts[name] += 1
            separator = b"\n" if counts[name] == 1 else b",\n"
            (failures if failed else report).write(separator + json.dumps(image).encode())
            if failed and len(named) < MOST_NAMED:
                named.append(image)
        report.write(b'],\n"failed": [')
        failures.seek(0)
        shutil.copyfileobj(failures, report)
        report.write(b"]}\n")
        s3.put_object(**event["report"], Body=cast("IO[bytes]", _Sized(report)), ContentType="application/json")
    print(metrics({"StateMachine": event["stateMachine"]}, counts))
    return {**counts, "failed": named, "report": event["report"]}


class _Sized:
    """A file with its length, as boto3 takes it for a body."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._size = file.tell()
        file.seek(0)

    def __len__(self) -> int:
        return self._size

    def read(self, size: int = -1, /) -> bytes:
        return self._file.read(size)

    def seek(self, to: int, whence: int = 0, /) -> int:
        return self._file.seek(to, whence)

    def tell(self) -> int:
        return self._file.tell()


def read(s3: Any, details: Mapping[str, str]) -> dict[str, list[dict[str, str]]]:
    """The outcomes of the images, sorted by name.

    :param s3: client of S3.
    :param details: ``Bucket`` and ``Key`` of the manifest of a map run.
    """
    report: dict[str, list[dict[str, str]]] = {"done": [], "failed": []}
    for what, image in outcomes(s3, details):
        report[what].append(image)
    return {what: sorted(images, key=lambda image: image["image"]) for what, images in report.items()}


def outcomes(s3: Any, details: Mapping[str, str]) -> Iterator[tuple[str, dict[str, str]]]:
    """The outcome of each image: ``done`` or ``failed``, and the image with its digest or reason.

    :param s3: client of S3.
    :param details: ``Bucket`` and ``Key`` of the manifest of a map run.
    """
    bucket = details["Bucket"]
    files = json.load(s3.get_object(Bucket=bucket, Key=details["Key"])["Body"])["ResultFiles"]
    for kind in ("SUCCEEDED", "FAILED", "PENDING"):
        for file in files.get(kind, ()):
            name = f"s3://{bucket}/{file['Key']}"
            for batch in entries(s3.get_object(Bucket=bucket, Key=file["Key"])["Body"], name=name):
                yield from _outcome(batch)


def _outcome(batch: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, str]]]:
    """The outcomes of the images of one batch, including those that its function did not report."""
    try:
        output = json.loads(batch.get("Output") or "null")
    except ValueError:
        output = None
    if isinstance(output, dict) and {"done", "failed"} <= output.keys():
        for image in output["done"]:
            yield "done", image
        for image in output["failed"]:
            yield "failed", {"image": printable(image["image"]), "reason": printable(image["reason"])}
        return
    reason = ": ".join(str(batch[key]) for key in ("Error", "Cause") if batch.get(key)) or "its batch was not begun"
    for image in images_of(json.loads(batch.get("Input") or "{}")):
        yield "failed", {"image": printable(image), "reason": printable(reason)}


def metrics(dimensions: Mapping[str, str], counts: Mapping[str, float], *, unit: str = "Count") -> str:
    """A line of a log from which CloudWatch makes metrics.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html

    :param dimensions: dimensions of all of them.
    :param counts: values by the name of the metric.
    :param unit: CloudWatch's unit of all of them.
    """
    what = {
        "Namespace": NAMESPACE,
        "Dimensions": [list(dimensions)],
        "Metrics": [{"Name": name, "Unit": unit} for name in counts],
    }
    stamp = {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": [what]}
    return json.dumps({"_aws": stamp, **dimensions, **counts})
