"""Random pedigrees, locus models and typings, small enough for the brute-force oracle."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from hypothesis import reject
from hypothesis import strategies as st

from kinward.errors import ModelError
from kinward.likelihood.genome import Genomes, Observation
from kinward.model.locus_model import LocusModel
from kinward.model.mutation import (
    CustomMutation,
    EqualMutation,
    MutationModel,
    NoMutation,
    OneStepMutation,
    ProportionalMutation,
    SexMutation,
    StepwiseMutation,
)
from kinward.model.pedigree import Pedigree, Person
from kinward.model.population import LocusFrequencies
from kinward.model.profile import PERFECT_TYPING, Genotype, TypingModel

LADDERS = (
    ("12", "13", "14", "15"),
    ("9", "9.3", "10", "11"),
    ("20", "22", "22.2", "23.2"),
)
ORACLE_STATES = 30_000
"""Most ordered genotype combinations that an example may ask of the oracle."""


@dataclass(frozen=True)
class Case:
    """One likelihood to compute."""

    pedigree: Pedigree
    model: LocusModel
    evidence: dict[str, tuple[Observation, ...]]

    @property
    def genomes(self) -> Genomes:
        return Genomes.of(self.pedigree)

    def by_genome(self) -> dict[int, list[Observation]]:
        found: dict[int, list[Observation]] = {}
        genomes = self.genomes
        for person, seen in self.evidence.items():
            found.setdefault(genomes.of_person[person], []).extend(seen)
        return found


@st.composite
def pedigrees(draw: st.DrawFn, most: int = 6, single_parents: bool = True) -> Pedigree:
    """Pedigrees with loops, half sibs, twins, inbred founders and people of one known parent."""
    size = draw(st.integers(2, most))
    people: list[Person] = []
    inbred = draw(st.booleans())
    for number in range(size):
        males = [p.id for p in people if p.sex == "male"]
        females = [p.id for p in people if p.sex == "female"]
        sex = draw(st.sampled_from(("male", "female")))
        father = draw(st.sampled_from(males)) if males else None
        mother = draw(st.sampled_from(females)) if females else None
        kinds = ["founder"]
        if father and mother:
            kinds = ["child"] * 6 + ["founder"]
        if single_parents and (father or mother):
            kinds.append("single")
        kind = draw(st.sampled_from(kinds))
        if kind == "founder":
            inbreeding = draw(st.sampled_from((0.0, 0.25, 1.0))) if inbred else 0.0
            people.append(Person(str(number), sex=sex, founder_inbreeding=inbreeding))
            continue
        if kind == "single" and father and mother:
            father, mother = draw(st.sampled_from(((father, None), (None, mother))))
        people.append(Person(str(number), father, mother, sex))
    children = [i for i, p in enumerate(people) if p.father and p.mother]
    if children and draw(st.integers(0, 3)) == 0:
        which = draw(st.sampled_from(children))
        people[which] = replace(people[which], twin="A")
        people.append(replace(people[which], id="twin"))
    return Pedigree.build(people, allow_single_parent=single_parents)


@st.composite
def mutation_models(draw: st.DrawFn, alleles: tuple[str, ...]) -> MutationModel:
    """Any mutation model that suits the alleles; rates far above nature, to be seen."""
    rate = draw(st.sampled_from((0.0, 0.01, 0.2)))
    kinds = ["none", "equal", "proportional", "stepwise", "custom"]
    if not any("." in allele for allele in alleles):
        kinds.append("onestep")
    kind = draw(st.sampled_from(kinds))
    if kind == "custom":
        weights = np.array(
            [[draw(st.integers(0, 5)) for _ in alleles] for _ in alleles], dtype=float
        )
        weights += np.eye(len(alleles))
        return CustomMutation(alleles, weights / weights.sum(axis=1, keepdims=True))
    if kind == "stepwise":
        return StepwiseMutation(rate, 0.05, draw(st.sampled_from((0.1, 0.5))))
    simple = {
        "none": lambda _: NoMutation(),
        "equal": EqualMutation,
        "proportional": ProportionalMutation,
        "onestep": OneStepMutation,
    }
    model: MutationModel = simple[kind](rate)
    return model


@st.composite
def locus_models(draw: st.DrawFn, most: int, theta: bool | None = None) -> LocusModel:
    """A model of two to `most` alleles, the silent one included."""
    size = draw(st.integers(2, max(2, most)))
    chromosome = draw(st.sampled_from(("autosomal", "autosomal", "X")))
    silent = draw(st.sampled_from((0.0, 0.0, 0.07))) if size > 2 else 0.0
    visible = size - (1 if silent else 0)
    alleles = draw(st.sampled_from(LADDERS))[:visible]
    weights = np.array([draw(st.integers(1, 9)) for _ in alleles], dtype=float)
    frequencies = weights / weights.sum() * (1.0 - silent)
    with_theta = draw(st.booleans()) if theta is None else theta
    same = draw(st.booleans())
    male = draw(mutation_models(alleles))
    female = male if same else draw(mutation_models(alleles))
    theta_value = draw(st.sampled_from((0.03, 0.3))) if with_theta else 0.0
    try:
        return LocusModel.build(
            "test",
            LocusFrequencies(alleles, frequencies, None),
            SexMutation(male, female),
            theta=theta_value,
            silent=silent,
            chromosome=chromosome,
        )
    except ModelError:  # a proportional rate that these frequencies do not allow
        reject()


TYPINGS = (
    TypingModel(dropout=0.1),
    TypingModel(dropin=0.05),
    TypingModel(typing_error=0.02),
    TypingModel(dropout=0.2, dropin=0.1, typing_error=0.01),
)


@st.composite
def typings(draw: st.DrawFn, model: LocusModel, male: bool, fallible: bool) -> Observation:
    """One typing of one person."""
    visible = model.alleles[: len(model.alleles) - int(model.has_silent)]
    allele = st.sampled_from(visible)
    how = draw(st.sampled_from(TYPINGS)) if fallible and draw(st.booleans()) else PERFECT_TYPING
    if model.chromosome == "X" and male:
        return Observation(Genotype((draw(allele),)), how)
    if draw(st.integers(0, 4)) == 0:
        return Observation(Genotype((draw(allele),), partial=True), how)
    return Observation(Genotype((draw(allele), draw(allele))), how)


@st.composite
def cases(draw: st.DrawFn, theta: bool | None = None, single_parents: bool = True) -> Case:
    """A pedigree, a model and typings of some of the people, of bounded cost to the oracle."""
    pedigree = draw(pedigrees(single_parents=single_parents))
    genomes = len(Genomes.of(pedigree).father)
    typed = draw(st.lists(st.sampled_from(pedigree.people), unique_by=lambda p: p.id, min_size=1))
    # A typed genome has few phases: two at most, but for half-typed and fallible results.
    untyped = max(genomes - len(typed), 1)
    most = 4
    while most > 2 and most ** (2 * untyped) * 3 ** len(typed) > ORACLE_STATES:
        most -= 1
    model = draw(locus_models(most, theta))
    fallible = draw(st.integers(0, 3)) == 0 and len(model.alleles) ** (2 * genomes) < 100_000
    evidence = {}
    for person in typed:
        count = 2 if draw(st.integers(0, 9)) == 0 else 1
        one = typings(model, person.sex == "male", fallible)
        evidence[person.id] = tuple(draw(one) for _ in range(count))
    return Case(pedigree, model, evidence)
