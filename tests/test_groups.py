"""Tests that share something dear run in one process, as their group says."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = """
import pytest

@pytest.mark.xdist_group("shared")
@pytest.mark.parametrize("n", range(6))
def test_shared(n):
    pass
"""


@pytest.mark.slow
def test_a_group_is_not_split_between_processes(tmp_path):
    shutil.copy(Path(__file__).with_name("conftest.py"), tmp_path)
    (tmp_path / "test_shared.py").write_text(TESTS)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-v", "-n", "2", "--dist", "loadgroup", "-p", "no:cacheprovider", tmp_path],
        cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    workers = re.findall(r"\[(gw\d)\].* PASSED ", done.stdout)
    assert len(workers) == 6
    assert len(set(workers)) == 1
