"""A report from the results of a Distributed Map: batches that succeeded, failed, and were not begun."""

import io
import json
import tracemalloc

import boto3
import pytest
from moto import mock_aws

from ecr_pull_through_cache.functions import reporting
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


def test_a_batch_whose_result_cannot_be_read_is_not_lost(results):
    for output in ("<html>", "[]", "5", '{"done": []}'):
        report = results(SUCCEEDED=[{"Output": output, "Input": items("a:1"), "Error": "E"}])
        assert report["failed"] == [{"image": "a:1", "reason": "E"}]


class S3:
    """As many images as a test wants, made while they are read."""

    def __init__(self, batches):
        self.batches = batches
        self.size = 0

    def get_object(self, **asked):
        if asked["Key"] == "manifest":
            return {"Body": io.BytesIO(json.dumps({"ResultFiles": {"SUCCEEDED": [{"Key": "results"}]}}).encode())}
        return {"Body": self}

    def read(self, size):
        if not self.batches:
            return b""
        self.batches -= 1
        made = [
            {"image": f"registry.k8s.io/image:{self.batches}-{n}", "digest": "sha256:" + "0" * 64} for n in range(19)
        ]
        failed = [{"image": f"registry.k8s.io/none:{self.batches}", "reason": "\x1b" + "m" * 3_000}]
        batch = json.dumps({"Output": json.dumps({"done": made, "failed": failed})}).encode()
        first = not self.size
        self.size += len(batch)
        return (b"[" if first else b",") + batch + (b"" if self.batches else b"]")

    def put_object(self, **asked):
        self.length, self.body = len(asked["Body"]), asked["Body"].read()


def test_a_report_of_any_length_is_written_without_being_held(monkeypatch):
    s3 = S3(2_000)
    monkeypatch.setattr(reporting.boto3, "client", lambda *_: s3)
    monkeypatch.setattr(s3, "put_object", lambda **asked: setattr(s3, "length", len(asked["Body"])), raising=False)
    event = {
        "results": {"ResultWriterDetails": {"Bucket": "b", "Key": "manifest"}}, "execution": "e", "list": {}, "stateMachine": "s",
        "report": {"Bucket": "b", "Key": "k"},
    }  # fmt: skip
    tracemalloc.start()
    result = reporting.handler(event, None)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (result["ImagesWarmed"], result["ImagesFailed"], len(result["failed"])) == (38_000, 2_000, 20)
    assert s3.length > 5_000_000
    assert most < 3_000_000
    assert len(json.dumps(result)) < 30_000


def test_the_report_has_every_image(monkeypatch):
    s3 = S3(3)
    monkeypatch.setattr(reporting.boto3, "client", lambda *_: s3)
    event = {
        "results": {"ResultWriterDetails": {"Bucket": "b", "Key": "manifest"}}, "execution": "e", "list": {"key": "k"},
        "stateMachine": "s", "report": {"Bucket": "b", "Key": "k"},
    }  # fmt: skip
    reporting.handler(event, None)
    report = json.loads(s3.body)
    assert {name: len(value) for name, value in report.items()} == {"execution": 1, "list": 1, "done": 57, "failed": 3}
    assert all(len(image["reason"]) == 500 + 3 for image in report["failed"]), "the escape is written out"


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
