"""Quantised bound scan of tabulated slots, exact score of what it lets pass.

How far log10 T lies below the largest of its row is rounded down to whole steps and kept in one
byte: a penalty. A pair whose penalties sum to more than what its child can afford, the largest
values of its rows less the threshold, is below the threshold in truth. Sums stop at 255, as the
processor's own saturating addition does. What remains is summed exactly on the spot.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["FULL", "budgets", "penalties", "scan_table", "spread"]

FloatArray = NDArray[np.float64]
FULL = 255
"""Where sums of penalties stop; a child that can afford more has no bound."""
FINEST = 64.0
"""Steps per unit of log10 T, at most."""
TOGETHER = 8
"""Rows added up in registers before the sum is stored."""


def budgets(
    tops: FloatArray, children: NDArray[np.int32], row_start: NDArray[np.int64], threshold: float
) -> tuple[NDArray[np.int16], float]:
    """Return what each child can afford in steps, and the steps per unit.

    `tops` (flat rows,) the largest log10 T of every row; `children` (children, loci) rows, -1
    untyped. -1: the child cannot reach the threshold; FULL: no bound.
    """
    typed = children >= 0
    flat = np.where(typed, children + row_start[:-1], 0)
    if threshold == -np.inf:  # everything reaches it, zero LR as well
        return np.full(len(children), FULL, dtype=np.int16), FINEST
    spare = np.where(typed, tops[flat], 0.0).sum(axis=1) - threshold + 1e-9
    largest = float(np.max(spare, initial=1e-9, where=np.isfinite(spare)))
    scale = min(FINEST, (FULL - 1) / max(largest, 1e-9))
    steps = np.floor(np.minimum(spare * scale + 1e-6, FULL))
    return np.maximum(steps, -1.0).astype(np.int16), scale


@njit(cache=True, nogil=True, error_model="numpy")
def penalties(log_ratios, tops, scale, start, columns, rows):  # type: ignore[no-untyped-def]
    """Return the penalties of all columns, in the places that their log10 T have.

    `log_ratios`, `start` and `columns` as in `evidence.ColumnTables`, `rows` (loci + 1,) where the
    rows of each locus begin in `tops`.
    """
    steps = np.empty(len(log_ratios), dtype=np.uint8)
    for locus in range(len(columns)):
        at = start[locus]
        for row in range(rows[locus], rows[locus + 1]):
            for column in range(columns[locus]):
                below = (tops[row] - log_ratios[at + column]) * scale
                # Not a number where the relatives are impossible, or nothing in the row is not.
                steps[at + column] = np.uint8(below) if below < FULL else np.uint8(FULL)
            at += columns[locus]
    return steps


@njit(cache=True, nogil=True, error_model="numpy")
def spread(steps, which, start, columns, rows, out):  # type: ignore[no-untyped-def]
    """Write the penalties of some slots, (flat rows + 1, slots); the last row is zero.

    `which` (loci, slots): their columns.
    """
    for locus in range(len(columns)):
        for row in range(rows[locus], rows[locus + 1]):
            at = start[locus] + (row - rows[locus]) * columns[locus]
            for slot in range(which.shape[1]):
                out[row, slot] = steps[at + which[locus, slot]]
    out[rows[-1], :] = 0


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _add(total, penalty):  # type: ignore[no-untyped-def]
    """Add two bytes, stopping at 255: written so that the compiler finds its instruction."""
    wrapped = np.uint8(total + penalty)
    return np.uint8(FULL) if wrapped < total else wrapped


@njit(cache=True, nogil=True, error_model="numpy")
def scan_table(  # type: ignore[no-untyped-def]
    steps, budget, log_ratios, which, start, columns, children, row_start, threshold, out
):
    """Score all children against a block of tabulated slots.

    `steps` (flat rows + 1, slots) of `spread`, `budget` (children,) of `budgets`; `which`
    (loci, slots), `log_ratios`, `start` and `columns` as in `evidence.ColumnTables`; `children`
    (children, loci) rows, -1 untyped. `out` and the return value as in
    `exclusion.scan_one_parent`.
    """
    out_child, out_slot, out_lr = out
    slots = steps.shape[1]
    loci = children.shape[1]
    empty = steps.shape[0] - 1
    total = np.zeros(slots, dtype=np.uint8)
    chosen = np.full((loci + TOGETHER - 1) // TOGETHER * TOGETHER, empty)
    found = 0
    for child in range(len(children)):
        if budget[child] < 0:
            continue
        for locus in range(loci):
            row = children[child, locus]
            chosen[locus] = row_start[locus] + row if row >= 0 else empty
        total[:] = 0
        for at in range(0, len(chosen), TOGETHER):
            a, b, c, d = chosen[at], chosen[at + 1], chosen[at + 2], chosen[at + 3]
            e, f, g, h = chosen[at + 4], chosen[at + 5], chosen[at + 6], chosen[at + 7]
            for slot in range(slots):
                two = _add(_add(total[slot], steps[a, slot]), steps[b, slot])
                four = _add(_add(two, steps[c, slot]), steps[d, slot])
                six = _add(_add(four, steps[e, slot]), steps[f, slot])
                total[slot] = _add(_add(six, steps[g, slot]), steps[h, slot])
        # The smallest of a block is found by vector instructions; few blocks go further.
        least = np.uint8(FULL)
        for slot in range(slots):
            least = min(least, total[slot])
        if least > budget[child]:
            continue
        for slot in range(slots):
            if total[slot] <= budget[child]:
                log10_lr = 0.0
                for locus in range(loci):
                    row = children[child, locus]
                    if row >= 0:
                        log10_lr += log_ratios[
                            start[locus] + row * columns[locus] + which[locus, slot]
                        ]
                if log10_lr >= threshold:
                    if found < len(out_child):
                        out_child[found] = child
                        out_slot[found] = slot
                        out_lr[found] = log10_lr
                    found += 1
    return found
