"""The wheel, as somebody installs it who has only the wheel."""

import json
import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

from tests.support import ROOT


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", out, ROOT],
        check=True,
        capture_output=True,
    )
    (built,) = out.glob("*.whl")
    return built


@pytest.mark.slow
def test_it_holds_the_package_its_types_and_its_schema_and_nothing_else(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    assert "ecr_pull_through_cache/py.typed" in names
    assert "ecr_pull_through_cache/configuration/schema.json" in names
    assert "ecr_pull_through_cache/functions/warming.py" in names, "what runs in Lambda is staged from here"
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {
        "ecr_pull_through_cache",
        "ecr_pull_through_cache_stacks",
    }


@pytest.mark.slow
def test_it_serves_an_app_of_somebody_else(wheel, tmp_path):
    venv.create(tmp_path / "venv", with_pip=True)
    pip = [tmp_path / "venv/bin/pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "--require-hashes", "-r", ROOT / "requirements.txt"], check=True)
    subprocess.run([*pip, "--no-deps", wheel], check=True)
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV")}
    environment["PATH"] = f"{tmp_path}/venv/bin{os.pathsep}{environment['PATH']}"
    environment["JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION"] = "20"
    subprocess.run(
        [ROOT / "node_modules/.bin/cdk", "synth", "--quiet", "--output", tmp_path / "out"],
        cwd=ROOT / "examples/import_into_your_app", env=environment, check=True,
    )  # fmt: skip
    template = json.loads((tmp_path / "out/Platform.template.json").read_text())
    kinds = [resource["Type"] for resource in template["Resources"].values()]
    assert kinds.count("AWS::ECR::PullThroughCacheRule") == 2
    elsewhere = {"cwd": tmp_path, "env": environment, "check": True}
    program, cdk = tmp_path / "venv/bin/ecr-pull-through", ROOT / "node_modules/.bin/cdk"
    options = [
        "--account",
        "a=111122223333",
        "--region",
        "eu-west-1",
        "--upstream",
        "registry.k8s.io",
        "--cluster",
        "demo",
        "--role",
        "n",
    ]
    subprocess.run([program, "init", "cache.yaml", *options], **elsewhere)
    subprocess.run([program, "synth"], **elsewhere)
    listed = subprocess.run([cdk, "ls", "--app", "cdk.out"], **elsewhere, capture_output=True, text=True)
    assert listed.stdout.split() == [
        "registry-main",
        "(ecr-pull-through-registry-main)",
        "cluster-demo",
        "(ecr-pull-through-cluster-demo)",
    ]
    where = subprocess.run(
        [tmp_path / "venv/bin/python", "-c", "import constructs; print(constructs.__file__)"],
        cwd=ROOT, capture_output=True, text=True, check=True, env=environment,
    )  # fmt: skip
    assert "site-packages" in where.stdout
