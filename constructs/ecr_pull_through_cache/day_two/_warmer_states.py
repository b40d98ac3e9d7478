"""The state machine of the image warmer, in the Amazon States Language.

https://states-language.net
https://docs.aws.amazon.com/step-functions/latest/dg/state-map-distributed.html
"""

from __future__ import annotations

from typing import Any

from ..functions.contract import PER_BATCH

LIST_KEY = "images.txt"
"""Key of the list in the bucket, where no list is given in the app."""
REPORTS, RESULTS = "reports/", "results/"
"""Prefixes in the bucket of the reports, and of the results that the map writes."""


def definition(
    *,
    import_function: str,
    report_function: str,
    bucket: str,
    max_concurrency: int = 10,
    timeout_seconds: float = 43_200,
    partition: str = "aws",
) -> dict[str, Any]:
    """The definition of the state machine.

    :param import_function: ARN of the function that imports a batch.
    :param report_function: ARN of the function that writes the report.
    :param bucket: name of the bucket for results and report.
    :param max_concurrency: number of batches at once.
    :param timeout_seconds: time after which a run has failed.
    :param partition: ``aws``, or a token.
    """
    service = f"arn:{partition}:states:::"

    def invoke(function: str, **more: Any) -> dict[str, Any]:
        return {
            "Type": "Task",
            "Resource": f"{service}lambda:invoke",
            "OutputPath": "$.Payload",
            "Retry": [
                {
                    "ErrorEquals": ["States.ALL"],
                    "IntervalSeconds": 5,
                    "BackoffRate": 2,
                    "MaxDelaySeconds": 300,
                    "MaxAttempts": 6,
                    "JitterStrategy": "FULL",
                }
            ],
            **more,
            "Parameters": {"FunctionName": function, **more.get("Parameters", {})},
        }

    batch = {
        "Import": invoke(import_function, Parameters={"Payload.$": "$"}, Next="Finished"),
        "Finished": {
            "Type": "Choice",
            "Choices": [{"Variable": "$.pending[0]", "IsPresent": True, "Next": "Wait"}],
            "Default": "Done",
        },
        "Wait": {"Type": "Wait", "SecondsPath": "$.pause", "Next": "Import"},
        "Done": {"Type": "Succeed"},
    }
    report = {
        "results.$": "$.results",
        "list": {"bucket.$": "$.bucket", "key.$": "$.key"},
        "execution.$": "$$.Execution.Name",
        "stateMachine.$": "$$.StateMachine.Name",
        "report": {"Bucket": bucket, "Key.$": f"States.Format('{REPORTS}{{}}.json', $$.Execution.Name)"},
    }
    return {
        "Comment": "Imports images into the Amazon ECR pull through cache",
        "TimeoutSeconds": timeout_seconds,
        "StartAt": "Warm",
        "States": {
            "Warm": {
                "Type": "Map",
                "Label": "Batches",
                "ItemReader": {
                    "Resource": f"{service}s3:getObject",
                    "ReaderConfig": {"InputType": "CSV", "CSVHeaderLocation": "GIVEN", "CSVHeaders": ["image"]},
                    "Parameters": {"Bucket.$": "$.bucket", "Key.$": "$.key"},
                },
                "ItemBatcher": {"MaxItemsPerBatch": PER_BATCH},
                "MaxConcurrency": max_concurrency,
                # A batch that failed stops no other one; the report names its images.
                "ToleratedFailurePercentage": 100,
                "ItemProcessor": {
                    "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
                    "StartAt": "Import",
                    "States": batch,
                },
                "ResultWriter": {
                    "Resource": f"{service}s3:putObject",
                    "Parameters": {"Bucket": bucket, "Prefix": RESULTS.rstrip("/")},
                },
                "ResultPath": "$.results",
                # A new role takes effect a little later; the batches have retries of their own.
                "Retry": [
                    {
                        "ErrorEquals": ["States.ItemReaderFailed"],
                        "IntervalSeconds": 20,
                        "BackoffRate": 2,
                        "MaxAttempts": 3,
                        "JitterStrategy": "FULL",
                    }
                ],
                "Next": "Report",
            },
            "Report": invoke(report_function, Parameters={"Payload": report}, End=True),
        },
    }
