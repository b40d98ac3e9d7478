"""Images in manifests, kustomizations, rendered charts and synthesized templates."""

from __future__ import annotations

import json
import time

import pytest

from ecr_pull_through_cache.errors import UserError
from ecr_pull_through_cache.manifests.assembly import images_of_assembly, images_of_template, is_assembly, is_template
from ecr_pull_through_cache.manifests.finding import Found, Left, images_of
from tests.corpus import DIGEST

IRELAND = {"AWS::AccountId": "111122223333", "AWS::Region": "eu-west-1", "AWS::URLSuffix": "amazonaws.com"}


def found(text: str) -> list[tuple[str, str]]:
    return [(one.image, one.where) for one in images_of(text, "file")]


class TestManifests:
    def test_with_file_and_line(self):
        text = "kind: Pod\nspec:\n  containers:\n  - image: nginx:1 # keep\n  initContainers:\n  - image: 'busybox'\n"
        assert found(text) == [("nginx:1", "file:4"), ("busybox", "file:6")]

    def test_in_braces(self):
        assert found('{"kind": "Pod", "spec": {"containers": [{"image": "nginx:1"}]}}') == [("nginx:1", "file:1")]

    def test_custom_resources(self):
        assert found("kind: Prometheus\nspec:\n  image: quay.io/prometheus/prometheus:v3\n")
        assert not found("kind: Recipe\nspec:\n  image: apple-pie\n")

    def test_what_helm_prints_names_the_template(self):
        text = "---\n# Source: web/templates/a.yaml\nkind: Pod\nspec:\n  containers:\n  - image: nginx:1\n"
        text += "---\n# Source: web/templates/b.yaml\nkind: Pod\nspec:\n  containers:\n  - image: nginx:2\n"
        assert found(text) == [("nginx:1", "web/templates/a.yaml"), ("nginx:2", "web/templates/b.yaml")]

    def test_a_kustomization_says_name_and_tag_apart(self):
        text = f"images:\n- name: nginx\n  newTag: '1'\n- name: a\n  newName: quay.io/a/b\n- name: c\n  digest: {DIGEST}\n- name: d\n"
        assert [image for image, _ in found(text)] == ["nginx:1", "quay.io/a/b", f"c@{DIGEST}"]

    def test_a_template_that_is_not_rendered_gives_what_is_literal(self):
        text = "kind: Pod\nspec:\n  containers:\n  - image: {{ .Values.image }}\n  - image: nginx:1\n"
        assert found(text) == [("nginx:1", "file:5")]

    def test_what_cannot_be_parsed_is_said_with_its_line(self):
        with pytest.raises(UserError, match="file: line 2: did not find"):
            found('{"kind": "Pod", "spec": {"containers": [{"image": "nginx:1"')


@pytest.mark.slow
def test_a_long_stream_takes_time_by_its_length():
    """What `helm template` prints of everything: 20,000 documents once took seven minutes."""
    document = (
        "---\nkind: Deployment\nspec:\n  template:\n    spec:\n      containers:\n      - image: quay.io/a/b{}:1\n"
    )
    text = "".join(document.format(n) for n in range(20_000))
    begin = time.process_time()
    assert len(list(images_of(text, "file"))) == 20_000
    assert time.process_time() - begin < 20


def template(resources: dict[str, tuple[str, dict[str, object]]], **parts: object) -> dict[str, object]:
    return {"Resources": {name: {"Type": kind, "Properties": p} for name, (kind, p) in resources.items()}, **parts}


class TestTemplates:
    @pytest.mark.parametrize(
        ("kind", "properties"),
        [
            ("AWS::ECS::TaskDefinition", {"ContainerDefinitions": [{"Image": "nginx:1"}]}),
            ("AWS::Batch::JobDefinition", {"ContainerProperties": {"Image": "nginx:1"}}),
            ("AWS::Batch::JobDefinition", {"NodeProperties": {"NodeRangeProperties": [{"Container": {"Image": "nginx:1"}}]}}),
            ("AWS::Batch::JobDefinition", {"EcsProperties": {"TaskProperties": [{"Containers": [{"Image": "nginx:1"}]}]}}),
            ("AWS::Batch::JobDefinition", {"EksProperties": {"PodProperties": {"Containers": [{"Image": "nginx:1"}]}}}),
            ("AWS::Batch::JobDefinition", {"EksProperties": {"PodProperties": {"InitContainers": [{"Image": "nginx:1"}]}}}),
            ("AWS::AppRunner::Service", {"SourceConfiguration": {"ImageRepository": {"ImageIdentifier": "nginx:1"}}}),
            ("AWS::Lambda::Function", {"Code": {"ImageUri": "nginx:1"}}),
            ("AWS::CodeBuild::Project", {"Environment": {"Image": "nginx:1"}}),
        ],
    )  # fmt: skip
    def test_every_place_of_every_service(self, kind, properties):
        assert list(images_of_template(template({"One": (kind, properties)}), "web")) == [Found("nginx:1", "web/One")]

    def test_other_resources_have_none(self):
        function = {"Code": {"S3Bucket": "b", "S3Key": "image"}}
        assert not list(images_of_template(template({"One": ("AWS::Lambda::Function", function)}), "web"))
        own = {"Environment": {"Image": "aws/codebuild/amazonlinux2-x86_64-standard:5.0"}}
        assert not list(images_of_template(template({"One": ("AWS::CodeBuild::Project", own)}), "web"))

    @pytest.mark.parametrize(
        ("value", "image"),
        [
            ({"Fn::Join": ["", ["111122223333.dkr.ecr.eu-west-1.", {"Ref": "AWS::URLSuffix"}, "/k8s/a:1"]]}, "111122223333.dkr.ecr.eu-west-1.amazonaws.com/k8s/a:1"),
            ({"Fn::Sub": "${AWS::AccountId}.dkr.ecr.${AWS::Region}.${AWS::URLSuffix}/a:1"}, "111122223333.dkr.ecr.eu-west-1.amazonaws.com/a:1"),
            ({"Fn::Sub": ["quay.io/${Team}/a:1", {"Team": "b"}]}, "quay.io/b/a:1"),
            ({"Ref": "Image"}, "nginx:9"),
        ],
    )  # fmt: skip
    def test_what_the_environment_and_defaults_decide(self, value, image):
        task = template(
            {"One": ("AWS::ECS::TaskDefinition", {"ContainerDefinitions": [{"Image": value}]})},
            Parameters={"Image": {"Type": "String", "Default": "nginx:9"}},
        )
        assert list(images_of_template(task, "web", IRELAND)) == [Found(image, "web/One")]

    @pytest.mark.parametrize(
        "value", [{"Ref": "Other"}, {"Fn::GetAtt": ["A", "B"]}, {"Fn::Sub": "${A.B}/c:1"}, {"Fn::Join": ["", {"Ref": "A"}]}, 3]
    )  # fmt: skip
    def test_what_the_deployment_decides_is_said_to_be_unknown(self, value):
        task = template({"One": ("AWS::ECS::TaskDefinition", {"ContainerDefinitions": [{"Image": value}]})})
        (left,) = images_of_template(task, "web", IRELAND)
        assert left == Left("web/One", "an image of it is known at deployment only", is_broken=False)

    def test_manifests_of_eks_with_tokens_in_them(self):
        manifest = {"Fn::Join": ["", [
            '[{"kind": "Pod", "metadata": {"name": "', {"Ref": "Cluster"}, '"}, "spec": {"containers": [',
            '{"image": "nginx:1"}, {"image": "', {"Fn::GetAtt": ["Repository", "Uri"]}, ':1"}]}}]',
        ]]}  # fmt: skip
        both = list(
            images_of_template(
                template({"M": ("Custom::AWSCDK-EKS-KubernetesResource", {"Manifest": manifest})}), "web"
            )
        )
        assert both == [
            Found("nginx:1", "web/M"),
            Left("web/M", "an image of it is known at deployment only", is_broken=False),
        ]

    def test_a_chart_is_said_to_be_one(self):
        (left,) = images_of_template(
            template({"C": ("Custom::AWSCDK-EKS-HelmChart", {"Chart": "ingress-nginx"})}), "web"
        )
        assert left.why == "it deploys ingress-nginx; give `helm template` of it for its images"

    def test_what_a_template_is(self):
        assert is_template(template({"One": ("AWS::S3::Bucket", {})}))
        assert not is_template({"kind": "Pod"})
        assert not is_template([])


@pytest.fixture(scope="module")
def assembly(tmp_path_factory):
    """What the CDK really writes for tasks, jobs, functions, manifests, nested stacks and stages."""
    import aws_cdk as cdk
    from aws_cdk import aws_ecr as ecr
    from aws_cdk import aws_ecs as ecs
    from aws_cdk import aws_lambda as lambda_

    folder = tmp_path_factory.mktemp("cdk.out")
    app = cdk.App(outdir=str(folder), builtin_cloud_formation_validation=False)
    stack = cdk.Stack(app, "Web", env=cdk.Environment(account="111122223333", region="eu-west-1"))
    repository = ecr.Repository.from_repository_name(stack, "Repository", "k8s/pause")
    ecs.FargateTaskDefinition(stack, "Task").add_container(
        "pause", image=ecs.ContainerImage.from_ecr_repository(repository, "3.10")
    )
    lambda_.DockerImageFunction(stack, "Function", code=lambda_.DockerImageCode.from_ecr(repository, tag_or_digest="2"))
    nested = cdk.NestedStack(stack, "Nested")
    ecs.FargateTaskDefinition(nested, "Task").add_container("c", image=ecs.ContainerImage.from_registry("redis:7"))
    staged = cdk.Stack(cdk.Stage(app, "Prod"), "Web")
    ecs.FargateTaskDefinition(staged, "Task").add_container("c", image=ecs.ContainerImage.from_registry("nginx:1"))
    app.synth()
    (folder / "policy.yaml").write_text("kind: Pod\nspec:\n  containers:\n  - image: busybox\n")
    return folder


class TestAssemblies:
    def test_every_stack_wherever_it_lies(self, assembly):
        assert is_assembly(assembly)
        images = sorted(one.image for one in images_of_assembly(assembly) if isinstance(one, Found))
        host = "111122223333.dkr.ecr.eu-west-1.amazonaws.com"
        assert images == [f"{host}/k8s/pause:2", f"{host}/k8s/pause:3.10", "busybox", "nginx:1", "redis:7"]

    def test_something_else_is_said_to_be(self, assembly, tmp_path):
        assert not is_assembly(tmp_path)
        (tmp_path / "manifest.json").write_text(json.dumps({"artifacts": {}}))
        (tmp_path / "a.template.json").write_text("{")
        with pytest.raises(UserError, match="this is not what the CDK writes"):
            list(images_of_assembly(tmp_path))
