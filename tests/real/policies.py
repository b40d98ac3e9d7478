"""What synthesised policies allow, asked of a policy evaluator that others keep (cloud-copilot/iam-simulate)."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

TOOL = Path(__file__).parents[2] / "tools/iam"


@dataclass(frozen=True, kw_only=True)
class Question:
    """Whether a role may do something to a resource.

    ``identity`` are its own policies, ``resource_policies`` those of the resource, whose account is ``owner``.
    A role is passed to the service ``passed_to``. ``region`` is that of the request.
    """

    principal: str
    action: str
    resource: str
    owner: str
    identity: tuple[dict[str, Any], ...] = ()
    resource_policies: tuple[dict[str, Any], ...] = ()
    organization: str | None = None
    passed_to: str | None = None
    region: str | None = None


def allowed(questions: list[Question]) -> list[bool]:
    if not (TOOL / "node_modules").is_dir() or shutil.which("node") is None:
        message = "the policy evaluator is not installed; `npm ci --prefix tools/iam` installs it"
        pytest.fail(message) if os.environ.get("CI") else pytest.skip(message)
    done = subprocess.run(
        ["node", "evaluate.mjs"],
        cwd=TOOL,
        input=json.dumps([_simulation(question) for question in questions]),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [result == "Allowed" for result in json.loads(done.stdout)]


def _simulation(question: Question) -> dict[str, Any]:
    statements = [
        {**({} if "Resource" in statement else {"Resource": "*"}), **statement}
        for policy in question.resource_policies
        for statement in policy["Statement"]
    ]
    everything = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    scp = [{"orgIdentifier": "root", "policies": [{"name": "all", "policy": everything}]}]
    known = {
        "aws:PrincipalOrgID": question.organization,
        "iam:PassedToService": question.passed_to,
        "aws:RequestedRegion": question.region,
        "aws:ResourceAccount": question.owner,
    }
    context = {name: value for name, value in known.items() if value}
    return {
        "request": {
            "principal": question.principal,
            "action": question.action,
            "resource": {"resource": question.resource, "accountId": question.owner},
            "contextVariables": context,
        },
        "identityPolicies": [{"name": str(n), "policy": policy} for n, policy in enumerate(question.identity)],
        "serviceControlPolicies": scp,
        "resourceControlPolicies": [],
        **({"resourcePolicy": {"Version": "2012-10-17", "Statement": statements}} if statements else {}),
    }
