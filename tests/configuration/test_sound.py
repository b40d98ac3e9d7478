"""Every mistake of a file in one pass, and none that comes from a part that is wrong in itself."""

import pytest

from ecr_pull_through_cache.configuration import ConfigurationError, parse


def mistakes(text):
    with pytest.raises(ConfigurationError) as error:
        parse(text, name="f.yaml")
    return [line.split(": ", 1)[1] if " " in line else line for line in str(error.value).splitlines()]


def test_mistakes_of_every_kind_are_found_together():
    found = mistakes("""
organization: nothing
accounts: { hub: "111122223333", work: 222233334444 }
registries:
  main:
    account: hub
    region: eu-west-1
    region: eu-west-2
    scanType: THOROUGH
    upstreams:
      k8s: { upstream: registry.k8s.io, credentials: x }
      quay: quay.io
      quay/argoproj: { upstream: quay.io, upstreamRepositoryPrefix: argoproj }
    template: { lifecyclePolicy: { expireAfterDays: 0 }, resourceTags: { "aws:x": y } }
    pull: { organization: true, accounts: [nobody] }
    replicateTo: [elsewhere]
clusters:
  prod:
    account: work
    region: eu-west-1
    registry: mian
    nodes: [{ role: "a b" }]
    rewrite: { form: policy }
""")
    starts = [
        "organization: 'nothing' does not look like the id of an organisation",
        "accounts.work: given the number 222233334444",
        "registries.main.region: is given twice, first in line 7",
        "registries.main.scanType: 'THOROUGH' is not allowed",
        "registries.main.upstreams.k8s: registry.k8s.io takes no credentials",
        "registries.main.upstreams.quay/argoproj: the prefix 'quay/argoproj' overlaps 'quay'",
        "registries.main.template.lifecyclePolicy.expireAfterDays: input should be greater than or equal to 1",
        "registries.main.template.resourceTags: the tag key 'aws:x' begins with 'aws:'",
        "registries.main.pull.accounts[0]: 'nobody' is not an account",
        "registries.main.replicateTo[0]: there is no registry 'elsewhere'",
        "clusters.prod.registry: there is no registry 'mian' (did you mean 'main'?)",
        "clusters.prod.nodes[0].role: 'a b' does not look like the name of a role",
        "clusters.prod.rewrite.form: 'policy' is not allowed",
    ]
    assert len(found) == len(starts), "\n".join(found)
    assert [next((start for start in starts if line.startswith(start)), line) for line in found] == starts


WRONG_IN_ITSELF = {
    "an upstream": ("upstreams: { k8s: registry.k8s.oi }", 1),
    "upstreams that are a list": ("upstreams: [registry.k8s.io]", 1),
    "upstreams that are left out": ("{}", 3),
}


@pytest.mark.parametrize(("upstreams", "count"), WRONG_IN_ITSELF.values(), ids=WRONG_IN_ITSELF)
def test_a_part_that_is_left_out_makes_no_mistakes_elsewhere(upstreams, count):
    found = mistakes(f"""
registries:
  main:
    account: "111122223333"
    region: eu-west-1
    {"" if upstreams == "{}" else upstreams}
    replicateTo: [copy]
    emptyOnDelete: true
  copy: {{ account: "111122223333", region: eu-central-1 }}
""")
    assert len(found) == count, found


@pytest.mark.parametrize(
    "top", ["accounts: [hub]", "accounts: { hub: '1' }", "regions: [home]", "regions: { home: nowhere }"]
)
def test_a_name_that_is_wrong_in_itself_is_one_mistake_wherever_it_is_used(top):
    account, region = ("hub", "eu-west-1") if top.startswith("accounts") else ("'111122223333'", "home")
    found = mistakes(f"""
{top}
registries:
  main: {{ account: {account}, region: {region}, upstreams: {{ k8s: registry.k8s.io }} }}
clusters:
  prod: {{ account: {account}, region: {region}, registry: main }}
""")
    assert {line.partition(":")[0].partition(".")[0] for line in found} >= {top.partition(":")[0]}
    if "nowhere" not in top:
        assert len(found) == 1, found


ALLOW = {
    "'nginx' in the allow list is no repository of Docker Hub; write 'library/nginx'": "allow: [nginx]",
    "'*' in the allow list allows everything; leave 'allow' out": "allow: ['*']",
    "'docker.io/library/nginx:1' in the allow list is not the path of repositories": "allow: ['docker.io/library/nginx:1']",
    "'allow' and 'knownRepositoriesOnly' are about imports": "mode: push, allow: [library/nginx]",
}


@pytest.mark.parametrize(("message", "given"), ALLOW.items())
def test_an_allow_list_that_names_no_repositories(message, given):
    (found,) = mistakes(f"""
registries:
  main:
    account: "111122223333"
    region: eu-west-1
    upstreams:
      hub: {{ upstream: docker.io, credentials: hub, {given} }}
""")
    assert found.startswith(f"registries.main.upstreams.hub: {message}")


NO_LIMIT = {
    "beside ROOT": (
        "ROOT: registry.k8s.io\n      hub: { upstream: quay.io, allow: [argoproj/*] }",
        "the limits under hub do not hold beside an upstream under ROOT",
    ),
    "a part of what another rule caches": (
        "quay: quay.io\n      argo: { upstream: quay.io, upstreamRepositoryPrefix: argoproj, allow: [argocd] }",
        "the allow list under 'argo' is for a part of quay.io that 'quay' caches too",
    ),
}


@pytest.mark.parametrize(("upstreams", "message"), NO_LIMIT.values(), ids=NO_LIMIT)
def test_an_allow_list_that_would_limit_nothing(upstreams, message):
    (found,) = mistakes(f"""
registries:
  main:
    account: "111122223333"
    region: eu-west-1
    upstreams:
      {upstreams}
""")
    assert found.startswith(f"registries.main.upstreams: {message}")
