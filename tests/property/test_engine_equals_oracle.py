"""The engine against the brute-force definition, and laws that every likelihood obeys."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from kinship_strategies import Case, cases

from kinward.errors import TooLargeError
from kinward.likelihood.genome import Observation
from kinward.likelihood.lumping import lump
from kinward.likelihood.observation import _seen_set
from kinward.likelihood.oracle import brute_force_likelihood
from kinward.likelihood.run import locus_likelihood
from kinward.model.locus_model import LocusModel
from kinward.model.mutation import EqualMutation, SexMutation, StepwiseMutation
from kinward.model.pedigree import Pedigree, Person
from kinward.model.population import LocusFrequencies
from kinward.model.profile import Genotype, TypingModel

SLOW_IS_FINE = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]


def engine(case: Case) -> float:
    try:
        return locus_likelihood(case.genomes, case.by_genome(), case.model)
    except TooLargeError:
        assume(False)
        raise


def relabelled(model: LocusModel, order: list[int]) -> LocusModel:
    index = np.array(order)
    return LocusModel(
        model.locus,
        tuple(model.alleles[i] for i in order),
        model.frequencies[index],
        model.male[np.ix_(index, index)],
        model.female[np.ix_(index, index)],
        model.theta,
        model.chromosome,
    )


@settings(max_examples=150, deadline=None, suppress_health_check=SLOW_IS_FINE)
@given(cases())
def test_engine_equals_the_definition(case: Case) -> None:
    expected = brute_force_likelihood(case.genomes, case.by_genome(), case.model)
    assert engine(case) == pytest.approx(expected, rel=1e-10, abs=1e-300)


@settings(max_examples=40, deadline=None, suppress_health_check=SLOW_IS_FINE)
@given(cases(), st.randoms(use_true_random=False))
def test_order_of_people_and_of_alleles_is_immaterial(case: Case, random: object) -> None:
    people = list(case.pedigree.people)
    random.shuffle(people)  # type: ignore[attr-defined]
    visible = len(case.model.alleles) - int(case.model.has_silent)
    order = list(range(visible))
    random.shuffle(order)  # type: ignore[attr-defined]
    order += range(visible, len(case.model.alleles))
    moved = Case(
        Pedigree.build(people, allow_single_parent=True),
        relabelled(case.model, order),
        case.evidence,
    )
    assert engine(moved) == pytest.approx(engine(case), rel=1e-11, abs=1e-300)


@settings(max_examples=40, deadline=None, suppress_health_check=SLOW_IS_FINE)
@given(cases())
def test_lumping_changes_nothing(case: Case) -> None:
    observations = [one for seen in case.evidence.values() for one in seen]
    assume(all(one.typing.perfect for one in observations))
    shown = {allele for one in observations for allele in one.genotype.alleles}
    small = lump(case.model, shown)
    assume(len(small.alleles) < len(case.model.alleles))
    whole = brute_force_likelihood(case.genomes, case.by_genome(), case.model)
    lumped = brute_force_likelihood(case.genomes, case.by_genome(), small)
    assert lumped == pytest.approx(whole, rel=1e-11, abs=1e-300)


@settings(max_examples=40, deadline=None, suppress_health_check=SLOW_IS_FINE)
@given(cases())
def test_untyped_spouses_and_their_children_change_nothing(case: Case) -> None:
    parent = case.pedigree.people[0]
    spouse = Person("spouse", sex="female" if parent.sex == "male" else "male")
    couple = (parent.id, "spouse") if parent.sex == "male" else ("spouse", parent.id)
    more = Pedigree.build(
        [*case.pedigree.people, spouse, Person("baby", *couple, sex="male")],
        allow_single_parent=True,
    )
    assert engine(replace(case, pedigree=more)) == pytest.approx(
        engine(case), rel=1e-12, abs=1e-300
    )


@settings(max_examples=40, deadline=None, suppress_health_check=SLOW_IS_FINE)
@given(cases())
def test_probabilities_of_one_persons_genotypes_sum_to_the_rest(case: Case) -> None:
    """Adding every possible result of one more person gives back the likelihood without it."""
    free = [p for p in case.pedigree.people if p.id not in case.evidence]
    people = {g for p, g in case.genomes.of_person.items() if p in case.evidence}
    free = [p for p in free if case.genomes.of_person[p.id] not in people]
    assume(free and not case.model.has_silent)
    person = free[0]
    alleles = case.model.alleles
    if case.model.chromosome == "X" and person.sex == "male":
        results = [Genotype((a,)) for a in alleles]
    else:
        results = [Genotype(g) for g in itertools.combinations_with_replacement(alleles, 2)]
    total = sum(
        engine(replace(case, evidence={**case.evidence, person.id: (Observation(g),)}))
        for g in results
    )
    assert total == pytest.approx(engine(case), rel=1e-11, abs=1e-300)


@settings(max_examples=40, deadline=None, suppress_health_check=SLOW_IS_FINE)
@given(cases(single_parents=False))
def test_mean_ratio_of_an_unrelated_person_is_one(case: Case) -> None:
    """The sum over genotypes g of P(g | unrelated, relatives) LR(g) is 1, theta or not."""
    genomes = case.genomes
    typed = {genomes.of_person[person] for person in case.evidence}
    free = [g for g in range(len(genomes.father)) if g not in typed]
    assume(free and not case.model.has_silent and case.model.chromosome == "autosomal")
    relatives = case.by_genome()
    target, apart = free[-1], genomes.with_founder(male=True)
    unrelated = len(genomes.father)
    same, other = [], []
    for pair in itertools.combinations_with_replacement(case.model.alleles, 2):
        child = [Observation(Genotype(pair))]
        try:
            same.append(locus_likelihood(genomes, {**relatives, target: child}, case.model))
            other.append(locus_likelihood(apart, {**relatives, unrelated: child}, case.model))
        except TooLargeError:
            assume(False)
    assume(sum(other) > 0)
    assert sum(same) / sum(other) == pytest.approx(1.0, rel=1e-10)
    assert all(one == 0 for one, chance in zip(same, other, strict=True) if chance == 0)


@pytest.mark.parametrize("typing", [TypingModel(0.1, 0.2, 0.0), TypingModel(), TypingModel(0.3)])
@pytest.mark.parametrize("silent", [0.0, 0.1])
def test_probabilities_of_all_results_sum_to_one(typing: TypingModel, silent: float) -> None:
    """Every set of alleles that may be seen, from none to two and one dropped in besides."""
    model = LocusModel.build(
        "test",
        LocusFrequencies(("1", "2", "3"), np.array([0.2, 0.3, 0.5]) * (1.0 - silent), None),
        SexMutation(EqualMutation(0.1), EqualMutation(0.1)),
        silent=silent,
    )
    seen = Observation(Genotype(("1", "2")), typing)
    total = np.zeros((len(model.alleles),) * 2)
    for size in range(4):
        for shown in itertools.combinations(range(3), size):
            total += _seen_set(frozenset(shown), seen, model)
    # A silent allele cannot drop in: its share of the drop-ins shows nothing.
    lost = typing.dropin * silent
    np.testing.assert_allclose(total, 1.0 - lost, rtol=1e-12)


def test_stepwise_theta_with_two_families_shares_the_draws() -> None:
    """Two unrelated people under theta are not independent; the engine must not factorise them."""
    model = LocusModel.build(
        "test",
        LocusFrequencies(("12", "13"), np.array([0.3, 0.7]), None),
        SexMutation(StepwiseMutation(0.01), StepwiseMutation(0.01)),
        theta=0.1,
    )
    pedigree = Pedigree.build([Person("a", sex="male"), Person("b", sex="female")])
    one = {"a": (Observation(Genotype(("12", "12"))),)}
    both = {**one, "b": (Observation(Genotype(("12", "12"))),)}
    joint = engine(Case(pedigree, model, both))
    assert joint > 1.2 * engine(Case(pedigree, model, one)) ** 2
