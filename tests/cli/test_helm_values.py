"""`helm-values`: values that point a chart at the cache, and the images it leaves."""

import yaml

from tests.corpus import HOST
from tests.support.command_line import RULES, cli


def test_helm_values(tmp_path):
    (tmp_path / "values.yaml").write_text("image:\n  repository: nginx\n  tag: 1\nx: {image: quay.io/a/b}\n")
    done = cli("helm-values", tmp_path / "values.yaml", *RULES)
    assert yaml.safe_load(done.stdout) == {"image": {"repository": f"{HOST}/hub/library/nginx"}}
    assert "x.image: left: quay.io/a/b: no rule caches this registry" in done.stderr


def test_a_chart_that_is_not_there_is_one_sentence():
    assert (
        cli("helm-values", "nope", *RULES, expect=2).stderr
        == "error: nope: there is no such file or folder; give a chart's folder, its .tgz, or a values file\n"
    )
