"""Quantised bound scan of tabulated slots, exact score of what it lets pass.

Per child row and slot of a block, log10 T is rounded up to a multiple of 1/scale in one byte. The
sum over a child's rows is then an upper bound of log10 LR: a pair below the threshold by this
bound is below it in truth. What remains is summed exactly on the spot.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["quantise", "scan_table"]

FloatArray = NDArray[np.float64]
LOWEST = -128
STRIDE = 128


def quantise(log_ratios: FloatArray) -> tuple[NDArray[np.int8], float]:
    """Round log10 T (rows, slots) up to bytes; returns them and the steps per unit.

    Values below the byte range, zero LR among them, become its lowest value: still an upper
    bound. The steps shrink if the largest value asks for it.
    """
    largest = float(np.max(log_ratios, initial=0.0, where=np.isfinite(log_ratios)))
    scale = min(16.0, 126.0 / max(largest, 1e-9))
    steps = np.ceil(np.maximum(log_ratios * scale, LOWEST))
    return steps.astype(np.int8), scale


@njit(cache=True, nogil=True, error_model="numpy")
def scan_table(  # type: ignore[no-untyped-def]
    steps, scale, log_ratios, children, row_start, threshold, out
):
    """Score all children against a block of tabulated slots.

    `steps` and `log_ratios` (flat rows + 1, slots), the last row zero; `children` (children,
    loci) rows, -1 untyped. `out` and the return value as in `exclusion.scan_one_parent`.
    """
    out_child, out_slot, out_lr = out
    slots = steps.shape[1]
    loci = children.shape[1]
    empty = steps.shape[0] - 1
    bound = np.zeros(slots, dtype=np.int16)
    chosen = np.full((loci + 3) // 4 * 4, empty)
    floor = np.int16(np.floor(max(threshold * scale, -30000.0) - 1e-6))
    found = 0
    for child in range(len(children)):
        for locus in range(loci):
            row = children[child, locus]
            chosen[locus] = row_start[locus] + row if row >= 0 else empty
        bound[:] = 0
        for four in range(len(chosen) // 4):
            a, b = steps[chosen[4 * four]], steps[chosen[4 * four + 1]]
            c, d = steps[chosen[4 * four + 2]], steps[chosen[4 * four + 3]]
            for slot in range(slots):
                bound[slot] += np.int16(a[slot]) + b[slot] + c[slot] + d[slot]
        for first in range(0, slots, STRIDE):
            last = min(first + STRIDE, slots)
            # The largest of a stride is found by vector instructions; few strides go further.
            best = np.int16(-32768)
            for slot in range(first, last):
                best = max(best, bound[slot])
            if best < floor:
                continue
            for slot in range(first, last):
                if bound[slot] >= floor:
                    log10_lr = 0.0
                    for locus in range(loci):
                        log10_lr += log_ratios[chosen[locus], slot]
                    if log10_lr >= threshold:
                        if found < len(out_child):
                            out_child[found] = child
                            out_slot[found] = slot
                            out_lr[found] = log10_lr
                        found += 1
    return found
