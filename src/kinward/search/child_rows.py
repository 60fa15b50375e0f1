"""The children's side of a search: distinct observations per locus, and who shows which.

A child is a list of row numbers, one per locus. A row stands for one observation; most are plain
genotypes. Composite rows (half-typed, fallible samples, homozygotes where a silent allele is
possible) stand for a weighted set of genotypes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kinward.likelihood.genome import Observation
from kinward.likelihood.observation import observation_matrix
from kinward.model.locus_model import GeneticModel, LocusModel
from kinward.model.profile import Genotype
from kinward.model.registry import SEXES, ChildTable, GenotypeColumns

__all__ = ["ChildRows", "LocusRows", "child_rows", "every_genotype"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class LocusRows:
    """Observations of children at one locus.

    `first` and `second` (rows,) are allele indices of plain rows, -1 for composite ones, whose
    P(observation | ordered alleles) is in `composite`. `chance` (rows,) is P(observation) of a
    person drawn from the population.
    """

    first: NDArray[np.intp]
    second: NDArray[np.intp]
    composite: Mapping[int, FloatArray]
    chance: FloatArray

    def __len__(self) -> int:
        return len(self.first)

    def onto_rows(self, joint: FloatArray) -> FloatArray:
        """Sum P(relatives, ordered alleles of the child) (alleles, alleles, lanes) over each row.

        Returns P(relatives, observation), shape (rows, lanes).
        """
        plain = self.first >= 0
        x, y = self.first[plain], self.second[plain]
        out = np.empty((len(self), joint.shape[-1]))
        out[plain] = joint[x, y] + np.where(x == y, 0.0, 1.0)[:, None] * joint[y, x]
        for row, weights in self.composite.items():
            out[row] = np.einsum("xy,xyl->l", weights, joint)
        return out


@dataclass(frozen=True, slots=True, eq=False)
class ChildRows:
    """All children as row numbers: `rows` (children, loci) int32, -1 where not typed.

    `composite` (children,) marks children with a composite row anywhere.
    """

    loci: tuple[str, ...]
    per_locus: tuple[LocusRows, ...]
    rows: NDArray[np.int32]
    composite: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.rows)


def _locus_rows(observations: Sequence[Observation], model: LocusModel) -> LocusRows:
    size = len(observations)
    first = np.full(size, -1, dtype=np.intp)
    second = np.full(size, -1, dtype=np.intp)
    chance = np.empty(size)
    composite: dict[int, FloatArray] = {}
    p = model.frequencies
    for row, seen in enumerate(observations):
        alleles = seen.genotype.alleles
        plain = len(alleles) == 2 and seen.typing.perfect
        if plain and not (model.has_silent and alleles[0] == alleles[1]):
            first[row], second[row] = (model.position(a) for a in alleles)
            twice = 1.0 if first[row] == second[row] else 2.0
            chance[row] = twice * p[first[row]] * p[second[row]]
        else:
            composite[row] = observation_matrix([seen], model)
            chance[row] = float(p @ composite[row] @ p)
    return LocusRows(first, second, composite, chance)


def child_rows(children: ChildTable, model: GeneticModel, loci: Sequence[str]) -> ChildRows:
    """Number the distinct observations of the children at each locus."""
    columns = children.genotypes
    rows = np.empty((len(children), len(loci)), dtype=np.int32)
    per_locus = []
    composite = np.zeros(len(children), dtype=np.bool_)
    for position, locus in enumerate(loci):
        column = columns.loci.index(locus)
        observations = [Observation(genotype) for genotype in columns.observed[column]]
        codes = columns.codes[:, column].astype(np.int32) - 1
        fallible: dict[Observation, int] = {}
        for child, typing in children.typing.items():
            if codes[child] >= 0 and not typing.perfect:
                seen = Observation(columns.observed[column][codes[child]], typing)
                codes[child] = fallible.setdefault(seen, len(observations) + len(fallible))
        observations.extend(fallible)
        if not observations:
            # Nobody is typed here: one row that no child shows spares every user a special case.
            allele = model.loci[locus].alleles[0]
            observations.append(Observation(Genotype((allele, allele))))
        found = _locus_rows(observations, model.loci[locus])
        is_composite = np.zeros(len(found) + 1, dtype=np.bool_)
        is_composite[list(found.composite)] = True
        composite |= is_composite[codes]
        rows[:, position] = codes
        per_locus.append(found)
    return ChildRows(tuple(loci), tuple(per_locus), rows, composite)


def every_genotype(model: GeneticModel) -> ChildTable:
    """Return a table in which every genotype of every locus occurs once as a child's."""
    observed = []
    for locus_model in model.loci.values():
        visible = locus_model.alleles[: len(locus_model.alleles) - int(locus_model.has_silent)]
        observed.append(tuple(Genotype((a, b)) for i, a in enumerate(visible) for b in visible[i:]))
    longest = max(len(found) for found in observed)
    codes = np.zeros((longest, len(observed)), dtype=np.int16)
    for column, found in enumerate(observed):
        codes[: len(found), column] = np.arange(1, len(found) + 1)
    ids = np.array([str(i) for i in range(longest)], dtype=object)
    sex = np.full(longest, SEXES.index("unknown"), dtype=np.int8)
    return ChildTable(ids, sex, GenotypeColumns(tuple(model.loci), tuple(observed), codes))
