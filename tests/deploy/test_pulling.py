"""Images pulled through a deployed rule by a real client, and the verbs of day two on what that made.

The rule's upstream is a real registry on the loopback: its URL is put into the synthesised template in place of
registry.k8s.io. Everything else is deployed as it is synthesised.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
import tarfile
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.deploy.deploying import PLATFORM
from tests.real.engines import engine
from tests.real.registries import Pusher, registry

REGION = "us-east-1"
HOST = f"{PLATFORM}.dkr.ecr.{REGION}.amazonaws.com"
CONFIGURATION = {
    "accounts": {"platform": PLATFORM},
    "registries": {
        "main": {
            "account": "platform",
            "region": REGION,
            "upstreams": {"k8s": "registry.k8s.io"},
            "template": {"resourceTags": {"origin": "cache"}, "lifecyclePolicy": {"expireAfterDays": 90}},
            "pull": {"accounts": ["222233334444"]},
        }
    },
    "clusters": {"demo": {"account": "platform", "region": REGION, "registry": "main"}},
}


@pytest.fixture(scope="module")
def upstream():
    with registry() as url:
        pusher = Pusher(url)
        digests = {name: pusher.image(name, "v1") for name in ("pause", "coredns/coredns", "kube-proxy", "etcd")}
        yield url, digests
        pusher.close()


@pytest.fixture(scope="module")
def aws(cloud, upstream):
    deployer, (url, _) = cloud.deployer, upstream
    cloud.fleet.registry = (PLATFORM, REGION)
    deployer.bootstrap(PLATFORM, REGION)
    deployer.configure(CONFIGURATION)

    def change(resource: dict[str, Any]) -> None:
        if resource["Type"] == "AWS::ECR::PullThroughCacheRule":
            assert resource["Properties"]["UpstreamRegistryUrl"] == "registry.k8s.io"
            resource["Properties"]["UpstreamRegistryUrl"] = url

    deployer.synthesise(change)
    deployer.client("ecr", REGION).create_repository(repositoryName="k8s/older")
    deployer.deploy()
    return deployer


@pytest.fixture(scope="module")
def crane(aws, tmp_path_factory):
    """A real client, signed in as people do it."""
    program, home = engine("crane"), tmp_path_factory.mktemp("crane")
    host = aws.url.removeprefix("http://")

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [program, *arguments],
            env={**os.environ, "DOCKER_CONFIG": str(home)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    answer = aws.client("ecr", REGION).get_authorization_token()["authorizationData"][0]["authorizationToken"]
    user, _, password = base64.b64decode(answer).decode().partition(":")
    run("auth", "login", host, "--username", user, "--password", password)
    return lambda *arguments: run(*(a.replace("CACHE", host) for a in arguments))


def repositories(aws) -> set[str]:
    found = aws.client("ecr", REGION).describe_repositories()["repositories"]
    return {r["repositoryName"] for r in found if r["repositoryName"].startswith("k8s/")}


def test_a_client_pulls_an_image_through_the_deployed_rule(aws, crane, upstream, tmp_path):
    assert repositories(aws) == {"k8s/older"}
    assert crane("digest", "CACHE/k8s/pause:v1") == upstream[1]["pause"]
    # crane holds each layer against its digest while it pulls.
    crane("pull", "CACHE/k8s/pause:v1", str(tmp_path / "image.tar"), "--platform", "linux/arm64")
    with tarfile.open(tmp_path / "image.tar") as image:
        assert any(b"pause linux/arm64" in image.extractfile(m).read() for m in image.getmembers() if m.isfile())
    assert repositories(aws) == {"k8s/older", "k8s/pause"}


def test_the_template_settles_what_it_made_by_backfill(aws):
    """The engine makes repositories without a look at templates: what ECR does by itself is here done by `backfill`."""
    ecr = aws.client("ecr", REGION)
    with pytest.raises(ClientError, match="RepositoryPolicyNotFoundException"):
        ecr.get_repository_policy(repositoryName="k8s/pause")
    assert any("ecr-pull-through backfill brings" in finding for finding in findings(aws))
    options = ["--config", aws.configuration, "--prefix", "k8s"]
    shown = aws.run("backfill", *options)
    assert shown.returncode == 0, shown.stderr
    assert "k8s/pause" in shown.stdout
    done = aws.run("backfill", *options, "--yes")
    assert done.returncode == 0, done.stderr
    (statement,) = json.loads(ecr.get_repository_policy(repositoryName="k8s/pause")["policyText"])["Statement"]
    assert statement["Principal"] == {"AWS": "arn:aws:iam::222233334444:root"}
    assert {"ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"} <= set(statement["Action"])
    lifecycle = json.loads(ecr.get_lifecycle_policy(repositoryName="k8s/pause")["lifecyclePolicyText"])
    assert lifecycle["rules"][0]["selection"]["countNumber"] == 90
    arn = f"arn:aws:ecr:{REGION}:{PLATFORM}:repository/k8s/pause"
    assert {"Key": "origin", "Value": "cache"} in ecr.list_tags_for_resource(resourceArn=arn)["tags"]
    assert findings(aws) == []


PODS = {
    "apiVersion": "v1",
    "kind": "List",
    "items": [
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name.replace("/", "-"), "namespace": "kube-system"},
            "spec": {"containers": [{"name": "main", "image": f"registry.k8s.io/{name}:v1"}]},
        }
        for name in ("pause", "coredns/coredns", "kube-proxy")
    ],
}


def test_what_runs_is_warmed(aws, upstream, tmp_path):
    listed = aws.run("inventory", "-", "--config", aws.configuration, "--output", "images", text=json.dumps(PODS))
    assert listed.returncode == 0, listed.stderr
    images = tmp_path / "images"
    images.write_text(listed.stdout)
    assert len(listed.stdout.splitlines()) == 3
    warm = ["warm", f"@{images}", "--config", aws.configuration, "--registry-url", aws.url, "--wait", "30", "--json"]
    done = aws.run(*warm)
    assert done.returncode == 0, done.stdout + done.stderr
    results = {line["image"]: line for line in map(json.loads, done.stdout.splitlines())}
    assert {image: r["digest"] for image, r in results.items()} == {
        f"{HOST}/k8s/{name}:v1": upstream[1][name] for name in ("pause", "coredns/coredns", "kube-proxy")
    }
    assert {image for image, r in results.items() if r["wasThere"]} == {f"{HOST}/k8s/pause:v1"}
    again = aws.run(*warm)
    assert all(json.loads(line)["wasThere"] for line in again.stdout.splitlines())
    assert repositories(aws) == {"k8s/older", "k8s/pause", "k8s/coredns/coredns", "k8s/kube-proxy"}


def test_an_image_that_is_not_upstream_is_said_to_be_none(aws):
    done = aws.run("warm", "registry.k8s.io/none:v1", "--config", aws.configuration, "--registry-url", aws.url)
    assert done.returncode == 1
    assert "none:v1" in done.stderr


def test_purge_removes_what_the_rule_made_and_the_rule(aws):
    command = ["purge", "k8s", "--config", aws.configuration, "--registry", "main"]
    before = repositories(aws)
    # In ECR the template has given these its tag, by which purge knows what the rule made.
    assert aws.run("backfill", "--config", aws.configuration, "--yes").returncode == 0
    shown = aws.run(*command)
    assert shown.returncode == 0, shown.stdout + shown.stderr
    assert repositories(aws) == before
    done = aws.run(*command, "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    assert repositories(aws) == {"k8s/older"}, done.stdout + done.stderr
    assert aws.client("ecr", REGION).describe_pull_through_cache_rules()["pullThroughCacheRules"] == []


def test_a_stack_whose_rule_was_purged_can_be_destroyed(aws):
    aws.destroy()
    left = aws.client("cloudformation", REGION).list_stacks()["StackSummaries"]
    assert {s["StackName"] for s in left if s["StackStatus"] != "DELETE_COMPLETE"} == {"CDKToolkit"}


def findings(aws) -> list[str]:
    """What `check` finds, but for the upstream that this file put into the rule."""
    return [finding for finding in aws.check() if not finding.startswith("main: rule k8s: ")]
