"""Where the symbols and lines of a pedigree drawing go.

Between two rows of people lies a band for the lines: every union of two parents has its own
horizontal lane there, so that lines of different unions may cross but never run on top of each
other. Coordinates are in pixels, y downwards.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal

from kinward.model.pedigree import Pedigree
from kinward.report.pedigree_places import GAP, Item, Places, Union, free_place

__all__ = ["SYMBOL", "Layout", "Symbol", "Wire", "layout_pedigree"]

SYMBOL = 34.0
"""Side of a square, diameter of a circle."""

WireKind = Literal["marriage", "descent", "twins"]
Point = tuple[float, float]
Span = tuple[float, float]
Port = Callable[[int, float, float], float]

_LABEL = 30.0  # height kept free for the words below a symbol
_LANE = 13.0
_TWIN = 30.0  # height of the fork of twins
_MARGIN = 24.0
_FORK_ROOM = 60.0  # how far a fork may be moved from the middle of its twins


@dataclass(frozen=True, slots=True)
class Symbol:
    """One person's symbol; `person` is the position in the pedigree, x and y the centre."""

    person: int
    x: float
    y: float


@dataclass(frozen=True, slots=True)
class Wire:
    """One polyline of the union with this number; `doubled` marks parents who are related."""

    union: int
    kind: WireKind
    points: tuple[Point, ...]
    doubled: bool = False


@dataclass(frozen=True, slots=True)
class Layout:
    """Symbols in the order of the pedigree's people; unions as (father, mother), -1 for none."""

    symbols: tuple[Symbol, ...]
    wires: tuple[Wire, ...]
    unions: tuple[tuple[int, int], ...]
    width: float
    height: float


@dataclass(slots=True, eq=False)
class _Fork:
    """Lines from one point to monozygotic twins; `bar`: how far down the bar between them is."""

    x: float
    ends: list[float]
    bar: float = 0.5

    @property
    def span(self) -> Span:
        return min(self.x, *self.ends), max(self.x, *self.ends)


@dataclass(slots=True, eq=False)
class _Net:
    """Lines of one union in one band: they meet on a horizontal trunk."""

    union: Union
    kind: WireKind
    top: list[Point]
    bottom: list[Point]
    forks: list[_Fork] = field(default_factory=list)
    outlet: list[float] = field(default_factory=list)
    """Where another net of the union starts from the trunk."""
    lane: int = 0

    @property
    def span(self) -> Span:
        xs = [x for x, _ in (*self.top, *self.bottom)]
        xs += [fork.x for fork in self.forks] + self.outlet
        return min(xs), max(xs)

    @property
    def straight(self) -> bool:
        low, high = self.span
        return high - low < 0.5


def layout_pedigree(pedigree: Pedigree, label_widths: Sequence[float] | None = None) -> Layout:
    """Lay out any pedigree, loops and several mates included.

    `label_widths` (pixels, by person) are kept free below the symbols.
    """
    widths = [max(SYMBOL, w) for w in label_widths or [SYMBOL] * len(pedigree.people)]
    return _Lines(pedigree, Places(pedigree, widths)).layout()


class _Lines:
    """The lines between people whose places are known."""

    def __init__(self, pedigree: Pedigree, places: Places) -> None:
        self.pedigree = pedigree
        self.places = places
        self.items = places.items
        self.unions = places.unions
        self.rows = places.rows

    def layout(self) -> Layout:
        bands = self._bands()
        tops = self._heights(bands)
        wires = [w for band, nets in enumerate(bands) for w in self._band_wires(nets, tops, band)]
        wires += self._marriages(tops)
        wires += self._passages(tops)
        return self._shifted(wires, tops)

    def _middle(self, union: Union) -> float:
        """Return the x between the labels of two mates who stand side by side."""
        left, right = sorted((self.items[p] for p in union.parents), key=lambda item: item.x)
        return (left.x + left.width / 2 + right.x - right.width / 2) / 2

    def _bands(self) -> list[list[_Net]]:
        """Return the nets of the band below each row, lanes not yet given."""
        bands: list[list[_Net]] = [[] for _ in self.rows]
        taken: list[list[float]] = [self._fixed(band) for band in range(len(bands))]

        def port(band: int, x: float, room: float) -> float:
            free = free_place(x, taken[band], room)
            taken[band].append(free)
            return free

        for union in sorted(self.unions, key=lambda u: not self.places.adjacent(u)):
            outlet, level = self._outlet(union, bands, port)
            for item in union.descent:
                bands[item.row - 1].append(
                    _Net(union, "descent", [(outlet, level)], [(item.x, 1.0)])
                )
                outlet, level = item.x, 0.0
            first = union.row + len(union.descent)
            bands[first].append(self._sibship(union, outlet, level))
            for child, column in union.late.items():
                for above, below in pairwise([*column, self.items[child]]):
                    bands[above.row].append(
                        _Net(union, "descent", [(above.x, 0.0)], [(below.x, 1.0)])
                    )
        for nets, xs in zip(bands, taken, strict=True):
            _place_forks(nets, xs)
        return bands

    def _fixed(self, band: int) -> list[float]:
        """Return the x of all that stands in the band's way whatever the lines do."""
        passing = [item.x for item in self.rows[band] if item.person < 0]
        below = self.rows[band + 1] if band + 1 < len(self.rows) else []
        return passing + [item.x for item in below]

    def _outlet(self, union: Union, bands: list[list[_Net]], port: Port) -> tuple[float, float]:
        """Return where the line to the children starts: x, and 0 at the row or -1 at a marriage."""
        row = union.row
        below = union.descent[0:1] or [
            union.late[c][0] if c in union.late else self.items[c] for c in union.children
        ]
        if self.places.adjacent(union):
            middle = self._middle(union)
            if len(below) == 1 and abs(below[0].x - middle) < GAP / 2 - 4:
                return below[0].x, 0.0
            return port(row, middle, GAP / 2 - 2), 0.0
        if len(union.parents) == 1:
            return port(row, self.items[union.parents[0]].x, SYMBOL / 2 - 3), 0.0
        low = [p for p in union.parents if self.items[p].row == row]
        ends = [(port(row, self.items[p].x, SYMBOL / 2 - 3), 0.0) for p in low]
        if union.upper:
            high = next(p for p in union.parents if p not in low)
            start = port(self.items[high].row, self.items[high].x, SYMBOL / 2 - 3)
            for item in union.upper:
                bands[item.row - 1].append(_Net(union, "marriage", [(start, 0.0)], [(item.x, 1.0)]))
                start = item.x
            ends.append((start, 0.0))
        outlet = port(row, (ends[0][0] + ends[1][0]) / 2, 60.0)
        bands[row].append(_Net(union, "marriage", ends, [], outlet=[outlet]))
        return outlet, -1.0

    def _sibship(self, union: Union, outlet: float, level: float) -> _Net:
        net = _Net(union, "descent", [(outlet, level)], [])
        forks: dict[str, list[Item]] = {}
        for child in union.children:
            twin = self.pedigree.people[child].twin
            if child in union.late:
                net.bottom.append((union.late[child][0].x, 1.0))
            elif twin is not None:
                forks.setdefault(twin, []).append(self.items[child])
            else:
                net.bottom.append((self.items[child].x, 1.0))
        for alike in forks.values():
            ends = [item.x for item in alike]
            if len(ends) == 1:
                net.bottom.append((ends[0], 1.0))
            else:
                net.forks.append(_Fork(sum(ends) / len(ends), ends))
        return net

    def _heights(self, bands: list[list[_Net]]) -> list[float]:
        """Give lanes to the nets and return the y of each row's centres."""
        tops = [_MARGIN + SYMBOL / 2]
        for nets in bands[:-1]:
            lanes = 0
            for kind in ("marriage", "descent"):
                lanes = _give_lanes([n for n in nets if n.kind == kind], lanes)
            fork = _TWIN if any(net.forks for net in nets) else 0.0
            band = _LABEL + _LANE * max(lanes, 1) + fork + 18.0
            tops.append(tops[-1] + SYMBOL + band)
        return tops

    def _lane_y(self, net: _Net, tops: list[float], band: int) -> float:
        return tops[band] + SYMBOL / 2 + _LABEL + _LANE * (net.lane + 0.5)

    def _band_wires(self, nets: list[_Net], tops: list[float], band: int) -> Iterable[Wire]:
        marriage_lane = {
            net.union.number: self._lane_y(net, tops, band)
            for net in nets
            if net.kind == "marriage" and not net.bottom
        }
        for net in nets:
            y = self._lane_y(net, tops, band)
            number, kind = net.union.number, net.kind
            doubled = net.union.doubled and bool(net.outlet)
            for x, level in net.top:
                start = self._start(net, x, level, tops, band, marriage_lane)
                yield Wire(number, kind, ((x, start), (x, y)))
            if not net.straight:
                low, high = net.span
                yield Wire(number, kind, ((low, y), (high, y)), doubled)
            for x, _ in net.bottom:
                yield Wire(number, kind, ((x, y), (x, tops[band + 1] - SYMBOL / 2)))
            for fork in net.forks:
                yield from self._fork(number, y, fork, tops[band + 1] - SYMBOL / 2)

    def _start(
        self,
        net: _Net,
        x: float,
        level: float,
        tops: list[float],
        band: int,
        marriage_lane: dict[int, float],
    ) -> float:
        """Return the y from which a line enters the band."""
        if level < 0:
            return marriage_lane[net.union.number]
        passing = any(
            item.row == band and abs(item.x - x) < 0.01
            for column in (net.union.upper, net.union.descent, *net.union.late.values())
            for item in column
        )
        if passing:
            return tops[band] + SYMBOL / 2
        if net.kind == "descent" and self.places.adjacent(net.union):
            return tops[band]
        return tops[band] + SYMBOL / 2

    @staticmethod
    def _fork(number: int, y: float, fork: _Fork, bottom: float) -> Iterable[Wire]:
        """Yield the lines to monozygotic twins: a fork, and the bar that joins them."""
        apex = bottom - _TWIN
        yield Wire(number, "descent", ((fork.x, y), (fork.x, apex)))
        for end in fork.ends:
            yield Wire(number, "descent", ((fork.x, apex), (end, bottom)))
        meets = [fork.x + (end - fork.x) * fork.bar for end in fork.ends]
        bar = apex + _TWIN * fork.bar
        yield Wire(number, "twins", ((min(meets), bar), (max(meets), bar)))

    def _marriages(self, tops: list[float]) -> Iterable[Wire]:
        for union in self.unions:
            if self.places.adjacent(union):
                left, right = sorted((self.items[p] for p in union.parents), key=lambda i: i.x)
                y = tops[union.row]
                ends = ((left.x + SYMBOL / 2, y), (right.x - SYMBOL / 2, y))
                yield Wire(union.number, "marriage", ends, union.doubled)

    def _passages(self, tops: list[float]) -> Iterable[Wire]:
        """Yield the pieces that pass a row from the band above to the band below."""
        for union in self.unions:
            columns: list[tuple[WireKind, list[Item]]] = [
                ("marriage", union.upper),
                ("descent", union.descent),
                *(("descent", column) for column in union.late.values()),
            ]
            for kind, column in columns:
                for item in column:
                    top = tops[item.row] - SYMBOL / 2
                    ends = ((item.x, top), (item.x, top + SYMBOL))
                    yield Wire(union.number, kind, ends)

    def _shifted(self, wires: list[Wire], tops: list[float]) -> Layout:
        """Move everything to positive coordinates and close the layout."""
        placed = [item for row in self.rows for item in row]
        xs = [x for wire in wires for x, _ in wire.points]
        left = min([item.x - item.width / 2 for item in placed] + xs) - _MARGIN
        right = max([item.x + item.width / 2 for item in placed] + xs) + _MARGIN
        moved = tuple(
            Wire(w.union, w.kind, tuple((x - left, y) for x, y in w.points), w.doubled)
            for w in wires
        )
        symbols = tuple(Symbol(i.person, i.x - left, tops[i.row]) for i in self.items)
        pairs = tuple((union.father, union.mother) for union in self.unions)
        height = tops[-1] + SYMBOL / 2 + _LABEL + _MARGIN
        return Layout(symbols, moved, pairs, right - left, height)


def _place_forks(nets: Sequence[_Net], taken: Sequence[float]) -> None:
    """Move forks off the lines of other unions and their bars off each other.

    Twins who have mates may stand far from each other, with other people's children in between.
    """
    taken = list(taken)
    for net in nets:
        own = {x for x, _ in (*net.top, *net.bottom)}.union(*(fork.ends for fork in net.forks))
        for fork in net.forks:
            fork.x = free_place(fork.x, [x for x in taken if x not in own], _FORK_ROOM)
            taken.append(fork.x)
    forks = [fork for net in nets for fork in net.forks]
    levels = _first_fit([fork.span for fork in forks])
    for fork, level in zip(forks, levels, strict=True):
        fork.bar = (level + 1) / (max(levels) + 2)


def _give_lanes(nets: Sequence[_Net], start: int) -> int:
    """Give each net the first lane, from `start`, in which it has room; return the next lane."""
    lanes = _first_fit([net.span for net in nets])
    for net, lane in zip(nets, lanes, strict=True):
        net.lane = start + lane
    return start + max(lanes, default=-1) + 1


def _first_fit(spans: Sequence[Span]) -> list[int]:
    """Return for each span the first lane in which it has room, short ones served first."""
    lanes: list[list[Span]] = []
    found = [0] * len(spans)
    for at in sorted(range(len(spans)), key=lambda k: (spans[k][1] - spans[k][0], spans[k])):
        low, high = spans[at]
        fits = (all(high + 6 < a or low - 6 > b for a, b in used) for used in lanes)
        found[at] = next((lane for lane, free in enumerate(fits) if free), len(lanes))
        if found[at] == len(lanes):
            lanes.append([])
        lanes[found[at]].append((low, high))
    return found
