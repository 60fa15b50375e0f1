"""Tables of a missing child from its two sides, each computed once for all families that share it.

See `likelihood.sides` for the formula. An entry is one orientation of one family; entries of equal
genotypes share one lane of a part, and siblings of one genotype are not told apart.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from kinward.likelihood.genome import Shape
from kinward.likelihood.network import Variable
from kinward.likelihood.run import run_plan
from kinward.likelihood.sides import Part, Split, part_plan, split_part
from kinward.likelihood.tables import Lanes, Model

__all__ = [
    "Entries",
    "PartEvaluator",
    "SideValues",
    "Terms",
    "distinct",
    "spread_axes",
    "unordered_keys",
]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

TILE = 64
"""Families whose tables are written together, so that cache lines are written whole."""
KEY_LIMIT = 1 << 62


def distinct(columns: Sequence[IntArray], sizes: Sequence[int]) -> tuple[IntArray, IntArray]:
    """Number the distinct rows of some columns of numbers from 0 to size - 1.

    Returns each row's number and, per number, the first row that has it.
    """
    key = np.zeros(len(columns[0]), dtype=np.int64)
    reach = 1
    for column, size in zip(columns, sizes, strict=True):
        if reach * size > KEY_LIMIT:
            key, first = _number(key)
            reach = len(first)
        key = key * size + column
        reach *= size
    return _number(key)  # type: ignore[no-any-return]


@njit(cache=True, nogil=True)
def _number(keys):  # type: ignore[no-untyped-def]
    """Number distinct keys by appearance: open addressing in a table at most half full."""
    bits = 4
    while (1 << bits) < 2 * len(keys):
        bits += 1
    mask = (1 << bits) - 1
    place = np.full(1 << bits, -1, dtype=np.int64)
    number = np.empty(len(keys), dtype=np.int64)
    first = np.empty(len(keys), dtype=np.int64)
    count = 0
    for row in range(len(keys)):
        # Fibonacci hashing: the golden ratio's bits spread neighbouring keys.
        mixed = np.uint64(keys[row]) * np.uint64(0x9E3779B97F4A7C15)
        at = np.int64(mixed >> np.uint64(64 - bits))
        while place[at] >= 0 and keys[first[place[at]]] != keys[row]:
            at = (at + 1) & mask
        if place[at] < 0:
            place[at] = count
            first[count] = row
            count += 1
        number[row] = place[at]
    return number, first[:count].copy()


@njit(cache=True, nogil=True)
def unordered_keys(alleles, size):  # type: ignore[no-untyped-def]
    """Return a number per entry for its alleles (genomes, entries), below `size`, in any order."""
    genomes, entries = alleles.shape
    keys = np.empty(entries, dtype=np.int64)
    sorted_ = np.empty(genomes, dtype=np.int64)
    for entry in range(entries):
        for g in range(genomes):
            at = g
            while at > 0 and sorted_[at - 1] > alleles[g, entry]:
                sorted_[at] = sorted_[at - 1]
                at -= 1
            sorted_[at] = alleles[g, entry]
        key = 0
        for g in range(genomes):
            key = key * size + sorted_[g]
        keys[entry] = key
    return keys


@dataclass(frozen=True, slots=True, eq=False)
class Entries:
    """Typings at one locus: families, or families with some genomes oriented.

    `pairs[g]` (2, entries) allele indices of a phased genome, the father's first if it is
    oriented; `open_[g]` (entries,) a number for each typing of an open genome; `family` (entries,)
    the family's place among those given first.
    """

    pairs: Mapping[int, IntArray]
    open_: Mapping[int, IntArray]
    family: IntArray

    def __len__(self) -> int:
        return len(self.family)

    def some(self, chosen: IntArray | slice) -> Entries:
        """Return some of the entries."""
        return Entries(
            {genome: pair[:, chosen] for genome, pair in self.pairs.items()},
            {genome: number[chosen] for genome, number in self.open_.items()},
            self.family[chosen],
        )

    def terms(self, oriented: Sequence[int], alike: Sequence[int]) -> Terms:
        """Return every orientation of every entry that differs; `alike` labels as in Sides."""
        if not oriented:
            return Terms(self, np.arange(len(self) + 1), np.ones(len(self)))
        typed = np.array([self.pairs[genome] for genome in oriented], dtype=np.int64)
        turned, times, start = _orientations(typed, np.array(alike))
        family = np.repeat(np.arange(len(self)), np.diff(start))
        pairs = dict(zip(oriented, _turn(typed, family, turned), strict=True))
        for genome in self.pairs.keys() - pairs.keys():
            pairs[genome] = self.pairs[genome][:, family]
        open_ = {genome: number[family] for genome, number in self.open_.items()}
        return Terms(Entries(pairs, open_, self.family[family]), start, times)


@dataclass(frozen=True, slots=True, eq=False)
class Terms:
    """Oriented `entries`, those of family f from start[f] to start[f + 1]; each counts `times`."""

    entries: Entries
    start: IntArray
    times: FloatArray


@njit(cache=True, nogil=True)
def _orientations(typed, alike):  # type: ignore[no-untyped-def]
    """List the orientations of every family, `typed` (genomes, 2, families).

    A homozygote is not turned around; of several alike genomes of one genotype the first ones are,
    and the orientation counts as often as there are choices of so many.
    """
    genomes, families = typed.shape[0], typed.shape[2]
    most = families << genomes
    turned = np.empty(most, dtype=np.int64)
    times = np.empty(most)
    start = np.zeros(families + 1, dtype=np.int64)
    before = np.empty(genomes, dtype=np.int64)
    count = 0
    for family in range(families):
        same, chained = 0, False
        for g in range(genomes):
            first, second = typed[g, 0, family], typed[g, 1, family]
            if first == second:
                same |= 1 << g
            before[g] = -1
            for other in range(g):
                equal = typed[other, 0, family] == first and typed[other, 1, family] == second
                if equal and alike[other] == alike[g]:
                    before[g] = other
                    chained = True
        for c in range(1 << genomes):
            if c & same:
                continue
            ways = _choices(c, before) if chained else 1.0
            if ways > 0.0:
                turned[count] = c
                times[count] = ways
                count += 1
        start[family + 1] = count
    return turned[:count], times[:count], start


@njit(cache=True, nogil=True)
def _turn(typed, family, turned):  # type: ignore[no-untyped-def]
    """Return the alleles of each term's family, bit g of `turned` turning genome g around."""
    out = np.empty((len(typed), 2, len(family)), dtype=np.int64)
    for g in range(len(typed)):
        for term in range(len(family)):
            turn = (turned[term] >> g) & 1
            out[g, 0, term] = typed[g, turn, family[term]]
            out[g, 1, term] = typed[g, 1 - turn, family[term]]
    return out


@njit(cache=True, nogil=True)
def _choices(c, before):  # type: ignore[no-untyped-def]
    """Return in how many ways the bits of c may be shared out within chains of equal genomes.

    `before[g]` is the genome before g in its chain, -1 for the first one. 0 if a genome is
    turned around and the one before it is not: the orientation counts with another one.
    """
    ways = 1.0
    for g in range(len(before)):
        one = (c >> g) & 1
        if before[g] >= 0 and one and not (c >> before[g]) & 1:
            return 0.0
        # Binomial coefficients step by step: n over k from n - 1 over k or over k - 1.
        length, ones, at = 1.0, float(one), before[g]
        while at >= 0:
            length += 1.0
            ones += float((c >> at) & 1)
            at = before[at]
        ways *= length / (ones if one else length - ones)
    return ways


@dataclass(frozen=True, slots=True, eq=False)
class PartEvaluator:
    """Computes parts of a shape for the alleles of one model.

    `observed` returns P(observation | alleles) (alleles, alleles, families) of an open genome for
    some families; at most `lanes` are eliminated together.
    """

    shape: Shape
    model: Model
    observed: Callable[[int, IntArray], FloatArray]
    lanes: int

    def values(self, part: Part, entries: Entries) -> tuple[FloatArray, IntArray]:
        """Return a part's values (target of the part, lanes), and the lane of each entry."""
        number, first = distinct(*self._columns(part, entries))
        different = entries.some(first)
        split = split_part(self.shape, part, self._size)
        if split is not None:
            return self._product(part, split, different), number
        plan = part_plan(self.shape, part, self._size)
        chunks = []
        for start in range(0, len(different), self.lanes):
            some = different.some(slice(start, start + self.lanes))
            observed = {
                genome: self.observed(genome, some.family)
                for genome in part.whole
                if genome in some.open_
            }
            given = Lanes(len(some), some.pairs, observed)
            chunks.append(run_plan(plan, self.shape, self.model, given))
        return np.concatenate(chunks, axis=-1), number

    @property
    def _size(self) -> int:
        return len(self.model.frequencies)

    def _columns(self, part: Part, entries: Entries) -> tuple[list[IntArray], list[int]]:
        """Return numbers for all that a part depends on, and their bounds."""
        size = self._size
        columns, bounds = [np.zeros(len(entries), dtype=np.int64)], [1]
        for genome in part.whole:
            if genome in entries.open_:
                columns.append(entries.open_[genome])
                bounds.append(int(columns[-1].max()) + 1)
            else:
                first, second = entries.pairs[genome]
                columns.append(first * size + second)
                bounds.append(size * size)
        for side, genomes in part.received:
            place = 0 if side == "paternal" else 1
            alleles = np.array([entries.pairs[genome][place] for genome in genomes])
            columns.append(unordered_keys(alleles, size))
            bounds.append(size ** len(genomes))
        return columns, bounds

    def _product(self, part: Part, split: Split, entries: Entries) -> FloatArray:
        """Sum the products of smaller parts."""
        terms = entries.terms(split.oriented, split.alike)
        axes = (*split.selectors, *part.network.target)
        shape = tuple(self._size if v.kind == "allele" else 2 for v in axes)
        rows, numbers = [], []
        for smaller in split.parts:
            value, number = self.values(smaller, terms.entries)
            spread = spread_axes(value, smaller.network.target, axes)
            spread = np.broadcast_to(spread, (*shape, value.shape[-1]))
            rows.append(np.ascontiguousarray(spread.reshape(-1, value.shape[-1]).T))
            numbers.append(number)
        product = _sum_of_products(
            np.concatenate([row.reshape(-1) for row in rows]),
            np.cumsum([0, *(row.size for row in rows)]),
            np.array(numbers),
            terms.start,
            terms.times,
            1 << len(split.selectors),
            rows[0].shape[1] >> len(split.selectors),
        )
        return product.reshape(*shape[len(split.selectors) :], len(entries))  # type: ignore[no-any-return]


def spread_axes(value: FloatArray, has: Sequence[Variable], axes: Sequence[Variable]) -> FloatArray:
    """Repeat values along the selectors that they lack; axes in the same order, lanes last.

    An allele that they lack gets an axis of one.
    """
    index = tuple(slice(None) if axis in has else None for axis in axes)
    there = value[(*index, slice(None))]
    sizes = [
        2 if axis.kind == "selector" else n for axis, n in zip(axes, there.shape, strict=False)
    ]
    return np.broadcast_to(there, (*sizes, value.shape[-1]))


@njit(cache=True, nogil=True, error_model="numpy")
def _sum_of_products(flat, begins, at, start, times, settings, size):  # type: ignore[no-untyped-def]
    """Return (size, families): sum over terms and selectors of the product of all parts.

    Part p has rows of settings * size numbers from begins[p]; at (parts, terms) says which row;
    `start` and `times` as in Terms.
    """
    parts, families = at.shape[0], len(start) - 1
    out = np.zeros((size, families))
    total = np.empty(size)
    product = np.empty(settings * size)
    for family in range(families):
        total[:] = 0.0
        for term in range(start[family], start[family + 1]):
            product[:] = times[term]
            for p in range(parts):
                begin = begins[p] + at[p, term] * settings * size
                row = flat[begin : begin + settings * size]
                for k in range(settings * size):
                    product[k] *= row[k]
            for s in range(settings):
                for k in range(size):
                    total[k] += product[s * size + k]
        for k in range(size):
            out[k, family] = total[k]
    return out


@dataclass(frozen=True, slots=True, eq=False)
class SideValues:
    """Values of the parts for some families.

    `father` (selectors, alleles, lanes), `mother` the same, `rest` (selectors, lanes), selectors
    being all their joint settings; `at_father` and so on (terms,): the lane of each term; `start`
    and `times` as in Terms.
    """

    father: FloatArray
    mother: FloatArray
    rest: FloatArray
    at_father: IntArray
    at_mother: IntArray
    at_rest: IntArray
    start: IntArray
    times: FloatArray

    def relatives(self) -> FloatArray:
        """Return P(relatives) (families,), the child's alleles summed out."""
        father, mother = self.father.sum(axis=1), self.mother.sum(axis=1)
        return self._per_family(father[:, self.at_father] * mother[:, self.at_mother])

    def composite(self, weights: FloatArray) -> FloatArray:
        """Return P(relatives, observation) (families,), given P(observation | ordered alleles)."""
        seen = np.einsum("xy,syl->sxl", weights, self.mother)
        both = self.father[:, :, self.at_father] * seen[:, :, self.at_mother]
        return self._per_family(both.sum(axis=1))

    def _per_family(self, values: FloatArray) -> FloatArray:
        """Sum values (selectors, terms) over selectors and the terms of each family."""
        weighted = (self.rest[:, self.at_rest] * values).sum(axis=0) * self.times
        return np.add.reduceat(weighted, self.start[:-1])

    def onto_rows(
        self, first: IntArray, second: IntArray, scale: FloatArray, out: FloatArray
    ) -> None:
        """Write P(relatives, genotype) * scale to `out` (rows, families).

        Row r is the genotype first[r]/second[r]; rows with a negative allele are left alone.
        """
        _onto_rows(
            np.ascontiguousarray(self.father.transpose(0, 2, 1)),
            np.ascontiguousarray(self.mother.transpose(0, 2, 1)),
            self.rest, self.at_father, self.at_mother, self.at_rest, self.start, self.times,
            first, second, scale, out,
        )  # fmt: skip


@njit(cache=True, nogil=True, error_model="numpy")
def _onto_rows(  # type: ignore[no-untyped-def]
    father, mother, rest, at_father, at_mother, at_rest, start, times, first, second, scale, out
):
    """Sum each family's joint table, father and mother (selectors, lanes, alleles), then read it.

    Families go tile by tile, so that `out` is written in runs.
    """
    families = len(start) - 1
    joint = np.empty((father.shape[2], father.shape[2]))
    tile = np.empty((len(first), TILE))
    for begin in range(0, families, TILE):
        width = min(TILE, families - begin)
        for k in range(width):
            joint[:] = 0.0
            for term in range(start[begin + k], start[begin + k + 1]):
                ours, theirs = at_father[term], at_mother[term]
                for s in range(father.shape[0]):
                    weight = rest[s, at_rest[term]] * times[term]
                    _add_product(father[s, ours], mother[s, theirs], weight, joint)
            for row in range(len(first)):
                x, y = first[row], second[row]
                if x >= 0:
                    tile[row, k] = joint[x, y] if x == y else joint[x, y] + joint[y, x]
        for row in range(len(first)):
            if first[row] >= 0:
                for k in range(width):
                    out[row, begin + k] = tile[row, k] * scale[row]


@njit(cache=True, nogil=True, error_model="numpy")
def _add_product(ours, theirs, weight, joint):  # type: ignore[no-untyped-def]
    for x in range(len(ours)):
        value = weight * ours[x]
        for y in range(len(theirs)):
            joint[x, y] += value * theirs[y]
