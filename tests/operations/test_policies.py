"""Policies by what they say: written in any way, and as an evaluator that others keep reads them."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecr_pull_through_cache.operations.policies import allows, canonical, same, statements_of
from tests.real.policies import Question, allowed

STATEMENT = {
    "Sid": "A", "Effect": "Allow", "Principal": {"AWS": ["arn:aws:iam::111122223333:root"]}, "Action": ["ecr:BatchGetImage"],
    "Condition": {"StringEquals": {"aws:PrincipalOrgID": ["o-a1b2c3d4e5"]}},
}  # fmt: skip
THE_SAME = {
    "another id": {**STATEMENT, "Sid": "B"},
    "an account's number": {**STATEMENT, "Principal": {"AWS": "111122223333"}},
    "one action without a list": {**STATEMENT, "Action": "ecr:BatchGetImage"},
    "a condition's value without a list": {
        **STATEMENT,
        "Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-a1b2c3d4e5"}},
    },
    "a condition's key in other letters": {
        **STATEMENT,
        "Condition": {"StringEquals": {"aws:principalorgid": "o-a1b2c3d4e5"}},
    },
}
NOT_THE_SAME = {
    "another effect": {**STATEMENT, "Effect": "Deny"},
    "another account": {**STATEMENT, "Principal": {"AWS": "222233334444"}},
    "an action more": {**STATEMENT, "Action": ["ecr:BatchGetImage", "ecr:PutImage"]},
    "no condition": {key: value for key, value in STATEMENT.items() if key != "Condition"},
    "everybody": {**STATEMENT, "Principal": "*"},
}


@pytest.mark.parametrize("other", THE_SAME.values(), ids=THE_SAME)
def test_the_same_in_other_words(other):
    assert canonical(other) == canonical(STATEMENT)
    assert same({"Statement": other}, {"Statement": [STATEMENT]})


@pytest.mark.parametrize("other", NOT_THE_SAME.values(), ids=NOT_THE_SAME)
def test_not_the_same(other):
    assert canonical(other) != canonical(STATEMENT)
    assert not same({"Statement": [STATEMENT, other]}, {"Statement": STATEMENT})


def test_everybody_is_written_in_two_ways():
    assert canonical({**STATEMENT, "Principal": "*"}) == canonical({**STATEMENT, "Principal": {"AWS": ["*"]}})


@given(st.permutations(["ecr:A", "ecr:B", "ecr:C"]), st.permutations(["1", "2", "3"]))
def test_order_says_nothing(actions, accounts):
    shuffled = {**STATEMENT, "Action": actions, "Principal": {"AWS": accounts}}
    assert canonical(shuffled) == canonical(
        {**shuffled, "Action": sorted(actions), "Principal": {"AWS": sorted(accounts)}}
    )


def test_a_single_statement_is_a_policy_too():
    assert statements_of({"Statement": STATEMENT}) == [STATEMENT]
    assert statements_of({}) == []


# What a policy allows, against the evaluator: every policy here with every request.

OWNER, PULLER = "111122223333", "222233334444"
REPOSITORIES = f"arn:aws:ecr:eu-west-1:{OWNER}:repository/"
POLICIES = [
    [{"Effect": "Allow", "Principal": {"AWS": principal}, "Action": action, "Resource": resource}]
    for principal, action, resource in product(
        (f"arn:aws:iam::{PULLER}:root", "*", f"arn:aws:iam::{OWNER}:root"),
        (["ecr:CreateRepository"], "ecr:*", ["ecr:Create*", "ecr:BatchImportUpstreamImage"]),
        (f"{REPOSITORIES}k8s/*", f"{REPOSITORIES}*", f"{REPOSITORIES}k8*/pause"),
    )
] + [
    [
        {"Effect": "Allow", "Principal": {"AWS": PULLER}, "Action": "ecr:CreateRepository", "Resource": f"{REPOSITORIES}quay/*"},
        {"Effect": "Allow", "Principal": "*", "Action": "ecr:CreateRepository", "Resource": f"{REPOSITORIES}k8s/*",
         "Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-somebodyelse"}}},
    ],
    [],
]  # fmt: skip
REQUESTS = [
    (action, f"{REPOSITORIES}{name}")
    for action in ("ecr:CreateRepository", "ecr:BatchImportUpstreamImage", "ecr:ReplicateImage")
    for name in ("k8s/pause", "k8sx/pause", "quay/a")
]


def test_what_a_policy_allows_is_what_an_evaluator_says():
    everything = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    pairs = list(product(POLICIES, REQUESTS))
    questions = [
        Question(
            principal=f"arn:aws:iam::{PULLER}:role/nodes", action=action, resource=arn, owner=OWNER, identity=(everything,),
            resource_policies=({"Statement": statements},) if statements else (),
        )
        for statements, (action, arn) in pairs
    ]  # fmt: skip
    ours = [
        allows({"Statement": statements}, {"Principal": {"AWS": PULLER}, "Action": action, "Resource": arn})
        for statements, (action, arn) in pairs
    ]
    answers = allowed(questions)
    assert len(answers) == 261
    assert {True, False} == set(answers)
    assert [pair for pair, one, other in zip(pairs, ours, answers, strict=True) if one != other] == []


def test_several_statements_may_allow_it_together():
    wanted = {
        "Principal": {"AWS": ["1", "2"]}, "Action": ["ecr:A", "ecr:B"],
        "Resource": [f"{REPOSITORIES}k8s/*", f"{REPOSITORIES}quay/*"],
    }  # fmt: skip
    parts = [
        {"Effect": "Allow", "Principal": {"AWS": account}, "Action": action, "Resource": f"{REPOSITORIES}*"}
        for account, action in product("12", ("ecr:A", "ecr:B"))
    ]
    assert allows({"Statement": parts}, wanted)
    assert not any(allows({"Statement": [*parts[:n], *parts[n + 1 :]]}, wanted) for n in range(4))
