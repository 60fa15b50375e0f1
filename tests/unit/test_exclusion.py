"""The bit-sliced filter, step by step, against plain numpy."""

from __future__ import annotations

import numpy as np
import pytest
from numba import njit

from kinward.search import exclusion
from kinward.search.exclusion import PLANES, allowed_exclusions, padded


@njit
def count(bits, chosen, planes):  # type: ignore[no-untyped-def]
    exclusion._count(bits, chosen, planes)


@njit
def compare(planes, top, limit, masks):  # type: ignore[no-untyped-def]
    exclusion._compare(planes, top, limit, masks, 0, 1)


@njit
def extract(masks, slots, out):  # type: ignore[no-untyped-def]
    return exclusion._extract(masks, slots, out)


def packed(flags: np.ndarray) -> np.ndarray:
    """Pack booleans (rows, slots) into words, the bits behind the last slot set."""
    rows, slots = flags.shape
    words = (slots + 63) // 64
    padded = np.ones((rows, words * 64), dtype=np.uint8)
    padded[:, :slots] = flags
    return np.packbits(padded, axis=1, bitorder="little").view(np.uint64)


def unpacked(words: np.ndarray, slots: int) -> np.ndarray:
    return np.unpackbits(words.view(np.uint8), axis=-1, bitorder="little")[..., :slots]


def chosen_rows(rng: np.random.Generator, loci: int, rows: int) -> np.ndarray:
    """Choose a row per locus, some of them the empty one, and pad with it."""
    chosen = rng.integers(0, rows + 1, loci)
    return np.concatenate([chosen, np.full(padded(loci) - loci, rows)]).astype(np.int64)


@pytest.mark.parametrize(
    "loci", [1, 2, 3, 4, 6, 7, 8, 10, 11, 23, 24, 28, 29, 31, 32, 35, 36, 56, 57, 64, 100, 127]
)
@pytest.mark.parametrize("share", [0.1, 0.5, 0.97, 1.0])
def test_counts_and_limits(loci: int, share: float) -> None:
    rng = np.random.default_rng(loci)
    slots, rows = 150, 40
    flags = rng.random((rows + 1, slots)) < share
    flags[-1] = False
    bits = packed(flags)
    bits[-1] = 0
    chosen = chosen_rows(rng, loci, rows)
    truth = flags[chosen].sum(axis=0)
    planes = np.full((PLANES, bits.shape[1]), 2**64 - 1, dtype=np.uint64)  # left by another child
    count(bits, chosen, planes)
    top = PLANES if len(chosen) > exclusion.NARROW else 5
    weight = 1 << np.arange(top)
    counted = weight @ unpacked(planes[:top], slots).astype(np.int64)
    np.testing.assert_array_equal(counted, truth)
    masks = np.zeros((2, bits.shape[1]), dtype=np.uint64)
    out = np.zeros(slots + 1, dtype=np.uint32)
    for limit in sorted({0, 1, 2, 3, 4, 7, loci // 2, loci - 1, loci}):
        compare(planes, top, limit, masks)
        np.testing.assert_array_equal(unpacked(masks[0], slots), truth <= limit)
        np.testing.assert_array_equal(unpacked(masks[1], slots), truth == limit)
        found = extract(masks, slots, out)
        np.testing.assert_array_equal(out[:found], np.flatnonzero(truth <= limit))


@pytest.mark.parametrize("slots", [1, 63, 64, 65, 127, 128, 129, 300])
def test_extraction_of_every_bit_and_none_behind_the_last(slots: int) -> None:
    words = (slots + 63) // 64
    out = np.zeros(slots + 1, dtype=np.uint32)
    masks = np.full((2, words), 2**64 - 1, dtype=np.uint64)
    assert extract(masks, slots, out) == slots
    np.testing.assert_array_equal(out[:slots], np.arange(slots))
    for bit in range(slots):
        masks = np.zeros((2, words), dtype=np.uint64)
        masks[0, bit >> 6] = np.uint64(1) << np.uint64(bit & 63)
        assert extract(masks, slots, out) == 1
        assert out[0] == bit


def by_enumeration(best: np.ndarray, rows: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Return the best log10 LR per number of exclusions, by going through all patterns."""
    flat = [starts[locus] + row for locus, row in enumerate(rows) if row >= 0]
    top = np.full(len(flat) + 1, -np.inf)
    with np.errstate(divide="ignore"):
        logs = np.log10(best)
    for pattern in np.ndindex(*[2] * len(flat)):
        value = sum(logs[row, kind] for row, kind in zip(flat, pattern, strict=True))
        top[sum(pattern)] = max(top[sum(pattern)], value)
    return top


@pytest.mark.parametrize("seed", range(20))
def test_limits_are_bounds_and_tight(seed: int) -> None:
    """No pattern beyond the limit reaches the threshold; where exclusions cost, one at it does."""
    rng = np.random.default_rng(seed)
    per_locus = rng.integers(1, 4, 6)
    starts = np.concatenate([[0], np.cumsum(per_locus)]).astype(np.int64)
    costly = seed % 2 == 0
    best = 10.0 ** np.stack(
        [
            rng.normal(0.5, 0.7, starts[-1]),
            rng.normal(-1.5, 0.8 if not costly else 0.1, starts[-1]),
        ],
        1,
    )
    if costly:
        best[:, 0] = np.maximum(best[:, 0], best[:, 1])
    best[rng.random(len(best)) < 0.2, 1] = 0.0
    rows = rng.integers(-1, per_locus, (8, 6)).astype(np.int32)
    for threshold in (-300.0, -3.0, 0.0, 1.0, 3.0):
        limits = allowed_exclusions(best, rows, starts, threshold)
        for child, limit in enumerate(limits.tolist()):
            reach = by_enumeration(best, rows[child], starts)
            beyond = reach[limit + 1 :]
            assert (beyond < threshold).all()
            if costly:
                assert limit == np.flatnonzero(reach >= threshold).max(initial=-1)


def test_limit_of_figures_known_by_hand() -> None:
    """Three loci of best 10, exclusions costing 2, 3 and 4 decades: 3, 1, -2, -6."""
    best = np.array([[10.0, 0.1], [10.0, 0.01], [10.0, 0.001]])
    rows = np.zeros((1, 3), dtype=np.int32)
    starts = np.arange(4)
    for threshold, limit in (
        (3.1, -1), (3.0, 0), (1.1, 0), (1.0, 1), (-2.0, 2), (-2.1, 2), (-6.0, 3), (-99.0, 3),
    ):  # fmt: skip
        assert allowed_exclusions(best, rows, starts, threshold).tolist() == [limit]


def test_limit_of_an_untyped_child_and_of_certain_exclusions() -> None:
    starts = np.arange(3)
    best = np.array([[0.0, 0.5], [10.0, 0.0]])
    untyped = np.array([[-1, -1]], dtype=np.int32)
    assert allowed_exclusions(best, untyped, starts, 0.0).tolist() == [0]
    assert allowed_exclusions(best, untyped, starts, 0.1).tolist() == [-1]
    # At the first locus an exclusion is certain and must not use up the limit.
    certain = np.array([[0, 0]], dtype=np.int32)
    assert allowed_exclusions(best, certain, starts, 0.0)[0] >= 1
    assert allowed_exclusions(best, certain, starts, 1.0).tolist() == [-1]


def test_limits_stay_within_what_planes_can_hold() -> None:
    loci = 200
    best = np.tile([[2.0, 1.0]], (loci, 1))
    rows = np.zeros((1, loci), dtype=np.int32)
    limits = allowed_exclusions(best, rows, np.arange(loci + 1), -300.0)
    assert limits.tolist() == [2**PLANES - 1]
