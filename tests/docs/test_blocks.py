"""Every code block and command of the documentation is run, or says why it is not.

The blocks of a page run one after the other in a folder of their own, so that a page reads like a session: a block
with `title="…"` is a file that is written there. `environments/`, and what is in `fixtures/`, lie in that folder from the
beginning. A part of a configuration is laid over `environments/minimal.yaml`, and must be valid there.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.docs.blocks import DATA, NOT_CODE, SHELL, Block, blocks, count, pages
from tests.support import ROOT

FIXTURES = Path(__file__).parent / "fixtures"
# What no machine can do without an account, a cluster or other people's services; and the verbs that run these tests.
REASONS = (
    "needs an AWS account",
    "needs AWS accounts",
    "needs a cluster",
    "needs GitHub",
    "these are the verbs that run this test",
)


def environment() -> dict[str, str]:
    path = os.pathsep.join([str(Path(sys.executable).parent), str(ROOT / "node_modules/.bin"), os.environ["PATH"]])
    return {**os.environ, "PATH": path, "AWS_EC2_METADATA_DISABLED": "true", "COLUMNS": "120"}


def run_block(block: Block, folder: Path) -> None:
    if block.title:
        target = folder / block.title
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(block.text)
    if block.language in SHELL:
        run_shell(block, folder)
    elif block.language == "python":
        run_python(block)
    elif block.language in DATA:
        read_data(block)
    elif not block.title:
        pytest.fail(f"{block.name}: nobody here can run {block.language!r}")


def run_shell(block: Block, folder: Path, shell: str = "bash") -> None:
    if shell == "bash":
        command, pasted = ["bash", "-euo", "pipefail", "-c", block.text], None
    else:
        # As it is pasted into a terminal: an interactive zsh splits no variables and knows no comments.
        command, pasted = ["zsh", "-f", "-i", "-s"], f"setopt ERR_EXIT PIPE_FAIL NO_UNSET\n{block.text}"
    done = subprocess.run(
        command, input=pasted, cwd=folder, env=environment(), capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, f"{block.name}\n{block.text}\n{done.stdout}\n{done.stderr}"


def run_python(block: Block) -> None:
    # In this process: aws-cdk-lib takes seconds to load, and a page may have many blocks.
    exec(compile(block.text, block.name, "exec"), {"__name__": "__main__"})


def read_data(block: Block) -> None:
    read = list(yaml.safe_load_all(block.text)) if block.language == "yaml" else [json.loads(block.text)]
    if block.language == "yaml" and is_configuration(read[0]):
        check_configuration(block, read[0])


def is_configuration(read: Any) -> bool:
    from ecr_pull_through_cache.configuration.models import Document

    return isinstance(read, dict) and bool(read) and set(read) <= set(Document.model_fields)


def check_configuration(block: Block, part: dict[str, Any]) -> None:
    from ecr_pull_through_cache.configuration import parse

    below = {} if block.title else yaml.safe_load((ROOT / "environments/minimal.yaml").read_text())
    parse(yaml.safe_dump(laid_over(below, part)), name=block.name)


def laid_over(below: Any, above: Any) -> Any:
    if isinstance(below, dict) and isinstance(above, dict):
        return {key: laid_over(below.get(key), above.get(key, below.get(key))) for key in {**below, **above}}
    return above


@pytest.mark.slow
@pytest.mark.parametrize("page", [p for p in pages() if blocks(p)], ids=lambda page: str(page.relative_to(ROOT)))
def test_every_block_of_a_page_runs(page, tmp_path, monkeypatch):
    if FIXTURES.is_dir():
        shutil.copytree(FIXTURES, tmp_path, dirs_exist_ok=True)
    shutil.copytree(ROOT / "environments", tmp_path / "environments")
    monkeypatch.chdir(tmp_path)
    for block in blocks(page):
        if block.is_run:
            run_block(block, tmp_path)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("zsh") is None, reason="zsh is not installed")
@pytest.mark.parametrize(
    "page",
    [p for p in pages() if any(b.language in SHELL and b.is_run for b in blocks(p))],
    ids=lambda page: str(page.relative_to(ROOT)),
)
def test_every_command_of_a_page_can_be_pasted_into_zsh(page, tmp_path):
    shutil.copytree(FIXTURES, tmp_path, dirs_exist_ok=True)
    shutil.copytree(ROOT / "environments", tmp_path / "environments")
    for block in blocks(page):
        if block.title:
            target = tmp_path / block.title
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(block.text)
        if block.is_run and block.language in SHELL:
            run_shell(block, tmp_path, "zsh")


@pytest.mark.skipif(shutil.which("zsh") is None, reason="zsh is not installed")
@pytest.mark.parametrize("text", ['A="-n 1 /dev/null"\nhead $A\n', "true # a comment\nmake help # it\n", "false\n"])
def test_a_block_that_fails_in_zsh_is_found(text, tmp_path):
    block = Block(page=ROOT / "README.md", line=1, language="sh", title="", text=text, reason=None, elsewhere=None)
    with pytest.raises(AssertionError):
        run_shell(block, tmp_path, "zsh")


def test_every_block_has_a_language_and_a_good_reason_when_it_is_not_run():
    for block in (block for page in pages() for block in blocks(page)):
        assert block.language in SHELL | DATA | NOT_CODE | {"python"}, f"{block.name}: which language is this?"
        assert block.reason is None or block.reason.startswith(REASONS), f"{block.name}: {block.reason}"
        assert block.elsewhere is None or (ROOT / block.elsewhere).exists(), f"{block.name}: {block.elsewhere}"


def test_most_blocks_are_run(capsys):
    counted = count()
    with capsys.disabled():
        print("\nblocks of the documentation:", ", ".join(f"{number} {what}" for what, number in counted.most_common()))
    not_run = sum(number for what, number in counted.items() if what.startswith("not run"))
    assert not_run < 0.4 * (counted["run"] + counted["run by another test"] + not_run)


def not_run(pattern: str) -> list[Any]:
    """The lines of blocks that are not run in which something stands."""
    return [
        pytest.param(line, id=f"{block.name}:{line.split('  ')[0]}")
        for block in (block for page in pages() for block in blocks(page) if block.reason)
        for line in block.text.replace("\\\n", " ").splitlines()
        if re.search(pattern, line)
    ]


@pytest.mark.parametrize("line", not_run(r"\becr-pull-through "))
def test_a_command_that_is_not_run_is_one_that_there_is(line):
    import typer

    from ecr_pull_through_cache.cli import app

    commands = typer.main.get_command(app).commands
    for call in re.findall(r"\becr-pull-through ([^|>)#;]+)", line):
        name, *arguments = shlex.split(call)
        if name in commands:  # else it is the name of a stack
            commands[name].make_context(name, arguments)


@pytest.mark.parametrize("line", not_run(r"^\s*aws "))
def test_a_call_of_aws_is_one_that_there_is(line):
    import botocore.session
    from botocore import xform_name

    _, service, operation, *rest = shlex.split(line.partition("|")[0])
    model = botocore.session.get_session().get_service_model(service)
    known = {xform_name(name, "-"): model.operation_model(name) for name in model.operation_names}
    if (service, operation) == ("ecr", "get-login-password"):  # the CLI's own
        return
    members = {xform_name(name, "-") for name in known[operation].input_shape.members}
    given = {word[2:] for word in rest if word.startswith("--")} - {"region", "query", "output"}
    assert given <= members


def test_the_site_asks_for_nothing_from_elsewhere():
    for block in (block for page in pages() if page.is_relative_to(ROOT / "docs") for block in blocks(page)):
        assert block.language != "mermaid", f"{block.name}: the site would load mermaid.js from a CDN; use a picture"


def test_no_page_links_to_a_file_that_is_not_there():
    for page in pages():
        for link in re.findall(r"\]\((?!https?:|mailto:|#)([^)#\s]+)", page.read_text()):
            assert (page.parent / link).exists(), f"{page.relative_to(ROOT)}: {link}"
