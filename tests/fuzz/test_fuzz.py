"""A short run of the fuzzing: `make fuzz` is the long one."""

import random

import pytest

from tests.fuzz import Tally, run
from tests.fuzz.configurations import configuration
from tests.fuzz.manifests import manifest
from tests.fuzz.references import reference
from tests.fuzz.registries import hostile

SHORT = {"references": (reference, 3_000), "manifests": (manifest, 400), "configurations": (configuration, 60)}


@pytest.mark.parametrize("name", SHORT)
def test_nothing_is_a_traceback_or_wrong(name):
    target, count = SHORT[name]
    tally = run(name, target, count=count, seed=1)
    assert tally.tried == count
    assert tally.findings == []


def test_no_hostile_registry_ends_a_run():
    tally = hostile(1, 100)
    assert tally.tried == 100
    assert tally.findings == []
    assert len(tally.outcomes) > 2


def test_the_same_seed_gives_the_same_inputs():
    def draw(chance: random.Random, tally: Tally) -> None:
        tally.outcomes[str(chance.random())] += 1

    runs = [run("x", draw, count=10, seed=seed).outcomes for seed in (1, 1, 2)]
    assert runs[0] == runs[1] != runs[2]


def test_what_is_wrong_is_found():
    def broken(chance: random.Random, tally: Tally) -> None:
        if chance.random() < 0.5:
            raise KeyError("x")
        tally.wrong("odd", "because", "input")

    tally = run("x", broken, count=100, seed=1)
    assert tally.found["traceback"] + tally.found["odd"] == 100
    assert tally.found["traceback"] > 20
    assert len(tally.findings) == 40
