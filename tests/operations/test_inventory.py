"""The inventory of what runs, and the command lines of inventory and warm."""

import csv
import io
import json

import pytest

from ecr_pull_through_cache.errors import UserError
from ecr_pull_through_cache.operations.inventory import inventory, of_pods
from tests.cli.test_rewriting import RULES, cli
from tests.corpus import DIGEST, HOST, mapping

PODS = json.dumps(
    {
        "items": [
            {
                "metadata": {"namespace": "web", "name": "a"},
                "spec": {
                    "initContainers": [{"name": "i", "image": "busybox:1"}],
                    "containers": [{"name": "c", "image": "nginx:1"}, {"name": "d", "image": "mcr.microsoft.com/x"}],
                    "ephemeralContainers": [{"name": "e", "image": "registry.k8s.io/debug:1"}],
                    "volumes": [{"name": "v", "image": {"reference": "quay.io/a/b:2"}}, {"name": "w", "emptyDir": {}}],
                },
                "status": {"containerStatuses": [{"name": "c", "imageID": f"docker.io/library/nginx@{DIGEST}"}]},
            },
            {
                "metadata": {"namespace": "web", "name": "b"},
                "spec": {"containers": [{"name": "c", "image": "nginx:1"}]},
                "status": {},
            },
        ]
    }
)


def test_each_image_is_listed_once_with_where_it_runs_and_what_was_pulled():
    found = {entry.image: entry for entry in inventory(of_pods(PODS), mapping())}
    assert set(found) == {"busybox:1", "nginx:1", "mcr.microsoft.com/x", "registry.k8s.io/debug:1", "quay.io/a/b:2"}
    assert found["nginx:1"].where == ("web/a", "web/b")
    assert found["nginx:1"].digests == (DIGEST,)
    assert found["nginx:1"].cached == f"{HOST}/docker-hub/library/nginx:1"
    assert found["mcr.microsoft.com/x"].cached is None
    assert found["mcr.microsoft.com/x"].reason == "no rule caches this registry"


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"items": [1]}', '{"items": [{"metadata": {}}]}', '{"items": 3}'])
def test_something_else_is_one_sentence(text):
    with pytest.raises(UserError, match="this is not what `kubectl get pods -A -o json` prints"):
        list(of_pods(text))


def test_the_command_prints_tables_data_and_the_list_that_warm_takes():
    assert "nginx:1" in cli("inventory", "-", *RULES, stdin=PODS).stdout
    assert len(json.loads(cli("inventory", "-", "--output", "json", *RULES, stdin=PODS).stdout)) == 5
    rows = list(csv.DictReader(io.StringIO(cli("inventory", "-", "--output", "csv", *RULES, stdin=PODS).stdout)))
    assert {row["image"] for row in rows if row["cached"]} == {"busybox:1", "nginx:1", "registry.k8s.io/debug:1"}
    images = cli("inventory", "-", "--output", "images", *RULES, stdin=PODS).stdout.splitlines()
    assert images == [f"{HOST}/hub/library/busybox:1", f"{HOST}/hub/library/nginx:1", f"{HOST}/k8s/debug:1"]


def test_mistakes_are_sentences():
    assert "--output 'xml' is not known" in cli("inventory", "-", "--output", "xml", *RULES, expect=2).stderr
    assert "nothing to do" in cli("warm", "mcr.microsoft.com/x", *RULES, expect=2).stderr
    assert (
        "is not a private ECR registry"
        in cli("warm", "a", "--registry", "example.com", "--cache", "k8s=registry.k8s.io", expect=2).stderr
    )
