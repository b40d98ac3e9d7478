"""`environments/minimal.yaml` as it stands: deployed, read back, changed in every way, and destroyed."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from botocore.exceptions import ClientError

from tests.deploy.deploying import PLATFORM, changed
from tests.support import ROOT

MINIMAL = yaml.safe_load((ROOT / "environments/minimal.yaml").read_text())
REGIONS = ("us-east-1", "us-west-2", "eu-west-1")
TOKEN = json.dumps({"username": "robot", "accessToken": "token"})
RULE, TEMPLATE, REPLICATION, POLICY, SCANNING, SECRET = (
    "AWS::ECR::PullThroughCacheRule",
    "AWS::ECR::RepositoryCreationTemplate",
    "AWS::ECR::ReplicationConfiguration",
    "AWS::ECR::RegistryPolicy",
    "AWS::ECR::RegistryScanningConfiguration",
    "AWS::SecretsManager::Secret",
)


@pytest.fixture(scope="module")
def aws(cloud):
    """Three Regions that are bootstrapped, the role of the cluster's nodes, and the stacks."""
    deployer = cloud.deployer
    deployer.bootstrap(PLATFORM, *REGIONS)
    trust = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}],
    }
    deployer.client("iam", "us-east-1").create_role(
        RoleName="demo-node-role", AssumeRolePolicyDocument=json.dumps(trust)
    )
    deployer.configure(MINIMAL)
    assert deployer.deploy() == {RULE, TEMPLATE, REPLICATION, "AWS::IAM::ManagedPolicy"}
    return deployer


def rules(aws, region: str = "us-east-1") -> dict[str, Any]:
    found = aws.client("ecr", region).describe_pull_through_cache_rules()["pullThroughCacheRules"]
    return {rule["ecrRepositoryPrefix"]: rule for rule in found}


def destinations(aws) -> set[str]:
    found = aws.client("ecr", "us-east-1").describe_registry()["replicationConfiguration"]["rules"]
    return {to["region"] for rule in found for to in rule["destinations"]}


def with_upstream(prefix: str, upstream: Any, base: Any = MINIMAL) -> Any:
    configuration = changed(base)
    configuration["registries"]["main"]["upstreams"][prefix] = upstream
    return configuration


def test_check_agrees(aws):
    assert aws.check() == []
    aws.found("check", RULE, TEMPLATE, REPLICATION)


def test_the_registry_is_as_the_configuration_says(aws):
    assert {prefix: rule["upstreamRegistryUrl"] for prefix, rule in rules(aws).items()} == {"k8s": "registry.k8s.io"}
    assert rules(aws, "us-west-2") == rules(aws, "eu-west-1") == {}
    (rule,) = aws.client("ecr", "us-east-1").describe_registry()["replicationConfiguration"]["rules"]
    assert {(to["registryId"], to["region"]) for to in rule["destinations"]} == {(PLATFORM, r) for r in REGIONS[1:]}
    assert [f["filter"] for f in rule["repositoryFilters"]] == ["k8s/"]
    aws.found("API", RULE, REPLICATION)


def test_the_nodes_have_the_policy(aws):
    iam = aws.client("iam", "us-east-1")
    (attached,) = iam.list_attached_role_policies(RoleName="demo-node-role")["AttachedPolicies"]
    version = iam.get_policy_version(PolicyArn=attached["PolicyArn"], VersionId="v1")["PolicyVersion"]["Document"]
    allowed = {a for s in version["Statement"] if s["Effect"] == "Allow" for a in _list(s["Action"])}
    assert {
        "ecr:GetAuthorizationToken",
        "ecr:BatchGetImage",
        "ecr:BatchImportUpstreamImage",
        "ecr:CreateRepository",
    } <= allowed
    aws.found("API", "AWS::IAM::ManagedPolicy")


def test_deploying_again_changes_nothing(aws):
    assert aws.deploy() == set()
    assert "Number of stacks with differences: 0" in aws.cdk("diff")


def test_an_upstream_more_and_less(aws):
    aws.configure(with_upstream("public", "public.ecr.aws"))
    # The stacks of replicas and of the cluster know the new prefix as well.
    assert aws.deploy() == {RULE, TEMPLATE, REPLICATION, "AWS::IAM::ManagedPolicy"}
    assert set(rules(aws)) == {"k8s", "public"}
    assert aws.check() == []
    aws.configure(MINIMAL)
    aws.deploy()
    assert set(rules(aws)) == {"k8s"}
    assert aws.check() == []


def test_a_replica_region_more_and_less(aws):
    configuration = changed(MINIMAL)
    configuration["registries"]["south"] = {"account": "platform", "region": "ap-southeast-2"}
    configuration["registries"]["main"]["replicateTo"].append("south")
    aws.configure(configuration)
    assert aws.check() != []
    aws.bootstrap(PLATFORM, "ap-southeast-2")
    assert aws.deploy() == {TEMPLATE, REPLICATION}
    assert destinations(aws) == {"us-west-2", "eu-west-1", "ap-southeast-2"}
    assert aws.check() == []
    aws.destroy("registry-south")
    aws.configure(MINIMAL)
    assert aws.deploy() == {REPLICATION}
    assert destinations(aws) == {"us-west-2", "eu-west-1"}
    assert aws.check() == []


def test_a_template_changes(aws):
    configuration = changed(MINIMAL)
    configuration["registries"]["main"]["template"] = {"lifecyclePolicy": {"expireAfterDays": 30}}
    aws.configure(configuration)
    assert aws.deploy() == {TEMPLATE}
    (template,) = aws.client("ecr", "us-east-1").describe_repository_creation_templates()["repositoryCreationTemplates"]
    assert json.loads(template["lifecyclePolicy"])["rules"][0]["selection"]["countNumber"] == 30
    assert aws.check() == []
    aws.configure(MINIMAL)
    aws.deploy()


def test_pullers_of_another_account_and_scanning_come_and_go(aws):
    configuration = changed(MINIMAL)
    configuration["registries"]["main"] |= {"pull": {"accounts": ["222233334444"]}, "scanType": "BASIC"}
    aws.configure(configuration)
    assert {POLICY, SCANNING} < aws.deploy()
    ecr = aws.client("ecr", "us-east-1")
    (statement,) = json.loads(ecr.get_registry_policy()["policyText"])["Statement"]
    assert statement["Action"] == ["ecr:BatchImportUpstreamImage", "ecr:CreateRepository"]
    assert statement["Principal"] == {"AWS": "arn:aws:iam::222233334444:root"}
    assert ecr.get_registry_scanning_configuration()["scanningConfiguration"]["scanType"] == "BASIC"
    assert aws.check() == []
    aws.found("API", POLICY, SCANNING)

    configuration["registries"]["main"]["pull"]["accounts"].append("333344445555")
    configuration["registries"]["main"]["scanType"] = "ENHANCED"
    aws.configure(configuration)
    assert {POLICY, SCANNING} < aws.deploy()
    assert "333344445555" in ecr.get_registry_policy()["policyText"]
    assert ecr.get_registry_scanning_configuration()["scanningConfiguration"]["scanType"] == "ENHANCED"

    aws.configure(MINIMAL)
    assert {POLICY, SCANNING} < aws.deploy()
    with pytest.raises(ClientError, match="RegistryPolicyNotFoundException"):
        ecr.get_registry_policy()
    aws.gone(POLICY, SCANNING)


WITH_HUB = with_upstream("hub", {"upstream": "docker.io", "credentials": "hub"})


def test_an_upstream_with_credentials_waits_for_its_token(aws):
    aws.configure(WITH_HUB)
    assert SECRET in aws.deploy()
    (finding,) = aws.check()
    assert finding.startswith("main: rule hub: its secret ecr-pullthroughcache/hub was made and never written to")
    aws.client("secretsmanager", "us-east-1").put_secret_value(SecretId="ecr-pullthroughcache/hub", SecretString=TOKEN)
    assert aws.check() == []
    aws.found("check", SECRET)


def test_a_new_token_is_no_deployment(aws):
    other = json.dumps({"username": "robot", "accessToken": "other"})
    secrets = aws.client("secretsmanager", "us-east-1")
    secrets.put_secret_value(SecretId="ecr-pullthroughcache/hub", SecretString=other)
    assert aws.deploy() == set()
    assert secrets.get_secret_value(SecretId="ecr-pullthroughcache/hub")["SecretString"] == other


def test_another_secret_is_met_by_the_recorded_one_and_check_fix(aws):
    new = aws.client("secretsmanager", "us-east-1").create_secret(Name="ecr-pullthroughcache/hub2", SecretString=TOKEN)[
        "ARN"
    ]
    recorded = rules(aws)["hub"]["credentialArn"]
    aws.configure(with_upstream("hub", {"upstream": "docker.io", "credentials": new, "deployedCredentials": recorded}))
    aws.deploy()
    assert rules(aws)["hub"]["credentialArn"] == recorded
    (finding,) = aws.check()
    assert "CloudFormation cannot change it" in finding
    assert aws.check("--fix", "--yes") == []
    assert rules(aws)["hub"]["credentialArn"] == new
    assert aws.check() == []
    assert aws.deploy() == set()


def test_a_deployment_that_fails_in_the_middle_is_rolled_back_and_can_be_repeated(aws):
    secrets = aws.client("secretsmanager", "us-east-1")
    taken = secrets.create_secret(Name="ecr-pullthroughcache/taken", SecretString="{}")["ARN"]
    configuration = yaml.safe_load(aws.configuration.read_text())
    aws.configure(with_upstream("github", {"upstream": "ghcr.io", "credentials": "taken"}, configuration))
    before = rules(aws)
    aws.deploy("registry-main", fails=True)
    assert rules(aws) == before
    secrets.delete_secret(SecretId=taken, ForceDeleteWithoutRecovery=True)
    aws.deploy()
    assert set(rules(aws)) == {"k8s", "hub", "github"}
    secrets.put_secret_value(SecretId="ecr-pullthroughcache/taken", SecretString=TOKEN)
    assert aws.check() == []


def test_destroyed_nothing_is_left_but_the_secrets(aws):
    aws.destroy()
    for region in REGIONS:
        ecr = aws.client("ecr", region)
        assert ecr.describe_pull_through_cache_rules()["pullThroughCacheRules"] == []
        assert ecr.describe_registry()["replicationConfiguration"]["rules"] == []
        assert ecr.describe_repository_creation_templates()["repositoryCreationTemplates"] == []
        left = aws.client("cloudformation", region).list_stacks()["StackSummaries"]
        assert {s["StackName"] for s in left if s["StackStatus"] != "DELETE_COMPLETE"} == {"CDKToolkit"}
    kept = {secret["Name"] for secret in aws.client("secretsmanager", "us-east-1").list_secrets()["SecretList"]}
    assert kept == {"ecr-pullthroughcache/hub", "ecr-pullthroughcache/hub2", "ecr-pullthroughcache/taken"}
    assert (
        aws.client("iam", "us-east-1").list_attached_role_policies(RoleName="demo-node-role")["AttachedPolicies"] == []
    )
    aws.gone(RULE, REPLICATION, TEMPLATE, "AWS::IAM::ManagedPolicy")
    aws.record.saw(aws.engine, SECRET, "DELETE_SKIPPED")


def _list(value: Any) -> list[str]:
    return value if isinstance(value, list) else [value]
