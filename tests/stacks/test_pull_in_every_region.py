"""A registry's ``pull`` holds for the registries that it replicates to, asked of a policy evaluator."""

import json

import pytest

from ecr_pull_through_cache.configuration import ConfigurationError, parse
from ecr_pull_through_cache.configuration.expectation import expected_registry
from tests.real.policies import Question, allowed
from tests.support import ROOT
from tests.support.assemblies import of_kind, resolved, synthesise, templates

OWNER, NAMED, OTHER = "111122223333", "222233334444", "999988887777"
REGIONS = {"main": "us-east-1", "west": "us-west-2", "europe": "eu-west-1"}
PULL, IMPORT = "ecr:BatchGetImage", "ecr:BatchImportUpstreamImage"
MINIMAL = (ROOT / "environments" / "minimal.yaml").read_text()


@pytest.fixture(scope="module")
def stacks(tmp_path_factory):
    file = tmp_path_factory.mktemp("pull") / "pull.yaml"
    file.write_text(MINIMAL.replace("    replicateTo:", f'    pull: {{ accounts: ["{NAMED}"] }}\n    replicateTo:'))
    return templates(synthesise(file))


def question(stacks, registry, account, action):
    resource = f"arn:aws:ecr:{REGIONS[registry]}:{OWNER}:repository/k8s/busybox"
    stack = stacks[f"registry-{registry}"]
    created = [t.get("RepositoryPolicy") for t in of_kind(stack, "AWS::ECR::RepositoryCreationTemplate")]
    everything = {"Effect": "Allow", "Action": [PULL, IMPORT], "Resource": "*"}
    return Question(
        principal=f"arn:aws:iam::{account}:role/nodes",
        action=action,
        resource=resource,
        owner=OWNER,
        identity=({"Version": "2012-10-17", "Statement": [everything]},),
        resource_policies=(
            *(resolved(p["PolicyText"]) for p in of_kind(stack, "AWS::ECR::RegistryPolicy")),
            *(json.loads(resolved(policy)) for policy in created if policy is not None),
        ),
    )


@pytest.mark.parametrize(
    ("account", "action", "expected"),
    [(NAMED, PULL, REGIONS), (NAMED, IMPORT, {"main"}), (OTHER, PULL, ()), (OTHER, IMPORT, ())],
    ids=["named: pull", "named: import", "not named: pull", "not named: import"],
)
def test_who_is_allowed_in_which_region(stacks, account, action, expected):
    asked = [question(stacks, registry, account, action) for registry in REGIONS]
    assert dict(zip(REGIONS, allowed(asked), strict=True)) == {name: name in expected for name in REGIONS}


def test_check_and_backfill_expect_the_policy_in_every_region():
    text = MINIMAL.replace("    replicateTo:", f'    pull: {{ accounts: ["{NAMED}"] }}\n    replicateTo:')
    for name, plan in parse(text).registries.items():
        (template,) = expected_registry(plan).templates.values()
        assert NAMED in json.dumps(template.settings.repository_policy), name


def test_a_registry_may_say_otherwise():
    text = MINIMAL.replace("    replicateTo:", f'    pull: {{ accounts: ["{NAMED}"] }}\n    replicateTo:')
    text = text.replace("    region: us-west-2", "    region: us-west-2\n    pull: {}")
    found = parse(text).registries
    assert {name: plan.pullers.accounts for name, plan in found.items()} == {
        "main": (NAMED,), "west": (), "europe": (NAMED,),
    }  # fmt: skip
    assert {name: plan.pull_inherited_from for name, plan in found.items()} == {
        "main": (), "west": (), "europe": ("main",),
    }  # fmt: skip


def test_the_organisation_is_inherited_too():
    found = parse("organization: o-exampleorg1\n" + MINIMAL.replace("    replicateTo:", "    pull: { organization: true }\n    replicateTo:"))  # fmt: skip
    assert {plan.pullers.organization for plan in found.registries.values()} == {"o-exampleorg1"}
    assert {name: plan.importers.organization for name, plan in found.registries.items()} == {
        "main": "o-exampleorg1", "west": None, "europe": None,
    }  # fmt: skip


def test_a_source_that_lets_nobody_in_is_followed_before_the_defaults():
    text = MINIMAL.replace("    replicateTo:", "    pull: {}\n    replicateTo:")
    found = parse(text + f'\ndefaults: {{ pull: {{ accounts: ["{NAMED}"] }} }}\n').registries
    assert {plan.pullers.accounts for plan in found.values()} == {()}


def test_defaults_hold_for_every_registry_that_says_nothing():
    found = parse(MINIMAL + f'\ndefaults: {{ pull: {{ accounts: ["{NAMED}"] }} }}\n').registries
    assert {plan.pullers.accounts for plan in found.values()} == {(NAMED,)}


def test_mistakes_in_defaults_are_named_at_their_place():
    with pytest.raises(ConfigurationError) as error:
        parse(MINIMAL + "\ndefaults: { pull: { accounts: [nobody], organization: true } }\n")
    assert "defaults.pull.accounts[0]: 'nobody' is not an account" in str(error.value)
    assert "defaults.pull.organization: the organization is let in, but not named" in str(error.value)


def test_accounts_of_clusters_stay_listed_where_an_organisation_is_inherited():
    text = "organization: o-exampleorg1\n" + MINIMAL.replace("    replicateTo:", "    pull: { organization: true }\n    replicateTo:")  # fmt: skip
    text += f'  far: {{ account: "{OTHER}", region: us-west-2, registry: west }}\n'
    west = parse(text).registries["west"]
    assert (west.pullers.accounts, west.pullers.organization, west.members) == ((OTHER,), "o-exampleorg1", ())
