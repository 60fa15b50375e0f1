"""The compiled way of filling factors against the array functions that define them."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from kinship_strategies import pedigrees

from kinward.likelihood.fill import fill, founder_weight
from kinward.likelihood.genome import Genomes
from kinward.likelihood.plan import make_plan
from kinward.likelihood.run import _layout
from kinward.likelihood.tables import Lanes, Model, factor_table, typed_founder_weight

LANES = 3


def stochastic(random: np.random.Generator, size: int, copies: int) -> np.ndarray:
    weights = random.random((size, size, copies))
    return weights / weights.sum(axis=1, keepdims=True)


@settings(max_examples=120, deadline=None)
@given(pedigrees(), st.booleans(), st.booleans(), st.integers(0, 2**32 - 1), st.data())
def test_every_factor_of_every_shape(
    pedigree: object, x_linked: bool, model_laned: bool, seed: int, data: st.DataObject
) -> None:
    genomes = Genomes.of(pedigree)  # type: ignore[arg-type]
    status = [data.draw(st.sampled_from(("untyped", "phased"))) for _ in genomes.father]
    shape = genomes.shape(status, x_linked=x_linked)
    random = np.random.default_rng(seed)
    size, copies = 4, LANES if model_laned else 1
    base = random.random((size, copies))
    model = Model(base, stochastic(random, size, copies), stochastic(random, size, copies), 0.0)
    plan = make_plan(shape, size, theta=False, model_laned=model_laned)
    alleles = random.integers(0, size, (len(plan.typed), 2, LANES))
    lanes = Lanes(LANES, dict(zip(plan.typed, alleles, strict=True)), {})

    starts, length = _layout(plan, LANES)
    work = np.full(length, np.nan)
    fill(
        plan.fills, plan.inbreeding, plan.same, starts, plan.laned, alleles, base, model.male,
        model.female, LANES, work,
    )  # fmt: skip
    for start, factor in zip(starts, plan.network.factors, strict=False):
        expected = np.asarray(factor_table(shape, factor, model, lanes, None)).reshape(-1)
        np.testing.assert_allclose(work[start : start + len(expected)], expected, rtol=1e-14)

    weight = founder_weight(plan.founders, plan.founder_inbreeding, alleles, base, LANES)
    expected, _, _ = typed_founder_weight(shape, plan.network.typed_founders, model, lanes)
    np.testing.assert_allclose(weight, expected, rtol=1e-13)
