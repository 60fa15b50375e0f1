"""Likelihood ratio of one child and one missing child: the fast way and its slow twin."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from kinward.likelihood.genome import Genomes, Observation, observed_states
from kinward.likelihood.loci import PhasedLoci, PreparedModel, compare_loci, prepare
from kinward.likelihood.run import locus_likelihood
from kinward.model.locus_model import GeneticModel, LocusModel
from kinward.model.mutation import NoMutation, SexMutation
from kinward.model.pedigree import Pedigree
from kinward.model.population import LocusFrequencies
from kinward.model.profile import PERFECT_TYPING, Genotype, Profile, TypingModel

__all__ = [
    "LocusResult",
    "MissingPersonResult",
    "missing_person_lr",
    "missing_person_lr_by_locus",
    "without_mutation",
]

_Pairs = list[tuple[int, int]]
_NO_MUTATION = SexMutation(NoMutation(), NoMutation())


@dataclass(frozen=True, slots=True)
class LocusResult:
    """The story of one locus.

    `numerator` = P(child, relatives | the child is the missing child), `denominator` = the same
    if it is unrelated; `lr` is their ratio, None if the relatives alone are impossible.
    `exclusion`: impossible with mutation and silent alleles off. `compared`: a relative is typed
    here; otherwise the ratio is 1, or near it where mutation shifts the frequencies (equal,
    stepwise) from one generation to the next.
    """

    locus: str
    numerator: float
    denominator: float
    exclusion: bool
    compared: bool = True

    @property
    def lr(self) -> float | None:
        """The likelihood ratio; None if the denominator is zero."""
        return self.numerator / self.denominator if self.denominator else None


@dataclass(frozen=True, slots=True)
class MissingPersonResult:
    """All loci of one pair that are typed in the child."""

    per_locus: tuple[LocusResult, ...]

    @property
    def log10_lr(self) -> float | None:
        """Sum over loci: -inf if one is impossible, None if the family is inconsistent."""
        if self.inconsistent:
            return None
        ratios = [result.lr for result in self.per_locus]
        if any(not ratio for ratio in ratios):
            return -math.inf
        return math.fsum(math.log10(ratio) for ratio in ratios if ratio)

    @property
    def loci(self) -> int:
        """Number of loci typed in the child and in a relative."""
        return sum(result.compared for result in self.per_locus)

    @property
    def exclusions(self) -> int:
        """Number of Mendelian inconsistencies with mutation and silent alleles off."""
        return sum(result.exclusion for result in self.per_locus)

    @property
    def inconsistent(self) -> tuple[str, ...]:
        """Loci at which the relatives alone are impossible under the model."""
        return tuple(result.locus for result in self.per_locus if not result.denominator)


def without_mutation(model: LocusModel) -> LocusModel:
    """Return the locus model with mutation, silent allele and theta off, for exclusions."""
    visible = len(model.alleles) - int(model.has_silent)
    frequencies = LocusFrequencies(model.alleles[:visible], model.frequencies[:visible], None)
    return LocusModel.build(model.locus, frequencies, _NO_MUTATION, chromosome=model.chromosome)


def missing_person_lr(
    pedigree: Pedigree,
    relatives: Mapping[str, Profile],
    missing: str,
    child: Profile,
    model: GeneticModel,
    *,
    others_missing: Sequence[str] = (),
) -> MissingPersonResult:
    """Compare a child with one missing child of a family, exactly.

    LR = P(child, relatives | child is `missing`) / P(child, relatives | child is unrelated), per
    locus, over the loci of the model typed in the child. A profile of `missing` itself comes from
    a personal item and is compared directly. `others_missing` are left untyped while this one is
    tested.

    Loci of complete, infallible genotypes are computed together (see `loci`); the others as
    `missing_person_lr_by_locus` does, with which all results agree.
    """
    family = _Family.of(pedigree, relatives, missing, child, others_missing)
    prepared = prepare(model)
    groups: dict[tuple[tuple[int, ...], bool, float], tuple[list[int], list[_Pairs]]] = {}
    found: dict[int, LocusResult] = {}
    lonely: set[int] = set()
    for at, locus in enumerate(prepared.names):
        if locus not in child.genotypes:
            continue
        seen = [typed for typed in family.typed if locus in typed[1]]
        if not seen:
            lonely.add(at)
        pairs = family.phased(seen, at, prepared)
        if pairs is None:
            found[at] = family.at_locus(model.loci[locus])
            continue
        people = tuple([genome for genome, _, _ in seen])
        key = (people, prepared.x_linked[at], prepared.theta[at])
        loci, rows = groups.setdefault(key, ([], []))
        loci.append(at)
        rows.append(pairs)
    for (people, _, _), (loci, rows) in groups.items():
        group = PhasedLoci(tuple(loci), people, np.array(rows, dtype=np.int64))
        for done in compare_loci(family.genomes, family.target, group, prepared):
            figures = zip(done.loci, done.numerator, done.denominator, done.exclusion, strict=True)
            for at, numerator, denominator, exclusion in figures:
                found[at] = LocusResult(
                    prepared.names[at], numerator, denominator, exclusion, at not in lonely
                )
    return MissingPersonResult(tuple([found[at] for at in sorted(found)]))


def missing_person_lr_by_locus(
    pedigree: Pedigree,
    relatives: Mapping[str, Profile],
    missing: str,
    child: Profile,
    model: GeneticModel,
    *,
    others_missing: Sequence[str] = (),
) -> MissingPersonResult:
    """Compute what `missing_person_lr` does, by its definition: one locus after the other."""
    family = _Family.of(pedigree, relatives, missing, child, others_missing)
    return MissingPersonResult(
        tuple(
            family.at_locus(locus_model)
            for locus, locus_model in model.loci.items()
            if locus in child.genotypes
        )
    )


@dataclass(frozen=True, slots=True)
class _Family:
    """Genomes and typings; `typed` relatives as (genome, genotypes, typing) in order of genome.

    `plain`: every typing is infallible, and no genome has two.
    """

    genomes: Genomes
    target: int
    typed: tuple[tuple[int, Mapping[str, Genotype], TypingModel], ...]
    child: Profile
    plain: bool

    @classmethod
    def of(
        cls,
        pedigree: Pedigree,
        relatives: Mapping[str, Profile],
        missing: str,
        child: Profile,
        others_missing: Sequence[str],
    ) -> _Family:
        genomes = Genomes.of(pedigree)
        target = genomes.of_person[missing]
        typed = [
            (genomes.of_person[person], profile.genotypes, profile.typing)
            for person, profile in relatives.items()
            if person not in others_missing
        ]
        typed.sort(key=lambda entry: entry[0])
        people = {target, *[genome for genome, _, _ in typed]}
        plain = len(people) == len(typed) + 1 and all(
            typing is PERFECT_TYPING or typing.perfect for _, _, typing in typed
        )
        plain = plain and child.typing.perfect
        return cls(genomes, target, tuple(typed), child, plain)

    def phased(
        self,
        seen: Sequence[tuple[int, Mapping[str, Genotype], TypingModel]],
        at: int,
        prepared: PreparedModel,
    ) -> _Pairs | None:
        """Return the allele indices of everyone typed at a locus, the child last.

        None if some genome is not quite known. Twins and personal items make a family not plain
        although a locus may be; that costs time, and nothing else.
        """
        if prepared.silent[at] or not self.plain:
            return None
        locus, position = prepared.names[at], prepared.positions[at]
        x_linked, theta = prepared.x_linked[at], prepared.theta[at]
        pairs = []
        for genome, genotypes, _ in (*seen, (self.target, self.child.genotypes, PERFECT_TYPING)):
            genotype = genotypes[locus]
            alleles = genotype.alleles
            if genotype.partial or (theta and self.genomes.inbreeding[genome]):
                return None
            if x_linked and self.genomes.male[genome]:
                alleles = observed_states(genotype, hemizygous=True)
            elif len(alleles) != 2:
                return None
            first, second = position.get(alleles[0]), position.get(alleles[1])
            if first is None or second is None:
                return None
            pairs.append((first, second))
        return pairs

    def at_locus(self, locus_model: LocusModel) -> LocusResult:
        """Compare at one locus, by the definition."""
        evidence: dict[int, list[Observation]] = {}
        for genome, genotypes, typing in self.typed:
            seen = genotypes.get(locus_model.locus)
            if seen is not None:
                evidence.setdefault(genome, []).append(Observation(seen, typing))
        mine = Observation(self.child.genotypes[locus_model.locus], self.child.typing)
        genomes, target = self.genomes, self.target
        apart = genomes.with_founder(male=genomes.male[target])
        same = {**evidence, target: [*evidence.get(target, ()), mine]}
        other = {**evidence, len(genomes.father): [mine]}
        return LocusResult(
            locus_model.locus,
            locus_likelihood(genomes, same, locus_model),
            locus_likelihood(apart, other, locus_model),
            locus_likelihood(genomes, same, without_mutation(locus_model)) == 0.0,
            bool(evidence),
        )
