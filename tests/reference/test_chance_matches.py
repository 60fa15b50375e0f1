"""Predicted chance matches against what unrelated registries show, and the sums behind them."""

from __future__ import annotations

import numpy as np
import pytest

from kinward.model.locus_model import GeneticModel
from kinward.model.mutation import parse_mutation
from kinward.model.population import load_population
from kinward.search.chance import _all_ratios, _alone_ratios
from kinward.search.child_rows import every_genotype
from kinward.search.engine import prepare_model, search
from kinward.search.rank import pair_scorer
from kinward.simulate.kinds import FAMILY_KINDS
from kinward.simulate.registry import SimulatedRegistry, SimulationPlan, simulate_registry

DEVIATIONS = 4.0
LOCI = (
    "CSF1PO", "D13S317", "D16S539", "D18S51", "D21S11", "D3S1358", "D5S818", "D7S820", "D8S1179",
    "FGA", "TH01", "TPOX", "vWA",
)  # fmt: skip
MUTATION = parse_mutation("stepwise:male=0.002,female=0.0005,rate2=1e-6,range=0.1")


def unrelated(
    kinds: dict[str, float],
    children: int,
    families: int,
    *,
    theta: float = 0.0,
    silent: float = 0.0,
) -> tuple[SimulatedRegistry, GeneticModel]:
    table = load_population("us_nist1036_caucasian")
    plan = SimulationPlan(
        children,
        families,
        ((table, 1.0),),
        kinds,
        MUTATION,
        loci=LOCI,
        missing_rate=0.05,
        related_fraction=0.0,
        seed=2024,
    )
    drawn = simulate_registry(plan)
    mutation = parse_mutation("none") if theta else MUTATION
    prepared = prepare_model(drawn.children, drawn.families, table, mutation, theta=theta)
    assert not prepared.model.added
    return drawn, prepared.model


def spread(reached: np.ndarray) -> float:
    """Return the standard error of a count over (children, slots): neither repeats are new ones."""
    rows, columns = reached.sum(axis=1), reached.sum(axis=0)
    by_child = rows.var() * len(rows)
    by_slot = columns.var() * len(columns)
    return float(np.sqrt(max(by_child + by_slot, reached.sum(), 1.0)))


@pytest.mark.parametrize("threshold", [0.0, 1.0, 2.0, 3.0])
@pytest.mark.parametrize(
    ("kind", "theta"),
    [("father", 0.0), ("both parents", 0.0), ("sibling", 0.0), ("grandparents", 0.0),
     ("sibling", 0.02)],
)  # fmt: skip
def test_as_many_as_predicted(kind: str, theta: float, threshold: float) -> None:
    drawn, model = unrelated({kind: 1.0}, 2500, 250, theta=theta)
    children, families = drawn.children, drawn.families
    run = search(children, families, model, min_log10_lr=threshold)
    shape = (len(children), len(families))
    full = np.zeros(shape, dtype=bool)
    full[run.candidates.child, run.candidates.family] = True
    reached = {"": full}
    if kind == "both parents":
        scorer = pair_scorer(children, families, model)
        child, slot = (a.reshape(-1) for a in np.indices(shape, dtype=np.int64))
        for side in ("father", "mother"):
            alone = scorer.alone(child, slot, father=side == "father")
            reached[side] = (alone >= threshold).reshape(shape)
    assert [one.one_parent for one in run.chance] == list(reached)
    for one in run.chance:
        mine = reached[one.one_parent]
        assert one.found == mine.sum()
        error = np.hypot(one.standard_error, max(spread(mine), one.expected**0.5))
        assert abs(one.found - one.expected) <= DEVIATIONS * error, (one, error)


def test_probabilities_of_the_missing_child_sum_to_one() -> None:
    """Σ P(genotype) T(genotype) = 1 at every locus for every kind of family and one parent."""
    drawn, model = unrelated(dict.fromkeys(FAMILY_KINDS, 1.0), 5, 120)
    scorer = pair_scorer(every_genotype(model), drawn.families, model)
    slots = np.arange(len(scorer.slots), dtype=np.int64)
    assert scorer.slots.coded.any()
    assert not scorer.slots.coded.all()
    for ratios in (
        _all_ratios(scorer, slots),
        _alone_ratios(scorer, slots, father=True),
        _alone_ratios(scorer, slots, father=False),
    ):
        for locus_rows, ratio in zip(scorer.rows.per_locus, ratios, strict=True):
            assert locus_rows.chance.sum() == pytest.approx(1.0, rel=1e-9)
            np.testing.assert_allclose(locus_rows.chance @ ratio, 1.0, rtol=1e-9)
