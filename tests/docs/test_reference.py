"""The reference is that of the code: pages that follow from it are compared, and every public name has its place."""

import json
import re

import pytest

import ecr_pull_through_cache
from ecr_pull_through_cache.configuration.schema import schema_file
from tests.support import ROOT
from tools.docs.pages import REFERENCE, pages


@pytest.mark.parametrize("page", sorted(pages()))
def test_a_page_made_from_the_code_is_up_to_date(page):
    assert (REFERENCE / page).read_text() == pages()[page], "run: .venv/bin/python -m tools.docs.pages"


def test_every_key_of_a_configuration_has_a_row():
    text = (REFERENCE / "configuration.md").read_text()
    schema = json.loads(schema_file().read_text())
    keys = {key for model in (schema, *schema["$defs"].values()) for key in properties(model)}
    assert len(keys) > 30
    assert not {key for key in keys if f"\n| `{key}` |" not in text}


def properties(model):
    return [key for part in (model, *model.get("anyOf", ())) for key in part.get("properties", ())]


def test_every_public_name_has_a_place_in_the_reference():
    named = {
        found.rpartition(".")[2]
        for page in REFERENCE.glob("*.md")
        for found in re.findall(r"^::: (\S+)$", page.read_text(), re.M)
    }
    members = {
        member
        for page in REFERENCE.glob("*.md")
        for listed in re.findall(r"members: \[([^\]]+)\]", page.read_text())
        for member in re.split(r",\s*", listed)
    }
    assert set(ecr_pull_through_cache.__all__) - named - members == {"__version__"}


def test_every_page_is_in_the_site():
    listed = (ROOT / "mkdocs.yml").read_text()
    pages_there = {str(page.relative_to(ROOT / "docs")) for page in (ROOT / "docs").rglob("*.md")}
    assert not {page for page in pages_there if not re.search(rf"[ :]{re.escape(page)}$", listed, re.M)}
