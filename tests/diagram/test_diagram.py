"""The picture of a configuration: everything is in it, nothing lies over anything else, and pages stay up to date."""

import json
import re
from itertools import combinations
from xml.etree import ElementTree as ET

import pytest

from ecr_pull_through_cache import UserError
from ecr_pull_through_cache.configuration import load, parse
from ecr_pull_through_cache.diagram import END, START, mermaid, replaced, svg
from ecr_pull_through_cache.diagram.picture import rows
from ecr_pull_through_cache.diagram.svg import place
from ecr_pull_through_cache.images import REGIONS
from tests.support import ROOT
from tests.support.assemblies import ENVIRONMENTS
from tests.support.command_line import cli

EXAMPLE = ROOT / "environments/example.yaml"
CACHES = {"upstreams": {"k8s": "registry.k8s.io", "quay": {"upstream": "quay.io", "upstreamRepositoryPrefix": "argo"}}}
SVG = "{http://www.w3.org/2000/svg}"


def wide(registries: int = 14, clusters: int = 40):
    """Many registries with long names that replicate to each other, and many clusters."""
    regions = [region for region in REGIONS if not region.startswith(("cn-", "us-gov", "us-iso", "eu-iso", "eusc"))]
    names = [f"r{n}-{'x' * (n * 4 % 50)}" for n in range(registries)]
    document = {
        "organization": "o-exampleorg1",
        "registries": {
            name: {
                "account": "111122223333",
                "region": regions[n],
                "pull": {"organization": True, "accounts": ["222233334444", "333344445555"]},
                **(CACHES | {"replicateTo": [to for to in names if to != name][: n + 2]} if n % 3 == 0 else {}),
            }
            for n, name in enumerate(names)
        },
        "clusters": {
            f"c{n}": {"account": "222233334444", "region": regions[n % registries], "registry": names[n % registries]}
            for n in range(clusters)
        },
    }
    return parse(json.dumps(document))


CONFIGURATIONS = {name: load(ROOT / f"environments/{name}.yaml") for name in ENVIRONMENTS} | {"wide": wide()}


@pytest.fixture(params=CONFIGURATIONS)
def configuration(request):
    return CONFIGURATIONS[request.param]


def texts(picture: str) -> list[str]:
    return [(element.text or "") for element in ET.fromstring(picture).iter(f"{SVG}text")]


def test_registries_upstreams_replication_clusters_and_who_may_pull_are_in_both():
    found = load(EXAMPLE)
    for picture in (mermaid(found), svg(found)):
        for word in (
            *found.registries,
            *found.clusters,
            "o-exampleorg1",
            "cgr.dev/chainguard",
            "docker-hub/",
            "222233334444",
        ):
            assert word in picture, word
    assert "registry_hub ==> registry_america" in mermaid(found)
    assert (
        "prod-private<br/>222233334444<br/>eu-central-1<br/>imports nothing<br/>mutating-admission-policy"
        in mermaid(found)
    )


def test_an_account_that_may_pull_and_has_no_cluster_is_shown_and_one_that_has_is_not_shown_twice():
    (row,) = rows(parse("""
registries:
  main:
    account: "111122223333"
    region: eu-west-1
    upstreams: { ROOT: quay.io }
    pull: { accounts: ["222233334444", "333344445555"] }
clusters:
  demo: { account: "222233334444", region: eu-west-1, registry: main }
"""))  # fmt: skip
    assert [puller.name for puller in row.pullers] == ["demo", "account 333344445555"]
    assert [(source.host, source.prefix) for source in row.sources] == [("quay.io", "(no prefix)")]


def test_a_registry_that_replicates_comes_before_those_it_replicates_to():
    assert [row.name for row in rows(load(EXAMPLE))] == ["hub", "frankfurt", "america"]


def test_the_same_configuration_gives_the_same_picture(configuration):
    assert svg(configuration) == svg(configuration)
    assert mermaid(configuration) == mermaid(configuration)


def test_no_two_boxes_lie_over_each_other(configuration):
    boxes = [box for row in place(rows(configuration)) for box in row.boxes]
    for one, other in combinations(boxes, 2):
        apart = one.right < other.left or other.right < one.left or one.bottom < other.top or other.bottom < one.top
        assert apart, (one, other)


def test_everything_is_inside_the_picture_and_text_inside_its_box(configuration):
    root = ET.fromstring(svg(configuration))
    width, height = float(root.get("width")), float(root.get("height"))
    boxes = [box for row in place(rows(configuration)) for box in row.boxes]
    assert min(box.left for box in boxes) > 0
    assert max(box.right for box in boxes) < width
    assert max(box.bottom for box in boxes) < height
    for element in root.iter(f"{SVG}text"):
        x, y, text = float(element.get("x")), float(element.get("y")), "".join(element.itertext()).split("…")[-1]
        size = 14 if element.get("class") == "name" else 12
        if element.get("class") == "head":
            continue
        shown = (element.text or "") if len(element) == 0 else element[0].tail
        end = element.get("text-anchor") == "end"
        left, right = (x - len(shown) * size * 0.62, x) if end else (x, x + len(shown) * size * 0.62)
        assert any(b.left < left and right < b.right and b.top < y - 9 and y < b.bottom for b in boxes), (text, x, y)


def test_no_line_goes_through_a_box(configuration):
    """Lines are horizontal or vertical; each stays between the columns and only ends at boxes."""
    root = ET.fromstring(svg(configuration))
    boxes = [box for row in place(rows(configuration)) for box in row.boxes]
    legend = max(box.bottom for box in boxes)
    lines = [
        line for path in root.iter(f"{SVG}path") if "line" in path.get("class", "") for line in segments(path.get("d"))
    ]
    assert lines
    for x1, y1, x2, y2 in lines:
        assert x1 == x2 or y1 == y2
        if y1 > legend:
            continue
        for box in boxes:
            crosses = (
                min(x1, x2) < box.right - 1
                and max(x1, x2) > box.left + 1
                and min(y1, y2) < box.bottom
                and max(y1, y2) > box.top
            )
            assert not crosses, (box, (x1, y1, x2, y2))


def segments(way: str):
    x = y = 0.0
    for command, given in re.findall(r"([MHVh])([-\d. ]+)", way):
        numbers = [float(number) for number in given.split()]
        if command == "M":
            x, y = numbers
            continue
        to = (x, numbers[0]) if command == "V" else (numbers[0] + (x if command == "h" else 0), y)
        yield x, y, *to
        x, y = to


def test_what_is_cut_can_be_read_in_full():
    picture = svg(wide())
    long = next(name for name in wide().registries if len(name) > 44)
    assert f"<title>{long}</title>" in picture
    assert any(text == "" for text in texts(picture)), "the rest of it is the tail of the title"


def test_text_is_escaped(monkeypatch):
    from dataclasses import replace

    found = load(EXAMPLE)
    plan = replace(found.registries["america"], name='<&"#;`')
    odd = replace(found, registries={'<&"#;`': plan, **{k: v for k, v in found.registries.items() if k != "america"}})
    assert '<&"#;`' in texts(svg(odd))
    assert '"#60;#38;#34;#35;#59;#96;<br/>111122223333' in mermaid(odd)


def test_ids_of_the_chart_are_one_for_each_name():
    found = mermaid(parse("""
registries:
  main:
    account: "111122223333"
    region: eu-west-1
    upstreams: { aa: { upstream: quay.io, upstreamRepositoryPrefix: a.b }, bb: { upstream: quay.io, upstreamRepositoryPrefix: a-b } }
"""))  # fmt: skip
    ids = re.findall(r'^ +(\w+)\("quay', found, re.M)
    assert len(ids) == len(set(ids)) == 2


class TestPages:
    def test_what_is_between_the_comments_is_replaced_and_nothing_else(self):
        page = f"# A\n{START}\nold\n{END}\nB\n"
        assert replaced(page, "flowchart LR\n") == f"# A\n{START}\n```mermaid\nflowchart LR\n```\n{END}\nB\n"
        assert replaced(replaced(page, "x\n"), "y\n") == replaced(page, "y\n")

    @pytest.mark.parametrize(
        "page", ["", START, END, f"{END}\n{START}", f"{START}\n{END}\n{START}\n{END}", f"text {START}\n{END}"]
    )
    def test_a_page_without_its_comments_is_refused(self, page):
        with pytest.raises(UserError, match="write them once, in this order"):
            replaced(page, "x")

    def test_the_pages_of_this_project_show_its_example(self):
        pages = [
            page
            for page in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
            if START in page.read_text().splitlines()
        ]
        for page in pages:
            assert replaced(page.read_text(), mermaid(load(EXAMPLE))) == page.read_text(), f"{page}: make diagrams"

    def test_the_picture_in_the_documentation_is_that_of_the_example(self):
        assert (ROOT / "docs/images/example.svg").read_text() == svg(load(EXAMPLE)), "make diagrams"


class TestCommand:
    def test_the_chart_is_printed(self):
        assert cli("diagram", "--config", EXAMPLE).stdout == mermaid(load(EXAMPLE))

    def test_a_file_is_written(self, tmp_path):
        done = cli("diagram", "--config", EXAMPLE, "--format", "svg", "--output", tmp_path / "new/a.svg")
        assert (done.stdout, (tmp_path / "new/a.svg").read_text()) == ("", svg(load(EXAMPLE)))

    def test_a_page_is_brought_up_to_date(self, tmp_path):
        page = tmp_path / "README.md"
        page.write_text(f"# Mine\n\n{START}\n{END}\n")
        cli("diagram", "--config", EXAMPLE, "--into", page)
        assert page.read_text() == f"# Mine\n\n{START}\n```mermaid\n{mermaid(load(EXAMPLE))}```\n{END}\n"

    @pytest.mark.parametrize(
        ("arguments", "sentence"),
        [
            (["--into", "none.md"], "none.md: No such file or directory"),
            (["--into", "page.md", "--format", "svg"], "--into cannot be combined with --output or --format svg"),
            (["--into", "page.md"], "page.md: the chart goes between two lines"),
            (["--config", "none.yaml"], "none.yaml: the configuration cannot be read"),
            (["--output", "page.md/x.svg"], "page.md"),
        ],
    )
    def test_what_is_wrong_is_one_sentence_and_changes_nothing(self, arguments, sentence, tmp_path):
        (tmp_path / "page.md").write_text("# Mine\n")
        done = cli("diagram", "--config", EXAMPLE, *arguments, cwd=tmp_path, expect=2)
        assert sentence in done.stderr
        assert done.stderr.count("\n") == 1
        assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("page.md", "# Mine\n")]
