"""Where the symbols and lines of a pedigree drawing go.

People stand in rows by generation, mates side by side where that is possible. Between two rows
lies a band for the lines: every union of two parents has its own horizontal lane there, so that
lines of different unions may cross but never run on top of each other. A line that must pass a row
has a place of its own in it. Coordinates are in pixels, y downwards.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal

from kinward.model.pedigree import Pedigree

__all__ = ["SYMBOL", "Layout", "Symbol", "Wire", "layout_pedigree"]

SYMBOL = 34.0
"""Side of a square, diameter of a circle."""

WireKind = Literal["marriage", "descent", "twins"]
Point = tuple[float, float]
Port = Callable[[int, float, float], float]

_GAP = 26.0  # between neighbours of a row
_DUMMY = 10.0  # width of the place where a line passes a row
_LABEL = 30.0  # height kept free for the words below a symbol
_LANE = 13.0
_TWIN = 30.0  # height of the fork of twins
_MARGIN = 24.0
_APART = 3.0  # lines of different unions closer than this look like one
_SWEEPS = 24


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
class _Item:
    """A person, or with person -1 a passing line, in a row."""

    person: int
    row: int
    width: float
    x: float = 0.0


@dataclass(slots=True, eq=False)
class _Block:
    """Items of one row that stay side by side in this order."""

    items: list[_Item]

    @property
    def width(self) -> float:
        return sum(item.width for item in self.items) + _GAP * (len(self.items) - 1)

    @property
    def centre(self) -> float:
        first, last = self.items[0], self.items[-1]
        return (first.x - first.width / 2 + last.x + last.width / 2) / 2

    def place(self, centre: float) -> None:
        left = centre - self.width / 2
        for item in self.items:
            item.x = left + item.width / 2
            left += item.width + _GAP


@dataclass(slots=True, eq=False)
class _Union:
    number: int
    father: int
    mother: int
    children: list[int]
    doubled: bool = False
    row: int = 0
    upper: list[_Item] = field(default_factory=list)
    """Places in which the line of the parent in the higher row passes."""
    descent: list[_Item] = field(default_factory=list)
    late: dict[int, list[_Item]] = field(default_factory=dict)
    """Per child that stands lower than its highest sibling, the places its line passes."""

    @property
    def parents(self) -> list[int]:
        return [p for p in (self.father, self.mother) if p >= 0]


@dataclass(slots=True, eq=False)
class _Net:
    """Lines of one union in one band: they meet on a horizontal trunk."""

    union: _Union
    kind: WireKind
    top: list[Point]
    bottom: list[Point]
    forks: list[tuple[float, list[Point]]] = field(default_factory=list)
    outlet: list[float] = field(default_factory=list)
    """Where another net of the union starts from the trunk."""
    lane: int = 0

    @property
    def span(self) -> tuple[float, float]:
        xs = [x for x, _ in (*self.top, *self.bottom, *self.forks)] + self.outlet
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
    return _Drawing(pedigree, widths).layout()


class _Drawing:
    """The steps of one layout: rows, places, order, coordinates, lines."""

    def __init__(self, pedigree: Pedigree, widths: Sequence[float]) -> None:
        self.pedigree = pedigree
        rows = _generations(pedigree)
        self.items = [_Item(i, rows[i], widths[i]) for i in range(len(rows))]
        self.unions = self._unions()
        self.blocks = self._blocks(max(rows) + 1)
        self.block_of = {id(i): b for row in self.blocks for b in row for i in b.items}
        self.links = self._links()

    def layout(self) -> Layout:
        self._order()
        self._straighten()
        self._free_passages()
        bands = self._bands()
        tops = self._heights(bands)
        wires = [w for band, nets in enumerate(bands) for w in self._band_wires(nets, tops, band)]
        wires += self._marriages(tops)
        wires += self._passages(tops)
        return self._shifted(wires, tops)

    # --- rows and places ---------------------------------------------------------------------

    def _unions(self) -> list[_Union]:
        found: dict[tuple[int, int], _Union] = {}
        related = _ancestors(self.pedigree)
        for child, pair in enumerate(zip(self.pedigree.father, self.pedigree.mother, strict=True)):
            if pair != (-1, -1):
                union = found.setdefault(pair, _Union(len(found), *pair, []))
                union.children.append(child)
        for union in found.values():
            self._route(union)
            if len(union.parents) == 2:
                union.doubled = bool(related[union.father] & related[union.mother])
        return list(found.values())

    def _route(self, union: _Union) -> None:
        """Reserve places in the rows that lines of the union must pass."""
        rows = [self.items[p].row for p in union.parents]
        union.row = max(rows)
        first = min(self.items[c].row for c in union.children)
        union.upper = self._column(min(rows) + 1, union.row + 1)
        union.descent = self._column(union.row + 1, first)
        for child in union.children:
            if self.items[child].row > first:
                union.late[child] = self._column(first, self.items[child].row)

    @staticmethod
    def _column(start: int, stop: int) -> list[_Item]:
        return [_Item(-1, row, _DUMMY) for row in range(start, stop)]

    def _blocks(self, rows: int) -> list[list[_Block]]:
        blocks: list[list[_Block]] = [[] for _ in range(rows)]
        for members in self._companies():
            blocks[self.items[members[0]].row].append(_Block([self.items[m] for m in members]))
        for union in self.unions:
            for column in (union.upper, union.descent, *union.late.values()):
                for item in column:
                    blocks[item.row].append(_Block([item]))
        return blocks

    def _companies(self) -> list[list[int]]:
        """Chains of mates in one row, and of twins without mates, each in drawing order."""
        mates: dict[int, list[int]] = {i: [] for i in range(len(self.items))}
        for union in self.unions:
            if len(union.parents) == 2 and not union.upper:
                mates[union.father].append(union.mother)
                mates[union.mother].append(union.father)
        twins: dict[str, list[int]] = {}
        for i, person in enumerate(self.pedigree.people):
            if person.twin is not None and not mates[i]:
                twins.setdefault(person.twin, []).append(i)
        for alike in twins.values():
            for one, other in pairwise(alike):
                if self.items[one].row == self.items[other].row:
                    mates[one].append(other)
                    mates[other].append(one)
        chains: list[list[int]] = []
        seen: set[int] = set()
        # From the ends of chains first, men first, so that a couple stands man and woman.
        people = self.pedigree.people
        starts = sorted(mates, key=lambda i: (len(mates[i]) > 1, people[i].sex != "male", i))
        for start in starts:
            if start not in seen:
                chains.append([])
                _walk(start, mates, seen, chains[-1])
        return sorted(chains, key=min)

    def _links(self) -> list[tuple[list[_Item], list[_Item]]]:
        """Groups of items that want to stand above each other: (above, below)."""
        links = []
        for union in self.unions:
            parents = [self.items[p] for p in union.parents]
            above = parents
            if union.upper:
                high, low = sorted(parents, key=lambda item: item.row)
                links += [([a], [b]) for a, b in pairwise([high, *union.upper])]
                above = [low, union.upper[-1]]
            for item in union.descent:
                links.append((above, [item]))
                above = [item]
            below = [union.late[c][0] if c in union.late else self.items[c] for c in union.children]
            links.append((above, below))
            for child, column in union.late.items():
                links += [([a], [b]) for a, b in pairwise([*column, self.items[child]])]
        return links

    # --- order and coordinates ---------------------------------------------------------------

    def _order(self) -> None:
        for row in self.blocks:
            _pack(row)
        best, cost = [list(row) for row in self.blocks], self._length()
        for sweep in range(_SWEEPS):
            down = sweep % 2 == 0
            rows = range(1, len(self.blocks)) if down else range(len(self.blocks) - 2, -1, -1)
            for number in rows:
                row = self.blocks[number]
                wishes = self._wishes(down=down, both=False)
                aims = {id(b): _mean([w for i in b.items for w in wishes[id(i)]]) for b in row}
                for block in row:
                    self._turn(block, wishes)
                row.sort(key=lambda b: b.centre if (a := aims[id(b)]) is None else a)
                _pack(row)
            length = self._length()
            if length < cost - 1e-6:
                best, cost = [list(row) for row in self.blocks], length
        self.blocks = best
        for row in self.blocks:
            _pack(row)

    def _turn(self, block: _Block, wishes: dict[int, list[float]]) -> None:
        """Reverse a block whose members want to stand the other way round."""
        if len(block.items) < 2:
            return
        known = [(i, m) for i in block.items if (m := _mean(wishes[id(i)])) is not None]
        pairs = [(a, b) for k, (_, a) in enumerate(known) for _, b in known[k + 1 :]]
        if sum((a > b) - (a < b) for a, b in pairs) > 0:
            centre = block.centre
            block.items.reverse()
            block.place(centre)

    def _wishes(self, *, down: bool, both: bool) -> dict[int, list[float]]:
        """Return per item where its links would have it stand."""
        wishes: dict[int, list[float]] = {
            id(i): [] for r in self.blocks for b in r for i in b.items
        }
        for above, below in self.links:
            over = sum(item.x for item in above) / len(above)
            under = (min(i.x for i in below) + max(i.x for i in below)) / 2
            if down or both:
                for item in below:
                    wishes[id(item)].append(over + (item.x - under if both else 0.0))
            if not down or both:
                for item in above:
                    wishes[id(item)].append(under + item.x - over)
        return wishes

    def _length(self) -> float:
        total = 0.0
        for above, below in self.links:
            over = sum(item.x for item in above) / len(above)
            total += sum(abs(item.x - over) for item in below)
            total += max(item.x for item in above) - min(item.x for item in above)
        return total

    def _straighten(self) -> None:
        """Move blocks towards their links, keeping order and distances."""
        for sweep in range(4 * _SWEEPS):
            both = sweep >= 2 * _SWEEPS
            down = sweep % 2 == 0
            rows = self.blocks if down else self.blocks[::-1]
            for row in rows:
                wishes = self._wishes(down=down, both=both)
                aims = []
                for block in row:
                    shifts = [w - i.x for i in block.items for w in wishes[id(i)]]
                    shift = _mean(shifts)
                    aims.append(block.centre + (0.0 if shift is None else shift))
                _place_in_order(row, aims)

    # --- lines -------------------------------------------------------------------------------

    def _free_passages(self) -> None:
        """Move passing lines off the x of anything else that a neighbouring band may hold."""
        for row in self.blocks:
            for item in (i for b in row for i in b.items if i.person < 0):
                taken = [
                    other.x
                    for near in self.blocks[max(0, item.row - 1) : item.row + 2]
                    for block in near
                    for other in block.items
                    if other is not item
                ]
                item.x = _free(item.x, taken, 12.0)

    def _adjacent(self, union: _Union) -> bool:
        if len(union.parents) < 2 or union.upper:
            return False
        block = self.block_of[id(self.items[union.father])]
        places = [block.items.index(self.items[p]) for p in union.parents]
        return abs(places[0] - places[1]) == 1

    def _middle(self, union: _Union) -> float:
        """Return the x between the labels of two mates who stand side by side."""
        left, right = sorted((self.items[p] for p in union.parents), key=lambda item: item.x)
        return (left.x + left.width / 2 + right.x - right.width / 2) / 2

    def _bands(self) -> list[list[_Net]]:
        """Return the nets of the band below each row, lanes not yet given."""
        bands: list[list[_Net]] = [[] for _ in self.blocks]
        taken: list[list[float]] = [self._fixed(band) for band in range(len(bands))]

        def port(band: int, x: float, room: float) -> float:
            free = _free(x, taken[band], room)
            taken[band].append(free)
            return free

        for union in sorted(self.unions, key=lambda u: not self._adjacent(u)):
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
        return bands

    def _fixed(self, band: int) -> list[float]:
        """Return the x of all that stands in the band's way whatever the lines do."""
        below = self.blocks[band + 1] if band + 1 < len(self.blocks) else []
        passing = [i.x for b in self.blocks[band] for i in b.items if i.person < 0]
        return passing + [i.x for b in below for i in b.items]

    def _outlet(self, union: _Union, bands: list[list[_Net]], port: Port) -> tuple[float, float]:
        """Return where the line to the children starts: x, and 0 at the row or -1 at a marriage."""
        row = union.row
        below = union.descent[0:1] or [
            union.late[c][0] if c in union.late else self.items[c] for c in union.children
        ]
        if self._adjacent(union):
            middle = self._middle(union)
            if len(below) == 1 and abs(below[0].x - middle) < _GAP / 2 - 4:
                return below[0].x, 0.0
            return port(row, middle, _GAP / 2 - 2), 0.0
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

    def _sibship(self, union: _Union, outlet: float, level: float) -> _Net:
        net = _Net(union, "descent", [(outlet, level)], [])
        forks: dict[str, list[_Item]] = {}
        for child in union.children:
            twin = self.pedigree.people[child].twin
            if child in union.late:
                net.bottom.append((union.late[child][0].x, 1.0))
            elif twin is not None:
                forks.setdefault(twin, []).append(self.items[child])
            else:
                net.bottom.append((self.items[child].x, 1.0))
        for alike in forks.values():
            ends = [(item.x, 1.0) for item in alike]
            if len(alike) == 1:
                net.bottom += ends
            else:
                net.forks.append((sum(item.x for item in alike) / len(alike), ends))
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
            for x, ends in net.forks:
                yield from self._fork(number, x, y, ends, tops[band + 1] - SYMBOL / 2)

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
        if net.kind == "descent" and self._adjacent(net.union):
            return tops[band]
        return tops[band] + SYMBOL / 2

    @staticmethod
    def _fork(number: int, x: float, y: float, ends: list[Point], bottom: float) -> Iterable[Wire]:
        """Yield the lines to monozygotic twins: a fork, and the bar that joins them."""
        apex = bottom - _TWIN
        yield Wire(number, "descent", ((x, y), (x, apex)))
        for end, _ in ends:
            yield Wire(number, "descent", ((x, apex), (end, bottom)))
        middle = [(x + end) / 2 for end, _ in ends]
        bar = (apex + bottom) / 2
        yield Wire(number, "twins", ((min(middle), bar), (max(middle), bar)))

    def _marriages(self, tops: list[float]) -> Iterable[Wire]:
        for union in self.unions:
            if self._adjacent(union):
                left, right = sorted((self.items[p] for p in union.parents), key=lambda i: i.x)
                y = tops[union.row]
                ends = ((left.x + SYMBOL / 2, y), (right.x - SYMBOL / 2, y))
                yield Wire(union.number, "marriage", ends, union.doubled)

    def _passages(self, tops: list[float]) -> Iterable[Wire]:
        """Yield the pieces that pass a row from the band above to the band below."""
        for union in self.unions:
            columns: list[tuple[WireKind, list[_Item]]] = [
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
        placed = [i for row in self.blocks for block in row for i in block.items]
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


def _generations(pedigree: Pedigree) -> list[int]:
    """Return each person's row: below both parents, and beside the mates where possible."""
    group = list(range(len(pedigree.people)))
    levels = _levels(pedigree, group)
    for father, mother in zip(pedigree.father, pedigree.mother, strict=True):
        if father < 0 or mother < 0 or group[father] == group[mother]:
            continue
        merged = [group[father] if g == group[mother] else g for g in group]
        tried = _levels(pedigree, merged)
        if tried is not None:
            group, levels = merged, tried
    assert levels is not None
    return levels


def _levels(pedigree: Pedigree, group: Sequence[int]) -> list[int] | None:
    """Return rows by longest path over groups of mates, None if the groups form a circle."""
    above: dict[int, set[int]] = {g: set() for g in group}
    for child in range(len(group)):
        for parent in (pedigree.father[child], pedigree.mother[child]):
            if parent >= 0:
                above[group[child]].add(group[parent])
    order: list[int] = []
    waiting = list(above)
    while waiting:
        ready = [g for g in waiting if above[g] <= set(order)]
        if not ready:
            return None
        order += ready
        waiting = [g for g in waiting if g not in ready]
    level: dict[int, int] = {}
    for g in order:
        level[g] = max((level[p] + 1 for p in above[g]), default=0)
    # Those who marry in late stand just above their children, not at the top.
    for g in reversed(order):
        children = [level[c] for c in order if g in above[c]]
        if children and not above[g]:
            level[g] = min(children) - 1
    used = sorted(set(level.values()))
    return [used.index(level[g]) for g in group]


def _ancestors(pedigree: Pedigree) -> list[set[int]]:
    """Return for each person its ancestors and itself."""
    found: list[set[int]] = [set() for _ in pedigree.people]
    for person in pedigree.order:
        found[person].add(person)
        for parent in (pedigree.father[person], pedigree.mother[person]):
            if parent >= 0:
                found[person] |= found[parent]
    return found


def _walk(start: int, mates: dict[int, list[int]], seen: set[int], chain: list[int]) -> None:
    """Append a chain of mates in such an order that most stand beside their mates."""
    seen.add(start)
    chain.append(start)
    # Mates without further mates first: they would otherwise be cut off by a long branch.
    for mate in sorted(mates[start], key=lambda m: (len(mates[m]), m)):
        if mate not in seen:
            _walk(mate, mates, seen, chain)


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _pack(row: Sequence[_Block]) -> None:
    """Place the blocks of a row side by side, the row centred on 0."""
    total = sum(block.width for block in row) + _GAP * (len(row) - 1)
    left = -total / 2
    for block in row:
        block.place(left + block.width / 2)
        left += block.width + _GAP


def _place_in_order(row: Sequence[_Block], aims: Sequence[float]) -> None:
    """Place blocks as near to their aims as their order and distances allow (least squares)."""
    offsets = [0.0]
    for left, right in pairwise(row):
        offsets.append(offsets[-1] + (left.width + right.width) / 2 + _GAP)
    # Pool adjacent violators on the aims less the least distances.
    pools: list[tuple[float, int]] = []
    for aim, offset in zip(aims, offsets, strict=True):
        pools.append((aim - offset, 1))
        while len(pools) > 1 and pools[-2][0] > pools[-1][0]:
            (a, n), (b, m) = pools[-2:]
            pools[-2:] = [((a * n + b * m) / (n + m), n + m)]
    values = [value for value, count in pools for _ in range(count)]
    for block, value, offset in zip(row, values, offsets, strict=True):
        block.place(value + offset)


def _free(x: float, taken: Sequence[float], room: float) -> float:
    """Return the x nearest to the one wished for, within `room`, that is apart from all taken."""
    steps = int(room / 2)
    for step in range(steps + 1):
        for tried in (x + 2 * step, x - 2 * step):
            if all(abs(tried - other) >= _APART for other in taken):
                return tried
    return x


def _give_lanes(nets: Sequence[_Net], start: int) -> int:
    """Give each net the first lane, from `start`, in which it has room; return the next lane."""
    lanes: list[list[tuple[float, float]]] = []
    for net in sorted(nets, key=lambda n: (n.span[1] - n.span[0], n.span)):
        low, high = net.span
        fits = (all(high + 6 < a or low - 6 > b for a, b in used) for used in lanes)
        number = next((k for k, free in enumerate(fits) if free), len(lanes))
        if number == len(lanes):
            lanes.append([])
        lanes[number].append((low, high))
        net.lane = start + number
    return start + len(lanes)
