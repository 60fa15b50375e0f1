"""Bit-sliced filter: count exclusions of a child against 64 families at a time.

For a block of slots every child row holds one bit per slot: parent and child share no allele (one
parent), or no way to share the child's alleles out between the parents exists (two parents). A
child selects one row per locus; carry-save adders count the set bits of 64 slots at once. How many
exclusions a pair may have and still reach the threshold follows, for each child, from the largest
likelihood ratios that occur with and without an exclusion: see `allowed_exclusions`. What the
filter lets pass is scored exactly on the spot, so nothing at or above the threshold is lost and
nothing below it is returned.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = [
    "PLANES",
    "allowed_exclusions",
    "best_one_parent",
    "best_two_parents",
    "bit_rows_one_parent",
    "bit_rows_two_parents",
    "scan_one_parent",
    "scan_two_parents",
]

FloatArray = NDArray[np.float64]
PLANES = 7
"""Bit planes of a count: up to 127 loci."""
GROUP = 7
"""Rows that one carry-save step adds up."""

_DE_BRUIJN = np.uint64(0x03F79D71B4CB0A89)
_BIT_OF = np.zeros(64, dtype=np.int64)
for _bit in range(64):
    _BIT_OF[(((1 << _bit) * 0x03F79D71B4CB0A89) & (2**64 - 1)) >> 58] = _bit


@njit(cache=True, nogil=True, error_model="numpy")
def best_one_parent(ratios, excluded, start, codes, rows):  # type: ignore[no-untyped-def]
    """Return the largest T per flat child row, without and with an exclusion (0 if none)."""
    best = np.zeros((rows[-1], 2))
    for locus in range(len(codes)):
        for row in range(rows[locus + 1] - rows[locus]):
            for code in range(codes[locus]):
                at = start[locus] + row * codes[locus] + code
                kind = 1 if excluded[at] else 0
                if ratios[at] > best[rows[locus] + row, kind]:
                    best[rows[locus] + row, kind] = ratios[at]
    return best


@njit(cache=True, nogil=True, error_model="numpy")
def best_two_parents(  # type: ignore[no-untyped-def]
    father, mother, shown, hand_start, codes, rows, first, second, scale
):
    """Return the largest T per flat child row, without and with an exclusion (0 if none)."""
    best = np.zeros((rows[-1], 2))
    for locus in range(len(codes)):
        size = codes[locus]
        for row in range(rows[locus], rows[locus + 1]):
            if first[row] < 0:
                continue
            x = hand_start[locus] + first[row] * size
            y = hand_start[locus] + second[row] * size
            for f in range(size):
                for m in range(size):
                    ratio = scale[row] * (
                        father[x + f] * mother[y + m] + father[y + f] * mother[x + m]
                    )
                    fits = (shown[x + f] and shown[y + m]) or (shown[y + f] and shown[x + m])
                    kind = 0 if fits else 1
                    if ratio > best[row, kind]:
                        best[row, kind] = ratio
    return best


def allowed_exclusions(
    best: FloatArray, child_rows: NDArray[np.int32], row_start: NDArray[np.int64], threshold: float
) -> NDArray[np.int64]:
    """Return per child the largest number of exclusions with which `threshold` can be reached.

    `best` (flat rows, 2) as above, `child_rows` (children, loci), `threshold` a log10 LR. A pair
    with k exclusions scores at most the sum over loci of the best without exclusion, plus the k
    smallest losses from an exclusion: this bound is exact, whatever the model. -1: not reachable.
    """
    with np.errstate(divide="ignore"):
        log_best = np.log10(best)
    typed = child_rows >= 0
    flat = np.where(typed, child_rows + row_start[:-1][None, :], 0)
    without, with_one = log_best[flat, 0], log_best[flat, 1]
    # Where nothing fits without an exclusion, the exclusion is certain and costs nothing more.
    ceiling = np.where(typed, np.maximum(without, with_one), 0.0)
    loss = np.where(typed, np.maximum(ceiling - with_one, 0.0), np.inf)
    loss.sort(axis=1)
    reach = ceiling.sum(axis=1)[:, None] - np.concatenate(
        [np.zeros((len(loss), 1)), np.cumsum(loss, axis=1)], axis=1
    )
    allowed: NDArray[np.int64] = (reach >= threshold - 1e-9).sum(axis=1) - 1
    return allowed


@njit(cache=True, nogil=True, error_model="numpy")
def _allele_bits(codes_of_slots, shown, hand_start, codes, alleles):  # type: ignore[no-untyped-def]
    """Return, per locus and allele, one bit per slot: the parent may carry it."""
    slots, loci = codes_of_slots.shape
    words = (slots + 63) // 64
    total = 0
    for locus in range(loci):
        total += alleles[locus]
    bits = np.zeros((total, words), dtype=np.uint64)
    at = 0
    for locus in range(loci):
        size = codes[locus]
        for allele in range(alleles[locus]):
            base = hand_start[locus] + allele * size
            for slot in range(slots):
                if shown[base + codes_of_slots[slot, locus]]:
                    bits[at, slot >> 6] |= np.uint64(1) << np.uint64(slot & 63)
            at += 1
    return bits


@njit(cache=True, nogil=True, error_model="numpy")
def bit_rows_two_parents(  # type: ignore[no-untyped-def]
    father_codes, mother_codes, shown, hand_start, codes, alleles, rows, first, second
):
    """Return the exclusion bits of a block, (flat rows + 1, words); the last row is empty."""
    father = _allele_bits(father_codes, shown, hand_start, codes, alleles)
    mother = _allele_bits(mother_codes, shown, hand_start, codes, alleles)
    words = father.shape[1]
    bits = np.zeros((rows[-1] + 1, words), dtype=np.uint64)
    at = 0
    for locus in range(len(codes)):
        for row in range(rows[locus], rows[locus + 1]):
            if first[row] >= 0:
                x, y = at + first[row], at + second[row]
                for w in range(words):
                    bits[row, w] = ~(
                        (father[x, w] & mother[y, w]) | (father[y, w] & mother[x, w])
                    )
        at += alleles[locus]
    return bits


@njit(cache=True, nogil=True, error_model="numpy")
def bit_rows_one_parent(  # type: ignore[no-untyped-def]
    parent_codes, excluded, start, codes, rows
):
    """Return the exclusion bits of a block, (flat rows + 1, words); the last row is empty."""
    slots = parent_codes.shape[0]
    words = (slots + 63) // 64
    bits = np.zeros((rows[-1] + 1, words), dtype=np.uint64)
    for locus in range(len(codes)):
        size = codes[locus]
        count = rows[locus + 1] - rows[locus]
        # Slots are turned into bits code by code: few codes are excluded for few rows.
        members = np.zeros((size, words), dtype=np.uint64)
        for slot in range(slots):
            code = parent_codes[slot, locus]
            members[code, slot >> 6] |= np.uint64(1) << np.uint64(slot & 63)
        present = np.zeros(size, dtype=np.bool_)
        for code in range(size):
            for w in range(words):
                if members[code, w]:
                    present[code] = True
                    break
        for row in range(count):
            # Collect the few codes that fit; the rest of the block is excluded.
            fits = np.zeros(words, dtype=np.uint64)
            for code in range(size):
                if present[code] and not excluded[start[locus] + row * size + code]:
                    for w in range(words):
                        fits[w] |= members[code, w]
            for w in range(words):
                bits[rows[locus] + row, w] = ~fits[w]
    return bits


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _count(bits, chosen, planes):  # type: ignore[no-untyped-def]
    """Add up the chosen rows into bit planes (PLANES, words)."""
    words = bits.shape[1]
    p0, p1, p2, p3 = planes[0], planes[1], planes[2], planes[3]
    p4, p5, p6 = planes[4], planes[5], planes[6]
    for group in range(len(chosen) // GROUP):
        a, b, c = bits[chosen[7 * group]], bits[chosen[7 * group + 1]], bits[chosen[7 * group + 2]]
        d, e, f = (
            bits[chosen[7 * group + 3]],
            bits[chosen[7 * group + 4]],
            bits[chosen[7 * group + 5]],
        )
        g = bits[chosen[7 * group + 6]]
        for w in range(words):
            # Three full adders make two sums of three; a fourth and fifth join them.
            ab = a[w] ^ b[w]
            s1 = ab ^ c[w]
            c1 = (a[w] & b[w]) | (ab & c[w])
            de = d[w] ^ e[w]
            s2 = de ^ f[w]
            c2 = (d[w] & e[w]) | (de & f[w])
            s12 = s1 ^ s2
            ones = s12 ^ g[w]
            c3 = (s1 & s2) | (s12 & g[w])
            c12 = c1 ^ c2
            twos = c12 ^ c3
            fours = (c1 & c2) | (c12 & c3)
            if group == 0:
                p0[w], p1[w], p2[w] = ones, twos, fours
                p3[w], p4[w], p5[w], p6[w] = 0, 0, 0, 0
            else:
                carry = p0[w] & ones
                p0[w] ^= ones
                half = p1[w] ^ twos
                next_carry = (p1[w] & twos) | (half & carry)
                p1[w] = half ^ carry
                half = p2[w] ^ fours
                carry = (p2[w] & fours) | (half & next_carry)
                p2[w] = half ^ next_carry
                next_carry = p3[w] & carry
                p3[w] ^= carry
                carry = p4[w] & next_carry
                p4[w] ^= next_carry
                next_carry = p5[w] & carry
                p5[w] ^= carry
                p6[w] ^= next_carry


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _at_most(planes, limit, mask):  # type: ignore[no-untyped-def]
    """Set, per slot, whether its count is at most `limit`."""
    full = np.uint64(0xFFFFFFFFFFFFFFFF)
    zero = np.uint64(0)
    l0 = full if limit & 1 else zero
    l1 = full if limit & 2 else zero
    l2 = full if limit & 4 else zero
    l3 = full if limit & 8 else zero
    l4 = full if limit & 16 else zero
    l5 = full if limit & 32 else zero
    l6 = full if limit & 64 else zero
    p0, p1, p2, p3 = planes[0], planes[1], planes[2], planes[3]
    p4, p5, p6 = planes[4], planes[5], planes[6]
    for w in range(len(mask)):
        above = p6[w] & ~l6
        equal = ~(p6[w] ^ l6)
        above |= equal & p5[w] & ~l5
        equal &= ~(p5[w] ^ l5)
        above |= equal & p4[w] & ~l4
        equal &= ~(p4[w] ^ l4)
        above |= equal & p3[w] & ~l3
        equal &= ~(p3[w] ^ l3)
        above |= equal & p2[w] & ~l2
        equal &= ~(p2[w] ^ l2)
        above |= equal & p1[w] & ~l1
        equal &= ~(p1[w] ^ l1)
        above |= equal & p0[w] & ~l0
        mask[w] = ~above


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _lowest(word):  # type: ignore[no-untyped-def]
    """Return the position of the lowest set bit."""
    lowest = word & (~word + np.uint64(1))
    return _BIT_OF[(lowest * _DE_BRUIJN) >> np.uint64(58)]


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _choose(rows_of_child, row_start, empty, chosen):  # type: ignore[no-untyped-def]
    """Write the flat rows that a child selects; `empty` where it is not typed."""
    for locus in range(len(rows_of_child)):
        row = rows_of_child[locus]
        chosen[locus] = row_start[locus] + row if row >= 0 else empty


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _suffix_best(chosen, loci, best, empty, suffix):  # type: ignore[no-untyped-def]
    """Write, per locus, the largest product that the loci from there on can still reach."""
    suffix[loci] = 1.0
    for locus in range(loci - 1, -1, -1):
        row = chosen[locus]
        top = 1.0
        if row != empty:
            top = max(best[row, 0], best[row, 1])
        suffix[locus] = suffix[locus + 1] * top * (1.0 + 1e-12)


@njit(cache=True, nogil=True, error_model="numpy")
def scan_one_parent(  # type: ignore[no-untyped-def]
    bits, codes_of_slots, children, limit, row_start, best, ratios, start, codes, threshold, out
):
    """Score all children against a block of slots with one parent typed.

    `children` (children, loci) rows; `limit` allowed exclusions per child; `threshold` log10 LR;
    `out` = (child, slot, log10_lr) arrays that are filled. Returns how many pairs reach the
    threshold; if that exceeds the arrays' length, they hold the first ones and the call must be
    repeated with longer ones.
    """
    out_child, out_slot, out_lr = out
    slots, loci = codes_of_slots.shape
    words = bits.shape[1]
    empty = bits.shape[0] - 1
    planes = np.zeros((PLANES, words), dtype=np.uint64)
    mask = np.zeros(words, dtype=np.uint64)
    chosen = np.full((loci + GROUP - 1) // GROUP * GROUP, empty)
    suffix = np.ones(loci + 1)
    floor = 10.0**threshold if threshold > -200.0 else 0.0
    found = 0
    for child in range(len(children)):
        if limit[child] < 0:
            continue
        _choose(children[child], row_start, empty, chosen)
        _count(bits, chosen, planes)
        _at_most(planes, limit[child], mask)
        if slots & 63:
            mask[words - 1] &= (np.uint64(1) << np.uint64(slots & 63)) - np.uint64(1)
        ready = False
        for w in range(words):
            word = mask[w]
            while word:
                slot = w * 64 + _lowest(word)
                word &= word - np.uint64(1)
                if not ready:
                    _suffix_best(chosen, loci, best, empty, suffix)
                    ready = True
                product = 1.0
                for locus in range(loci):
                    row = children[child, locus]
                    if row >= 0:
                        product *= ratios[
                            start[locus] + row * codes[locus] + codes_of_slots[slot, locus]
                        ]
                        if product * suffix[locus + 1] < floor:
                            product = -1.0
                            break
                if product < 0.0:
                    continue
                log10_lr = 0.0
                for locus in range(loci):
                    row = children[child, locus]
                    if row >= 0:
                        log10_lr += np.log10(
                            ratios[start[locus] + row * codes[locus] + codes_of_slots[slot, locus]]
                        )
                if log10_lr >= threshold:
                    if found < len(out_child):
                        out_child[found] = child
                        out_slot[found] = slot
                        out_lr[found] = log10_lr
                    found += 1
    return found


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _two_parents(  # type: ignore[no-untyped-def]
    locus, row, f, m, father, mother, hand_start, codes, row_start, first, second, scale
):
    """Return T of one locus with both parents typed."""
    flat = row_start[locus] + row
    x = hand_start[locus] + first[flat] * codes[locus]
    y = hand_start[locus] + second[flat] * codes[locus]
    return scale[flat] * (father[x + f] * mother[y + m] + father[y + f] * mother[x + m])


@njit(cache=True, nogil=True, error_model="numpy")
def scan_two_parents(  # type: ignore[no-untyped-def]
    bits, father_codes, mother_codes, children, limit, row_start, best, father, mother,
    hand_start, codes, first, second, scale, threshold, out,
):  # fmt: skip
    """Score all children against a block of slots with two parents; as `scan_one_parent`."""
    out_child, out_slot, out_lr = out
    slots, loci = father_codes.shape
    words = bits.shape[1]
    empty = bits.shape[0] - 1
    planes = np.zeros((PLANES, words), dtype=np.uint64)
    mask = np.zeros(words, dtype=np.uint64)
    chosen = np.full((loci + GROUP - 1) // GROUP * GROUP, empty)
    suffix = np.ones(loci + 1)
    floor = 10.0**threshold if threshold > -200.0 else 0.0
    found = 0
    for child in range(len(children)):
        if limit[child] < 0:
            continue
        _choose(children[child], row_start, empty, chosen)
        _count(bits, chosen, planes)
        _at_most(planes, limit[child], mask)
        if slots & 63:
            mask[words - 1] &= (np.uint64(1) << np.uint64(slots & 63)) - np.uint64(1)
        ready = False
        for w in range(words):
            word = mask[w]
            while word:
                slot = w * 64 + _lowest(word)
                word &= word - np.uint64(1)
                if not ready:
                    _suffix_best(chosen, loci, best, empty, suffix)
                    ready = True
                product = 1.0
                log10_lr = 0.0
                for locus in range(loci):
                    row = children[child, locus]
                    if row >= 0:
                        product *= _two_parents(
                            locus, row, father_codes[slot, locus], mother_codes[slot, locus],
                            father, mother, hand_start, codes, row_start, first, second, scale,
                        )  # fmt: skip
                        if product * suffix[locus + 1] < floor:
                            product = -1.0
                            break
                if product < 0.0:
                    continue
                for locus in range(loci):
                    row = children[child, locus]
                    if row >= 0:
                        log10_lr += np.log10(
                            _two_parents(
                                locus, row, father_codes[slot, locus], mother_codes[slot, locus],
                                father, mother, hand_start, codes, row_start, first, second, scale,
                            )  # fmt: skip
                        )
                if log10_lr >= threshold:
                    if found < len(out_child):
                        out_child[found] = child
                        out_slot[found] = slot
                        out_lr[found] = log10_lr
                    found += 1
    return found
