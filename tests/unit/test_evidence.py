"""Families that show the same share a column; expanded, the columns are the tables themselves."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from kinward.model.locus_model import GeneticModel
from kinward.model.mutation import default_mutation
from kinward.model.population import load_population
from kinward.model.profile import TypingModel
from kinward.search.evidence import column_tables, distinct_evidence
from kinward.search.posterior_table import group_slots
from kinward.search.rank import PairScorer, pair_scorer
from kinward.simulate.registry import SimulatedRegistry, SimulationPlan, simulate_registry

LOCI = ("TH01", "TPOX", "FGA")
KINDS = ("sibling", "mother and sibling", "grandparents", "uncle and aunt", "mother, three missing")


@pytest.fixture(scope="module")
def registry() -> SimulatedRegistry:
    table = load_population("china_han_42str")
    plan = SimulationPlan(
        20, 600, ((table, 1.0),), dict.fromkeys(KINDS, 1.0), loci=LOCI, missing_rate=0.1
    )
    return simulate_registry(plan)


@pytest.fixture(scope="module")
def scorer(registry: SimulatedRegistry) -> PairScorer:
    table = load_population("china_han_42str")
    model = GeneticModel.build(table, default_mutation(), loci=LOCI)
    return pair_scorer(registry.children, registry.families, model)


def test_columns_are_the_tables(scorer: PairScorer) -> None:
    slots = np.flatnonzero(~scorer.slots.coded)
    for group in group_slots(scorer.families, scorer.slots, slots):
        tables = column_tables(scorer.families, scorer.builder, group)
        for locus in range(len(LOCI)):
            direct, _ = scorer.builder.tables(group, locus)
            span = slice(int(tables.start[locus]), int(tables.start[locus + 1]))
            columns = tables.log_ratios[span].reshape(-1, int(tables.columns[locus]))
            with np.errstate(divide="ignore"):
                np.testing.assert_allclose(
                    columns[:, tables.which[locus]], np.log10(direct), rtol=0, atol=1e-12
                )


def test_distinct_means_distinct_genotypes(scorer: PairScorer) -> None:
    families = scorer.families
    slots = np.flatnonzero(~scorer.slots.coded)
    for group in group_slots(families, scorer.slots, slots):
        codes = families.genotypes.codes[group.people, 0].copy()
        codes[:, list(group.hidden)] = 0
        shown, which = distinct_evidence(families, group, 0)
        assert len(shown.slots) == len({tuple(row) for row in codes.tolist()})
        place = {slot: at for at, slot in enumerate(group.slots.tolist())}
        first = np.array([place[slot] for slot in shown.slots.tolist()])
        np.testing.assert_array_equal(codes[first][which], codes)


def test_a_fallible_sample_is_like_no_other(
    registry: SimulatedRegistry, scorer: PairScorer
) -> None:
    slots = np.flatnonzero(~scorer.slots.coded)
    (group, *_) = group_slots(scorer.families, scorer.slots, slots)
    before, which = distinct_evidence(scorer.families, group, 0)
    common = int(np.flatnonzero(which == np.bincount(which).argmax())[0])
    person = int(group.people[common, 0])
    families = replace(registry.families, typing={person: TypingModel(dropout=0.1)})
    after, _ = distinct_evidence(families, group, 0)
    assert len(after.slots) == len(before.slots) + 1
