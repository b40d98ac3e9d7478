"""PullThroughCacheRule: prefix, upstream, credentials, role and grants."""

import aws_cdk as cdk
import pytest
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk.assertions import Template

from ecr_pull_through_cache import (
    CacheRegistry,
    CreationTemplateSettings,
    Pullers,
    PullThroughCacheRule,
    RepositoryCreationTemplate,
    Upstream,
    UserError,
)
from tests.support.templates import only, resources, warnings

RULE = "AWS::ECR::PullThroughCacheRule"
SECRET = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:ecr-pullthroughcache/hub-AbCdEf"


def secret(stack, arn=SECRET):
    return secretsmanager.Secret.from_secret_complete_arn(stack, "Given", arn)


def rule(stack, **props):
    return PullThroughCacheRule(stack, "Rule", **{"upstream": Upstream.KUBERNETES, "repository_prefix": "k8s", **props})


def test_a_rule_names_prefix_and_upstream(stack):
    rule(stack)
    assert only(stack, RULE) == {
        "EcrRepositoryPrefix": "k8s",
        "UpstreamRegistry": "k8s",
        "UpstreamRegistryUrl": "registry.k8s.io",
    }


def test_a_part_of_an_upstream_is_cached(stack):
    rule(stack, upstream=Upstream.QUAY, repository_prefix="argo", upstream_repository_prefix="argoproj")
    assert only(stack, RULE)["UpstreamRepositoryPrefix"] == "argoproj"


def test_root_is_no_prefix(stack):
    it = rule(stack, repository_prefix="ROOT")
    assert it.image_uri("pause", tag="3.10") == "111122223333.dkr.ecr.eu-west-1.amazonaws.com/pause:3.10"
    assert it.repository_arn_pattern == "arn:aws:ecr:eu-west-1:111122223333:repository/*"


def test_an_image_of_the_rule_has_an_uri(stack):
    assert rule(stack).image_uri("coredns/coredns", tag="v1.12.0", digest="sha256:" + "a" * 64) == (
        "111122223333.dkr.ecr.eu-west-1.amazonaws.com/k8s/coredns/coredns:v1.12.0@sha256:" + "a" * 64
    )


def test_tokens_stand_for_account_and_region(app):
    stack = cdk.Stack(app, "Anywhere")
    it = rule(stack)
    cdk.CfnOutput(stack, "Uri", value=it.image_uri("pause", tag="3.10"))
    it.grant_import(iam.Role(stack, "Role", assumed_by=iam.ServicePrincipal("ec2.amazonaws.com")))
    text = str(Template.from_stack(stack).to_json())
    for token in ("AWS::AccountId", "AWS::Region", "AWS::Partition", "AWS::URLSuffix"):
        assert token in text


def test_a_known_region_writes_its_partition_out(app):
    stack = cdk.Stack(app, "Gov", env=cdk.Environment(account="111122223333", region="eusc-de-east-1"))
    assert rule(stack).repository_arn_pattern.startswith("arn:aws-eusc:ecr:eusc-de-east-1:")
    assert ".amazonaws.eu/" in rule(
        cdk.Stack(app, "Other", env=cdk.Environment(account="222233334444", region="eusc-de-east-1"))
    ).image_uri("a")


class TestGrants:
    def role(self, stack):
        return iam.Role(stack, "Role", assumed_by=iam.ServicePrincipal("ec2.amazonaws.com"))

    def statements(self, stack):
        return only(stack, "AWS::IAM::Policy")["PolicyDocument"]["Statement"]

    def test_pull_is_reading_below_the_prefix(self, stack):
        grant = rule(stack).grant_pull(self.role(stack))
        assert grant.success
        sign_in, pull = self.statements(stack)
        assert sign_in["Resource"] == "*"
        assert pull["Resource"] == "arn:aws:ecr:eu-west-1:111122223333:repository/k8s/*"
        assert pull["Action"] == ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]

    def test_import_adds_importing_and_creating(self, stack):
        rule(stack).grant_import(self.role(stack))
        assert set(self.statements(stack)[1]["Action"]) >= {"ecr:BatchImportUpstreamImage", "ecr:CreateRepository"}
        assert "ecr:TagResource" not in self.statements(stack)[1]["Action"]

    def test_import_tags_where_the_template_does(self, stack):
        settings = CreationTemplateSettings(resource_tags={"team": "x"})
        RepositoryCreationTemplate(stack, "Template", prefix="k8s", settings=settings)
        rule(stack).grant_import(self.role(stack))
        (granted,) = (p for n, p in resources(stack, "AWS::IAM::Policy").items() if n.startswith("RoleDefault"))
        assert "ecr:TagResource" in granted["PolicyDocument"]["Statement"][1]["Action"]

    def test_a_template_that_tags_comes_before_the_grant(self, app, stack):
        rule(stack).grant_import(self.role(stack))
        settings = CreationTemplateSettings(resource_tags={"team": "x"})
        RepositoryCreationTemplate(stack, "Template", prefix="k8s", settings=settings)
        with pytest.raises(RuntimeError, match="grant_import came before the creation template of 'k8s'"):
            app.synth()

    def test_an_imported_rule_grants_like_one_of_its_own(self, stack):
        registry = CacheRegistry(account="222233334444", region="us-east-1")
        ours = Pullers(accounts=("111122223333",))
        it = PullThroughCacheRule.from_prefix(
            stack, "Theirs", repository_prefix="quay", registry=registry, pullers=ours
        )
        it.grant_pull(self.role(stack))
        assert self.statements(stack)[1]["Resource"] == "arn:aws:ecr:us-east-1:222233334444:repository/quay/*"
        assert not resources(stack, RULE)


class TestUpstreamInAnotherAccount:
    def test_a_role_is_made_with_what_it_needs(self, stack):
        it = rule(stack, upstream=Upstream.ecr(account="222233334444", region="us-east-1"), repository_prefix="theirs")
        assert it.role is not None
        role = only(stack, "AWS::IAM::Role")
        assert role["AssumeRolePolicyDocument"]["Statement"][0]["Principal"] == {
            "Service": "pullthroughcache.ecr.amazonaws.com"
        }
        (inline,) = role["Policies"]
        read, write, sign_in = inline["PolicyDocument"]["Statement"]
        assert read["Resource"] == "arn:aws:ecr:us-east-1:222233334444:repository/*"
        assert write["Resource"] == "arn:aws:ecr:eu-west-1:111122223333:repository/theirs/*"
        assert sign_in["Action"] == "ecr:GetAuthorizationToken"

    def test_the_role_never_exists_without_its_policy(self, stack):
        rule(stack, upstream=Upstream.ecr(account="222233334444", region="us-east-1"), repository_prefix="theirs")
        ((name, role),) = resources(stack, "AWS::IAM::Role").items()
        assert role["Policies"]
        assert not resources(stack, "AWS::IAM::Policy")
        assert only(stack, RULE)["CustomRoleArn"] == {"Fn::GetAtt": [name, "Arn"]}

    def test_the_rule_waits_for_the_policies_of_a_role_of_ones_own(self, stack):
        role = iam.Role(stack, "Mine", assumed_by=iam.ServicePrincipal("pullthroughcache.ecr.amazonaws.com"))
        upstream = Upstream.ecr(account="222233334444", region="us-east-1")
        rule(stack, upstream=upstream, repository_prefix="theirs", role=role)
        role.add_to_policy(iam.PolicyStatement(actions=["ecr:BatchGetImage"], resources=["*"]))
        (made,) = (r for r in Template.from_stack(stack).to_json()["Resources"].values() if r["Type"] == RULE)
        (policy,) = resources(stack, "AWS::IAM::Policy")
        assert policy in made["DependsOn"]

    def test_no_role_is_made_within_an_account(self, stack):
        rule(stack, upstream=Upstream.ecr(account="111122223333", region="us-east-1"), repository_prefix="other-region")
        assert "CustomRoleArn" not in only(stack, RULE)

    def test_a_role_of_ones_own_is_taken(self, stack):
        role = iam.Role.from_role_name(stack, "Mine", "mine")
        rule(
            stack,
            upstream=Upstream.ecr(account="222233334444", region="us-east-1"),
            repository_prefix="theirs",
            role=role,
        )
        assert not resources(stack, "AWS::IAM::Role")
        assert "CustomRoleArn" in only(stack, RULE)


REFUSED = {
    "a prefix that ECR does not accept": (
        {"repository_prefix": "K8s"},
        "Stack/Rule: 'K8s' is not a repository prefix; allowed are 2 to 30 lower-case letters and digits, "
        "joined by '.', '_', '__', '-' or '/', or ROOT for none",
    ),
    "no credentials where they are needed": (
        {"upstream": Upstream.GITHUB},
        "Stack/Rule: ghcr.io needs credentials; give a secret, for example UpstreamCredentials(…).secret",
    ),
    "credentials where there are none": (
        {"credentials": SECRET},
        "Stack/Rule: registry.k8s.io takes no credentials; leave them out",
    ),
    "a secret with another name": (
        {"upstream": Upstream.GITHUB, "credentials": SECRET.replace("ecr-pullthroughcache", "mine")},
        "Stack/Rule: the credentials are in the secret 'mine/hub'; ECR reads secrets whose name begins with 'ecr-pullthroughcache/'",
    ),
    "a secret of another Region": (
        {"upstream": Upstream.GITHUB, "credentials": SECRET.replace("eu-west-1", "us-east-1")},
        "Stack/Rule: the credentials lie in the Region us-east-1; a rule reads a secret of its own Region, eu-west-1",
    ),
    "a secret of another account": (
        {"upstream": Upstream.GITHUB, "credentials": SECRET.replace("111122223333", "222233334444")},
        "Stack/Rule: the credentials lie in the account 222233334444; a rule reads a secret of its own account, 111122223333",
    ),
}


@pytest.mark.parametrize(("props", "message"), REFUSED.values(), ids=REFUSED)
def test_what_ecr_would_refuse_is_refused_at_synth(stack, props, message):
    if "credentials" in props:
        props = {**props, "credentials": secret(stack, props["credentials"])}
    with pytest.raises(UserError) as error:
        rule(stack, **props)
    assert str(error.value) == message


def test_a_secret_with_a_key_of_ones_own_cannot_be_read_by_ecr(stack):
    mine = secretsmanager.Secret(
        stack, "Mine", secret_name="ecr-pullthroughcache/hub", encryption_key=kms.Key(stack, "Key")
    )
    with pytest.raises(UserError, match="Stack/Rule: the credentials are encrypted with a customer managed key"):
        rule(stack, upstream=Upstream.GITHUB, credentials=mine)


def test_prefixes_of_one_registry_do_not_overlap(stack):
    rule(stack)
    with pytest.raises(UserError, match="Stack/Second: the prefix 'k8s/more' overlaps 'k8s' of Stack/Rule"):
        PullThroughCacheRule(stack, "Second", upstream=Upstream.QUAY, repository_prefix="k8s/more")


def test_the_same_prefix_may_stand_in_another_region(app, stack):
    rule(stack)
    rule(cdk.Stack(app, "Elsewhere", env=cdk.Environment(account="111122223333", region="us-east-1")))


def in_region(app, region, **props):
    stack = cdk.Stack(app, "There", env=cdk.Environment(account="111122223333", region=region))
    rule(stack, **props)
    return stack


@pytest.mark.parametrize("region", ["cn-north-1", "us-gov-west-1", "eusc-de-east-1"])
def test_a_partition_of_which_aws_says_nothing_is_warned_of(app, region):
    stack = in_region(app, region)
    assert warnings(stack) == ["cdk-ecr-pull-through-cache:unverifiedPartition"]
    assert "is not verified" in str(stack.node.find_child("Rule").node.metadata[0].data)


def test_a_partition_that_the_user_verified_is_not_warned_of(app):
    known = Upstream.of("k8s", url="registry.k8s.io", partitions=["aws-cn"])
    assert warnings(in_region(app, "cn-north-1", upstream=known)) == []


def test_a_partition_that_the_user_excluded_is_refused(app):
    elsewhere = Upstream.of("k8s", url="registry.k8s.io", partitions=["aws"])
    with pytest.raises(
        UserError,
        match="There/Rule: ECR cannot pull registry.k8s.io through in the partition aws-cn of cn-north-1; it is said to do so "
        "in aws, or let others push or replicate its images here .ReplicaRegistry.",
    ):
        in_region(app, "cn-north-1", upstream=elsewhere)


@pytest.mark.parametrize("region", ["sa-west-1", "me-west-1", "ap-southeast-9"])
def test_a_region_that_is_newer_than_the_package_is_warned_of(app, region):
    assert warnings(in_region(app, region)) == ["cdk-ecr-pull-through-cache:newRegion"]


def test_a_registry_is_not_its_own_upstream(stack):
    with pytest.raises(UserError, match="is this registry itself; a registry is not its own upstream"):
        rule(stack, upstream=Upstream.ecr(account="111122223333", region="eu-west-1"))


def test_a_registry_of_another_partition_is_no_upstream(stack):
    with pytest.raises(UserError, match="lies in the partition aws-cn, and this registry in aws"):
        rule(stack, upstream=Upstream.ecr(account="444455556666", region="cn-north-1"))


def test_quay_takes_no_credentials(stack):
    with pytest.raises(UserError, match="quay.io takes no credentials"):
        rule(stack, upstream=Upstream.QUAY, credentials=secret(stack))


def test_a_part_of_an_upstream_needs_a_prefix(stack):
    with pytest.raises(
        UserError, match="Stack/Rule: the part 'argoproj' of quay.io is given with the repository prefix ROOT"
    ):
        rule(stack, upstream=Upstream.QUAY, repository_prefix="ROOT", upstream_repository_prefix="argoproj")


def test_a_registry_has_50_rules_and_no_more(stack):
    for number in range(50):
        PullThroughCacheRule(stack, f"Rule{number}", upstream=Upstream.KUBERNETES, repository_prefix=f"k8s-{number}")
    assert warnings(stack) == []
    with pytest.raises(UserError, match="Stack/Rule: the registry has 50 rules already"):
        rule(stack)


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"repository": "pause:3.10", "tag": "3.10"}, "holds the tag '3.10'; give it as 'tag'"),
        ({"repository": "pause@sha256:" + "a" * 64}, "holds a digest; give it as 'digest'"),
        ({"repository": "registry.k8s.io/pause"}, "begins with the host 'registry.k8s.io'"),
        ({"repository": "localhost:5000/pause"}, "begins with the host 'localhost:5000'"),
        ({"repository": "pause", "digest": "sha256:12"}, "the digest 'sha256:12' is given"),
        ({"repository": "pause", "tag": "a b"}, "the tag 'a b' is given"),
        ({"repository": "Pause"}, "the repository 'Pause' is given"),
        ({"repository": "p" * 252}, "has 256 characters with its prefix; at most 255 are allowed"),
    ],
)
def test_parts_that_make_no_reference_are_refused(stack, parts, message):
    with pytest.raises(UserError) as error:
        rule(stack).image_uri(**parts)
    assert message in str(error.value)


def test_a_repository_of_private_ecr_may_begin_like_a_host(stack):
    it = rule(stack, upstream=Upstream.ecr(account="111122223333", region="us-east-1"), repository_prefix="theirs")
    assert it.image_uri("team.a/app", tag="1").endswith("/theirs/team.a/app:1")
