"""Where people stand in a pedigree drawing, and where lines pass between them.

People stand in rows by generation, mates side by side where that is possible. A line that must pass
a row has a place of its own in it. Rows are ordered and moved so that the lines become short.
Coordinates are in pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from kinward.model.pedigree import Pedigree

__all__ = ["GAP", "Item", "Places", "Union", "free_place"]

GAP = 26.0
"""Width between neighbours of a row."""

_PASSAGE = 10.0  # width of the place where a line passes a row
_APART = 3.0  # lines of different unions closer than this look like one
_SWEEPS = 24


@dataclass(slots=True, eq=False)
class Item:
    """A person, or with person -1 a passing line, in a row."""

    person: int
    row: int
    width: float
    x: float = 0.0


@dataclass(slots=True, eq=False)
class _Block:
    """Items of one row that stay side by side in this order."""

    items: list[Item]

    @property
    def width(self) -> float:
        return sum(item.width for item in self.items) + GAP * (len(self.items) - 1)

    @property
    def centre(self) -> float:
        first, last = self.items[0], self.items[-1]
        return (first.x - first.width / 2 + last.x + last.width / 2) / 2

    def place(self, centre: float) -> None:
        left = centre - self.width / 2
        for item in self.items:
            item.x = left + item.width / 2
            left += item.width + GAP


@dataclass(slots=True, eq=False)
class Union:
    """Parents and their children, by person; `row` is that of the lower parent."""

    number: int
    father: int
    mother: int
    children: list[int]
    doubled: bool = False
    row: int = 0
    upper: list[Item] = field(default_factory=list)
    """Places in which the line of the parent in the higher row passes."""
    descent: list[Item] = field(default_factory=list)
    late: dict[int, list[Item]] = field(default_factory=dict)
    """Per child that stands lower than its highest sibling, the places its line passes."""

    @property
    def parents(self) -> list[int]:
        """The father and the mother, as far as they are registered."""
        return [p for p in (self.father, self.mother) if p >= 0]


class Places:
    """Everyone's place: `items` by person, `unions` and the places of their passing lines."""

    def __init__(self, pedigree: Pedigree, widths: Sequence[float]) -> None:
        self.pedigree = pedigree
        rows = _generations(pedigree)
        self.items = [Item(i, rows[i], widths[i]) for i in range(len(rows))]
        self.unions = self._unions()
        self._blocks = self._companies_by_row(max(rows) + 1)
        self._block_of = {id(i): b for row in self._blocks for b in row for i in b.items}
        self._links = self._wanted_links()
        self._order()
        self._straighten()
        self._free_passages()

    @property
    def rows(self) -> list[list[Item]]:
        """The people and passing lines of each row, from left to right."""
        return [[item for block in row for item in block.items] for row in self._blocks]

    def adjacent(self, union: Union) -> bool:
        """Whether the parents stand side by side."""
        if len(union.parents) < 2 or union.upper:
            return False
        block = self._block_of[id(self.items[union.father])]
        places = [block.items.index(self.items[p]) for p in union.parents]
        return abs(places[0] - places[1]) == 1

    def _unions(self) -> list[Union]:
        found: dict[tuple[int, int], Union] = {}
        related = _ancestors(self.pedigree)
        for child, pair in enumerate(zip(self.pedigree.father, self.pedigree.mother, strict=True)):
            if pair != (-1, -1):
                union = found.setdefault(pair, Union(len(found), *pair, []))
                union.children.append(child)
        for union in found.values():
            self._route(union)
            if len(union.parents) == 2:
                union.doubled = bool(related[union.father] & related[union.mother])
        return list(found.values())

    def _route(self, union: Union) -> None:
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
    def _column(start: int, stop: int) -> list[Item]:
        return [Item(-1, row, _PASSAGE) for row in range(start, stop)]

    def _companies_by_row(self, rows: int) -> list[list[_Block]]:
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

    def _wanted_links(self) -> list[tuple[list[Item], list[Item]]]:
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

    def _order(self) -> None:
        for row in self._blocks:
            _pack(row)
        best, cost = [list(row) for row in self._blocks], self._length()
        for sweep in range(_SWEEPS):
            down = sweep % 2 == 0
            rows = range(1, len(self._blocks)) if down else range(len(self._blocks) - 2, -1, -1)
            for number in rows:
                row = self._blocks[number]
                wishes = self._wishes(down=down, both=False)
                aims = {id(b): _mean([w for i in b.items for w in wishes[id(i)]]) for b in row}
                for block in row:
                    self._turn(block, wishes)
                row.sort(key=lambda b: b.centre if (a := aims[id(b)]) is None else a)
                _pack(row)
            length = self._length()
            if length < cost - 1e-6:
                best, cost = [list(row) for row in self._blocks], length
        self._blocks = best
        for row in self._blocks:
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
            id(i): [] for r in self._blocks for b in r for i in b.items
        }
        for above, below in self._links:
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
        for above, below in self._links:
            over = sum(item.x for item in above) / len(above)
            total += sum(abs(item.x - over) for item in below)
            total += max(item.x for item in above) - min(item.x for item in above)
        return total

    def _straighten(self) -> None:
        """Move blocks towards their links, keeping order and distances."""
        for sweep in range(4 * _SWEEPS):
            both = sweep >= 2 * _SWEEPS
            down = sweep % 2 == 0
            rows = self._blocks if down else self._blocks[::-1]
            for row in rows:
                wishes = self._wishes(down=down, both=both)
                aims = []
                for block in row:
                    shifts = [w - i.x for i in block.items for w in wishes[id(i)]]
                    shift = _mean(shifts)
                    aims.append(block.centre + (0.0 if shift is None else shift))
                _place_in_order(row, aims)

    def _free_passages(self) -> None:
        """Move passing lines off the x of anything else that a neighbouring band may hold."""
        for row in self._blocks:
            for item in (i for b in row for i in b.items if i.person < 0):
                taken = [
                    other.x
                    for near in self._blocks[max(0, item.row - 1) : item.row + 2]
                    for block in near
                    for other in block.items
                    if other is not item
                ]
                item.x = free_place(item.x, taken, 12.0)


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
    total = sum(block.width for block in row) + GAP * (len(row) - 1)
    left = -total / 2
    for block in row:
        block.place(left + block.width / 2)
        left += block.width + GAP


def _place_in_order(row: Sequence[_Block], aims: Sequence[float]) -> None:
    """Place blocks as near to their aims as their order and distances allow (least squares)."""
    offsets = [0.0]
    for left, right in pairwise(row):
        offsets.append(offsets[-1] + (left.width + right.width) / 2 + GAP)
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


def free_place(x: float, taken: Sequence[float], room: float) -> float:
    """Return the x nearest to the one wished for, within `room`, that is apart from all taken."""
    steps = int(room / 2)
    for step in range(steps + 1):
        for tried in (x + 2 * step, x - 2 * step):
            if all(abs(tried - other) >= _APART for other in taken):
                return tried
    return x
