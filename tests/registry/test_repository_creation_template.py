"""RepositoryCreationTemplate and CreationTemplateSettings."""

import json

import aws_cdk as cdk
import pytest
from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms

from ecr_pull_through_cache import (
    AppliedFor,
    CountType,
    CreationTemplateSettings,
    LifecycleAction,
    LifecyclePolicy,
    LifecycleRule,
    RepositoryCreationTemplate,
    UserError,
)
from tests.support.templates import only, resources, warnings

TEMPLATE = "AWS::ECR::RepositoryCreationTemplate"


def template(stack, prefix="k8s", **settings):
    return RepositoryCreationTemplate(
        stack, "Template", prefix=prefix, settings=CreationTemplateSettings(**settings) if settings else None
    )


def test_the_default_is_mutable_encrypted_and_for_pull_through_cache_alone(stack):
    template(stack)
    assert only(stack, TEMPLATE) == {
        "AppliedFor": ["PULL_THROUGH_CACHE"],
        "EncryptionConfiguration": {"EncryptionType": "AES256"},
        "ImageTagMutability": "MUTABLE",
        "Prefix": "k8s",
    }
    assert not resources(stack, "AWS::IAM::Role")


def test_it_can_be_for_replication_and_pushes_too(stack):
    RepositoryCreationTemplate(stack, "T", prefix="ROOT", applied_for=list(AppliedFor))
    assert only(stack, TEMPLATE)["AppliedFor"] == ["PULL_THROUGH_CACHE", "REPLICATION", "CREATE_ON_PUSH"]


def test_tags_need_a_role_with_least_privilege(stack):
    template(stack, resource_tags={"b": "2", "a": "1"})
    assert only(stack, TEMPLATE)["ResourceTags"] == [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}]
    role = only(stack, "AWS::IAM::Role")
    assert role["AssumeRolePolicyDocument"]["Statement"][0]["Principal"] == {"Service": "ecr.amazonaws.com"}
    (inline,) = role["Policies"]
    (statement,) = inline["PolicyDocument"]["Statement"]
    assert statement["Resource"] == "arn:aws:ecr:eu-west-1:111122223333:repository/k8s/*"
    assert statement["Action"] == ["ecr:CreateRepository", "ecr:ReplicateImage", "ecr:TagResource"]


def test_a_key_of_ones_own_is_granted_to_the_role(stack):
    key = kms.Key.from_key_arn(
        stack, "Key", "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
    )
    template(stack, encryption=ecr.RepositoryEncryption.KMS, encryption_key=key)
    assert only(stack, TEMPLATE)["EncryptionConfiguration"] == {"EncryptionType": "KMS", "KmsKey": key.key_arn}
    (inline,) = only(stack, "AWS::IAM::Role")["Policies"]
    on_key = inline["PolicyDocument"]["Statement"][1]
    assert on_key["Action"] == ["kms:CreateGrant", "kms:DescribeKey", "kms:RetireGrant"]
    assert on_key["Resource"] == key.key_arn


def test_a_key_alone_means_kms(stack):
    settings = CreationTemplateSettings(encryption_key=kms.Key(stack, "Key"))
    assert settings.encryption_type == "KMS"


def test_a_repository_policy_is_rendered_as_text(stack):
    document = iam.PolicyDocument(
        statements=[iam.PolicyStatement(principals=[iam.StarPrincipal()], actions=["ecr:BatchGetImage"])]
    )
    template(stack, repository_policy=document)
    assert json.loads(only(stack, TEMPLATE)["RepositoryPolicy"])["Statement"][0]["Action"] == "ecr:BatchGetImage"


def test_exclusions_from_mutability_are_patterns(stack):
    template(stack, image_tag_mutability=ecr.TagMutability.IMMUTABLE_WITH_EXCLUSION, mutability_exclusions=("latest*",))
    properties = only(stack, TEMPLATE)
    assert properties["ImageTagMutability"] == "IMMUTABLE_WITH_EXCLUSION"
    assert properties["ImageTagMutabilityExclusionFilters"] == [
        {"ImageTagMutabilityExclusionFilterType": "WILDCARD", "ImageTagMutabilityExclusionFilterValue": "latest*"}
    ]
    assert warnings(stack) == []


def test_an_immutable_cache_is_warned_of(stack):
    template(stack, image_tag_mutability=ecr.TagMutability.IMMUTABLE)
    assert warnings(stack) == ["cdk-ecr-pull-through-cache:immutableCache"]


def test_an_immutable_template_for_pushes_is_nobodys_business(stack):
    settings = CreationTemplateSettings(image_tag_mutability=ecr.TagMutability.IMMUTABLE)
    RepositoryCreationTemplate(stack, "T", prefix="apps", applied_for=[AppliedFor.CREATE_ON_PUSH], settings=settings)
    assert warnings(stack) == []


def test_a_cache_that_archives_is_warned_of(stack):
    rule = LifecycleRule(priority=1, count_type=CountType.SINCE_IMAGE_PULLED, count=30, action=LifecycleAction.ARCHIVE)
    template(stack, lifecycle=LifecyclePolicy([rule]))
    assert warnings(stack) == ["cdk-ecr-pull-through-cache:archivedCache"]


def test_a_template_may_lie_below_another_but_not_twice(stack):
    RepositoryCreationTemplate(stack, "All", prefix="k8s")
    RepositoryCreationTemplate(stack, "Part", prefix="k8s/coredns")
    with pytest.raises(UserError, match="Stack/Again: the prefix 'k8s' overlaps 'k8s' of Stack/All"):
        RepositoryCreationTemplate(stack, "Again", prefix="k8s")


SETTINGS_REFUSED = {
    "exclusions without the setting": (
        {"mutability_exclusions": ("a",)},
        "the tag mutability MUTABLE is given with 1 exclusion filters",
    ),
    "the setting without exclusions": (
        {"image_tag_mutability": ecr.TagMutability.MUTABLE_WITH_EXCLUSION},
        "the tag mutability MUTABLE_WITH_EXCLUSION is given with 0 exclusion filters",
    ),
    "six exclusions": (
        {"image_tag_mutability": ecr.TagMutability.MUTABLE_WITH_EXCLUSION, "mutability_exclusions": tuple("abcdef")},
        "6 exclusion filters are given; at most 5",
    ),
    "a pattern with a blank": (
        {"image_tag_mutability": ecr.TagMutability.MUTABLE_WITH_EXCLUSION, "mutability_exclusions": ("a b",)},
        "the exclusion filter 'a b' is not a tag pattern",
    ),
}


@pytest.mark.parametrize(("settings", "message"), SETTINGS_REFUSED.values(), ids=SETTINGS_REFUSED)
def test_settings_that_do_not_go_together(settings, message):
    with pytest.raises(UserError, match=message):
        CreationTemplateSettings(**settings)


def dsse(app, region):
    environment = cdk.Environment(account="111122223333", region=region) if region else None
    stack = cdk.Stack(app, "There", env=environment)
    template(stack, encryption=ecr.RepositoryEncryption.KMS_DSSE)
    return stack


@pytest.mark.parametrize("region", ["eu-west-1", "cn-north-1", "eusc-de-east-1", "sa-west-1"])
def test_double_encryption_is_refused_outside_of_govcloud(app, region):
    with pytest.raises(UserError, match="There/Template: KMS_DSSE exists in the AWS GovCloud .US. Regions alone"):
        dsse(app, region)


def test_double_encryption_is_accepted_in_govcloud(app):
    stack = dsse(app, "us-gov-west-1")
    assert only(stack, TEMPLATE)["EncryptionConfiguration"] == {"EncryptionType": "KMS_DSSE"}
    assert warnings(stack) == []


def test_double_encryption_without_a_region_is_warned_of(app):
    assert warnings(dsse(app, None)) == ["cdk-ecr-pull-through-cache:dsseWithoutRegion"]


ARCHIVES = LifecyclePolicy(
    [LifecycleRule(priority=1, count_type=CountType.SINCE_IMAGE_PULLED, count=9, action=LifecycleAction.ARCHIVE)]
)
REPLICAS, BOTH = [AppliedFor.REPLICATION], [AppliedFor.PULL_THROUGH_CACHE, AppliedFor.REPLICATION]


@pytest.mark.parametrize(
    ("applied_for", "settings", "expected"),
    [
        (REPLICAS, {"image_tag_mutability": ecr.TagMutability.IMMUTABLE}, ["immutableReplicas"]),
        (BOTH, {"image_tag_mutability": ecr.TagMutability.IMMUTABLE}, ["immutableCache", "immutableReplicas"]),
        (REPLICAS, {"lifecycle": ARCHIVES}, ["archivedReplicas"]),
        (BOTH, {"lifecycle": ARCHIVES}, ["archivedCache"]),
        (REPLICAS, {"lifecycle": LifecyclePolicy.expire_after(days=90)}, ["expiringReplicas"]),
        (BOTH, {"lifecycle": LifecyclePolicy.expire_after(days=90)}, []),
        (REPLICAS, {}, []),
    ],
)
def test_settings_that_hurt_replicas_are_warned_of(stack, applied_for, settings, expected):
    RepositoryCreationTemplate(
        stack, "Template", prefix="k8s", applied_for=applied_for, settings=CreationTemplateSettings(**settings)
    )
    assert warnings(stack) == [f"cdk-ecr-pull-through-cache:{name}" for name in expected]


def test_the_warning_says_what_happens_to_a_tag_that_moved(stack):
    RepositoryCreationTemplate(
        stack, "Template", prefix="k8s", applied_for=REPLICAS,
        settings=CreationTemplateSettings(image_tag_mutability=ecr.TagMutability.IMMUTABLE),
    )  # fmt: skip
    (entry,) = stack.node.find_child("Template").node.metadata
    assert "an image whose tag exists here already arrives without the tag" in entry.data


def test_a_token_stands_for_the_value_of_a_tag(stack):
    template(stack, resource_tags={"region": cdk.Aws.REGION})
    assert only(stack, TEMPLATE)["ResourceTags"] == [{"Key": "region", "Value": {"Ref": "AWS::Region"}}]
