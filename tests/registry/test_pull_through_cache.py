"""PullThroughCache and ReplicaRegistry."""

import inspect
import json

import aws_cdk as cdk
import pytest
from aws_cdk import aws_iam as iam
from aws_cdk.assertions import Template

from ecr_pull_through_cache import (
    CacheDashboard,
    CacheRegistry,
    CreationTemplateSettings,
    ImageWarmer,
    IPullThroughCache,
    IPullThroughCacheRule,
    NodePullPolicy,
    Pullers,
    PullThroughCache,
    ReplicaRegistry,
    ReplicationDestination,
    RepositoryBackfill,
    Upstream,
    UpstreamCache,
    UpstreamCredentials,
    UserError,
)
from ecr_pull_through_cache.cluster.node_pull_policy import NodePullPolicyProps
from ecr_pull_through_cache.day_two.cache_dashboard import CacheDashboardProps
from ecr_pull_through_cache.day_two.image_warmer import ImageWarmerProps
from ecr_pull_through_cache.day_two.repository_backfill import RepositoryBackfillProps
from tests.support.templates import only, resources

OTHER = "222233334444"
TEMPLATE = "AWS::ECR::RepositoryCreationTemplate"


def cache(stack, **props):
    upstreams = {"k8s": Upstream.KUBERNETES, "quay": Upstream.QUAY}
    return PullThroughCache(stack, "Cache", **{"upstreams": upstreams, **props})


def test_five_lines_make_rules_and_templates_and_nothing_else(stack):
    cache(stack)
    kinds = {resource["Type"] for resource in Template.from_stack(stack).to_json()["Resources"].values()}
    assert kinds == {"AWS::ECR::PullThroughCacheRule", TEMPLATE}


def test_logical_ids_are_reviewed(stack, reviewed_ids):
    it = cache(stack, replicate_to=[ReplicationDestination(region="us-east-1")], pullers=Pullers(accounts=(OTHER,)))
    NodePullPolicy(stack, "Nodes", cache=it)
    reviewed_ids("constructs", "PullThroughCache", Template.from_stack(stack).to_json()["Resources"])


def test_the_order_of_upstreams_changes_nothing():
    def synth(order):
        upstreams = {"k8s": Upstream.KUBERNETES, "quay": Upstream.QUAY, "public": Upstream.ECR_PUBLIC}
        stack = cdk.Stack(cdk.App(), "Stack")
        cache(stack, upstreams={prefix: upstreams[prefix] for prefix in order})
        return json.dumps(Template.from_stack(stack).to_json())

    assert synth(["k8s", "quay", "public"]) == synth(["public", "quay", "k8s"])


def test_rules_wait_for_replication_and_their_template(stack):
    cache(stack, replicate_to=[ReplicationDestination(region="us-east-1")])
    for rule in Template.from_stack(stack).find_resources("AWS::ECR::PullThroughCacheRule").values():
        kinds = {Template.from_stack(stack).to_json()["Resources"][name]["Type"] for name in rule["DependsOn"]}
        assert kinds == {"AWS::ECR::ReplicationConfiguration", TEMPLATE}


def test_only_the_cache_is_replicated(stack):
    cache(stack, replicate_to=[ReplicationDestination(region="us-east-1")], replicate_also=["apps"])
    (rule,) = only(stack, "AWS::ECR::ReplicationConfiguration")["ReplicationConfiguration"]["Rules"]
    assert [f["Filter"] for f in rule["RepositoryFilters"]] == ["apps/", "k8s/", "quay/"]


def test_root_replicates_everything(stack):
    cache(stack, upstreams={"ROOT": Upstream.KUBERNETES}, replicate_to=[ReplicationDestination(region="us-east-1")])
    (rule,) = only(stack, "AWS::ECR::ReplicationConfiguration")["ReplicationConfiguration"]["Rules"]
    assert "RepositoryFilters" not in rule


class TestAcrossAccounts:
    """Two of three sides is what everybody gets wrong."""

    def test_the_registry_policy_lets_the_pullers_import(self, stack):
        cache(stack, pullers=Pullers(accounts=(OTHER,)))
        (statement,) = only(stack, "AWS::ECR::RegistryPolicy")["PolicyText"]["Statement"]
        assert statement["Action"] == ["ecr:BatchImportUpstreamImage", "ecr:CreateRepository"]
        assert statement["Resource"] == [
            f"arn:aws:ecr:eu-west-1:111122223333:repository/{p}/*" for p in ("k8s", "quay")
        ]

    def test_every_template_lets_the_pullers_pull(self, stack):
        cache(stack, pullers=Pullers(accounts=(OTHER,), organization="o-exampleorg1"))
        for template in resources(stack, TEMPLATE).values():
            text = json.dumps(template["RepositoryPolicy"])
            assert OTHER in text
            assert "o-exampleorg1" in text
            assert "ecr:GetAuthorizationToken" not in text

    def test_pullers_need_not_import(self, stack):
        cache(stack, pullers=Pullers(accounts=(OTHER,)), importers=Pullers())
        assert not resources(stack, "AWS::ECR::RegistryPolicy")
        assert all("RepositoryPolicy" in template for template in resources(stack, TEMPLATE).values())

    def test_a_repository_policy_of_ones_own_is_added_to(self, stack):
        mine = iam.PolicyDocument(
            statements=[iam.PolicyStatement(sid="Mine", principals=[iam.StarPrincipal()], actions=["ecr:ListImages"])]
        )
        cache(stack, settings=CreationTemplateSettings(repository_policy=mine), pullers=Pullers(accounts=(OTHER,)))
        for template in resources(stack, TEMPLATE).values():
            assert "Mine" in json.dumps(template["RepositoryPolicy"])
            assert "PullFromAccounts" in json.dumps(template["RepositoryPolicy"])
        assert mine.statement_count == 1

    @pytest.mark.parametrize("importers", [None, Pullers()], ids=["who import", "who do not import"])
    def test_more_pullers_than_a_policy_holds_are_one_sentence(self, stack, importers):
        many = Pullers(accounts=tuple(str(200_000_000_000 + n) for n in range(320)))
        with pytest.raises(UserError, match=r"the repository policy would have 10,758 .*organization: true"):
            cache(stack, pullers=many, importers=importers)

    def test_nothing_is_open_to_the_world(self, stack):
        cache(stack, pullers=Pullers(organization="o-exampleorg1"))
        for statement in only(stack, "AWS::ECR::RegistryPolicy")["PolicyText"]["Statement"]:
            assert statement["Condition"] == {"StringEquals": {"aws:PrincipalOrgID": "o-exampleorg1"}}


def test_templates_are_for_replicas_too_where_some_arrive(stack):
    cache(stack, replicated_from=["111122223333", OTHER])
    assert all(t["AppliedFor"] == ["PULL_THROUGH_CACHE", "REPLICATION"] for t in resources(stack, TEMPLATE).values())
    (statement,) = only(stack, "AWS::ECR::RegistryPolicy")["PolicyText"]["Statement"]
    assert statement["Action"] == ["ecr:CreateRepository", "ecr:ReplicateImage"]


def test_each_upstream_may_have_settings_of_its_own(stack):
    own = CreationTemplateSettings(resource_tags={"a": "b"})
    it = cache(
        stack, upstreams={"k8s": UpstreamCache(upstream=Upstream.KUBERNETES, settings=own), "quay": Upstream.QUAY}
    )
    assert it.tags_repositories
    assert [bool(t.get("ResourceTags")) for t in resources(stack, TEMPLATE).values()] == [True, False]


def test_grants_cover_every_prefix_and_nothing_else(stack):
    role = iam.Role(stack, "Role", assumed_by=iam.ServicePrincipal("ec2.amazonaws.com"))
    cache(stack).grant_import(role)
    sign_in, rest = only(stack, "AWS::IAM::Policy")["PolicyDocument"]["Statement"]
    assert sign_in["Action"] == "ecr:GetAuthorizationToken"
    assert rest["Resource"] == [f"arn:aws:ecr:eu-west-1:111122223333:repository/{p}/*" for p in ("k8s", "quay")]


def test_the_mapping_of_a_cache_is_that_of_its_rules(stack):
    mapping = cache(stack).mapping()
    assert mapping.map("registry.k8s.io/pause:3.10") == "111122223333.dkr.ecr.eu-west-1.amazonaws.com/k8s/pause:3.10"


def test_an_uri_under_an_unknown_prefix_names_those_there_are(stack):
    it = cache(stack)
    assert it.image_uri("quay", "a/b", tag="1") == "111122223333.dkr.ecr.eu-west-1.amazonaws.com/quay/a/b:1"
    with pytest.raises(UserError, match="Stack/Cache: no upstream is cached under 'hub'; there are k8s, quay"):
        it.image_uri("hub", "nginx")


def test_a_cache_of_nothing_is_refused(stack):
    with pytest.raises(UserError, match="Stack/Cache: no upstreams are given"):
        cache(stack, upstreams={})


class TestReplicaRegistry:
    def test_it_has_templates_for_replication_and_lets_other_accounts_in(self, stack):
        ReplicaRegistry(stack, "R", repository_prefixes=["quay", "k8s"], replicated_from=["111122223333", OTHER])
        assert {t["Prefix"] for t in resources(stack, TEMPLATE).values()} == {"k8s", "quay"}
        assert all(t["AppliedFor"] == ["REPLICATION"] for t in resources(stack, TEMPLATE).values())
        (statement,) = only(stack, "AWS::ECR::RegistryPolicy")["PolicyText"]["Statement"]
        assert OTHER in str(statement["Principal"])

    def test_within_an_account_no_policy_is_needed(self, stack):
        ReplicaRegistry(stack, "R", repository_prefixes=["k8s"], replicated_from=["111122223333"])
        assert not resources(stack, "AWS::ECR::RegistryPolicy")

    def test_no_prefixes_are_refused(self, stack):
        with pytest.raises(UserError, match="Stack/R: no repository prefixes are given"):
            ReplicaRegistry(stack, "R", repository_prefixes=[])


class TestClearForms:
    """What can only be meant one way is accepted, and works."""

    def test_a_host_is_its_upstream(self, stack):
        it = cache(stack, upstreams={"k8s": "registry.k8s.io", "quay": UpstreamCache(upstream="quay.io")})
        assert it.rules["k8s"].upstream is Upstream.KUBERNETES
        assert it.mapping().map("quay.io/a/b:1") == "111122223333.dkr.ecr.eu-west-1.amazonaws.com/quay/a/b:1"

    def test_a_host_that_is_no_upstream_is_refused(self, stack):
        with pytest.raises(
            UserError, match="Stack/Cache: 'regsitry.k8s.io' is not an upstream registry .*did you mean"
        ):
            cache(stack, upstreams={"k8s": "regsitry.k8s.io"})

    def test_the_name_of_a_region_is_a_destination(self, stack):
        cache(stack, replicate_to=["us-east-1"])
        (rule,) = only(stack, "AWS::ECR::ReplicationConfiguration")["ReplicationConfiguration"]["Rules"]
        assert rule["Destinations"] == [{"Region": "us-east-1", "RegistryId": "111122223333"}]

    def test_credentials_are_their_secret(self, stack):
        credentials = UpstreamCredentials(stack, "Hub", secret_name="docker-hub")
        cache(stack, upstreams={"hub": UpstreamCache(upstream=Upstream.DOCKER_HUB, credentials=credentials)})
        assert only(stack, "AWS::ECR::PullThroughCacheRule")["CredentialArn"] == stack.resolve(credentials.secret_arn)

    def test_a_list_is_a_tuple(self):
        assert Pullers(accounts=[OTHER]) == Pullers(accounts=(OTHER,))


class TestFromAttributes:
    REGISTRY = CacheRegistry(account=OTHER, region="us-east-1")
    UPSTREAMS = {"quay": Upstream.QUAY, "k8s": "registry.k8s.io"}

    def imported(self, stack, **attributes):
        given = {"registry": self.REGISTRY, "upstreams": self.UPSTREAMS, **attributes}
        return PullThroughCache.from_attributes(stack, "Theirs", **given)

    def test_it_makes_nothing_and_is_used_like_one_of_the_app(self, stack):
        it = self.imported(stack)
        assert Template.from_stack(stack).to_json().get("Resources", {}) == {}
        assert it.image_uri("quay", "a/b", tag="1") == f"{OTHER}.dkr.ecr.us-east-1.amazonaws.com/quay/a/b:1"
        assert it.mapping().map("registry.k8s.io/pause:3") == f"{OTHER}.dkr.ecr.us-east-1.amazonaws.com/k8s/pause:3"
        assert it.repository_prefixes == ("k8s", "quay")
        assert it.templates == {}

    def test_both_kinds_are_a_pull_through_cache(self, stack):
        ours: IPullThroughCache = cache(stack)
        theirs: IPullThroughCache = self.imported(stack)
        for it in (ours, theirs):
            assert isinstance(it, IPullThroughCache)
            assert all(isinstance(rule, IPullThroughCacheRule) for rule in it.rules.values())

    def test_a_class_of_ones_own_may_be_one(self, stack):
        class Mine:
            def __init__(self, inner):
                self._inner = inner

            def __getattr__(self, name):
                return getattr(self._inner, name)

        names = [name for name in dir(IPullThroughCache) if not name.startswith("_")]
        for name in names:
            setattr(Mine, name, property(lambda self, name=name: getattr(self._inner, name)))
        NodePullPolicy(stack, "Nodes", cache=Mine(self.imported(stack)))
        assert OTHER in json.dumps(only(stack, "AWS::IAM::ManagedPolicy"))

    def test_replicas_are_left_alone_until_they_are_said_to_be_there(self, stack):
        replicas = {"upstreams": {}, "replicas": {"k8s": Upstream.KUBERNETES}}
        it = self.imported(stack, **replicas)
        assert it.mapping().map("registry.k8s.io/pause:3") == "registry.k8s.io/pause:3"
        with pytest.raises(UserError, match="Stack/Theirs: the registry holds replicas only, so a pull cannot import"):
            it.grant_import(iam.Role(stack, "Role", assumed_by=iam.ServicePrincipal("ec2.amazonaws.com")))

    def test_replicas_that_are_there_before_they_run_are_rewritten(self, stack):
        it = self.imported(stack, upstreams={}, replicas={"k8s": Upstream.KUBERNETES}, prepopulated=True)
        assert it.mapping().map("registry.k8s.io/pause:3").startswith(f"{OTHER}.dkr.ecr")

    def test_a_prefix_that_is_none_is_refused(self, stack):
        with pytest.raises(UserError, match="Stack/Theirs: 'K8s' is not a repository prefix"):
            self.imported(stack, upstreams={"K8s": Upstream.KUBERNETES})


class TestFactories:
    def test_each_makes_its_construct_of_the_cache(self, stack):
        it = cache(stack, upstreams={"k8s": Upstream.KUBERNETES})
        made = [
            it.add_node_pull_policy("Nodes"),
            it.add_warmer("Warmer", images=["registry.k8s.io/pause:3.10"]),
            it.add_backfill("Backfill"),
            it.add_dashboard("Dashboard"),
            it.add_removal("Removal"),
        ]
        assert [child.node.path for child in made] == [
            f"Stack/Cache/{name}" for name in ("Nodes", "Warmer", "Backfill", "Dashboard", "Removal")
        ]
        assert "Custom::EcrCacheRemoval" in {
            r["Type"] for r in Template.from_stack(stack).to_json()["Resources"].values()
        }

    @pytest.mark.parametrize(
        ("props", "construct"),
        [
            (NodePullPolicyProps, NodePullPolicy),
            (ImageWarmerProps, ImageWarmer),
            (RepositoryBackfillProps, RepositoryBackfill),
            (CacheDashboardProps, CacheDashboard),
        ],
        ids=lambda kind: kind.__name__,
    )
    def test_it_takes_every_parameter_of_the_construct(self, props, construct):
        parameters = inspect.signature(construct.__init__).parameters
        assert list(props.__annotations__) == [
            name for name in parameters if name not in ("self", "scope", "id", "cache")
        ]

    def test_metrics_are_those_of_the_dashboard(self, stack):
        it = cache(stack)
        assert it.metric_failed_imports(label="x").label == "x"
        dashboard = it.add_dashboard("Dashboard")
        for name in ("metric_imports", "metric_failed_imports"):
            ours, shown = getattr(it, name)(), getattr(dashboard, name)()
            assert (ours.namespace, ours.metric_name) == (shown.namespace, shown.metric_name)
