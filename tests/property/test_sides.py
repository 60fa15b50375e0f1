"""Tables from the two sides of a missing child against the joint table of its two alleles."""

from __future__ import annotations

import itertools
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from registry_strategies import KINDS, Features, Registry, build

from kinward.likelihood import sides
from kinward.search import posterior_table
from kinward.search.child_rows import child_rows
from kinward.search.posterior_table import TableBuilder, group_slots
from kinward.search.side_tables import Entries, SideValues, distinct, unordered_keys
from kinward.search.slots import find_slots

WIDE = {
    "four sibs": "f m; m f; c! f m u; s+ f m m; t+ f m f; u+ f m f; v+ f m f",
    "mother and four sibs": "f m; m+ f; c! f m+ u; s+ f m+ m; t+ f m+ f; u+ f m+ f; v+ f m+ f",
    "nephews": "f m; m f; c! f m u; b f m m; w f; n+ b w m; o+ b w f",
    "nephews and sib": "f m; m f; c! f m u; b f m m; w f; n+ b w m; o+ b w f; s+ f m m",
    "nephews and their mother": "f m; m f; c! f m u; b f m m; w+ f; n+ b w+ m; o+ b w+ f",
    "uncles and aunt": "g m; h f; i m; j f; f g h m; u+ g h m; v+ g h f; m i j f; a+ i j f; "
    "c! f m u",
    "uncles and sibs": "g m; h f; f g h m; u+ g h m; v+ g h f; m f; s+ f m m; t+ f m f; c! f m u",
    "cousins of the child": "g m; h f; f g h m; u g h m; w f; m f; k+ u w m; l+ u w f; c! f m u",
    "double cousin": "g m; h f; i m; j f; f g h m; m i j f; u g h m; a i j f; d+ u a m; c! f m u",
    "great-grandparents": "a+ m; b+ f; d+ m; e+ f; g a+ b+ m; h d+ e+ f; f g h m; m f; c! f m u",
    "sib and its child": "f m; m f; c! f m u; s+ f m m; w f; n+ s+ w m",
    "half-sibs": "f m; m f; w f; v m; h+ f w m; i+ f w f; j+ v m f; k+ v m m; c! f m u",
    "nieces married to an uncle": "g m; h f; f g h m; v g h m; u g h m; m f; s+ f m f; t+ v m f; "
    "n+ u s+ m; o+ u t+ m; c! f m u",
}  # fmt: skip


def tables(registry: Registry) -> list[np.ndarray]:
    model, families = registry.model, registry.families
    columns = np.array([families.genotypes.loci.index(locus) for locus in model.loci])
    slots = find_slots(families, model, columns)
    rows = child_rows(registry.children, model, tuple(model.loci))
    builder = TableBuilder(families, model, rows, columns.tolist())
    found = []
    for group in group_slots(families, slots, np.arange(len(slots))):
        for locus in range(len(columns)):
            found += [*builder.tables(group, locus), builder.relatives(group, locus)]
    return found


def check(wanted: Features, kinds: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Small lane counts, so that several chunks are put together."""
    registry = build(wanted, kinds).repeated(2)
    for lanes in (2, 512):
        with monkeypatch.context() as patch:
            patch.setattr(posterior_table, "LANES", lanes)
            fast = tables(registry)
            patch.setattr(posterior_table, "split_sides", lambda _: None)
            slow = tables(registry)
        for one, two in zip(fast, slow, strict=True):
            np.testing.assert_allclose(one, two, rtol=1e-9, atol=0.0)
            assert ((one == 0.0) == (two == 0.0)).all()


@pytest.mark.parametrize("name", [*KINDS, *WIDE])
@pytest.mark.parametrize("mutation", ["none", "stepwise:0.02,rate2=0.001,range=0.1", "custom"])
def test_every_kind(name: str, mutation: str, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = Features((name,) * 12, children=8, loci=3, mutation=mutation, seed=11)
    check(wanted, {**KINDS, **WIDE}, monkeypatch)


@pytest.mark.parametrize("name", [name for name in WIDE if "mother and" not in name])
def test_parts_that_fall_into_smaller_ones(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """At no cost every part is split that can be, although these loci have few alleles."""
    sides.split_part.cache_clear()
    monkeypatch.setattr(sides, "PRODUCT_COST", 0)
    try:
        for mutation in ("stepwise:0.02,rate2=0.001,range=0.1", "custom"):
            wanted = Features((name,) * 12, children=8, loci=2, mutation=mutation, seed=5)
            check(wanted, WIDE, monkeypatch)
    finally:
        sides.split_part.cache_clear()


@pytest.mark.parametrize("seed", range(12))
def test_half_typed_silent_and_fallible(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    kinds = {**KINDS, **WIDE}
    names = np.random.default_rng(seed).choice(sorted(kinds), 5)
    wanted = Features(
        tuple(names) * 4,
        loci=2,
        mutation=("none", "equal:0.02", "custom")[seed % 3],
        silent=(0.0, 0.05)[seed % 2],
        half_typed=0.15,
        fallible=0.1,
        inbred=seed % 4 == 0,
        unlisted=seed % 5 == 0,
        seed=seed,
    )
    check(wanted, kinds, monkeypatch)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.integers(0, 3), min_size=3, max_size=3), min_size=1, max_size=40),
       st.sampled_from((4, 1 << 40)))  # fmt: skip
def test_distinct_rows(rows: list[list[int]], bound: int) -> None:
    """Bounds beyond 64 bits together renumber in between."""
    columns = list(np.array(rows, dtype=np.int64).T)
    number, first = distinct(columns, [bound] * 3)
    seen: dict[tuple[int, ...], int] = {}
    assert number.tolist() == [seen.setdefault(tuple(row), len(seen)) for row in rows]
    assert [tuple(rows[at]) for at in first] == list(seen)


def test_received_alleles_are_numbered_in_any_order() -> None:
    alleles = np.random.default_rng(3).integers(0, 5, (3, 200))
    keys = unordered_keys(alleles, 5)
    a, b, c = np.sort(alleles, axis=0)
    assert (keys == a * 25 + b * 5 + c).all()


def test_rows_are_what_one_observation_matrix_each_gives() -> None:
    random = np.random.default_rng(4)
    families, alleles = 150, 5
    start = np.concatenate([[0], np.cumsum(random.integers(1, 5, families))])
    terms = int(start[-1])
    values = SideValues(
        random.random((2, alleles, 7)),
        random.random((2, alleles, 9)),
        random.random((2, 3)),
        random.integers(0, 7, terms),
        random.integers(0, 9, terms),
        random.integers(0, 3, terms),
        start,
        random.integers(1, 4, terms).astype(float),
    )
    first, second = np.array([0, 3, 4, -1, 1]), np.array([0, 1, 2, -1, 3])
    scale = random.random(5)
    out = np.full((5, families), -1.0)
    values.onto_rows(first, second, scale, out)
    assert (out[3] == -1.0).all()
    for row in (0, 1, 2, 4):
        seen = np.zeros((alleles, alleles))
        seen[first[row], second[row]] = seen[second[row], first[row]] = 1.0
        np.testing.assert_allclose(out[row], values.composite(seen) * scale[row], rtol=1e-12)
    np.testing.assert_allclose(
        values.relatives(), values.composite(np.ones((alleles, alleles))), rtol=1e-12
    )


def test_orientations_count_as_often_as_all_of_them_together() -> None:
    """Siblings of one genotype are not told apart, nor a homozygote's two alleles."""
    random = np.random.default_rng(5)
    pairs = dict(enumerate(random.integers(0, 2, (4, 2, 60))))
    terms = Entries(pairs, {}, np.arange(60)).terms((0, 1, 2, 3), (0, 0, 0, 1))
    for family in range(60):
        expected: Counter[tuple[object, ...]] = Counter()
        for turned in itertools.product((False, True), repeat=4):
            own = [tuple(pairs[g][:, family].tolist()) for g in range(4)]
            if any(turn and a == b for turn, (a, b) in zip(turned, own, strict=True)):
                continue
            got = [pair[::-1] if turn else pair for turn, pair in zip(turned, own, strict=True)]
            expected[(tuple(sorted(got[:3])), got[3])] += 1
        found: Counter[tuple[object, ...]] = Counter()
        for term in range(terms.start[family], terms.start[family + 1]):
            got = [tuple(terms.entries.pairs[g][:, term].tolist()) for g in range(4)]
            found[(tuple(sorted(got[:3])), got[3])] += terms.times[term]
        assert found == expected
