"""The story of a pair: every locus with its genotypes, its weight and, if need be, its mutation."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from kinward.likelihood.missing import LocusResult, MissingPersonResult, missing_person_lr
from kinward.model.allele import repeat_number
from kinward.model.locus_model import GeneticModel, LocusModel
from kinward.model.profile import Genotype, Profile
from kinward.model.registry import Family

__all__ = ["LocusStory", "PairStory", "ProbableMutation", "pair_story", "probable_mutations"]


@dataclass(frozen=True, slots=True)
class ProbableMutation:
    """A change between a parent's allele and the child's.

    `steps` is the change in whole repeats, None between microvariant groups.
    """

    parent: str
    before: str
    after: str
    steps: int | None


@dataclass(frozen=True, slots=True)
class LocusStory:
    """One locus: genotypes, likelihood ratio, sum of log10 LR so far (None once impossible).

    `mutations` is the most probable way in which the parents' alleles became the child's, for a
    locus that does not fit without mutation; `share` its probability among all ways, given the
    parents' genotypes alone. Empty if everything fits or no parent is typed.
    """

    result: LocusResult
    child: Genotype
    relatives: Mapping[str, Genotype]
    cumulative: float | None
    mutations: tuple[ProbableMutation, ...]
    share: float


@dataclass(frozen=True, slots=True)
class PairStory:
    """A child and a missing child of a family, explained.

    `father_alone` and `mother_alone` are log10 LR with only that parent typed, None unless both
    registered parents are.
    """

    missing: str
    result: MissingPersonResult
    loci: tuple[LocusStory, ...]
    father_alone: float | None
    mother_alone: float | None


def pair_story(family: Family, missing: str, child: Profile, model: GeneticModel) -> PairStory:
    """Explain how a child compares with one missing child of a family."""
    others = [other for other in family.missing if other != missing]
    profiles = {
        person: profile for person, profile in family.profiles.items() if person not in others
    }

    def compare(relatives: Mapping[str, Profile]) -> MissingPersonResult:
        return missing_person_lr(family.pedigree, relatives, missing, child, model)

    result = compare(profiles)
    total: float | None = 0.0
    loci = []
    for one in result.per_locus:
        total = _add(total, one.lr)
        relatives = {
            person: profile.genotypes[one.locus]
            for person, profile in profiles.items()
            if one.locus in profile.genotypes
        }
        mine = child.genotypes[one.locus]
        mutations: tuple[ProbableMutation, ...] = ()
        share = 0.0
        if one.exclusion and one.lr:
            parents = _parents(family, missing)
            mutations, share = probable_mutations(parents, relatives, mine, model.loci[one.locus])
        loci.append(LocusStory(one, mine, relatives, total, mutations, share))
    alone = [
        compare({parent: profiles[parent]}).log10_lr if parent in profiles else None
        for parent in _parents(family, missing)
    ]
    if not all(parent in profiles for parent in _parents(family, missing)):
        alone = [None, None]
    return PairStory(missing, result, tuple(loci), alone[0], alone[1])


def _add(total: float | None, ratio: float | None) -> float | None:
    if total is None or ratio is None:
        return None
    return total + math.log10(ratio) if ratio else -math.inf


def _parents(family: Family, missing: str) -> tuple[str | None, str | None]:
    person = family.pedigree.people[family.pedigree.index[missing]]
    return person.father, person.mother


def probable_mutations(
    parents: tuple[str | None, str | None],
    genotypes: Mapping[str, Genotype],
    child: Genotype,
    model: LocusModel,
) -> tuple[tuple[ProbableMutation, ...], float]:
    """Return the most probable changes that made the child's genotype, and their probability.

    `parents` are the ids of father and mother. Only the parents' genotypes are used; an untyped
    parent hands on a random allele. The probability is that among all ways; nothing and 0 if no
    parent is typed, or a genotype is not complete.
    """
    typed = [
        genotypes[parent] if parent is not None and parent in genotypes else None
        for parent in parents
    ]
    known = [genotype for genotype in typed if genotype is not None]
    if not known or any(len(genotype.alleles) != 2 for genotype in (child, *known)):
        return (), 0.0
    weights: dict[tuple[ProbableMutation, ...], float] = {}
    for paternal, maternal in {child.alleles, child.alleles[::-1]}:
        for before, p in _sources(typed[0], paternal, model, father=True):
            for other, q in _sources(typed[1], maternal, model, father=False):
                handed = ((parents[0], before, paternal), (parents[1], other, maternal))
                changes = tuple(
                    ProbableMutation(str(parent), old, new, _steps(old, new))
                    for parent, old, new in handed
                    if old is not None and old != new
                )
                weights[changes] = weights.get(changes, 0.0) + p * q
    total = math.fsum(weights.values())
    if total == 0.0:
        return (), 0.0
    best = max(weights, key=lambda changes: weights[changes])
    return best, weights[best] / total


def _sources(
    parent: Genotype | None, allele: str, model: LocusModel, *, father: bool
) -> list[tuple[str | None, float]]:
    """Return the alleles that a parent may have handed on as `allele`, with probabilities."""
    after = model.position(allele)
    if parent is None:
        return [(None, float(model.frequencies[after]))]
    matrix = model.male if father else model.female
    return [
        (before, 0.5 * float(matrix[model.position(before), after])) for before in parent.alleles
    ]


def _steps(before: str, after: str) -> int | None:
    first, second = repeat_number(before), repeat_number(after)
    if first is None or second is None or first[1] != second[1]:
        return None
    return abs(first[0] - second[0])
