"""Genotypes of many families of one kind at once: founders drawn, alleles handed down.

Loci are independent. A meiosis picks one of the parent's two alleles and replaces it by a draw
from that allele's row of the mutation matrix of the parent's sex. Alleles are numbers into
`SimulationLocus.alleles`; arrays have families as their last axis.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from kinward.errors import ModelError
from kinward.model.locus_model import LocusModel
from kinward.model.mutation import MutationScheme
from kinward.model.population import FrequencyTable, LocusFrequencies
from kinward.model.profile import Genotype
from kinward.simulate.kinds import FamilyKind

__all__ = [
    "AlleleArray",
    "SimulationLocus",
    "build_loci",
    "common_loci",
    "drop_typings",
    "hand_down",
    "random_places",
    "simulate_kind",
]

AlleleArray = NDArray[np.uint8]
FloatArray = NDArray[np.float64]

_MOST_ALLELES = 255  # alleles are held as uint8


@dataclass(frozen=True)
class SimulationLocus:
    """One locus as the simulation needs it.

    `founders` (populations, alleles): cumulative frequencies of each population; `male` and
    `female` (alleles, alleles): mutation matrices of the transmitting sex.
    """

    locus: str
    alleles: tuple[str, ...]
    founders: FloatArray
    male: FloatArray
    female: FloatArray

    @cached_property
    def genotypes(self) -> tuple[Genotype, ...]:
        """All unordered genotypes, in the order of `codes`."""
        size = len(self.alleles)
        return tuple(
            Genotype((self.alleles[a], self.alleles[b]))
            for a in range(size)
            for b in range(a, size)
        )

    @cached_property
    def codes(self) -> NDArray[np.int16]:
        """Code (alleles, alleles) of each allele pair, in either order: 1 is `genotypes[0]`."""
        size = len(self.alleles)
        upper = np.triu_indices(size)
        table = np.zeros((size, size), dtype=np.int16)
        table[upper] = np.arange(1, len(upper[0]) + 1)
        return np.maximum(table, table.T)

    def draw(
        self, rng: np.random.Generator, population: int, shape: tuple[int, ...]
    ) -> AlleleArray:
        """Draw founder alleles of one population."""
        found = self.founders[population].searchsorted(rng.random(shape), side="right")
        alleles: AlleleArray = found.astype(np.uint8)
        return alleles


def common_loci(tables: Sequence[FrequencyTable]) -> tuple[str, ...]:
    """Return the loci that all tables have, in the order of the first."""
    return tuple(name for name in tables[0].loci if all(name in table.loci for table in tables))


def build_loci(
    tables: Sequence[FrequencyTable], mutation: MutationScheme, loci: Sequence[str] | None = None
) -> tuple[SimulationLocus, ...]:
    """Return the loci of a simulation (default: those common to all tables).

    Founders of a population carry its listed alleles only; mutation may reach any allele listed
    for one of the populations. Raises ModelError for a locus that a table lacks.
    """
    names = common_loci(tables) if loci is None else tuple(loci)
    for table in tables:
        lacking = [name for name in names if name not in table.loci]
        if lacking:
            raise ModelError(f"population {table.name} lacks {', '.join(lacking)}; leave them out")
    if not names:
        raise ModelError("the populations have no locus in common; choose others")
    return tuple(_build_locus(name, [t.loci[name] for t in tables], mutation) for name in names)


def _build_locus(
    name: str, listed: Sequence[LocusFrequencies], mutation: MutationScheme
) -> SimulationLocus:
    every = listed[0].with_alleles(a for other in listed for a in other.alleles)
    if len(every.alleles) > _MOST_ALLELES:
        raise ModelError(f"{name}: {len(every.alleles)} alleles; at most {_MOST_ALLELES}")
    founders = np.zeros((len(listed), len(every.alleles)))
    for row, one in zip(founders, listed, strict=True):
        row[[every.alleles.index(allele) for allele in one.alleles]] = one.frequencies
        row[:] = np.cumsum(row) / row.sum()
        # Rounding must not leave a draw above the last allele that the population has.
        row[every.alleles.index(one.alleles[-1]) :] = 1.0
    model = LocusModel.build(name, every, mutation.for_locus(name))
    return SimulationLocus(name, every.alleles, founders, model.male, model.female)


def simulate_kind(
    rng: np.random.Generator, kind: FamilyKind, locus: SimulationLocus, population: int, count: int
) -> AlleleArray:
    """Simulate `count` families of one kind at one locus.

    Returns the alleles (members, 2, count), paternal then maternal, of every member, whether
    typed or not.
    """
    alleles = np.empty((len(kind.members), 2, count), dtype=np.uint8)
    for member in range(len(kind.members)):
        father, mother = kind.parents(member)
        if kind.source[member] != member:
            alleles[member] = alleles[kind.source[member]]
        elif father < 0:
            alleles[member] = locus.draw(rng, population, (2, count))
        else:
            alleles[member, 0] = hand_down(rng, alleles[father], locus.male)
            alleles[member, 1] = hand_down(rng, alleles[mother], locus.female)
    return alleles


def hand_down(rng: np.random.Generator, parent: AlleleArray, matrix: FloatArray) -> AlleleArray:
    """Return the allele (count,) that each parent (2, count) hands to one child."""
    count = parent.shape[1]
    second = rng.integers(0, 2, count, dtype=np.uint8).astype(np.bool_)
    handed: AlleleArray = np.where(second, parent[1], parent[0])
    rate = 1.0 - np.diagonal(matrix)
    highest = float(rate.max())
    if highest <= 0.0:
        return handed
    # Thinning: candidates at the highest rate, accepted in proportion to the allele's own, so
    # that a random number is spent on the few candidates only.
    places = random_places(rng, count, highest)
    accepted = rng.random(len(places)) * highest < rate[handed[places]]
    places = places[accepted]
    handed[places] = _mutate(rng, handed[places], matrix)
    return handed


def _mutate(rng: np.random.Generator, alleles: AlleleArray, matrix: FloatArray) -> AlleleArray:
    """Draw another allele for each, from its row of the matrix without the diagonal."""
    other = matrix.copy()
    np.fill_diagonal(other, 0.0)
    cumulative = np.cumsum(other, axis=1)
    reach = rng.random(len(alleles)) * cumulative[alleles, -1]
    found: AlleleArray = (cumulative[alleles] <= reach[:, None]).sum(axis=1).astype(np.uint8)
    return found


def random_places(rng: np.random.Generator, count: int, rate: float) -> NDArray[np.int64]:
    """Return the places, out of `count`, of independent events of this probability."""
    events = int(rng.binomial(count, rate))
    places: NDArray[np.int64] = rng.choice(count, events, replace=False, shuffle=False)
    return places


def drop_typings(rng: np.random.Generator, codes: NDArray[np.int16], rate: float) -> None:
    """Set genotypes to not typed, each with probability `rate`, in place."""
    if rate > 0:
        codes.reshape(-1)[random_places(rng, codes.size, rate)] = 0
