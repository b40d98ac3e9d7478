"""The policies on a real API server with Kyverno's own admission controller: what each form does, and what it leaves."""

from __future__ import annotations

import itertools
import json
import time

import pytest
import yaml

from ecr_pull_through_cache.admission import (
    FailurePolicy,
    PolicyForm,
    PolicySettings,
    RefusalSettings,
    render_policy,
    render_refusal,
)
from ecr_pull_through_cache.admission.kyverno_chart import kyverno_values
from ecr_pull_through_cache.images import (
    CachedUpstream,
    CacheMapping,
    InvalidImageReference,
    PinnedByDigest,
    Upstream,
)
from ecr_pull_through_cache.manifests.yaml_text import to_yaml
from tests.corpus import DIGEST, HOST, mapping
from tests.real.conftest import OPT_OUT
from tests.real.engines import layer_tool, run
from tests.real.kyverno import applied, chart_documents, is_left_alone, is_rewritten, wait_until
from tests.real.pods import images_of, pod

pytestmark = [pytest.mark.engine, pytest.mark.xdist_group("kubernetes")]

CACHE = mapping()
IMAGE = "registry.k8s.io/pause:3.10"
MIRROR = {"kubernetes.io/config.mirror": "a1b2"}
CACHED = CACHE.map(IMAGE)
KYVERNO = (PolicyForm.CLUSTER_POLICY, PolicyForm.MUTATING_POLICY)
STRATEGIC = "application/strategic-merge-patch+json"
MERGE = "application/merge-patch+json"
numbers = itertools.count()


def named(form):
    return form.value


FORMS = pytest.mark.parametrize("form", PolicyForm, ids=named)


def fresh(prefix="p"):
    return f"{prefix}-{next(numbers)}"


def rewriting(api, documents, **metadata):
    return applied(
        api,
        documents,
        works=lambda: is_rewritten(api, **metadata),
        gone=lambda: is_left_alone(api, **metadata),
    )


def becomes(api, image=IMAGE, **metadata):
    """What a Pod's one image becomes, or the API's refusal."""
    given = pod(fresh(), [image], **metadata)
    if MIRROR.keys() & metadata.get("annotations", {}).keys():
        given["spec"]["nodeName"] = "node"
    try:
        return images_of(api.create_pod(given))["c0"]
    except RuntimeError as refusal:
        return f"refused: {refusal}"


def path_of(name, namespace="default"):
    return f"/api/v1/namespaces/{namespace}/pods/{name}"


def kubectl(api, tmp_path, *arguments):
    command = [layer_tool("kubectl"), "--server", api.url, "--token", api.token, "--insecure-skip-tls-verify"]
    return run([*command, "--cache-dir", tmp_path / "cache", "--kubeconfig", "/dev/null", *arguments]).stdout


SETTINGS = {
    "default": PolicySettings(),
    "all": PolicySettings(failure_policy=FailurePolicy.FAIL, excluded_namespaces=("a", "b"), opt_in=True),
}
MAPPINGS = {
    "leave": mapping(PinnedByDigest.LEAVE),
    "rewrite": mapping(PinnedByDigest.REWRITE),
    "patterns": CacheMapping.of(
        HOST, mapping().rules, exclude=["quay.io/argoproj/*", "k8s.gcr.io/kube-*:v1.*"], only=["*"]
    ),
    "one-rule": CacheMapping.of(HOST, mapping().rules[:1]),
    "no-rule": CacheMapping.of(HOST, []),
}


class TestEveryDocument:
    """Whatever is printed is accepted, by the webhooks of a real Kyverno and by a real API server."""

    @FORMS
    @pytest.mark.parametrize("audit", [False, True], ids=["rewrite", "audit"])
    @pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS.keys())
    @pytest.mark.parametrize("failure_policy", FailurePolicy, ids=named)
    @pytest.mark.parametrize("cache", MAPPINGS.values(), ids=MAPPINGS.keys())
    def test_that_rewrites_is_accepted(self, api, form, audit, settings, failure_policy, cache):
        given = PolicySettings(
            failure_policy=failure_policy, excluded_namespaces=settings.excluded_namespaces, opt_in=settings.opt_in
        )
        for document in render_policy(cache, form, given, audit=audit):
            api.apply(yaml.safe_load(to_yaml([document])), dry_run=True)

    @FORMS
    @pytest.mark.parametrize("audit", [False, True], ids=["refuse", "audit"])
    @pytest.mark.parametrize("failure_policy", FailurePolicy, ids=named)
    @pytest.mark.parametrize("allowed", [(), ("quay.io/a/*", "docker.io/nginx:1*")], ids=["nothing", "patterns"])
    def test_that_refuses_is_accepted(self, api, form, audit, failure_policy, allowed):
        settings = RefusalSettings(failure_policy=failure_policy, allowed=allowed)
        for document in render_refusal(CACHE, form, settings, audit=audit):
            api.apply(yaml.safe_load(to_yaml([document])), dry_run=True)

    def test_a_document_that_is_wrong_is_not(self, api):
        """The check above can fail: this is what Kyverno said of the audit twin in one document."""
        (document, debug) = render_policy(CACHE, PolicyForm.CLUSTER_POLICY, audit=True)
        document["spec"]["rules"] += debug["spec"]["rules"]
        with pytest.raises(RuntimeError, match="background scan enabled with subresource Pod/ephemeralcontainers"):
            api.apply(document, dry_run=True)


ILLEGAL = [
    "Nginx", "quay.io/Upper/b", "nginx:", "a//b", "quay.io//a", "docker.io//x", "quay.io/ä/b", "É/x", "quay.io/", "docker.io/",
    "docker.io/a/", "quay.io/argoproj/", "x_y.z/foo", "-a.b/c", "a:b/c", "//quay.io/a", "/a", "localhost/", "quay.io/a\u2028b",
    "a@sha256:12", "quay.io/a/b:1@" + DIGEST + "0", "quay.io/a/b@" + DIGEST.upper(), "quay.io/a/b:" + "t" * 129,
    "quay.io/" + "c" * 256, "c" * 248, "f" * 64, "f" * 64 + ":1", "quay.io/" + "c/" * 2_000 + "c",
]  # fmt: skip
"""Names that no container runtime accepts."""
ATTACKS = [
    "quay.io/a/{{ random('[a-z]{5}') }}:1", "quay.io/a/{{element.name}}:1", "{{request.userInfo.username}}", "{{", "}}",
    "quay.io/{{{{a}}}}/b", "quay.io/a/b:{{`1`}}", "quay.io/a/$1:1", "$(A)", 'quay.io/a/b"c', "quay.io/a/b\\c", "quay.io/a/b`c",
    "quay.io/a/b'c", "quay.io/a/b' || 'x", "quay.io/a/b\n",
    'quay.io/a/b"\n- op: add\n  path: /metadata/labels\n  value: {"injected": "yes"}\n- op: test\n'
    '  path: /spec/containers/0/name\n  value: "c0',
    'quay.io/a/b"}]}, "metadata": {"labels": {"injected": "yes"}}, "x": [{"y": "',
]  # fmt: skip
"""Images that would be code, were they read as a template, an expression or a patch."""
EDGES = [
    "quay.io/" + "c" * 250, "quay.io/" + "c" * 251, "c" * 236, "c" * 237, "quay.io/argoproj/" + "c" * 250,
    "quay.io/" + "c" * 255, "c" * 247, "quay.io/a/b:" + "t" * 128, f"quay.io/a/b:{'t' * 128}@{DIGEST}", "auto", "auto:1",
    "library/auto", "docker.io/auto", "localhost", "[::1]:5000/a:1", "a:5/c:d", "f" * 63,
]  # fmt: skip
"""Legal names, and the one placeholder."""


def expected(cache, image):
    try:
        return cache.map(image)
    except InvalidImageReference:
        return image


class TestOneForm:
    """Everything about a form's policy with ``Fail`` in one cluster, so that no error can pass for a decision."""

    @pytest.fixture(scope="class", params=PolicyForm, ids=named)
    @classmethod
    def form(cls, request, api):
        settings = PolicySettings(failure_policy=FailurePolicy.FAIL, excluded_namespaces=("excluded",))
        before = pod("before-" + request.param.value, [IMAGE])
        api.create_pod(before, dry_run=False)
        debug = {"name": "old", "image": "busybox", "targetContainerName": "c0"}
        api.call(
            "PATCH", path_of(before["metadata"]["name"]) + "/ephemeralcontainers",
            {"spec": {"ephemeralContainers": [debug]}}, STRATEGIC,
        )  # fmt: skip
        with rewriting(api, render_policy(CACHE, request.param, settings)):
            yield request.param

    @pytest.mark.parametrize("image", [*ILLEGAL, *ATTACKS, *EDGES], ids=lambda image: repr(image)[:40])
    def test_text_of_an_image_is_never_code_and_what_is_not_legal_stays(self, form, api, image):
        given = pod(fresh(), ["nginx", image, image, image, image])
        if image.strip() != image:
            with pytest.raises(RuntimeError, match="422"):
                api.create_pod(given)
            return
        got = api.create_pod(given)
        assert images_of(got) == {name: expected(CACHE, each) for name, each in images_of(given).items()}
        assert "labels" not in got["metadata"]

    def test_names_of_containers_are_never_code(self, form, api):
        given = pod(fresh(), [IMAGE])
        given["spec"]["containers"][0]["name"] = '{{request.userInfo.username}}"`'
        with pytest.raises(RuntimeError, match=r"422.*request\.userInfo\.username"):
            api.create_pod(given)

    def test_only_images_change_and_every_list_keeps_its_order(self, form, api):
        given = pod(fresh(), ["nginx", "a.b/c", "quay.io/a/b:1", "a.b/d", "redis", "a.b/e", "busybox", "quay.io/x"])
        given["spec"]["initContainers"] = [
            {"name": f"i{n}", "image": image, **({"restartPolicy": "Always"} if n == 1 else {})}
            for n, image in enumerate(["a.b/c", "redis", "a.b/d", "nginx"])
        ]
        volumes = given["spec"]["volumes"]
        volumes.insert(0, {"name": "config", "configMap": {"name": "x"}})
        with_more = given["spec"]["containers"][0]
        with_more.update(
            env=[{"name": "A", "value": "{{ request.object }}"}],
            args=["registry.k8s.io/pause"],
            ports=[{"containerPort": 1}],
        )
        plain = json.loads(json.dumps(given))
        plain["metadata"]["labels"] = OPT_OUT
        got, untouched = api.create_pod(given), api.create_pod(plain)
        assert images_of(got) == {name: CACHE.map(image) for name, image in images_of(given).items()}
        for items in (*(got["spec"].get(k) or [] for k in ("containers", "initContainers")), got["spec"]["volumes"]):
            for item in items:
                if "image" in item:
                    item["image"] = "-"
        for items in (
            *(untouched["spec"].get(k) or [] for k in ("containers", "initContainers")),
            untouched["spec"]["volumes"],
        ):
            for item in items:
                if "image" in item:
                    item["image"] = "-"
        assert got["spec"] == untouched["spec"]

    def test_a_pod_of_an_owner_is_rewritten_and_its_owner_is_not(self, form, api):
        template = {"metadata": {"labels": {"a": "b"}}, "spec": pod("x", [IMAGE])["spec"]}
        deployment = {
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": fresh()},
            "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": template},
        }  # fmt: skip
        got = api.call("POST", "/apis/apps/v1/namespaces/default/deployments?dryRun=All", deployment)
        assert images_of(got["spec"]["template"])["c0"] == IMAGE
        owned = pod(fresh(), [IMAGE], ownerReferences=[
            {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "x", "uid": "1", "controller": True}
        ])  # fmt: skip
        assert images_of(api.create_pod(owned))["c0"] == CACHED

    @pytest.mark.parametrize(
        ("metadata", "is_changed"),
        [
            ({}, True),
            ({"labels": {"ecr-pull-through-cache/rewrite": "enabled"}}, True),
            ({"labels": OPT_OUT}, False),
            ({"namespace": "opted-out"}, False),
            ({"namespace": "opted-in"}, True),
            ({"namespace": "excluded"}, False),
            ({"annotations": MIRROR}, False),
            ({"annotations": {"other": "yes"}}, True),
        ],
        ids=str,
    )
    def test_what_is_exempt_is_left(self, form, api, metadata, is_changed):
        assert becomes(api, **metadata) == (CACHED if is_changed else IMAGE)

    @pytest.mark.parametrize("namespace", ["kube-system", "kube-public", "kube-node-lease", "kyverno"])
    def test_namespaces_that_kyvernos_chart_leaves_out(self, form, api, namespace):
        assert becomes(api, namespace=namespace) == (IMAGE if form in KYVERNO else CACHED)

    def test_pods_that_a_kubelet_creates(self, form, api):
        kubelet = {"Impersonate-User": "system:node:a", "Impersonate-Group": "system:nodes"}
        path = "/api/v1/namespaces/default/pods?dryRun=All"
        found = images_of(api.call("POST", path, pod(fresh(), [IMAGE]), **kubelet))["c0"]
        assert found == (IMAGE if form in KYVERNO else CACHED)

    def test_time_is_linear_in_containers(self, form, api):
        def seconds(count):
            given = pod(fresh(), [IMAGE])
            given["spec"]["containers"] = [{"name": f"c{n}", "image": IMAGE} for n in range(count)]
            taken = []
            for _ in range(5):
                begin = time.perf_counter()
                api.create_pod(given)
                taken.append(time.perf_counter() - begin)
            return min(taken)

        # Twice the containers take twice the time, and four times with a square.
        assert seconds(400) < 3 * seconds(200)

    def test_debug_containers(self, form, api):
        name = fresh("debugged")
        api.create_pod(pod(name, ["nginx:1"]), dry_run=False)
        for number, image in enumerate(["busybox", "quay.io/a/b:1", "mcr.microsoft.com/x", 'a"{{b}}']):
            debug = {"name": f"debug{number}", "image": image, "targetContainerName": "c0"}
            api.call(
                "PATCH", path_of(name) + "/ephemeralcontainers", {"spec": {"ephemeralContainers": [debug]}}, STRATEGIC
            )
        assert images_of(api.call("GET", path_of(name))) == {
            "c0": CACHE.map("nginx:1"),
            "debug0": CACHE.map("busybox"),
            "debug1": CACHE.map("quay.io/a/b:1"),
            "debug2": "mcr.microsoft.com/x",
            "debug3": 'a"{{b}}',
        }

    def test_a_debug_container_from_before_the_policy_does_not_stop_the_next_one(self, form, api):
        path = path_of("before-" + form.value)
        new = {"name": "new", "image": "busybox", "targetContainerName": "c0"}
        api.call("PATCH", path + "/ephemeralcontainers", {"spec": {"ephemeralContainers": [new]}}, STRATEGIC)
        assert images_of(api.call("GET", path)) == {"c0": IMAGE, "old": "busybox", "new": CACHE.map("busybox")}

    def test_a_pod_from_before_the_policy_is_left_alone(self, form, api):
        path = path_of("before-" + form.value)
        api.call("PATCH", path, {"metadata": {"labels": {"a": form.value}}}, MERGE)
        assert images_of(api.call("GET", path))["c0"] == IMAGE
        patch = {"spec": {"containers": [{"name": "c0", "image": "quay.io/a/b:2"}]}}
        assert images_of(api.call("PATCH", path, patch, STRATEGIC))["c0"] == "quay.io/a/b:2"

    def test_a_pod_that_is_applied_again_keeps_its_cached_images(self, form, api, tmp_path):
        name = fresh("again")
        given = pod(name, ["nginx:1", "a.b/c:1", "quay.io/a/b:1", "registry.k8s.io/x:1", "quay.io/v/w:1"])
        (tmp_path / "pod.yaml").write_text(to_yaml([given]))
        for _ in range(3):
            kubectl(api, tmp_path, "apply", "--filename", tmp_path / "pod.yaml")
            found = images_of(api.call("GET", path_of(name)))
            assert found == {key: CACHE.map(image) for key, image in images_of(given).items()}
        given["metadata"]["labels"] = {"changed": "yes"}
        (tmp_path / "pod.yaml").write_text(to_yaml([given]))
        kubectl(api, tmp_path, "apply", "--filename", tmp_path / "pod.yaml")
        assert images_of(api.call("GET", path_of(name))) == found
        assert api.call("GET", path_of(name))["metadata"]["labels"] == {"changed": "yes"}

    def test_a_pod_that_is_applied_again_by_the_server_keeps_its_cached_images(self, form, api, tmp_path):
        name = fresh("server")
        (tmp_path / "pod.yaml").write_text(to_yaml([pod(name, ["nginx:1", "quay.io/a/b:1"])]))
        for _ in range(2):
            kubectl(api, tmp_path, "apply", "--server-side", "--force-conflicts", "--filename", tmp_path / "pod.yaml")
            assert images_of(api.call("GET", path_of(name))) == {
                "c0": CACHE.map("nginx:1"), "c1": CACHE.map("quay.io/a/b:1")
            }  # fmt: skip

    def test_an_image_that_really_changes_is_the_will_of_whoever_changes_it(self, form, api):
        name = fresh("changed")
        api.create_pod(pod(name, [IMAGE, "nginx:1"]), dry_run=False)
        patch = {"spec": {"containers": [{"name": "c0", "image": "registry.k8s.io/pause:3.11"}]}}
        found = images_of(api.call("PATCH", path_of(name), patch, STRATEGIC))
        assert found == {"c0": "registry.k8s.io/pause:3.11", "c1": CACHE.map("nginx:1")}

    def test_two_containers_do_not_take_each_others_images(self, form, api):
        name = fresh("crossed")
        api.create_pod(pod(name, ["nginx:1", "redis:1"]), dry_run=False)
        patch = {"spec": {"containers": [{"name": "c0", "image": "redis:1"}, {"name": "c1", "image": "nginx:1"}]}}
        assert images_of(api.call("PATCH", path_of(name), patch, STRATEGIC)) == {"c0": "redis:1", "c1": "nginx:1"}


class TestOptIn:
    """With ``opt_in``, only namespaces that say so are rewritten."""

    @FORMS
    def test_namespaces(self, form, api):
        with rewriting(api, render_policy(CACHE, form, PolicySettings(opt_in=True)), namespace="opted-in"):
            found = {
                (namespace, str(labels)): becomes(api, namespace=namespace, labels=labels) == CACHED
                for namespace in ("default", "opted-in", "opted-out")
                for labels in ({}, OPT_OUT, {"ecr-pull-through-cache/rewrite": "enabled"})
            }
        assert {key for key, is_changed in found.items() if is_changed} == {
            ("opted-in", "{}"),
            ("opted-in", "{'ecr-pull-through-cache/rewrite': 'enabled'}"),
        }


class TestKubeSystem:
    """Under Kyverno's defaults it takes two settings to reach kube-system, and docs/how-to/rewrite-at-admission.md names them."""

    VALUES = {
        "config": {
            "webhooks": {"namespaceSelector": {"matchExpressions": [
                {"key": "kubernetes.io/metadata.name", "operator": "NotIn", "values": ["kyverno"]}]}},
            "resourceFiltersExcludeNamespaces": ["kube-system"],
        }
    }  # fmt: skip

    @pytest.mark.parametrize("form", KYVERNO, ids=named)
    def test_both_settings_are_needed(self, form, api, kyverno):
        from tests.real.kyverno import NAMESPACE, configuration

        path = f"/api/v1/namespaces/{NAMESPACE}/configmaps/kyverno"

        def configured(config):
            (given,) = [
                d for d in configuration(kyverno.folder, {"config": config}) if d["metadata"]["name"] == "kyverno"
            ]
            api.call("PUT", path, given)

        def is_reached():
            return becomes(api, namespace="kube-system") == CACHED

        settings = PolicySettings(failure_policy=FailurePolicy.FAIL)
        both = self.VALUES["config"]
        try:
            with rewriting(api, render_policy(CACHE, form, settings)):
                assert not is_reached()
                configured(both)
                wait_until(is_reached, lambda: "kube-system was never reached")
                for one in both:
                    configured({one: both[one]})
                    wait_until(lambda: not is_reached(), lambda one=one: f"kube-system is reached by {one} alone")
                    configured(both)
                    wait_until(is_reached, lambda: "kube-system was never reached again")
                configured({})
                wait_until(lambda: not is_reached(), lambda: "kube-system is still reached")
        finally:
            configured({})


class TestOutage:
    """What the API server does with Pods while Kyverno is down."""

    @pytest.fixture
    def down(self, api, kyverno):
        def kill(form, failure_policy):
            settings = PolicySettings(failure_policy=failure_policy, excluded_namespaces=("excluded",))
            context = rewriting(api, render_policy(CACHE, form, settings))
            context.__enter__()
            contexts.append(context)
            name = fresh("outage")
            api.create_pod(pod(name, [IMAGE]), dry_run=False)
            kyverno.kill()
            return path_of(name)

        contexts = []
        yield kill
        kyverno.start()
        for context in contexts:
            wait_until(lambda: is_rewritten(api), lambda: "the policy did not come back")
            context.__exit__(None, None, None)

    @pytest.mark.parametrize("form", KYVERNO, ids=named)
    def test_ignore_admits_pods_unchanged(self, form, api, down):
        path = down(form, FailurePolicy.IGNORE)
        assert becomes(api) == IMAGE
        api.call("PATCH", path, {"metadata": {"labels": {"a": "b"}}}, MERGE)

    @pytest.mark.parametrize("form", KYVERNO, ids=named)
    def test_fail_refuses_pods_and_what_is_exempt_is_admitted(self, form, api, down):
        path = down(form, FailurePolicy.FAIL)
        assert "failed calling webhook" in becomes(api)
        assert becomes(api, labels=OPT_OUT) == IMAGE
        assert becomes(api, namespace="excluded") == IMAGE
        assert becomes(api, namespace="kube-system") == IMAGE
        assert becomes(api, annotations=MIRROR) == IMAGE
        # Labels and finalizers of Pods, without which Jobs never end, are no business of the policy.
        api.call("PATCH", path, {"metadata": {"labels": {"a": "b"}}}, MERGE)
        # The API server cannot tell the webhook of a ClusterPolicy of the labels of namespaces.
        opted_out = becomes(api, namespace="opted-out")
        assert (opted_out == IMAGE) is (form is PolicyForm.MUTATING_POLICY), opted_out


class TestAuditTwins:
    """They report what would change, and change nothing."""

    def reports(self, api):
        found = api.call("GET", "/apis/reports.kyverno.io/v1/ephemeralreports")["items"]
        return {
            item["metadata"]["annotations"]["audit.kyverno.io/resource.name"]: {
                result["result"] for result in item["spec"]["results"]
            }
            for item in found
            if item["spec"].get("results")
        }

    @pytest.mark.parametrize("form", KYVERNO, ids=named)
    def test_kyverno_reports(self, form, api):
        would, would_not, out = fresh("would"), fresh("would-not"), fresh("out")
        documents = render_policy(CACHE, form, audit=True)
        given = [pod(would, ["a.b/c:1", IMAGE]), pod(would_not, ["a.b/c:1", CACHED]), pod(out, [IMAGE], labels=OPT_OUT)]

        def works():
            name = fresh("audited")
            api.create_pod(pod(name, [IMAGE]), dry_run=False)
            try:
                wait_until(lambda: name in self.reports(api), lambda: "", seconds=2)
            except AssertionError:
                return False
            return True

        with applied(api, documents, works=works, gone=lambda: True):
            for each in given:
                assert images_of(api.create_pod(each, dry_run=False)) == images_of(each)
            wait_until(lambda: would in self.reports(api), lambda: f"no report: {self.reports(api)}")
            found = self.reports(api)
        assert found[would] & {"fail", "warn"}
        assert not found.get(would_not, set()) & {"fail", "warn", "error"}
        assert not found.get(out, set()) & {"fail", "warn", "error"}

    def test_kubernetes_warns(self, api):
        def warns(image):
            assert images_of(api.create_pod(pod(fresh(), [image]))) == {"c0": image}
            return any("would be pulled through the cache" in warning for warning in api.warnings)

        documents = render_policy(CACHE, PolicyForm.MUTATING_ADMISSION_POLICY, audit=True)
        with applied(api, documents, works=lambda: warns(IMAGE), gone=lambda: not warns(IMAGE)):
            assert not warns("mcr.microsoft.com/a:1")
            assert not warns("Nginx")
            assert not warns("auto")


class TestRefusal:
    """Images from outside the cache: allowed, refused, excepted, audited."""

    ALLOWED = ("quay.io/good/*", "docker.io/nginx", "k8s.gcr.io/pause:3.*")

    @staticmethod
    def is_refused(api, *images, **metadata):
        try:
            api.create_pod(pod(fresh(), list(images), **metadata))
        except RuntimeError as refusal:
            assert "do not come from the cache" in str(refusal), refusal
            return True
        return False

    @pytest.fixture(scope="class", params=PolicyForm, ids=named)
    @classmethod
    def form(cls, request, api):
        api.create_pod(pod("outside-" + request.param.value, ["a.b/c:1"]), dry_run=False)
        settings = RefusalSettings(allowed=cls.ALLOWED, excluded_namespaces=("kube-system", "excluded"))
        documents = render_refusal(CACHE, request.param, settings)

        def works():
            try:
                return cls.is_refused(api, "a.b/c")
            except AssertionError:
                return False

        with applied(api, documents, works=works, gone=lambda: is_left_alone(api, "a.b/c")):
            yield request.param

    @pytest.mark.parametrize(
        "image",
        [
            CACHED, f"{HOST}/own/app@{DIGEST}", "111122223333.dkr-ecr.eu-west-1.on.aws/k8s/pause:1", "quay.io/good/x:1",
            "nginx", "docker.io/library/nginx:2", "registry.k8s.io/pause:3.10", "k8s.gcr.io/pause:3.9",
        ],
    )  # fmt: skip
    def test_images_of_the_cache_and_exceptions_are_admitted(self, form, api, image):
        assert not self.is_refused(api, CACHED, image, image, image)

    @pytest.mark.parametrize(
        "image",
        [
            "a.b/c", "redis", "nginx/nginx", "quay.io/bad/x", "quay.io/goodx/y", "registry.k8s.io/pause:2", "auto", HOST + "x/a",
            HOST, f"a.b/{HOST}/k8s/pause", "Nginx", *ATTACKS[:3], ATTACKS[-1], f"redis@{DIGEST}",
        ],
    )  # fmt: skip
    def test_all_others_are_refused_wherever_they_stand(self, form, api, image):
        for place in range(4):
            images = [CACHED] * 4
            images[place] = image
            assert self.is_refused(api, *images)

    def test_the_refusal_names_the_images(self, form, api):
        with pytest.raises(RuntimeError, match=r"elsewhere: a\.b/c, redis:1"):
            api.create_pod(pod(fresh(), ["a.b/c", CACHED, "redis:1"]))

    @pytest.mark.parametrize("namespace", ["kube-system", "excluded", "free"])
    def test_namespaces_are_excepted(self, form, api, namespace):
        assert not self.is_refused(api, "a.b/c", namespace=namespace)

    def test_a_pod_cannot_except_itself(self, form, api):
        assert self.is_refused(api, "a.b/c", labels=OPT_OUT | {"ecr-pull-through-cache/refuse": "disabled"})

    def test_a_pod_that_is_there_can_be_labelled_and_not_be_given_another_image(self, form, api):
        path = path_of("outside-" + form.value)
        api.call("PATCH", path, {"metadata": {"labels": {"a": form.value}}}, MERGE)
        patch = {"spec": {"containers": [{"name": "c0", "image": "a.b/d:1"}]}}
        with pytest.raises(RuntimeError, match="do not come from the cache"):
            api.call("PATCH", path, patch, STRATEGIC)
        patch["spec"]["containers"][0]["image"] = CACHED
        assert images_of(api.call("PATCH", path, patch, STRATEGIC))["c0"] == CACHED

    def test_debug_containers(self, form, api):
        name = fresh("debug")
        api.create_pod(pod(name, [CACHED]), dry_run=False)
        for image, message in ((CACHED, None), ("a.b/c", "do not come from the cache")):
            debug = {"spec": {"ephemeralContainers": [{"name": fresh(), "image": image, "targetContainerName": "c0"}]}}
            if message is None:
                api.call("PATCH", path_of(name) + "/ephemeralcontainers", debug, STRATEGIC)
                continue
            with pytest.raises(RuntimeError, match=message):
                api.call("PATCH", path_of(name) + "/ephemeralcontainers", debug, STRATEGIC)

    def test_what_is_rewritten_is_not_refused(self, form, api):
        assert self.is_refused(api, IMAGE.replace("3.10", "9"))
        rewrite = render_policy(CACHE, form, PolicySettings(failure_policy=FailurePolicy.FAIL))
        with rewriting(api, rewrite):
            assert not self.is_refused(api, IMAGE.replace("3.10", "9"), "redis", "ghcr.io/fluxcd/a")
            assert self.is_refused(api, "ghcr.io/other/a")


@FORMS
def test_a_refusal_that_audits_admits_everything(form, api):
    documents = render_refusal(CACHE, form, audit=True)
    for document in documents:
        api.apply(document)
    try:
        for _ in range(10):
            assert not TestRefusal.is_refused(api, "a.b/c")
        if form is PolicyForm.MUTATING_ADMISSION_POLICY:
            wait_until(
                lambda: not TestRefusal.is_refused(api, "a.b/c") and bool(api.warnings), lambda: "there is no warning"
            )
            assert "a.b/c" in api.warnings[0]
    finally:
        for document in documents:
            api.delete(document)


@pytest.mark.parametrize("form", [PolicyForm.MUTATING_ADMISSION_POLICY, PolicyForm.CLUSTER_POLICY], ids=named)
def test_a_sidecar_that_an_admission_policy_injects_later_is_rewritten_too(form, api):
    injector = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingAdmissionPolicy",
        "metadata": {"name": "z-injector"},
        "spec": {
            "failurePolicy": "Fail",
            "reinvocationPolicy": "Never",
            "matchConstraints": {
                "resourceRules": [
                    {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}
                ]
            },
            "mutations": [
                {
                    "patchType": "ApplyConfiguration",
                    "applyConfiguration": {
                        "expression": "Object{spec: Object.spec{containers: [Object.spec.containers{"
                        "name: 'sidecar', image: 'quay.io/mesh/proxy:1'}]}}"
                    },
                }
            ],
        },
    }
    binding = {**injector, "kind": "MutatingAdmissionPolicyBinding", "spec": {"policyName": "z-injector"}}

    def injects():
        return "sidecar" in images_of(api.create_pod(pod(fresh(), ["a.b/c"])))

    with (
        rewriting(api, render_policy(CACHE, form)),
        applied(api, [injector, binding], works=injects, gone=lambda: not injects()),
    ):
        found = images_of(api.create_pod(pod(fresh(), ["nginx:1"])))
    assert found == {"c0": CACHE.map("nginx:1"), "sidecar": CACHE.map("quay.io/mesh/proxy:1")}


def test_debugging_with_kubectl_as_people_do(api, tmp_path):
    name = fresh("by-hand")
    with rewriting(api, render_policy(CACHE, PolicyForm.MUTATING_ADMISSION_POLICY)):
        (tmp_path / "pod.yaml").write_text(to_yaml([pod(name, ["nginx:1", "busybox:1", "quay.io/a/b:1", "a.b/c:1"])]))
        kubectl(api, tmp_path, "apply", "--filename", tmp_path / "pod.yaml")
        debug = ["--image", "registry.k8s.io/debug:1", "--container", "debug", "--attach=false"]
        kubectl(api, tmp_path, "debug", name, *debug)
    assert images_of(api.call("GET", path_of(name))) == {
        "c0": CACHE.map("nginx:1"),
        "c1": CACHE.map("busybox:1"),
        "c2": CACHE.map("quay.io/a/b:1"),
        "c3": "a.b/c:1",
        "debug": CACHE.map("registry.k8s.io/debug:1"),
    }


def test_kyverno_is_installed_with_every_image_from_the_cache(tmp_path):
    rules = [CachedUpstream(upstream=Upstream.GITHUB, repository_prefix="gh")]
    values = kyverno_values(CacheMapping.of(HOST, rules))

    def images(node):
        if isinstance(node, dict):
            for key, value in node.items():
                if key == "image" and isinstance(value, str):
                    yield value
                yield from images(value)
        elif isinstance(node, list):
            for item in node:
                yield from images(item)

    found = {image for document in chart_documents(tmp_path, values) for image in images(document)}
    assert len(found) >= 5
    assert {image for image in found if not image.startswith(f"{HOST}/gh/kyverno/")} == set()
