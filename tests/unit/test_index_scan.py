"""The kernels of the index, step by step, against plain numpy."""

from __future__ import annotations

import numpy as np
import pytest

from kinward.search import index_scan
from kinward.search.index_scan import (
    best_columns,
    scan_columns,
    scan_one,
    scan_some_columns,
    scan_two,
)

ALLELES = 5
NOBODY = np.zeros((0, 0), dtype=np.uint64)


class Case:
    """Random parents and one random child at some loci; the last is not typed in the child."""

    def __init__(self, loci: int, slots: int, seed: int = 1) -> None:
        rng = np.random.default_rng(seed)
        self.rng = rng
        self.carried = rng.random((2, loci * ALLELES, slots)) < 0.5
        self.loci = np.arange(loci - 1)
        self.x, self.y = (rng.integers(0, ALLELES, loci - 1) + ALLELES * self.loci for _ in "xy")
        words = (slots + 63) // 64
        padded = np.ones((2, loci * ALLELES, words * 64), dtype=np.uint8)
        padded[:, :, :slots] = self.carried
        self.father, self.mother = np.packbits(padded, axis=2, bitorder="little").view(np.uint64)

    def exclusions(self, father: bool, mother: bool) -> np.ndarray:
        f, m = (
            self.carried[k] if asked else np.ones_like(self.carried[k])
            for k, asked in enumerate((father, mother))
        )
        fits = (f[self.x] & m[self.y]) | (f[self.y] & m[self.x])
        return (~fits).sum(axis=0)


@pytest.mark.parametrize("loci", [2, 8, 25, 40])
@pytest.mark.parametrize("slots", [1, 64, 200, index_scan.WORDS * 64 + 65])
def test_scans(loci: int, slots: int) -> None:
    case = Case(loci, slots)
    rng = case.rng
    columns = 7
    which = rng.integers(0, columns, (slots, loci)).astype(np.uint16)
    log_ratios = rng.normal(-0.2, 1, loci * columns)
    log_ratios[rng.random(len(log_ratios)) < 0.01] = -np.inf
    base = case.loci * columns
    totals = log_ratios[which[:, case.loci] + base].sum(axis=1)
    threshold = float(np.quantile(totals[np.isfinite(totals)], 0.4)) - 1e-9
    for first, last in ((0, slots), (64, slots), (0, min(slots, 70))):
        if first >= last:
            continue
        inside = np.arange(slots) >= first
        inside &= np.arange(slots) < last
        plain = scan_columns(
            np.ascontiguousarray(which.T), case.loci, base, log_ratios, threshold, first, last
        )
        expect(plain, inside & (totals >= threshold), totals)
        for sides in ((True, False), (False, True), (True, True)):
            counts = case.exclusions(*sides)
            bits = case.father if sides[0] else NOBODY, case.mother if sides[1] else NOBODY
            for limit in (0, loci // 3, loci - 1):
                wanted = inside & (counts <= limit) & (totals >= threshold)
                question = (*bits, case.x, case.y, limit)
                for scan in (scan_one, scan_some_columns):
                    found = scan(
                        *question, which, case.loci, base, log_ratios, threshold, first, last
                    )
                    expect(found, wanted, totals)


def test_two_parents() -> None:
    loci, slots, codes = 9, 300, 4
    case = Case(loci, slots)
    rng = case.rng
    father, mother = rng.integers(0, codes, (2, slots, loci)).astype(np.uint16)
    hands = rng.random((2, loci * ALLELES * codes))
    scale = rng.random(loci - 1) * 20
    x, y = case.x * codes, case.y * codes
    f, m = father[:, case.loci], mother[:, case.loci]
    totals = np.log10(
        scale * (hands[0][x + f] * hands[1][y + m] + hands[0][y + f] * hands[1][x + m])
    ).sum(axis=1)
    threshold = float(np.median(totals)) - 1e-9
    for limit in (0, 2, loci):
        found = scan_two(
            case.father, case.mother, case.x, case.y, limit, father, mother, case.loci, x, y,
            scale, hands[0], hands[1], threshold, 0, slots,
        )  # fmt: skip
        expect(found, (case.exclusions(True, True) <= limit) & (totals >= threshold), totals)


def expect(found: tuple[np.ndarray, np.ndarray], wanted: np.ndarray, totals: np.ndarray) -> None:
    np.testing.assert_array_equal(found[0], np.flatnonzero(wanted))
    np.testing.assert_allclose(found[1], totals[wanted], rtol=1e-12, atol=1e-12)


def test_best_of_columns() -> None:
    """Rows with and without an exclusion; rows that show no plain alleles are never excluded."""
    rng = np.random.default_rng(4)
    loci, codes, columns = 3, 4, np.array([5, 1, 9])
    per_locus = np.array([4, 2, 6])
    rows = np.concatenate([[0], np.cumsum(per_locus)])
    start = np.concatenate([[0], np.cumsum(per_locus * columns)])
    log_ratios = rng.normal(size=start[-1])
    log_ratios[rng.random(len(log_ratios)) < 0.2] = np.nan
    father, mother = rng.integers(0, codes, (2, columns.sum()))
    shown = rng.random(loci * ALLELES * codes) < 0.5
    hand_start = np.arange(loci + 1) * ALLELES * codes
    first, second = rng.integers(0, ALLELES, (2, rows[-1]))
    first[1] = second[1] = -1
    best = best_columns(
        log_ratios, start, columns, father, mother, shown, hand_start,
        np.full(loci, codes), rows, first, second,
    )  # fmt: skip
    expected = np.full((rows[-1], 2), -np.inf)
    for locus in range(loci):
        carries = shown.reshape(loci, ALLELES, codes)[locus]
        table = log_ratios[start[locus] : start[locus + 1]].reshape(-1, columns[locus])
        offset = columns[:locus].sum()
        for row in range(per_locus[locus]):
            x, y = first[rows[locus] + row], second[rows[locus] + row]
            for column in range(columns[locus]):
                f, m = father[offset + column], mother[offset + column]
                fits = (
                    x < 0 or (carries[x, f] and carries[y, m]) or (carries[y, f] and carries[x, m])
                )
                kind = 0 if fits else 1
                at = expected[rows[locus] + row]
                at[kind] = np.nanmax([at[kind], table[row, column]])
    np.testing.assert_array_equal(best, expected)
