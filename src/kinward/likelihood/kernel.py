"""The compiled inner loop of variable elimination.

Tables are flat. A table that differs from lane to lane (family, or locus) holds its lanes as the
last, contiguous axis, so that the inner loop runs over lanes at the speed of vector instructions;
one shared by all lanes holds one number per entry.
"""

from __future__ import annotations

import numpy as np
from numba import njit

__all__ = ["FINAL_WIDTH", "MAX_DIMENSIONS", "STEP_HEAD", "STEP_WIDTH", "execute"]

MAX_DIMENSIONS = 16
STEP_HEAD = 7
STEP_WIDTH = STEP_HEAD + 3 * MAX_DIMENSIONS
"""A step: buffer a, buffer b (-1 none), output entries, output dimensions, size and strides (a, b)
of the summed variable; then per output dimension its size and its strides in a and in b."""
FINAL_WIDTH = 2 + 2 * MAX_DIMENSIONS
"""A program's last table: buffer (-1: none, the value is one), dimensions; then per dimension its
size and its stride in the result."""


@njit(cache=True, nogil=True, error_model="numpy")
def _step(row, work, at_a, at_b, lane_a, lane_b, at_out, lane_out):  # type: ignore[no-untyped-def]
    """Fill one output table: out = sum over the summed variable of a * b."""
    dims = row[3]
    summed, sum_a, sum_b = row[4], row[5] * lane_a, row[6] * lane_b
    counter = np.zeros(MAX_DIMENSIONS, dtype=np.int64)
    index_a, index_b = 0, 0
    for entry in range(row[2]):
        start_a = at_a + index_a * lane_a
        start_b = at_b + index_b * lane_b
        out = at_out + entry * lane_out
        if lane_out == 1:
            total = 0.0
            for k in range(summed):
                total += work[start_a + k * sum_a] * work[start_b + k * sum_b]
            work[out] = total
        else:
            # Slices, so that the loops over lanes compile to vector instructions.
            into = work[out : out + lane_out]
            into[:] = 0.0
            for k in range(summed):
                a = start_a + k * sum_a
                b = start_b + k * sum_b
                if lane_a == 1:
                    value = work[a]
                    if value != 0.0:
                        with_b = work[b : b + lane_out]
                        for lane in range(lane_out):
                            into[lane] += value * with_b[lane]
                elif lane_b == 1:
                    value = work[b]
                    if value != 0.0:
                        with_a = work[a : a + lane_out]
                        for lane in range(lane_out):
                            into[lane] += with_a[lane] * value
                else:
                    with_a = work[a : a + lane_out]
                    with_b = work[b : b + lane_out]
                    for lane in range(lane_out):
                        into[lane] += with_a[lane] * with_b[lane]
        for d in range(dims - 1, -1, -1):
            at = STEP_HEAD + 3 * d
            counter[d] += 1
            index_a += row[at + 1]
            index_b += row[at + 2]
            if counter[d] < row[at]:
                break
            index_a -= row[at] * row[at + 1]
            index_b -= row[at] * row[at + 2]
            counter[d] = 0


@njit(cache=True, nogil=True, error_model="numpy")
def execute(  # type: ignore[no-untyped-def]
    steps, starts, weights, final, factor_starts, factor_laned, lanes, work, result
):
    """Run every program and add its weighted result table to `result` (entries, lanes).

    `work` holds, from 0, a one (for a missing second operand) and the factors at `factor_starts`
    (last element: where temporaries may begin).
    """
    factors = len(factor_laned)
    most = 0
    for program in range(len(starts) - 1):
        most = max(most, starts[program + 1] - starts[program])
    at = np.zeros(factors + most, dtype=np.int64)
    lane = np.ones(factors + most, dtype=np.int64)
    for f in range(factors):
        at[f] = factor_starts[f]
        if factor_laned[f]:
            lane[f] = lanes
    for program in range(len(starts) - 1):
        free = factor_starts[factors]
        buffer = factors
        for s in range(starts[program], starts[program + 1]):
            row = steps[s]
            at_b, lane_b = 0, 1
            if row[1] >= 0:
                at_b, lane_b = at[row[1]], lane[row[1]]
            at[buffer] = free
            lane[buffer] = max(lane[row[0]], lane_b)
            _step(row, work, at[row[0]], at_b, lane[row[0]], lane_b, free, lane[buffer])
            free += row[2] * lane[buffer]
            buffer += 1
        _accumulate(final[program], weights[program], at, lane, lanes, work, result)


@njit(cache=True, nogil=True, error_model="numpy")
def _accumulate(final, weight, at, lane, lanes, work, result):  # type: ignore[no-untyped-def]
    """Add a program's last table to the result."""
    if final[0] < 0:
        for k in range(lanes):
            result[0, k] += weight
        return
    start, step = at[final[0]], lane[final[0]]
    dims = final[1]
    entries = 1
    for d in range(dims):
        entries *= final[2 + 2 * d]
    counter = np.zeros(MAX_DIMENSIONS, dtype=np.int64)
    place = 0
    for entry in range(entries):
        value = start + entry * step
        for k in range(lanes):
            result[place, k] += weight * work[value + (k if step > 1 else 0)]
        for d in range(dims - 1, -1, -1):
            counter[d] += 1
            place += final[3 + 2 * d]
            if counter[d] < final[2 + 2 * d]:
                break
            place -= final[2 + 2 * d] * final[3 + 2 * d]
            counter[d] = 0
