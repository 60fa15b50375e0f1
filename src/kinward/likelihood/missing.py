"""Likelihood ratio of one child and one missing child, locus by locus: the search's slow twin."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kinward.likelihood.genome import Genomes, Observation
from kinward.likelihood.run import locus_likelihood
from kinward.model.locus_model import GeneticModel, LocusModel
from kinward.model.mutation import NoMutation, SexMutation
from kinward.model.pedigree import Pedigree
from kinward.model.population import LocusFrequencies
from kinward.model.profile import Profile

__all__ = ["LocusResult", "MissingPersonResult", "missing_person_lr", "without_mutation"]

_NO_MUTATION = SexMutation(NoMutation(), NoMutation())


@dataclass(frozen=True, slots=True)
class LocusResult:
    """The story of one locus.

    `numerator` = P(child, relatives | the child is the missing child), `denominator` = the same
    if it is unrelated; `lr` is their ratio, None if the relatives alone are impossible.
    `exclusion`: impossible with mutation and silent alleles off.
    """

    locus: str
    numerator: float
    denominator: float
    exclusion: bool

    @property
    def lr(self) -> float | None:
        """The likelihood ratio; None if the denominator is zero."""
        return self.numerator / self.denominator if self.denominator else None


@dataclass(frozen=True, slots=True)
class MissingPersonResult:
    """All loci of one pair; loci that are typed in the child and in a relative."""

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
        """Number of loci compared."""
        return len(self.per_locus)

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
    locus, over the loci of the model typed in the child and in at least one relative. A profile
    of `missing` itself comes from a personal item and is compared directly. `others_missing` are
    left untyped while this one is tested.
    """
    genomes = Genomes.of(pedigree)
    target = genomes.of_person[missing]
    apart = genomes.with_founder(male=genomes.male[target])
    used = {person: p for person, p in relatives.items() if person not in others_missing}
    results = []
    for locus, locus_model in model.loci.items():
        mine = child.genotypes.get(locus)
        if mine is None:
            continue
        evidence: dict[int, list[Observation]] = {}
        for person, profile in used.items():
            seen = profile.genotypes.get(locus)
            if seen is not None:
                observation = Observation(seen, profile.typing)
                evidence.setdefault(genomes.of_person[person], []).append(observation)
        mine_seen = Observation(mine, child.typing)
        same = {**evidence, target: [*evidence.get(target, ()), mine_seen]}
        other = {**evidence, len(genomes.father): [mine_seen]}
        plain = without_mutation(locus_model)
        results.append(
            LocusResult(
                locus,
                locus_likelihood(genomes, same, locus_model),
                locus_likelihood(apart, other, locus_model),
                locus_likelihood(genomes, same, plain) == 0.0,
            )
        )
    return MissingPersonResult(tuple(results))
