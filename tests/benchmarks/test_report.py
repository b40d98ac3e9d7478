"""What benchmarks find is shown as it is: missed bars and what was left out included."""

import importlib
import re
from pathlib import Path

import pytest

from benchmarks.__main__ import SECTIONS, about, versions
from benchmarks.report import Row, left_out, page, table
from benchmarks.synth import configuration
from ecr_pull_through_cache.configuration import parse

MET = Row(what="a|b", ours=[2.2, 1.1], against="by hand", theirs=[2.0, 1.0], bar="≤ 1.15 x", note="by turns")
MISSED = Row(what="start", ours=[0.5], against="nothing", theirs=[0.1, 0.3], bar="≤ 0.4 s")
LEFT_OUT = left_out("copy", "skopeo is not there", against="skopeo", bar="≤ 0.05 x")


def test_a_table_gives_median_spread_ratio_and_whether_the_bar_is_met():
    assert table([MET, MISSED, LEFT_OUT]).splitlines()[2:] == [
        "| a\\|b | **1.65 s** (1.10 to 2.20) | by hand | **1.50 s** (1.00 to 2.00) | 1.10 x | ≤ 1.15 x met | by turns |",
        "| start | **0.500 s** | nothing | **0.200 s** (0.100 to 0.300) | 2.50 x | ≤ 0.4 s **missed** | |",
        "| copy | - | skopeo | - | - | ≤ 0.05 x | left out: skopeo is not there |",
    ]


def test_rounds_by_turns_are_compared_one_by_one_and_others_by_their_medians():
    assert Row(what="", ours=[1, 30], against="", theirs=[1, 10]).ratio == 2  # (1 + 3) / 2
    assert Row(what="", ours=[1, 30], against="", theirs=[10]).ratio == 1.55  # 15.5 / 10


@pytest.mark.parametrize(
    ("bar", "met"),
    [
        ("≤ 2 x", True),
        ("≤ 1.9 x", False),
        ("≥ 2 x", True),
        ("≥ 2.1 x", False),
        ("≤ 4 MB", True),
        ("≤ 3.9 MB", False),
        ("", None),
    ],
)
def test_a_bar_is_about_the_ratio_or_about_our_own_numbers(bar, met):
    assert Row(what="", ours=[4], against="", theirs=[2], unit="MB", bar=bar).met is met


def test_without_numbers_no_bar_is_met_or_missed():
    assert LEFT_OUT.met is None
    assert Row(what="", ours=[4], against="", theirs=[], bar="≤ 2 x").met is None


def test_the_page_names_the_machine_and_the_versions_and_nothing_of_the_place_it_was_run_in():
    text = page({"Synthesis": ("By turns.", [MET]), "Warming a cache": ("", [LEFT_OUT])}, versions(), 0.5)
    assert re.findall("^#+ (.*)$", text, re.MULTILINE) == [
        "Benchmarks",
        "Synthesis",
        "Warming a cache",
        "Machine and versions",
    ]
    for fact in ("Processor", "Cores", "Python", "Node.js", "aws-cdk-lib"):
        assert re.search(rf"^\| {re.escape(fact)} \| .+ \|$", text, re.MULTILINE)
    assert str(Path.home()) not in text
    assert str(Path(__file__).parents[2]) not in text


@pytest.mark.parametrize("name", SECTIONS)
def test_every_benchmark_gives_rows_and_says_what_it_compares(name):
    assert callable(importlib.import_module(f"benchmarks.{name}").rows)
    assert about(name)


def test_no_benchmark_is_forgotten():
    modules = {path.stem for path in Path(__file__).parents[2].glob("benchmarks/*.py")}
    assert modules - {"__main__", "baseline", "report"} == set(SECTIONS)


def test_the_generated_configuration_has_as_many_environments_as_are_asked_for():
    parsed = parse(configuration(3))
    places = {plan.environment for plan in (*parsed.registries.values(), *parsed.clusters.values())}
    assert len(places) == 6, "each registry and each cluster is in an account and Region of its own"
