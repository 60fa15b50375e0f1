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
    "GROUP",
    "PLANES",
    "allele_bits",
    "allowed_by_logs",
    "allowed_exclusions",
    "best_one_parent",
    "best_two_parents",
    "bit_rows_one_parent",
    "bit_rows_two_parents",
    "padded",
    "quantise",
    "scan_one_parent",
    "scan_two_parents",
    "survivors_of",
]

FloatArray = NDArray[np.float64]
PLANES = 7
"""Bit planes of a count: up to 127 loci."""
GROUP = 7
"""Rows that one carry-save step adds up; up to `FEW` that are left over cost less."""
FEW = 3
NARROW = 28
"""Rows whose count fits into five planes."""

_DE_BRUIJN = np.uint64(0x03F79D71B4CB0A89)
_BIT_OF = np.zeros(64, dtype=np.uint64)
for _bit in range(64):
    _BIT_OF[(((1 << _bit) * 0x03F79D71B4CB0A89) & (2**64 - 1)) >> 58] = _bit


def quantise(log_ratios: FloatArray) -> tuple[NDArray[np.int8], float]:
    """Round log10 T up to steps that fit into bytes; returns them and the steps per unit.

    Values below the byte range, zero LR among them, become its lowest value: still an upper
    bound. The steps shrink if the largest value asks for it.
    """
    largest = float(np.max(log_ratios, initial=0.0, where=np.isfinite(log_ratios)))
    scale = min(16.0, 126.0 / max(largest, 1e-9))
    steps = np.ceil(np.maximum(log_ratios * scale, -128))
    return steps.astype(np.int8), scale


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
    best: FloatArray,
    child_rows: NDArray[np.int32],
    row_start: NDArray[np.int64],
    threshold: float | FloatArray,
) -> NDArray[np.int64]:
    """Return per child the largest number of exclusions with which `threshold` can be reached.

    `best` (flat rows, 2) as above, `child_rows` (children, loci), `threshold` a log10 LR, or
    one per child. A pair
    with k exclusions scores at most the sum over loci of the best without exclusion, plus the k
    smallest losses from an exclusion: this bound is exact, whatever the model. -1: not reachable.
    """
    with np.errstate(divide="ignore"):
        log_best = np.log10(best)
    thresholds = np.broadcast_to(np.asarray(threshold, dtype=np.float64), len(child_rows))
    allowed: NDArray[np.int64] = allowed_by_logs(log_best, child_rows, row_start, thresholds)
    return allowed


@njit(cache=True, nogil=True, error_model="numpy")
def allowed_by_logs(log_best, child_rows, row_start, thresholds):  # type: ignore[no-untyped-def]
    """Return the same, given log10 of `best` and a threshold per child."""
    children, loci = child_rows.shape
    allowed = np.empty(children, dtype=np.int64)
    loss = np.empty(loci)
    for child in range(children):
        reach = 0.0
        typed = 0
        for locus in range(loci):
            if child_rows[child, locus] >= 0:
                flat = row_start[locus] + child_rows[child, locus]
                # Where nothing fits without an exclusion, it is certain and costs nothing more.
                ceiling = max(log_best[flat, 0], log_best[flat, 1])
                reach += ceiling
                loss[typed] = ceiling - log_best[flat, 1] if ceiling > -np.inf else 0.0
                typed += 1
        needed = thresholds[child] - 1e-9
        count = -1
        if reach >= needed:
            count = 0
            for one in np.sort(loss[:typed]):
                reach -= one
                if reach < needed:
                    break
                count += 1
        # Counts are kept modulo 2**PLANES: they can only come out too small, and pass.
        allowed[child] = min(count, 2**PLANES - 1)
    return allowed


@njit(cache=True, nogil=True, error_model="numpy")
def _code_bits(codes_of_slots, size):  # type: ignore[no-untyped-def]
    """Return, per code of one locus, one bit per slot that has it, and which codes occur."""
    slots = len(codes_of_slots)
    bits = np.zeros((size, (slots + 63) // 64), dtype=np.uint64)
    present = np.zeros(size, dtype=np.bool_)
    for slot in range(slots):
        code = codes_of_slots[slot]
        bits[code, slot >> 6] |= np.uint64(1) << np.uint64(slot & 63)
        present[code] = True
    return bits, present


@njit(cache=True, nogil=True, error_model="numpy")
def allele_bits(codes_of_slots, shown, hand_start, codes, alleles):  # type: ignore[no-untyped-def]
    """Return, per locus and allele, one bit per slot: the parent may carry it.

    `codes_of_slots` (loci, slots).
    """
    loci, slots = codes_of_slots.shape
    words = (slots + 63) // 64
    bits = np.zeros((alleles.sum(), words), dtype=np.uint64)
    at = 0
    for locus in range(loci):
        size = codes[locus]
        members, present = _code_bits(codes_of_slots[locus], size)
        for allele in range(alleles[locus]):
            base = hand_start[locus] + allele * size
            for code in range(size):
                if present[code] and shown[base + code]:
                    for w in range(words):
                        bits[at, w] |= members[code, w]
            at += 1
    return bits


@njit(cache=True, nogil=True, error_model="numpy")
def bit_rows_two_parents(  # type: ignore[no-untyped-def]
    father_codes, mother_codes, shown, hand_start, codes, alleles, rows, first, second
):
    """Return the exclusion bits of a block, (flat rows + 1, words); the last row is empty.

    `father_codes` and `mother_codes` (loci, slots).
    """
    father = allele_bits(father_codes, shown, hand_start, codes, alleles)
    mother = allele_bits(mother_codes, shown, hand_start, codes, alleles)
    words = father.shape[1]
    bits = np.zeros((rows[-1] + 1, words), dtype=np.uint64)
    at = 0
    for locus in range(len(codes)):
        for row in range(rows[locus], rows[locus + 1]):
            if first[row] >= 0:
                x, y = at + first[row], at + second[row]
                for w in range(words):
                    bits[row, w] = ~((father[x, w] & mother[y, w]) | (father[y, w] & mother[x, w]))
        at += alleles[locus]
    return bits


@njit(cache=True, nogil=True, error_model="numpy")
def bit_rows_one_parent(parent_codes, excluded, start, codes, rows):  # type: ignore[no-untyped-def]
    """Return the exclusion bits of a block, (flat rows + 1, words); the last row is empty.

    `parent_codes` (loci, slots).
    """
    words = (parent_codes.shape[1] + 63) // 64
    bits = np.zeros((rows[-1] + 1, words), dtype=np.uint64)
    for locus in range(len(codes)):
        size = codes[locus]
        members, present = _code_bits(parent_codes[locus], size)
        for row in range(rows[locus + 1] - rows[locus]):
            # Most codes are excluded for most rows: collect those that are not.
            fits = np.zeros(words, dtype=np.uint64)
            for code in range(size):
                if present[code] and not excluded[start[locus] + row * size + code]:
                    for w in range(words):
                        fits[w] |= members[code, w]
            for w in range(words):
                bits[rows[locus] + row, w] = ~fits[w]
    return bits


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _add_up(a, b, c, d, e, f, g):  # type: ignore[no-untyped-def]
    """Add seven bits per slot into a three-bit number: four full adders."""
    ab = a ^ b
    s1 = ab ^ c
    c1 = (a & b) | (ab & c)
    de = d ^ e
    s2 = de ^ f
    c2 = (d & e) | (de & f)
    s12 = s1 ^ s2
    c3 = (s1 & s2) | (s12 & g)
    c12 = c1 ^ c2
    return s12 ^ g, c12 ^ c3, (c1 & c2) | (c12 & c3)


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _add_number(p0, p1, p2, ones, twos, fours):  # type: ignore[no-untyped-def]
    """Add a three-bit number to three planes; return them and the carry."""
    carry = p0 & ones
    half = p1 ^ twos
    next_carry = (p1 & twos) | (half & carry)
    top = p2 ^ fours
    return p0 ^ ones, half ^ carry, top ^ next_carry, (p2 & fours) | (top & next_carry)


@njit(cache=True, nogil=True, error_model="numpy")
def padded(loci):  # type: ignore[no-untyped-def]
    """Return to how many rows those of a child are filled up with empty ones for counting."""
    left = loci % GROUP
    return loci - left + (0 if not left and loci else FEW if 0 < left <= FEW else GROUP)


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _carry(planes, w, carry, wide):  # type: ignore[no-untyped-def]
    """Add a carry into the planes above the third."""
    next_carry = planes[3, w] & carry
    planes[3, w] ^= carry
    carry = planes[4, w] & next_carry
    planes[4, w] ^= next_carry
    if wide:
        planes[6, w] ^= planes[5, w] & carry
        planes[5, w] ^= carry


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _count(bits, chosen, planes):  # type: ignore[no-untyped-def]
    """Add up the chosen rows into bit planes (PLANES, words).

    Rows are indexed, not sliced: making a slice costs as much as adding up dozens of words.
    """
    words = bits.shape[1]
    wide = len(chosen) > NARROW
    groups = len(chosen) // GROUP
    for group in range(groups):
        at = GROUP * group
        a, b, c, d = chosen[at], chosen[at + 1], chosen[at + 2], chosen[at + 3]
        e, f, g = chosen[at + 4], chosen[at + 5], chosen[at + 6]
        if group == 0:
            for w in range(words):
                planes[0, w], planes[1, w], planes[2, w] = _add_up(
                    bits[a, w], bits[b, w], bits[c, w], bits[d, w],
                    bits[e, w], bits[f, w], bits[g, w],
                )  # fmt: skip
                for plane in range(3, PLANES):
                    planes[plane, w] = 0
            continue
        for w in range(words):
            ones, twos, fours = _add_up(
                bits[a, w], bits[b, w], bits[c, w], bits[d, w],
                bits[e, w], bits[f, w], bits[g, w],
            )  # fmt: skip
            planes[0, w], planes[1, w], planes[2, w], carry = _add_number(
                planes[0, w], planes[1, w], planes[2, w], ones, twos, fours
            )
            _carry(planes, w, carry, wide)
    if len(chosen) > groups * GROUP:
        a, b, c = chosen[-3], chosen[-2], chosen[-1]
        if groups == 0:
            planes[:] = 0
        for w in range(words):
            one, two, three = bits[a, w], bits[b, w], bits[c, w]
            both = one ^ two
            ones, twos = both ^ three, (one & two) | (both & three)
            planes[0, w], planes[1, w], planes[2, w], carry = _add_number(
                planes[0, w], planes[1, w], planes[2, w], ones, twos, np.uint64(0)
            )
            _carry(planes, w, carry, wide)


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _compare(planes, top, limit, masks, within, equal):  # type: ignore[no-untyped-def]
    """Set masks[within] per slot: count at most `limit`; masks[equal]: count equal to it.

    Looks at the `top` lowest planes, from the highest bit down.
    """
    words = masks.shape[1]
    for w in range(words):
        masks[within, w] = 0
        masks[equal, w] = ~np.uint64(0)
    for bit in range(top - 1, -1, -1):
        if (limit >> bit) & 1:
            for w in range(words):
                masks[within, w] |= masks[equal, w] & ~planes[bit, w]
                masks[equal, w] &= planes[bit, w]
        else:
            for w in range(words):
                masks[equal, w] &= ~planes[bit, w]
    for w in range(words):
        masks[within, w] |= masks[equal, w]


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _lowest(word):  # type: ignore[no-untyped-def]
    """Return the position of the lowest set bit."""
    lowest = word & (~word + np.uint64(1))
    return _BIT_OF[(lowest * _DE_BRUIJN) >> np.uint64(58)]


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _choose(children, child, row_start, empty, chosen):  # type: ignore[no-untyped-def]
    """Write the flat rows that a child selects, `empty` where not typed."""
    for locus in range(children.shape[1]):
        row = children[child, locus]
        chosen[locus] = row_start[locus] + row if row >= 0 else empty


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _extract(masks, slots, out):  # type: ignore[no-untyped-def]
    """Write the slots whose bit is set in masks[0] to `out`; return how many.

    Half the words are empty and few hold more than two: those that do not are listed first, and
    two bits taken without asking, because a branch that cannot be foreseen costs more than both.
    `out` needs room for one more than is found. masks[1] is overwritten.
    """
    words = masks.shape[1]
    if slots & 63:
        masks[0, words - 1] &= (np.uint64(1) << np.uint64(slots & 63)) - np.uint64(1)
    filled = 0
    for w in range(words):
        masks[1, filled] = w
        filled += masks[0, w] != 0
    count = 0
    for k in range(filled):
        w = masks[1, k]
        word = masks[0, w]
        first = w << np.uint64(6)
        out[count] = first | _lowest(word)
        word &= word - np.uint64(1)
        out[count + 1] = first | _lowest(word)
        count += 1 + (word != 0)
        word &= word - np.uint64(1)
        while word:
            out[count] = first | _lowest(word)
            count += 1
            word &= word - np.uint64(1)
    return count


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def survivors_of(bits, chosen, limit, slots, planes, masks, out):  # type: ignore[no-untyped-def]
    """Write the slots with at most `limit` exclusions to `out` (slots + 1,); return how many.

    `planes` (PLANES, words) and `masks` (2, words) are working memory.
    """
    _count(bits, chosen, planes)
    _compare(planes, PLANES if len(chosen) > NARROW else 5, limit, masks, 0, 1)
    return _extract(masks, slots, out)


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _keep(out, found, child, slot, log10_lr):  # type: ignore[no-untyped-def]
    """Write a pair if there is room; return the new count."""
    if found < len(out[0]):
        out[0][found] = child
        out[1][found] = slot
        out[2][found] = log10_lr
    return found + 1


@njit(cache=True, nogil=True, error_model="numpy")
def scan_one_parent(  # type: ignore[no-untyped-def]
    bits, codes_of_slots, children, limit, row_start, ratios, steps, tops, scale, start, codes,
    threshold, out,
):  # fmt: skip
    """Score all children against a block of slots with one parent typed.

    `bits` of `bit_rows_one_parent`; `codes_of_slots` (slots, loci) uint16; `children` (children,
    loci) rows; `limit` of `allowed_exclusions`; `row_start`, `start` and `codes` (loci,) as in
    `ParentTables`: loci may stand in any order, and the sooner the telling ones, the better.
    `steps`, `scale`: log10 of `ratios` rounded up to bytes (see `quantise`) and followed by as
    many zeros as a locus has codes, a second bound, small enough for the second-level cache;
    `tops` (flat rows,) the largest steps of each row. `threshold` log10 LR; `out` = (child, slot,
    log10_lr) arrays that are filled. Returns how many pairs reach the threshold; if that exceeds
    the arrays' length, they hold the first ones and the call must be repeated with longer ones.
    """
    slots, loci = codes_of_slots.shape
    words = bits.shape[1]
    empty = bits.shape[0] - 1
    planes = np.zeros((PLANES, words), dtype=np.uint64)
    masks = np.zeros((2, words), dtype=np.uint64)
    chosen = np.full(padded(loci), empty)
    survivors = np.zeros(slots + 1, dtype=np.uint32)
    base = np.zeros(loci, dtype=np.uint64)
    blank = np.uint64(len(ratios))
    floor = np.int32(np.floor(max(threshold * scale, -1e9) - 1e-6))
    # After so many loci most pairs are beyond what the others can make up for.
    telling = loci * 3 // 5
    found = 0
    for child in range(len(children)):
        if limit[child] < 0:
            continue
        _choose(children, child, row_start, empty, chosen)
        count = survivors_of(bits, chosen, limit[child], slots, planes, masks, survivors)
        if count == 0:
            continue
        rest = 0
        for locus in range(loci):
            row = children[child, locus]
            # Entry `blank` and those behind it are zero steps, for loci that are not typed.
            base[locus] = start[locus] + row * codes[locus] if row >= 0 else blank
            if row >= 0 and locus >= telling:
                rest += tops[row_start[locus] + row]
        for k in range(count):
            slot = survivors[k]
            bound = 0
            for locus in range(telling):
                bound += steps[base[locus] + codes_of_slots[slot, locus]]
            if bound + rest < floor:
                continue
            for locus in range(telling, loci):
                bound += steps[base[locus] + codes_of_slots[slot, locus]]
            if bound < floor:
                continue
            log10_lr = 0.0
            for locus in range(loci):
                if base[locus] != blank:
                    log10_lr += np.log10(ratios[base[locus] + codes_of_slots[slot, locus]])
            if log10_lr >= threshold:
                found = _keep(out, found, child, slot, log10_lr)
    return found


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


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _two_parents(  # type: ignore[no-untyped-def]
    locus, flat, f, m, father, mother, hand_start, codes, first, second, scale
):
    """Return T of one locus with both parents typed."""
    x = hand_start[locus] + first[flat] * codes[locus]
    y = hand_start[locus] + second[flat] * codes[locus]
    return scale[flat] * (father[x + f] * mother[y + m] + father[y + f] * mother[x + m])


@njit(cache=True, nogil=True, error_model="numpy")
def scan_two_parents(  # type: ignore[no-untyped-def]
    bits, father_codes, mother_codes, children, limit, row_start, best, father, mother,
    hand_start, codes, first, second, scale, thresholds, out,
):  # fmt: skip
    """Score all children against a block of slots with two parents; as `scan_one_parent`.

    `father_codes` and `mother_codes` (slots, loci); `thresholds` (children,) log10 LR: a child
    with composite rows left out has one of its own.
    Survivors are few; their product is given up as soon as the best of the remaining loci cannot
    bring it back to the threshold.
    """
    slots, loci = father_codes.shape
    words = bits.shape[1]
    empty = bits.shape[0] - 1
    planes = np.zeros((PLANES, words), dtype=np.uint64)
    masks = np.zeros((2, words), dtype=np.uint64)
    chosen = np.full(padded(loci), empty)
    survivors = np.zeros(slots + 1, dtype=np.uint32)
    suffix = np.ones(loci + 1)
    ratio = np.ones(loci)
    found = 0
    for child in range(len(children)):
        if limit[child] < 0:
            continue
        _choose(children, child, row_start, empty, chosen)
        count = survivors_of(bits, chosen, limit[child], slots, planes, masks, survivors)
        if count == 0:
            continue
        _suffix_best(chosen, loci, best, empty, suffix)
        # Far below, products would run out of the range of numbers: nothing is given up early.
        # The last digits are left to the sum of logarithms.
        floor = 10.0 ** thresholds[child] * (1.0 - 1e-9) if thresholds[child] > -200.0 else 0.0
        for k in range(count):
            slot = survivors[k]
            product = 1.0
            for locus in range(loci):
                ratio[locus] = 1.0
                if children[child, locus] >= 0:
                    ratio[locus] = _two_parents(
                        locus, chosen[locus], father_codes[slot, locus], mother_codes[slot, locus],
                        father, mother, hand_start, codes, first, second, scale,
                    )  # fmt: skip
                product *= ratio[locus]
                if product * suffix[locus + 1] < floor:
                    product = -1.0
                    break
            if product < 0.0:
                continue
            log10_lr = 0.0
            for locus in range(loci):
                log10_lr += np.log10(ratio[locus])
            if log10_lr >= thresholds[child]:
                found = _keep(out, found, child, slot, log10_lr)
    return found
