"""`cdk deploy`, seen: the stacks deployed, changed, broken off and destroyed by a deployment engine on the loopback.

The engine is fakecloud, a program of its own that nothing here links to. What it does not see is not proven.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml

from tests.real.engines import ROOT, _port, cache, missing

VERSION = "0.51.0"
ACCOUNT = "111122223333"
BASE: dict[str, Any] = {
    "accounts": {"platform": ACCOUNT},
    "registries": {
        "main": {
            "account": "platform",
            "region": "us-east-1",
            "upstreams": {"k8s": "registry.k8s.io", "hub": {"upstream": "docker.io", "credentials": "hub"}},
            "template": {"tags": {"a": "b"}, "lifecycle": {"expireUnpulledAfterDays": 90}},
            "replicateTo": ["west"],
            "pull": {"accounts": ["222233334444"]},
            "scanning": "BASIC",
        },
        "west": {"account": "platform", "region": "us-west-2"},
    },
    "clusters": {"demo": {"account": "platform", "region": "us-east-1", "registry": "main"}},
}


class Engine:
    def __init__(self, url: str, folder: Path) -> None:
        self.url = url
        self.folder = folder
        self.environment = {
            **os.environ,
            "AWS_ENDPOINT_URL": url, "AWS_ENDPOINT_URL_S3": url, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true",
        }  # fmt: skip
        self.seen: dict[str, set[str]] = {}
        self.gaps: set[str] = set()

    def write(self, configuration: dict[str, Any]) -> Path:
        path = self.folder / "configuration.yaml"
        path.write_text(yaml.safe_dump(configuration))
        return path

    def cdk(self, *arguments: str, expect: int = 0) -> str:
        context = ["--context", f"config={self.folder / 'configuration.yaml'}", "--output", str(self.folder / "out")]
        done = subprocess.run(
            [ROOT / "node_modules/.bin/cdk", *arguments, *context],
            cwd=ROOT, env=self.environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        output = done.stdout + done.stderr
        assert (done.returncode == 0) is (expect == 0), output
        self._remember(output)
        return output

    def deploy(self, configuration: dict[str, Any], *stacks: str, expect: int = 0) -> str:
        self.write(configuration)
        return self.cdk("deploy", *stacks, "--require-approval", "never", "--progress", "events", expect=expect)

    def check(self, *options: str, expect: int = 0) -> str:
        done = subprocess.run(
            [ROOT / ".venv/bin/ecr-pull-through", "check", "--config", self.folder / "configuration.yaml", "--registry", "main", *options],
            env=self.environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode in (0, 1), done.stdout + done.stderr
        # The engine says that it created the templates, and has none: `check` sees it, and the report counts it.
        lines = done.stdout.splitlines(keepends=True)
        gaps = [line for line in lines if line.startswith("main: template ")]
        self.gaps.update(gaps)
        found = "".join(line for line in lines if line not in gaps)
        assert bool(found) is bool(expect), done.stdout + done.stderr
        return found

    def client(self, service: str, region: str = "us-east-1") -> Any:
        return boto3.client(
            service, region_name=region, endpoint_url=self.url, aws_access_key_id="test", aws_secret_access_key="test"
        )

    def _remember(self, output: str) -> None:
        for line in output.splitlines():
            parts = [part.strip() for part in line.split("|")]
            if len(parts) >= 5 and parts[3].endswith("_COMPLETE") and parts[4].startswith("AWS::"):
                self.seen.setdefault(parts[4], set()).add(parts[3].split("_")[0])


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    program = cache() / f"fakecloud-{VERSION}" / "fakecloud"
    if not program.exists():
        missing("fakecloud", "make test-deploy")
    port = _port()
    with (tmp_path_factory.mktemp("engine") / "log").open("w") as log:
        command = [program, "--addr", f"127.0.0.1:{port}", "--account-id", ACCOUNT]
        process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            for _ in range(200):
                try:
                    socket.create_connection(("127.0.0.1", port), 1).close()
                    break
                except OSError:
                    time.sleep(0.1)
            running = Engine(f"http://127.0.0.1:{port}", tmp_path_factory.mktemp("deploy"))
            running.write(BASE)
            running.cdk("bootstrap", f"aws://{ACCOUNT}/us-east-1")
            running.deploy(BASE, "registry-main", "cluster-demo")
            yield running
        finally:
            process.terminate()
            process.wait(20)


def with_upstream(prefix: str, upstream: Any) -> dict[str, Any]:
    changed = json.loads(json.dumps(BASE))
    changed["registries"]["main"]["upstreams"][prefix] = upstream
    return changed


def touched(output: str) -> set[str]:
    """Types of the resources that a deployment changed."""
    events = [[part.strip() for part in line.split("|")] for line in output.splitlines() if line.count("|") >= 4]
    return {e[4] for e in events if e[3].startswith(("CREATE", "UPDATE", "DELETE"))} - {"AWS::CloudFormation::Stack"}


def rules(engine: Engine) -> dict[str, Any]:
    found = engine.client("ecr").describe_pull_through_cache_rules()["pullThroughCacheRules"]
    return {rule["ecrRepositoryPrefix"]: rule for rule in found}


def test_the_registry_is_as_the_configuration_says(engine):
    assert set(rules(engine)) == {"k8s", "hub"}
    findings = engine.check(expect=1).splitlines()
    assert findings == [
        "main: rule hub: its secret ecr-pullthroughcache/hub was made and never written to; put the user name and the token into it"
    ]


def test_once_the_secret_is_written_check_agrees(engine):
    value = json.dumps({"username": "robot", "accessToken": "token"})
    engine.client("secretsmanager").put_secret_value(SecretId="ecr-pullthroughcache/hub", SecretString=value)
    assert engine.check() == ""


def test_replication_and_registry_policy_are_there(engine):
    ecr = engine.client("ecr")
    (rule,) = ecr.describe_registry()["replicationConfiguration"]["rules"]
    assert rule["destinations"] == [{"region": "us-west-2", "registryId": ACCOUNT}]
    (statement,) = json.loads(ecr.get_registry_policy()["policyText"])["Statement"]
    assert statement["Action"] == ["ecr:BatchImportUpstreamImage", "ecr:CreateRepository"]


def test_deploying_again_changes_nothing(engine):
    assert touched(engine.deploy(BASE, "registry-main", "cluster-demo")) == set()
    assert "There were no differences" in engine.cdk("diff", "registry-main", "cluster-demo")


def test_an_upstream_more(engine):
    engine.deploy(with_upstream("public", "public.ecr.aws"), "registry-main")
    assert set(rules(engine)) == {"k8s", "hub", "public"}
    assert engine.check() == ""
    engine.deploy(BASE, "registry-main")
    assert set(rules(engine)) == {"k8s", "hub"}


def test_a_template_changes(engine):
    changed = json.loads(json.dumps(BASE))
    changed["registries"]["main"]["template"]["lifecycle"]["expireUnpulledAfterDays"] = 30
    assert touched(engine.deploy(changed, "registry-main")) == {"AWS::ECR::RepositoryCreationTemplate"}
    engine.deploy(BASE, "registry-main")


def test_a_deployment_that_fails_in_the_middle_is_rolled_back_and_can_be_repeated(engine):
    taken = engine.client("secretsmanager").create_secret(Name="ecr-pullthroughcache/taken", SecretString="{}")
    changed = with_upstream("github", {"upstream": "ghcr.io", "credentials": "taken"})
    engine.deploy(changed, "registry-main", expect=1)
    assert set(rules(engine)) == {"k8s", "hub"}
    engine.client("secretsmanager").delete_secret(SecretId=taken["ARN"], ForceDeleteWithoutRecovery=True)
    engine.deploy(changed, "registry-main")
    assert set(rules(engine)) == {"k8s", "hub", "github"}
    engine.deploy(BASE, "registry-main")


def test_another_secret_is_met_by_the_recorded_one_and_check_fix(engine):
    secrets = engine.client("secretsmanager")
    value = json.dumps({"username": "robot", "accessToken": "token"})
    new = secrets.create_secret(Name="ecr-pullthroughcache/hub2", SecretString=value)["ARN"]
    recorded = rules(engine)["hub"]["credentialArn"]
    changed = with_upstream("hub", {"upstream": "docker.io", "credentials": new, "recordedCredentials": recorded})
    engine.deploy(changed, "registry-main")
    assert rules(engine)["hub"]["credentialArn"] == recorded
    assert "CloudFormation cannot change it" in engine.check(expect=1)
    engine.check("--fix", "--yes")
    assert rules(engine)["hub"]["credentialArn"] == new
    assert engine.check() == ""
    assert touched(engine.deploy(changed, "registry-main")) == set()


def test_destroyed_nothing_is_left_but_the_secret(engine):
    engine.write(BASE)
    engine.cdk("destroy", "--all", "--force", "--progress", "events")
    assert rules(engine) == {}
    kept = {secret["Name"] for secret in engine.client("secretsmanager").list_secrets()["SecretList"]}
    assert "ecr-pullthroughcache/hub" in kept


def test_what_was_seen_is_written_down(engine):
    rows = "".join(
        f"| `{kind}` | {' | '.join(_cell(kind, verb, engine) for verb in ('CREATE', 'UPDATE', 'DELETE'))} |\n"
        for kind in sorted(engine.seen)
        if kind in SHOWN
    )
    assert rows.count("AWS::ECR::") == 5
    (ROOT / "docs/verification.md").write_text(
        "# Verification\n\nWritten by `make test-deploy`: what a deployment engine did with the stacks, through the real CDK CLI.\n\n"
        f"Engine: fakecloud {VERSION}, on the loopback, for one account in one Region. It is opt-in, because building it takes up\n"
        "to an hour of processor time.\n\n"
        f"| resource type | created | updated | deleted |\n|---|---|---|---|\n{rows}\n"
        "\\* The engine says so, and has no such template afterwards; `check` reports it.\n\n"
        "What no engine here could see is not proven: creation templates at work, replication itself, whether AWS accepts each\n"
        "policy, other accounts, custom resources and node groups, and the failure of a replacement of a rule.\n"
    )


SHOWN = {
    "AWS::ECR::PullThroughCacheRule", "AWS::ECR::RegistryPolicy", "AWS::ECR::RegistryScanningConfiguration",
    "AWS::ECR::ReplicationConfiguration", "AWS::ECR::RepositoryCreationTemplate", "AWS::IAM::ManagedPolicy",
    "AWS::SecretsManager::Secret",
}  # fmt: skip


def _cell(kind: str, verb: str, engine: Engine) -> str:
    if verb not in engine.seen[kind]:
        return "not seen"
    return "yes\\*" if kind.endswith("Template") and engine.gaps else "yes"
