"""Organisations of many accounts: their policies are as long as ECR accepts, or refused in one sentence."""

import json
from pathlib import Path

import aws_cdk as cdk
import pytest
import yaml

from app import build
from ecr_pull_through_cache.configuration import ConfigurationError, parse
from ecr_pull_through_cache.configuration.expectation import registry_policy
from ecr_pull_through_cache.ecr import statements
from tests.support.assemblies import of_kind, resolved, templates

UPSTREAMS = {
    "k8s": "registry.k8s.io",
    "ecr-public": "public.ecr.aws",
    "quay": "quay.io",
    "docker-hub": {"upstream": "docker.io", "credentials": "docker-hub"},
    "github": {"upstream": "ghcr.io", "credentials": "github"},
    "gitlab": {"upstream": "registry.gitlab.com", "credentials": "gitlab"},
    "chainguard": {"upstream": "cgr.dev", "credentials": "chainguard"},
    "argo": {"upstream": "quay.io", "upstreamRepositoryPrefix": "argoproj"},
    "bitnami": {"upstream": "docker.io", "upstreamRepositoryPrefix": "bitnami", "credentials": "docker-hub"},
}


def accounts(number):
    return [str(200_000_000_000 + n) for n in range(number)]


def organisation(number, *, whole=False, clusters=True, **registry):
    """A hub with nine upstreams, and clusters in so many accounts."""
    pull = {"organization": True} if whole else {} if clusters else {"accounts": accounts(number)}
    document = {
        **({"organization": "o-exampleorg1"} if whole else {}),
        "registries": {"hub": {"account": "111122223333", "region": "eu-west-1", "upstreams": UPSTREAMS, "pull": pull, **registry}},
        "clusters": {
            f"c{account}": {"account": account, "region": "eu-west-1", "registry": "hub", "nodes": [{"role": "nodes"}]}
            for account in accounts(number)
        } if clusters else {},
    }  # fmt: skip
    return yaml.safe_dump(document)


def synthesised(text, folder: Path):
    """The templates, without any feature flag."""
    folder.mkdir(exist_ok=True)
    path = folder / "configuration.yaml"
    path.write_text(text)
    app = cdk.App(builtin_cloud_formation_validation=False, outdir=str(folder / "out"), analytics_reporting=False)
    build(app, str(path))
    return templates(Path(app.synth().directory))


def sizes(hub):
    """Characters of the registry policy, and of the longest repository policy."""
    (registry,) = (resolved(p["PolicyText"]) for p in of_kind(hub, "AWS::ECR::RegistryPolicy"))
    repository = [resolved(t["RepositoryPolicy"]) for t in of_kind(hub, "AWS::ECR::RepositoryCreationTemplate")]
    return len(json.dumps(registry, separators=(",", ":"))), max(map(len, repository))


def lint(template, region="eu-west-1"):
    from cfnlint.api import ManualArgs
    from cfnlint.api import lint as findings

    return [str(match) for match in findings(json.dumps(template), config=ManualArgs(regions=[region]))]


# Measured, so that whoever makes a policy longer sees it.
SIZES = {5: (841, 363), 40: (1_996, 1_518), 200: (7_276, 6_798)}


@pytest.mark.parametrize("number", [5, 40])
def test_listed_accounts_fit_without_a_feature_flag(number, tmp_path):
    made = synthesised(organisation(number), tmp_path)
    hub = made["registry-hub"]
    (policy,) = of_kind(hub, "AWS::ECR::RegistryPolicy")
    assert len(policy["PolicyText"]["Statement"]) == 1
    registry, repository = sizes(hub)
    assert (registry, repository) <= (10_240, 10_240)
    assert lint(hub) == []
    assert lint(made[f"cluster-c{accounts(1)[0]}"]) == []


@pytest.mark.slow
def test_an_organisation_of_two_hundred_accounts_is_one_statement_of_one_size(tmp_path):
    made = synthesised(organisation(200, whole=True), tmp_path)
    hub = made["registry-hub"]
    assert sizes(hub) == sizes(synthesised(organisation(1, whole=True), tmp_path / "one")["registry-hub"])
    assert lint(hub) == []


@pytest.mark.parametrize(("number", "expected"), SIZES.items())
def test_the_length_of_the_policies_by_the_number_of_listed_accounts(number, expected):
    plan = parse(organisation(number)).registries["hub"]
    policies = (registry_policy(plan), statements.repository_pull(plan.environment, plan.pullers))
    assert tuple(statements.characters(statements.document(policy)) for policy in policies) == expected


@pytest.mark.parametrize(
    ("number", "settings"), [(300, {}), (200, {"registryPolicyScope": "V2"})], ids=["300", "200 under scope V2"]
)
def test_more_listed_accounts_than_a_policy_holds_are_one_error_that_names_the_way_out(number, settings):
    with pytest.raises(ConfigurationError) as error:
        parse(organisation(number, **settings), name="f.yaml")
    (line,) = str(error.value).splitlines()
    assert "registries.hub.pull: the registry policy would have " in line
    assert f"it names {number} principals: name their AWS organisation instead (organization: true under 'pull'" in line
