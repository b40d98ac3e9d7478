"""What became of a run: the results of a Step Functions Distributed Map, read together into one report and counted.

https://docs.aws.amazon.com/step-functions/latest/dg/input-output-resultwriter.html
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from typing import Any

import boto3

from .contract import NAMESPACE
from .warming import images_of

MOST_NAMED = 20
"""How many images that failed are named in what the state machine shows; the report has all of them."""
_LONGEST_REASON = 500


def handler(event: Mapping[str, Any], _: Any) -> dict[str, Any]:
    """Write the report of a run and count its images.

    :param event: ``results`` as the map's result writer gives them, ``list`` that was worked on, name of the ``execution``
        and of the ``stateMachine``, and the ``report`` to write: ``Bucket`` and ``Key``.
    """
    s3 = boto3.client("s3")
    report = read(s3, event["results"]["ResultWriterDetails"])
    text = json.dumps({"execution": event["execution"], "list": event["list"], **report}, indent=2)
    s3.put_object(**event["report"], Body=text.encode(), ContentType="application/json")
    counts = {"ImagesWarmed": len(report["done"]), "ImagesFailed": len(report["failed"])}
    print(metrics({"StateMachine": event["stateMachine"]}, counts))
    return {**counts, "failed": report["failed"][:MOST_NAMED], "report": event["report"]}


def read(s3: Any, details: Mapping[str, str]) -> dict[str, list[dict[str, str]]]:
    """What became of each image.

    :param s3: client of S3.
    :param details: ``Bucket`` and ``Key`` of the manifest of a map run.
    """
    bucket = details["Bucket"]
    files = _json(s3, bucket, details["Key"])["ResultFiles"]
    report: dict[str, list[dict[str, str]]] = {"done": [], "failed": []}
    for kind in ("SUCCEEDED", "FAILED", "PENDING"):
        for file in files.get(kind, ()):
            for batch in _json(s3, bucket, file["Key"]):
                for what, images in _outcome(batch):
                    report[what] += images
    return {what: sorted(images, key=lambda image: image["image"]) for what, images in report.items()}


def _outcome(batch: Mapping[str, Any]) -> Iterator[tuple[str, list[dict[str, str]]]]:
    if batch.get("Output"):
        output = json.loads(batch["Output"])
        yield "done", output["done"]
        yield "failed", output["failed"]
        return
    reason = ": ".join(str(batch[key]) for key in ("Error", "Cause") if batch.get(key)) or "its batch was not begun"
    images = images_of(json.loads(batch.get("Input") or "{}"))
    yield "failed", [{"image": image, "reason": reason[:_LONGEST_REASON]} for image in images]


def _json(s3: Any, bucket: str, key: str) -> Any:
    return json.load(s3.get_object(Bucket=bucket, Key=key)["Body"])


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
