"""A screening as a picture: who was screened, who bars, and by which links.

Layered from left to right: screened people, those between, those who bar. Links have their labels
in columns of their own, and a link of one step runs on through an empty lane, so that no line ever
crosses a label or a person. Meaning never rests on colour alone: who bars stands in an octagon,
who is not verified behind a question mark, a cleared link is dashed and ticked.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from unicodedata import east_asian_width

from django.utils.functional import Promise
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from kinward_web.casework.custody import Route, Screening, kind_label, part_label
from kinward_web.rules.custody import VERIFIED

__all__ = ["Box", "Drawing", "Line", "alternative", "draw", "svg"]

_SMALL, _LARGE = 12, 14
"""Sizes of type, in units of the picture."""
_PAD = 10
_GAP = 14
"""Free height between two items of a column."""
_FREE = 46
"""Free width between two columns, where lines bend."""
_NODE_HEIGHT = 46
_LABEL_HEIGHT = 24
_MARGIN = 12


@dataclass(frozen=True, slots=True)
class Box:
    """Something with text: a person or the label of a link."""

    key: str
    kind: str
    """`clear`, `involved`, `unverified`, `linked` (screened); `between`, `barring`, `empty`;
    `link`, `cleared` (labels)."""
    x: float
    y: float
    width: float
    height: float
    lines: tuple[str, ...]

    @property
    def middle(self) -> float:
        """Return the height at which lines meet the box."""
        return self.y + self.height / 2

    @property
    def right(self) -> float:
        """Return the right edge."""
        return self.x + self.width


@dataclass(frozen=True, slots=True)
class Line:
    """A bend from one box to another, or on through an empty lane."""

    start: tuple[float, float]
    end: tuple[float, float]
    state: str
    """`open` where it bars, `cleared`, or `idle` where a cleared link has broken the route."""


@dataclass(frozen=True, slots=True)
class Drawing:
    """A picture laid out."""

    width: float
    height: float
    boxes: tuple[Box, ...]
    lines: tuple[Line, ...]


@dataclass(slots=True)
class _Item:
    """An item of a column before it has its place: a box, or an empty lane (no text)."""

    key: str
    kind: str
    lines: tuple[str, ...]

    @property
    def height(self) -> float:
        if not self.lines:
            return 2.0
        return _LABEL_HEIGHT if self.kind in ("link", "cleared") else _NODE_HEIGHT

    @property
    def width(self) -> float:
        if not self.lines:
            return 0.0
        sizes = (_SMALL,) * len(self.lines)
        if self.kind not in ("link", "cleared"):
            sizes = (_LARGE, *sizes[1:])
        room = max(_text_width(text, size) for text, size in zip(self.lines, sizes, strict=True))
        # Room for the mark at the left of a person, or the tick of a cleared link.
        mark = 18 if self.kind == "cleared" else 0 if self.kind == "link" else 34
        return room + mark + 2 * _PAD


def _text_width(text: str, size: int) -> float:
    """Return an upper bound of the width of `text` in a sans-serif face."""
    wide = sum(1.0 if east_asian_width(letter) in "WF" else 0.6 for letter in text)
    return wide * size


def draw(screening: Screening) -> Drawing:
    """Lay out the picture of a screening."""
    barring = [denial.route for denial in screening.denials if denial.route is not None]
    columns: list[dict[str, _Item]] = [{}, {}, {}, {}, {}]
    joins: dict[tuple[int, str, str], str] = {}
    for item in _screened_items(screening):
        columns[0][item.key] = item
    for route, state in (
        *((route, "open") for route in barring),
        *((route, "idle") for route in screening.lifted),
    ):
        _add_route(columns, joins, route, state)
    return _place(columns, joins)


def _screened_items(screening: Screening) -> Iterable[_Item]:
    linked = {denial.person for denial in screening.denials}
    for row in screening.screened:
        kind = "linked" if row.person in linked else "clear"
        detail = ", ".join(map(_capacity_label, row.capacities))
        if row.identity != VERIFIED:
            kind, detail = "unverified", _("%(what)s; not verified") % {"what": detail}
        if row.parts:
            kind = "involved"
            detail = f"{detail}; {', '.join(map(part_label, row.parts))}"
        yield _Item(row.person, kind, (row.person, detail))
    if any(not denial.person for denial in screening.denials):
        yield _Item("", "empty", (_("Nobody"), _("no adult lives here")))


def _add_route(
    columns: list[dict[str, _Item]],
    joins: dict[tuple[int, str, str], str],
    route: Route,
    state: str,
) -> None:
    """Add the people and links of a route to their columns.

    Columns: 0 screened, 1 labels, 2 between, 3 labels, 4 barring. What bars goes before what has
    been lifted.
    """
    detail = ", ".join(map(part_label, route.parts))
    columns[4].setdefault(
        route.end, _Item(route.end, "barring", (route.end or _("Somebody"), detail))
    )
    near, *onward = route.steps
    if onward:
        columns[2].setdefault(
            near.target, _Item(near.target, "between", (near.target, _("between")))
        )
    for step in route.steps:
        column = 1 if step is near else 3
        for link in step.links:
            key = f"{step.source} {step.target} {link.via}"
            kind = "cleared" if link.cleared else "link"
            text = " · ".join(filter(None, (str(kind_label(link.kind)), link.via)))
            columns[column].setdefault(key, _Item(key, kind, (text,)))
            way = [(column - 1, step.source, key), (column, key, step.target)]
            if not onward:
                columns[2].setdefault(key, _Item(key, "lane", ()))
                columns[3].setdefault(key, _Item(key, "lane", ()))
                way[1:] = [(1, key, key), (2, key, key), (3, key, step.target)]
            for join in way:
                joins.setdefault(join, "cleared" if link.cleared else state)


def _place(columns: list[dict[str, _Item]], joins: dict[tuple[int, str, str], str]) -> Drawing:
    """Give every item its place: columns side by side, items one below the other."""
    _order(columns, joins)
    heights = [
        sum(item.height for item in column.values()) + _GAP * max(len(column) - 1, 0)
        for column in columns
    ]
    tallest = max(heights, default=0.0)
    placed: list[dict[str, Box]] = []
    x = float(_MARGIN)
    for column, height in zip(columns, heights, strict=True):
        width = max((item.width for item in column.values()), default=0.0)
        y = _MARGIN + (tallest - height) / 2
        boxes = {}
        for item in column.values():
            boxes[item.key] = Box(item.key, item.kind, x, y, width, item.height, item.lines)
            y += item.height + _GAP
        placed.append(boxes)
        x += width + (_FREE if column else 0)
    lines = []
    for (column, start, end), state in joins.items():
        one, other = placed[column][start], placed[column + 1][end]
        lines.append(Line((one.right, one.middle), (other.x, other.middle), state))
    lanes = [box for boxes in placed for box in boxes.values() if box.kind == "lane"]
    lines += [
        Line((box.x, box.middle), (box.right, box.middle), joins[1, box.key, box.key])
        for box in lanes
    ]
    every = [box for boxes in placed for box in boxes.values() if box.kind != "lane"]
    right = max((box.right for box in every), default=float(_MARGIN))
    return Drawing(right + _MARGIN, tallest + 2 * _MARGIN, tuple(every), tuple(lines))


def _order(columns: list[dict[str, _Item]], joins: dict[tuple[int, str, str], str]) -> None:
    """Sort each column by the mean place of what it joins to the left: fewer lines cross."""
    for number in range(1, len(columns)):
        rank = {key: place for place, key in enumerate(columns[number - 1])}
        reached: dict[str, list[int]] = {}
        for column, start, end in joins:
            if column == number - 1 and start in rank:
                reached.setdefault(end, []).append(rank[start])
        items = columns[number]
        order = sorted(items, key=lambda key: sum(reached[key]) / len(reached[key]))
        columns[number] = {key: items[key] for key in order}


# ------------------------------------------------------------------------------ as SVG


def svg(screening: Screening) -> SafeString:
    """Return the picture as SVG, without inline styles; `alternative` says the same in words."""
    drawing = draw(screening)
    width, height = round(drawing.width), round(drawing.height)
    return format_html(
        '<svg class="custody-graph" xmlns="http://www.w3.org/2000/svg" role="img" '
        'aria-labelledby="custody-graph-title custody-graph-desc" viewBox="0 0 {} {}" '
        'width="{}" height="{}" font-family="sans-serif" fill="none" stroke="currentColor">'
        '<title id="custody-graph-title">{}</title><desc id="custody-graph-desc">{}</desc>'
        "{}{}</svg>",
        width,
        height,
        width,
        height,
        _title(screening),
        " ".join(_sentences(screening)),
        format_html_join("", "{}", ((_line(line),) for line in drawing.lines)),
        format_html_join("", "{}", ((_box(box),) for box in drawing.boxes)),
    )


def alternative(screening: Screening) -> SafeString:
    """Return what the picture shows as a list."""
    rows = format_html_join("", "<li>{}</li>", ((text,) for text in _sentences(screening)))
    return format_html('<ul class="custody-graph-text">{}</ul>', rows)


def _title(screening: Screening) -> str:
    if screening.clear:
        return _("Custody check: nothing bars this place")
    return _("Custody check: what bars this place, and by which links")


def _sentences(screening: Screening) -> list[str]:
    """Return everything that the picture shows, in words."""
    found = [denial.message for denial in screening.denials]
    for route in screening.lifted:
        cleared = [link.via for step in route.steps for link in step.links if link.cleared]
        found.append(
            _("%(person)s is no longer barred by %(end)s: cleared %(links)s.")
            % {"person": route.person, "end": route.end, "links": ", ".join(cleared)}
        )
    for row in screening.screened:
        if row.clear:
            found.append(
                _("Nothing bars %(person)s (%(what)s).")
                % {
                    "person": row.person,
                    "what": ", ".join(map(_capacity_label, row.capacities)),
                }
            )
    return found


def _capacity_label(capacity: str) -> str:
    return {
        "household": _("household"),
        "escort": _("escort"),
        "payer": _("payer"),
        "carer": _("carer"),
    }[capacity]


def _line(line: Line) -> SafeString:
    (x1, y1), (x2, y2) = line.start, line.end
    bend = (x1 + x2) / 2
    path = f"M{x1:.1f} {y1:.1f}C{bend:.1f} {y1:.1f} {bend:.1f} {y2:.1f} {x2:.1f} {y2:.1f}"
    return format_html(
        '<path class="custody-graph__line custody-graph__line--{}" d="{}" stroke-width="{}"{}/>',
        line.state,
        path,
        1 if line.state == "idle" else 2,
        SafeString(' stroke-dasharray="5 5"') if line.state == "cleared" else "",
    )


def _box(box: Box) -> SafeString:
    if box.kind in ("link", "cleared"):
        return _label(box)
    barring = box.kind in ("barring", "involved")
    return format_html(
        '<g class="custody-graph__person custody-graph__person--{}">{}{}{}{}</g>',
        box.kind,
        _octagon(box) if barring else _frame(box, 6),
        _mark(box),
        _text(box, box.x + _PAD + 34, box.y + 20, _LARGE, box.lines[0], "code"),
        _text(box, box.x + _PAD + 34, box.y + 37, _SMALL, box.lines[1], "detail"),
    )


def _label(box: Box) -> SafeString:
    cleared = box.kind == "cleared"
    tick: str | SafeString = ""
    if cleared:
        x, y = box.x + _PAD, box.middle
        tick = format_html(
            '<path class="custody-graph__tick" d="M{} {}l4 5l8 -10" stroke-width="2"/>',
            f"{x:.1f}",
            f"{y:.1f}",
        )
    return format_html(
        '<g class="custody-graph__link{}">{}{}{}</g>',
        " custody-graph__link--cleared" if cleared else "",
        _frame(box, 12, dashed=cleared),
        tick,
        _text(box, box.x + _PAD + (18 if cleared else 0), box.y + 16, _SMALL, box.lines[0], "via"),
    )


def _text(box: Box, x: float, y: float, size: int, words: str | Promise, name: str) -> SafeString:
    return format_html(
        '<text class="custody-graph__{}" x="{}" y="{}" font-size="{}" fill="currentColor" '
        'stroke="none">{}</text>',
        name,
        f"{x:.1f}",
        f"{y:.1f}",
        size,
        words,
    )


def _frame(box: Box, radius: int, dashed: bool = False) -> SafeString:
    return format_html(
        '<rect class="custody-graph__frame" x="{}" y="{}" width="{}" height="{}" rx="{}" '
        'stroke-width="1.5"{}/>',
        f"{box.x:.1f}",
        f"{box.y:.1f}",
        f"{box.width:.1f}",
        f"{box.height:.1f}",
        radius,
        SafeString(' stroke-dasharray="5 5"') if dashed else "",
    )


def _octagon(box: Box) -> SafeString:
    cut = 12
    left, top, right, bottom = box.x, box.y, box.right, box.y + box.height
    points = [
        (left + cut, top),
        (right - cut, top),
        (right, top + cut),
        (right, bottom - cut),
        (right - cut, bottom),
        (left + cut, bottom),
        (left, bottom - cut),
        (left, top + cut),
    ]
    return format_html(
        '<polygon class="custody-graph__frame" points="{}" stroke-width="3"/>',
        " ".join(f"{x:.1f},{y:.1f}" for x, y in points),
    )


def _mark(box: Box) -> SafeString:
    """Return the sign at the left of a person: a tick, a question, a chain, dots or a bar."""
    x, y = box.x + _PAD + 11, box.middle
    circle = format_html(
        '<circle cx="{}" cy="{}" r="10" stroke-width="1.5"/>', f"{x:.1f}", f"{y:.1f}"
    )
    if box.kind in ("unverified", "empty"):
        sign = format_html(
            '<text x="{}" y="{}" font-size="15" font-weight="700" text-anchor="middle" '
            'fill="currentColor" stroke="none">?</text>',
            f"{x:.1f}",
            f"{y + 5:.1f}",
        )
    else:
        # A tick; a chain of two; three dots; a bar.
        shape, width = {
            "clear": ("m-6 0l4 5l8 -10", 2.0),
            "linked": (
                "m-7 0a3 3 0 1 0 6 0a3 3 0 1 0 -6 0m6 0h2a3 3 0 1 0 6 0a3 3 0 1 0 -6 0",
                1.5,
            ),
            "between": ("m-6 0h2m3 0h2m3 0h2", 3.0),
            "involved": ("m-6 0h12", 4.0),
            "barring": ("m-6 0h12", 4.0),
        }[box.kind]
        sign = format_html(
            '<path d="M{} {}{}" stroke-width="{}"/>', f"{x:.1f}", f"{y:.1f}", shape, width
        )
    return format_html('<g class="custody-graph__mark">{}{}</g>', circle, sign)
