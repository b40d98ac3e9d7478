"""RewriteImages: the aspect that rewrites the images of an app."""

import json

import aws_cdk as cdk
import pytest
from aws_cdk import aws_apprunner as apprunner
from aws_cdk import aws_batch as batch
from aws_cdk import aws_codebuild as codebuild
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sagemaker as sagemaker
from aws_cdk.assertions import Template

from ecr_pull_through_cache import CreationTemplateSettings, PullThroughCache, RewriteImages, Upstream
from tests.corpus import HOST, corpus, mapping
from tests.support.eks import CHART, MANIFEST, imported
from tests.support.templates import only, resources, warnings


class TestRewriteImages:
    def rewritten(self, stack):
        cdk.Aspects.of(stack).add(RewriteImages(mapping()))
        return Template.from_stack(stack)

    def test_ecs_and_fargate(self, stack):
        task = ecs.FargateTaskDefinition(stack, "Task")
        task.add_container("a", image=ecs.ContainerImage.from_registry("nginx:1"))
        task.add_container("b", image=ecs.ContainerImage.from_registry("mcr.microsoft.com/x"))
        containers = next(iter(self.rewritten(stack).find_resources("AWS::ECS::TaskDefinition").values()))
        assert [c["Image"] for c in containers["Properties"]["ContainerDefinitions"]] == [
            f"{HOST}/docker-hub/library/nginx:1",
            "mcr.microsoft.com/x",
        ]

    def test_images_that_the_app_builds_stay(self, stack):
        task = ecs.FargateTaskDefinition(stack, "Task")
        task.add_container("a", image=ecs.ContainerImage.from_registry(cdk.Fn.import_value("image")))
        assert "docker-hub" not in json.dumps(self.rewritten(stack).to_json())

    def test_batch(self, stack):
        vpc = ec2.Vpc(stack, "Vpc", max_azs=1)
        batch.FargateComputeEnvironment(stack, "Environment", vpc=vpc)
        batch.EcsJobDefinition(
            stack, "Job",
            container=batch.EcsFargateContainerDefinition(
                stack, "Container", image=ecs.ContainerImage.from_registry("quay.io/a/b:1"),
                cpu=1, memory=cdk.Size.gibibytes(2),
            ),
        )  # fmt: skip
        (job,) = self.rewritten(stack).find_resources("AWS::Batch::JobDefinition").values()
        assert job["Properties"]["ContainerProperties"]["Image"] == f"{HOST}/quay/a/b:1"

    def test_codebuild(self, stack):
        codebuild.Project(
            stack, "Build", build_spec=codebuild.BuildSpec.from_object({"version": "0.2"}),
            environment=codebuild.BuildEnvironment(
                build_image=codebuild.LinuxBuildImage.from_docker_registry("public.ecr.aws/docker/library/python:3")
            ),
        )  # fmt: skip
        (project,) = self.rewritten(stack).find_resources("AWS::CodeBuild::Project").values()
        assert project["Properties"]["Environment"]["Image"] == f"{HOST}/team/public/docker/library/python:3"

    def test_manifests_of_eks(self, stack):
        cluster = imported(stack, 1)
        cluster.add_manifest(
            "Pod", {"kind": "Pod", "metadata": {"name": "p"}, "spec": {"containers": [{"name": "a", "image": "nginx"}]}}
        )
        self.rewritten(stack)
        (pod,) = json.loads(only(stack, MANIFEST)["Manifest"])
        assert pod["spec"]["containers"] == [{"name": "a", "image": f"{HOST}/docker-hub/library/nginx"}]

    def test_manifests_with_tokens(self, stack):
        bucket = cdk.Fn.ref("AWS::StackName")
        pod = {"kind": "Pod", "metadata": {"name": bucket}, "spec": {"containers": [{"name": "a", "image": "nginx"}]}}
        imported(stack, 2).add_manifest("Pod", pod)
        self.rewritten(stack)
        text = json.dumps(only(stack, MANIFEST)["Manifest"])
        assert f"{HOST}/docker-hub/library/nginx" in text

    def test_values_of_charts(self, stack):
        imported(stack, 1).add_helm_chart(
            "Chart",
            chart="x",
            repository="https://example.com",
            values={"image": {"repository": "quay.io/a/b", "tag": "1"}},
        )
        self.rewritten(stack)
        assert json.loads(only(stack, CHART)["Values"]) == {"image": {"repository": f"{HOST}/quay/a/b", "tag": "1"}}

    def test_thousands_of_references_become_what_the_mapping_says(self, stack):
        images = corpus()
        for start in range(0, len(images), 500):
            definitions = [{"name": f"c{n}", "image": image} for n, image in enumerate(images[start : start + 500])]
            ecs.CfnTaskDefinition(stack, f"Task{start}", container_definitions=definitions)
        self.rewritten(stack)
        got = [
            container["Image"]
            for task in resources(stack, "AWS::ECS::TaskDefinition").values()
            for container in task["ContainerDefinitions"]
        ]
        assert sorted(got) == sorted(map(mapping().map, images))


BUILD = codebuild.BuildSpec.from_object({"version": "0.2"})
PUBLIC = "public.ecr.aws/docker/library/python:3"
CACHED = f"{HOST}/team/public/docker/library/python:3"


def rewrite(stack, **options):
    cdk.Aspects.of(stack).add(RewriteImages(mapping(), **options))
    return Template.from_stack(stack).to_json()["Resources"]


def environment_of(made):
    (project,) = (r["Properties"] for r in made.values() if r["Type"] == "AWS::CodeBuild::Project")
    return project["Environment"]


class TestCodeBuild:
    @pytest.mark.parametrize("image", ["aws/codebuild/standard:7.0", "aws/codebuild/amazonlinux-aarch64-standard:3.0"])
    def test_images_of_codebuild_itself_stay(self, stack, image):
        codebuild.CfnProject(
            stack, "Build", artifacts={"type": "NO_ARTIFACTS"}, source={"type": "NO_SOURCE"}, service_role="role",
            environment={"type": "LINUX_CONTAINER", "computeType": "X", "image": image},
        )  # fmt: skip
        assert environment_of(rewrite(stack))["Image"] == image
        assert warnings(stack) == []

    def test_a_project_of_the_cdk_may_pull_and_import_with_its_role(self, stack):
        image = codebuild.LinuxBuildImage.from_docker_registry(PUBLIC)
        environment = codebuild.BuildEnvironment(build_image=image)
        codebuild.Project(stack, "Build", build_spec=BUILD, environment=environment)
        made = rewrite(stack)
        assert environment_of(made)["Image"] == CACHED
        assert environment_of(made)["ImagePullCredentialsType"] == "SERVICE_ROLE"
        policies = json.dumps([r for r in made.values() if r["Type"] == "AWS::IAM::Policy"])
        for action in (
            "ecr:GetAuthorizationToken",
            "ecr:BatchGetImage",
            "ecr:BatchImportUpstreamImage",
            "ecr:CreateRepository",
        ):
            assert action in policies
        assert "repository/team/public/*" in policies
        assert warnings(stack) == []

    def test_the_cache_grants_where_it_is_given(self, stack):
        cache = PullThroughCache(
            stack, "Cache", upstreams={"team": Upstream.ECR_PUBLIC},
            settings=CreationTemplateSettings(resource_tags={"team": "platform"}),
        )  # fmt: skip
        image = codebuild.LinuxBuildImage.from_docker_registry(PUBLIC)
        environment = codebuild.BuildEnvironment(build_image=image)
        codebuild.Project(stack, "Build", build_spec=BUILD, environment=environment)
        assert "ecr:TagResource" in json.dumps(
            [r for name, r in rewrite(stack, cache=cache).items() if name.startswith("BuildRole")]
        )

    def test_a_project_of_an_l1_gets_the_credentials_and_a_warning(self, stack):
        codebuild.CfnProject(
            stack, "Build", artifacts={"type": "NO_ARTIFACTS"}, source={"type": "NO_SOURCE"}, service_role="role",
            environment={"type": "X", "computeType": "X", "image": PUBLIC, "imagePullCredentialsType": "CODEBUILD"},
        )  # fmt: skip
        found = environment_of(rewrite(stack))
        assert (found["Image"], found["ImagePullCredentialsType"]) == (CACHED, "SERVICE_ROLE")
        assert warnings(stack) == ["cdk-ecr-pull-through-cache:codeBuildRole"]

    def test_an_image_with_a_secret_of_its_own_stays_and_is_said(self, stack):
        codebuild.CfnProject(
            stack, "Build", artifacts={"type": "NO_ARTIFACTS"}, source={"type": "NO_SOURCE"}, service_role="role",
            environment={
                "type": "X", "computeType": "X", "image": PUBLIC,
                "registryCredential": {"credential": "arn", "credentialProvider": "SECRETS_MANAGER"},
            },
        )  # fmt: skip
        assert environment_of(rewrite(stack))["Image"] == PUBLIC
        assert warnings(stack) == ["cdk-ecr-pull-through-cache:imageStays"]


class TestAppRunner:
    def service(self, stack, **more):
        source = {"imageRepository": {"imageIdentifier": PUBLIC, "imageRepositoryType": "ECR_PUBLIC"}, **more}
        apprunner.CfnService(stack, "Run", source_configuration=source)
        (made,) = (r["Properties"]["SourceConfiguration"] for r in rewrite(stack).values())
        return made["ImageRepository"]

    def test_without_an_access_role_the_image_stays_and_is_said(self, stack):
        assert self.service(stack) == {"ImageIdentifier": PUBLIC, "ImageRepositoryType": "ECR_PUBLIC"}
        assert warnings(stack) == ["cdk-ecr-pull-through-cache:appRunnerAccessRole"]

    def test_with_an_access_role_image_and_type_follow(self, stack):
        found = self.service(stack, authenticationConfiguration={"accessRoleArn": "arn:aws:iam::111122223333:role/run"})
        assert found == {"ImageIdentifier": CACHED, "ImageRepositoryType": "ECR"}
        assert warnings(stack) == ["cdk-ecr-pull-through-cache:appRunnerAccessRole"]


class TestOtherServices:
    @pytest.mark.parametrize("image", [PUBLIC, CACHED])
    def test_lambda_cannot_pull_through_a_rule(self, stack, image):
        lambda_.CfnFunction(stack, "Function", role="role", code={"imageUri": image}, package_type="Image")
        (made,) = rewrite(stack).values()
        assert made["Properties"]["Code"]["ImageUri"] == image
        assert warnings(stack) == ["cdk-ecr-pull-through-cache:lambdaImage"]

    def test_a_container_of_ecs_with_a_secret_of_its_own_stays(self, stack):
        ecs.CfnTaskDefinition(
            stack, "Task",
            container_definitions=[
                {"name": "a", "image": PUBLIC, "repositoryCredentials": {"credentialsParameter": "arn"}},
                {"name": "b", "image": PUBLIC},
            ],
        )  # fmt: skip
        (made,) = rewrite(stack).values()
        assert [c["Image"] for c in made["Properties"]["ContainerDefinitions"]] == [PUBLIC, CACHED]
        assert warnings(stack) == ["cdk-ecr-pull-through-cache:imageStays"]

    @pytest.mark.parametrize(("mode", "expected"), [("Platform", CACHED), ("Vpc", PUBLIC)])
    def test_sagemaker_pulls_from_a_vpc_where_it_is_told_to(self, stack, mode, expected):
        container = {"image": PUBLIC, "imageConfig": {"repositoryAccessMode": mode}}
        sagemaker.CfnModel(stack, "Model", execution_role_arn="role", primary_container=container)
        (made,) = rewrite(stack).values()
        assert made["Properties"]["PrimaryContainer"]["Image"] == expected

    def test_batch_in_all_its_forms(self, stack):
        job = {
            "ContainerProperties": {"Image": PUBLIC},
            "EcsProperties": {"TaskProperties": [{"Containers": [{"Image": PUBLIC}]}]},
            "EksProperties": {
                "PodProperties": {"Containers": [{"Image": PUBLIC}], "InitContainers": [{"Image": PUBLIC}]}
            },
            "NodeProperties": {
                "NodeRangeProperties": [
                    {
                        "Container": {"Image": PUBLIC},
                        "EcsProperties": {"TaskProperties": [{"Containers": [{"Image": PUBLIC}]}]},
                        "EksProperties": {"PodProperties": {"Containers": [{"Image": PUBLIC}]}},
                    }
                ]
            },
        }
        cdk.CfnResource(stack, "Job", type="AWS::Batch::JobDefinition", properties=job)
        text = json.dumps(rewrite(stack))
        assert text.count(CACHED) == 7
        assert text.count(f'"{PUBLIC}"') == 0
