"""Every example, as somebody runs it: synthesised by itself, from its own folder, with the package alone."""

import configparser
import functools
import json
import os
import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

import pytest
import yaml

from tests.real.engines import layer_tool, run
from tests.support import ROOT
from tests.support.assemblies import of_kind, regions, templates
from tests.support.command_line import cli

pytestmark = pytest.mark.slow

EXAMPLES = sorted(path.parent for path in (ROOT / "examples").glob("*/app.py"))
NOTHING_FOUND = {"gitops"}

# What cdk-nag's AwsSolutions rules find in the examples, and why it is left to who takes the example.
LEFT_TO_THE_READER = {
    "AwsSolutions-CB4": "CodeBuild encrypts with the AWS managed key of S3 unless it is given another",
    "AwsSolutions-ECR1": "* is narrowed by the condition aws:PrincipalOrgID to accounts of the organisation",
    "AwsSolutions-IAM4": "the constructs of aws-cdk-lib attach AWS's managed policies",
    "AwsSolutions-IAM5": "ecr:GetAuthorizationToken takes * alone, and repositories below a prefix have names nobody knows yet",
    "AwsSolutions-KMS5": "the key of CDK Pipelines' artifacts is not rotated unless asked for",
    "AwsSolutions-S1": "the bucket of CDK Pipelines keeps no access log",
    "AwsSolutions-SMG4": "the token is issued by the upstream registry, where no Lambda function can rotate it",
}

# Runs an app as `cdk synth` does, with cdk-nag's rules on top; what they find makes the synthesis fail after it is written.
WITH_NAG = """
import pathlib, runpy
import aws_cdk as cdk
from cdk_nag import AwsSolutionsChecks

synth = cdk.App.synth
def checked(self, **options):
    cdk.Validations.of(self).add_plugins(AwsSolutionsChecks())
    try:
        synth(self, **options)
    except RuntimeError:
        if not pathlib.Path(self.outdir, "validation-report.json").exists():
            raise
cdk.App.synth = checked
runpy.run_path("app.py", run_name="__main__")
"""


@functools.cache
def assembly(name: str) -> Path:
    """The cloud assembly of an example, synthesised once a process."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    out = Path(tempfile.mkdtemp(prefix=name))
    environment["CDK_OUTDIR"] = str(out)
    done = subprocess.run(
        [sys.executable, "-c", WITH_NAG], cwd=ROOT / "examples" / name, env=environment, capture_output=True, text=True, check=False
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (out / "manifest.json").exists(), done.stderr
    return out


def of(name: str):
    """The mark of a test of one example, so that it is synthesised in one process alone."""
    return pytest.mark.xdist_group(f"example-{name}")


def assemblies(path: Path) -> list[Path]:
    """An assembly, and those of its stages."""
    return [path, *sorted(path.glob("assembly-*"))]


@pytest.fixture(params=[pytest.param(example.name, marks=of(example.name)) for example in EXAMPLES])
def name(request) -> str:
    return request.param


def test_it_synthesises_and_cfn_lint_finds_nothing(name):
    from cfnlint.api import ManualArgs, lint

    found, count = [], 0
    for path in assemblies(assembly(name)):
        for stack, region in regions(path).items():
            manifest = json.loads((path / "manifest.json").read_text())["artifacts"][stack]
            template = (path / manifest["properties"]["templateFile"]).read_text()
            config = ManualArgs(
                regions=[region] if region != "unknown-region" else [],
                # How aws-cdk-lib writes its own: functions depend on their role twice, actions of pipelines join texts.
                ignore_checks=["W3005", "E3703"],
            )
            found += [f"{stack}: {match}" for match in lint(template, config=config)]
            count += 1
    assert found == []
    assert count > 0


def test_cdk_nag_finds_only_what_is_left_to_the_reader(name):
    report = json.loads((assembly(name) / "validation-report.json").read_text())["pluginReports"]
    found = {v["ruleName"].split("[")[0].rpartition("::")[2] for plugin in report for v in plugin["violations"]}
    assert found <= set(LEFT_TO_THE_READER), found - set(LEFT_TO_THE_READER)
    assert found or name in NOTHING_FOUND


def test_every_example_says_what_it_is_and_is_short():
    for example in EXAMPLES:
        assert (example / "README.md").read_text().startswith("# "), example
        assert (example / "cdk.json").exists(), example
        assert len((example / "app.py").read_text().splitlines()) <= 85, example


def test_every_example_needs_the_package_alone():
    in_the_wheel = {"ecr_pull_through_cache", "ecr_pull_through_cache_stacks", "aws_cdk", "constructs"}
    for example in EXAMPLES:
        imports = set(re.findall(r"^(?:from|import) (\w+)", (example / "app.py").read_text(), re.M))
        assert imports - in_the_wheel <= sys.stdlib_module_names, example
        assert "PYTHONPATH" not in (example / "cdk.json").read_text(), example


@of("one_account")
def test_one_account_has_rules_nodes_and_a_policy():
    path = assembly("one_account")
    template = templates(path)["Cache"]
    assert len(of_kind(template, "AWS::ECR::PullThroughCacheRule")) == 4
    assert of_kind(template, "AWS::IAM::ManagedPolicy")[0]["Roles"] == ["demo-node-role"]
    assert (path / "Cache.ecr-pull-through-cache.yaml").exists()


@of("hub_and_spokes")
def test_hub_and_spokes_import_nothing_from_each_other():
    made = templates(assembly("hub_and_spokes"))
    assert made.keys() == {"Hub", "Replica", "ProdEurope", "ProdAmerica"}
    assert "Fn::ImportValue" not in json.dumps(made)
    assert "ImportNothing" in json.dumps(made["ProdAmerica"])
    assert "ImportNewImages" in json.dumps(made["ProdEurope"])


@of("cdk_pipelines")
class TestPipelines:
    def test_every_stack_of_the_configuration_is_in_a_stage(self):
        from ecr_pull_through_cache.configuration import load

        configuration = load(ROOT / "environments/example.yaml")
        stages = {
            path.name.removeprefix("assembly-ImageCachePipeline-"): regions(path)
            for path in assemblies(assembly("cdk_pipelines"))[1:]
        }
        assert len(stages["Receiving"]) + len(stages["Caching"]) == len(configuration.registries)
        clusters = [stacks for stage, stacks in stages.items() if stage.startswith("Clusters-")]
        assert sum(map(len, clusters)) == len(configuration.clusters)
        assert len(clusters) == len({plan.environment.account for plan in configuration.clusters.values()})

    def test_destinations_are_deployed_before_who_replicates_and_clusters_last(self):
        (pipeline,) = of_kind(templates(assembly("cdk_pipelines"))["ImageCachePipeline"], "AWS::CodePipeline::Pipeline")
        names = [stage["Name"] for stage in pipeline["Stages"]]
        assert names.index("Receiving") < names.index("Caching") < names.index("Clusters")

    def test_the_admission_policy_of_each_cluster_is_a_file_beside_its_template(self):
        for path in assemblies(assembly("cdk_pipelines"))[1:]:
            policies = {file.name.split(".")[0] for file in path.glob("*.ecr-pull-through-cache.yaml")}
            assert policies <= {file.name.split(".")[0] for file in path.glob("*.template.json")}
        written = list(assembly("cdk_pipelines").rglob("*.ecr-pull-through-cache.yaml"))
        assert len(written) == 4
        assert all(list(yaml.safe_load_all(file.read_text())) for file in written)

    def test_its_synthesis_installs_this_version_of_the_package_alone(self):
        from ecr_pull_through_cache import __version__

        (project,) = (
            json.loads(p["Source"]["BuildSpec"])
            for p in of_kind(templates(assembly("cdk_pipelines"))["ImageCachePipeline"], "AWS::CodeBuild::Project")
            if "cdk synth" in str(p) or "aws-cdk@2 synth" in str(p)
        )
        commands = project["phases"]["build"]["commands"]
        assert commands[0] == f"pip install cdk-ecr-pull-through-cache=={__version__}"
        assert commands[1:] == ["npx aws-cdk@2 synth --app 'python3 app.py'"]


class TestRolesOfPipelines:
    @pytest.mark.parametrize(
        ("name", "stack"),
        [
            pytest.param("github_actions", "DeploymentRole", marks=of("github_actions")),
            pytest.param("codebuild", "DeploymentProject", marks=of("codebuild")),
        ],
    )
    def test_they_may_become_the_bootstrapped_roles_and_nothing_else_of_the_cdk(self, name, stack):
        statements = [
            statement
            for policy in of_kind(templates(assembly(name))[stack], "AWS::IAM::Policy")
            for statement in policy["PolicyDocument"]["Statement"]
        ]
        (assume,) = [s for s in statements if s["Action"] == "sts:AssumeRole"]
        assert len(assume["Resource"]) == 6
        assert all(":role/cdk-hnb659fds-" in json.dumps(arn) for arn in assume["Resource"])
        assert not any(s["Resource"] == "*" or "iam:PassRole" in s["Action"] for s in statements)

    @of("github_actions")
    def test_only_one_environment_of_one_repository_is_trusted(self):
        (role,) = of_kind(templates(assembly("github_actions"))["DeploymentRole"], "AWS::IAM::Role")
        (statement,) = role["AssumeRolePolicyDocument"]["Statement"]
        assert statement["Action"] == "sts:AssumeRoleWithWebIdentity"
        claims = statement["Condition"]["StringEquals"]
        assert claims["token.actions.githubusercontent.com:sub"] == "repo:acme/image-cache:environment:production"
        assert claims["token.actions.githubusercontent.com:aud"] == "sts.amazonaws.com"

    @of("github_actions")
    def test_the_workflow_uses_that_role_and_that_environment_and_verbs_that_exist(self):
        workflow = yaml.safe_load((ROOT / "examples/github_actions/deploy.yml").read_text())
        (role,) = of_kind(templates(assembly("github_actions"))["DeploymentRole"], "AWS::IAM::Role")
        deploy = workflow["jobs"]["deploy"]
        assert deploy["environment"] == "production"
        assert deploy["permissions"] == {"contents": "read", "id-token": "write"}
        (credentials,) = [s["with"] for s in deploy["steps"] if "configure-aws-credentials" in s.get("uses", "")]
        assert credentials["role-to-assume"].endswith(f":role/{role['RoleName']}")
        assert "id-token" not in workflow["permissions"], "a pull request gets no token"
        assert_make_verbs(step["run"] for job in workflow["jobs"].values() for step in job["steps"] if "run" in step)

    @of("codebuild")
    def test_the_project_runs_its_buildspec_with_verbs_that_exist(self):
        (project,) = of_kind(templates(assembly("codebuild"))["DeploymentProject"], "AWS::CodeBuild::Project")
        buildspec = yaml.safe_load((ROOT / project["Source"]["BuildSpec"]).read_text())
        assert buildspec["version"] == 0.2
        assert_make_verbs(buildspec["phases"]["build"]["commands"])


def assert_make_verbs(commands):
    verbs = set(re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text(), re.M))
    used = {command.split()[1] for command in commands if command.startswith("make ")}
    assert used
    assert used <= verbs


@of("gitops")
class TestGitOps:
    FOLDER = ROOT / "examples/gitops"

    def test_the_copy_in_git_is_what_is_synthesised(self):
        written = assembly("gitops") / "Cache.ecr-pull-through-cache.yaml"
        assert (self.FOLDER / "policies/ecr-pull-through-cache.yaml").read_text() == written.read_text()

    def test_kustomize_builds_it(self):
        built = run([layer_tool("kubectl"), "kustomize", self.FOLDER / "policies"]).stdout
        (policy,) = yaml.safe_load_all(built)
        assert (policy["kind"], policy["metadata"]["name"]) == ("MutatingPolicy", "ecr-pull-through-cache")

    def test_argo_cd_and_flux_take_it_from_there(self):
        application = yaml.safe_load((self.FOLDER / "argo-cd/application.yaml").read_text())
        kustomization = yaml.safe_load((self.FOLDER / "flux/kustomization.yaml").read_text())
        assert (application["apiVersion"], application["kind"]) == ("argoproj.io/v1alpha1", "Application")
        assert (kustomization["apiVersion"], kustomization["kind"]) == (
            "kustomize.toolkit.fluxcd.io/v1",
            "Kustomization",
        )
        for path in (application["spec"]["source"]["path"], kustomization["spec"]["path"]):
            assert (self.FOLDER / path / "kustomization.yaml").exists()


@of("private_subnets")
def test_private_subnets_reach_ecr_import_nothing_and_are_warmed():
    path = assembly("private_subnets")
    template = templates(path)["PrivateCluster"]
    assert len(of_kind(template, "AWS::EC2::VPCEndpoint")) == 3
    assert "ImportNothing" in json.dumps(of_kind(template, "AWS::IAM::ManagedPolicy"))
    assert len(of_kind(template, "AWS::StepFunctions::StateMachine")) == 1
    assert len(of_kind(template, "AWS::Scheduler::Schedule")) == 1
    (images,) = path.glob("asset.*.txt")
    source = (ROOT / "examples/private_subnets/app.py").read_text()
    assert sorted(images.read_text().split()) == sorted(re.findall(r'"(registry\.k8s\.io/[^"]+)"', source))


@of("ecs")
def test_ecs_pulls_every_image_from_the_cache_by_a_role_that_may_import():
    template = templates(assembly("ecs"))["Task"]
    (task,) = of_kind(template, "AWS::ECS::TaskDefinition")
    images = [container["Image"] for container in task["ContainerDefinitions"]]
    assert images == [
        "111122223333.dkr.ecr.eu-west-1.amazonaws.com/ecr-public/nginx/nginx:1.29",
        "111122223333.dkr.ecr.eu-west-1.amazonaws.com/quay/prometheus/statsd-exporter:v0.28.0",
    ]
    policies = json.dumps(of_kind(template, "AWS::IAM::Policy"))
    assert "ecr:BatchImportUpstreamImage" in policies
    assert "ecr:CreateRepository" in policies


@of("self_hosted")
class TestSelfHosted:
    def test_every_role_may_pull(self):
        template = templates(assembly("self_hosted"))["SelfHosted"]
        (policy,) = of_kind(template, "AWS::IAM::ManagedPolicy")
        roles = [name for name, resource in template["Resources"].items() if resource["Type"] == "AWS::IAM::Role"]
        assert sorted(role["Ref"] for role in policy["Roles"]) == sorted(roles)
        assert len(of_kind(template, "AWS::IAM::InstanceProfile")) == 2

    def test_the_files_that_its_page_makes_are_what_they_are_called(self, tmp_path):
        text = (ROOT / "examples/self_hosted/README.md").read_text()
        flags = re.search(r"CACHE=\(([^)]+)\)", text)[1].split()
        kinds = re.findall(r'cluster-config (\S+) "\$\{CACHE\[@\]\}" --output (\S+)', text)
        assert [kind for kind, _ in kinds] == ["kubeadm", "kops", "containerd"]
        for kind, folder in kinds:
            cli("cluster-config", kind, *flags, "--output", tmp_path / folder)
            files = [path for path in (tmp_path / folder).rglob("*") if path.is_file()]
            assert files
            for file in files:
                assert self.read(file), file

    @staticmethod
    def read(file):
        text = file.read_text()
        if file.suffix in (".service", ".timer"):
            units = configparser.ConfigParser(strict=False, interpolation=None)
            units.read_string(text)
            return units.sections()
        if text.startswith("#!/bin/sh"):
            return subprocess.run(["sh", "-n", file], check=True)
        return tomllib.loads(text) if file.suffix == ".toml" else list(yaml.safe_load_all(text))
