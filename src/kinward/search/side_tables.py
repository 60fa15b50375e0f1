"""Tables of a missing child from its two sides, each computed once for all families that share it.

See `likelihood.sides` for the formula. An entry is one orientation of one family; entries of equal
genotypes share one lane of a part.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["SideValues", "distinct", "oriented_keys"]

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
def oriented_keys(pairs, bits, flip, configurations, size):  # type: ignore[no-untyped-def]
    """Return a number for the alleles received on one side, in any order, of some genomes.

    `pairs` (genomes, 2, families); bit bits[g] of a configuration says whether genome g is turned
    around; `flip`: the second allele comes first on this side; alleles are below `size`. Entries
    are families within configurations.
    """
    genomes, families = pairs.shape[0], pairs.shape[2]
    keys = np.empty(configurations * families, dtype=np.int64)
    got = np.empty(genomes, dtype=np.int64)
    for c in range(configurations):
        for family in range(families):
            for g in range(genomes):
                allele = pairs[g, ((c >> bits[g]) & 1) ^ flip, family]
                at = g
                while at > 0 and got[at - 1] > allele:
                    got[at] = got[at - 1]
                    at -= 1
                got[at] = allele
            key = 0
            for g in range(genomes):
                key = key * size + got[g]
            keys[c * families + family] = key
    return keys


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
