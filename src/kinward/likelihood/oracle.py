"""The definition: likelihood by brute force over every ordered genotype of every genome.

Slow and readable on purpose; everything faster is tested against it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from kinward.likelihood.genome import NO_PARENT, Genomes, Observation
from kinward.likelihood.observation import observation_matrix, observation_vector
from kinward.model.locus_model import LocusModel

__all__ = ["brute_force_likelihood"]


def brute_force_likelihood(
    genomes: Genomes, observations: Mapping[int, Sequence[Observation]], model: LocusModel
) -> float:
    """Return P(observations) at one locus.

    Founder alleles are drawn one after the other by the sampling formula of Balding and Nichols
    (1994, doi:10.1016/0379-0738(94)90222-4): the next allele is a with probability
    (m_a theta + (1 - theta) p_a) / (1 + (m - 1) theta) after m alleles of which m_a are a. The two
    alleles of an inbred founder are one draw with probability `inbreeding`. Non-founders receive
    either allele of each parent with probability one half, changed by that parent's mutation
    matrix. Cost: alleles ** (2 * genomes), less what is impossible.
    """
    x_linked = model.chromosome == "X"
    order = _birth_order(genomes)
    seen = {
        genome: (observation_vector if x_linked and genomes.male[genome] else observation_matrix)(
            found, model
        )
        for genome, found in observations.items()
        if found
    }
    size = len(model.alleles)
    alleles: dict[int, tuple[int, ...]] = {}
    drawn: list[int] = []

    def draw_chance(allele: int) -> float:
        count = len(drawn)
        theta = model.theta
        mine = drawn.count(allele)
        fresh = float(model.frequencies[allele])
        return (mine * theta + (1.0 - theta) * fresh) / (1.0 + (count - 1) * theta)

    def handed_on(parent: int, allele: int) -> float:
        matrix = model.male if genomes.male[parent] else model.female
        return float(np.mean([matrix[source, allele] for source in alleles[parent]]))

    def slot(position: int, chosen: tuple[int, ...]) -> float:
        """Sum over the alleles of genomes order[position:], given those before."""
        if position == len(order):
            return 1.0
        genome = order[position]
        haploid = x_linked and genomes.male[genome]
        parents: tuple[int, ...] = (genomes.father[genome], genomes.mother[genome])
        if haploid:
            parents = parents[1:]
        if len(chosen) == len(parents):
            weight = float(seen[genome][chosen]) if genome in seen else 1.0
            if weight == 0.0:
                return 0.0
            alleles[genome] = chosen
            return weight * slot(position + 1, ())
        parent = parents[len(chosen)]
        total = 0.0
        inbreeding = genomes.inbreeding[genome]
        founder = all(p == NO_PARENT for p in parents)
        for allele in range(size):
            if parent != NO_PARENT:
                chance = handed_on(parent, allele)
                if chance:
                    total += chance * slot(position, (*chosen, allele))
                continue
            chance = draw_chance(allele)
            if chance == 0.0:
                continue
            if founder and not haploid and not chosen and inbreeding:
                drawn.append(allele)
                total += inbreeding * chance * slot(position, (allele, allele))
                chance *= 1.0 - inbreeding
                drawn.pop()
                if chance == 0.0:
                    continue
            drawn.append(allele)
            total += chance * slot(position, (*chosen, allele))
            drawn.pop()
        return total

    return slot(0, ())


def _birth_order(genomes: Genomes) -> list[int]:
    placed = {NO_PARENT}
    order: list[int] = []
    waiting = list(range(len(genomes.father)))
    while waiting:
        for genome in list(waiting):
            if genomes.father[genome] in placed and genomes.mother[genome] in placed:
                order.append(genome)
                placed.add(genome)
                waiting.remove(genome)
    return order
