"""Run plans: likelihoods of one locus, and tables over a missing child's alleles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from kinward.likelihood.fill import fill, founder_weight
from kinward.likelihood.genome import (
    Genomes,
    Observation,
    Shape,
    Status,
    observed_states,
    status_of,
)
from kinward.likelihood.kernel import execute
from kinward.likelihood.lumping import lump
from kinward.likelihood.observation import observation_matrix, observation_vector
from kinward.likelihood.plan import Plan, make_plan
from kinward.likelihood.tables import Lanes, Model, typed_founder_weight
from kinward.model.locus_model import LocusModel

__all__ = ["Evidence", "evaluate", "locus_likelihood", "model_of", "run_plan"]

FloatArray = NDArray[np.float64]
Evidence = Mapping[int, Sequence[Observation]]
"""Typings by genome."""


def evaluate(shape: Shape, model: Model, lanes: Lanes) -> FloatArray:
    """Return P(observations, target alleles) for every lane.

    Shape of the result: one axis of alleles per target variable (paternal then maternal, a male's
    X maternal only), then lanes; without targets (lanes,).
    """
    size = len(model.frequencies)
    plan = make_plan(shape, size, theta=model.theta > 0, model_laned=model.laned)
    return run_plan(plan, shape, model, lanes)


def run_plan(plan: Plan, shape: Shape, model: Model, lanes: Lanes) -> FloatArray:
    """Run a plan of the shape for every lane; see `evaluate`."""
    count = lanes.count
    alleles = _stacked(plan, lanes)
    base, weight, drawn = model.frequencies, None, 0
    if model.theta:
        founders = plan.network.typed_founders
        weight, urn, drawn = typed_founder_weight(shape, founders, model, lanes)
        base = base if urn is None else urn
    elif len(plan.founders):
        weight = founder_weight(plan.founders, plan.founder_inbreeding, alleles, base, count)
    starts, length = _layout(plan, count)
    work = np.empty(length)
    work[0] = 1.0
    fill(
        plan.fills, plan.inbreeding, plan.same, starts, plan.laned, alleles, base, model.male,
        model.female, count, work,
    )  # fmt: skip
    for at in plan.observed:
        table = lanes.observed[plan.network.factors[at].child]
        work[starts[at] : starts[at] + table.size] = table.reshape(-1)
    result = np.zeros((plan.entries, count))
    execute(
        plan.steps, plan.starts, _program_weights(plan, model.theta, drawn), plan.final, starts,
        plan.laned, count, work, result,
    )  # fmt: skip
    if weight is not None:
        result *= weight
    return result.reshape(*plan.result_shape, count)


@lru_cache(maxsize=4096)
def _layout(plan: Plan, count: int) -> tuple[NDArray[np.int64], int]:
    """Return where each factor begins in the working memory, and the temporaries; its length."""
    lengths = np.where(plan.laned, plan.sizes * count, plan.sizes)
    lengths[plan.same < np.arange(len(lengths))] = 0
    starts = np.ones(len(lengths) + 1, dtype=np.int64)
    starts[1:] += np.cumsum(lengths)
    starts[:-1] = starts[plan.same]
    return starts, int(starts[-1]) + plan.temporary * count


def _stacked(plan: Plan, lanes: Lanes) -> NDArray[np.int64]:
    """Return the allele indices of all typed genomes, (typed, 2, lanes)."""
    if not plan.typed:
        return np.empty((0, 2, lanes.count), dtype=np.int64)
    return np.array([lanes.alleles[genome] for genome in plan.typed], dtype=np.int64)


def _program_weights(plan: Plan, theta: float, drawn: int) -> FloatArray:
    """Return the probability of each way of tying the founder alleles, but for the urn.

    `drawn` alleles, those of the typed founders, have been drawn before.
    """
    if not theta:
        return plan.factor
    draws = int(plan.draws.max(initial=0))
    sizes = 1.0 - theta + theta * (drawn + np.arange(draws))
    divisors = np.concatenate([[1.0], np.cumprod(sizes)])
    weights: FloatArray = plan.factor * theta**plan.exponent / divisors[plan.draws]
    return weights


def model_of(locus_model: LocusModel) -> Model:
    """Return a locus model in the form that plans take, shared by all lanes."""
    return Model(
        locus_model.frequencies[:, None],
        locus_model.male[:, :, None],
        locus_model.female[:, :, None],
        locus_model.theta,
    )


def locus_likelihood(genomes: Genomes, evidence: Evidence, model: LocusModel) -> float:
    """Return P(typings) at one locus, exactly; 0.0 if they are impossible.

    Alleles that nobody shows are lumped where the mutation model allows it.
    """
    x_linked = model.chromosome == "X"
    shown = {
        allele for seen in evidence.values() for one in seen for allele in one.genotype.alleles
    }
    fallible = any(not one.typing.perfect for seen in evidence.values() for one in seen)
    small = model if fallible else lump(model, shown)
    status: list[Status] = []
    alleles: dict[int, NDArray[np.intp]] = {}
    observed: dict[int, FloatArray] = {}
    for genome, male in enumerate(genomes.male):
        seen = evidence.get(genome, ())
        status.append(status_of(seen, small, male=male, inbreeding=genomes.inbreeding[genome]))
        haploid = x_linked and male
        if status[-1] == "phased":
            pair = observed_states(seen[0].genotype, hemizygous=haploid)
            alleles[genome] = np.array([[small.position(a)] for a in pair], dtype=np.intp)
        elif status[-1] == "open":
            table = (observation_vector if haploid else observation_matrix)(seen, small)
            observed[genome] = table[..., None]
    shape = genomes.shape(status, x_linked=x_linked)
    return float(evaluate(shape, model_of(small), Lanes(1, alleles, observed))[0])
