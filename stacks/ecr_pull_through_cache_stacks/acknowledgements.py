"""Acknowledgements of findings of cdk-nag's AwsSolutions rules, with reasons."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import aws_cdk as cdk

from constructs import IConstruct
from ecr_pull_through_cache import ROOT, CacheRegistry

if TYPE_CHECKING:
    from ecr_pull_through_cache import ImageWarmer

_REASONS = {
    "AwsSolutions-IAM5": "AWS allows ecr:GetAuthorizationToken on * alone, and ECR names repositories below a prefix "
    "after images that nobody knows yet",
    "AwsSolutions-ECR1": "* is narrowed by the condition aws:PrincipalOrgID to accounts of the organisation",
    "AwsSolutions-SMG4": "the token is issued by the upstream registry, where no Lambda function can rotate it",
}
_EVERYTHING = (
    "AWS allows log delivery, tracing, reading quotas, rules and templates on * alone, and listing repositories on all of "
    "the registry's"
)
_RUNS = "Step Functions names the runs of a state machine and the files of their results after themselves"
_NO_ACCESS_LOG = "it holds names of images and what became of them; CloudTrail's data events can tell who read it"


def acknowledge(scope: IConstruct, *rules: str, repositories: Iterable[str] = ()) -> None:
    """Acknowledge findings of rules below a construct.

    :param scope: the construct.
    :param rules: ids of the rules.
    :param repositories: patterns of repositories' ARNs, for each of which AwsSolutions-IAM5 finds a wildcard.
    """
    wildcards = map(_wildcard, repositories)
    _acknowledge(scope, {rule: _REASONS[rule.partition("[")[0]] for rule in (*rules, *wildcards)})


def acknowledge_day_two(scope: IConstruct) -> None:
    """Acknowledge what is found in functions that work on a whole registry.

    :param scope: the construct.
    """
    registry = CacheRegistry.of(scope).arn_for_repositories(ROOT)
    _acknowledge(scope, {_wildcard(resource): _EVERYTHING for resource in ("*", registry)})


def acknowledge_warmer(warmer: ImageWarmer) -> None:
    """Acknowledge what is found in a warmer.

    :param warmer: the warmer, with a bucket of its own.
    """
    stack = cdk.Stack.of(warmer)
    here = CacheRegistry.of(warmer)
    bucket, machine = (
        stack.get_logical_id(resource.node.default_child)  # type: ignore[arg-type]  # both are L1s
        for resource in (warmer.bucket, warmer.state_machine)
    )
    runs = f"arn:{here.partition}:states:{here.region}:{here.account}:execution:<{machine}.Name>"
    found = [*(f"<{bucket}.Arn>/{prefix}/*" for prefix in ("reports", "results")), f"{runs}:*", f"{runs}/*"]
    _acknowledge(warmer, {"AwsSolutions-S1": _NO_ACCESS_LOG, **{_wildcard(resource): _RUNS for resource in found}})


def _wildcard(resource: str) -> str:
    return f"AwsSolutions-IAM5[Resource::{resource}]"


def _acknowledge(scope: IConstruct, reasons: Mapping[str, str]) -> None:
    cdk.Validations.of(scope).acknowledge(
        *(cdk.Acknowledgment(id=f"AwsSolutions::{rule}", reason=reason) for rule, reason in reasons.items())
    )
