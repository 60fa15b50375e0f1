"""The quantised bound and the scan of tabulated slots, against plain numpy."""

from __future__ import annotations

import numpy as np
import pytest

from kinward.search.exclusion import quantise
from kinward.search.scan import FULL, budgets, penalties, scan_table, spread


def random_log_ratios(rng: np.random.Generator, shape: tuple[int, ...], top: float) -> np.ndarray:
    values = rng.normal(-1.0, 2.0, shape)
    values[rng.random(shape) < 0.1] = -np.inf
    values[rng.random(shape) < 0.05] = top
    values[rng.random(shape) < 0.05] = -1e4
    return values


@pytest.mark.parametrize("top", [0.0, 1.0, 7.875, 7.9, 30.0, 1e3])
def test_steps_are_an_upper_bound_and_fit_into_bytes(top: float) -> None:
    values = np.minimum(random_log_ratios(np.random.default_rng(1), (40, 50), top), top)
    steps, scale = quantise(values)
    assert steps.dtype == np.int8
    assert (steps >= values * scale).all()
    ordinary = values * scale >= -128
    assert (steps[ordinary] - values[ordinary] * scale < 1.0).all()
    assert (steps[~ordinary] == -128).all()


def test_steps_of_nothing_and_of_zero_ratios() -> None:
    steps, _ = quantise(np.full((2, 3), -np.inf))
    assert (steps == -128).all()
    steps, scale = quantise(np.zeros((0, 3)))
    assert steps.shape == (0, 3)
    assert scale > 0


class Tables:
    """Random columns of distinct evidence, some impossible, and slots that refer to them."""

    def __init__(self, loci: int, slots: int) -> None:
        rng = np.random.default_rng(loci)
        per_locus = rng.integers(1, 6, loci)
        self.rows = np.concatenate([[0], np.cumsum(per_locus)])
        self.columns = rng.integers(1, 9, loci)
        self.start = np.concatenate([[0], np.cumsum(per_locus * self.columns)])
        self.log_ratios = random_log_ratios(rng, (int(self.start[-1]),), 2.0)
        self.which = rng.integers(0, self.columns[:, None], (loci, slots)).astype(np.uint16)
        self.children = rng.integers(-1, per_locus, (25, loci)).astype(np.int32)
        self.children[0] = -1
        tables = [self.locus(locus) for locus in range(loci)]
        if loci > 3:
            tables[2][:, 0] = np.nan  # impossible relatives
            tables[3][0] = -np.inf  # a child nobody can have
        self.tops = np.concatenate(
            [np.max(t, axis=1, initial=-np.inf, where=~np.isnan(t)) for t in tables]
        )

    def locus(self, locus: int) -> np.ndarray:
        """Return log10 T (rows, columns), a view."""
        span = slice(self.start[locus], self.start[locus + 1])
        return self.log_ratios[span].reshape(-1, self.columns[locus])

    def of_slots(self) -> np.ndarray:
        """Return log10 T (flat rows, slots)."""
        return np.concatenate([self.locus(k)[:, which] for k, which in enumerate(self.which)])


@pytest.mark.parametrize("loci", [1, 5, 24])
def test_penalties_are_rounded_down(loci: int) -> None:
    tables = Tables(loci, 40)
    for scale in (0.5, 8.0, 60.0):
        steps = penalties(
            tables.log_ratios, tables.tops, scale, tables.start, tables.columns, tables.rows
        )
        out = np.zeros((int(tables.rows[-1]) + 1, 40), dtype=np.uint8)
        spread(steps, tables.which, tables.start, tables.columns, tables.rows, out)
        assert not out[-1].any()
        with np.errstate(invalid="ignore"):
            below = (tables.tops[:, None] - tables.of_slots()) * scale
        exact = np.where(below < FULL, np.floor(below), FULL)
        np.testing.assert_array_equal(out[:-1], exact)


@pytest.mark.parametrize("threshold", [-np.inf, -3000.0, -30.0, 0.0, 3.0, 50.0])
def test_budgets_are_what_a_child_can_afford(threshold: float) -> None:
    tables = Tables(24, 40)
    budget, scale = budgets(tables.tops, tables.children, tables.rows, threshold)
    typed = tables.children >= 0
    flat = np.where(typed, tables.children + tables.rows[:-1], 0)
    most = np.where(typed, tables.tops[flat], 0.0).sum(axis=1)
    assert (budget[most < threshold - 1e-6] == -1).all()
    if threshold == -np.inf:
        assert (budget == FULL).all()
        return
    assert (budget < FULL).all()
    reach = most >= threshold
    assert (budget[reach] >= np.minimum(np.floor((most - threshold)[reach] * scale), FULL)).all()


def plain_scan(tables: Tables, threshold: float) -> dict[tuple[int, int], float]:
    found = {}
    log_ratios = tables.of_slots()
    for child, rows in enumerate(tables.children):
        typed = np.flatnonzero(rows >= 0)
        total = log_ratios[tables.rows[typed] + rows[typed]].sum(axis=0)
        for slot in np.flatnonzero(total >= threshold):
            found[child, int(slot)] = float(total[slot])
    return found


@pytest.mark.parametrize("loci", [1, 3, 4, 8, 9, 130])
@pytest.mark.parametrize("threshold", [-np.inf, -3000.0, -30.0, -2.0, 0.0, 1.0, 50.0, 5000.0])
def test_scan_finds_what_numpy_finds(loci: int, threshold: float) -> None:
    tables = Tables(loci, 33)
    budget, scale = budgets(tables.tops, tables.children, tables.rows, threshold)
    steps = penalties(
        tables.log_ratios, tables.tops, scale, tables.start, tables.columns, tables.rows
    )
    block = np.zeros((int(tables.rows[-1]) + 1, 33), dtype=np.uint8)
    spread(steps, tables.which, tables.start, tables.columns, tables.rows, block)
    expected = plain_scan(tables, threshold)
    for room in (1000, 3):
        out = (np.empty(room, np.int64), np.empty(room, np.int64), np.empty(room))
        found = scan_table(
            block, budget, tables.log_ratios, tables.which, tables.start, tables.columns,
            tables.children, tables.rows, threshold, out,
        )  # fmt: skip
        assert found == len(expected)
        kept = min(room, found)
        pairs = list(zip(out[0][:kept].tolist(), out[1][:kept].tolist(), strict=True))
        assert pairs == sorted(expected)[:kept]
        figures = [expected[pair] for pair in pairs]
        np.testing.assert_allclose(out[2][:kept], figures, rtol=1e-12, atol=1e-12)
