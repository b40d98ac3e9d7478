"""The CDK CLI and the package's own command line, pointed at a fleet of engines."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import boto3
import yaml
from botocore.config import Config

from tests.deploy.mending import mend, stacks
from tests.deploy.verification import Record
from tests.support import ROOT

PLATFORM = "111122223333"
"""The account of the registries in environments/."""
CDK = ROOT / "node_modules/.bin/cdk"
BIN = ROOT / ".venv/bin"


class Deployer:
    """Somebody who deploys, with the credentials of one account.

    :param url: where AWS is.
    :param account: whose credentials.
    :param folder: where configuration and templates are kept.
    :param record: what is seen.
    :param engine: name and version of the engine.
    :param mended: whether the engine's CloudFormation is to be given what it lacks.
    """

    def __init__(
        self, url: str, account: str, folder: Path, record: Record, engine: str, *, mended: bool = True
    ) -> None:
        self.url = url
        self.account = account
        self.folder = folder
        self.record = record
        self.engine = engine
        self.out = folder / "out"
        self.app = f"{BIN / 'python'} app.py"
        self._fixed = mended
        self._counted: set[str] = set()
        self.configuration = folder / "configuration.yaml"

    def environment(self, account: str | None = None) -> dict[str, str]:
        key = account or self.account
        return {
            **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
            "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": key,
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "CDK_DISABLE_CLI_TELEMETRY": "true",
        }

    def configure(self, configuration: Mapping[str, Any]) -> None:
        self.configuration.write_text(yaml.safe_dump(dict(configuration), sort_keys=False))

    def command(self, *arguments: str) -> list[str]:
        output = ["--output", str(self.out)] if self.app.endswith(".py") else []
        return [str(CDK), *arguments, "--app", self.app, "--context", f"config={self.configuration}", *output]

    def cdk(self, *arguments: str, fails: bool = False) -> str:
        done = subprocess.run(
            self.command(*arguments), cwd=ROOT, env=self.environment(), capture_output=True, text=True, check=False
        )
        output = done.stdout + done.stderr
        assert (done.returncode != 0) is fails, output
        return output

    def bootstrap(self, account: str, *regions: str, trust: str | None = None) -> None:
        environments = [f"aws://{account}/{region}" for region in regions]
        trusted = [
            "--trust",
            trust,
            "--cloudformation-execution-policies",
            "arn:aws:iam::aws:policy/AdministratorAccess",
        ]
        done = subprocess.run(
            [CDK, "bootstrap", *environments, *(trusted if trust else [])],
            cwd=self.folder, env=self.environment(account), capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr

    def deploy(self, *names: str, fails: bool = False) -> set[str]:
        """Deploy stacks, all of them if none is named.

        :returns: the types of the resources that were changed.
        """
        self.cdk("deploy", *(names or ["--all"]), *UNATTENDED, fails=fails)
        return self.settle()

    def synthesise(self, change: Callable[[dict[str, Any]], None]) -> None:
        """Synthesise, change what comes out, and deploy that from now on.

        :param change: called with each resource.
        """
        self.app = f"{BIN / 'python'} app.py"
        self.cdk("synth", "--quiet")
        for path in self.out.glob("*.template.json"):
            template = json.loads(path.read_text())
            for resource in template["Resources"].values():
                change(resource)
            path.write_text(json.dumps(template))
        self.app = str(self.out)

    def destroy(self, *names: str) -> set[str]:
        """Destroy stacks, all of them if none is named; gives the types of what they held."""
        self.cdk("destroy", *(names or ["--all"]), "--force")
        return self.settle()

    def settle(self) -> set[str]:
        """Write down what happened in the stacks since the last time, and give the engine what it lacks."""
        found = set()
        for account, region in {(account, region) for account, region, _, _ in stacks(self)}:
            for kind, state in self._events(self.client("cloudformation", region, account)):
                self.record.saw(self.engine, kind, state)
                found |= {kind} - {"AWS::CloudFormation::Stack"}
        if self._fixed:
            mend(self)
        return found

    def found(self, how: str, *kinds: str) -> None:
        """Write down what was found as the configuration says."""
        self.record.found(self.engine, how, *kinds)

    def gone(self, *kinds: str) -> None:
        """Write down what the service says is not there any more: the engine has no events of a stack's deletion."""
        for kind in kinds:
            self.record.saw(self.engine, kind, "DELETE_COMPLETE")

    def _events(self, cloudformation: Any) -> Iterator[tuple[str, str]]:
        for stack in cloudformation.list_stacks()["StackSummaries"]:
            if not stack["StackName"].startswith("ecr-pull-through-"):
                continue
            for event in cloudformation.describe_stack_events(StackName=stack["StackId"])["StackEvents"]:
                if event["EventId"] not in self._counted:
                    self._counted.add(event["EventId"])
                    yield event["ResourceType"], event["ResourceStatus"]

    def run(self, *arguments: str | Path, text: str | None = None) -> subprocess.CompletedProcess[str]:
        """A verb of the package's command line."""
        return subprocess.run(
            [str(BIN / "ecr-pull-through"), *map(str, arguments)],
            cwd=self.folder, env=self.environment(), input=text, capture_output=True, text=True, check=False,
        )  # fmt: skip

    def check(self, *options: str) -> list[str]:
        """What `check` finds."""
        done = self.run("check", "--config", self.configuration, *options)
        assert done.returncode in (0, 1), done.stdout + done.stderr
        findings = done.stdout.splitlines()
        assert findings or done.returncode == 0, done.stdout + done.stderr
        return findings

    def client(self, service: str, region: str, account: str | None = None) -> Any:
        return boto3.client(
            service, region_name=region, endpoint_url=self.url, aws_access_key_id=account or self.account,
            aws_secret_access_key="test", config=Config(retries={"max_attempts": 1}),
        )  # fmt: skip


UNATTENDED = ["--require-approval", "never", "--progress", "events", "--concurrency", "4"]


def leave_out(resource: dict[str, Any]) -> None:
    """Put something in the place of a resource that does nothing, and that others can still depend on."""
    resource["Type"] = "AWS::CloudFormation::WaitConditionHandle"
    resource["Properties"] = {}


def changed(configuration: Mapping[str, Any]) -> Any:
    """A copy to change."""
    return json.loads(json.dumps(configuration))
