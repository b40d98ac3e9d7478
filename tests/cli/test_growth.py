"""Every verb that reads an input takes time by its length: twice as much takes twice as long."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from ecr_pull_through_cache.cli import app
from tests.corpus import HOST
from tests.support.growth import LINEAR, growth

pytestmark = pytest.mark.slow
RULES = ["--host", HOST, "--upstream", "k8s=registry.k8s.io", "--upstream", "hub=docker.io"]


def run(*arguments: str, stdin: str | None = None, codes: tuple[int, ...] = (0,)) -> Callable[[], object]:
    def work() -> object:
        done = CliRunner().invoke(app, arguments, input=stdin)
        assert done.exit_code in codes, (done.exit_code, done.output[-500:], done.exception)
        return done

    return work


def pods(count: int) -> str:
    items = [
        {
            "metadata": {"name": f"p{n}", "namespace": f"n{n % 50}"},
            "spec": {"containers": [{"name": "a", "image": f"registry.k8s.io/app-{n % 500}:v{n}"}]},
            "status": {"containerStatuses": [{"name": "a", "imageID": f"registry.k8s.io/app@sha256:{n:064x}"}]},
        }
        for n in range(count)
    ]
    return json.dumps({"kind": "List", "items": items})


def manifests(count: int) -> str:
    one = "---\nkind: Deployment\nspec:\n  template:\n    spec:\n      containers:\n      - image: registry.k8s.io/a{}:1\n"
    return "".join(one.format(n) for n in range(count))


def configuration(clusters: int, patterns: int = 0) -> str:
    accounts = {f"a{n}": f"{n + 100_000_000_000}" for n in range(clusters)}
    return yaml.safe_dump(
        {
            "accounts": {"hub": "999999999999", **accounts},
            "organization": "o-exampleorg1",
            "registries": {
                "main": {
                    "account": "hub",
                    "region": "eu-west-1",
                    "upstreams": {"k8s": "registry.k8s.io"},
                    "pull": {"organization": True},
                    **({"exclude": [f"registry.k8s.io/p{n}/*" for n in range(patterns)]} if patterns else {}),
                }
            },
            "clusters": {
                f"c{n}": {"account": f"a{n}", "region": "eu-west-1", "registry": "main", "nodes": [{"role": f"r{n}"}]}
                for n in range(clusters)
            },
        }
    )


class TestVerbs:
    @pytest.fixture
    def write(self, tmp_path: Path) -> Callable[[str], str]:
        def writes(text: str) -> str:
            path = tmp_path / f"given-{len(text)}.yaml"
            path.write_text(text)
            return str(path)

        return writes

    def test_image(self):
        def prepare(size):
            return run("image", "-", *RULES, stdin="".join(f"registry.k8s.io/a/b-{n}:v1\n" for n in range(size)))

        assert growth(prepare, 5_000) < LINEAR

    def test_inventory_of_pods(self, write):
        assert growth(lambda size: run("inventory", write(pods(size)), "--output", "json", *RULES), 2_000) < LINEAR

    def test_inventory_of_manifests(self, write):
        assert growth(lambda size: run("inventory", write(manifests(size)), "--output", "csv", *RULES), 500) < LINEAR

    def test_rewrite(self, write):
        assert growth(lambda size: run("rewrite", write(manifests(size)), "--diff", *RULES), 1_000) < LINEAR

    def test_init_from_a_cluster(self, write):
        def prepare(size):
            given = ["--account", "111122223333", "--region", "eu-west-1", "--from-cluster", write(pods(size))]
            return run("init", "-", *given)

        assert growth(prepare, 2_000) < LINEAR

    def test_describe(self, write):
        assert growth(lambda size: run("describe", "--config", write(configuration(size))), 200, largest=6_400) < LINEAR

    def test_diagram(self, write):
        assert growth(lambda size: run("diagram", "--config", write(configuration(size))), 200, largest=6_400) < LINEAR

    def test_policy_with_patterns(self, write):
        def prepare(size):
            return run("policy", "--config", write(configuration(1, size)), "--form", "mutating-policy")

        assert growth(prepare, 200, largest=3_200) < LINEAR

    def test_image_with_patterns(self, write):
        images = "".join(f"registry.k8s.io/a/b-{n}:v1\n" for n in range(2_000))

        def prepare(size):
            path = write(configuration(1, size))
            return run("image", "-", "--config", path, stdin=images)

        assert growth(prepare, 200, largest=3_200) < LINEAR

    def test_iam(self, write):
        def prepare(size):
            return run("iam", "check", "--account", "999999999999", "--config", write(configuration(size)))

        assert growth(prepare, 200, largest=6_400) < LINEAR
