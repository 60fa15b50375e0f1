"""Numbers for the factors of a plan, for many lanes (families or loci) at once.

`factor_table` and `typed_founder_weight` say what the factors are; `fill` writes the same numbers
into a plan's buffers, compiled. With theta the founders' weight comes from here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kinward.likelihood.genome import Shape
from kinward.likelihood.network import Factor

__all__ = ["Lanes", "Model", "factor_table", "typed_founder_weight"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """Frequencies (alleles, l) and mutation matrices (alleles, alleles, l), l = 1 or lanes."""

    frequencies: FloatArray
    male: FloatArray
    female: FloatArray
    theta: float

    @property
    def laned(self) -> bool:
        """Whether the model differs from lane to lane."""
        return bool(self.frequencies.shape[-1] > 1)

    def matrix(self, *, male: bool) -> FloatArray:
        """Return the mutation matrix of the transmitting sex."""
        return self.male if male else self.female


@dataclass(frozen=True, slots=True, eq=False)
class Lanes:
    """Observations of all lanes of one shape.

    `alleles[g]` (2, lanes) are the allele indices of a phased genome (a hemizygous one's twice);
    `observed[g]` is P(observation | alleles) of an open genome: (alleles, alleles, lanes), or
    (alleles, lanes) for a male's X.
    """

    count: int
    alleles: Mapping[int, IntArray]
    observed: Mapping[int, FloatArray]


def _row(matrix: FloatArray, source: IntArray) -> FloatArray:
    """Return M[source, :] per lane, shape (alleles, lanes)."""
    if matrix.shape[-1] == 1:
        return matrix[source, :, 0].T
    return matrix[source, :, np.arange(len(source))].T


def _onto_phases(table: FloatArray, results: IntArray) -> FloatArray:
    """Gather the last allele axis of (..., alleles, l) at results (phases, lanes)."""
    if table.shape[-1] == 1:
        return table[..., 0][..., results]
    return table[..., results, np.arange(results.shape[-1])]


def _received(shape: Shape, factor: Factor, lanes: Lanes) -> IntArray:
    """Return the allele received from the factor's side in each phase, (phases, lanes)."""
    pair = lanes.alleles[factor.child]
    if shape.x_linked and shape.male[factor.child]:
        return pair[:1]
    return pair if factor.side == "paternal" else pair[::-1]


def _base(
    shape: Shape, factor: Factor, model: Model, lanes: Lanes, founders: FloatArray | None
) -> FloatArray:
    return model.frequencies if founders is None else founders


def _inbred(
    shape: Shape, factor: Factor, model: Model, lanes: Lanes, founders: FloatArray | None
) -> FloatArray:
    p = model.frequencies
    f = shape.inbreeding[factor.child]
    table = (1.0 - f) * p[:, None] * p[None, :]
    diagonal = np.arange(len(p))
    table[diagonal, diagonal] += f * p
    return table


def _observed(
    shape: Shape, factor: Factor, model: Model, lanes: Lanes, founders: FloatArray | None
) -> FloatArray:
    return lanes.observed[factor.child]


def _phase(
    shape: Shape, factor: Factor, model: Model, lanes: Lanes, founders: FloatArray | None
) -> FloatArray:
    """Weight one for each phase; a homozygote has one phase only."""
    if shape.x_linked and shape.male[factor.child]:
        return np.ones((1, lanes.count))
    first, second = lanes.alleles[factor.child]
    return np.stack([np.ones(lanes.count), (first != second).astype(np.float64)])


def _handed_by_typed(
    shape: Shape, factor: Factor, model: Model, lanes: Lanes, founders: FloatArray | None
) -> FloatArray:
    matrix = model.matrix(male=shape.male[factor.parent])
    first, second = lanes.alleles[factor.parent]
    table = _row(matrix, first)
    if not (shape.x_linked and shape.male[factor.parent]):
        table = 0.5 * (table + _row(matrix, second))
    return _result(table, shape, factor, lanes)


def _result(table: FloatArray, shape: Shape, factor: Factor, lanes: Lanes) -> FloatArray:
    if factor.variables[-1].kind != "phase":
        return table
    return _onto_phases(table, _received(shape, factor, lanes))


def _handed_copy(
    shape: Shape, factor: Factor, model: Model, lanes: Lanes, founders: FloatArray | None
) -> FloatArray:
    identity = np.eye(len(model.frequencies))[:, :, None]
    return _result(identity, shape, factor, lanes)


def _handed_fixed(
    shape: Shape, factor: Factor, model: Model, lanes: Lanes, founders: FloatArray | None
) -> FloatArray:
    return _result(model.matrix(male=shape.male[factor.parent]), shape, factor, lanes)


def _handed_first(
    shape: Shape, factor: Factor, model: Model, lanes: Lanes, founders: FloatArray | None
) -> FloatArray:
    handed = _handed_fixed(shape, factor, model, lanes, founders)
    return np.stack([0.5 * handed, np.full_like(handed, 0.5)])


def _handed_second(
    shape: Shape, factor: Factor, model: Model, lanes: Lanes, founders: FloatArray | None
) -> FloatArray:
    handed = _handed_fixed(shape, factor, model, lanes, founders)
    return np.stack([np.ones_like(handed), handed])


_FILLERS: Mapping[str, Callable[[Shape, Factor, Model, Lanes, FloatArray | None], FloatArray]] = {
    "base": _base,
    "inbred": _inbred,
    "observed": _observed,
    "phase": _phase,
    "hand_typed": _handed_by_typed,
    "hand_copy": _handed_copy,
    "hand_fixed": _handed_fixed,
    "hand_first": _handed_first,
    "hand_second": _handed_second,
}


def factor_table(
    shape: Shape, factor: Factor, model: Model, lanes: Lanes, founders: FloatArray | None
) -> FloatArray:
    """Return the table of one factor, its lanes (or one, if shared) as the last axis.

    `founders`: what an untyped founder's allele is drawn from given the typed founders, where
    that is not simply the frequencies.
    """
    return _FILLERS[factor.kind](shape, factor, model, lanes, founders)


def typed_founder_weight(
    shape: Shape, founders: tuple[int, ...], model: Model, lanes: Lanes
) -> tuple[FloatArray, FloatArray | None, int]:
    """Return P(genotypes of the typed founders) and the urn they leave behind.

    Returns the probability (lanes,), the weights (alleles, l) with which the next founder allele
    is drawn (None without theta: the frequencies) and how many alleles have been drawn. Sampling
    formula: Balding and Nichols 1994; with theta 0 it is the product of frequencies.
    """
    theta = model.theta
    weight = np.ones(lanes.count)
    urn = None
    if theta:
        urn = np.empty((len(model.frequencies), lanes.count))
        urn[:] = (1.0 - theta) * model.frequencies
    drawn = 0
    lane = np.arange(lanes.count)
    p = np.broadcast_to(model.frequencies, (len(model.frequencies), lanes.count))
    for founder in founders:
        first, second = lanes.alleles[founder]
        haploid = shape.x_linked and shape.male[founder]
        inbreeding = shape.inbreeding[founder]
        if inbreeding and not haploid:
            # Only without theta: with it an inbred founder is an open genome.
            one, two = p[first, lane], p[second, lane]
            same = inbreeding * one + (1.0 - inbreeding) * one * one
            other = 2.0 * (1.0 - inbreeding) * one * two
            weight = weight * np.where(first == second, same, other)
            continue
        for allele in (first,) if haploid else (first, second):
            if urn is None:
                weight = weight * p[allele, lane]
            else:
                weight = weight * urn[allele, lane] / (1.0 + (drawn - 1) * theta)
                urn[allele, lane] += theta
            drawn += 1
        if not haploid:
            weight = weight * np.where(first == second, 1.0, 2.0)
    if theta and not drawn:
        urn = (1.0 - theta) * model.frequencies
    return weight, urn, drawn
