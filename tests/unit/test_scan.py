"""The quantised bound and the scan of tabulated slots, against plain numpy."""

from __future__ import annotations

import numpy as np
import pytest

from kinward.search.scan import quantise, scan_table


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


def plain_scan(
    log_ratios: np.ndarray, children: np.ndarray, row_start: np.ndarray, threshold: float
) -> dict[tuple[int, int], float]:
    found = {}
    for child, rows in enumerate(children):
        typed = np.flatnonzero(rows >= 0)
        total = log_ratios[row_start[typed] + rows[typed]].sum(axis=0)
        for slot in np.flatnonzero(total >= threshold):
            found[child, int(slot)] = float(total[slot])
    return found


@pytest.mark.parametrize("loci", [1, 3, 4, 5, 8, 130])
@pytest.mark.parametrize("threshold", [-np.inf, -3000.0, -30.0, -2.0, 0.0, 1.0, 50.0, 5000.0])
def test_scan_finds_what_numpy_finds(loci: int, threshold: float) -> None:
    rng = np.random.default_rng(loci)
    per_locus = rng.integers(1, 6, loci)
    row_start = np.concatenate([[0], np.cumsum(per_locus)])
    log_ratios = random_log_ratios(rng, (int(row_start[-1]) + 1, 33), 2.0)
    log_ratios[-1] = 0.0
    children = rng.integers(-1, per_locus, (25, loci)).astype(np.int32)
    children[0] = -1
    steps, scale = quantise(log_ratios)
    expected = plain_scan(log_ratios, children, row_start, threshold)
    for room in (1000, 3):
        out = (np.empty(room, np.int64), np.empty(room, np.int64), np.empty(room))
        found = scan_table(steps, scale, log_ratios, children, row_start, threshold, out)
        assert found == len(expected)
        kept = min(room, found)
        pairs = list(zip(out[0][:kept].tolist(), out[1][:kept].tolist(), strict=True))
        assert pairs == sorted(expected)[:kept]
        figures = [expected[pair] for pair in pairs]
        np.testing.assert_allclose(out[2][:kept], figures, rtol=1e-12, atol=1e-12)
