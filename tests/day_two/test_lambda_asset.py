"""The code of the functions: which files it holds, with which modes, and who loads it."""

import subprocess
import sys

from ecr_pull_through_cache.day_two._lambda_asset import PARTS, stage
from tests.support import ROOT


class TestAsset:
    def test_it_holds_what_runs_in_lambda_and_nothing_else(self, tmp_path):
        stage(tmp_path)
        files = sorted(
            str(p.relative_to(tmp_path / "ecr_pull_through_cache")) for p in tmp_path.rglob("*") if p.is_file()
        )
        assert {name.split("/")[0] for name in files} == set(PARTS)
        assert all(name.endswith(".py") for name in files)
        assert {"functions/warming.py", "operations/warming.py", "images/mapping.py"} < set(files)

    def test_it_is_the_same_whatever_the_umask(self, tmp_path):
        code = "import os, sys, pathlib; os.umask(0o077); from ecr_pull_through_cache.day_two._lambda_asset import stage; stage(pathlib.Path(sys.argv[1]))"
        subprocess.run([sys.executable, "-c", code, tmp_path], check=True)
        below = list(tmp_path.rglob("*"))
        assert {oct(p.stat().st_mode & 0o777) for p in below if p.is_file()} == {"0o644"}
        assert {oct(p.stat().st_mode & 0o777) for p in below if p.is_dir()} == {"0o755"}

    def test_who_makes_no_function_does_not_load_what_functions_need(self):
        code = (
            "import sys, aws_cdk as cdk; from app import build\n"
            "build(cdk.App(builtin_cloud_formation_validation=False), 'environments/minimal.yaml')\n"
            "print([m for m in ('aws_lambda', 'aws_s3', 'aws_stepfunctions', 'aws_scheduler') if f'aws_cdk.{m}' in sys.modules])"
        )
        done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=ROOT)
        assert done.stdout.strip() == "[]"
