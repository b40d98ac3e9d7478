"""The picture as SVG: a row for each registry, upstreams to its left, who pulls to its right.

Replication runs in lanes left of the registries, one for each source, so that lines meet at right angles only and boxes
never lie over each other, however many there are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from .picture import Puller, Row, rows

if TYPE_CHECKING:
    from ..configuration import Configuration

_MARGIN = 24
_PAD = 12
_LINE = 18
_GAP = 14
_ROW_GAP = 30
_LANE = 12
_GUTTER = 44
_HEADING = 34
_LEGEND = 46
_LONGEST = 44
_EM = 0.62
"""Width of a character, in sizes of the font: no monospaced font of browsers is wider."""
_NAME, _TEXT = 14, 12

_STYLE = """
    text { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; fill: #1f2328 }
    .name { font-size: 14px; font-weight: 600 }
    .text { font-size: 12px }
    .quiet { font-size: 12px; fill: #59636e }
    .head { font: 600 12px system-ui, "Segoe UI", Helvetica, Arial, sans-serif; fill: #59636e }
    .ground { fill: #ffffff }
    .box { fill: #f6f8fa; stroke: #d0d7de }
    .registry { fill: #fff4e5; stroke: #d4822a }
    .line { fill: none; stroke-width: 1.5 }
    .in { stroke: #0969da }
    .copy { stroke: #8250df; stroke-dasharray: 5 3 }
    .pull { stroke: #1a7f37 }
    .pushed { stroke-dasharray: 2 3 }
    .tip-in { fill: #0969da }
    .tip-copy { fill: #8250df }
    .tip-pull { fill: #1a7f37 }
    @media (prefers-color-scheme: dark) {
      text { fill: #f0f6fc }
      .quiet, .head { fill: #9198a1 }
      .ground { fill: #0d1117 }
      .box { fill: #161b22; stroke: #3d444d }
      .registry { fill: #2d2113; stroke: #b8711f }
      .in { stroke: #4493f8 }
      .copy { stroke: #ab7df8 }
      .pull { stroke: #3fb950 }
      .tip-in { fill: #4493f8 }
      .tip-copy { fill: #ab7df8 }
      .tip-pull { fill: #3fb950 }
    }
"""


@dataclass(frozen=True, kw_only=True)
class Box:
    """A rectangle, in pixels."""

    left: float
    top: float
    width: float
    height: float

    @property
    def right(self) -> float:
        """The right edge."""
        return self.left + self.width

    @property
    def bottom(self) -> float:
        """The lower edge."""
        return self.top + self.height

    @property
    def middle(self) -> float:
        """Half-way down."""
        return self.top + self.height / 2


@dataclass(frozen=True, kw_only=True)
class _Columns:
    """Left edges and widths of the three columns, and where the lanes are."""

    sources: float
    sources_width: float
    lanes: float
    registries: float
    registry_width: float
    pullers: float
    puller_width: float

    @property
    def width(self) -> float:
        return max(self.pullers + self.puller_width + _MARGIN, 640)


@dataclass(frozen=True, kw_only=True)
class PlacedRow:
    """The positions of the parts of a row.

    :param row: the row.
    :param registry: box of the registry.
    :param sources: box of the upstreams, ``None`` where there are none.
    :param pullers: a box for each of who pulls.
    :param ports: where lines meet the left edge of the registry, by the name of the registry that replicates
        (its own, where it does); ``""`` is the upstreams' own.
    """

    row: Row
    registry: Box
    sources: Box | None
    pullers: tuple[Box, ...]
    ports: dict[str, float]

    @property
    def boxes(self) -> tuple[Box, ...]:
        """All of them."""
        return (self.registry, *([self.sources] if self.sources else []), *self.pullers)


def svg(configuration: Configuration) -> str:
    """The picture as an SVG document, for light and dark pages.

    :param configuration: the configuration.
    """
    found = rows(configuration)
    lanes = [row.name for row in found if row.replicates_to]
    columns = _columns(found, len(lanes))
    placed = place(found)
    height = max(box.bottom for row in placed for box in row.boxes) + _LEGEND + _MARGIN
    parts = [
        *_start(columns.width, height, found),
        *_headings(columns, any(row.sources for row in found), any(row.pullers for row in found)),
    ]
    for row in placed:
        parts += _lines_of(row, columns)
    for number, name in enumerate(lanes):
        parts += _lane(name, columns.lanes + _LANE * number, placed, columns)
    for row in placed:
        parts += _boxes_of(row)
    return "\n".join([*parts, *_legend(found, height), "</svg>"]) + "\n"


def place(found: tuple[Row, ...]) -> tuple[PlacedRow, ...]:
    """The positions of all boxes, which do not overlap."""
    lanes = [row.name for row in found if row.replicates_to]
    columns = _columns(found, len(lanes))
    top: float = _MARGIN + _HEADING
    placed = []
    for row in found:
        made = _place(row, columns, [name for name in lanes if _touches(name, row, found)], top)
        placed.append(made)
        top = max(box.bottom for box in made.boxes) + _ROW_GAP
    return tuple(placed)


def _touches(lane: str, row: Row, found: tuple[Row, ...]) -> bool:
    return lane == row.name or any(source.name == lane and row.name in source.replicates_to for source in found)


def _columns(found: tuple[Row, ...], lanes: int) -> _Columns:
    sources = max((_sources_width(row) for row in found), default=0)
    lane = _MARGIN + sources + _GUTTER / 2
    registries = lane + _LANE * lanes + _GUTTER / 2 + 8
    registry_width = max(_width((row.name, row.place, row.role)) for row in found)
    pullers = registries + registry_width + _GUTTER
    widths = [_width((puller.name, *puller.lines)) for row in found for puller in row.pullers]
    return _Columns(
        sources=_MARGIN,
        sources_width=sources,
        lanes=lane,
        registries=registries,
        registry_width=registry_width,
        pullers=pullers,
        puller_width=max(widths, default=0),
    )


def _sources_width(row: Row) -> float:
    if not row.sources:
        return 0
    host, prefix = _source_columns(row)
    return 2 * _PAD + (host + prefix) * _TEXT * _EM + _GAP


def _source_columns(row: Row) -> tuple[int, int]:
    """Longest host and longest prefix, in characters."""
    return max(len(_cut(_host(s.host, s.pushed))) for s in row.sources), max(len(s.prefix) for s in row.sources)


def _width(lines: tuple[str, ...]) -> float:
    name, *others = map(_cut, lines)
    return 2 * _PAD + max([len(name) * _NAME * _EM, *(len(line) * _TEXT * _EM for line in others)])


def _place(row: Row, columns: _Columns, lanes: list[str], top: float) -> PlacedRow:
    """A row whose highest box begins at ``top``."""
    ports = [*([""] if row.sources else []), *lanes]
    height = max(2 * _PAD + 3 * _LINE, 16.0 * (len(ports) + 1))
    heights = [_puller_height(puller) for puller in row.pullers]
    stack = sum(heights) + _GAP * max(len(heights) - 1, 0)
    step = height / (len(ports) + 1)
    sources = 2 * _PAD + _LINE * len(row.sources)
    above = max([0, stack / 2 - height / 2, *([sources / 2 - step] if row.sources else [])])
    registry = Box(left=columns.registries, top=top + above, width=columns.registry_width, height=height)
    at = {name: registry.top + step * (number + 1) for number, name in enumerate(ports)}
    boxes = []
    y = registry.middle - stack / 2
    for one in heights:
        boxes.append(Box(left=columns.pullers, top=y, width=columns.puller_width, height=one))
        y += one + _GAP
    source = None
    if row.sources:
        source = Box(left=columns.sources, top=at[""] - sources / 2, width=columns.sources_width, height=sources)
    return PlacedRow(row=row, registry=registry, sources=source, pullers=tuple(boxes), ports=at)


def _puller_height(puller: Puller) -> float:
    return 2 * _PAD + _LINE * (1 + len(puller.lines)) - 4


def _start(width: float, height: float, found: tuple[Row, ...]) -> list[str]:
    names = ", ".join(row.name for row in found)
    tips = "".join(
        f'<marker id="{kind}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" '
        f'markerUnits="userSpaceOnUse" orient="auto"><path class="tip-{kind}" d="M0 0L8 4L0 8z"/></marker>'
        for kind in ("in", "copy", "pull")
    )
    size = f'width="{_n(width)}" height="{_n(height)}"'
    return [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_n(width)} {_n(height)}" {size} role="img">',
        "<title>Amazon ECR pull through cache</title>",
        f"<desc>Upstream registries, the ECR registries {escape(names)}, and who pulls from them.</desc>",
        f"<style>{_STYLE}</style>",
        f"<defs>{tips}</defs>",
        f'<rect class="ground" {size} rx="8"/>',
    ]


def _headings(columns: _Columns, sources: bool, pullers: bool) -> list[str]:
    heads = [
        *([(columns.sources, "Upstream registries")] if sources else []),
        (columns.registries, "Amazon ECR"),
        *([(columns.pullers, "Who pulls")] if pullers else []),
    ]
    return [f'<text class="head" x="{_n(x)}" y="{_n(_MARGIN + 10)}">{text}</text>' for x, text in heads]


def _lines_of(placed: PlacedRow, columns: _Columns) -> list[str]:
    lines = []
    if placed.sources is not None:
        pushed = " pushed" if all(source.pushed for source in placed.row.sources) else ""
        lines.append(
            _line("in", f"M{_n(placed.sources.right)} {_n(placed.ports[''])}H{_n(columns.registries - 1)}", pushed)
        )
    if placed.pullers:
        start = (placed.registry.right, placed.registry.middle)
        ends = [(box.left - 1, box.middle) for box in placed.pullers]
        lines += _tree("pull", start, columns.pullers - _GUTTER / 2, ends)
    return lines


def _lane(name: str, x: float, placed: tuple[PlacedRow, ...], columns: _Columns) -> list[str]:
    """The lines from a registry to those that it replicates to."""
    source = next(row for row in placed if row.row.name == name)
    ends = [(columns.registries - 1, row.ports[name]) for row in placed if row.row.name in source.row.replicates_to]
    return _tree("copy", (columns.registries, source.ports[name]), x, ends)


def _tree(kind: str, start: tuple[float, float], x: float, ends: list[tuple[float, float]]) -> list[str]:
    """A trunk at ``x`` and a branch to each end. No two lines lie over each other, which would blur their dashes."""
    ys = [start[1], *(y for _, y in ends)]
    trunk = f"M{_n(start[0])} {_n(start[1])}H{_n(x)}M{_n(x)} {_n(min(ys))}V{_n(max(ys))}"
    return [
        f'<path class="line {kind}" d="{trunk}"/>',
        *(_line(kind, f"M{_n(x)} {_n(y)}H{_n(end)}") for end, y in ends),
    ]


def _line(kind: str, way: str, more: str = "") -> str:
    return f'<path class="line {kind}{more}" marker-end="url(#{kind})" d="{way}"/>'


def _boxes_of(placed: PlacedRow) -> list[str]:
    row = placed.row
    parts = [_rectangle(placed.registry, "registry"), *_texts(placed.registry, (row.name, row.place, row.role))]
    if placed.sources is not None:
        parts.append(_rectangle(placed.sources, "box"))
        for number, source in enumerate(row.sources):
            y = placed.sources.top + _PAD + _LINE * number + 13
            parts.append(_text("text", placed.sources.left + _PAD, y, _host(source.host, source.pushed)))
            parts.append(_text("quiet", placed.sources.right - _PAD, y, source.prefix, anchor="end"))
    for puller, box in zip(row.pullers, placed.pullers, strict=True):
        parts.append(_rectangle(box, "box", round=8 if puller.is_cluster else box.height / 2))
        parts += _texts(box, (puller.name, *puller.lines))
    return parts


def _host(host: str, pushed: bool) -> str:
    return f"{host} (pushed)" if pushed else host


def _texts(box: Box, lines: tuple[str, ...]) -> list[str]:
    top = box.middle - _LINE * len(lines) / 2
    return [
        _text("quiet" if number else "name", box.left + _PAD, top + _LINE * number + 13, line)
        for number, line in enumerate(lines)
    ]


def _rectangle(box: Box, kind: str, *, round: float = 8) -> str:
    return (
        f'<rect class="{kind}" x="{_n(box.left)}" y="{_n(box.top)}" width="{_n(box.width)}" '
        f'height="{_n(box.height)}" rx="{_n(round)}"/>'
    )


def _text(kind: str, x: float, y: float, text: str, *, anchor: str = "") -> str:
    end = f' text-anchor="{anchor}"' if anchor else ""
    whole = f"<title>{escape(text)}</title>" if _cut(text) != text else ""
    return f'<text class="{kind}" x="{_n(x)}" y="{_n(y)}"{end}>{whole}{escape(_cut(text))}</text>'


def _legend(found: tuple[Row, ...], height: float) -> list[str]:
    y = height - _MARGIN
    kinds = [
        *([("in", "pulled through by a first pull")] if any(not s.pushed for r in found for s in r.sources) else []),
        *([("in pushed", "pushed")] if any(s.pushed for r in found for s in r.sources) else []),
        *([("copy", "replicated")] if any(row.replicates_to for row in found) else []),
        *([("pull", "pulled")] if any(row.pullers for row in found) else []),
    ]
    parts, x = [], float(_MARGIN)
    for kind, text in kinds:
        name, _, more = kind.partition(" ")
        parts.append(_line(name, f"M{_n(x)} {_n(y - 4)}h30", f" {more}" if more else ""))
        parts.append(f'<text class="head" x="{_n(x + 38)}" y="{_n(y)}">{text}</text>')
        x += 38 + 7 * len(text) + 20
    return parts


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _n(number: float) -> str:
    return f"{number:.1f}".removesuffix(".0")
