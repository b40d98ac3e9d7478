"""Images in resources of CloudFormation: one table and one judgement, for the aspect and for the inventory."""

import pytest

from ecr_pull_through_cache.manifests.assembly import images_of_template
from ecr_pull_through_cache.manifests.cloudformation import PLACES, Custody, images_of_resource
from ecr_pull_through_cache.manifests.finding import Found, Left

IMAGE = "quay.io/a/b:1"

JUDGED = {
    "a task of ECS": ("AWS::ECS::TaskDefinition", {"ContainerDefinitions": [{"Image": IMAGE}]}, Custody.PULLED),
    "a task with a secret": (
        "AWS::ECS::TaskDefinition",
        {"ContainerDefinitions": [{"Image": IMAGE, "RepositoryCredentials": {"CredentialsParameter": "arn"}}]},
        Custody.CREDENTIALS,
    ),
    "CodeBuild's own": (
        "AWS::CodeBuild::Project",
        {"Environment": {"Image": "aws/codebuild/standard:7.0"}},
        Custody.OWN,
    ),
    "a project with a secret": (
        "AWS::CodeBuild::Project",
        {"Environment": {"Image": IMAGE, "RegistryCredential": {"Credential": "arn"}}},
        Custody.CREDENTIALS,
    ),
    "a model": ("AWS::SageMaker::Model", {"PrimaryContainer": {"Image": IMAGE}}, Custody.PULLED),
    "a model in a VPC": (
        "AWS::SageMaker::Model",
        {"Containers": [{"Image": IMAGE, "ImageConfig": {"RepositoryAccessMode": "Vpc"}}]},
        Custody.VPC,
    ),
    "a function": ("AWS::Lambda::Function", {"Code": {"ImageUri": IMAGE}}, Custody.LAMBDA),
    "keys as the CDK spells them": ("AWS::Lambda::Function", {"code": {"imageUri": IMAGE}}, Custody.LAMBDA),
}


@pytest.mark.parametrize(("kind", "properties", "custody"), JUDGED.values(), ids=JUDGED)
def test_an_image_is_judged_by_its_service(kind, properties, custody):
    (placed,) = images_of_resource(kind, properties)
    assert placed.custody is custody


@pytest.mark.parametrize(("kind", "properties", "custody"), JUDGED.values(), ids=JUDGED)
def test_the_inventory_follows_the_same_judgement(kind, properties, custody):
    found = list(images_of_template({"Resources": {"It": {"Type": kind, "Properties": properties}}}, "Stack"))
    if custody is Custody.OWN or "code" in properties:  # templates spell keys as CloudFormation does
        assert found == [] or custody is Custody.LAMBDA
    elif custody in (Custody.CREDENTIALS, Custody.VPC):
        assert found == [Left("Stack/It", f"{IMAGE} stays: {custody.value}", is_broken=False)]
    else:
        assert found == [Found(IMAGE, "Stack/It")]


@pytest.mark.parametrize(
    "properties", [{}, {"Code": None}, {"Code": []}, {"Code": {"ImageUri": None}}, {"Environment": "x"}]
)
@pytest.mark.parametrize("kind", PLACES)
def test_what_is_not_there_is_no_image(kind, properties):
    assert list(images_of_resource(kind, properties)) == []


def test_every_type_is_one_of_cloudformation_and_has_the_property():
    import json
    from pathlib import Path

    import cfnlint

    folder = Path(cfnlint.__file__).parent / "data/schemas"
    types = json.loads((folder / "providers/us-east-1.json").read_text())
    assert set(PLACES) <= set(types)
