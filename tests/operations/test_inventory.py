"""The inventory of what is used, from whatever it is given."""

import csv
import io
import json
import os
import stat
import subprocess
import tarfile
from random import Random

import pytest
import yaml

from ecr_pull_through_cache.cli._sources import _of_text
from ecr_pull_through_cache.errors import UserError
from ecr_pull_through_cache.images import PinnedByDigest
from ecr_pull_through_cache.operations.inventory import Use, are_pods, inventory, of_pods
from tests.corpus import DIGEST, HOST, mapping
from tests.faults import Fault
from tests.real.engines import layer_tool
from tests.support.command_line import RULES, cli

OTHER = "sha256:" + "f" * 64
PODS = json.dumps(
    {
        "apiVersion": "v1",
        "kind": "List",
        "items": [
            {
                "kind": "Pod",
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
                "kind": "Pod",
                "metadata": {"namespace": "web", "name": "b"},
                "spec": {"containers": [{"name": "c", "image": "nginx:1"}]},
                "status": {"containerStatuses": [{"name": "c", "imageID": OTHER}]},
            },
        ],
    }
)
POD = "kind: Pod\nspec:\n  containers:\n  - image: nginx:1\n"


@pytest.mark.parametrize("indent", [None, 4])
def test_half_a_list_is_never_taken_for_the_whole_wherever_it_is_cut(indent):
    text = json.dumps(json.loads(PODS), indent=indent)
    for end in range(len(text)):
        with pytest.raises(UserError, match="^-: "):
            list(_of_text(text[:end], "-"))


def test_pods_that_are_none_are_named_with_their_file(tmp_path):
    path = tmp_path / "pods.json"
    path.write_text('{"kind": "List", "items": [{"kind": "Pod", "spec": {}}]}')
    done = cli("inventory", path, *RULES, expect=2)
    assert done.stderr == f"error: {path}: this is not what `kubectl get pods -A -o json` prints\n"


class TestPods:
    def test_each_image_is_listed_once_with_where_it_runs_and_what_was_pulled(self):
        found = {entry.image: entry for entry in inventory(of_pods(PODS), mapping())}
        assert set(found) == {"busybox:1", "nginx:1", "mcr.microsoft.com/x", "registry.k8s.io/debug:1", "quay.io/a/b:2"}
        assert found["nginx:1"].where == ("web/a", "web/b")
        assert found["nginx:1"].digests == (DIGEST,), "an image id without a name is not what was pulled"
        assert found["nginx:1"].cached == f"{HOST}/docker-hub/library/nginx:1"
        assert found["mcr.microsoft.com/x"].cached is None
        assert found["mcr.microsoft.com/x"].reason == "no rule caches this registry"

    @pytest.mark.parametrize(
        "text", ["", "[]", "{}", '{"items": [1]}', '{"items": [{"metadata": {}}]}', '{"items": 3}']
    )
    def test_something_else_is_one_sentence(self, text):
        with pytest.raises(UserError, match="this is not what `kubectl get pods -A -o json` prints"):
            list(of_pods(text))

    def test_what_pods_are(self):
        assert are_pods(json.loads(PODS))
        assert are_pods({"items": []})
        assert are_pods({"kind": "PodList", "items": [{"metadata": {}, "spec": {}}]})
        assert not are_pods({"kind": "Pod", "metadata": {}, "spec": {}}), "a manifest, which runs nowhere yet"
        assert not are_pods({"kind": "List", "items": [{"kind": "Service"}]})
        assert not are_pods({"kind": "ServiceList", "items": []})
        assert not are_pods([])


class TestPinnedByDigest:
    def warmed(self, *uses: Use) -> list[str | None]:
        return [entry.to_warm for entry in inventory(uses, mapping(PinnedByDigest.REWRITE)) if "@" in entry.image]

    def test_another_pod_pulled_a_tag_of_that_digest(self):
        pinned = Use(image=f"nginx@{DIGEST}", where="web/a", digest=DIGEST)
        tagged = Use(image="docker.io/nginx:1.29", where="web/b", digest=DIGEST)
        assert self.warmed(pinned, tagged) == [f"{HOST}/docker-hub/library/nginx:1.29@{DIGEST}"]

    def test_another_pod_names_both(self):
        found = self.warmed(
            Use(image=f"quay.io/a/b@{DIGEST}", where="a"), Use(image=f"quay.io/a/b:v1@{DIGEST}", where="b")
        )
        assert found == [f"{HOST}/quay/a/b:v1@{DIGEST}"] * 2

    def test_a_tag_of_another_digest_or_repository_is_none_of_it(self):
        pinned = Use(image=f"quay.io/a/b@{DIGEST}", where="a")
        others = [
            Use(image="quay.io/a/b:1", where="b", digest=OTHER),
            Use(image="quay.io/a/c:1", where="b", digest=DIGEST),
        ]
        assert self.warmed(pinned, *others) == [f"{HOST}/quay/a/b@{DIGEST}"]


@pytest.mark.parametrize(
    ("image", "hint"),
    [
        ("docker.elastic.co/elasticsearch/elasticsearch:9", "ECR has no pull through cache for this registry: copy"),
        ("cgr.dev/chainguard/nginx", "ECR can pull through from there: add the upstream to the configuration"),
        ("222233334444.dkr.ecr.eu-west-3.amazonaws.com/a:1", "it is in ECR already"),
        (f"nginx@{DIGEST}", "warm it by a tag that carries the digest, and set pinnedByDigest: rewrite"),
        ("nginx:1", ""),
        (f"{HOST}/k8s/pause:3.10", ""),
    ],
)
def test_what_stays_comes_with_what_can_be_done(image, hint):
    (entry,) = inventory([Use(image=image, where="a")], mapping())
    assert entry.hint.startswith(hint) if hint else not entry.hint


class TestOutputs:
    def test_tables_data_and_the_list_that_warm_takes(self):
        table = cli("inventory", "-", *RULES, stdin=PODS).stdout
        assert f"{HOST}/hub/library/nginx:1" in table, "nothing is cut off in a pipe"
        assert "mcr.microsoft.com: ECR has no pull through cache for this registry" in table
        data = json.loads(cli("inventory", "-", "--output", "json", *RULES, stdin=PODS).stdout)
        assert len(data) == 5
        rows = list(csv.DictReader(io.StringIO(cli("inventory", "-", "--output", "csv", *RULES, stdin=PODS).stdout)))
        assert {row["image"] for row in rows if row["cached"]} == {"busybox:1", "nginx:1", "registry.k8s.io/debug:1"}
        assert set(rows[0]) == set(data[0])
        images = cli("inventory", "-", "--output", "images", *RULES, stdin=PODS).stdout.splitlines()
        assert images == [f"{HOST}/hub/library/busybox:1", f"{HOST}/hub/library/nginx:1", f"{HOST}/k8s/debug:1"]


class TestSources:
    """What is given is recognised by itself."""

    def images(self, *arguments, stdin="", expect=0, **options):
        done = cli("inventory", *arguments, "--output", "json", *RULES, stdin=stdin, expect=expect, **options)
        return {entry["image"]: entry for entry in json.loads(done.stdout)}

    def test_pods_in_yaml_with_what_they_pulled(self):
        found = self.images("-", stdin=yaml.safe_dump(json.loads(PODS)))
        assert found["nginx:1"]["digests"] == [DIGEST]

    def test_manifests_as_files_folders_and_pipes(self, tmp_path):
        (tmp_path / "apps/web").mkdir(parents=True)
        (tmp_path / "apps/web/pod.yaml").write_text(POD)
        (tmp_path / "apps/notes.yaml").write_text("title: nothing of Kubernetes\n")
        (tmp_path / "other.json").write_text(json.dumps({"kind": "Pod", "spec": {"containers": [{"image": "redis"}]}}))
        assert self.images(tmp_path)["nginx:1"]["where"] == [f"{tmp_path}/apps/web/pod.yaml:4"]
        assert set(self.images(tmp_path / "apps", tmp_path / "other.json")) == {"nginx:1", "redis"}
        assert self.images("-", stdin=POD)["nginx:1"]["where"] == ["-:4"]

    def test_a_template(self, tmp_path):
        task = {"Type": "AWS::ECS::TaskDefinition", "Properties": {"ContainerDefinitions": [{"Image": "nginx:1"}]}}
        (tmp_path / "web.template.json").write_text(json.dumps({"Resources": {"Task": task}}))
        assert self.images(tmp_path / "web.template.json")["nginx:1"]["where"] == ["web/Task"]

    @pytest.fixture
    def chart(self, tmp_path):
        folder = tmp_path / "web"
        (folder / "templates").mkdir(parents=True)
        (folder / "Chart.yaml").write_text("apiVersion: v2\nname: web\nversion: 1.0.0\n")
        (folder / "values.yaml").write_text("tag: 1\n")
        (folder / "templates/pod.yaml").write_text(
            "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec:\n  containers:\n"
            "  - name: a\n    image: nginx:{{ .Values.tag }}\n"
        )
        return folder

    @pytest.mark.engine
    @pytest.mark.slow
    def test_charts_are_rendered(self, chart, tmp_path, monkeypatch):
        monkeypatch.setenv("PATH", f"{layer_tool('helm').parent}{os.pathsep}{os.environ['PATH']}")
        with tarfile.open(tmp_path / "web-1.0.0.tgz", "w:gz") as archive:
            archive.add(chart, "web")
        (tmp_path / "mine.yaml").write_text("tag: 2\n")
        assert self.images(chart)["nginx:1"]["where"] == ["web/templates/pod.yaml"]
        assert set(self.images(tmp_path / "web-1.0.0.tgz", "--values", tmp_path / "mine.yaml")) == {"nginx:2"}
        rendered = subprocess.check_output([layer_tool("helm"), "template", "x", chart], text=True)
        assert set(self.images("-", stdin=rendered)) == {"nginx:1"}

    def test_a_chart_without_helm_says_what_else_to_do(self, chart, monkeypatch):
        monkeypatch.setenv("PATH", "/nowhere")
        said = cli("inventory", chart, *RULES, expect=2).stderr
        assert "helm is not on the path, which renders charts; pipe `helm template` of it instead" in said

    @pytest.mark.parametrize("data", ["title: x\n", "", "just words"])
    def test_nothing_known_is_said_to_be(self, data, tmp_path):
        (tmp_path / "given").write_text(data)
        said = cli("inventory", tmp_path / "given", *RULES, expect=2).stderr
        assert "this is nothing that images can be found in; give Pods" in said

    def test_mistakes_are_sentences(self, tmp_path):
        assert "--output 'xml' is not known" in cli("inventory", "-", "--output", "xml", *RULES, expect=2).stderr
        assert "none: No such file" in cli("inventory", "none", *RULES, expect=2).stderr
        (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
        assert "this is not text" in cli("inventory", tmp_path / "binary", *RULES, expect=2).stderr
        said = cli("warm", "a", "--host", "example.com", "--upstream", "k8s=registry.k8s.io", expect=2).stderr
        assert "is not a private ECR registry" in said


class TestMentionsAndOddities:
    DEPLOYMENT = (
        "kind: Deployment\nmetadata: {annotations: {note: 'status.imageID: of the kubelet'}}\nspec:\n  template:\n    spec:\n"
        "      containers:\n      - image: nginx:1\n        args: [--x-image=redis:7, --y=registry.k8s.io/pause:1]\n"
    )

    def test_the_text_image_id_does_not_make_pods_of_a_manifest(self):
        rows = json.loads(cli("inventory", "-", "--output", "json", *RULES, stdin=self.DEPLOYMENT).stdout)
        assert {row["image"]: row["mention"] for row in rows} == {
            "nginx:1": False, "redis:7": True, "registry.k8s.io/pause:1": True
        }  # fmt: skip

    def test_mentions_are_warmed_on_request(self):
        done = cli("inventory", "-", "--output", "images", *RULES, stdin=self.DEPLOYMENT)
        assert done.stdout == f"{HOST}/hub/library/nginx:1\n"
        assert "2 images are only mentioned and not listed; --mentions lists them too" in done.stderr
        done = cli("inventory", "-", "--output", "images", "--mentions", *RULES, stdin=self.DEPLOYMENT)
        assert len(done.stdout.splitlines()) == 3

    def test_a_chart_that_is_deployed_is_said_to_be_and_the_exit_code_is_1(self):
        text = "kind: HelmRelease\nspec: {chart: {spec: {chart: web}}, values: {image: quay.io/a/b:1}}\n"
        done = cli("inventory", "-", *RULES, stdin=text, expect=1)
        assert "-:2: it deploys the chart web; give `helm template` of it for its images" in done.stderr

    def test_an_id_of_an_image_is_none(self):
        (entry,) = inventory([Use(image=DIGEST, where="a")], mapping())
        assert (entry.cached, entry.to_warm, entry.registry) == (None, None, "")

    @pytest.mark.parametrize("image", [None, 3, True, [], {"a": 1}, "\ud800", "[/red]", "\x1b]0;x\x07nginx", "=1+1"])
    @pytest.mark.parametrize("output", ["table", "csv", "json", "images"])
    def test_whatever_a_pod_names_is_listed_and_obeyed_by_nothing(self, image, output):
        pods = json.loads(PODS)
        pods["items"][0]["spec"]["containers"][0]["image"] = image
        done = cli("inventory", "-", "--output", output, *RULES, stdin=json.dumps(pods))
        assert "\x1b" not in done.stdout
        assert "registry.k8s.io/debug:1" in done.stdout or output == "images"
        if image == "[/red]" and output == "table":
            assert image in done.stdout
        assert not any(line.startswith("=") for line in done.stdout.splitlines())

    def test_a_date_that_is_none_hides_no_other_file(self, tmp_path):
        (tmp_path / "bad.yaml").write_text("images:\n- name: a\n  newTag: 2024-31-12\nkind: K\n")
        (tmp_path / "good.yaml").write_text(POD)
        (tmp_path / "pipe.yaml").symlink_to("nowhere")
        done = cli("inventory", tmp_path, "--output", "json", *RULES, expect=1)
        assert [row["image"] for row in json.loads(done.stdout)] == ["nginx:1"]
        assert "pipe.yaml: No such file" in done.stderr


class TestAnything:
    """Whatever is given: an inventory or a sentence."""

    SEEDS = [
        json.loads(PODS),
        {"kind": "Deployment", "spec": {"template": {"spec": {"containers": [{"image": "nginx:1"}]}}}},
        {"kind": "Kustomization", "images": [{"name": "a", "newTag": "1"}]},
        {
            "Parameters": {"A": {"Default": "nginx:1"}},
            "Resources": {
                "Task": {"Type": "AWS::ECS::TaskDefinition", "Properties": {"ContainerDefinitions": [{"Image": {"Ref": "A"}}]}},
                "One": {"Type": "Custom::AWSCDK-EKS-KubernetesResource", "Properties": {"Manifest": {"Fn::Join": ["", ["[]"]]}}},
                "Two": {"Type": "AWS::Lambda::Function", "Properties": {"Code": {"ImageUri": {"Fn::Sub": ["${A}", {"A": "b"}]}}}},
            },
        },
    ]  # fmt: skip
    JUNK = [
        None,
        3,
        "x",
        [],
        {},
        [1],
        {"a": 1},
        True,
        {"Fn::Join": 3},
        {"Fn::Sub": [1, 2, 3]},
        {"Fn::Sub": None},
        {"Ref": []},
    ]

    def mutated(self, random: Random, data):
        if random.random() < 0.05:
            return random.choice(self.JUNK)
        if isinstance(data, dict):
            return {key: self.mutated(random, value) for key, value in data.items() if random.random() > 0.02}
        return [self.mutated(random, value) for value in data] if isinstance(data, list) else data

    def test_what_is_broken_anywhere(self):
        random, sentences = Random(5), 0
        for _ in range(2_000):
            data = self.mutated(random, random.choice(self.SEEDS))
            text = json.dumps(data) if random.random() < 0.6 else yaml.safe_dump(data)
            if random.random() < 0.2:
                at = random.randrange(len(text))
                text = text[:at] + random.choice(["", "{", "\0", "- ", ": "]) + text[at + 2 :]
            try:
                list(_of_text(text, "given"))
            except UserError as error:
                sentences += 1
                assert "\n" not in str(error)
        assert sentences > 100


FAULTS = [
    Fault(verb="inventory", fault="kubectl is refused by the cluster", outcome="kubectl's own sentence, exit code 2", inject="refused"),
    Fault(verb="inventory", fault="kubectl is cut off in the middle of its answer", outcome="one sentence, exit code 2; half a list is never taken for the whole", inject="truncated"),
    Fault(verb="inventory", fault="kubectl is killed", outcome="one sentence, exit code 2; half a list is never taken for the whole", inject="killed"),
    Fault(verb="inventory", fault="one of many files cannot be read", outcome="the others are listed, this one is named, exit code 1", inject="unreadable"),
    Fault(verb="inventory", fault="one of many files is broken YAML", outcome="the others are listed, this one is named with its line, exit code 1", inject="broken"),
    Fault(verb="inventory", fault="a Pod has an image that is none", outcome="it is listed with the reason, and so are the others", inject="no image"),
]  # fmt: skip


KUBECTL = {
    "refused": "echo 'E1125 02:40:43.742202 9802 memcache.go:265] Unhandled Error' >&2\n"
    "echo 'error: You must be logged in to the server' >&2; exit 1",
    "truncated": "head -c 300 PODS",
    "killed": "head -c 300 PODS; kill -9 $$",
}


class TestFaults:
    @pytest.mark.parametrize("row", [row for row in FAULTS if row.inject in KUBECTL], ids=str)
    def test_a_cluster_that_does_not_answer_gives_no_inventory(self, row, tmp_path, monkeypatch):
        (tmp_path / "pods").write_text(PODS)
        kubectl = tmp_path / "kubectl"
        kubectl.write_text(f"#!/bin/sh\n{KUBECTL[row.inject].replace('PODS', str(tmp_path / 'pods'))}\n")
        kubectl.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
        done = cli("inventory", *RULES, expect=2)
        assert done.stdout == ""
        assert done.stderr.count("\n") == 1

    def test_the_cluster_is_chosen_by_context_and_kubeconfig(self, tmp_path, monkeypatch):
        kubectl = tmp_path / "kubectl"
        kubectl.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/asked\necho \'{{"items": []}}\'\n')
        kubectl.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
        cli("inventory", "--context", "prod", "--kubeconfig", tmp_path / "config", *RULES)
        asked = (tmp_path / "asked").read_text()
        assert asked == f"get pods --all-namespaces --output json --context prod --kubeconfig {tmp_path}/config\n"

    @pytest.mark.parametrize("row", [row for row in FAULTS if row.inject in ("unreadable", "broken")], ids=str)
    def test_one_file_does_not_hide_the_others(self, row, tmp_path):
        (tmp_path / "good.yaml").write_text(POD)
        bad = tmp_path / "bad.yaml"
        bad.write_text("kind: Pod\nspec: {containers: [{image: nginx:2}, [}\n")
        if row.inject == "unreadable":
            bad.unlink()
            bad.symlink_to(tmp_path / "nowhere")
        done = cli("inventory", tmp_path, "--output", "images", *RULES, expect=1)
        assert done.stdout == f"{HOST}/hub/library/nginx:1\n"
        assert done.stderr.startswith(f"{bad}: ")

    def test_an_image_that_is_none_is_listed(self):
        entries = inventory([Use(image="Nginx", where="a"), Use(image="nginx", where="a")], mapping())
        assert [(e.image, e.cached is None) for e in entries] == [("Nginx", True), ("nginx", False)]
        assert "upper-case" in entries[0].reason

    def test_every_row_is_run(self):
        assert {row.inject for row in FAULTS} == {*KUBECTL, "unreadable", "broken", "no image"}


@pytest.mark.engine
@pytest.mark.slow
def test_a_live_cluster(tmp_path, monkeypatch):
    """The Pods of a real API server, asked by the real kubectl."""
    from tests.real.engines import api_server

    with api_server() as api:
        spec = {"containers": [{"name": "a", "image": "registry.k8s.io/pause:3.10"}]}
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "one"}, "spec": spec}
        api.create_pod(pod, dry_run=False)
        config = tmp_path / "config"
        config.write_text(
            json.dumps(
                {
                    "apiVersion": "v1",
                    "kind": "Config",
                    "clusters": [{"name": "c", "cluster": {"server": api.url, "insecure-skip-tls-verify": True}}],
                    "users": [{"name": "u", "user": {"token": api.token}}],
                    "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
                }
            )
        )
        config.chmod(stat.S_IRUSR)
        monkeypatch.setenv("PATH", f"{layer_tool('kubectl').parent}{os.pathsep}{os.environ['PATH']}")
        done = cli("inventory", "--kubeconfig", config, "--context", "x", "--output", "images", *RULES)
        assert done.stdout == f"{HOST}/k8s/pause:3.10\n"
