"""RewriteImages: the aspect that rewrites the images of an app."""

import json

import aws_cdk as cdk
from aws_cdk import aws_batch as batch
from aws_cdk import aws_codebuild as codebuild
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk.assertions import Template

from ecr_pull_through_cache import RewriteImages
from tests.corpus import HOST, corpus, mapping
from tests.support.eks import CHART, MANIFEST, imported
from tests.support.templates import only, resources


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
