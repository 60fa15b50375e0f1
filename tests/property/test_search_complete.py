"""A search finds every pair at or above the threshold, no other, with exact figures."""

from __future__ import annotations

import math
from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from registry_strategies import (
    KINDS,
    LISTED,
    Features,
    Registry,
    SlowSearch,
    build,
    check,
    features,
)

from kinward.errors import ModelError, TooLargeError
from kinward.model.mutation import parse_mutation
from kinward.model.population import FrequencyTable
from kinward.search import chance, engine, posterior_table
from kinward.search.engine import search
from kinward.search.exclusion import NARROW
from kinward.search.record import SearchRun

SLOW_IS_FINE = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
THRESHOLDS = (-300.0, -30.0, -6.0, -2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0, 4.0, 6.0)
CODED = ("father", "mother", "parents", "two missing", "nobody", "missing twins")
BOTH_TYPED = {
    "sibs": "f m; m+ f; c! f m+ u; s+= f m+ m; t+= f m+ m",
    "father and uncle": "g m; h f; f+= g h m; u+= g h m; m f; c! f+= m u",
}
STEPWISE = "stepwise:male=0.02,female=0.01,rate2=0.001,range=0.1"


@pytest.fixture(autouse=True)
def few_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chance matches are tested elsewhere."""
    monkeypatch.setattr(chance, "SLOTS_PER_CLASS", 2)
    monkeypatch.setattr(chance, "DRAWS_PER_SLOT", 4)


def run(registry: Registry, threshold: float, threads: int = 1) -> SearchRun:
    return search(
        registry.children,
        registry.families,
        registry.model,
        min_log10_lr=threshold,
        threads=threads,
    )


def same_run(one: SearchRun, two: SearchRun, *, rounding: float = 0.0) -> None:
    """Results are equal, bit for bit unless `rounding` is allowed for in the log10 LR."""
    assert one.findings == two.findings
    for mine, theirs in ((one.candidates, two.candidates), (one.one_parent, two.one_parent)):
        assert len(mine) == len(theirs)
        # Ties may swap where figures differ in their last bit.
        first, second = (np.lexsort((x.slot, x.child)) if rounding else ... for x in (mine, theirs))
        for column in fields(mine):
            np.testing.assert_allclose(
                getattr(mine, column.name)[first],
                getattr(theirs, column.name)[second],
                rtol=0.0,
                atol=rounding if column.name == "log10_lr" else 0.0,
            )


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[*SLOW_IS_FINE, HealthCheck.function_scoped_fixture],
)
@given(features(), st.lists(st.sampled_from(THRESHOLDS), min_size=2, max_size=2, unique=True))
def test_any_registry(wanted: Features, thresholds: list[float]) -> None:
    try:
        registry = build(wanted)
        slow = SlowSearch(registry)
        for threshold in thresholds:
            check(run(registry, threshold), slow, threshold)
    except (ModelError, TooLargeError):
        # A mutation rate that the frequencies do not allow; theta with too many founders.
        assume(False)


@pytest.mark.parametrize(
    "wanted",
    [
        Features((), mutation="equal:0.01", untyped=0.0, astray=0.0),
        Features((), mutation=STEPWISE),
        Features((), mutation=STEPWISE, untyped=0.4, half_typed=0.2),
        Features((), mutation="none", astray=0.15, untyped=0.0),
        Features((), mutation="custom", astray=0.02, untyped=0.0),
        Features((), mutation="onestep:0.02", fallible=0.3),
        Features((), mutation="proportional:0.02", silent=0.05, fallible=0.1, half_typed=0.1),
        Features((), mutation="equal:0.02", inbred=True, unlisted=True, astray=0.1),
        Features((), mutation="equal:0.02", theta=0.03, loci=2, half_typed=0.1),
    ],
    ids=lambda wanted: f"{wanted.mutation.partition(':')[0]}-{wanted.theta}-{wanted.silent}",
)
def test_every_kind_of_family(wanted: Features) -> None:
    registry = build(replace(wanted, kinds=tuple(KINDS), children=8, seed=7))
    slow = SlowSearch(registry)
    for threshold in (-300.0, -1.0, 0.5):
        check(run(registry, threshold), slow, threshold)


@pytest.mark.parametrize("mutation", ["none", "equal:0.02"])
@pytest.mark.parametrize("kind", sorted(BOTH_TYPED))
def test_several_typings_of_one_genome(kind: str, mutation: str) -> None:
    """Families that agree in one of two typings and not in the other have tables of their own."""
    wanted = Features(
        (kind,) * 24, loci=2, mutation=mutation, half_typed=0.3, astray=0.2, untyped=0.1, seed=3
    )
    registry = build(wanted, BOTH_TYPED)
    slow = SlowSearch(registry)
    for threshold in (-300.0, 0.0):
        check(run(registry, threshold), slow, threshold)


@pytest.mark.parametrize("loci", [3, 7, 29, 57])
def test_blocks_threads_and_wide_counts(loci: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two bit words, the last one partial; counts of up to five, six and seven planes."""
    kinds = (*CODED, "sib", "uncle", "grandparents")
    wanted = Features(kinds, children=5, loci=loci, mutation=STEPWISE, seed=loci, half_typed=0.02)
    registry = build(wanted).repeated(67 if loci < NARROW else 34)
    slow = SlowSearch(registry)
    whole = {threshold: run(registry, threshold) for threshold in (-300.0, -0.02 * loci, 1.0)}
    for threshold, found in whole.items():
        check(found, slow, threshold)
    middle = -0.02 * loci
    same_run(whole[middle], run(registry, middle, threads=2))
    for size in (5, 71, 128) if loci < NARROW else (71,):
        with monkeypatch.context() as patch:
            patch.setattr(engine, "CODED_BLOCK", size)
            patch.setattr(engine, "TABLE_BLOCK", max(size // 8, 1))
            patch.setattr(engine, "FIRST_HITS", 1)
            patch.setattr(posterior_table, "LANES", 2)
            # One family alone is summed in another order than several side by side.
            same_run(whole[middle], run(registry, middle), rounding=1e-13 * loci)


def test_more_loci_than_planes_count() -> None:
    """Counts above 127 come round to small numbers; no pair is lost, none too many."""
    registry = build(Features(CODED, children=4, loci=140, mutation="equal:0.4", seed=3))
    slow = SlowSearch(registry)
    check(run(registry, -1000.0), slow, -1000.0)
    check(run(registry, -20.0), slow, -20.0)


def test_the_threshold_itself_is_reached() -> None:
    registry = build(Features((*CODED, "sibs", "uncle"), children=6, loci=5, seed=5))
    everything = run(registry, -300.0).candidates
    for number in range(0, len(everything), 5):
        threshold = float(everything.log10_lr[number])
        found = run(registry, threshold).candidates
        pairs = set(zip(found.child.tolist(), found.slot.tolist(), strict=True))
        assert (int(everything.child[number]), int(everything.slot[number])) in pairs
        assert (found.log10_lr >= threshold).all()
        assert len(found) == int((everything.log10_lr >= threshold).sum())


def test_locus_that_no_child_shows() -> None:
    registry = build(Features((*CODED, "sibs"), children=3, loci=1, seed=2, untyped=1.0))
    assert not registry.children.genotypes.codes.any()
    check(run(registry, -1.0), SlowSearch(registry), -1.0)


def test_both_or_neither_threshold_is_refused() -> None:
    registry = build(Features(("father",), children=3))
    for limits in ({}, {"min_log10_lr": 1.0, "expected_false": 1.0}):
        with pytest.raises(ModelError, match="either"):
            search(registry.children, registry.families, registry.model, **limits)  # type: ignore[arg-type]


def test_nobody_to_compare_is_refused() -> None:
    registry = build(Features(("father",), children=3))
    children = replace(
        registry.children,
        ids=registry.children.ids[:0],
        sex=registry.children.sex[:0],
        genotypes=registry.children.genotypes.take(slice(0, 0)),
    )
    with pytest.raises(ModelError, match="at least one child"):
        run(replace(registry, children=children), 1.0)
    with pytest.raises(ModelError, match="not a number"):
        run(registry, math.nan)


def test_large_family_of_few_typed() -> None:
    """The patterns of who is typed in more than forty people tell families apart."""
    line = [f"a{i} m; b{i} f; a{i + 1} a{i} b{i} m" for i in range(21)]
    people = "; ".join([line[0], *(part.split("; ", 1)[1] for part in line[1:])])
    text = f"{people}; m+ f; c! a21 m+ u; s+ a21 m+ f; z+ a0 b0 m"
    registry = build(Features(("long",) * 6, children=4, untyped=0.5), {"long": text})
    check(run(registry, -300.0), SlowSearch(registry), -300.0)


@pytest.mark.parametrize("mutation", ["none", "equal:0.01"])
def test_two_children_of_father_and_daughter(mutation: str) -> None:
    """They show at most three alleles, which no pair of typed parent and child tells."""
    kinds = ("father and daughter",) * 40
    registry = build(Features(kinds, children=3, mutation=mutation, astray=0.8, untyped=0.0))
    found = run(registry, -300.0)
    assert len(found.findings) > 2
    assert {finding.impossible for finding in found.findings} == {mutation == "none"}
    check(found, SlowSearch(registry), -300.0)


def test_personal_item_of_the_second_child_must_fit() -> None:
    kinds = ("personal item, two missing",) * 12
    registry = build(Features(kinds, children=3, mutation="none", astray=0.4, untyped=0.0))
    found = run(registry, -300.0)
    assert any(finding.impossible for finding in found.findings)
    check(found, SlowSearch(registry), -300.0)


def test_loci_on_the_x_are_not_searched() -> None:
    """They are inherited otherwise; scored as autosomal they would mislead."""
    registry = build(Features(("father", "sibs"), children=3, loci=2))
    names = ("TH01", "DXS10103")
    children, families = (
        replace(table, genotypes=replace(table.genotypes, loci=names))
        for table in (registry.children, registry.families)
    )
    figures = dict.fromkeys(names, dict.fromkeys(LISTED, 1.0 / len(LISTED)))
    table = FrequencyTable.build("test", figures)
    prepared = engine.prepare_model(children, families, table, parse_mutation("none"))
    assert list(prepared.model.loci) == ["TH01"]
    assert any("DXS10103" in note and "X" in note for note in prepared.notes)
    only_x = FrequencyTable.build("test", {"DXS10103": figures["DXS10103"]})
    with pytest.raises(ModelError, match="share no"):
        engine.prepare_model(children, families, only_x, parse_mutation("none"))
