"""Geometry of the pictures: where the homes lie, and how children flow to them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import cos, radians, sqrt

from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe

__all__ = ["Flow", "FlowPicture", "HomeMap", "Mark", "Node", "flow_picture", "home_map"]

_WIDTH = 720
_MARGIN = 36


@dataclass(frozen=True, slots=True)
class Mark:
    """One home on the map, or the name of a region."""

    x: float
    y: float
    radius: float
    inner: float
    tone: str
    label: str


@dataclass(frozen=True, slots=True)
class HomeMap:
    """The map: a plain projection of latitude and longitude, north above."""

    width: int
    height: int
    marks: tuple[Mark, ...]
    names: tuple[Mark, ...]

    @property
    def drawn(self) -> SafeString:
        """The marks as SVG, written here because a country has more than a thousand homes."""
        return mark_safe("".join(map(_drawn, self.marks)))


def _drawn(mark: Mark) -> str:
    at = f'cx="{mark.x:.1f}" cy="{mark.y:.1f}"'
    return (
        f"<g><title>{escape(mark.label)}</title>"
        f'<circle class="chart-ring chart-ring--{mark.tone}" {at} r="{mark.radius:.1f}"/>'
        f'<circle class="chart-bar chart-bar--{mark.tone}" {at} r="{mark.inner:.1f}"/></g>\n'
    )


def home_map(
    homes: Sequence[tuple[float, float, int, int, str, str]],
    regions: Mapping[str, tuple[float, float]],
) -> HomeMap | None:
    """Return the map of homes, or None without any.

    :param homes: (latitude, longitude, beds, free beds, tone, label).
    :param regions: name → (latitude, longitude), written faintly for orientation.
    """
    if not homes:
        return None
    points = [(row[0], row[1]) for row in homes] + list(regions.values())
    south, north = min(p[0] for p in points), max(p[0] for p in points)
    west, east = min(p[1] for p in points), max(p[1] for p in points)
    squeeze = cos(radians((south + north) / 2))
    span = max((east - west) * squeeze, (north - south) * 1.4, 1.0)
    scale = (_WIDTH - 2 * _MARGIN) / span
    height = round((north - south) * scale) + 2 * _MARGIN + 20
    left = (_WIDTH - (east - west) * squeeze * scale) / 2

    def place(latitude: float, longitude: float) -> tuple[float, float]:
        return (
            round(left + (longitude - west) * squeeze * scale, 1),
            round(_MARGIN + (north - latitude) * scale, 1),
        )

    marks = []
    for latitude, longitude, beds, free, tone, label in sorted(homes, key=lambda row: -row[2]):
        x, y = place(latitude, longitude)
        radius = 4 + 2.2 * sqrt(beds)
        inner = radius * sqrt(free / beds) if beds else 0.0
        marks.append(Mark(x, y, round(radius, 1), round(inner, 1), tone, label))
    names = tuple(
        Mark(*place(*position), 0, 0, "", name) for name, position in sorted(regions.items())
    )
    return HomeMap(_WIDTH, height, tuple(marks), names)


@dataclass(frozen=True, slots=True)
class Node:
    """A bar at one side of the flows."""

    label: str
    count: int
    y: float
    height: float
    tone: str

    @property
    def middle(self) -> float:
        """Where its label stands."""
        return round(self.y + self.height / 2, 1)


@dataclass(frozen=True, slots=True)
class Flow:
    """A ribbon of children from a region to a home."""

    path: str
    tone: str
    label: str


@dataclass(frozen=True, slots=True)
class FlowPicture:
    """Children on the left, homes on the right, ribbons between."""

    height: float
    left: tuple[Node, ...]
    right: tuple[Node, ...]
    flows: tuple[Flow, ...]


_LEFT, _RIGHT, _GAP, _TALL = 170, 520, 12, 380
_MOST_LEFT, _MOST_RIGHT = 10, 14


def flow_picture(
    pairs: Iterable[tuple[str, str | None]], others: str, nowhere: str
) -> FlowPicture | None:
    """Return the flows of (region, home) pairs; None as the home means no place.

    The largest stand by name, the rest together as `others`.
    """
    counts = Counter(pairs)
    if not counts:
        return None
    by_left, by_right = Counter(), Counter()
    for (region, home), count in counts.items():
        by_left[region] += count
        if home is not None:
            by_right[home] += count
    lefts = {name for name, _ in _largest(by_left, _MOST_LEFT)}
    rights = {name for name, _ in _largest(by_right, _MOST_RIGHT)}
    merged: Counter[tuple[str, str]] = Counter()
    for (region, home), count in counts.items():
        right = nowhere if home is None else home if home in rights else others
        merged[region if region in lefts else others, right] += count
    total = sum(merged.values())
    scale = _TALL / max(total, 1)
    left_order = _order(merged, 0, others, "")
    right_order = _order(merged, 1, others, nowhere)
    left = _nodes(left_order, scale, "brand", nowhere)
    right = _nodes(right_order, scale, "home", nowhere)
    height = max(node.y + node.height for node in (*left, *right)) + _GAP
    flows = _flows(merged, left, right, scale, nowhere)
    return FlowPicture(round(height, 1), left, right, flows)


def _largest(counts: Counter[str], most: int) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda row: (-row[1], row[0]))[:most]


def _order(
    merged: Mapping[tuple[str, str], int], side: int, others: str, nowhere: str
) -> list[tuple[str, int]]:
    sums: Counter[str] = Counter()
    for pair, count in merged.items():
        sums[pair[side]] += count
    return sorted(
        sums.items(), key=lambda row: (row[0] == nowhere, row[0] == others, -row[1], row[0])
    )


def _nodes(
    rows: Sequence[tuple[str, int]], scale: float, tone: str, nowhere: str
) -> tuple[Node, ...]:
    nodes, y = [], float(_GAP)
    for label, count in rows:
        height = max(2.0, count * scale)
        shade = "urgent" if label == nowhere else tone
        nodes.append(Node(label, count, round(y, 1), round(height, 1), shade))
        y += max(height, 18.0) + _GAP
    return tuple(nodes)


def _flows(
    merged: Mapping[tuple[str, str], int],
    left: Sequence[Node],
    right: Sequence[Node],
    scale: float,
    nowhere: str,
) -> tuple[Flow, ...]:
    start = {node.label: node.y for node in left}
    end = {node.label: node.y for node in right}
    middle = (_LEFT + _RIGHT) / 2
    flows = []
    for source in left:
        for target in right:
            count = merged.get((source.label, target.label), 0)
            if not count:
                continue
            wide = max(1.0, count * scale)
            y, z = start[source.label], end[target.label]
            start[source.label] += wide
            end[target.label] += wide
            path = (
                f"M{_LEFT} {y:.1f}C{middle} {y:.1f} {middle} {z:.1f} {_RIGHT} {z:.1f}"
                f"V{z + wide:.1f}C{middle} {z + wide:.1f} {middle} {y + wide:.1f} "
                f"{_LEFT} {y + wide:.1f}Z"
            )
            tone = "urgent" if target.label == nowhere else "home"
            flows.append(Flow(path, tone, f"{source.label} → {target.label}: {count}"))
    return tuple(flows)
