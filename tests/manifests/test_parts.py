"""An image whose parts stand in keys of their own, in a kind that the table of places does not know: a mention, never silence."""

import pytest

from ecr_pull_through_cache.manifests import Mentions, Rewriter
from tests.corpus import HOST, mapping

PARTS = {
    "an official image": ("repository: solr\n    tag: '8'", "solr:8", f"{HOST}/docker-hub/library/solr"),
    "an image of Docker Hub": ("repository: library/busybox\n    tag: '1'", "library/busybox:1", f"{HOST}/docker-hub/library/busybox"),
    "a host in the repository": ("repository: quay.io/a/y\n    tag: '1'", "quay.io/a/y:1", f"{HOST}/quay/a/y"),
    "a registry beside it": ("registry: quay.io\n    repository: a/x\n    tag: '1'", "quay.io/a/x:1", f"registry: {HOST}\n    repository: quay/a/x"),
    "in one line": (None, "quay.io/a/x:1", f"{{registry: {HOST}, repository: quay/a/x, tag: '1'}}"),
}  # fmt: skip


def text_of(parts, field):
    value = "{registry: quay.io, repository: a/x, tag: '1'}" if parts is None else f"\n    {parts}"
    return f"apiVersion: example.org/v1\nkind: Unknown\nmetadata: {{name: x}}\nspec:\n  {field}: {value}\n"


@pytest.mark.parametrize("field", ["image", "busyBoxImage"])
@pytest.mark.parametrize("case", PARTS)
def test_it_is_reported_and_rewritten_when_asked(case, field):
    parts, image, becomes = PARTS[case]
    text = text_of(parts, field)
    kept = Rewriter(mapping()).rewrite(text)
    assert kept.text == text
    assert [found.given for found in kept.reported] == [image]
    assert becomes in Rewriter(mapping(), mentions=Mentions.REWRITE).rewrite(text).text


@pytest.mark.parametrize("parts", ["repository: ''", "tag: '1'", "repository: '{{ x }}'", "repository: [a]"])
def test_parts_that_make_no_image_are_none(parts):
    assert Rewriter(mapping()).rewrite(text_of(parts, "image")).reported == ()
