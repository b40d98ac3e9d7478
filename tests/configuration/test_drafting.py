"""What ``init`` writes: whatever is answered, the file loads and synthesises, or one sentence says what was wrong."""

import string
import tempfile
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from ecr_pull_through_cache import UserError
from ecr_pull_through_cache.configuration import NodeKind, PolicyForm, parse
from ecr_pull_through_cache.configuration.drafting import ClusterDraft, Draft, PlaceDraft, UpstreamDraft, write
from ecr_pull_through_cache.images import PARTITIONS, Credentials, Upstream
from tests.support.assemblies import synthesise, templates

HERE = PlaceDraft(account="platform", region="eu-west-1")
ACCOUNTS = {"platform": "111122223333", "prod": "222233334444"}
HOSTS = [*(upstream.host for upstream in Upstream.catalogue()), "example.azurecr.io", "other.azurecr.io"]
HOSTS += ["444455556666.dkr.ecr.eu-north-1.amazonaws.com"]
# What YAML would read as something else is among the names.
NAMES = st.sampled_from(["null", "true", "no", "y", "on", "demo", "prod-eu", "a"])
ROLES = st.one_of(
    st.sampled_from(["true", "0x10", "1e5", "null", "a,b", "=", "@x", "123456789012"]),
    st.text(string.ascii_letters + string.digits + "+=,.@-_", min_size=1, max_size=64),
)


def draft(**given):
    return Draft(
        **{"accounts": ACCOUNTS, "registry": HERE, "upstreams": (UpstreamDraft.of("registry.k8s.io"),), **given}
    )


@st.composite
def drafts(draw):
    """Answers that belong together: of one partition, without repetition."""
    partition = draw(st.sampled_from([p for p in PARTITIONS if p.name in ("aws", "aws-cn", "aws-us-gov")]))
    places = st.builds(
        PlaceDraft,
        account=st.sampled_from(["platform", "prod", "333344445555"]),
        region=st.sampled_from(partition.regions),
    )
    registry, *replicas = draw(st.lists(places, min_size=1, max_size=5, unique=True))
    clusters = draw(st.lists(
        st.builds(
            ClusterDraft, name=NAMES, place=places,
            roles=st.dictionaries(ROLES, st.sampled_from([kind.value for kind in NodeKind]), max_size=3),
        ),
        max_size=4, unique_by=lambda cluster: cluster.name,
    ))  # fmt: skip
    note = draw(st.sampled_from(["", "12 images of the cluster"]))
    hosts = draw(st.lists(st.sampled_from(HOSTS), min_size=1, unique=True))
    return Draft(
        accounts=ACCOUNTS, registry=registry, replicas=tuple(replicas), clusters=tuple(clusters),
        upstreams=tuple(UpstreamDraft.of(host, note=note) for host in hosts),
        organization=draw(st.none() | st.just("o-exampleorg1")),
        rewrite=draw(st.none() | st.sampled_from([form.value for form in PolicyForm])),
        impossible=draw(st.just({}) | st.just({"gcr.io": 1, "mcr.microsoft.com": 3})),
    )  # fmt: skip


@settings(max_examples=150)
@given(drafts())
def test_whatever_is_answered_the_file_loads_and_says_what_was_answered(answers):
    found = parse(write(answers, path="cache.yaml"))
    main = found.registries["main"]
    assert {*main.pulled_through, *main.pushed} == {rule.prefix for rule in answers.upstreams}
    assert len(main.replicate_to) == len(answers.replicas)
    assert {name: {n.role: n.kind.value for n in plan.nodes} for name, plan in found.clusters.items()} == {
        cluster.name: dict(cluster.roles) for cluster in answers.clusters
    }
    for plan in main.pulled_through.values():
        needs = plan.cached.upstream.credentials is Credentials.REQUIRED
        assert (plan.rule.credentials is not None) == needs


@settings(max_examples=15)
@given(drafts())
def test_whatever_is_answered_the_file_synthesises(answers):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "cache.yaml"
        path.write_text(write(answers, path=str(path)))
        made = templates(synthesise(path, Path(folder) / "out"))
    assert len(made) == 1 + len(answers.replicas) + len(answers.clusters)


@given(st.text(max_size=40))
def test_no_upstream_that_is_written_down_wrongly_is_more_than_one_sentence(text):
    try:
        parse(write(draft(upstreams=(UpstreamDraft.of(text),)), path="cache.yaml"))
    except UserError as error:
        assert "\n" not in str(error)


def test_a_cluster_pulls_from_the_registry_of_its_region_which_then_pulls_through_too():
    far = PlaceDraft(account="platform", region="us-east-1")
    clusters = (ClusterDraft(name="near", place=HERE), ClusterDraft(name="far", place=far))
    found = parse(write(draft(replicas=(far,), clusters=clusters), path="cache.yaml"))
    assert {name: plan.registry.name for name, plan in found.clusters.items()} == {"near": "main", "far": "us-east-1"}
    assert not any(plan.warnings for plan in found.clusters.values())


def test_a_replica_that_no_cluster_pulls_from_only_receives():
    replica = PlaceDraft(account="prod", region="us-east-1")
    found = parse(write(draft(replicas=(replica,)), path="cache.yaml"))
    assert found.registries["us-east-1-prod"].pulled_through == {}


def test_the_secrets_to_be_written_are_named_with_account_and_region():
    text = write(draft(upstreams=(UpstreamDraft.of("docker.io"), UpstreamDraft.of("quay.io"))), path="my cache.yaml")
    assert text.count("--secret-id") == 1
    assert (
        "#      in platform, eu-west-1:\n#        aws secretsmanager put-secret-value --region eu-west-1 \\\n" in text
    )
    assert "--secret-id ecr-pullthroughcache/docker-hub" in text
    assert "describe --config 'my cache.yaml'" in text


def test_two_parts_of_one_upstream_share_its_secret():
    rules = (UpstreamDraft.of("one=docker.io/one"), UpstreamDraft.of("two=docker.io/two"))
    plans = parse(write(draft(upstreams=rules), path="cache.yaml")).registries["main"].pulled_through
    assert {plan.rule.credentials for plan in plans.values()} == {"docker-hub"}


def test_in_china_images_are_pushed():
    answers = draft(
        registry=PlaceDraft(account="platform", region="cn-north-1"), upstreams=(UpstreamDraft.of("docker.io"),)
    )
    text = write(answers, path="cache.yaml")
    assert parse(text).registries["main"].pushed.keys() == {"docker-hub"}
    assert "--secret-id" not in text


def test_what_cannot_be_cached_is_said_in_the_file():
    text = write(draft(impossible={"gcr.io": 1, "nvcr.io": 2}), path="cache.yaml")
    assert "# Not cached, because ECR has no such upstream: gcr.io (1 image), nvcr.io (2 images).\n" in text


def test_a_path_with_a_line_break_stays_in_its_comment():
    assert yaml.safe_load(write(draft(), path="a\nregistries: {}"))["registries"].keys() == {"main"}


@pytest.mark.parametrize(
    ("answers", "sentence"),
    [
        ({"upstreams": (UpstreamDraft.of("docker.io/one"), UpstreamDraft.of("docker.io/two"))},
         "docker.io/one and docker.io/two would both be cached under 'docker-hub'; give one of them a prefix of its own: PREFIX=HOST"),
        ({"upstreams": (UpstreamDraft.of("k8s=quay.io"), UpstreamDraft.of("k8s/x=docker.io"))}, "the prefix 'k8s/x' overlaps 'k8s'"),
        ({"clusters": (ClusterDraft(name="a", place=HERE),) * 2}, "the cluster 'a' is given twice"),
        ({"clusters": (ClusterDraft(name="A_b", place=HERE),)}, "'A_b' does not look like a name"),
        ({"clusters": (ClusterDraft(name="a", place=HERE, roles={"a b": "ecs"}),)}, "'a b' does not look like the name of a role"),
        ({"clusters": (ClusterDraft(name="a", place=HERE, roles={"a": "ec2"}),)}, "'ec2' is not allowed"),
        ({"replicas": (HERE,)}, "platform/eu-west-1 is given twice"),
        ({"replicas": (PlaceDraft(account="platform", region="cn-north-1"),)}, "another partition"),
        ({"registry": PlaceDraft(account="elsewhere", region="eu-west-1")}, "'elsewhere' is not an account"),
        ({"organization": "acme"}, "'acme' does not look like the id of an organisation"),
    ],
)  # fmt: skip
def test_answers_that_do_not_go_together_are_refused_in_one_sentence(answers, sentence):
    with pytest.raises(UserError) as error:
        write(draft(**answers), path="cache.yaml")
    assert sentence in str(error.value)
    assert "\n" not in str(error.value)
