"""Values as Helm puts them together, and overrides of single ones."""

from ecr_pull_through_cache.manifests.chart_files import ChartFiles
from ecr_pull_through_cache.manifests.chart_values import (
    effective_values,
    lists_in,
    override_of,
    places_of_globals,
    set_arguments,
    written,
)
from ecr_pull_through_cache.manifests.values_yaml import Plain

DB = ChartFiles("db", {"image": {"repository": "redis", "tag": "7"}, "port": Plain("6379")})
APP = ChartFiles("app", {"a": "b", "db": {"image": {"tag": "8"}, "port": None}}, below=(("db", DB),))


def test_a_chart_wins_over_the_charts_in_it_and_the_user_over_both():
    assert effective_values(APP) == {"a": "b", "db": {"image": {"repository": "redis", "tag": "8"}}}
    assert effective_values(APP, [{"a": "c"}, {"a": "d", "db": {"image": None}}]) == {"a": "d", "db": {}}


def test_a_global_value_of_the_charts_within_is_set_at_the_top_where_they_agree():
    def chart(one, two):
        parts = tuple((key, ChartFiles(key, {"global": {"registry": text}})) for key, text in (("x", one), ("y", two)))
        found = ChartFiles("app", below=parts)
        return places_of_globals(found, effective_values(found))

    x, y = ("x", "global", "registry"), ("y", "global", "registry")
    assert chart("a", "a") == {x: ("global", "registry"), y: ("global", "registry")}
    assert chart("a", "b") == {x: x, y: y}


def test_a_list_is_repeated_as_a_whole():
    values = {"sidecars": [{"image": "a", "name": "x"}, {"image": "b"}]}
    place = ("sidecars", 1, "image")
    assert override_of({place: "c"}, values) == {"sidecars": [{"image": "a", "name": "x"}, {"image": "c"}]}
    assert values["sidecars"][1] == {"image": "b"}
    assert lists_in([place]) == [("sidecars",)]
    assert written(place) == "sidecars[1].image"


def test_arguments_say_the_same_as_the_file():
    override = {"a.b": {"image": "h/x:1"}, "n": Plain("1"), "list": [{"image": "y", "on": Plain("true")}]}
    assert set_arguments(override) == [
        "--set-string", "a\\.b.image=h/x:1", "--set", "n=1", "--set-json", 'list=[{"image":"y","on":true}]',
    ]  # fmt: skip
