"""A report from the results of a Distributed Map: batches that succeeded, failed, and were not begun."""

import json

import boto3
import pytest
from moto import mock_aws

from ecr_pull_through_cache.functions.contract import NAMESPACE
from ecr_pull_through_cache.functions.reporting import metrics, read

DETAILS = {"Bucket": "warmer", "Key": "results/run/manifest.json"}


@pytest.fixture
def results(monkeypatch):
    """Writes result files as Step Functions does, and reads the report."""
    for key in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(key, "x")
    with mock_aws():
        s3 = boto3.client("s3", region_name="us-east-1")
        s3.create_bucket(Bucket="warmer")

        def report(**files):
            named = {}
            for kind, batches in files.items():
                key = f"results/run/{kind}_0.json"
                s3.put_object(Bucket="warmer", Key=key, Body=json.dumps(batches))
                named[kind] = [{"Key": key, "Size": len(batches)}]
            manifest = {"DestinationBucket": "warmer", "MapRunArn": "arn", "ResultFiles": named}
            s3.put_object(**DETAILS, Body=json.dumps(manifest))
            return read(s3, DETAILS)

        yield report


def items(*images):
    return json.dumps({"Items": [{"image": image} for image in images]})


def test_what_each_batch_says_of_its_images_is_put_together_in_order(results):
    outputs = [
        {"done": [{"image": "b:1", "digest": "sha256:b"}], "failed": [{"image": "c:1", "reason": "no such image"}]},
        {"done": [{"image": "a:1", "digest": "sha256:a"}], "failed": []},
    ]
    report = results(SUCCEEDED=[{"Status": "SUCCEEDED", "Output": json.dumps(output)} for output in outputs])
    assert report == {
        "done": [{"image": "a:1", "digest": "sha256:a"}, {"image": "b:1", "digest": "sha256:b"}],
        "failed": [{"image": "c:1", "reason": "no such image"}],
    }


def test_no_image_of_a_batch_that_failed_is_lost(results):
    failed = {"Status": "FAILED", "Input": items("a:1", "", "b:1"), "Error": "Lambda.Unknown", "Cause": "x" * 9_999}
    report = results(FAILED=[failed])
    assert [image["image"] for image in report["failed"]] == ["a:1", "b:1"]
    assert all(image["reason"].startswith("Lambda.Unknown: xxx") for image in report["failed"])
    assert all(len(image["reason"]) == 500 for image in report["failed"])


def test_nor_of_one_that_was_not_begun(results):
    report = results(PENDING=[{"Status": "PENDING", "Input": items("a:1")}])
    assert report["failed"] == [{"image": "a:1", "reason": "its batch was not begun"}]


def test_an_empty_list_is_an_empty_report(results):
    assert results(SUCCEEDED=[]) == {"done": [], "failed": []}


def test_metrics_are_in_cloudwatch_s_embedded_format():
    line = json.loads(metrics({"StateMachine": "warmer"}, {"ImagesWarmed": 3, "ImagesFailed": 0}))
    (directive,) = line["_aws"]["CloudWatchMetrics"]
    assert directive == {
        "Namespace": NAMESPACE,
        "Dimensions": [["StateMachine"]],
        "Metrics": [{"Name": "ImagesWarmed", "Unit": "Count"}, {"Name": "ImagesFailed", "Unit": "Count"}],
    }
    assert (line["StateMachine"], line["ImagesWarmed"], line["ImagesFailed"]) == ("warmer", 3, 0)
    assert line["_aws"]["Timestamp"] > 1_600_000_000_000, "milliseconds"
