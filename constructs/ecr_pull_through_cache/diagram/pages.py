"""The picture in a page of Markdown, between two comments that stay."""

from __future__ import annotations

from ..errors import UserError

START = "<!-- ecr-pull-through diagram -->"
END = "<!-- end of ecr-pull-through diagram -->"


def replaced(page: str, chart: str) -> str:
    """The page with another chart between its two comments.

    :param page: the text of the page.
    :param chart: a Mermaid chart.
    :raises UserError: when the page does not have the two comments, one after the other, once.
    """
    lines = page.splitlines(keepends=True)
    places = [[n for n, line in enumerate(lines) if line.strip() == comment] for comment in (START, END)]
    if [len(found) for found in places] != [1, 1] or places[0] > places[1]:
        raise UserError(f"the chart goes between two lines, {START} and {END}; write them once, in this order")
    (start,), (end,) = places
    return "".join([*lines[: start + 1], f"```mermaid\n{chart}```\n", *lines[end:]])
