"""Marks in values: a rendering with them shows the values that an image is made of."""

from ecr_pull_through_cache.manifests.chart_values import value_at
from ecr_pull_through_cache.manifests.helm_marks import Marks, slots_of
from ecr_pull_through_cache.manifests.values_yaml import Plain

VALUES = {
    "global": {"registry": "quay.io"},
    "image": {"repository": "a/web", "tag": "1.2", "pullPolicy": "Always"},
    "port": Plain("8080"),
    "config": "run {{ .Values.x }} with quay.io/a/web:1.2 --now",
}


def marks(word_in=""):
    slots = list(slots_of(VALUES, {"quay.io/a/web:1.2"}))
    return Marks(slots, word_in)


def test_the_values_that_may_make_an_image_are_marked_and_its_tag_is_not():
    assert {slot.place for slot in marks().slots} == {("global", "registry"), ("image", "repository"), ("config",)}


def test_marks_show_the_pieces_and_go_without_a_trace():
    found = marks()
    texts = found.changes({slot.place: value_at(VALUES, slot.place) for slot in found.slots})
    rendered = f"{texts['global', 'registry']}/{texts['image', 'repository']}:1.2"
    assert found.clean(rendered) == "quay.io/a/web:1.2"
    pieces = found.pieces(rendered, 0, len("quay.io/a/web:1.2"))
    assert [(piece.start, piece.end, piece.slot.place[0]) for piece in pieces] == [(0, 7, "global"), (8, 13, "image")]


def test_the_word_of_the_marks_stands_nowhere_else():
    assert marks("a zq stands here").word not in "a zq stands here"
