"""`synth`: the cloud assembly of a configuration, written by the package alone."""

import filecmp
import json
import os
import subprocess
import sys

import pytest

from tests.support import ROOT
from tests.support.assemblies import ENVIRONMENTS
from tests.support.command_line import cli

CDK = ROOT / "node_modules/.bin/cdk"
MINIMAL = ROOT / "environments/minimal.yaml"


def contents(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    out = tmp_path_factory.mktemp("synth") / "deep/cdk.out"
    return cli("synth", "--config", MINIMAL, "--output", out), out


def test_it_says_how_many_stacks_there_are_which_cli_deploys_them_and_how(written):
    done, out = written
    needed = json.loads((out / "manifest.json").read_text())["minimumCliVersion"]
    lines = done.stdout.splitlines()
    assert lines[0] == f"wrote 4 stacks to {out}"
    assert lines[1] == f"deploy it with the CDK CLI {needed} or newer:"
    assert lines[-2:] == [f"  npx aws-cdk@2 deploy --all --app {out}", f"  ecr-pull-through check --config {MINIMAL}"]
    bootstraps = lines[2:-2]
    assert bootstraps
    assert all(line.startswith("  npx aws-cdk@2 bootstrap aws://") for line in bootstraps)


def test_the_policies_of_clusters_are_files_beside_the_templates(written):
    _, out = written
    assert (out / "cluster-demo.ecr-pull-through-cache.yaml").exists()


@pytest.mark.slow
@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_every_file_is_the_one_that_the_cdk_cli_writes(environment, tmp_path):
    config = ROOT / f"environments/{environment}.yaml"
    cli("synth", "--config", config, "--output", tmp_path / "ours")
    subprocess.run(
        [CDK, "synth", "--quiet", "--output", tmp_path / "theirs", "--context", f"config={config}"],
        cwd=ROOT, check=True, capture_output=True,
    )  # fmt: skip
    ours, theirs = contents(tmp_path / "ours"), contents(tmp_path / "theirs")
    theirs = {name: text for name, text in theirs.items() if name in ours or name != "validation-report.json"}
    assert {name for name in ours.keys() | theirs.keys() if ours.get(name) != theirs.get(name)} <= {"cdk.lock"}


def test_an_older_assembly_of_ours_is_replaced_and_nothing_of_it_stays(tmp_path):
    out = tmp_path / "cdk.out"
    cli("synth", "--config", MINIMAL, "--output", out)
    first = contents(out)
    fewer = tmp_path / "fewer.yaml"
    fewer.write_text(MINIMAL.read_text().partition("\nclusters:")[0] + "\n")
    cli("synth", "--config", fewer, "--output", out)
    assert {name for name in contents(out) if name.startswith("cluster-")} == set()
    cli("synth", "--config", MINIMAL, "--output", out)
    assert contents(out) == first


FOREIGN = {
    "a file of somebody": {"notes.txt": "mine"},
    "a manifest that is no assembly": {"manifest.json": '{"name": "an app of the web"}'},
    "a manifest that is no JSON": {"manifest.json": "{"},
    "a manifest that is a list": {"manifest.json": "[]"},
    "an assembly without stacks": {"manifest.json": '{"version": "55.0.0", "artifacts": {}}'},
    "an assembly of another app": {
        "manifest.json": json.dumps(
            {"artifacts": {"Web": {"type": "aws:cloudformation:stack", "properties": {"templateFile": "Web.json"}}}}
        ),
        "Web.json": '{"Description": "a site"}',
    },
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_a_folder_that_is_not_ours_is_refused_and_left_as_it_was(kind, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    for name, text in FOREIGN[kind].items():
        (out / name).write_text(text)
    before = contents(out)
    done = cli("synth", "--config", MINIMAL, "--output", out, expect=2)
    assert done.stderr.startswith(f"error: {out}: it is ")
    assert "name another folder with --output" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert contents(out) == before


def test_an_output_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "out").write_text("mine")
    done = cli("synth", "--config", MINIMAL, "--output", tmp_path / "out", expect=2)
    assert done.stderr == f"error: {tmp_path}/out: this is not a folder; name another one with --output\n"
    assert (tmp_path / "out").read_text() == "mine"


def test_a_mistake_in_the_configuration_leaves_the_assembly_that_is_there(tmp_path):
    out = tmp_path / "out"
    cli("synth", "--config", MINIMAL, "--output", out)
    before = contents(out)
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(MINIMAL.read_text().replace("registries:", "registrys:"))
    assert "registrys" in cli("synth", "--config", wrong, "--output", out, expect=2).stderr
    assert contents(out) == before


def test_a_warning_of_a_stack_is_on_standard_error(tmp_path):
    done = cli("synth", "--config", ROOT / "environments/example.yaml", "--output", tmp_path / "out")
    assert "warning: cluster-prod-us: the cluster prod-us pulls from america" in done.stderr
    assert "warning:" not in done.stdout


def test_without_node_it_says_what_is_missing(tmp_path, monkeypatch):
    monkeypatch.setenv("JSII_NODE", "no-such-program")
    done = cli("synth", "--config", MINIMAL, "--output", tmp_path / "out", expect=2)
    assert done.stderr == "error: synth needs Node.js, which is not on the PATH; install Node.js 22 or newer\n"
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_a_foreign_cdk_json_can_name_the_package_as_its_app(tmp_path):
    (tmp_path / "cache.yaml").write_text(MINIMAL.read_text())
    python = os.path.realpath(sys.prefix) + "/bin/python"
    (tmp_path / "cdk.json").write_text(json.dumps({"app": f"{python} -m ecr_pull_through_cache_stacks"}))
    subprocess.run([CDK, "synth", "--quiet"], cwd=tmp_path, check=True, capture_output=True)
    cli("synth", "--config", "cache.yaml", "--output", "ours", cwd=tmp_path)
    match, mismatch, errors = filecmp.cmpfiles(
        tmp_path / "ours",
        tmp_path / "cdk.out",
        [p.name for p in (tmp_path / "ours").glob("*.template.json")],
        shallow=False,
    )
    assert len(match) == 4
    assert (mismatch, errors) == ([], [])
