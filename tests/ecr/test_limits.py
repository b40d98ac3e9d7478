"""Each rule of AWS on the page of limits is enforced: it is broken here, and answered as its row says."""

from collections.abc import Callable

import aws_cdk as cdk
import pytest
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_secretsmanager as secretsmanager

import ecr_pull_through_cache as package
from ecr_pull_through_cache import CountType, LifecycleAction, LifecyclePolicy, LifecycleRule, UserError
from ecr_pull_through_cache.ecr import quotas
from ecr_pull_through_cache.ecr.limits import LIMITS, Severity
from ecr_pull_through_cache.images import REGIONS
from ecr_pull_through_cache.registry.pullers import Pullers
from tests.support.templates import warnings

PROFILE = "arn:aws:signer:eu-west-1:111122223333:/signing-profiles/ecr"
Break = Callable[[cdk.Stack], object]


def rule(stack, upstream=package.Upstream.KUBERNETES, prefix="k8s", **props):
    return package.PullThroughCacheRule(stack, f"Rule-{prefix}", upstream=upstream, repository_prefix=prefix, **props)


def there(stack, region):
    return cdk.Stack(stack.node.root, "There", env=cdk.Environment(account="111122223333", region=region))


def secret(stack, name="ecr-pullthroughcache/hub", region="eu-west-1"):
    arn = f"arn:aws:secretsmanager:{region}:111122223333:secret:{name}-AbCdEf"
    return secretsmanager.Secret.from_secret_complete_arn(stack, "Secret", arn)


def encrypted(stack):
    key = kms.Key(stack, "Key")
    return secretsmanager.Secret(stack, "Secret", secret_name="ecr-pullthroughcache/hub", encryption_key=key)


def template(stack, applied_for="PULL_THROUGH_CACHE", prefix="k8s", **settings):
    return package.RepositoryCreationTemplate(
        stack, "Template", prefix=prefix, applied_for=[package.AppliedFor[applied_for]],
        settings=package.CreationTemplateSettings(**settings),
    )  # fmt: skip


def lifecycle(*changes):
    base = {"count_type": CountType.IMAGE_COUNT_MORE_THAN, "count": 5, "tags": package.TagSelection.UNTAGGED}
    return LifecyclePolicy([LifecycleRule(**{"priority": n, **base, **c}) for n, c in enumerate(changes, 1)])


def replicate(stack, *regions, count=1, prefixes=()):
    to = tuple(package.ReplicationDestination(region=region) for region in regions)
    rules = [package.ReplicationRule(destinations=to, repository_prefixes=prefixes)] * count
    return package.ReplicationConfiguration(stack, "Replication", rules=rules)


def sign(stack, *prefixes, count=1, profile=PROFILE):
    rules = [package.SigningRule(signing_profile_arn=profile, repository_prefixes=prefixes or ("ROOT",))] * count
    return package.SigningConfiguration(stack, "Signing", rules=rules)


def scan(stack, frequency, *prefixes):
    rules = [
        package.ScanningRule(frequency=package.ScanFrequency[frequency], repository_prefixes=prefixes or ("ROOT",))
    ]
    return package.RegistryScanningConfiguration(stack, "Scanning", rules=rules)


def endpoints(stack):
    vpc = ec2.Vpc(stack, "Vpc", max_azs=1, nat_gateways=0)
    chosen = ec2.SubnetSelection(subnet_type=ec2.SubnetType.PRIVATE_ISOLATED)
    return package.EcrEndpoints(stack, "Endpoints", vpc=vpc, subnets=chosen, fips=True)


def function(stack):
    cache = package.PullThroughCache(stack, "Cache", upstreams={"k8s": package.Upstream.KUBERNETES})
    image = cache.image_uri("k8s", "pause", tag="3.10")
    lambda_.CfnFunction(stack, "Function", role="role", code={"imageUri": image}, package_type="Image")
    cdk.Aspects.of(stack).add(package.RewriteImages(cache.mapping()))
    cdk.assertions.Template.from_stack(stack)


def limited(stack, *allow, also=()):
    part = package.UpstreamCache(upstream=package.Upstream.QUAY, allow=allow)
    return package.PullThroughCache(stack, "Cache", upstreams={"quay": part, **dict(also)})


ARCHIVES = LifecyclePolicy(
    [LifecycleRule(priority=1, count_type=CountType.SINCE_IMAGE_PULLED, count=9, action=LifecycleAction.ARCHIVE)]
)
MOVED = {"count_type": CountType.SINCE_IMAGE_TRANSITIONED, "storage_class": package.StorageClass.ARCHIVE}
ANY, TAGGED = {"tags": package.TagSelection.ANY}, {"tags": package.TagSelection.TAGGED}
OWN = package.Upstream.ecr(account="111122223333", region="eu-west-1")
CHINA = package.Upstream.ecr(account="444455556666", region="cn-north-1")
IMMUTABLE = {"image_tag_mutability": ecr.TagMutability.IMMUTABLE}

BROKEN: dict[str, Break] = {
    "rule-prefix": lambda s: rule(s, prefix="p" * 31),
    "root-with-part": lambda s: rule(s, package.Upstream.QUAY, "ROOT", upstream_repository_prefix="team"),
    "rules": lambda s: [rule(s, prefix=f"p{n:02d}") for n in range(quotas.RULES.value + 1)],
    "upstream": lambda _: package.Upstream.from_host("gcr.io"),
    "own-upstream": lambda s: rule(s, OWN),
    "upstream-partition": lambda s: rule(s, CHINA),
    "unverified-partition": lambda s: rule(there(s, "cn-north-1")),
    "credentials-needed": lambda s: rule(s, package.Upstream.GITHUB),
    "credentials-refused": lambda s: rule(s, package.Upstream.QUAY, credentials=secret(s)),
    "secret-name": lambda s: rule(s, package.Upstream.GITHUB, credentials=secretsmanager.Secret(s, "Made")),
    "secret-place": lambda s: rule(s, package.Upstream.GITHUB, credentials=secret(s, region="us-east-1")),
    "secret-key": lambda s: rule(s, package.Upstream.GITHUB, credentials=encrypted(s)),
    "template-prefix": lambda s: template(s, prefix="p" * 257),
    "exclusion-filters": lambda s: template(
        s, image_tag_mutability=ecr.TagMutability.MUTABLE_WITH_EXCLUSION, mutability_exclusions=("***",)
    ),
    "dsse": lambda s: template(s, encryption=ecr.RepositoryEncryption.KMS_DSSE),
    "tags": lambda s: template(s, resource_tags={"aws:owner": "x"}),
    "immutable-cache": lambda s: template(s, **IMMUTABLE),
    "immutable-replicas": lambda s: template(s, "REPLICATION", **IMMUTABLE),
    "archived": lambda s: template(s, lifecycle=ARCHIVES),
    "expiring-replicas": lambda s: template(s, "REPLICATION", lifecycle=LifecyclePolicy.expire_after(days=9)),
    "secret-name-length": lambda s: package.UpstreamCredentials(s, "Credentials", secret_name="n" * 513),
    "managed-policy-size": lambda s: package.NodePullPolicy(
        s, "Nodes", cache=limited(s, *(f"{'n' * 200}{number}/*" for number in range(60)))
    ),
    "limits-beside-root": lambda s: limited(s, "team/*", also={"ROOT": package.Upstream.KUBERNETES}),
    "policy-size": lambda s: package.PullThroughCache(
        s, "Cache", upstreams={"k8s": package.Upstream.KUBERNETES},
        pullers=Pullers(accounts=tuple(f"{number:012d}" for number in range(1, 400))),
    ),
    "lifecycle-combinations": lambda _: lifecycle({"count_type": CountType.SINCE_IMAGE_PULLED}),
    "lifecycle-archive-days": lambda _: lifecycle({**MOVED, "count": quotas.ARCHIVE_DAYS.value - 1}),
    "lifecycle-selections": lambda _: lifecycle({}, {}),
    "lifecycle-tags": lambda _: lifecycle({**TAGGED, "tag_patterns": ("*****",)}),
    "lifecycle-priorities": lambda _: lifecycle(ANY, {"priority": 1}),
    "lifecycle-rules": lambda _: lifecycle(*({**TAGGED, "tag_patterns": (f"v{n}",)} for n in range(51))),
    "lifecycle-characters": lambda _: lifecycle({**TAGGED, "tag_patterns": ("v" * quotas.LIFECYCLE_CHARACTERS.value,)}),
    "replication-rules": lambda s: replicate(s, "us-east-1", count=quotas.REPLICATION_RULES.value + 1),
    "replication-rules-api": lambda s: replicate(s, "us-east-1", count=quotas.REPLICATION_RULES_API.value + 1),
    "replication-destinations": lambda s: replicate(s, *[r for r in REGIONS if r[2] == "-" and r != "eu-west-1"][:26]),
    "replication-filters": lambda s: replicate(s, "us-east-1", prefixes=tuple(f"p{n}" for n in range(101))),
    "replication-self": lambda s: replicate(s, "eu-west-1"),
    "replication-partition": lambda s: replicate(s, "cn-north-1"),
    "scan-frequency": lambda s: scan(s, "CONTINUOUS_SCAN"),
    "scan-filters": lambda s: scan(s, "SCAN_ON_PUSH", "team--a"),
    "signing-rules": lambda s: sign(s, count=quotas.SIGNING_RULES.value + 1),
    "signing-filters": lambda s: sign(s, "team--a"),
    "signing-profile": lambda s: sign(s, profile=PROFILE.replace("eu-west-1", "us-east-1")),
    "signing-region": lambda s: sign(there(s, "ap-east-2")),
    "account": lambda _: package.ReplicationDestination(region="eu-west-1", account="\u0661" * 12),
    "new-region": lambda s: rule(there(s, "sa-west-1")),
    "fips-endpoints": endpoints,
    "fips-first-pull": lambda s: endpoints(there(s, "us-east-1")),
    "repository-name": lambda s: rule(s).image_uri("p" * 252),
    "image-uri": lambda s: rule(s).image_uri("quay.io/a", tag="1"),
    "lambda": function,
}  # fmt: skip


def test_every_rule_of_the_page_is_broken_here():
    assert sorted(BROKEN) == sorted(limit.id for limit in LIMITS)


@pytest.mark.parametrize("limit", LIMITS, ids=lambda limit: limit.id)
def test_a_broken_rule_is_answered_as_the_page_says(stack, limit):
    if limit.severity is Severity.ERROR:
        with pytest.raises(UserError):
            BROKEN[limit.id](stack)
    else:
        BROKEN[limit.id](stack)
        assert warnings(stack.node.root)


def test_every_rule_has_a_source_of_aws_or_of_a_standard():
    for limit in LIMITS:
        assert limit.sources, limit.id
        assert all(url.startswith(("https://docs.aws.amazon.com/", "https://github.com/")) for url in limit.sources)


def test_every_quota_stands_on_the_page():
    named = {limit.quota for limit in LIMITS}
    data = {value for value in vars(quotas).values() if isinstance(value, quotas.Quota)}
    assert data - named == {quotas.REPLICATION_RULES}, "its row names two numbers"
