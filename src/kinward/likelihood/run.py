"""Run plans: likelihoods of one locus, and tables over a missing child's alleles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

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
from kinward.likelihood.tables import Lanes, Model, factor_table, typed_founder_weight
from kinward.model.locus_model import LocusModel

__all__ = ["Evidence", "evaluate", "locus_likelihood", "model_of"]

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
    weight, urn, drawn = typed_founder_weight(shape, plan.network.typed_founders, model, lanes)
    lengths = [
        size * (lanes.count if laned else 1)
        for size, laned in zip(plan.factor_sizes, plan.factor_laned, strict=True)
    ]
    starts = np.cumsum([1, *lengths])
    work = np.empty(int(starts[-1]) + plan.temporary * lanes.count)
    work[0] = 1.0
    for factor, start, length in zip(plan.network.factors, starts[:-1], lengths, strict=True):
        table = factor_table(shape, factor, model, lanes, urn)
        work[start : start + length] = np.asarray(table).reshape(-1)
    result = np.zeros((int(np.prod(plan.result_shape, dtype=np.int64)), lanes.count))
    execute(
        plan.steps,
        plan.starts,
        _program_weights(plan, model.theta, drawn),
        plan.final,
        starts,
        np.array(plan.factor_laned, dtype=np.bool_),
        lanes.count,
        work,
        result,
    )
    result *= weight
    return result.reshape(*plan.result_shape, lanes.count)


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
