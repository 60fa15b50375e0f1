"""The threshold of a search may be a whole number, also where a child is half-typed."""

from __future__ import annotations

from dataclasses import replace

from kinward.model.mutation import parse_mutation
from kinward.model.population import load_population
from kinward.model.profile import Genotype
from kinward.model.registry import GenotypeColumns
from kinward.search.engine import prepare_model, search
from kinward.simulate.registry import SimulationPlan, simulate_registry


def test_whole_number_threshold_with_a_half_typed_child() -> None:
    table = load_population("vietnam")
    plan = SimulationPlan(8, 12, ((table, 1.0),), {"both parents": 1.0}, seed=4)
    registry = simulate_registry(plan)
    columns = registry.children.genotypes
    seen = columns.observed[0]
    half = Genotype(seen[columns.codes[3, 0] - 1].alleles[:1], partial=True)
    codes = columns.codes.copy()
    codes[3, 0] = len(seen) + 1
    observed = ((*seen, half), *columns.observed[1:])
    children = replace(registry.children, genotypes=GenotypeColumns(columns.loci, observed, codes))
    model = prepare_model(children, registry.families, table, parse_mutation("equal:0.002")).model
    whole = search(children, registry.families, model, min_log10_lr=-5)
    fraction = search(children, registry.families, model, min_log10_lr=-5.0)
    assert len(whole.candidates) > 0
    assert whole.candidates.log10_lr.tolist() == fraction.candidates.log10_lr.tolist()
    assert 3 in whole.candidates.child.tolist()
