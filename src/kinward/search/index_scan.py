"""One child against many slots held in memory: filter by bits, then exact scores.

Slots with a typed parent keep one bit per allele and parent: the parent may carry it. Which slots
exclude a child then follows from two rows of bits per locus and parent, and the count of exclusions
discards them as in `exclusion`. The tables of one child are a few kilobytes, so that survivors are
summed exactly at once.

All kernels return (positions, log10 LR) of the pairs at or above `threshold`.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from kinward.search.exclusion import PLANES, padded, survivors_of

__all__ = ["best_columns", "scan_columns", "scan_one", "scan_some_columns", "scan_two"]

WORDS = 128
"""Words of bits per step: the chosen rows of a step stay in the first-level cache."""
CHUNK = 512
"""Slots whose sums are built together."""


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _passing(father, mother, x, y, limit, first, last):  # type: ignore[no-untyped-def]
    """Return the slots from `first` (a multiple of 64) to `last` with at most `limit` exclusions.

    `father` and `mother` (alleles, words), no rows for a parent who is not asked; `x` and `y`
    (loci,) rows of the child's alleles.
    """
    ask_father, ask_mother = len(father) > 0, len(mother) > 0
    loci = len(x)
    rows = padded(loci)
    excluded = np.zeros((rows, WORDS), dtype=np.uint64)
    chosen = np.arange(rows)
    planes = np.zeros((PLANES, WORDS), dtype=np.uint64)
    masks = np.zeros((2, WORDS), dtype=np.uint64)
    part = np.empty(WORDS * 64 + 1, dtype=np.uint32)
    out = np.empty(last - first, dtype=np.uint32)
    found = 0
    for start in range(first, last, WORDS * 64):
        slots = min(WORDS * 64, last - start)
        words = (slots + 63) // 64
        at = start // 64
        for locus in range(loci):
            a, b = x[locus], y[locus]
            if ask_father and ask_mother:
                for w in range(words):
                    excluded[locus, w] = ~(
                        (father[a, at + w] & mother[b, at + w])
                        | (father[b, at + w] & mother[a, at + w])
                    )
            elif ask_father:
                for w in range(words):
                    excluded[locus, w] = ~(father[a, at + w] | father[b, at + w])
            else:
                for w in range(words):
                    excluded[locus, w] = ~(mother[a, at + w] | mother[b, at + w])
        count = survivors_of(
            excluded[:, :words], chosen, limit, slots, planes[:, :words], masks[:, :words], part
        )
        for k in range(count):
            out[found + k] = start + part[k]
        found += count
    return out[:found]


@njit(cache=True, nogil=True, error_model="numpy")
def scan_one(  # type: ignore[no-untyped-def]
    father, mother, x, y, limit, codes, loci, base, log_ratios, threshold, first, last
):
    """Scan slots with one parent typed, or two of whom one is asked.

    `codes` (slots, loci) of that parent; `loci` (typed,) those of the child; `log_ratios` from
    `base` (typed,) on: log10 T by code.
    """
    passing = _passing(father, mother, x, y, limit, first, last)
    slots, figures = np.empty(len(passing), dtype=np.int64), np.empty(len(passing))
    found = 0
    for slot in passing:
        total = 0.0
        for k in range(len(loci)):
            total += log_ratios[base[k] + codes[slot, loci[k]]]
        if total >= threshold:
            slots[found], figures[found] = slot, total
            found += 1
    return slots[:found].copy(), figures[:found].copy()


@njit(cache=True, nogil=True, error_model="numpy")
def scan_two(  # type: ignore[no-untyped-def]
    father, mother, x, y, limit, father_codes, mother_codes, loci, x_base, y_base, scale,
    father_hands, mother_hands, threshold, first, last,
):  # fmt: skip
    """Scan slots with two parents typed; `*_hands` and `scale` as in `ParentTables`."""
    passing = _passing(father, mother, x, y, limit, first, last)
    slots, figures = np.empty(len(passing), dtype=np.int64), np.empty(len(passing))
    found = 0
    for slot in passing:
        total = 0.0
        for k in range(len(loci)):
            f, m = father_codes[slot, loci[k]], mother_codes[slot, loci[k]]
            total += np.log10(
                scale[k]
                * (
                    father_hands[x_base[k] + f] * mother_hands[y_base[k] + m]
                    + father_hands[y_base[k] + f] * mother_hands[x_base[k] + m]
                )
            )
        if total >= threshold:
            slots[found], figures[found] = slot, total
            found += 1
    return slots[:found].copy(), figures[:found].copy()


@njit(cache=True, nogil=True, error_model="numpy")
def scan_some_columns(  # type: ignore[no-untyped-def]
    father, mother, x, y, limit, which, loci, base, log_ratios, threshold, first, last
):
    """Scan tabulated slots with a typed parent; `which` (slots, loci) else as in `ColumnTables`."""
    passing = _passing(father, mother, x, y, limit, first, last)
    slots, figures = np.empty(len(passing), dtype=np.int64), np.empty(len(passing))
    found = 0
    for slot in passing:
        total = 0.0
        for k in range(len(loci)):
            total += log_ratios[base[k] + which[slot, loci[k]]]
        if total >= threshold:
            slots[found], figures[found] = slot, total
            found += 1
    return slots[:found].copy(), figures[:found].copy()


@njit(cache=True, nogil=True, error_model="numpy")
def scan_columns(which, loci, base, log_ratios, threshold, first, last):  # type: ignore[no-untyped-def]
    """Scan tabulated slots without a filter."""
    slots, figures = np.empty(last - first, dtype=np.int64), np.empty(last - first)
    total = np.empty(CHUNK)
    found = 0
    for start in range(first, last, CHUNK):
        size = min(CHUNK, last - start)
        total[:] = 0.0
        for k in range(len(loci)):
            locus, at = loci[k], base[k]
            for slot in range(size):
                total[slot] += log_ratios[at + which[locus, start + slot]]
        for slot in range(size):
            if total[slot] >= threshold:
                slots[found], figures[found] = start + slot, total[slot]
                found += 1
    return slots[:found].copy(), figures[:found].copy()


@njit(cache=True, nogil=True, error_model="numpy")
def best_columns(  # type: ignore[no-untyped-def]
    log_ratios, start, columns, father_codes, mother_codes, shown, hand_start, codes, rows, first,
    second,
):  # fmt: skip
    """Return the largest log10 T per flat child row, without and with an exclusion.

    `father_codes` and `mother_codes` (all columns of all loci,): the parents' codes, 0 for one not
    asked. A row without plain alleles is never counted as an exclusion.
    """
    best = np.full((rows[-1], 2), -np.inf)
    at = 0
    for locus in range(len(columns)):
        for row in range(rows[locus], rows[locus + 1]):
            base = start[locus] + (row - rows[locus]) * columns[locus]
            x = hand_start[locus] + first[row] * codes[locus]
            y = hand_start[locus] + second[row] * codes[locus]
            for column in range(columns[locus]):
                kind = 0
                if first[row] >= 0:
                    f, m = father_codes[at + column], mother_codes[at + column]
                    fits = (shown[x + f] and shown[y + m]) or (shown[y + f] and shown[x + m])
                    kind = 0 if fits else 1
                # Not `max`: a column of impossible relatives is NaN.
                if log_ratios[base + column] > best[row, kind]:
                    best[row, kind] = log_ratios[base + column]
        at += columns[locus]
    return best
