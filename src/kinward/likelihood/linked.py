"""Two linked loci: the likelihood of both together, exactly.

An inheritance vector holds one bit per meiosis: which of the parent's two alleles is handed on
(0 the paternal, 1 the maternal one). Given the vectors of both loci their genotypes are
independent, and from one locus to the next a bit changes where the meiosis recombines (Lander
and Green 1987, doi:10.1073/pnas.84.8.2363).

Slow and readable on purpose: it serves casework, not search.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import product
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from kinward.errors import ModelError, TooLargeError
from kinward.likelihood.genome import NO_PARENT, Genomes
from kinward.likelihood.lumping import lump
from kinward.likelihood.observation import observation_matrix
from kinward.likelihood.run import Evidence
from kinward.model.locus_model import LocusModel

__all__ = [
    "MOST_MEIOSES",
    "MOST_TERMS",
    "LinkedLoci",
    "haldane",
    "kosambi",
    "linked_pair_likelihood",
]

FloatArray = NDArray[np.float64]
Meiosis: TypeAlias = tuple[int, int]
"""A genome and which of its alleles the meiosis made: 0 the paternal, 1 the maternal one."""
Term: TypeAlias = tuple[FloatArray, FloatArray]
"""Weights of a genome's paternal and of its maternal allele."""

MOST_MEIOSES = 14
"""Meioses among typed people and their ancestors; every vector of that many bits is visited."""
MOST_TERMS = 2**20
"""Different inheritance vectors times combinations of phases at one locus: some ten seconds."""
BLOCK = 512
"""Vectors computed at a time, few enough for their tables to stay in the processor's cache."""


@dataclass(frozen=True, slots=True)
class LinkedLoci:
    """Two linked loci and the fractions in which fathers' and mothers' meioses recombine."""

    first: str
    second: str
    male_recombination: float
    female_recombination: float

    @property
    def label(self) -> str:
        """What a table of results calls the pair."""
        return f"{self.first} + {self.second}"


def haldane(cm: float) -> float:
    """Return the recombination fraction ½(1 − exp(−2d)), d = cm/100 Morgan.

    Crossovers without interference (Haldane 1919, J. Genet. 8:299-309).
    """
    return 0.5 * (1.0 - math.exp(-2.0 * _morgan(cm)))


def kosambi(cm: float) -> float:
    """Return the recombination fraction ½ tanh(2d), d = cm/100 Morgan.

    A crossover makes another one near by less likely (Kosambi 1944, Ann. Eugen. 12:172-175,
    doi:10.1111/j.1469-1809.1943.tb02321.x).
    """
    return 0.5 * math.tanh(2.0 * _morgan(cm))


def linked_pair_likelihood(
    genomes: Genomes,
    evidence_a: Evidence,
    evidence_b: Evidence,
    model_a: LocusModel,
    model_b: LocusModel,
    *,
    male_recombination: float,
    female_recombination: float,
) -> float:
    """Return P(typings at both loci), exactly; 0.0 if they are impossible.

    With n meioses, w_a(v) and w_b(v) the probabilities of a locus' typings given the vector v,

        L = 2^-n Σ_v w_a(v) Σ_u P(u | v) w_b(u),

    and P(u | v) a product over meioses of 1 − r where the bits agree and r where they differ.
    Founders are in linkage equilibrium, and mutations at the two loci independent. Raises
    ModelError for theta, inbred founders, X loci and fractions outside 0 to 0.5, TooLargeError
    beyond `MOST_MEIOSES` or `MOST_TERMS`.
    """
    fractions = (male_recombination, female_recombination)
    _check_fractions(fractions)
    order = _ancestry(genomes, [*_typed(evidence_a), *_typed(evidence_b)])
    _check_scope(genomes, order, (model_a, model_b))
    meioses = _meioses(genomes, order)
    first = _weights(genomes, meioses, evidence_a, model_a)
    second = _weights(genomes, meioses, evidence_b, model_b)
    vectors = np.arange(len(second))
    for bit, (_, side) in enumerate(meioses):
        r = fractions[side]
        second = (1.0 - r) * second + r * second[vectors ^ (1 << bit)]
    return float(first @ second) / len(vectors)


def _morgan(cm: float) -> float:
    if not 0 <= cm < math.inf:
        raise ModelError(f"a distance of {cm:g} cM; give 0 or more")
    return cm / 100.0


def _check_fractions(fractions: Iterable[float]) -> None:
    for fraction in fractions:
        if not 0 <= fraction <= 0.5:
            raise ModelError(
                f"a recombination fraction of {fraction:g}; give a number from 0 to 0.5"
            )


def _check_scope(genomes: Genomes, order: Iterable[int], models: Iterable[LocusModel]) -> None:
    """Refuse what would make the founders' alleles or the meioses depend on one another."""
    for model in models:
        if model.chromosome == "X":
            raise ModelError(
                f"{model.locus} lies on the X; linked pairs are computed for autosomal loci only"
            )
        if model.theta:
            raise ModelError(
                f"{model.locus}: linked pairs are computed for theta 0 only; set theta to 0 or "
                "take the loci as independent"
            )
    if any(genomes.inbreeding[genome] for genome in order):
        raise ModelError(
            "linked pairs are computed for founders that are not inbred; set founder inbreeding "
            "to 0, or draw the common ancestors into the pedigree"
        )


def _typed(evidence: Evidence) -> list[int]:
    return [genome for genome, seen in evidence.items() if seen]


def _ancestry(genomes: Genomes, typed: Iterable[int]) -> list[int]:
    """Return the typed genomes and their ancestors, parents before children."""
    order: list[int] = []

    def visit(genome: int) -> None:
        if genome == NO_PARENT or genome in order:
            return
        visit(genomes.father[genome])
        visit(genomes.mother[genome])
        order.append(genome)

    for genome in typed:
        visit(genome)
    return order


def _meioses(genomes: Genomes, order: Iterable[int]) -> dict[Meiosis, int]:
    """Number the meioses; the number is the place of the bit in a vector."""
    found = [
        (genome, side)
        for genome in order
        for side, parent in enumerate((genomes.father[genome], genomes.mother[genome]))
        if parent != NO_PARENT
    ]
    if len(found) > MOST_MEIOSES:
        raise TooLargeError(
            f"{len(found)} meioses; linked pairs are computed for at most {MOST_MEIOSES}: leave "
            "out some of the typed people"
        )
    return {meiosis: bit for bit, meiosis in enumerate(found)}


def _weights(
    genomes: Genomes, meioses: Mapping[Meiosis, int], evidence: Evidence, model: LocusModel
) -> FloatArray:
    """Return P(typings at one locus | v) for every inheritance vector v, shape (2^n,)."""
    typed = _typed(evidence)
    small = _lumped(evidence, model)
    order = _ancestry(genomes, typed)
    terms = [_terms(observation_matrix(evidence[genome], small)) for genome in typed]
    vectors, same_as = np.unique(_canonical(genomes, meioses), return_inverse=True)
    if len(vectors) * math.prod(map(len, terms)) > MOST_TERMS:
        raise TooLargeError(
            f"{model.locus}: more than {MOST_TERMS:,} combinations of inheritance and phase; "
            "leave out some of the typed people"
        )
    total = np.zeros(len(vectors))
    for chosen in product(*terms):
        shown = dict(zip(typed, chosen, strict=True))
        for start in range(0, len(vectors), BLOCK):
            block = slice(start, start + BLOCK)
            total[block] += _forest(genomes, order, meioses, vectors[block], shown, small)
    weights: FloatArray = total[same_as]
    return weights


def _canonical(genomes: Genomes, meioses: Mapping[Meiosis, int]) -> NDArray[np.intp]:
    """Return for every vector the one that is computed in its stead.

    Which of a founder's alleles is called paternal is arbitrary, so all bits of its meioses may
    be flipped together; they are, where the first of them is set.
    """
    masks: dict[int, int] = {}
    for (genome, side), bit in meioses.items():
        parent = (genomes.father, genomes.mother)[side][genome]
        if genomes.father[parent] == genomes.mother[parent] == NO_PARENT:
            masks[parent] = masks.get(parent, 0) | 1 << bit
    vectors = np.arange(2 ** len(meioses))
    for mask in masks.values():
        vectors = np.where(vectors & (mask & -mask), vectors ^ mask, vectors)
    return vectors


def _lumped(evidence: Evidence, model: LocusModel) -> LocusModel:
    """Merge the alleles that nobody shows, unless dropout or an error may have hidden them."""
    seen = [one for found in evidence.values() for one in found]
    if any(not one.typing.perfect for one in seen):
        return model
    return lump(model, {allele for one in seen for allele in one.genotype.alleles})


def _terms(table: FloatArray) -> list[Term]:
    """Split P(seen | paternal, maternal allele) into products of a weight for either allele.

    One term for every distinct row: the paternal alleles that have it, and the row itself. Two
    different alleles give two terms, their phases; there is no subtraction, hence no rounding
    where something is impossible.
    """
    rows = np.unique(table, axis=0)
    return [((table == row).all(axis=1).astype(np.float64), row) for row in rows if row.any()]


def _forest(
    genomes: Genomes,
    order: list[int],
    meioses: Mapping[Meiosis, int],
    vectors: NDArray[np.intp],
    chosen: Mapping[int, Term],
    model: LocusModel,
) -> FloatArray:
    """Return the probability of one term per typed genome, for each of the inheritance vectors.

    Given the vector every allele is a copy of one allele of a parent, so the alleles are trees
    rooted in the founders'. From the youngest up, `below[allele]` (vectors, alleles) is the
    probability of what its copies show; M @ below takes it across a meiosis.
    """
    shape = (len(vectors), len(model.alleles))
    free = np.ones(shape[1])
    below = {
        (genome, side): np.broadcast_to(shown, shape).copy()
        for genome in order
        for side, shown in enumerate(chosen.get(genome, (free, free)))
    }
    result = np.ones(len(vectors))
    matrices = (model.male, model.female)
    for genome in reversed(order):
        for side, parent in enumerate((genomes.father[genome], genomes.mother[genome])):
            here = below.pop((genome, side))
            if parent == NO_PARENT:
                result *= here @ model.frequencies
                continue
            message = here @ matrices[side].T
            maternal = (vectors >> meioses[genome, side] & 1).astype(np.bool_)
            below[parent, 0][~maternal] *= message[~maternal]
            below[parent, 1][maternal] *= message[maternal]
    return result
