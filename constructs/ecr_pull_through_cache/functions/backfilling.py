"""Creation templates brought to repositories that were there before them, when a deployment changes them."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping
from typing import Any

from ..errors import UserError
from ..operations.aws import ecr_client
from ..operations.backfilling import Backfiller, Change, Failed, Left
from ..operations.parallel import THREADS, in_order
from .cloudformation import Unfinished, answer
from .contract import PREFIXES, REPLACE
from .reporting import metrics

MARGIN = 60.0
"""Seconds before Lambda's own time-out in which nothing more is begun."""


def handler(event: Mapping[str, Any], context: Any) -> dict[str, int]:
    """Bring the deployed templates to what exists. CloudFormation has its answer before: no deployment waits for it.

    :param event: the request of a custom resource, or nothing, for a run by hand.
    :param context: Lambda's context, for the time that is left.
    :returns: how many settings were changed, left as others made them, and could not be changed.
    :raises Unfinished: when time was over before.
    """
    answer(event)
    if event.get("RequestType") == "Delete":
        return {}
    until = time.monotonic() + context.get_remaining_time_in_millis() / 1000 - MARGIN
    counts = {"SettingsChanged": 0, "SettingsLeft": 0, "SettingsFailed": 0}
    ecr = ecr_client(os.environ["AWS_REGION"], connections=THREADS)
    backfiller = Backfiller(ecr, replace=json.loads(os.environ.get(REPLACE, "[]")))
    for what, line in _steps(backfiller, tuple(json.loads(os.environ[PREFIXES])), until):
        counts[what] += 1
        print(json.dumps({what: line}))
    print(metrics({"Function": context.function_name}, counts))
    return counts


def _steps(backfiller: Backfiller, prefixes: tuple[str, ...], until: float) -> Iterator[tuple[str, str]]:
    """The outcomes of the settings."""

    def apply(step: Change | Left | Failed) -> tuple[str, str]:
        if time.monotonic() > until:
            raise Unfinished("the time limit is reached; the next invocation continues with the remaining repositories")
        if not isinstance(step, Change):
            kind = "SettingsFailed" if isinstance(step, Failed) else "SettingsLeft"
            return kind, f"{step.repository}: {step.reason}"
        try:
            backfiller.apply(step)
        except UserError as error:
            return "SettingsFailed", f"{step.repository}: {step.what}: {error}"
        return "SettingsChanged", f"{step.repository}: {step.what}"

    yield from in_order(apply, backfiller.plan(prefixes), threads=THREADS)
