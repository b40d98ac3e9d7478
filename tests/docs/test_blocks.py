"""Every code block and command of the documentation is run, or says why it is not.

The blocks of a page run one after the other in a folder of their own, so that a page reads like a session: a block
with `title="…"` is a file that is written there. `fixtures/` lies in that folder from the beginning.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.docs.blocks import ROOT, Block, blocks, pages

FIXTURES = Path(__file__).parent / "fixtures"
SHELL = {"sh", "bash", "console"}
DATA = {"yaml": yaml.safe_load_all, "json": json.loads}
NOT_CODE = {"", "text", "mermaid", "diff", "toml"}


def environment() -> dict[str, str]:
    path = os.pathsep.join([str(Path(sys.executable).parent), str(ROOT / "node_modules/.bin"), os.environ["PATH"]])
    return {**os.environ, "PATH": path, "AWS_EC2_METADATA_DISABLED": "true", "COLUMNS": "120"}


def run_block(block: Block, folder: Path) -> None:
    if block.title:
        target = folder / block.title
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(block.text)
    if block.language in SHELL:
        check([shutil.which("bash") or "bash", "-euo", "pipefail", "-c", block.text], folder, block)
    elif block.language == "python" and not (block.title and block.title != "app.py"):
        check([sys.executable, "-c", block.text], folder, block)
    elif block.language in DATA:
        list(DATA[block.language](block.text))
    elif block.language not in NOT_CODE and not block.title:
        pytest.fail(f"{block.name}: nobody here can run {block.language!r}")


def check(command: list[str], folder: Path, block: Block) -> None:
    done = subprocess.run(command, cwd=folder, env=environment(), capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, f"{block.name}\n{block.text}\n{done.stdout}\n{done.stderr}"


@pytest.mark.slow
@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_every_block_of_a_page_runs(page, tmp_path):
    if FIXTURES.is_dir():
        shutil.copytree(FIXTURES, tmp_path, dirs_exist_ok=True)
    shutil.copytree(ROOT / "environments", tmp_path / "environments")
    for block in blocks(page):
        if block.reason is None:
            run_block(block, tmp_path)


def test_every_block_has_a_language_and_a_reason_when_it_is_not_run():
    for page in pages():
        for block in blocks(page):
            assert block.language, f"{block.name}: write the language behind the fence"
            assert block.reason is None or len(block.reason) > 10, f"{block.name}: say why it is not run"


def test_no_page_links_to_a_file_that_is_not_there():
    import re

    for page in pages():
        for link in re.findall(r"\]\((?!https?:|mailto:|#)([^)#\s]+)", page.read_text()):
            assert (page.parent / link).exists(), f"{page.relative_to(ROOT)}: {link}"
