"""The page of faults says what the tests assert."""

from tests.faults import PAGE, VERBS, render, rows


def test_the_page_is_that_of_the_rows():
    assert PAGE.read_text() == render(PAGE.read_text()), "run `python -m tests.faults`"


def test_every_row_stands_there_once():
    assert len({str(row) for row in rows()}) == len(rows())
    assert {row.verb for row in rows()} <= set(VERBS)
