"""Feature flags of the CDK: those that change templates are set by the stacks, so that no app changes one."""

import json
import tarfile
from pathlib import Path

import aws_cdk as cdk
import pytest

from app import build
from ecr_pull_through_cache_stacks import flags
from tests.support import ROOT
from tests.support.assemblies import ENVIRONMENTS, templates

SET = dict(flags._FLAGS)


def recommended():
    """Every flag that aws-cdk-lib recommends to a new app, in the version that is installed."""
    (bundle,) = (Path(cdk.__file__).parent / "_jsii").glob("aws-cdk-lib@*.jsii.tgz")
    with tarfile.open(bundle) as archive:
        for member in archive:
            if member.name == "package/recommended-feature-flags.json":
                return json.load(archive.extractfile(member))
    raise AssertionError("aws-cdk-lib lists its flags elsewhere now")


def made(environment, context, folder):
    app = cdk.App(builtin_cloud_formation_validation=False, context=context, outdir=str(folder))
    build(app, ROOT / f"environments/{environment}.yaml")
    return templates(Path(app.synth().directory))


def test_the_flags_are_read_from_the_library():
    assert len(recommended()) > 50
    assert set(SET) <= recommended().keys()


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_templates_are_the_same_with_the_flags_of_a_new_app_and_without_any(environment, tmp_path):
    assert made(environment, {}, tmp_path / "none") == made(environment, recommended(), tmp_path / "all")


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_an_app_cannot_take_a_flag_back(environment, tmp_path):
    assert made(environment, {flag: not value for flag, value in SET.items()}, tmp_path / "off") == made(
        environment, {}, tmp_path / "none"
    )


@pytest.mark.parametrize("flag", SET)
def test_each_flag_would_change_templates_if_the_stacks_did_not_set_it(flag, tmp_path, monkeypatch):
    there = made("example", {}, tmp_path / "a")
    monkeypatch.delitem(flags._FLAGS, flag)
    assert made("example", {flag: not SET[flag]}, tmp_path / "b") != there
