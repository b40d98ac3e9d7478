"""Every environment file: templates that AWS would accept, in every Region they name."""

import json
import os
import re
import subprocess
from pathlib import Path

import aws_cdk as cdk
import pytest
from cdk_nag import AwsSolutionsChecks
from syrupy.extensions.json import JSONSnapshotExtension

from app import build
from ecr_pull_through_cache.configuration import parse
from tests.support import ROOT
from tests.support.assemblies import CONTEXT, ENVIRONMENTS, assembly, of_kind, regions, synthesise, templates
from tests.support.logical_ids import reviewed

CDK = ROOT / "node_modules/.bin/cdk"


@pytest.fixture
def snapshot_json(snapshot):
    """Snapshots in a file each, which a reviewer can diff."""
    return snapshot.use_extension(JSONSnapshotExtension)


@pytest.fixture(params=ENVIRONMENTS)
def environment(request) -> str:
    return request.param


def test_cfn_lint_finds_nothing_with_the_schemas_of_each_region(environment):
    from cfnlint.api import ManualArgs, lint

    path = assembly(environment)
    found = [
        f"{stack} in {region}: {match}"
        for stack, region in regions(path).items()
        # W3005: functions of aws-cdk-lib name their role, and say that they wait for it.
        for match in lint(
            (path / f"{stack}.template.json").read_text(), config=ManualArgs(regions=[region], ignore_checks=["W3005"])
        )
    ]
    assert found == []


def test_cdk_nag_finds_nothing(environment, tmp_path):
    app = cdk.App(builtin_cloud_formation_validation=False, context=CONTEXT, outdir=str(tmp_path))
    build(app, str(ROOT / f"environments/{environment}.yaml"))
    cdk.Validations.of(app).add_plugins(AwsSolutionsChecks())
    app.synth()
    report = json.loads((tmp_path / "validation-report.json").read_text())
    found = {plugin["pluginName"]: plugin["violations"] for plugin in report["pluginReports"]}
    assert found["AwsSolutions"] == []


def test_two_syntheses_are_the_same_to_the_byte(environment, tmp_path):
    again = synthesise(ROOT / f"environments/{environment}.yaml", tmp_path)
    once = assembly(environment)
    names = sorted(p.name for p in once.rglob("*.json"))
    assert names == sorted(p.name for p in again.rglob("*.json"))
    for name in names:
        assert (once / name).read_bytes() == (again / name).read_bytes(), name


# What AWS allows on nothing narrower.
# https://docs.aws.amazon.com/step-functions/latest/dg/cw-logs.html, https://docs.aws.amazon.com/xray/latest/devguide/security_iam_id-based-policy-examples.html
ON_EVERYTHING = {
    "ecr:GetAuthorizationToken",
    "ecr:DescribePullThroughCacheRules", "ecr:DescribeRepositoryCreationTemplates", "servicequotas:ListServiceQuotas",
    "logs:CreateLogDelivery", "logs:GetLogDelivery", "logs:UpdateLogDelivery", "logs:DeleteLogDelivery",
    "logs:ListLogDeliveries", "logs:PutResourcePolicy", "logs:DescribeResourcePolicies", "logs:DescribeLogGroups",
    "xray:PutTraceSegments", "xray:PutTelemetryRecords", "xray:GetSamplingRules", "xray:GetSamplingTargets",
}  # fmt: skip


def statements_of(resource):
    """Statements of a policy of IAM, and of the inline policies of a role."""
    properties = resource["Properties"]
    documents = [inline["PolicyDocument"] for inline in properties.get("Policies", ())]
    if resource["Type"] in ("AWS::IAM::ManagedPolicy", "AWS::IAM::Policy"):
        documents.append(properties["PolicyDocument"])
    return [statement for document in documents for statement in document["Statement"]]


def test_templates_hold_no_secret_and_no_wildcard_resource_that_could_be_narrower(environment):
    for stack, template in templates(assembly(environment)).items():
        for logical_id, resource in template["Resources"].items():
            for statement in statements_of(resource):
                if statement["Resource"] == "*":
                    actions = statement["Action"]
                    given = {actions} if isinstance(actions, str) else set(actions)
                    assert given <= ON_EVERYTHING, f"{stack} {logical_id}"
            if resource["Type"] == "AWS::SecretsManager::Secret":
                assert "SecretString" not in resource["Properties"]


def test_no_run_of_the_warmer_brings_back_what_the_deletion_of_a_stack_removes():
    resources = templates(assembly("example"))["registry-frankfurt"]["Resources"]
    (machine,) = (r for r in resources.values() if r["Type"] == "AWS::StepFunctions::StateMachine")
    assert "Custom::EcrCacheRemoval" in {resources[name]["Type"] for name in machine["DependsOn"]}


def test_topics_of_the_same_name_in_two_accounts_are_two(tmp_path):
    text = EXAMPLE.replace("111122223333:platform-alarms", "222233334444:platform-alarms", 1)
    hub = synthesise_text(text, tmp_path / "a")["registry-hub"]
    told = {action for alarm in of_kind(hub, "AWS::CloudWatch::Alarm") for action in alarm["AlarmActions"]}
    assert told == {f"arn:aws:sns:eu-west-1:{account}:platform-alarms" for account in (111122223333, 222233334444)}


def test_no_stack_hangs_on_an_export_of_another(environment):
    for template in templates(assembly(environment)).values():
        assert "Fn::ImportValue" not in json.dumps(template)
        assert all("Export" not in output for output in template.get("Outputs", {}).values())


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_templates_are_reviewed(environment, snapshot_json):
    for name, template in templates(assembly(environment)).items():
        shown = {"Resources": template["Resources"], "Outputs": template.get("Outputs", {})}
        # The name of the functions' code changes with every line of it.
        shown = json.loads(re.sub(r"[0-9a-f]{64}\.zip", "CODE.zip", json.dumps(shown)))
        assert shown == snapshot_json(name=name)


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_logical_ids_are_reviewed(environment, reviewed_ids):
    for name, template in templates(assembly(environment)).items():
        reviewed_ids(environment, name, template["Resources"])


def test_nothing_is_kept_of_a_stack_that_is_gone():
    there = {environment: set(templates(assembly(environment))) for environment in ENVIRONMENTS}
    assert {section: set(names) for section, names in reviewed().items() if section != "constructs"} == there
    files = {path.stem for path in (ROOT / "tests/stacks/__snapshots__/test_environments").iterdir()}
    assert files == {f"test_templates_are_reviewed[{e}][{stack}]" for e, stacks in there.items() for stack in stacks}


@pytest.mark.slow
@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_the_real_cdk_synthesises_it_without_credentials(environment, tmp_path):
    done = subprocess.run(
        [CDK, "synth", "--quiet", "--output", str(tmp_path), "--context", f"config=environments/{environment}.yaml"],
        cwd=ROOT, capture_output=True, text=True, check=False,
        env={**os.environ, "AWS_EC2_METADATA_DISABLED": "true"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert without_metadata(templates(tmp_path)) == without_metadata(templates(assembly(environment)))


def without_metadata(stacks):
    """Without the construct paths that the CLI asks for."""
    for template in stacks.values():
        for resource in template["Resources"].values():
            resource.pop("Metadata", None)
    return stacks


EXAMPLE = (ROOT / "environments/example.yaml").read_text()


def synthesise_text(text: str, folder: Path) -> dict:
    folder.mkdir()
    path = folder / "configuration.yaml"
    path.write_text(text)
    return templates(synthesise(path, folder / "out"))


def test_another_account_of_the_organisation_changes_no_stack_that_is_there(tmp_path):
    cluster = """
  another:
    account: "555566667777"
    region: europe
    registry: hub
    nodes: [{ role: another }]
"""
    before = templates(assembly("example"))
    after = synthesise_text(EXAMPLE + cluster, tmp_path / "a")
    assert set(after) - set(before) == {"cluster-another"}
    assert {name for name in before if before[name] != after[name]} == set(), "the hub lets the organisation in"


def test_another_account_that_is_listed_changes_the_policies_of_its_registry_alone(tmp_path):
    listed = EXAMPLE.replace("      organization: true\n", "      accounts: [workloads-dev]\n")
    cluster = """
  another:
    account: "555566667777"
    region: europe
    registry: hub
"""
    before = synthesise_text(listed, tmp_path / "a")
    after = synthesise_text(listed + cluster, tmp_path / "b")
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {"registry-hub"}, "its account is new to the registry's policies"


def test_a_cluster_more_in_a_known_account_changes_nothing_else(tmp_path):
    cluster = """
  another:
    account: workloads-prod
    region: europe
    registry: hub
"""
    before = templates(assembly("example"))
    after = synthesise_text(EXAMPLE + cluster, tmp_path / "a")
    assert {name: after[name] for name in before} == before


def test_the_order_of_a_file_changes_nothing(tmp_path):
    import yaml

    def reversed_everywhere(data):
        if isinstance(data, dict):
            return {key: reversed_everywhere(data[key]) for key in reversed(data)}
        return data[::-1] if isinstance(data, list) and all(isinstance(x, str) for x in data) else data

    data = yaml.safe_load(EXAMPLE)
    data["clusters"] = {
        name: {**c, "nodes": c.get("nodes", [])[::-1]} for name, c in data["clusters"].items()
    }  # fmt: skip
    turned = yaml.safe_dump(reversed_everywhere(data), sort_keys=False)
    assert synthesise_text(turned, tmp_path / "a") == templates(assembly("example"))


def test_a_mistake_is_one_sentence_and_no_traceback(tmp_path):
    path = tmp_path / "wrong.yaml"
    path.write_text(EXAMPLE.replace("registry: frankfurt", "registry: frankfrut"))
    done = subprocess.run(
        [CDK, "synth", "--quiet", "--output", str(tmp_path / "out"), "--context", f"config={path}"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode != 0
    assert "there is no registry 'frankfrut' (did you mean 'frankfurt'?)" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_schema_for_editors_is_the_one_of_the_models():
    from ecr_pull_through_cache.configuration.schema import json_schema, schema_file

    assert json.loads(schema_file().read_text()) == json_schema()


def test_the_schema_accepts_the_environment_files_and_refuses_what_is_wrong(environment):
    import jsonschema
    import yaml

    from ecr_pull_through_cache.configuration.schema import json_schema

    data = yaml.safe_load((ROOT / f"environments/{environment}.yaml").read_text())
    jsonschema.validate(data, json_schema())
    data["registrys"] = {}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(data, json_schema())


def test_a_cluster_that_pulls_replicas_is_told_what_to_do():
    plan = parse(EXAMPLE).clusters["prod-us"]
    (message,) = plan.warnings.values()
    assert "the cluster prod-us pulls from america" in message
    assert plan.mapping.map("registry.k8s.io/pause:3.10") == "registry.k8s.io/pause:3.10"
