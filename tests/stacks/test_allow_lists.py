"""What an allow list and known repositories only come to, asked of a policy evaluator: by meaning, not by text."""

from pathlib import Path

import aws_cdk as cdk
import pytest

from app import build
from ecr_pull_through_cache.configuration import parse
from tests.real.policies import Question, allowed
from tests.support.assemblies import of_kind, resolved, templates

HUB, WORK = "111122223333", "222233334444"
IMPORT, CREATE, PULL = "ecr:BatchImportUpstreamImage", "ecr:CreateRepository", "ecr:BatchGetImage"
TEXT = f"""
registries:
  hub:
    account: "{HUB}"
    region: eu-west-1
    upstreams:
      docker-hub: {{ upstream: docker.io, credentials: hub, allow: [library/alpine, "bitnami/*"] }}
      quay: {{ upstream: quay.io, knownRepositoriesOnly: true }}
      k8s: registry.k8s.io
clusters:
  near: {{ account: "{HUB}", region: eu-west-1, registry: hub, nodes: [{{ role: near }}] }}
  far: {{ account: "{WORK}", region: eu-west-1, registry: hub, nodes: [{{ role: far }}] }}
"""
# AWS's own AmazonEC2ContainerRegistryPullOnly, and what an administrator adds to it.
WIDE = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Resource": "*", "Action": ["ecr:GetAuthorizationToken", PULL, IMPORT, CREATE]}],
}


@pytest.fixture(scope="module")
def stacks(tmp_path_factory):
    folder: Path = tmp_path_factory.mktemp("allow")
    (folder / "configuration.yaml").write_text(TEXT)
    app = cdk.App(builtin_cloud_formation_validation=False, outdir=str(folder / "out"), analytics_reporting=False)
    build(app, str(folder / "configuration.yaml"))
    return templates(Path(app.synth().directory))


def ask(stacks, cluster, action, repository, *, beside=(), own=True, region="eu-west-1", registry=HUB):
    nodes = [resolved(p["PolicyDocument"]) for p in of_kind(stacks[f"cluster-{cluster}"], "AWS::IAM::ManagedPolicy")]
    hub = [resolved(p["PolicyText"]) for p in of_kind(stacks["registry-hub"], "AWS::ECR::RegistryPolicy")]
    account = HUB if cluster == "near" else WORK
    return Question(
        principal=f"arn:aws:iam::{account}:role/{cluster}",
        action=action,
        resource=f"arn:aws:ecr:{region}:{registry}:repository/{repository}",
        owner=registry,
        identity=(*(nodes if own else ()), *beside),
        resource_policies=tuple(hub) if account != registry and action != PULL else (),
        region=region,
    )


MAY = [
    (IMPORT, "docker-hub/library/alpine"),
    (CREATE, "docker-hub/bitnami/redis"),
    (IMPORT, "docker-hub/bitnami/charts/redis"),
    (IMPORT, "quay/argoproj/argocd"),
    (IMPORT, "k8s/pause"),
    (CREATE, "k8s/pause"),
]
MAY_NOT = [
    (IMPORT, "docker-hub/library/nginx"),
    (IMPORT, "docker-hub/library/alpine-git"),
    (IMPORT, "docker-hub/evil/bitnami/redis"),
    (CREATE, "quay/argoproj/argocd"),
]


@pytest.mark.parametrize("cluster", ["near", "far"])
@pytest.mark.parametrize("beside", [(), (WIDE,)], ids=["alone", "beside a wide policy"])
def test_nodes_import_what_is_allowed_and_nothing_else(stacks, cluster, beside):
    questions = [ask(stacks, cluster, *what, beside=beside) for what in (*MAY, *MAY_NOT)]
    assert allowed(questions) == [True] * len(MAY) + [False] * len(MAY_NOT)


def test_the_registry_itself_refuses_nodes_of_another_account_whose_policies_allow_everything(stacks):
    questions = [ask(stacks, "far", *what, beside=(WIDE,), own=False) for what in (*MAY, *MAY_NOT)]
    assert allowed(questions) == [True] * len(MAY) + [False] * len(MAY_NOT)


def test_an_allow_list_takes_nothing_away_that_is_not_an_import_from_this_registry(stacks):
    elsewhere = [
        ask(stacks, "near", PULL, "docker-hub/library/nginx"),
        ask(stacks, "near", IMPORT, "anything/at/all", beside=(WIDE,), region="us-east-1"),
    ]
    assert allowed(elsewhere) == [True, True], "cached images stay, and other registries have lists of their own"


def test_the_mapping_leaves_what_is_not_allowed_with_its_upstream():
    mapping = parse(TEXT).clusters["far"].mapping
    there = f"{HUB}.dkr.ecr.eu-west-1.amazonaws.com"
    assert mapping.map("alpine:3.22") == f"{there}/docker-hub/library/alpine:3.22"
    assert mapping.map("bitnami/redis:7") == f"{there}/docker-hub/bitnami/redis:7"
    left = mapping.decide("nginx:1.27")
    assert (left.image, left.reason.name) == ("nginx:1.27", "NOT_ALLOWED")
    assert left.reason.value == "the allow list of its upstream does not name it"
