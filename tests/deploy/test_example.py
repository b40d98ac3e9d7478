"""`environments/example.yaml`, all but its custom resources: registries of one account, clusters of two others, deployed
across accounts."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.deploy.deploying import PLATFORM, leave_out
from tests.support import ROOT

PROD, DEV = "222233334444", "333344445555"
EUROPE, FRANKFURT, AMERICA = "eu-west-1", "eu-central-1", "us-east-1"
ROLES = {
    (PROD, EUROPE): ["prod-eu-node-group", "prod-eu-karpenter", "prod-eu-fargate"],
    (PROD, AMERICA): ["prod-us-auto-mode"],
    (DEV, EUROPE): ["dev-control-plane", "dev-workers", "batch-task-execution"],
}
ASSUMED_BY = {
    "prod-eu-fargate": "eks-fargate-pods.amazonaws.com",
    "batch-task-execution": "ecs-tasks.amazonaws.com",
}
# The VPC endpoints of cluster-prod-private are beyond this engine; test_endpoints.py deploys them in another.
STACKS = ["registry-*", "cluster-prod-eu", "cluster-prod-us", "cluster-dev-self-hosted", "cluster-batch-ecs"]
TOKEN = json.dumps({"username": "robot", "accessToken": "token"})


@pytest.fixture(scope="module")
def aws(cloud):
    """Three accounts that trust the first one, with the roles of nodes that the configuration names."""
    deployer = cloud.deployer
    deployer.configuration = ROOT / "environments/example.yaml"
    deployer.bootstrap(PLATFORM, EUROPE, FRANKFURT, AMERICA)
    deployer.bootstrap(PROD, EUROPE, AMERICA, trust=PLATFORM)
    deployer.bootstrap(DEV, EUROPE, trust=PLATFORM)
    for (account, region), names in ROLES.items():
        cloud.fleet.iam[account] = region
        for name in names:
            deployer.client("iam", region, account).create_role(
                RoleName=name, AssumeRolePolicyDocument=_trust(service=ASSUMED_BY.get(name, "ec2.amazonaws.com"))
            )
    for account, region in [*cloud.fleet.there]:
        cloud.fleet.iam[account] = region
        deployer.client("iam", region, account).create_role(
            RoleName="auditor", AssumeRolePolicyDocument=_trust(PLATFORM, account)
        )
    return deployer


def without_custom_resources(resource: dict[str, Any]) -> None:
    """The engine runs no Lambda functions without a container runtime, so nothing would answer these."""
    if resource["Type"].startswith("Custom::"):
        leave_out(resource)


def test_everything_is_deployed_with_the_credentials_of_one_account(aws):
    aws.synthesise(without_custom_resources)
    kinds = aws.deploy(*STACKS)
    assert {kind for kind in kinds if kind.startswith("AWS::ECR::")} == {
        "AWS::ECR::PullThroughCacheRule",
        "AWS::ECR::PullTimeUpdateExclusion",
        "AWS::ECR::RegistryPolicy",
        "AWS::ECR::RegistryScanningConfiguration",
        "AWS::ECR::ReplicationConfiguration",
        "AWS::ECR::RepositoryCreationTemplate",
    }
    assert {"AWS::IAM::ManagedPolicy", "AWS::IAM::Role", "AWS::SecretsManager::Secret"} < kinds


def test_check_agrees_but_for_what_only_people_can_give(aws):
    secrets = aws.client("secretsmanager", EUROPE)
    findings = aws.check("--assume-role", "auditor")
    for name in ("docker-hub", "github"):
        assert any(
            f.startswith(f"hub: rule {name}: its secret ecr-pullthroughcache/{name} was made") for f in findings
        ), findings
        secrets.put_secret_value(SecretId=f"ecr-pullthroughcache/{name}", SecretString=TOKEN)
    findings = aws.check("--assume-role", "auditor")
    # The accounts of the engine are in no organisation, and the hub of the example lets one in.
    outside = {f.partition(":")[0] for f in findings if "belongs to no organisation, and hub lets in" in f}
    assert {"batch-ecs", "dev-self-hosted", "prod-eu"} <= outside
    left = [
        f for f in findings
        if "chainguard" not in f and "belongs to no organisation" not in f and not f.startswith("prod-private: ")
    ]  # fmt: skip
    assert left == [], "\n".join(left)
    # The secret that the example says exists already has a suffix which AWS chose.
    assert any("ecr-pullthroughcache/chainguard" in f for f in findings)
    aws.found("check", "AWS::ECR::RegistryPolicy", "AWS::ECR::RegistryScanningConfiguration")


def test_the_hub_caches_replicates_and_lets_the_other_accounts_pull(aws):
    ecr = aws.client("ecr", EUROPE)
    found = ecr.describe_pull_through_cache_rules()["pullThroughCacheRules"]
    assert {r["ecrRepositoryPrefix"]: r["upstreamRegistryUrl"] for r in found} == {
        "k8s": "registry.k8s.io",
        "ecr-public": "public.ecr.aws",
        "quay": "quay.io",
        "docker-hub": "registry-1.docker.io",
        "github": "ghcr.io",
        "chainguard": "cgr.dev",
    }
    rules = ecr.describe_registry()["replicationConfiguration"]["rules"]
    assert {to["region"] for rule in rules for to in rule["destinations"]} == {FRANKFURT, AMERICA}
    policy = json.loads(ecr.get_registry_policy()["policyText"])
    pulling = [s for s in policy["Statement"] if "ecr:BatchImportUpstreamImage" in s["Action"]]
    assert [s["Principal"] for s in pulling] == [{"AWS": "*"}]
    assert [s["Condition"] for s in pulling] == [{"StringEquals": {"aws:PrincipalOrgID": "o-exampleorg1"}}]
    assert ecr.get_registry_scanning_configuration()["scanningConfiguration"]["scanType"] == "ENHANCED"


def test_the_frankfurt_registry_caches_for_itself_and_the_american_one_does_not(aws):
    prefixes = {
        region: {
            r["ecrRepositoryPrefix"]
            for r in aws.client("ecr", region).describe_pull_through_cache_rules()["pullThroughCacheRules"]
        }
        for region in (FRANKFURT, AMERICA)
    }
    assert prefixes == {FRANKFURT: {"k8s", "ecr-public"}, AMERICA: set()}


@pytest.mark.parametrize(("account", "role"), [(a, r) for (a, _), roles in ROLES.items() for r in roles])
def test_nodes_of_the_other_accounts_have_their_policy(aws, account, role):
    attached = aws.client("iam", EUROPE, account).list_attached_role_policies(RoleName=role)["AttachedPolicies"]
    assert len(attached) == 1


def test_the_roles_that_templates_name_are_there_for_ecr_to_assume(aws):
    iam = aws.client("iam", EUROPE)
    for region in (EUROPE, FRANKFURT, AMERICA):
        found = aws.client("ecr", region).describe_repository_creation_templates()["repositoryCreationTemplates"]
        assert len(found) == 6
        for template in found:
            role = iam.get_role(RoleName=template["customRoleArn"].rpartition("/")[2])["Role"]
            assert role["Arn"] == template["customRoleArn"]
            assert _services(role["AssumeRolePolicyDocument"]) == {"ecr.amazonaws.com"}
            assert iam.list_role_policies(RoleName=role["RoleName"])["PolicyNames"] != []
    aws.found("API", "AWS::IAM::Role", "AWS::IAM::Policy")


def test_deploying_again_changes_nothing(aws):
    assert aws.deploy(*STACKS) == set()


def test_destroyed_nothing_is_left_but_the_secrets(aws):
    aws.destroy(*STACKS)
    for region in (EUROPE, FRANKFURT, AMERICA):
        ecr = aws.client("ecr", region)
        assert ecr.describe_pull_through_cache_rules()["pullThroughCacheRules"] == []
        assert ecr.describe_registry()["replicationConfiguration"]["rules"] == []
    kept = {secret["Name"] for secret in aws.client("secretsmanager", EUROPE).list_secrets()["SecretList"]}
    assert kept == {"ecr-pullthroughcache/docker-hub", "ecr-pullthroughcache/github"}
    for (account, _), roles in ROLES.items():
        for role in roles:
            attached = aws.client("iam", EUROPE, account).list_attached_role_policies(RoleName=role)["AttachedPolicies"]
            assert attached == []
    roles = aws.client("iam", EUROPE).list_roles()["Roles"]
    assert not any(role["RoleName"].startswith("ecr-pull-through-") for role in roles)
    aws.gone("AWS::IAM::ManagedPolicy", "AWS::IAM::Role", "AWS::IAM::Policy")
    for region in (EUROPE, FRANKFURT):
        assert aws.client("lambda", region).list_functions()["Functions"] == []
        assert aws.client("stepfunctions", region).list_state_machines()["stateMachines"] == []
        assert aws.client("scheduler", region).list_schedules()["Schedules"] == []
        assert aws.client("cloudwatch", region).describe_alarms()["MetricAlarms"] == []
        assert aws.client("cloudwatch", region).list_dashboards()["DashboardEntries"] == []
        assert aws.client("events", region).list_rules()["Rules"] == []
        assert aws.client("logs", region).describe_log_groups()["logGroups"] == []
        assert aws.client("logs", region).describe_resource_policies()["resourcePolicies"] == []
        buckets = [bucket["Name"] for bucket in aws.client("s3", region).list_buckets()["Buckets"]]
        (kept,) = [name for name in buckets if not name.startswith("cdk-")]
        assert kept.startswith("ecr-pull-through-registry-")
    aws.gone(
        "AWS::CloudWatch::Alarm",
        "AWS::CloudWatch::Dashboard",
        "AWS::Events::Rule",
        "AWS::Lambda::Function",
        "AWS::Logs::LogGroup",
        "AWS::Logs::MetricFilter",
        "AWS::Logs::ResourcePolicy",
        "AWS::Scheduler::Schedule",
        "AWS::StepFunctions::StateMachine",
    )
    for kind in ("AWS::S3::Bucket", "AWS::SecretsManager::Secret"):
        aws.record.saw(aws.engine, kind, "DELETE_SKIPPED")


def _trust(*accounts: str, service: str = "ec2.amazonaws.com") -> str:
    # A process takes a key of another account for its own root user, so that must be trusted as well.
    principal = {"AWS": [f"arn:aws:iam::{a}:root" for a in accounts]} if accounts else {"Service": service}
    statement = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def _services(policy: dict[str, Any]) -> set[str]:
    return {statement["Principal"]["Service"] for statement in policy["Statement"]}
