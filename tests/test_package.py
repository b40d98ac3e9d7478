"""The package as importers see it."""

import subprocess
import sys
from pathlib import Path

import ecr_pull_through_cache
from tests.support import ROOT


def run_python(code: str, cwd: Path = ROOT) -> str:
    return subprocess.run([sys.executable, "-c", code], cwd=cwd, check=True, capture_output=True, text=True).stdout


def test_the_public_names_are_sorted_and_all_of_them_load():
    names = ecr_pull_through_cache.__all__
    assert names == sorted(names)
    for name in names:
        assert getattr(ecr_pull_through_cache, name) is not None


def test_a_star_import_brings_every_public_name_and_nothing_else():
    code = "before = set(globals()); from ecr_pull_through_cache import *; print(sorted(set(globals()) - before - {'before'}))"
    assert run_python(code).strip() == str(sorted(ecr_pull_through_cache.__all__))


def test_the_folder_constructs_does_not_shadow_the_library_constructs():
    assert "site-packages" in run_python("import constructs; print(constructs.__file__)")


def test_images_and_operations_need_neither_the_cdk_nor_pydantic():
    code = (
        "import sys, ecr_pull_through_cache, ecr_pull_through_cache.images\n"
        "print([m for m in ('aws_cdk', 'jsii', 'pydantic', 'boto3', 'yaml') if m in sys.modules])"
    )
    assert run_python(code).strip() == "[]"
