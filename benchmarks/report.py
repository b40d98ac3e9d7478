"""What a benchmark found, and docs/benchmarks.md, which holds the findings of one run of all of them.

Each benchmark is a module with ``rows()``. ``python -m benchmarks`` asks them all and writes the page.
"""

from __future__ import annotations

import datetime as dt
import os
import platform
import re
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_BAR = re.compile(r"(?P<sign>[≤≥]) (?P<limit>[0-9.]+) (?P<unit>\w+)")


@dataclass(frozen=True, kw_only=True)
class Row:
    """One comparison, both sides measured in one run, by turns where their numbers of rounds are the same.

    :param what: what was done.
    :param ours: what this package took, once for each round. Empty says that it was not measured: ``note`` says why.
    :param against: what it is compared with.
    :param theirs: what that took, once for each round.
    :param unit: unit of the numbers.
    :param bar: what is promised: of the ratio, such as ``≤ 1.15 x``, or of ours, in the unit, such as ``≤ 0.4 s``.
    :param note: what a reader must know in order to judge the numbers.
    """

    what: str
    ours: Sequence[float]
    against: str
    theirs: Sequence[float]
    unit: str = "s"
    bar: str = ""
    note: str = ""

    @property
    def ratio(self) -> float | None:
        """Ours over theirs: the median of the rounds' ratios if they were measured by turns, else of the medians."""
        if not self.ours or not self.theirs:
            return None
        if len(self.ours) == len(self.theirs):
            return statistics.median(ours / theirs for ours, theirs in zip(self.ours, self.theirs, strict=True))
        return statistics.median(self.ours) / statistics.median(self.theirs)

    @property
    def met(self) -> bool | None:
        """Whether the bar is met; None without a bar or without numbers."""
        bar = _BAR.fullmatch(self.bar)
        if bar is None or not self.ours:
            return None
        value = self.ratio if bar["unit"] == "x" else statistics.median(self.ours)
        if value is None:
            return None
        limit = float(bar["limit"])
        return value <= limit if bar["sign"] == "≤" else value >= limit


def left_out(what: str, why: str, *, against: str = "", bar: str = "") -> Row:
    """The row of a benchmark that cannot run here.

    :param what: what would have been done.
    :param why: what is missing.
    :param against: what it would have been compared with.
    :param bar: what is promised.
    """
    return Row(what=what, ours=[], against=against, theirs=[], bar=bar, note=f"left out: {why}")


def number(value: float) -> str:
    """A number as people read it: three digits that count."""
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2 if abs(value) >= 1 else 3
    return f"{value:,.{digits}f}"


def _spread(values: Sequence[float], unit: str) -> str:
    if not values:
        return "-"
    middle = f"**{number(statistics.median(values))} {unit}**"
    return middle if len(values) == 1 else f"{middle} ({number(min(values))} to {number(max(values))})"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def table(rows: Iterable[Row]) -> str:
    """The rows as a table in Markdown."""
    lines = [
        "| What | This package | Against | It takes | Ratio | Bar | Note |",
        "| --- | ---: | --- | ---: | ---: | --- | --- |",
    ]
    verdict = {True: "met", False: "**missed**", None: ""}
    for row in rows:
        ratio = "-" if row.ratio is None else f"{row.ratio:.2f} x"
        cells = [
            row.what,
            _spread(row.ours, row.unit),
            row.against or "-",
            _spread(row.theirs, row.unit),
            ratio,
            f"{row.bar} {verdict[row.met]}".strip() or "-",
            row.note,
        ]
        lines.append(f"| {' | '.join(map(_cell, cells))} |".replace(" |  |", " | |"))
    return "\n".join(lines)


def machine() -> dict[str, str]:
    """What a reader needs to know of the machine: nothing that names it."""
    about = Path("/proc/cpuinfo")
    models = re.findall(r"^model name\s*: (.*)$", about.read_text(), re.MULTILINE) if about.exists() else []
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "Processor": models[0].strip() if models else platform.machine(),
        "Cores": str(os.cpu_count()),
        "Memory": f"{memory:.0f} GiB",
        "System": f"{platform.system()} {platform.machine()}",
    }


def page(sections: Mapping[str, tuple[str, Sequence[Row]]], versions: Mapping[str, str], load: float) -> str:
    """docs/benchmarks.md.

    :param sections: what is compared, and the rows, by their heading.
    :param versions: versions by the name of what has them.
    :param load: how many processes wanted a core when the run began.
    """
    today = dt.datetime.now(dt.UTC).date().isoformat()
    facts = {**machine(), "Load before the run": f"{load:.1f}", **versions}
    parts = [
        "# Benchmarks",
        f"Written by one run of `make bench` on {today}. Change the code, not this page.",
        "A number is the median of its rounds, with the smallest and the largest in brackets. Both sides of a line are "
        "measured in the same run, by turns where they have as many rounds as each other; the ratio is then the "
        "median of the rounds' own ratios, which a busy machine moves less.",
    ]
    for heading, (about, rows) in sections.items():
        parts += [f"## {heading}", about, table(rows)]
    listed = "\n".join(f"| {_cell(name)} | {_cell(value)} |" for name, value in facts.items())
    parts += ["## Machine and versions", f"| What | Which |\n| --- | --- |\n{listed}"]
    return "\n\n".join(parts) + "\n"
