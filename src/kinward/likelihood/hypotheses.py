"""How probable are typed people's genotypes under each of several pedigrees?

This is the casework question of a Familias file: hypotheses about one set of people, compared
with a reference hypothesis by likelihood ratio.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from kinward.errors import ModelError, PedigreeError
from kinward.io.fam_case import FamiliasCase
from kinward.likelihood.genome import Genomes, Observation
from kinward.likelihood.linked import LinkedLoci, linked_pair_likelihood
from kinward.likelihood.missing import MissingPersonResult, missing_person_lr
from kinward.likelihood.run import Evidence, locus_likelihood
from kinward.model.locus_model import GeneticModel, LocusModel
from kinward.model.pedigree import Pedigree, Person, Sex
from kinward.model.profile import Profile

__all__ = [
    "HypothesisResult",
    "VictimMatch",
    "case_model",
    "full_sibling_hypotheses",
    "hypothesis_likelihoods",
    "victim_matches",
]


@dataclass(frozen=True, slots=True)
class HypothesisResult:
    """Likelihoods by hypothesis and locus.

    `likelihoods` maps each hypothesis to P(genotypes | hypothesis) at each of `loci`; `reference`
    names the hypothesis that the others are compared with.
    """

    loci: tuple[str, ...]
    likelihoods: Mapping[str, tuple[float, ...]]
    reference: str

    def ratios(self, hypothesis: str) -> tuple[float | None, ...]:
        """Return the likelihood ratio at each locus; None where the reference is impossible."""
        pairs = zip(self.likelihoods[hypothesis], self.likelihoods[self.reference], strict=True)
        return tuple(ours / other if other else None for ours, other in pairs)

    def log10_lr(self, hypothesis: str) -> float | None:
        """Return the sum over loci: -inf if one is impossible, None if the reference is."""
        ratios = self.ratios(hypothesis)
        if any(ratio is None for ratio in ratios):
            return None
        if not all(ratios):
            return -math.inf
        return math.fsum(math.log10(ratio) for ratio in ratios if ratio)


@dataclass(frozen=True, slots=True)
class VictimMatch:
    """One unidentified person compared with one missing person of one family."""

    victim: str
    family: str
    pedigree: str
    missing: str
    result: MissingPersonResult


def case_model(case: FamiliasCase) -> GeneticModel:
    """Return the model of a case as its file sets it: nothing is rescaled and nothing added."""
    models = {
        name: LocusModel.build(
            name,
            locus.frequencies,
            locus.mutation,
            theta=case.theta,
            silent=locus.silent,
            chromosome="X" if locus.on_x else "autosomal",
        )
        for name, locus in case.loci.items()
    }
    return GeneticModel(
        MappingProxyType(models),
        case.database or case.file,
        case.mutation.describe(),
        case.theta,
        0.0,
        MappingProxyType({}),
    )


def hypothesis_likelihoods(
    hypotheses: Mapping[str, Pedigree],
    profiles: Mapping[str, Profile],
    model: GeneticModel,
    *,
    reference: str | None = None,
    linked: LinkedLoci | None = None,
) -> HypothesisResult:
    """Compute P(genotypes | hypothesis) at every locus at which somebody is typed.

    Every hypothesis must hold every typed person, related or not. `reference` is the last
    hypothesis unless named. Two `linked` loci enter together, as the last of the loci, named by
    their label. Raises ModelError if there is no hypothesis, or none of that name, or nobody is
    typed at a linked locus; PedigreeError if a typed person is not in a hypothesis.
    """
    if not hypotheses:
        raise ModelError("there are no hypotheses to compare; give at least two pedigrees")
    if reference is None:
        reference = list(hypotheses)[-1]
    if reference not in hypotheses:
        known = ", ".join(hypotheses)
        raise ModelError(f"there is no hypothesis {reference!r}; choose from {known}")
    for name, pedigree in hypotheses.items():
        absent = [person for person in profiles if person not in pedigree.index]
        if absent:
            raise PedigreeError([f"hypothesis {name} lacks {', '.join(absent)}"])
    loci = tuple(
        locus for locus in model.loci if any(locus in p.genotypes for p in profiles.values())
    )
    if linked is not None:
        loci = _without(loci, linked)
    likelihoods = {
        name: tuple(_likelihoods(Genomes.of(pedigree), profiles, loci, model, linked))
        for name, pedigree in hypotheses.items()
    }
    labels = loci if linked is None else (*loci, linked.label)
    return HypothesisResult(labels, MappingProxyType(likelihoods), reference)


def _without(loci: tuple[str, ...], linked: LinkedLoci) -> tuple[str, ...]:
    """Return the loci but for the linked two; raise ModelError if they are not two of them."""
    if linked.first == linked.second:
        raise ModelError(f"a linked pair is two loci, not {linked.first} twice")
    for locus in (linked.first, linked.second):
        if locus not in loci:
            raise ModelError(f"nobody is typed at {locus!r}; choose from {', '.join(loci)}")
    return tuple(locus for locus in loci if locus not in (linked.first, linked.second))


def _likelihoods(
    genomes: Genomes,
    profiles: Mapping[str, Profile],
    loci: Sequence[str],
    model: GeneticModel,
    linked: LinkedLoci | None,
) -> Iterable[float]:
    for locus in loci:
        yield locus_likelihood(genomes, _evidence(genomes, profiles, locus), model.loci[locus])
    if linked is not None:
        yield linked_pair_likelihood(
            genomes,
            _evidence(genomes, profiles, linked.first),
            _evidence(genomes, profiles, linked.second),
            model.loci[linked.first],
            model.loci[linked.second],
            male_recombination=linked.male_recombination,
            female_recombination=linked.female_recombination,
        )


def _evidence(genomes: Genomes, profiles: Mapping[str, Profile], locus: str) -> Evidence:
    evidence: dict[int, list[Observation]] = {}
    for person, profile in profiles.items():
        seen = profile.genotypes.get(locus)
        if seen is not None:
            genome = genomes.of_person[person]
            evidence.setdefault(genome, []).append(Observation(seen, profile.typing))
    return evidence


def victim_matches(case: FamiliasCase, model: GeneticModel) -> tuple[VictimMatch, ...]:
    """Compare every unidentified person of a DVI file with every missing person of every family.

    A family may have several pedigrees; of equal ones only the last is used, since Familias lists
    the one of reference again under its own name.
    """
    return tuple(
        VictimMatch(
            victim.id,
            family.id,
            name,
            missing,
            missing_person_lr(
                pedigree,
                family.profiles,
                missing,
                victim.profile,
                model,
                others_missing=[other for other in family.missing if other != missing],
            ),
        )
        for victim in case.victims
        for family in case.families
        for name, pedigree in _different(family.pedigrees)
        for missing in family.missing
    )


def _different(pedigrees: Mapping[str, Pedigree]) -> Iterable[tuple[str, Pedigree]]:
    """Return names and pedigrees, of equal pedigrees the last."""
    return {pedigree.people: (name, pedigree) for name, pedigree in pedigrees.items()}.values()


def full_sibling_hypotheses(
    first: tuple[str, Sex], second: tuple[str, Sex]
) -> Mapping[str, Pedigree]:
    """Return two hypotheses about two people (id, sex): full siblings, or unrelated.

    The second is the reference.
    """
    names = f"{first[0]} and {second[0]}"  # so that the parents are named like neither of the two
    father, mother = f"father of {names}", f"mother of {names}"
    related = [Person(name, father, mother, sex) for name, sex in (first, second)]
    siblings = Pedigree.build([Person(father, sex="male"), Person(mother, sex="female"), *related])
    unrelated = Pedigree.build([Person(name, sex=sex) for name, sex in (first, second)])
    return MappingProxyType({"full siblings": siblings, "unrelated": unrelated})
