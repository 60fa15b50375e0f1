"""Tables of a missing child from its two sides, each computed once for all families that share it.

See `likelihood.sides` for the formula. An entry is one orientation of one family; entries of equal
genotypes share one lane of a part.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from kinward.likelihood.genome import Shape
from kinward.likelihood.network import Variable
from kinward.likelihood.run import run_plan
from kinward.likelihood.sides import Part, Split, part_plan, split_part
from kinward.likelihood.tables import Lanes, Model

__all__ = ["Entries", "PartEvaluator", "SideValues", "distinct", "spread_axes", "unordered_keys"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

TILE = 64
"""Families whose tables are written together: their vectors stay in the first-level cache."""
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

    def turned(self, oriented: Sequence[int]) -> Entries:
        """Return all entries once for every configuration; bit i of it turns oriented[i] around."""
        times = 1 << len(oriented)
        pairs = {genome: np.tile(pair, times) for genome, pair in self.pairs.items()}
        for bit, genome in enumerate(oriented):
            blocks = pairs[genome].reshape(2, times, -1)
            turn = (np.arange(times) >> bit) & 1 == 1
            blocks[:, turn] = blocks[::-1, turn]
        open_ = {genome: np.tile(number, times) for genome, number in self.open_.items()}
        return Entries(pairs, open_, np.tile(self.family, times))

    def mixed(self, oriented: Sequence[int]) -> NDArray[np.bool_]:
        """Return whether genomes have two different alleles, (oriented, entries)."""
        out = np.empty((len(oriented), len(self)), dtype=np.bool_)
        for at, genome in enumerate(oriented):
            out[at] = self.pairs[genome][0] != self.pairs[genome][1]
        return out


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
        turned = entries.turned(split.oriented)
        axes = (*split.selectors, *part.network.target)
        shape = tuple(self._size if v.kind == "allele" else 2 for v in axes)
        rows, numbers = [], []
        for smaller in split.parts:
            value, number = self.values(smaller, turned)
            spread = spread_axes(value, smaller.network.target, axes)
            spread = np.broadcast_to(spread, (*shape, value.shape[-1]))
            rows.append(np.ascontiguousarray(spread.reshape(-1, value.shape[-1]).T))
            numbers.append(number.reshape(-1, len(entries)))
        starts = np.cumsum([0, *(row.size for row in rows)])
        product = _sum_of_products(
            np.concatenate([row.reshape(-1) for row in rows]),
            starts,
            np.array(numbers),
            entries.mixed(split.oriented),
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
def _sum_of_products(flat, starts, at, mixed, settings, size):  # type: ignore[no-untyped-def]
    """Return (size, entries): sum over configurations and selectors of the product of all parts.

    Part p has rows of settings * size numbers from starts[p]; at (parts, configurations, entries)
    says which row; `mixed` (bits, entries) as in SideValues.
    """
    parts, configurations, entries = at.shape
    out = np.zeros((size, entries))
    total = np.empty(size)
    product = np.empty(settings * size)
    for entry in range(entries):
        total[:] = 0.0
        for c in range(configurations):
            possible = True
            for bit in range(mixed.shape[0]):
                if (c >> bit) & 1 and not mixed[bit, entry]:
                    possible = False
            if not possible:
                continue
            product[:] = 1.0
            for p in range(parts):
                begin = starts[p] + at[p, c, entry] * settings * size
                row = flat[begin : begin + settings * size]
                for k in range(settings * size):
                    product[k] *= row[k]
            for s in range(settings):
                for k in range(size):
                    total[k] += product[s * size + k]
        for k in range(size):
            out[k, entry] = total[k]
    return out


@dataclass(frozen=True, slots=True, eq=False)
class SideValues:
    """Values of the parts for some families.

    `father` (selectors, alleles, lanes), `mother` the same, `rest` (selectors, lanes), selectors
    being all their joint settings; `at_father` and so on (configurations, families): the lane of
    each entry. `mixed` (oriented genomes, families): whether bit g of a configuration makes a
    difference, the two alleles being different.
    """

    father: FloatArray
    mother: FloatArray
    rest: FloatArray
    at_father: IntArray
    at_mother: IntArray
    at_rest: IntArray
    mixed: NDArray[np.bool_]

    def relatives(self) -> FloatArray:
        """Return P(relatives) (families,), the child's alleles summed out."""
        father, mother = self.father.sum(axis=1), self.mother.sum(axis=1)
        total = np.zeros(self.mixed.shape[1])
        for c, weight in self._weights():
            both = father[:, self.at_father[c]] * mother[:, self.at_mother[c]]
            total += (weight * both).sum(axis=0)
        return total

    def composite(self, weights: FloatArray) -> FloatArray:
        """Return P(relatives, observation) (families,), given P(observation | ordered alleles)."""
        seen = np.einsum("xy,syl->sxl", weights, self.mother)
        total = np.zeros(self.mixed.shape[1])
        for c, weight in self._weights():
            both = self.father[:, :, self.at_father[c]] * seen[:, :, self.at_mother[c]]
            total += (weight * both.sum(axis=1)).sum(axis=0)
        return total

    def _weights(self) -> Iterator[tuple[int, FloatArray]]:
        """Yield each configuration and the weight of its entries, (selectors, families)."""
        for c in range(len(self.at_rest)):
            weight = self.rest[:, self.at_rest[c]]
            for g in range(len(self.mixed)):
                if (c >> g) & 1:
                    weight = weight * self.mixed[g]
            yield c, weight

    def onto_rows(
        self, first: IntArray, second: IntArray, scale: FloatArray, out: FloatArray
    ) -> None:
        """Write P(relatives, genotype) * scale to `out` (rows, families).

        Row r is the genotype first[r]/second[r]; rows with a negative allele are left alone.
        """
        _onto_rows(
            self.father, self.mother, self.rest, self.at_father, self.at_mother, self.at_rest,
            self.mixed, first, second, scale, out,
        )  # fmt: skip


@njit(cache=True, nogil=True, error_model="numpy")
def _onto_rows(  # type: ignore[no-untyped-def]
    father, mother, rest, at_father, at_mother, at_rest, mixed, first, second, scale, out
):
    """Tile by tile of families, so that inner loops run over contiguous families."""
    settings, size = father.shape[0], father.shape[1]
    weight = np.empty(TILE)
    ours = np.empty((size, TILE))
    theirs = np.empty((size, TILE))
    total = np.empty((len(first), TILE))
    for start in range(0, at_rest.shape[1], TILE):
        width = min(TILE, at_rest.shape[1] - start)
        total[:] = 0.0
        for c in range(at_rest.shape[0]):
            for s in range(settings):
                if _weigh(c, rest[s], at_rest[c], mixed, start, width, weight):
                    _gather(father[s], at_father[c], start, width, ours)
                    _gather(mother[s], at_mother[c], start, width, theirs)
                    for x in range(size):
                        for k in range(width):
                            ours[x, k] *= weight[k]
                    _add_rows(ours, theirs, first, second, width, total)
        for row in range(len(first)):
            if first[row] >= 0:
                for k in range(width):
                    out[row, start + k] = total[row, k] * scale[row]


@njit(cache=True, nogil=True, error_model="numpy")
def _weigh(c, rest, at, mixed, start, width, weight):  # type: ignore[no-untyped-def]
    """Write the weights of a configuration; return whether one is above zero."""
    some = False
    for k in range(width):
        value = rest[at[start + k]]
        for g in range(mixed.shape[0]):
            if (c >> g) & 1 and not mixed[g, start + k]:
                value = 0.0
        weight[k] = value
        some = some or value > 0.0
    return some


@njit(cache=True, nogil=True, error_model="numpy")
def _gather(values, at, start, width, into):  # type: ignore[no-untyped-def]
    for x in range(values.shape[0]):
        row = values[x]
        for k in range(width):
            into[x, k] = row[at[start + k]]


@njit(cache=True, nogil=True, error_model="numpy")
def _add_rows(ours, theirs, first, second, width, total):  # type: ignore[no-untyped-def]
    for row in range(len(first)):
        x, y = first[row], second[row]
        if x >= 0:
            into, f_x, m_y = total[row], ours[x], theirs[y]
            if x == y:
                for k in range(width):
                    into[k] += f_x[k] * m_y[k]
            else:
                f_y, m_x = ours[y], theirs[x]
                for k in range(width):
                    into[k] += f_x[k] * m_y[k] + f_y[k] * m_x[k]
