"""Probability of what was seen, given a genome's true ordered alleles."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from kinward.likelihood.genome import Observation
from kinward.model.locus_model import LocusModel

__all__ = ["observation_matrix", "observation_vector"]

FloatArray = NDArray[np.float64]


def observation_matrix(observations: Sequence[Observation], model: LocusModel) -> FloatArray:
    """Return P(all observations | ordered alleles), shape (alleles, alleles), for two alleles.

    Each copy drops out independently; at most one allele drops in, drawn from the frequencies;
    a silent allele is never seen; with probability `typing_error` the result is that of a random
    person. A half-typed genotype is the sum over what its other allele may have looked like.
    """
    total = np.ones((len(model.alleles),) * 2)
    for seen in observations:
        total *= _one(seen, model)
    return total


def observation_vector(observations: Sequence[Observation], model: LocusModel) -> FloatArray:
    """Return P(all observations | allele), shape (alleles,), for a male's single X allele."""
    total = np.ones(len(model.alleles))
    for seen in observations:
        shown = {model.position(allele) for allele in seen.genotype.alleles}
        total *= _with_error(_seen_haploid(shown, seen, model), seen, model, haploid=True)
    return total


def _one(seen: Observation, model: LocusModel) -> FloatArray:
    alleles = [model.position(allele) for allele in seen.genotype.alleles]
    if not seen.genotype.partial:
        table = _seen_set(frozenset(alleles), seen, model)
    else:
        visible = range(len(model.alleles) - int(model.has_silent))
        sets = {frozenset((alleles[0], other)) for other in visible}
        table = np.sum([_seen_set(shown, seen, model) for shown in sets], axis=0)
    return _with_error(table, seen, model, haploid=False)


def _with_error(
    table: FloatArray, seen: Observation, model: LocusModel, *, haploid: bool
) -> FloatArray:
    error = seen.typing.typing_error
    if not error:
        return table
    p = model.frequencies
    random = float(p @ table) if haploid else float(p @ table @ p)
    return (1.0 - error) * table + error * random


def _seen_set(shown: frozenset[int], seen: Observation, model: LocusModel) -> FloatArray:
    """Return P(exactly this set of alleles is seen | ordered pair)."""
    size = len(model.alleles)
    drop, dropin = seen.typing.dropout, seen.typing.dropin
    # An allele "vanishes" if it drops out or is silent.
    vanish = np.full(size, drop)
    if model.has_silent:
        vanish[-1] = 1.0
    table = np.zeros((size, size))
    for extra in (None, *shown):
        chance = 1.0 - dropin if extra is None else dropin * model.frequencies[extra]
        if chance:
            rest = shown - {extra} if extra is not None else shown
            # The dropped-in allele may also be there by itself, hence both `rest` and `shown`.
            for needed in {rest, shown}:
                table += chance * _copies_show(needed, vanish)
    return table


def _copies_show(shown: frozenset[int], vanish: FloatArray) -> FloatArray:
    """Return P(the copies that do not vanish are exactly this set | ordered pair)."""
    size = len(vanish)
    keep = np.zeros(size)
    inside = list(shown)
    keep[inside] = 1.0 - vanish[inside]
    if not shown:
        return np.outer(vanish, vanish)
    if len(shown) == 1:
        return np.outer(keep, keep) + np.outer(keep, vanish) + np.outer(vanish, keep)
    if len(shown) == 2:
        table = np.zeros((size, size))
        first, second = inside
        table[first, second] = table[second, first] = keep[first] * keep[second]
        return table
    return np.zeros((size, size))


def _seen_haploid(shown: set[int], seen: Observation, model: LocusModel) -> FloatArray:
    size = len(model.alleles)
    drop, dropin = seen.typing.dropout, seen.typing.dropin
    (allele,) = shown if len(shown) == 1 else (-1,)
    vector = np.zeros(size)
    if allele >= 0:
        vector += drop * dropin * model.frequencies[allele]
        vector[allele] += (1.0 - drop) * (1.0 - dropin + dropin * model.frequencies[allele])
    else:
        first, second = shown
        vector[first] = (1.0 - drop) * dropin * model.frequencies[second]
        vector[second] = (1.0 - drop) * dropin * model.frequencies[first]
    return vector
