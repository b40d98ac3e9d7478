"""What makes workloads use the cache: ImageRewritePolicy, Kyverno, and the RewriteImages aspect."""

import json
from pathlib import Path

import aws_cdk as cdk
import pytest
import yaml
from aws_cdk import aws_batch as batch
from aws_cdk import aws_codebuild as codebuild
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_eks as eks
from aws_cdk import aws_eks_v2 as eks_v2
from aws_cdk import aws_iam as iam
from aws_cdk.assertions import Template
from aws_cdk.lambda_layer_kubectl_v34 import KubectlV34Layer

from ecr_pull_through_cache import (
    ImageRewritePolicy,
    Kyverno,
    PolicyForm,
    PullThroughCache,
    RewriteImages,
    Upstream,
    UserError,
)
from tests.constructs.support import only, resources
from tests.corpus import HOST, corpus, mapping

MANIFEST = "Custom::AWSCDK-EKS-KubernetesResource"
CHART = "Custom::AWSCDK-EKS-HelmChart"


def imported(stack, version):
    """A cluster that exists already, of one of the CDK's two modules."""
    layer = KubectlV34Layer(stack, "Kubectl")
    if version == 2:
        provider = eks_v2.KubectlProvider.from_kubectl_provider_attributes(
            stack, "Provider", service_token="arn:aws:lambda:eu-west-1:111122223333:function:kubectl"
        )
        return eks_v2.Cluster.from_cluster_attributes(stack, "Cluster", cluster_name="prod", kubectl_provider=provider)
    role = iam.Role.from_role_arn(stack, "KubectlRole", "arn:aws:iam::111122223333:role/kubectl")
    return eks.Cluster.from_cluster_attributes(
        stack, "Cluster", cluster_name="prod", kubectl_role_arn=role.role_arn, kubectl_layer=layer
    )


class TestImageRewritePolicy:
    @pytest.mark.parametrize("version", [1, 2])
    @pytest.mark.parametrize("form", PolicyForm)
    def test_it_is_applied_to_a_cluster_of_either_module(self, stack, version, form):
        it = ImageRewritePolicy(stack, "Policy", mapping=mapping(), form=form, cluster=imported(stack, version))
        applied = json.loads(only(stack, MANIFEST)["Manifest"])
        assert [(d["kind"], d["spec"]) for d in applied] == [(d["kind"], d["spec"]) for d in it.documents]
        assert it.file is None

    def test_it_is_written_into_the_assembly_without_a_cluster(self, app, stack):
        it = ImageRewritePolicy(stack, "Policy", mapping=mapping())
        assembly = Path(app.synth().directory)
        assert it.file == assembly / "Stack.ecr-pull-through-cache.yaml"
        assert list(yaml.safe_load_all(it.file.read_text())) == it.documents

    def test_a_cluster_takes_tokens(self, app):
        stack = cdk.Stack(app, "Anywhere")
        cache = PullThroughCache(stack, "Cache", upstreams={"k8s": Upstream.KUBERNETES})
        ImageRewritePolicy(stack, "Policy", mapping=cache.mapping(), cluster=imported(stack, 1))
        assert "AWS::AccountId" in json.dumps(only(stack, MANIFEST)["Manifest"])

    def test_a_file_does_not(self, app):
        stack = cdk.Stack(app, "Anywhere")
        cache = PullThroughCache(stack, "Cache", upstreams={"k8s": Upstream.KUBERNETES})
        with pytest.raises(UserError, match="Anywhere/Policy: the policy cannot be written to a file while"):
            ImageRewritePolicy(stack, "Policy", mapping=cache.mapping())


class TestKyverno:
    @pytest.mark.parametrize("version", [1, 2])
    def test_it_is_pinned_and_highly_available(self, stack, version):
        Kyverno(stack, "Kyverno", cluster=imported(stack, version))
        chart = only(stack, CHART)
        assert chart["Version"] == "3.9.0"
        values = json.loads(chart["Values"])
        assert values["admissionController"] == {"replicas": 3}

    def test_its_own_images_come_from_the_cache(self, stack):
        from ecr_pull_through_cache.images import CachedUpstream, CacheMapping

        rules = [CachedUpstream(upstream=Upstream.GITHUB, repository_prefix="github")]
        Kyverno(
            stack, "Kyverno", cluster=imported(stack, 1), mapping=CacheMapping.of(HOST, rules),
            values={"admissionController": {"replicas": 5}},
        )  # fmt: skip
        values = json.loads(only(stack, CHART)["Values"])
        assert values["admissionController"] == {
            "replicas": 5,
            "container": {"image": {"registry": HOST, "repository": "github/kyverno/kyverno"}},
            "initContainer": {"image": {"registry": HOST, "repository": "github/kyverno/kyvernopre"}},
        }


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
