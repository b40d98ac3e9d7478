"""UpstreamCredentials, and secrets that exist already."""

import aws_cdk as cdk
import pytest
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk.assertions import Template

from ecr_pull_through_cache import PullThroughCacheRule, Upstream, UpstreamCredentials, UserError
from tests.support.templates import only, resources, warnings

RULE = "AWS::ECR::PullThroughCacheRule"
SECRET = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:ecr-pullthroughcache/hub-AbCdEf"


def secret(stack, arn=SECRET):
    return secretsmanager.Secret.from_secret_complete_arn(stack, "Given", arn)


def rule(stack, **props):
    return PullThroughCacheRule(stack, "Rule", **{"upstream": Upstream.KUBERNETES, "repository_prefix": "k8s", **props})


class TestCredentials:
    def test_the_secret_has_the_right_name_and_keys_and_no_value(self, stack):
        it = UpstreamCredentials(stack, "Hub", secret_name="docker-hub")
        rule(stack, upstream=Upstream.DOCKER_HUB, repository_prefix="docker-hub", credentials=it.secret)
        properties = only(stack, "AWS::SecretsManager::Secret")
        assert properties["Name"] == "ecr-pullthroughcache/docker-hub"
        assert properties["GenerateSecretString"]["GenerateStringKey"] == "accessToken"
        assert "SecretString" not in properties
        assert "KmsKeyId" not in properties
        Template.from_stack(stack).has_resource("AWS::SecretsManager::Secret", {"DeletionPolicy": "Retain"})

    def test_its_arn_stays_when_the_value_is_rotated(self, stack):
        it = UpstreamCredentials(stack, "Hub", secret_name="docker-hub")
        rule(stack, upstream=Upstream.DOCKER_HUB, repository_prefix="docker-hub", credentials=it.secret)
        assert only(stack, RULE)["CredentialArn"] == {
            "Ref": next(iter(resources(stack, "AWS::SecretsManager::Secret")))
        }

    def test_a_secret_that_exists_is_named_by_its_complete_arn(self, stack):
        rule(stack, upstream=Upstream.DOCKER_HUB, repository_prefix="hub", credentials=secret(stack))
        assert only(stack, RULE)["CredentialArn"] == SECRET
        assert warnings(stack) == []

    def test_a_partial_arn_is_warned_of(self, stack):
        partial = secretsmanager.Secret.from_secret_name_v2(stack, "Given", "ecr-pullthroughcache/hub")
        rule(stack, upstream=Upstream.DOCKER_HUB, repository_prefix="hub", credentials=partial)
        assert warnings(stack) == ["cdk-ecr-pull-through-cache:partialSecretArn"]

    def test_another_secret_leaves_the_template_as_cloudformation_knows_it(self, stack):
        new = secret(stack, SECRET.replace("hub-AbCdEf", "hub2-GhIjKl"))
        rule(
            stack,
            upstream=Upstream.DOCKER_HUB,
            repository_prefix="hub",
            credentials=new,
            deployed_credential_arn=SECRET,
        )
        template = Template.from_stack(stack).to_json()
        (resource,) = template["Resources"].values()
        assert resource["Properties"]["CredentialArn"] == SECRET
        assert resource["Metadata"]["ecr-pull-through-cache:credential"].endswith("hub2-GhIjKl")

    def test_the_construct_stands_for_its_secret(self, stack):
        it = UpstreamCredentials(stack, "Hub", secret_name="docker-hub", removal_policy=cdk.RemovalPolicy.DESTROY)
        rule(stack, upstream=Upstream.DOCKER_HUB, repository_prefix="docker-hub", credentials=it)
        assert only(stack, RULE)["CredentialArn"] == stack.resolve(it.secret_arn)
        assert it.resource.name == "ecr-pullthroughcache/docker-hub"
        Template.from_stack(stack).has_resource("AWS::SecretsManager::Secret", {"DeletionPolicy": "Delete"})

    @pytest.mark.parametrize(
        ("name", "why"),
        [
            (None, "the secret Stack/Mine/Resource with the credentials has no name of its own"),
            ("hub", "the credentials are in the secret 'hub'; ECR reads secrets whose name begins with"),
        ],
    )
    def test_a_secret_of_the_app_needs_a_name_that_ecr_reads(self, stack, name, why):
        mine = secretsmanager.Secret(stack, "Mine", secret_name=name)
        with pytest.raises(UserError, match=why):
            rule(stack, upstream=Upstream.DOCKER_HUB, repository_prefix="hub", credentials=mine)

    def test_a_secret_of_the_app_with_a_right_name_is_taken(self, stack):
        mine = secretsmanager.Secret(stack, "Mine", secret_name="ecr-pullthroughcache/hub")
        rule(stack, upstream=Upstream.DOCKER_HUB, repository_prefix="hub", credentials=mine)
        assert only(stack, RULE)["CredentialArn"] == stack.resolve(mine.secret_arn)
