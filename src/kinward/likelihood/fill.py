"""The compiled way of writing factors into a plan's buffers; `tables` is its slow twin.

A single likelihood ratio fills some dozen small tables. Calls of array functions would cost ten
times what the elimination itself costs; here one call fills them all.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numba import njit

from kinward.likelihood.genome import Shape
from kinward.likelihood.network import Factor

__all__ = ["FILL_WIDTH", "fill", "fill_row", "founder_row", "founder_weight"]

_KINDS = {
    "base": 0, "inbred": 1, "phase": 2, "hand_typed": 3, "hand_copy": 4, "hand_fixed": 5,
    "hand_first": 6, "hand_second": 7, "observed": 8,
}  # fmt: skip
_BASE, _INBRED, _PHASE, _TYPED, _COPY, _FIXED, _FIRST, _SECOND, _OBSERVED = range(9)

FILL_WIDTH = 7
"""A factor: kind; places of parent and child among the typed genomes (-1 not typed); phases of
the child (0: the result is an allele); whether its second allele comes first on this side;
whether the parent is male; whether the parent has one allele only."""


def fill_row(shape: Shape, factor: Factor, typed: Mapping[int, int], phases: int) -> list[int]:
    """Describe a factor; `typed` are the places of typed genomes, `phases` the child's or 0."""
    parent, child = factor.parent, factor.child
    haploid_child = child >= 0 and shape.x_linked and shape.male[child]
    male = parent >= 0 and shape.male[parent]
    return [
        _KINDS[factor.kind],
        typed.get(parent, -1),
        typed.get(child, -1),
        phases,
        int(factor.side == "maternal" and not haploid_child),
        int(male),
        int(male and shape.x_linked),
    ]


def founder_row(shape: Shape, genome: int, typed: Mapping[int, int]) -> list[int]:
    """Describe a typed founder: its place, and whether it has one allele only."""
    return [typed[genome], int(shape.x_linked and shape.male[genome])]


@njit(cache=True, nogil=True, error_model="numpy")
def fill(  # type: ignore[no-untyped-def]
    rows, inbreeding, same, starts, laned, alleles, base, male, female, lanes, work
):
    """Write every factor but observed ones at its start in `work`.

    Per factor: `inbreeding`; `same`, the first factor with the same table and start. `alleles`
    (typed, 2, lanes); `base` (alleles, l) what founder alleles are drawn from; `male` and `female`
    (alleles, alleles, l), l = 1 or lanes.
    """
    for f in range(len(rows)):
        if same[f] < f:
            continue
        row = rows[f]
        count = lanes if laned[f] else 1
        if row[0] == _BASE:
            _fill_base(base, count, starts[f], work)
        elif row[0] == _INBRED:
            _fill_inbred(base, inbreeding[f], count, starts[f], work)
        elif row[0] == _PHASE:
            _fill_phase(row[3], alleles[row[2]], count, starts[f], work)
        elif row[0] == _TYPED:
            matrix = male if row[5] else female
            _fill_typed(row, matrix, alleles, count, starts[f], work)
        elif row[0] != _OBSERVED:
            matrix = male if row[5] else female
            _fill_handed(row, matrix, alleles, count, starts[f], work)


@njit(cache=True, nogil=True, error_model="numpy")
def _fill_base(base, count, at, work):  # type: ignore[no-untyped-def]
    shared = base.shape[1] == 1
    for x in range(base.shape[0]):
        for lane in range(count):
            work[at + x * count + lane] = base[x, 0 if shared else lane]


@njit(cache=True, nogil=True, error_model="numpy")
def _fill_inbred(base, inbreeding, count, at, work):  # type: ignore[no-untyped-def]
    size = base.shape[0]
    for x in range(size):
        for y in range(size):
            for lane in range(count):
                chance = (1.0 - inbreeding) * base[x, lane] * base[y, lane]
                if x == y:
                    chance += inbreeding * base[x, lane]
                work[at + (x * size + y) * count + lane] = chance


@njit(cache=True, nogil=True, error_model="numpy")
def _fill_phase(phases, pair, count, at, work):  # type: ignore[no-untyped-def]
    for lane in range(count):
        work[at + lane] = 1.0
        if phases == 2:
            work[at + count + lane] = 0.0 if pair[0, lane] == pair[1, lane] else 1.0


@njit(cache=True, nogil=True, error_model="numpy")
def _fill_typed(row, matrix, alleles, count, at, work):  # type: ignore[no-untyped-def]
    shared = matrix.shape[2] == 1
    results = row[3] if row[3] else matrix.shape[0]
    for r in range(results):
        for lane in range(count):
            x = r
            if row[3]:
                x = alleles[row[2], 1 - r if row[4] else r, lane]
            m = 0 if shared else lane
            chance = matrix[alleles[row[1], 0, lane], x, m]
            if not row[6]:
                chance = 0.5 * (chance + matrix[alleles[row[1], 1, lane], x, m])
            work[at + r * count + lane] = chance


@njit(cache=True, nogil=True, error_model="numpy")
def _fill_handed(row, matrix, alleles, count, at, work):  # type: ignore[no-untyped-def]
    """Write a meiosis of an untyped parent: its part for one source allele, by selector."""
    size = matrix.shape[0]
    results = row[3] if row[3] else size
    block = size * results * count
    # The other value of the selector: the source is not the one that is handed on.
    if row[0] == _FIRST:
        work[at + block : at + 2 * block] = 0.5
    elif row[0] == _SECOND:
        work[at : at + block] = 1.0
        at += block
    scale = 0.5 if row[0] == _FIRST else 1.0
    step = results * count
    for r in range(results):
        if row[0] == _COPY:
            _copy_one(row, alleles, r, size, step, count, at + r * count, work)
        elif row[3] == 0:
            for source in range(size):
                place = at + source * step + r * count
                for lane in range(count):
                    work[place + lane] = scale * matrix[source, r, lane]
        else:
            got = alleles[row[2], 1 - r if row[4] else r]
            _gather_one(matrix, got, scale, step, at + r * count, work)


@njit(cache=True, nogil=True, error_model="numpy")
def _copy_one(row, alleles, r, size, step, count, at, work):  # type: ignore[no-untyped-def]
    """Write 1 where the result is the source, else 0."""
    for source in range(size):
        for lane in range(count):
            x = alleles[row[2], 1 - r if row[4] else r, lane] if row[3] else r
            work[at + source * step + lane] = 1.0 if x == source else 0.0


@njit(cache=True, nogil=True, error_model="numpy")
def _gather_one(matrix, got, scale, step, at, work):  # type: ignore[no-untyped-def]
    """Write scale * matrix[source, got[lane]] for every source, `step` apart."""
    shared = matrix.shape[2] == 1
    for source in range(matrix.shape[0]):
        place = at + source * step
        for lane in range(len(got)):
            work[place + lane] = scale * matrix[source, got[lane], 0 if shared else lane]


@njit(cache=True, nogil=True, error_model="numpy")
def founder_weight(rows, inbreeding, alleles, base, lanes):  # type: ignore[no-untyped-def]
    """Return P(genotypes of the typed founders) (lanes,) without theta."""
    weight = np.ones(lanes)
    shared = base.shape[1] == 1
    for f in range(len(rows)):
        pair = alleles[rows[f, 0]]
        for lane in range(lanes):
            m = 0 if shared else lane
            one, two = base[pair[0, lane], m], base[pair[1, lane], m]
            if rows[f, 1]:
                weight[lane] *= one
            elif pair[0, lane] == pair[1, lane]:
                weight[lane] *= one * (inbreeding[f] + (1.0 - inbreeding[f]) * one)
            else:
                weight[lane] *= 2.0 * (1.0 - inbreeding[f]) * one * two
    return weight
