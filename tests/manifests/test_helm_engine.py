"""The program helm: bounded, and its errors in one sentence."""

import stat

import pytest

from ecr_pull_through_cache.errors import UserError
from ecr_pull_through_cache.manifests.helm_engine import Helm, HelmRefuses


@pytest.fixture
def program(tmp_path):
    def make(script):
        path = tmp_path / "helm"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        return str(path)

    return make


def test_a_chart_is_rendered_with_the_users_values_and_the_override_over_them(program, tmp_path):
    helm = Helm(
        program=program('echo "$@"; for last in "$@"; do :; done; cat "$last"'), options=("--kube-version", "1.34")
    )
    text = helm.render(tmp_path / "app", [tmp_path / "mine.yaml"], override="a: b\n")
    assert f"template release {tmp_path}/app --kube-version 1.34 --values {tmp_path}/mine.yaml --values " in text
    assert text.endswith("a: b\n")


def test_helms_own_words_are_one_bounded_line(program, tmp_path):
    helm = Helm(program=program("echo 'level=WARN x' >&2; echo 'Error: first\nsecond' >&2; exit 1"))
    with pytest.raises(HelmRefuses) as caught:
        helm.render(tmp_path / "app")
    assert str(caught.value) == f"{tmp_path}/app: helm: first second"
    assert caught.value.said == "first\nsecond"
    with pytest.raises(HelmRefuses) as caught:
        Helm(program=program("yes word | head -c 100000 >&2; exit 1")).render(tmp_path / "app")
    assert len(str(caught.value)) < 800


def test_a_chart_without_end_is_ended(program, tmp_path):
    with pytest.raises(HelmRefuses, match="takes more than 0 seconds"):
        Helm(program=program("sleep 60"), seconds=0.2).render(tmp_path / "app")


def test_a_program_that_cannot_be_started_is_said(tmp_path):
    with pytest.raises(UserError, match="helm cannot be started"):
        Helm(program=str(tmp_path / "none")).render(tmp_path / "app")
