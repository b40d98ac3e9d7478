"""check: what is deployed against the configuration, on botocore's own models."""

import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber
from typer.testing import CliRunner

from ecr_pull_through_cache.cli import app
from ecr_pull_through_cache.configuration import load
from ecr_pull_through_cache.configuration.expectation import expected_nodes, expected_registry
from ecr_pull_through_cache.ecr.lifecycle import LifecyclePolicy
from ecr_pull_through_cache.ecr.registry import EcrRegistry
from ecr_pull_through_cache.ecr.templates import TemplateSettings
from ecr_pull_through_cache.errors import UserError
from ecr_pull_through_cache.operations import aws as operations
from ecr_pull_through_cache.operations.checking import Checker, MemberChecker, NodeChecker
from ecr_pull_through_cache.operations.expected import (
    ExpectedMember,
    ExpectedNodes,
    ExpectedRegistry,
    ExpectedRule,
    ExpectedTemplate,
    Permission,
)
from tests.emulators.aws import PASSING, TRANSIENT, about, first_of_each
from tests.faults import Fault
from tests.real.policies import Question, allowed
from tests.support import ROOT
from tests.support.assemblies import ENVIRONMENTS, assembly, of_kind, resolved, templates
from tests.support.command_line import cli

NOW = datetime(2026, 11, 24, tzinfo=UTC)
SECRET = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:ecr-pullthroughcache/hub-AbCdEf"
OLD = SECRET.replace("hub-AbCdEf", "old-GhIjKl")
ROLE = "arn:aws:iam::111122223333:role/reader"
POLICY = {
    "Version": "2012-10-17",
    "Statement": [{"Sid": "A", "Effect": "Allow", "Principal": "*", "Action": ["ecr:BatchGetImage"]}],
}
POLICY_TO_EXPIRE = LifecyclePolicy.expire_after(days=90)
LIFECYCLE = json.loads(POLICY_TO_EXPIRE.to_text())
WANTED = ExpectedTemplate(
    applied_for=frozenset({"PULL_THROUGH_CACHE"}),
    settings=TemplateSettings(lifecycle=POLICY_TO_EXPIRE, repository_policy=POLICY, resource_tags={"origin": "cache"}),
)
HERE = EcrRegistry(account="111122223333", region="eu-west-1")
ARNS = [f"arn:aws:ecr:eu-west-1:111122223333:repository/{prefix}/*" for prefix in ("docker-hub", "k8s")]
IMPORTS = {
    "Effect": "Allow", "Action": ["ecr:BatchImportUpstreamImage", "ecr:CreateRepository"], "Resource": ARNS,
    "Principal": {"AWS": ["arn:aws:iam::222233334444:root"]},
}  # fmt: skip
EXPECTED = ExpectedRegistry(
    name="hub",
    registry=HERE,
    rules=(
        ExpectedRule(prefix="docker-hub", upstream_url="registry-1.docker.io", credentials="hub"),
        ExpectedRule(prefix="k8s", upstream_url="registry.k8s.io", role=ROLE),
    ),
    templates=dict.fromkeys(("docker-hub", "k8s"), WANTED),
    replicate_to=frozenset({replace(HERE, region="us-east-1")}),
    replicated_prefixes=frozenset({"docker-hub", "k8s"}),
    registry_policy=(IMPORTS,),
    account_settings={"REGISTRY_POLICY_SCOPE": "V2"},
    scanning="BASIC",
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
K8S = rule("k8s", "registry.k8s.io", customRoleArn=ROLE)
GOOD_SECRET = json.dumps({"username": "robot", "accessToken": "hidden"})


def template(prefix, **changed):
    """A deployed template that is as it should be, but for what is said."""
    there = {
        "prefix": prefix, "appliedFor": ["PULL_THROUGH_CACHE"], "imageTagMutability": "MUTABLE",
        "encryptionConfiguration": {"encryptionType": "AES256"}, "lifecyclePolicy": json.dumps(LIFECYCLE, indent=1),
        "repositoryPolicy": json.dumps({**POLICY, "Statement": {**POLICY["Statement"][0], "Action": "ecr:BatchGetImage"}}),
        "resourceTags": [{"Key": "origin", "Value": "cache"}], "customRoleArn": ROLE,
    }  # fmt: skip
    return {key: value for key, value in {**there, **changed}.items() if value is not None}


TEMPLATES = (template("docker-hub"), template("k8s"))

# Written otherwise than expected, and saying the same: by account number, in two statements, beside one of somebody else.
REGISTRY_POLICY = [
    {"Sid": "Theirs", "Effect": "Allow", "Principal": {"AWS": "999988887777"}, "Action": "ecr:ReplicateImage", "Resource": "*"},
    *({**IMPORTS, "Principal": {"AWS": "222233334444"}, "Action": action} for action in IMPORTS["Action"]),
]  # fmt: skip
EVERYTHING = {
    "scanType": "BASIC",
    "rules": [{"scanFrequency": "SCAN_ON_PUSH", "repositoryFilters": [{"filter": "*", "filterType": "WILDCARD"}]}],
}


def check(
    aws,
    *,
    rules=(HUB, K8S),
    valid=True,
    secret=GOOD_SECRET,
    described=None,
    templates=TEMPLATES,
    policy=REGISTRY_POLICY,
    destinations=({"region": "us-east-1", "registryId": "111122223333"},),
    filters=("docker-hub/", "k8s/"),
    scanning=EVERYTHING,
    scope="V2",
    scanner="AWS_NATIVE",
    read_secrets=True,
    expected=EXPECTED,
):
    """Ask a registry that is like this."""
    ecr, secrets, on_ecr, on_secrets = aws
    on_ecr.add_response("describe_pull_through_cache_rules", {"pullThroughCacheRules": list(rules)}, {})
    here = {r["ecrRepositoryPrefix"] for r in rules}
    if "docker-hub" in here:
        if secret is None:
            on_secrets.add_client_error("describe_secret", "ResourceNotFoundException")
        else:
            answer = {"ARN": SECRET, **(described or {})}
            on_secrets.add_response("describe_secret", answer, {"SecretId": "ecr-pullthroughcache/hub"})
            if read_secrets and "DeletedDate" not in answer:
                on_secrets.add_response("get_secret_value", {"SecretString": secret}, {"SecretId": SECRET})
    for prefix in ("docker-hub", "k8s"):
        if prefix in here:
            answer = {"isValid": valid, **({} if valid else {"failure": "upstream says no"})}
            on_ecr.add_response("validate_pull_through_cache_rule", answer, {"ecrRepositoryPrefix": prefix})
    on_ecr.add_response("describe_repository_creation_templates", {"repositoryCreationTemplates": list(templates)}, {})
    if policy is None:
        on_ecr.add_client_error("get_registry_policy", "RegistryPolicyNotFoundException")
    else:
        text = json.dumps({"Version": "2012-10-17", "Statement": policy})
        on_ecr.add_response("get_registry_policy", {"policyText": text}, {})
    entries = [{"filter": entry, "filterType": "PREFIX_MATCH"} for entry in filters]
    filtered = {"repositoryFilters": entries} if entries else {}
    replicated = [{"destinations": list(destinations), **filtered}] if destinations else []
    on_ecr.add_response("describe_registry", {"replicationConfiguration": {"rules": replicated}}, {})
    on_ecr.add_response("get_registry_scanning_configuration", {"scanningConfiguration": scanning}, {})
    for name, value in (("REGISTRY_POLICY_SCOPE", scope), ("BASIC_SCAN_TYPE_VERSION", scanner)):
        on_ecr.add_response("get_account_setting", {"name": name, "value": value}, {"name": name})
    return Checker(ecr, secrets, read_secrets=read_secrets).check(expected)


def test_what_is_as_it_should_be_is_not_mentioned(aws):
    assert check(aws) == []


@pytest.mark.parametrize(
    ("scope", "follows"),
    [
        (
            "V1",
            "has the scope V1: other accounts pull by the policy of each repository alone; ecr-pull-through backfill gives",
        ),
        (
            "V2",
            "has the scope V2: ECR enforces it in every request; with 'registryPolicyScope: V2' in the configuration",
        ),
    ],
)
def test_what_follows_from_the_scope_of_the_registry_policy_is_a_notice(aws, scope, follows):
    (finding,) = check(aws, scope=scope, expected=replace(EXPECTED, account_settings={}))
    assert (finding.subject, finding.notice, finding.given) == ("registry policy", True, {})
    assert finding.problem.startswith(follows)


def test_a_scope_that_is_not_the_one_of_the_configuration_can_be_set(aws):
    (finding,) = check(aws, scope="V1")
    assert not finding.notice
    assert finding.problem.startswith("has the scope V1 and should have V2: until then other accounts cannot pull from")
    assert finding.given == {"name": "REGISTRY_POLICY_SCOPE", "value": "V2"}
    ecr, secrets, on_ecr, _ = aws
    on_ecr.add_response("put_account_setting", finding.given, finding.given)
    Checker(ecr, secrets).fix(finding)


def test_basic_scanning_by_a_scanner_that_aws_has_ended(aws):
    (finding,) = check(aws, scanner="CLAIR")
    assert finding.problem.startswith("BASIC_SCAN_TYPE_VERSION is CLAIR, which AWS has ended; set it to AWS_NATIVE")


def with_template(**changed):
    return {"templates": (template("docker-hub"), template("k8s", **changed))}


CASES = {
    "a rule that is not there": ({"rules": (HUB,)}, "rule k8s", "is not there; deploy the stack of its registry"),
    "a rule nobody wrote down": ({"rules": (HUB, K8S, rule("quay", "quay.io"))}, "rule quay", "exists and is not in the configuration"),
    "another upstream": ({"rules": (HUB, rule("k8s", "quay.io", customRoleArn=ROLE))}, "rule k8s", "caches quay.io and should cache registry.k8s.io"),
    "a part of the upstream": (
        {"rules": (HUB, rule("k8s", "registry.k8s.io", upstreamRepositoryPrefix="coredns", customRoleArn=ROLE))},
        "rule k8s", "caches coredns of the upstream and should cache ROOT",
    ),
    "another role": (
        {"rules": (HUB, {**K8S, "customRoleArn": ROLE.replace("reader", "other")})},
        "rule k8s", f"reads the upstream with the role {ROLE.replace('reader', 'other')} and should with {ROLE}; "
        "CloudFormation cannot change it, ecr-pull-through check --fix does; a stack that was deployed with another role must leave",
    ),
    "no role": (
        {"rules": (HUB, rule("k8s", "registry.k8s.io"))}, "rule k8s", f"reads the upstream with no role and should with {ROLE}",
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
    "a secret that goes": ({"described": {"DeletedDate": NOW}}, "rule docker-hub", "its secret ecr-pullthroughcache/hub is being deleted; restore it"),
    "a secret with a key of one's own": (
        {"described": {"KmsKeyId": "arn:aws:kms:eu-west-1:111122223333:key/1"}},
        "rule docker-hub", "ECR reads secrets encrypted with aws/secretsmanager only",
    ),
    "no template": ({"templates": (template("k8s"),)}, "template docker-hub", "is not there; deploy the stack of its registry"),
    "a template for something else": (with_template(appliedFor=["REPLICATION"]), "template k8s", "is applied for REPLICATION and should be for PULL_THROUGH_CACHE"),
    "another mutability": (
        with_template(imageTagMutability="IMMUTABLE_WITH_EXCLUSION", imageTagMutabilityExclusionFilters=[{"filter": "v*", "filterType": "WILDCARD"}]),
        "template k8s", "has the tag mutability IMMUTABLE_WITH_EXCLUSION (v*) and should have MUTABLE",
    ),
    "another encryption": (with_template(encryptionConfiguration={"encryptionType": "KMS"}), "template k8s", "encrypts with KMS and should with AES256"),
    "another lifecycle policy": (with_template(lifecyclePolicy='{"rules": []}'), "template k8s", "has another lifecycle policy"),
    "no lifecycle policy": (with_template(lifecyclePolicy=None), "template k8s", "has no lifecycle policy"),
    "another repository policy": (
        with_template(repositoryPolicy=json.dumps({"Statement": [{**POLICY["Statement"][0], "Principal": {"AWS": "999988887777"}}]})),
        "template k8s", "has another repository policy",
    ),
    "no repository policy": (with_template(repositoryPolicy=None), "template k8s", "has no repository policy"),
    "other tags": (with_template(resourceTags=[{"Key": "a", "Value": "b"}]), "template k8s", "sets the tags a=b and should set origin=cache"),
    "no role of a template that tags": (with_template(customRoleArn=None), "template k8s", "has no role, without which ECR can neither tag nor use KMS"),
    "a template below ours": (
        {"templates": (template("docker-hub"), template("k8s"), template("k8s/coredns"))},
        "template k8s/coredns", "it takes the repositories below it from k8s",
    ),
    "no registry policy": ({"policy": None}, "registry policy", "is not there; deploy the stack of its registry"),
    "a registry policy that somebody else overwrote": (
        {"policy": REGISTRY_POLICY[:2]}, "registry policy",
        "does not allow ecr:BatchImportUpstreamImage, ecr:CreateRepository to arn:aws:iam::222233334444:root on all of",
    ),
    "no replication": ({"destinations": ()}, "replication to 111122223333/us-east-1", "is not there; deploy, or see who else"),
    "replication of a part": ({"filters": ("k8s/",)}, "replication to 111122223333/us-east-1", "leaves out docker-hub"),
    "replication to somewhere else too": (
        {"destinations": ({"region": "us-east-1", "registryId": "111122223333"}, {"region": "us-west-2", "registryId": "111122223333"})},
        "replication to 111122223333/us-west-2", "exists and is not in the configuration",
    ),
    "another scanner": ({"scanning": {**EVERYTHING, "scanType": "ENHANCED"}}, "scanning", "is ENHANCED and should be BASIC"),
    "a scanner that looks at nothing": ({"scanning": {"scanType": "BASIC", "rules": []}}, "scanning", "does not scan every repository"),
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


@pytest.mark.parametrize(
    ("rules", "given"),
    [
        (
            (rule("docker-hub", "registry-1.docker.io", credentialArn=OLD), K8S),
            {"ecrRepositoryPrefix": "docker-hub", "credentialArn": SECRET},
        ),
        ((HUB, rule("k8s", "registry.k8s.io")), {"ecrRepositoryPrefix": "k8s", "customRoleArn": ROLE}),
    ],
    ids=["another secret", "another role"],
)
def test_the_change_that_cloudformation_cannot_make_is_made_by_the_api(aws, rules, given):
    ecr, secrets, on_ecr, _ = aws
    (finding,) = check(aws, rules=rules)
    on_ecr.add_response("update_pull_through_cache_rule", {}, given)
    Checker(ecr, secrets).fix(finding)


@pytest.mark.parametrize("code", ["AccessDeniedException", "ServerException", "ValidationException"])
def test_what_aws_refuses_is_a_sentence(aws, code):
    ecr, secrets, on_ecr, _ = aws
    on_ecr.add_client_error("describe_pull_through_cache_rules", code, "because")
    with pytest.raises(UserError, match="ecr:DescribePullThroughCacheRules"):
        Checker(ecr, secrets).check(EXPECTED)


@pytest.mark.parametrize("filters", [(), ("docker", "k8s/")])
def test_filters_that_take_more_are_as_good(aws, filters):
    assert check(aws, filters=filters) == []


def test_secrets_need_not_be_read(aws):
    assert check(aws, read_secrets=False) == []


def test_rules_that_come_near_the_quota_are_a_notice_and_no_difference(aws):
    more = [rule(f"p{n}", "quay.io") for n in range(38)]
    notices = [finding for finding in check(aws, rules=(HUB, K8S, *more)) if finding.notice]
    assert [n.problem for n in notices] == [
        "40 of 50 pull through cache rules per registry are used; ask AWS to raise the quota before it is met"
    ]


def test_a_part_that_cannot_be_looked_at_does_not_hide_the_others(aws):
    ecr, secrets, on_ecr, _ = aws
    for operation in (
        "describe_pull_through_cache_rules",
        "describe_repository_creation_templates",
        "get_registry_policy",
    ):
        on_ecr.add_client_error(operation, "AccessDeniedException", "because")
    on_ecr.add_response("describe_registry", {"replicationConfiguration": {"rules": []}}, {})
    on_ecr.add_response("get_registry_scanning_configuration", {"scanningConfiguration": EVERYTHING}, {})
    on_ecr.add_client_error("get_account_setting", "AccessDeniedException", "because")
    errors = []
    findings = Checker(ecr, secrets).check(EXPECTED, on_error=errors.append)
    assert len(errors) == 4
    assert [f.subject for f in findings] == ["replication to 111122223333/us-east-1"]


# What should be there is what the stacks deploy.


def deployed(registry, template) -> dict[str, Any]:
    """What a synthesised template would have ECR answer."""

    def lower(value):
        if isinstance(value, dict):
            return {key[0].lower() + key[1:]: lower(part) for key, part in value.items()}
        return [lower(part) for part in value] if isinstance(value, list) else value

    made = []
    for entry in of_kind(template, "AWS::ECR::RepositoryCreationTemplate"):
        left_out = ("CustomRoleArn", "ImageTagMutabilityExclusionFilters", "RepositoryPolicy", "ResourceTags")
        found = lower({k: v for k, v in entry.items() if k not in left_out})
        if "ImageTagMutabilityExclusionFilters" in entry:
            patterns = [
                f["ImageTagMutabilityExclusionFilterValue"] for f in entry["ImageTagMutabilityExclusionFilters"]
            ]
            found["imageTagMutabilityExclusionFilters"] = [{"filter": p, "filterType": "WILDCARD"} for p in patterns]
        if "CustomRoleArn" in entry:
            found["customRoleArn"] = ROLE
        if "RepositoryPolicy" in entry:
            found["repositoryPolicy"] = resolved(entry["RepositoryPolicy"])
        made.append({**found, "resourceTags": entry.get("ResourceTags", [])})
    policies = [resolved(p["PolicyText"]) for p in of_kind(template, "AWS::ECR::RegistryPolicy")]
    replication = [
        lower(r["ReplicationConfiguration"]) for r in of_kind(template, "AWS::ECR::ReplicationConfiguration")
    ]
    scanning = [lower(s) for s in of_kind(template, "AWS::ECR::RegistryScanningConfiguration")]
    return {
        "templates": made, "policy": policies[0]["Statement"] if policies else None,
        "replication": replication[0] if replication else {"rules": []}, "scanning": scanning[0] if scanning else {},
    }  # fmt: skip


REGISTRIES = [
    (environment, name)
    for environment in ENVIRONMENTS
    for name in load(ROOT / "environments" / f"{environment}.yaml").registries
]


@pytest.mark.parametrize(("environment", "name"), REGISTRIES)
def test_what_should_be_there_is_what_the_stack_deploys(aws, environment, name):
    ecr, secrets, on_ecr, _ = aws
    expected = expected_registry(load(ROOT / "environments" / f"{environment}.yaml").registries[name])
    answers = deployed(name, templates(assembly(environment))[f"registry-{name}"])
    without_rules = replace(expected, rules=())
    on_ecr.add_response("describe_pull_through_cache_rules", {"pullThroughCacheRules": []}, {})
    on_ecr.add_response(
        "describe_repository_creation_templates", {"repositoryCreationTemplates": answers["templates"]}, {}
    )
    if expected.registry_policy:
        text = json.dumps({"Version": "2012-10-17", "Statement": answers["policy"]})
        on_ecr.add_response("get_registry_policy", {"policyText": text}, {})
        assert {a for s in answers["policy"] for a in s["Action"]} == {
            a for s in expected.registry_policy for a in s["Action"]
        }
    else:
        assert answers["policy"] is None
    on_ecr.add_response("describe_registry", {"replicationConfiguration": answers["replication"]}, {})
    if expected.scanning:
        on_ecr.add_response("get_registry_scanning_configuration", {"scanningConfiguration": answers["scanning"]}, {})
    names = [*(["REGISTRY_POLICY_SCOPE"] if expected.registry_policy else []),
             *(["BASIC_SCAN_TYPE_VERSION"] if expected.scanning == "BASIC" else [])]  # fmt: skip
    for setting in names:
        on_ecr.add_response("get_account_setting", {"name": setting, "value": "V2"}, {"name": setting})
    assert [f for f in Checker(ecr, secrets).check(without_rules) if not f.notice] == []
    assert set(expected.templates) == {t["prefix"] for t in answers["templates"]}
    assert all(set(t["appliedFor"]) == expected.templates[t["prefix"]].applied_for for t in answers["templates"])


CLUSTERS = [
    (environment, name)
    for environment in ENVIRONMENTS
    for name in load(ROOT / "environments" / f"{environment}.yaml").clusters
]


def test_what_nodes_should_be_allowed_is_what_the_stacks_allow():
    questions, answers = [], []
    for environment, name in CLUSTERS:
        (policy,) = of_kind(templates(assembly(environment))[f"cluster-{name}"], "AWS::IAM::ManagedPolicy")
        for nodes in expected_nodes(load(ROOT / "environments" / f"{environment}.yaml").clusters[name]):
            for permission in (*nodes.allowed, *nodes.denied):
                for action, arn in product(permission.actions, permission.resources or ("*",)):
                    account = nodes.environment.account
                    questions.append(Question(
                        principal=f"arn:aws:iam::{account}:role/{nodes.role}", action=action, owner=account,
                        resource=arn, identity=(resolved(policy["PolicyDocument"]),),
                    ))  # fmt: skip
                    answers.append(permission in nodes.allowed)
    assert len(questions) > 50
    assert allowed(questions) == answers


def test_a_registry_nobody_wrote_down_is_one_sentence():
    done = cli("check", "--config", "environments/minimal.yaml", "--registry", "mian", expect=2)
    assert "there is no registry 'mian' (did you mean 'main'?); there are europe, main, west" in done.stderr


# Repositories.


def images(ecr, name, *details):
    ecr.add_response("describe_images", {"imageDetails": list(details)}, {"repositoryName": name, "maxResults": 1000})


def stale(aws, *details, created=NOW):
    ecr, secrets, on_ecr, _ = aws
    listed = [
        {"repositoryName": "k8s/pause", "createdAt": created},
        {"repositoryName": "apps/web", "createdAt": created},
    ]
    on_ecr.add_response("describe_repositories", {"repositories": listed}, {"maxResults": 1000})
    images(on_ecr, "k8s/pause", *details)
    return [f.problem for f in Checker(ecr, secrets).stale(EXPECTED, days=90, threads=1)]


LONG_AGO, LATELY = datetime(2020, 1, 31, tzinfo=UTC), datetime.now(UTC) - timedelta(days=1)
PUSHED = {"imagePushedAt": LONG_AGO}


@pytest.mark.parametrize(
    ("details", "problems"),
    [
        ([{**PUSHED, "lastRecordedPullTime": LONG_AGO}], ["nothing was pulled from it since 2020-01-31"]),
        ([PUSHED], ["was imported 2020-01-31 and never pulled"]),
        ([{**PUSHED, "lastRecordedPullTime": LATELY}, PUSHED], []),
        ([{"imagePushedAt": LATELY}, PUSHED], []),
        ([], ["holds no image"]),
    ],
)
def test_what_nobody_pulls_is_mentioned(aws, details, problems):
    assert stale(aws, *details, created=LONG_AGO) == problems


def test_what_is_made_just_now_may_be_empty(aws):
    assert stale(aws, created=LATELY) == []


# The whole command, on an AWS of the loopback.

ACCOUNT, MAIN = "111122223333", "us-east-1"
REGIONS = {"main": MAIN, "west": "us-west-2", "europe": "eu-west-1"}


@pytest.fixture
def stage(loopback):
    """What environments/minimal.yaml deploys."""
    loopback.rule((ACCOUNT, MAIN), "k8s", "registry.k8s.io", created=NOW.timestamp())
    for region in REGIONS.values():
        applied_for = "PULL_THROUGH_CACHE" if region == MAIN else "REPLICATION"
        loopback.template((ACCOUNT, region), "k8s", appliedFor=[applied_for], imageTagMutability="MUTABLE")
    to = [{"region": region, "registryId": ACCOUNT} for region in REGIONS.values() if region != MAIN]
    loopback.client("ecr", MAIN, account=ACCOUNT).put_replication_configuration(replicationConfiguration={"rules": [{
        "destinations": to, "repositoryFilters": [{"filter": "k8s/", "filterType": "PREFIX_MATCH"}],
    }]})  # fmt: skip
    loopback.client("iam", MAIN, account=ACCOUNT).create_role(
        RoleName="demo-node-role", Path="/nodes/", AssumeRolePolicyDocument="{}"
    )
    loopback.calls.clear()
    return loopback


def run(*options, expect=0):
    config = str(ROOT / "environments/minimal.yaml")
    done = CliRunner().invoke(app, ["check", "--config", config, "--assume-role", "ReadOnly", *options])
    assert done.exit_code == expect, done.output
    return done


def test_as_configured_there_is_no_line(stage):
    done = run()
    assert done.stdout == ""
    assert done.stderr == "checked 3 registries and 1 role: 0 differences\n"


def test_a_role_that_is_not_there(stage):
    stage.client("iam", MAIN, account=ACCOUNT).delete_role(RoleName="demo-node-role")
    assert run(expect=1).stdout == "demo: role demo-node-role: is not there; make it, or correct its name\n"


def test_a_role_that_may_not_pull(stage):
    stage.allowed = lambda action, _: action != "ecr:BatchGetImage"
    assert run(expect=1).stdout == (
        "demo: role demo-node-role: may not do ecr:BatchGetImage; deploy the stack of its cluster, or attach its policy\n"
    )
    call = next(c for c in stage.calls if c.operation == "SimulatePrincipalPolicy")
    assert call.arguments["PolicySourceArn"] == f"arn:aws:iam::{ACCOUNT}:role/nodes/demo-node-role", "with its path"


US = EcrRegistry(account=ACCOUNT, region=MAIN)


def nodes(*prefixes, denied=("ecr:BatchImportUpstreamImage",)):
    """A role that pulls under prefixes and must not import."""
    arns = tuple(US.arn_for_repositories(prefix, name="any") for prefix in prefixes)
    return ExpectedNodes(
        cluster="c", environment=US, registry=US, role="demo-node-role",
        allowed=(Permission(actions=("ecr:BatchGetImage",), resources=arns),),
        denied=(Permission(actions=denied, resources=arns),) if denied else (),
    )  # fmt: skip


def test_a_role_that_may_import_and_should_not(stage):
    (finding,) = NodeChecker(stage.client("iam", MAIN, account=ACCOUNT)).check(nodes("k8s"))
    assert finding.problem.startswith("may do ecr:BatchImportUpstreamImage, which the configuration denies it")


@pytest.mark.parametrize(
    ("trust", "problems"),
    [
        ({"Service": "ec2.amazonaws.com"}, []),
        ({"Service": ["ec2.amazonaws.com", "ssm.amazonaws.com"]}, []),
        (
            {"Service": "eks.amazonaws.com"},
            ["cannot be assumed by ec2.amazonaws.com, which its kind in the configuration"],
        ),
        ({"AWS": "*"}, ["cannot be assumed by ec2.amazonaws.com"]),
    ],
)
def test_a_role_of_another_kind_than_the_configuration_says(stage, trust, problems):
    iam = stage.client("iam", MAIN, account=ACCOUNT)
    document = {
        "Version": "2012-10-17",
        "Statement": {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": trust},
    }
    iam.update_assume_role_policy(RoleName="demo-node-role", PolicyDocument=json.dumps(document))
    expected = replace(nodes("k8s", denied=()), trusted=frozenset({"ec2.amazonaws.com"}))
    found = [finding.problem for finding in NodeChecker(iam).check(expected)]
    assert len(found) == len(problems)
    assert all(problem.startswith(start) for problem, start in zip(found, problems, strict=True))


def test_an_account_that_belongs_to_another_organisation_or_to_none(stage):
    expected = ExpectedMember(
        cluster="prod", environment=replace(US, account="222233334444"), registry="hub", organization="o-exampleorg1"
    )
    checker = MemberChecker(stage.client("organizations", MAIN, account="222233334444"))
    stage.organizations = {"222233334444": "o-exampleorg1"}
    assert list(checker.check(expected)) == []
    stage.organizations = {"222233334444": "o-somebodyelse"}
    (finding,) = checker.check(expected)
    assert (finding.registry, finding.subject) == ("prod", "account 222233334444")
    assert finding.problem == (
        "belongs to o-somebodyelse, and hub lets in o-exampleorg1; list the account under pull.accounts of hub"
    )
    stage.organizations = {}
    assert [f.problem.partition(",")[0] for f in checker.check(expected)] == ["belongs to no organisation"]


def test_what_a_role_may_under_one_prefix_only_is_not_enough_and_too_much(stage):
    stage.allowed = lambda _, arn: "k8s" in arn
    found = [f.problem for f in NodeChecker(stage.client("iam", MAIN, account=ACCOUNT)).check(nodes("k8s", "quay"))]
    assert [problem.split(";")[0].split(",")[0] for problem in found] == [
        "may not do ecr:BatchGetImage", "may do ecr:BatchImportUpstreamImage",
    ]  # fmt: skip


def test_repositories_that_were_there_before_their_template(stage):
    ecr = stage.client("ecr", MAIN, account=ACCOUNT)
    for name in ("k8s/pause", "k8s/etcd", "apps/web"):
        ecr.create_repository(repositoryName=name)
    stage.template((ACCOUNT, MAIN), "k8s", appliedFor=["PULL_THROUGH_CACHE"], imageTagMutability="IMMUTABLE")
    found = [f for f in json.loads(run("--json", expect=1).stdout) if f["subject"] == "repositories k8s"]
    assert set(found[0]) == {
        "registry",
        "subject",
        "problem",
        "credentialArn",
        "customRoleArn",
        "accountSetting",
        "notice",
    }
    assert [f["problem"] for f in found] == [
        "2 were there before their template is as it is now, k8s/etcd among them (imageTagMutability of 2); "
        "ecr-pull-through backfill brings it to them"
    ]
    assert "repositories k8s" not in run("--skip", "repositories", expect=1).stdout


# Faults: each row is run, and written into the table of docs/explanation/faults.md.

ALL_THE_SAME = "is repeated with back-off, up to ten times; the findings are the same"
FAULTS = [
    *(Fault(verb="check", fault=name, outcome=ALL_THE_SAME) for name in TRANSIENT),
    Fault(verb="check", fault="access denied for one repository", outcome="it is named with the reason, all else is looked at, exit code 2"),
    Fault(verb="check", fault="credentials that expire half-way", outcome="what was found is shown, what was not looked at is named, exit code 2"),
    Fault(verb="check", fault="a Region that cannot be reached", outcome="it is named, all others are looked at, exit code 2"),
    Fault(verb="check", fault="kill -9 in the middle", outcome="nothing: it only reads; with `--fix --yes`, a rule that has its secret is not given it again"),
]  # fmt: skip
BY_NAME = {row.fault: row for row in FAULTS}


@pytest.fixture
def differing(stage):
    """A role that may nothing, and a repository without tags."""
    stage.allowed = lambda *_: False
    stage.client("ecr", MAIN, account=ACCOUNT).create_repository(repositoryName="k8s/pause")
    stage.template(
        (ACCOUNT, MAIN), "k8s", appliedFor=["PULL_THROUGH_CACHE"], resourceTags=[{"Key": "origin", "Value": "cache"}]
    )
    return stage


@pytest.mark.parametrize("fault", PASSING)
def test_a_fault_that_passes(differing, fault):
    assert BY_NAME[fault].outcome == ALL_THE_SAME
    before = run(expect=1).stdout
    assert before.count("\n") == 3
    differing.fault = first_of_each(TRANSIENT[fault])
    assert run(expect=1).stdout == before


@pytest.fixture
def impatient(monkeypatch):
    """A permanent fault is not repeated ten times here."""
    monkeypatch.setattr(operations, "_RETRIES", operations.Config(retries={"mode": "standard", "max_attempts": 2}))


def test_access_denied_for_one_repository(differing, impatient):
    before = run(expect=1).stdout.splitlines()
    differing.fault = about("repository/k8s/pause", "AccessDeniedException")
    done = run(expect=2)
    assert "checked 3 registries and 1 role (incomplete): 2 differences" in done.stderr
    assert "main: k8s/pause: ecr:ListTagsForResource is not allowed: as the test wants it" in done.stderr
    assert done.stdout.splitlines() == [line for line in before if "repositories" not in line]


def test_credentials_that_expire_half_way(differing, impatient):
    differing.fault = lambda call: "ExpiredTokenException" if call.operation == "ListTagsForResource" else None
    done = run(expect=2)
    assert "main: the AWS credentials are not valid any more; sign in again" in done.stderr
    assert "demo: role demo-node-role: may not do" in done.stdout


def test_a_region_that_cannot_be_reached(differing, impatient):
    before = run(expect=1).stdout
    differing.fault = lambda call: "ServiceUnavailable" if (call.service, call.region) == ("ecr", "eu-west-1") else None
    done = run(expect=2)
    assert "europe: AWS has a problem of its own and did not answer ecr:DescribePullThroughCacheRules" in done.stderr
    assert done.stdout == before


def test_it_only_reads(differing):
    differing.calls.clear()
    run("--unused-days", "1", "--fix", expect=1)
    reads = re.compile(r"\w+:(Describe|Get|List|Validate|Simulate|AssumeRole)")
    assert [action for action in differing.actions() if not reads.match(action)] == []


def test_a_rule_that_has_its_secret_is_not_given_it_again(stage, tmp_path):
    secret = stage.client("secretsmanager", MAIN, account=ACCOUNT).create_secret(
        Name="ecr-pullthroughcache/hub", SecretString=GOOD_SECRET
    )["ARN"]
    stage.rule((ACCOUNT, MAIN), "hub", "registry-1.docker.io", created=NOW.timestamp(), credentialArn=OLD)
    config = tmp_path / "configuration.yaml"
    config.write_text(
        'registries: {main: {account: "111122223333", region: us-east-1, '
        "upstreams: {hub: {upstream: docker.io, credentials: hub}}}}"
    )
    arguments = ["check", "--config", str(config), "--assume-role", "Fix", "--fix"]
    shown = CliRunner().invoke(app, arguments).output
    assert f"main: rule hub: would be given, with --yes, {secret}" in shown
    for _ in range(2):
        CliRunner().invoke(app, [*arguments, "--yes"])
    assert stage.rules[ACCOUNT, MAIN]["hub"]["credentialArn"] == secret
    assert [c.operation for c in stage.calls].count("UpdatePullThroughCacheRule") == 1


@pytest.fixture
def private(stage, tmp_path):
    """A rule for a private upstream that reads it with another role than it should; how to mend it."""
    upstream = "444455556666.dkr.ecr.us-east-1.amazonaws.com"
    stage.rule((ACCOUNT, MAIN), "team", upstream, created=NOW.timestamp(), customRoleArn=f"{ROLE}s")
    config = tmp_path / "configuration.yaml"
    config.write_text(
        'registries: {main: {account: "111122223333", region: us-east-1, '
        f"upstreams: {{team: {{upstream: {upstream}, role: reader}}}}}}}}"
    )
    return ["check", "--config", str(config), "--assume-role", "Fix", "--fix"]


def test_a_rule_is_given_its_role(stage, private):
    shown = CliRunner().invoke(app, private)
    assert f"main: rule team: would be given, with --yes, {ROLE}" in shown.stderr
    assert f"main: rule team: reads the upstream with the role {ROLE}s and should with {ROLE}" in shown.stdout
    done = CliRunner().invoke(app, [*private, "--yes"])
    assert f"main: rule team: now uses {ROLE}" in done.stderr
    assert "main: rule team" not in done.stdout
    assert stage.rules[ACCOUNT, MAIN]["team"]["customRoleArn"] == ROLE


def test_a_rule_that_ecr_does_not_mend_hides_nothing_else(stage, private, impatient):
    stage.fault = lambda call: "AccessDeniedException" if call.operation == "UpdatePullThroughCacheRule" else None
    done = CliRunner().invoke(app, [*private, "--yes"])
    assert done.exit_code == 2
    assert "main: rule team: ecr:UpdatePullThroughCacheRule is not allowed" in done.stderr
    assert f"main: rule team: reads the upstream with the role {ROLE}s" in done.stdout
    assert "main: template team: is not there" in done.stdout


def test_an_account_that_cannot_be_reached_does_not_hide_the_others(loopback, impatient):
    loopback.fault = lambda call: (
        "AccessDenied" if call.operation == "AssumeRole" and "222233334444" in call.arguments["RoleArn"] else None
    )
    done = CliRunner().invoke(
        app, ["check", "--config", str(ROOT / "environments/example.yaml"), "--assume-role", "ReadOnly"]
    )
    assert done.exit_code == 2
    refused = "sts:AssumeRole of arn:aws:iam::222233334444:role/ReadOnly is not allowed: as the test wants it"
    assert f"prod-eu: prod-eu-karpenter: {refused}" in done.stderr
    assert "hub: rule k8s: is not there; deploy the stack of its registry" in done.stdout
    assert "batch-ecs: role batch-task-execution: is not there" in done.stdout
