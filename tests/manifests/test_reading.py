"""Every kind of file and every way to write it: an image is rewritten, or reported."""

import json
from collections.abc import Iterator

import pytest
import yaml

from ecr_pull_through_cache.errors import UserError
from ecr_pull_through_cache.manifests import KNOWN, Mentions, Rewriter, Rewritten
from ecr_pull_through_cache.manifests.kinds import COMPOSE, ECS, GITHUB, GITLAB, KUSTOMIZATION
from ecr_pull_through_cache.manifests.places import Form, Path
from tests.corpus import DIGEST, HOST, mapping

HUB, QUAY = f"{HOST}/docker-hub/library", f"{HOST}/quay"


def rewrite(text: str, name: str = "", **options: object) -> Rewritten:
    return Rewriter(mapping(), **options).rewrite(text, name)


HEAD = "kind: Pod\nspec:\n  containers:\n  - name: a\n    "
FORMS = {
    "plain": HEAD + "image: IMG\n",
    "anchor": HEAD + "image: &i IMG\n",
    "tag": HEAD + "image: !!str IMG\n",
    "next line": HEAD + "image:\n      IMG\n",
    "folded": HEAD + "image: >-\n      IMG\n",
    "literal": HEAD + "image: |-\n      IMG\n",
    "complex key": HEAD + "? image\n    : IMG\n",
    "escaped key": HEAD + '"im\\u0061ge": IMG\n',
    "escaped value": HEAD + 'image: "IMG\\x30"\n',
    "anchor of the item": "kind: Pod\nspec:\n  containers:\n  - &c image: IMG\n    name: a\n",
    "dash alone": "kind: Pod\nspec:\n  containers:\n  -\n    image: IMG\n",
    "merge": "x: &x\n  image: IMG\nkind: Pod\nspec:\n  containers:\n  - <<: *x\n    name: a\n",
    "alias": "x: &x IMG\nkind: Pod\nspec:\n  containers:\n  - image: *x\n",
    "alias of a list": "x: &x\n- image: IMG\nkind: Pod\nspec:\n  containers: *x\n",
    "mark": "\ufeff" + HEAD + "image: IMG\n",
    "mark before braces": "\ufeff{kind: Pod, spec: {containers: [{name: a, image: IMG}]}}\n",
    "mark before a kind": "\ufeffkind: Prometheus\nspec:\n  image: IMG\n",
    "kind with an anchor": "kind: &k Prometheus\nspec:\n  image: IMG\n",
    "kind behind": "kind: List\nitems:\n- spec:\n    image: IMG\n  kind: Prometheus\n",
    "indented": "  kind: Prometheus\n  spec:\n    image: IMG\n",
    "carriage returns": (HEAD + "image: IMG\n").replace("\n", "\r"),
    "JSON with slashes": '{"kind": "Pod", "spec": {"containers": [{"image": "IMG"}]}}'.replace("IMG", "quay.io\\/IMG"),
    "JSON with tabs": '{\n\t"kind": "Pod",\n\t"spec": {"containers": [{"image": "IMG"}]}\n}',
    "JSON with a pair of escapes": '{"kind": "Pod", "a": "\\ud83d\\ude00", "spec": {"containers": [{"image": "IMG"}]}}',
    "braces over lines": "kind: Pod\nspec:\n  containers:\n  - {\n     # c\n     image: IMG\n    }\n",
    "a list for a key": "? [a]\n: b\n---\n{kind: Pod, spec: {containers: [{name: a, image: IMG}]}}\n",
    "a date that is none": "kind: Pod\nmetadata: {creationTimestamp: 2024-02-30}\nspec: {containers: [{image: IMG}]}\n",
}  # fmt: skip


@pytest.mark.parametrize("image", ["redis:7", "bitnami/redis:7"])
@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_however_an_image_is_written_the_parsed_value_is_the_mapped_one(form, image):
    text = form.replace("IMG", image)
    result = rewrite(text)
    assert result.problem is None

    def pulled(given: str) -> list[str]:
        found: list[str] = []
        for root in (
            yaml.compose_all(given.removeprefix("\ufeff").replace("\t", " "), Loader=yaml.SafeLoader)
            if "\\ud83d" not in given
            else ()
        ):
            _images(root, found)
        return found or _json_images(json.loads(given))

    assert pulled(result.text) == [mapping().map(one) for one in pulled(text)]


def _json_images(data: dict) -> list[str]:
    return [container["image"] for container in data["spec"]["containers"]]


def _images(node: yaml.Node, found: list[str]) -> None:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == "image" and isinstance(value, yaml.ScalarNode):
                found.append(value.value)
            else:
                _images(value, found)
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            _images(item, found)


def test_a_value_that_is_an_image_and_something_else_is_left_and_said_to_be():
    text = (
        "kind: Pod\nmetadata: {labels: {x: *i}}\n".replace("*i", "y")
        + "spec:\n  containers:\n  - image: &i nginx\n    name: *i\n"
    )
    result = rewrite(text)
    assert result.text == text
    assert (
        result.problem
        == "line 5: nginx cannot be rewritten for certain: an alias uses the same value for something else than an image"
    )


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: &a [*a]\nb: {image: nginx}\n", "line 1: the value of anchor 'a' contains itself"),
        ("x0: &x0 {image: q}\n" + "".join(f"x{n}: &x{n} {{{','.join(f'k{k}: *x{n - 1}' for k in range(10))}}}\n" for n in range(1, 10)), "aliases stand for more than"),
        ('{"kind": "Pod", "image": "nginx"}\n{"kind": "Pod", "image": "nginx"}\n', "did not find expected"),
    ],
)  # fmt: skip
def test_texts_that_cannot_be_understood_are_said_to_be(text, problem):
    result = rewrite(text)
    assert problem in (result.problem or "")
    assert result.text == text


def test_an_alias_bomb_without_images_is_no_problem():
    text = "a: &a [x]\n" + "".join(
        f"{c}: &{c} [{','.join([f'*{p}'] * 10)}]\n" for p, c in zip("abcdefgh", "bcdefghi", strict=True)
    )
    assert len(rewrite(text + "kind: Prometheus\nspec: {image: nginx}\n").changes) == 1


def places() -> Iterator[tuple[str, Path]]:
    for kind, paths in KNOWN.in_kind.items():
        for path, form in paths.items():
            if form is Form.IMAGE and kind not in (
                COMPOSE,
                ECS,
                GITHUB,
                GITLAB,
                KUSTOMIZATION,
                "ImageStream",
                "BuildConfig",
            ):
                yield kind, path


def built(path: Path, value: object) -> object:
    """Data with a value at a way."""
    for part in reversed([p for step in path for p in ([step] if step != "**" else ["x", "y"])]):
        value = [value] if part == "[]" else {"any" if part == "*" else part: value}
    return value


@pytest.mark.parametrize(("kind", "path"), list(places()), ids=str)
def test_every_place_of_the_table(kind, path):
    group, _, name = kind.rpartition("/")
    data = {"apiVersion": f"{group or 'any'}/v1", "kind": name, **built(path, "nginx:1")}
    for text in (yaml.safe_dump(data), json.dumps(data), yaml.safe_dump({"kind": "List", "items": [data]})):
        assert [finding.image for finding in rewrite(text).changes] == [f"{HUB}/nginx:1"]


FILES = {
    "compose": ("docker-compose.yml", "services:\n  a: {image: nginx:1}\n  b: {build: ., image: me/built:1}\n  c: {image: 'redis:${TAG:-7}'}\n", [f"{HUB}/nginx:1", f"{HUB}/redis"]),
    "GitHub": ("ci.yml", "on: push\njobs:\n  a:\n    container: nginx:1\n    services: {r: {image: redis:7}}\n    steps:\n    - uses: docker://alpine:3\n    - uses: actions/checkout@v4\n", [f"{HUB}/nginx:1", f"{HUB}/redis:7", f"{HUB}/alpine:3"]),
    "GitLab": (".gitlab-ci.yml", "image: nginx:1\nj:\n  image: {name: redis:7}\n  services: ['alpine:3']\n  script: [make]\n", [f"{HUB}/nginx:1", f"{HUB}/redis:7", f"{HUB}/alpine:3"]),
    "ECS": ("task.json", '{"family": "x", "containerDefinitions": [{"image": "nginx:1"}]}', [f"{HUB}/nginx:1"]),
    "Dockerfile": ("a/Dockerfile.prod", "ARG BASE=redis:7\nFROM --platform=x nginx:1 AS b\nFROM b\nFROM ${BASE}\nFROM scratch\nCOPY --from=quay.io/a/b:1 /x /\nCOPY --from=b /x /\nRUN <<E\nFROM alpine\nE\n# FROM alpine\n", [f"{HUB}/redis:7", f"{HUB}/nginx:1", f"{QUAY}/a/b:1"]),
    "values of Flux": ("", "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nspec:\n  values:\n    image: {registry: quay.io, repository: a/b, tag: '1'}\n    x: {image: {repository: quay.io/a/c, tag: '1'}}\n    y: {image: {repository: grafana/z}}\n", [f"{QUAY}/a/b:1", f"{QUAY}/a/c:1"]),
    "text values of Argo CD": ("", "apiVersion: argoproj.io/v1alpha1\nkind: Application\nspec:\n  source:\n    helm:\n      values: |\n        image:\n          repository: quay.io/a/b\n          tag: '1'\n", [f"{QUAY}/a/b:1"]),
    "parts": ("", "apiVersion: nvidia.com/v1\nkind: ClusterPolicy\nspec:\n  driver: {repository: quay.io/a, image: b, version: '1'}\n", [f"{QUAY}/a/b:1"]),
    "a JSON patch": ("", "- op: replace\n  path: /spec/template/spec/containers/0/image\n  value: nginx:1\n- {op: add, path: /metadata/name, value: redis}\n", [f"{HUB}/nginx:1"]),
    "a resource within another": ("", "kind: Sensor\nspec:\n  x:\n    resource: {apiVersion: argoproj.io/v1alpha1, kind: Workflow, spec: {templates: [{container: {image: nginx:1}}]}}\n", [f"{HUB}/nginx:1"]),
}  # fmt: skip


@pytest.mark.parametrize(("name", "text", "expected"), FILES.values(), ids=FILES)
def test_other_files(name, text, expected):
    result = rewrite(text, name)
    assert [finding.image for finding in result.changes] == expected


MATCHED = [
    "apiVersion: kyverno.io/v1\nkind: ClusterPolicy\nspec: {rules: [{verifyImages: [{imageReferences: ['quay.io/a/b:*']}]}]}\n",
    "apiVersion: kafka.strimzi.io/v1beta2\nkind: KafkaConnect\nspec: {build: {output: {image: quay.io/a/b:1}}}\n",
    "apiVersion: image.toolkit.fluxcd.io/v1\nkind: ImageRepository\nspec: {image: quay.io/a/b}\n",
    "apiVersion: skaffold/v4\nkind: Config\nbuild: {artifacts: [{image: quay.io/a/b}]}\n",
    "services: {a: {build: ., image: quay.io/a/b:1}}\n",
]


@pytest.mark.parametrize("text", MATCHED)
@pytest.mark.parametrize("mentions", [Mentions.REPORT, Mentions.REWRITE])
def test_images_that_are_compared_with_built_or_pushed_are_reported_and_never_rewritten(text, mentions):
    result = rewrite(text, mentions=mentions)
    assert result.text == text
    assert [finding.given.partition(":")[0] for finding in result.reported] == ["quay.io/a/b"]


@pytest.mark.parametrize(
    "text",
    [
        "args: ['--sidecar-image=nginx:1']",
        "args: [--image, nginx:1]",
        "args:\n- --image\n- nginx:1",
        "env: [{name: SIDE_IMAGE, value: nginx:1}]",
        "env:\n- name: IMAGE_OF_X\n  value: nginx:1",
        "env:\n- value: nginx:1\n  name: SIDE_IMAGE",
        "x: |\n  image: nginx:1",
        "x: {sidecarImage: nginx:1}",
    ],
)
def test_short_names_behind_words_for_images_are_mentions(text):
    result = rewrite(f"kind: Unknown\n{text}\n")
    assert [finding.given for finding in result.reported] == ["nginx:1"]
    assert f"{HUB}/nginx:1" in rewrite(f"kind: Unknown\n{text}\n", mentions=Mentions.REWRITE).text


@pytest.mark.parametrize(
    "text", ["imagePullPolicy: a/b", "imageTag: a:b", "image: https://a/b", "# image: nginx:1", "image: ' # nginx'"]
)
def test_what_only_looks_like_one_is_none(text):
    assert rewrite(f"kind: Unknown\n{text}\n").reported == ()


@pytest.mark.parametrize(
    "text", [HEAD + "image: auto\n", "kind: Prometheus\nspec:\n  image: auto\n", HEAD + f"image: {DIGEST}\n"]
)
def test_placeholders_and_ids_of_images_are_none(text):
    assert rewrite(text).text == text


def test_digests_that_stay_are_named():
    result = rewrite(HEAD + f"image: quay.io/a/b:1@{DIGEST}\n")
    assert [(finding.line, finding.given) for finding in result.left] == [(5, f"quay.io/a/b:1@{DIGEST}")]
    assert result.left[0].why.startswith("pinned by digest")


def test_users_add_places_by_a_file(tmp_path):
    file = tmp_path / "places.yaml"
    file.write_text("Runner: [spec.image]\nexample.org/Builder: {matched: [spec.out], image: ['spec.steps[].from']}\n")
    places = KNOWN.adding_file(file)
    assert len(rewrite("kind: Runner\nspec: {image: nginx}\n", places=places).changes) == 1
    text = "apiVersion: example.org/v1\nkind: Builder\nspec: {out: quay.io/a/b:1, steps: [{from: nginx}]}\n"
    assert [finding.given for finding in rewrite(text, places=places, mentions=Mentions.REWRITE).changes] == ["nginx"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[a]", "this is not a mapping of kinds to paths"),
        ("A: {imag: [x]}", "'imag' is not a form (did you mean 'image'?); allowed are image, name"),
        ("A: [1]", "[1] is not a list of paths"),
        ("a: 2024-02-30", "this is not YAML"),
    ],
)
def test_a_file_of_places_that_is_none_is_one_sentence(tmp_path, text, message):
    file = tmp_path / "places.yaml"
    file.write_text(text)
    with pytest.raises(UserError) as caught:
        KNOWN.adding_file(file)
    assert message in str(caught.value)
