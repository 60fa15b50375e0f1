"""Everything that the likelihood of one locus depends on besides pedigree and genotypes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from kinward.errors import ModelError
from kinward.model.allele import SILENT
from kinward.model.mutation import MutationScheme, SexMutation, mutation_matrix
from kinward.model.population import FrequencyTable, LocusFrequencies

__all__ = ["GeneticModel", "LocusModel"]

Chromosome = Literal["autosomal", "X"]


@dataclass(frozen=True, slots=True, eq=False)
class LocusModel:
    """Alleles, frequencies, mutation matrices and theta of one locus.

    `frequencies` (alleles,) as used, not rescaled; `male` and `female` (alleles, alleles) are the
    mutation matrices of the transmitting sex; the silent allele, if any, is the last one.
    """

    locus: str
    alleles: tuple[str, ...]
    frequencies: NDArray[np.float64]
    male: NDArray[np.float64]
    female: NDArray[np.float64]
    theta: float = 0.0
    chromosome: Chromosome = "autosomal"

    def __post_init__(self) -> None:
        """Validate theta and freeze the arrays."""
        if not 0 <= self.theta < 1:
            raise ModelError(f"theta is {self.theta:g}; give a number from 0 up to 1")
        for array in (self.frequencies, self.male, self.female):
            array.setflags(write=False)

    @classmethod
    def build(
        cls,
        locus: str,
        frequencies: LocusFrequencies,
        mutation: SexMutation,
        *,
        theta: float = 0.0,
        silent: float = 0.0,
        chromosome: Chromosome = "autosomal",
    ) -> LocusModel:
        """Build the matrices; `silent` is the frequency of a silent allele, 0 for none.

        Raises ModelError if the mutation model does not suit the alleles.
        """
        alleles, values = frequencies.alleles, np.asarray(frequencies.frequencies, dtype=np.float64)
        if silent:
            if not 0 < silent < 1:
                raise ModelError(f"silent frequency {silent:g}; give a number from 0 up to 1")
            alleles = (*alleles, SILENT)
            values = np.append(values, silent)
        try:
            male = mutation_matrix(mutation.male, alleles, values)
            female = mutation_matrix(mutation.female, alleles, values)
        except ModelError as error:
            raise ModelError(f"{locus}: {error}") from None
        return cls(locus, alleles, values.copy(), male, female, theta, chromosome)

    @property
    def has_silent(self) -> bool:
        """Whether the last allele is a silent one."""
        return self.alleles[-1] == SILENT

    def position(self, allele: str) -> int:
        """Return the index of an allele; raise ModelError if it has no frequency."""
        try:
            return self.alleles.index(allele)
        except ValueError:
            raise ModelError(f"{self.locus}: allele {allele} has no frequency") from None


@dataclass(frozen=True, slots=True, eq=False)
class GeneticModel:
    """The locus models of one run, and where they come from.

    `added` lists, per locus, alleles that the table lacked and the frequency they were given.
    """

    loci: Mapping[str, LocusModel]
    population: str
    mutation: str
    theta: float
    silent: float
    added: Mapping[str, Mapping[str, float]]

    @classmethod
    def build(
        cls,
        table: FrequencyTable,
        mutation: MutationScheme,
        *,
        theta: float = 0.0,
        silent: float = 0.0,
        loci: Iterable[str] | None = None,
        seen: Mapping[str, Iterable[str]] | None = None,
    ) -> GeneticModel:
        """Build the models of `loci` (default: all of the table).

        `seen` names the alleles that the data hold; those that the table lacks are added at its
        minimum frequency. Raises ModelError listing every locus that cannot be modelled.
        """
        models: dict[str, LocusModel] = {}
        added: dict[str, Mapping[str, float]] = {}
        problems: list[str] = []
        for locus in table.loci if loci is None else loci:
            listed = table.loci[locus]
            frequencies = listed.with_alleles((seen or {}).get(locus, ()))
            extra = {
                allele: float(value)
                for allele, value in zip(frequencies.alleles, frequencies.frequencies, strict=True)
                if allele not in listed.alleles
            }
            if extra:
                added[locus] = MappingProxyType(extra)
            try:
                models[locus] = LocusModel.build(
                    locus, frequencies, mutation.for_locus(locus), theta=theta, silent=silent
                )
            except ModelError as error:
                problems.append(str(error))
        if problems:
            raise ModelError("; ".join(problems))
        return cls(
            MappingProxyType(models),
            table.name,
            mutation.describe(),
            theta,
            silent,
            MappingProxyType(added),
        )

    def digest(self) -> str:
        """Return a SHA-256 over all figures, by which a run can be recognised."""
        state = hashlib.sha256()
        for locus, model in sorted(self.loci.items()):
            state.update(repr((locus, model.alleles, model.theta, model.chromosome)).encode())
            for array in (model.frequencies, model.male, model.female):
                state.update(np.ascontiguousarray(array).tobytes())
        return state.hexdigest()
