"""Props of wrong types: each public construct and each value answers with one sentence, or takes what it is given."""

import dataclasses
import enum
import inspect
from collections.abc import Mapping

import aws_cdk as cdk
import pytest
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sns as sns

import ecr_pull_through_cache as package
from constructs import Construct
from ecr_pull_through_cache import (
    CachedUpstream,
    CacheMapping,
    PullThroughCache,
    ReplicationDestination,
    ReplicationRule,
    Upstream,
    UpstreamCredentials,
    UserError,
)
from tests.support.eks import imported

MAPPING = CacheMapping.of(
    "111122223333.dkr.ecr.eu-west-1.amazonaws.com",
    [CachedUpstream(upstream=Upstream.KUBERNETES, repository_prefix="k8s")],
)
PROFILE = "arn:aws:signer:eu-west-1:111122223333:/signing-profiles/profile"


def cache(stack):
    return PullThroughCache(stack, "Cache", upstreams={"k8s": Upstream.KUBERNETES})


def role(stack):
    return iam.Role.from_role_arn(stack, "Role", "arn:aws:iam::111122223333:role/r")


# What each construct needs, in a stack of its own.
CONSTRUCTS = {
    "CacheDashboard": lambda stack: {"cache": cache(stack)},
    "CacheRemoval": lambda stack: {"cache": cache(stack)},
    "EcrEndpoints": lambda stack: {
        "vpc": ec2.Vpc.from_vpc_attributes(
            stack, "Vpc", vpc_id="vpc-1", availability_zones=["a"], vpc_cidr_block="10.0.0.0/16",
            private_subnet_ids=["subnet-1"], private_subnet_route_table_ids=["rtb-1"],
        )
    },
    "ImageRewritePolicy": lambda stack: {"cache": cache(stack)},
    "ImageWarmer": lambda stack: {"cache": cache(stack)},
    "Kyverno": lambda stack: {"cluster": imported(stack, 1)},
    "NodePullPolicy": lambda stack: {"cache": cache(stack)},
    "PullThroughCache": lambda stack: {"upstreams": {"quay": Upstream.QUAY}},
    "PullThroughCacheRule": lambda stack: {"upstream": Upstream.QUAY, "repository_prefix": "quay"},
    "PullTimeUpdateExclusion": lambda stack: {"role": role(stack)},
    "RegistryPolicy": lambda stack: {},
    "RegistryScanningConfiguration": lambda stack: {},
    "ReplicaRegistry": lambda stack: {"repository_prefixes": ["k8s"]},
    "ReplicationConfiguration": lambda stack: {
        "rules": [ReplicationRule(destinations=(ReplicationDestination(region="us-east-1"),))]
    },
    "RepositoryBackfill": lambda stack: {"cache": cache(stack)},
    "RepositoryCreationTemplate": lambda stack: {"prefix": "quay"},
    "SigningConfiguration": lambda stack: {"rules": [package.SigningRule(signing_profile_arn=PROFILE)]},
    "UpstreamCredentials": lambda stack: {"secret_name": "hub"},
}  # fmt: skip
VALUES = {
    "CacheRegistry": {"account": "111122223333", "region": "eu-west-1"},
    "CreationTemplateSettings": {},
    "Pullers": {},
    "ReplicationDestination": {"region": "eu-west-1"},
    "ReplicationRule": {"destinations": (ReplicationDestination(region="us-east-1"),)},
    "ScanningRule": {"frequency": package.ScanFrequency.SCAN_ON_PUSH},
    "SigningRule": {"signing_profile_arn": PROFILE},
    "UpstreamCache": {"upstream": Upstream.QUAY},
}


class Stacks:
    """Stacks of one app, each in an account of its own, so that what one holds is not taken in another."""

    def __init__(self):
        self.app = cdk.App(builtin_cloud_formation_validation=False)
        self.number = 0

    def new(self):
        self.number += 1
        env = cdk.Environment(account=f"{self.number:012d}", region="eu-west-1")
        return cdk.Stack(self.app, f"Stack{self.number}", env=env)


@pytest.fixture(scope="module")
def stacks():
    return Stacks()


class Colour(enum.Enum):
    RED = "red"


WRONG = {
    "a text": lambda stack: "text",
    "no text": lambda stack: "",
    "a whole number": lambda stack: 5,
    "a number": lambda stack: 5.5,
    "true": lambda stack: True,
    "nothing": lambda stack: None,
    "bytes": lambda stack: b"k8s",
    "an empty list": lambda stack: [],
    "a list of texts": lambda stack: ["text"],
    "a list of numbers": lambda stack: [5],
    "a list of nothing": lambda stack: [None],
    "a tuple": lambda stack: ("text", 5),
    "a set": lambda stack: {"text"},
    "an empty mapping": lambda stack: {},
    "a mapping of texts": lambda stack: {"k8s": "registry.k8s.io"},
    "a mapping of numbers": lambda stack: {"k8s": 5},
    "a mapping by numbers": lambda stack: {5: "k8s"},
    "an object": lambda stack: object(),
    "a class": lambda stack: dict,
    "a function": lambda stack: len,
    "another enum": lambda stack: Colour.RED,
    "a duration": lambda stack: cdk.Duration.days(1),
    "a construct": lambda stack: Construct(stack, "Wrong"),
    "a stack": lambda stack: cdk.Stack.of(stack),
    "credentials": lambda stack: UpstreamCredentials(stack, "Wrong", secret_name="wrong"),
    "a topic": lambda stack: sns.Topic(stack, "Wrong"),
    "an imported topic": lambda stack: sns.Topic.from_topic_arn(stack, "Wrong", "arn:aws:sns:eu-west-1:111122223333:t"),
    "a bucket": lambda stack: s3.Bucket.from_bucket_name(stack, "Wrong", "bucket"),
    "a key": lambda stack: kms.Key.from_key_arn(stack, "Wrong", "arn:aws:kms:eu-west-1:111122223333:key/k"),
    "a role": lambda stack: iam.Role.from_role_name(stack, "Wrong", "r"),
    "a principal": lambda stack: iam.AccountRootPrincipal(),
    "an upstream": lambda stack: Upstream.QUAY,
    "a mapping of images": lambda stack: MAPPING,
}


def parameters(kind):
    return [name for name in inspect.signature(kind.__init__).parameters if name not in ("self", "scope", "id")]


CASES = [(name, prop) for name in CONSTRUCTS for prop in parameters(getattr(package, name))]


def test_every_public_construct_and_value_is_here():
    public = {name: getattr(package, name) for name in package.__all__}
    constructs = {n for n, k in public.items() if isinstance(k, type) and issubclass(k, Construct)}
    assert set(CONSTRUCTS) == constructs
    rooms = ("ecr_pull_through_cache.registry.", "ecr_pull_through_cache.cluster.", "ecr_pull_through_cache.day_two.")
    values = {n for n, k in public.items() if dataclasses.is_dataclass(k) and k.__module__.startswith(rooms)}
    assert set(VALUES) == values


@pytest.mark.parametrize(("name", "prop"), CASES, ids=lambda part: part)
def test_a_construct_answers_with_a_sentence_or_takes_it(stacks, name, prop):
    kind = getattr(package, name)
    answers, stack, props = {}, None, None
    for number, (words, wrong) in enumerate(WRONG.items()):
        if props is None:
            stack = stacks.new()
            props = CONSTRUCTS[name](stack)
        given = wrong(Construct(stack, f"Given{number}"))
        try:
            kind(stack, "It", **{**props, prop: given})
            props = None  # it was taken: the next one needs a stack of its own
        except UserError as error:
            assert str(error).startswith(f"{stack.node.path}/"), (words, error)
            assert "\n" not in str(error)
            # Nothing half-made is left behind.
            assert stack.node.try_find_child("It") is None, (words, error)
        except Exception as error:
            answers[words], props = repr(error)[:300], None
    assert answers == {}


@pytest.mark.parametrize("name", VALUES)
def test_a_value_answers_with_a_sentence_or_takes_it(stacks, name):
    kind = getattr(package, name)
    answers = {}
    for prop in parameters(kind):
        for words, wrong in WRONG.items():
            try:
                kind(**{**VALUES[name], prop: wrong(stacks.new())})
            except UserError as error:
                assert "\n" not in str(error)
            except Exception as error:
                answers[prop, words] = repr(error)[:300]
    assert answers == {}


@pytest.mark.parametrize("name", CONSTRUCTS)
@pytest.mark.parametrize(("scope", "id"), [(None, "It"), ("stack", "It"), (5, "It"), ("real", None), ("real", 5)])
def test_a_scope_or_an_id_that_is_none_is_refused(stacks, name, scope, id):
    stack = stacks.new()
    with pytest.raises(UserError, match="scope is|id is"):
        getattr(package, name)(stack if scope == "real" else scope, id, **CONSTRUCTS[name](stack))


SENTENCES = {
    "a text for a list": (
        "PullThroughCache", {"replicate_also": "apps"},
        "replicate_also is 'apps' (str); give a list, each item a text",
    ),
    "a number in a list": (
        "PullThroughCache", {"replicate_to": ["us-east-1", 5]},
        "replicate_to[1] is 5 (int); give a ReplicationDestination or a text",
    ),
    "a number in a mapping": (
        "PullThroughCache", {"upstreams": {"k8s": 5}},
        "upstreams['k8s'] is 5 (int); give an Upstream, an UpstreamCache or a text",
    ),
    "a text for a member of an enum": (
        "RegistryScanningConfiguration", {"scan_type": "BASIC"},
        "scan_type is 'BASIC' (str); give one of ScanType.BASIC, ScanType.ENHANCED",
    ),
    "a text for a role": (
        "PullThroughCacheRule", {"role": "arn:aws:iam::111122223333:role/r"},
        "role is 'arn:aws:iam::111122223333:role/r' (str); give an IRole",
    ),
    "two at once": (
        "NodePullPolicy", {"roles": "nodes", "role_names": [5]},
        "roles is 'nodes' (str); give a list, each item an IRole; role_names[0] is 5 (int); give a text",
    ),
    "a prop that there is not": (
        "UpstreamCredentials", {"secretname": "hub"},
        "there is no prop 'secretname' (did you mean 'secret_name'?); there are secret_name, description, removal_policy",
    ),
    "nothing where something is needed": (
        "UpstreamCredentials", {"secret_name": None}, "secret_name is None; give a text",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("name", "props", "sentence"), SENTENCES.values(), ids=SENTENCES)
def test_the_sentence_names_place_prop_and_kind(stacks, name, props, sentence):
    stack = stacks.new()
    with pytest.raises(UserError) as error:
        getattr(package, name)(stack, "It", **{**CONSTRUCTS[name](stack), **props})
    assert str(error.value) == f"{stack.node.path}/It: {sentence}"


class TestHelp:
    @pytest.mark.parametrize("name", [*CONSTRUCTS, *VALUES])
    def test_the_constructor_shows_its_docstring_and_its_own_signature(self, name):
        kind = getattr(package, name)
        assert ":param " in kind.__init__.__doc__
        assert kind.__init__.__doc__ == kind.__doc__
        shown = list(inspect.signature(kind).parameters)
        assert [n for n in shown if n not in ("scope", "id")] == parameters(kind)
        assert "args" not in shown

    @pytest.mark.parametrize("name", [*CONSTRUCTS, *VALUES])
    def test_every_parameter_is_described(self, name):
        kind = getattr(package, name)
        described = [part.split(":")[0] for part in kind.__doc__.split(":param ")[1:]]
        assert [n for n in parameters(kind) if n not in described] == []


def resources_of(scope):
    """Every L1 below a construct."""
    return {child.node.path for child in scope.node.find_all() if cdk.CfnResource.is_cfn_resource(child)}


def reached(value, seen):
    """Paths of the L1s that public attributes lead to, and the default children of what they lead to."""
    if isinstance(value, Mapping | list | tuple):
        found = set()
        for part in value.values() if isinstance(value, Mapping) else value:
            found |= reached(part, seen)
        return found
    node = getattr(value, "node", None)
    if node is None or node.path in seen:
        return set()
    seen.add(node.path)
    found = {node.path} if cdk.CfnResource.is_cfn_resource(value) else set()
    if isinstance(node.default_child, Construct) and cdk.CfnResource.is_cfn_resource(node.default_child):
        found.add(node.default_child.node.path)
    if type(value).__module__.startswith("ecr_pull_through_cache."):
        for name in dir(value):
            if not name.startswith("_") and not callable(getattr(type(value), name, None)):
                found |= reached(getattr(value, name), seen)
    return found


# The parts of these are attributes; there is no resource that they stand for.
JOINED = {"EcrEndpoints", "PullThroughCache", "ReplicaRegistry"}
# Grants, rules of security groups and the bucket's own policy are made by aws-cdk-lib below the part that they belong to.
BELOW = ("/DefaultPolicy/", "/SecurityGroup/", "/Policy/ResourcePolicy", "/Bucket/Policy/", "/ImageList/", "/Role-")


@pytest.mark.parametrize("name", CONSTRUCTS)
class TestL1:
    """What the page docs/reference/constructs.md says of `resource`."""

    def made(self, stacks, name):
        stack = stacks.new()
        return getattr(package, name)(stack, "It", **CONSTRUCTS[name](stack), **MORE.get(name, {}))

    def test_resource_is_the_l1(self, stacks, name):
        it = self.made(stacks, name)
        if name in JOINED:
            assert not hasattr(type(it), "resource")
        elif name == "ImageRewritePolicy":  # a file has no resource; with a cluster it has
            assert it.resource is None
        else:
            assert cdk.CfnResource.is_cfn_resource(it.resource)
            assert it.resource.node.path.startswith(it.node.path)

    def test_every_resource_can_be_reached(self, stacks, name):
        it = self.made(stacks, name)
        below = {path for path in resources_of(it) if not any(part in path for part in BELOW)}
        assert below - reached(it, set()) == set()


MORE = {
    "PullThroughCache": {
        "replicate_to": ["us-east-1"],
        "settings": package.CreationTemplateSettings(resource_tags={"a": "b"}),
    },
    "ReplicaRegistry": {"replicate_to": ["us-east-1"]},
    "ImageWarmer": {"images": ["registry.k8s.io/pause:3.10"]},
}


def test_a_policy_on_a_cluster_has_its_l1(stacks):
    stack = stacks.new()
    it = package.ImageRewritePolicy(stack, "It", cache=MAPPING, cluster=imported(stack, 1))
    assert it.resource.cfn_resource_type == "Custom::AWSCDK-EKS-KubernetesResource"
