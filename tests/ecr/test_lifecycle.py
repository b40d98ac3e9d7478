"""Lifecycle policies: the package accepts what Amazon ECR accepts, and refuses what it refuses."""

import itertools
import json
import subprocess
import sys

import aws_cdk as cdk
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecr_pull_through_cache import (
    CountType,
    LifecycleAction,
    LifecyclePolicy,
    LifecycleRule,
    StorageClass,
    TagSelection,
    UserError,
)
from ecr_pull_through_cache.configuration import parse
from ecr_pull_through_cache.configuration.drafting import Draft, PlaceDraft, UpstreamDraft, write
from tests.support.assemblies import ENVIRONMENTS, ROOT, assembly, templates
from tests.support.lifecycle_oracle import refusals

PUSHED, PULLED, COUNT, MOVED = "sinceImagePushed", "sinceImagePulled", "imageCountMoreThan", "sinceImageTransitioned"


def rule(priority, count_type, number, *, tags="any", action="expire", storage=None):
    """A rule in the words of the service; ``tags`` is a tag status or the list of patterns of tagged images."""
    selection = {"tagStatus": tags} if isinstance(tags, str) else {"tagStatus": "tagged", "tagPatternList": tags}
    selection |= {"storageClass": storage} if storage else {}
    selection |= {"countType": count_type, "countNumber": number}
    selection |= {} if count_type == COUNT else {"countUnit": "days"}
    target = {"targetStorageClass": "archive"} if action == "transition" else {}
    return {"rulePriority": priority, "selection": selection, "action": {"type": action, **target}}


def text(*rules):
    return json.dumps({"rules": rules})


def read(*rules):
    return LifecyclePolicy([LifecycleRule.from_json(given) for given in rules])


# Every policy of https://docs.aws.amazon.com/AmazonECR/latest/userguide/lifecycle_policy_examples.html, by its heading.
EXAMPLES_OF_AWS = {
    "Filtering on image age": [rule(1, PUSHED, 14, tags=["prod*"])],
    "Filtering on last pulled time": [rule(1, PULLED, 90, action="transition")],
    "Filtering on archive transition time": [rule(1, MOVED, 365, storage="archive")],
    "Filtering on image count": [rule(1, COUNT, 1, tags="untagged")],
    "Filtering on multiple rules, A": [rule(1, COUNT, 1, tags=["prod*"]), rule(2, COUNT, 1, tags=["beta*"])],
    "Filtering on multiple rules, B": [rule(1, COUNT, 1, tags=["beta*"]), rule(2, COUNT, 1, tags=["prod*"])],
    "Filtering on multiple tags in a single rule, A": [rule(1, PUSHED, 5, tags=["alpha*", "beta*"])],
    "Filtering on multiple tags in a single rule, B": [rule(1, COUNT, 1, tags=["alpha*", "beta*"])],
    "Filtering on all images, A": [rule(1, COUNT, 1)],
    "Filtering on all images, B": [
        rule(1, COUNT, 1, tags=["alpha*"]),
        rule(2, PUSHED, 1, tags="untagged"),
        rule(3, COUNT, 1),
    ],
    "Archiving images older than a specified number of days": [
        rule(1, PUSHED, 30, tags=["prod*"], action="transition")
    ],
    "Archiving images not pulled in a specified number of days": [rule(1, PULLED, 90, action="transition")],
    "Combining archive and expire rules": [
        rule(1, PUSHED, 30, action="transition"),
        rule(2, MOVED, 365, storage="archive"),
    ],
}


@pytest.mark.parametrize("rules", EXAMPLES_OF_AWS.values(), ids=EXAMPLES_OF_AWS)
def test_every_example_of_the_user_guide_is_accepted_and_kept(rules):
    assert refusals(text(*rules)) == []
    assert json.loads(read(*rules).to_text()) == {"rules": rules}


EVERY_COMBINATION = list(
    itertools.product(CountType, [None, *StorageClass], LifecycleAction, [1, 89, 90], TagSelection)
)


@pytest.mark.parametrize("count_type", CountType)
def test_every_combination_of_selection_and_action_is_judged_as_ecr_judges_it(count_type):
    accepted = 0
    for kind, storage, action, number, tags in EVERY_COMBINATION:
        if kind is not count_type:
            continue
        given = rule(
            1, kind.value, number, tags=["v*"] if tags is TagSelection.TAGGED else tags.value, action=action.value,
            storage=storage.value if storage else None,
        )  # fmt: skip
        expected = not refusals(text(given))
        try:
            read(given)
        except UserError:
            assert not expected, given
        else:
            assert expected, given
            accepted += 1
    assert accepted == {PUSHED: 36, COUNT: 36, PULLED: 18, MOVED: 3}[count_type.value]


def patterns():
    return st.sampled_from([["v*"], ["w*", "v*"], ["v*", "w*"], ["v*", "v*"], ["*a*b*c*"], ["*a*b*c*d*"], [""], []])


@st.composite
def policies(draw):
    """Rules as people write them: mostly legal alone, often not together."""
    written = []
    for _ in range(draw(st.integers(0, 4))):
        kind = draw(st.sampled_from([PUSHED, COUNT, PULLED, MOVED]))
        tags = draw(st.sampled_from(["any", "untagged"]) | patterns())
        made = rule(
            draw(st.integers(0, 6)), kind, draw(st.sampled_from([0, 1, 89, 90, 400])), tags=tags,
            action="transition" if kind == PULLED else draw(st.sampled_from(["expire", "expire", "transition"])),
            storage="archive" if kind == MOVED else draw(st.sampled_from([None, None, "standard", "archive"])),
        )  # fmt: skip
        if isinstance(tags, list) and draw(st.booleans()):
            made["selection"]["tagPrefixList"] = made["selection"].pop("tagPatternList")
        written.append(made)
    return written


@settings(max_examples=600)
@given(policies())
def test_whole_policies_are_judged_as_ecr_judges_them(rules):
    try:
        accepted = read(*rules)
    except UserError:
        assert refusals(text(*rules)), rules
    else:
        assert refusals(text(*rules)) == []
        assert refusals(accepted.to_text()) == []


REFUSED = {
    "expiring by the last pull": (
        [rule(1, PULLED, 45)],
        "lifecycle rule 1: ECR cannot expire images by their last pull: sinceImagePulled goes with the action 'transition' only, "
        "and archived images cannot be pulled; let images expire by their age since the push instead",
    ),
    "archived images by their push": (
        [rule(1, PUSHED, 9, storage="archive")],
        "lifecycle rule 1: the count type sinceImagePushed selects images of the storage class 'archive'; allowed is 'standard'",
    ),
    "standard images by their transition": (
        [rule(1, MOVED, 90)],
        "lifecycle rule 1: the count type sinceImageTransitioned selects images of the storage class 'standard'; allowed is 'archive'",
    ),
    "archiving what is archived": (
        [rule(1, MOVED, 90, storage="archive", action="transition")],
        "lifecycle rule 1: the count type sinceImageTransitioned is given with the action 'transition'; allowed is 'expire'",
    ),
    "89 days in the archive": (
        [rule(1, MOVED, 89, storage="archive")],
        "lifecycle rule 1: the count of sinceImageTransitioned is 89; it must be at least 90",
    ),
    "untagged twice": (
        [rule(1, PUSHED, 3, tags="untagged"), rule(2, COUNT, 9, tags="untagged")],
        "the lifecycle rules 1 and 2 both select untagged images of the storage class 'standard'; ECR takes one such rule for each "
        "storage class, so make them one",
    ),
    "any twice, once with the default written out": (
        [rule(1, PULLED, 9, action="transition"), rule(2, PUSHED, 9, storage="standard")],
        "the lifecycle rules 1 and 2 both select any images of the storage class 'standard'; ECR takes one such rule for each "
        "storage class, so make them one",
    ),
    "the same patterns in another order": (
        [rule(1, PUSHED, 3, tags=["a*", "b*"]), rule(7, COUNT, 9, tags=["b*", "a*"])],
        "the lifecycle rules 1 and 7 both select images by the tag pattern a*, b* of the storage class 'standard'; ECR takes one such "
        "rule for each storage class, so make them one",
    ),
    "any before others": (
        [rule(1, COUNT, 5), rule(2, PUSHED, 5, tags="untagged")],
        "a lifecycle rule that selects any image must have the highest priority number",
    ),
    "a priority twice": (
        [rule(1, COUNT, 5, tags="untagged"), rule(1, COUNT, 5)],
        "lifecycle rules have the priorities [1, 1]; each must be given once",
    ),
    "no unit of days": (
        [{**rule(1, PUSHED, 5), "selection": {"tagStatus": "any", "countType": PUSHED, "countNumber": 5}}],
        "lifecycle rule 1: selection.countUnit is missing; it must be 'days' there",
    ),
    "no target of a transition": (
        [{**rule(1, PUSHED, 5), "action": {"type": "transition"}}],
        "lifecycle rule 1: action.targetStorageClass is missing; it must be 'archive' there",
    ),
    "a unit of a number of images": (
        [{**rule(1, COUNT, 5), "selection": {**rule(1, COUNT, 5)["selection"], "countUnit": "days"}}],
        "lifecycle rule 1: selection.countUnit 'days' is not allowed there",
    ),
    "a key of nothing": ([{**rule(1, COUNT, 5), "priority": 2}], "lifecycle rule 1: priority 2 is not allowed there"),
    "a pattern that is no list": (
        [rule(1, COUNT, 5) | {"selection": {"tagStatus": "tagged", "tagPatternList": "v*", "countType": COUNT, "countNumber": 1}}],
        "a lifecycle rule has the tagPatternList 'v*'; it must be a list of texts",
    ),
    "a list of numbers": (
        [rule(1, COUNT, 5) | {"selection": {"tagStatus": "tagged", "tagPrefixList": [1], "countType": COUNT, "countNumber": 1}}],
        "a lifecycle rule has the tagPrefixList [1]; it must be a list of texts",
    ),
    "51 rules": (
        [rule(n, COUNT, 5, tags=[f"v{n}*"]) for n in range(1, 52)],
        "a lifecycle policy has 1 to 50 rules, this one has 51",
    ),
    "a text that is too long": (
        [rule(n, COUNT, 5, tags=[f"{'v' * 620}{n}*"]) for n in range(1, 51)],
        "the lifecycle policy has 38793 characters; at most 30720 are allowed",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("rules", "message"), REFUSED.values(), ids=REFUSED)
def test_a_policy_that_ecr_refuses_is_refused_with_the_way_out(rules, message):
    assert refusals(text(*rules)) or "tagPatternList" in message
    with pytest.raises(UserError) as error:
        read(*rules)
    assert str(error.value).startswith(message)


def test_the_short_form_counts_from_the_import():
    (made,) = json.loads(LifecyclePolicy.expire_after(days=90).to_text())["rules"]
    assert made == rule(1, PUSHED, 90) | {"description": "Expire images 90 days after they were imported"}


@pytest.mark.parametrize("value", [90, None, "x"])
def test_the_configuration_names_the_way_out_of_expiring_by_the_last_pull(value):
    written = f"""
registries:
  main:
    account: "111122223333"
    region: eu-west-1
    template: {{ lifecyclePolicy: {{ expireUnpulledAfterDays: {value} }} }}
    upstreams: {{ k8s: registry.k8s.io }}
"""
    with pytest.raises(UserError) as error:
        parse(written)
    assert str(error.value).endswith(
        "lifecyclePolicy: expireUnpulledAfterDays is not possible: ECR cannot expire images by their last pull: sinceImagePulled "
        "goes with the action 'transition' only, and archived images cannot be pulled; let images expire by their age since the "
        "push instead (expireAfterDays)"
    )


def lifecycle_texts(made):
    """Every lifecycle text in the templates of an assembly, by where it stands."""
    for stack, template in made.items():
        for logical_id, resource in template["Resources"].items():
            if resource["Type"] == "AWS::ECR::RepositoryCreationTemplate":
                yield f"{stack}/{logical_id}", resource["Properties"].get("LifecyclePolicy")
            if resource["Type"] == "AWS::ECR::Repository":
                policy = resource["Properties"].get("LifecyclePolicy", {}).get("LifecyclePolicyText")
                yield f"{stack}/{logical_id}", policy


def assert_ecr_accepts_all(made) -> int:
    texts = {where: policy for where, policy in lifecycle_texts(made) if policy is not None}
    assert {where: refusals(policy) for where, policy in texts.items()} == {key: [] for key in texts}
    return len(texts)


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_ecr_accepts_every_lifecycle_policy_of_every_environment(environment):
    assert assert_ecr_accepts_all(templates(assembly(environment))) > 0 or environment == "minimal"


EXAMPLES = sorted(path.parent.name for path in (ROOT / "examples").glob("*/app.py"))
NO_LIFECYCLE = {"ecs", "gitops", "import_into_your_app", "private_subnets", "self_hosted", "hub_and_spokes"}
NO_LIFECYCLE |= {"codebuild", "github_actions"}


@pytest.mark.slow
@pytest.mark.parametrize("example", EXAMPLES)
def test_ecr_accepts_every_lifecycle_policy_of_every_example(example, tmp_path, monkeypatch):
    monkeypatch.setenv("CDK_OUTDIR", str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    subprocess.run([sys.executable, "app.py"], cwd=ROOT / "examples" / example, check=True, capture_output=True)
    made = {str(file.relative_to(tmp_path)): json.loads(file.read_text()) for file in tmp_path.rglob("*.template.json")}
    assert made
    assert assert_ecr_accepts_all(made) > 0 or example in NO_LIFECYCLE


def test_the_configuration_that_init_writes_expires_by_age():
    here = PlaceDraft(account="platform", region="eu-west-1")
    draft = Draft(
        accounts={"platform": "111122223333"}, registry=here, upstreams=(UpstreamDraft.of("registry.k8s.io"),),
        replicas=(PlaceDraft(account="platform", region="us-east-1"),),
    )  # fmt: skip
    registries = parse(write(draft, path="cache.yaml")).registries
    (plan,) = registries["main"].pulled_through.values()
    written = plan.template.lifecycle_policy.policy().to_text()
    assert refusals(written) == []
    assert PUSHED in written
    (replica,) = registries["us-east-1"].replicated.values()
    assert replica.template.lifecycle_policy is None, "no pull brings an expired replica back"


@given(
    st.builds(
        dict,
        priority=st.integers(1, 999),
        count_type=st.sampled_from(CountType),
        count=st.integers(1, 9999),
        tags=st.sampled_from(TagSelection),
        tag_patterns=st.sampled_from([(), ("v*",), ("a", "b*c")]),
        storage_class=st.sampled_from([None, *StorageClass]),
        action=st.sampled_from(LifecycleAction),
    )
)
def test_every_rule_is_read_back_from_its_json(parts):
    try:
        rule = LifecycleRule(**parts)
    except UserError:
        return
    assert LifecycleRule.from_json(json.loads(json.dumps(rule.to_json()))) == rule


NONSENSE = st.recursive(
    st.none() | st.integers() | st.text(max_size=5), lambda s: st.lists(s) | st.dictionaries(st.text(max_size=9), s)
)
KEYS = ["tagStatus", "tagPatternList", "tagPrefixList", "storageClass", "countType", "countUnit", "countNumber"]


@given(NONSENSE)
def test_a_nonsense_selection_is_refused_and_never_breaks(nonsense):
    with pytest.raises(UserError):
        LifecycleRule.from_json({"rulePriority": 1, "selection": nonsense, "action": {"type": "expire"}})


@given(st.sampled_from(KEYS), NONSENSE)
def test_a_nonsense_value_is_refused_or_accepted_and_never_breaks(key, nonsense):
    selection = {**rule(1, PUSHED, 5, tags=["v*"])["selection"], key: nonsense}
    given = {"rulePriority": 1, "selection": selection, "action": {"type": "expire"}}
    try:
        made = LifecycleRule.from_json(given)
    except UserError:
        return
    assert refusals(text(made.to_json())) == []


class TestAgesAsPeriods:
    def test_a_duration_of_whole_days_is_their_number(self):
        for period in (cdk.Duration.days(9), cdk.Duration.hours(216)):
            assert LifecyclePolicy.expire_after(days=period).to_text() == LifecyclePolicy.expire_after(days=9).to_text()

    def test_a_duration_of_parts_of_days_is_refused(self):
        with pytest.raises(UserError, match="a lifecycle rule counts days, and 36 hours are no whole days"):
            LifecyclePolicy.expire_after(days=cdk.Duration.hours(36))
