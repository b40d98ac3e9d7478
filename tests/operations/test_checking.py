"""check: what is deployed against the configuration, on botocore's own models."""

import json
from datetime import UTC, datetime
from pathlib import Path

import boto3
import pytest
from botocore.stub import Stubber

from ecr_pull_through_cache.cli.check import expectation
from ecr_pull_through_cache.configuration import load
from ecr_pull_through_cache.errors import UserError
from ecr_pull_through_cache.operations.checking import Checker, ExpectedRegistry, ExpectedRule
from tests.cli.test_rewriting import cli

NOW = datetime(2026, 11, 24, tzinfo=UTC)
SECRET = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:ecr-pullthroughcache/hub-AbCdEf"
OLD = SECRET.replace("hub-AbCdEf", "old-GhIjKl")
EXPECTED = ExpectedRegistry(
    name="hub",
    account="111122223333",
    region="eu-west-1",
    rules=(
        ExpectedRule(prefix="docker-hub", upstream_url="registry-1.docker.io", credentials="hub"),
        ExpectedRule(prefix="k8s", upstream_url="registry.k8s.io"),
    ),
    templates={"docker-hub": frozenset({"PULL_THROUGH_CACHE"}), "k8s": frozenset({"PULL_THROUGH_CACHE"})},
    replicate_to=frozenset({("111122223333", "us-east-1")}),
)


@pytest.fixture
def aws():
    credentials = {"region_name": "eu-west-1", "aws_access_key_id": "x", "aws_secret_access_key": "y"}
    ecr, secrets = boto3.client("ecr", **credentials), boto3.client("secretsmanager", **credentials)
    with Stubber(ecr) as on_ecr, Stubber(secrets) as on_secrets:
        yield ecr, secrets, on_ecr, on_secrets
        on_ecr.assert_no_pending_responses()
        on_secrets.assert_no_pending_responses()


def rule(prefix, url, **more):
    return {
        "ecrRepositoryPrefix": prefix,
        "upstreamRegistryUrl": url,
        "registryId": "111122223333",
        "createdAt": NOW,
        **more,
    }


HUB = rule("docker-hub", "registry-1.docker.io", credentialArn=SECRET)
K8S = rule("k8s", "registry.k8s.io")
GOOD_SECRET = json.dumps({"username": "robot", "accessToken": "hidden"})


def check(
    aws,
    *,
    rules=(HUB, K8S),
    valid=True,
    secret=GOOD_SECRET,
    templates=("docker-hub", "k8s"),
    destinations=("us-east-1",),
):
    """Ask a registry that is like this."""
    ecr, secrets, on_ecr, on_secrets = aws
    on_ecr.add_response("describe_pull_through_cache_rules", {"pullThroughCacheRules": list(rules)}, {})
    here = {r["ecrRepositoryPrefix"] for r in rules}
    if "docker-hub" in here:
        if secret is None:
            on_secrets.add_client_error("describe_secret", "ResourceNotFoundException")
        else:
            on_secrets.add_response("describe_secret", {"ARN": SECRET}, {"SecretId": "ecr-pullthroughcache/hub"})
            on_secrets.add_response("get_secret_value", {"SecretString": secret}, {"SecretId": SECRET})
    for prefix in ("docker-hub", "k8s"):
        if prefix in here:
            answer = {"isValid": valid, **({} if valid else {"failure": "upstream says no"})}
            on_ecr.add_response("validate_pull_through_cache_rule", answer, {"ecrRepositoryPrefix": prefix})
    made = [{"prefix": p, "appliedFor": ["PULL_THROUGH_CACHE"]} for p in templates]
    on_ecr.add_response("describe_repository_creation_templates", {"repositoryCreationTemplates": made}, {})
    to = [{"region": region, "registryId": "111122223333"} for region in destinations]
    configuration = {"rules": [{"destinations": to}] if to else []}
    on_ecr.add_response("describe_registry", {"replicationConfiguration": configuration}, {})
    return Checker(ecr, secrets).check(EXPECTED)


def test_what_is_as_it_should_be_is_not_mentioned(aws):
    assert check(aws) == []


CASES = {
    "a rule that is not there": ({"rules": (HUB,)}, "rule k8s", "is not there; deploy the stack of its registry"),
    "a rule nobody wrote down": ({"rules": (HUB, K8S, rule("quay", "quay.io"))}, "rule quay", "is there and not in the configuration"),
    "another upstream": ({"rules": (HUB, rule("k8s", "quay.io"))}, "rule k8s", "caches quay.io and should cache registry.k8s.io"),
    "a part of the upstream": (
        {"rules": (HUB, rule("k8s", "registry.k8s.io", upstreamRepositoryPrefix="coredns"))},
        "rule k8s", "caches coredns of the upstream and should cache ROOT",
    ),
    "no secret": ({"secret": None}, "rule docker-hub", "its secret ecr-pullthroughcache/hub is not there, or has no value"),
    "a secret of another shape": ({"secret": '{"user": "hidden"}'}, "rule docker-hub", "does not have the JSON keys username and accessToken"),
    "a secret that is no JSON": ({"secret": "hidden"}, "rule docker-hub", "does not have the JSON keys username and accessToken"),
    "a secret nobody wrote to": (
        {"secret": json.dumps({"username": "replace-me", "accessToken": "hidden"})},
        "rule docker-hub", "was made and never written to",
    ),
    "another secret": (
        {"rules": (rule("docker-hub", "registry-1.docker.io", credentialArn=OLD), K8S)},
        "rule docker-hub", f"it uses the secret {OLD} and should use {SECRET}; CloudFormation cannot change it",
    ),
    "no template": ({"templates": ("k8s",)}, "template docker-hub", "is not there; deploy the stack of its registry"),
    "no replication": ({"destinations": ()}, "replication to 111122223333/us-east-1", "is not there; deploy, or see who else"),
}  # fmt: skip


@pytest.mark.parametrize(("registry", "subject", "problem"), CASES.values(), ids=CASES)
def test_what_is_not_as_it_should_be_is_one_sentence(aws, registry, subject, problem):
    (finding,) = check(aws, **registry)
    assert finding.subject == subject
    assert problem in finding.problem
    assert "hidden" not in finding.problem, "no value of a secret is ever shown"


def test_an_upstream_that_ecr_cannot_reach(aws):
    findings = check(aws, valid=False)
    assert [f.problem for f in findings] == ["ECR cannot reach its upstream: upstream says no"] * 2


def test_the_change_that_cloudformation_cannot_make_is_made_by_the_api(aws):
    ecr, secrets, on_ecr, _ = aws
    (finding,) = check(aws, rules=(rule("docker-hub", "registry-1.docker.io", credentialArn=OLD), K8S))
    assert finding.credential_arn == SECRET
    on_ecr.add_response(
        "update_pull_through_cache_rule", {}, {"ecrRepositoryPrefix": "docker-hub", "credentialArn": SECRET}
    )
    Checker(ecr, secrets).fix(finding)


@pytest.mark.parametrize("code", ["AccessDeniedException", "ServerException", "ValidationException"])
def test_what_aws_refuses_is_a_sentence(aws, code):
    ecr, secrets, on_ecr, _ = aws
    on_ecr.add_client_error("describe_pull_through_cache_rules", code, "because")
    with pytest.raises(UserError, match="ecr:DescribePullThroughCacheRules"):
        Checker(ecr, secrets).check(EXPECTED)


def test_the_expectation_of_the_example_covers_what_arrives_and_what_is_pulled():
    plans = load(Path(__file__).parents[2] / "environments/example.yaml").registries
    hub, frankfurt, america = (expectation(plans[name]) for name in ("hub", "frankfurt", "america"))
    assert hub.replicate_to == {("111122223333", "eu-central-1"), ("111122223333", "us-east-1")}
    assert hub.templates["quay"] == {"PULL_THROUGH_CACHE"}
    assert frankfurt.templates["k8s"] == {"PULL_THROUGH_CACHE", "REPLICATION"}
    assert frankfurt.templates["quay"] == {"REPLICATION"}
    assert america.rules == ()


def test_a_registry_nobody_wrote_down_is_one_sentence():
    done = cli("check", "--config", "environments/minimal.yaml", "--registry", "mian", expect=2)
    assert "there is no registry 'mian'; there are europe, main, west" in done.stderr
