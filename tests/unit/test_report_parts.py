"""Words, alternatives and remarks of the report."""

from __future__ import annotations

import math

import pytest

from kinward.likelihood.missing import missing_person_lr
from kinward.model.locus_model import GeneticModel
from kinward.model.mutation import parse_mutation
from kinward.model.pedigree import Pedigree, Person
from kinward.model.population import FrequencyTable
from kinward.model.profile import Genotype, Profile
from kinward.report.alternatives import close_alternatives
from kinward.report.words import chance_words, percent_words, ratio_words, seconds_words


@pytest.mark.parametrize(
    ("log10", "words"),
    [
        (None, "–"),
        (math.nan, "–"),
        (-math.inf, "0"),
        (0.0, "1"),
        (math.log10(2.5), "2.5"),
        (math.log10(1340), "1,300"),
        (12.4, "2.5 × 10¹²"),
        (12.9999, "1.0 × 10¹³"),
        (-7.0, "1.0 × 10⁻⁷"),
    ],
)
def test_ratios_are_written_plainly(log10, words):
    assert ratio_words(log10) == words


@pytest.mark.parametrize(
    ("probability", "words"),
    [
        (0.5, "50 %"),
        (0.1234, "12.3 %"),
        (0.999, "99.9 %"),
        (0.99995, "99.995 %"),
        (1.0, "> 99.9999 %"),
        (0.0, "0 %"),
        (0.0004, "under 0.1 %"),
    ],
)
def test_probabilities_are_never_rounded_to_certainty(probability, words):
    assert percent_words(probability) == words


def test_counts_and_times():
    assert chance_words(170_000.4) == "170,000"
    assert chance_words(0.0) == "0"
    assert chance_words(0.034) == "0.034"
    assert chance_words(2e-7) == "2.0 × 10⁻⁷"
    assert [seconds_words(s) for s in (0.02, 3.14, 180.0)] == ["20 ms", "3.1 s", "3.0 min"]


TABLE = FrequencyTable.build("made up", {"TH01": {"6": 0.1, "7": 0.2, "9": 0.3, "9.3": 0.4}})
MODEL = GeneticModel.build(TABLE, parse_mutation("none"))


def profile(a, b):
    return Profile({"TH01": Genotype((a, b))})


def nuclear(*more):
    return Pedigree.build(
        [
            Person("F", sex="male"),
            Person("M", sex="female"),
            Person("C", "F", "M"),
            *more,
        ]
    )


def ratio(pedigree, relatives, child):
    result = missing_person_lr(pedigree, relatives, "C", child, MODEL)
    return 10**result.log10_lr


@pytest.mark.parametrize("child", [("6", "7"), ("6", "6"), ("7", "9")])
def test_an_uncle_has_half_the_weight_of_a_father(child):
    relatives, mine = {"F": profile("6", "7")}, profile(*child)
    (alternative,) = close_alternatives(nuclear(), "C", {"F"})
    assert alternative.words == "the true father is a brother of the registered father"
    expected = 0.5 * ratio(nuclear(), relatives, mine) + 0.5
    assert ratio(alternative.pedigree, relatives, mine) == pytest.approx(expected, rel=1e-12)


def test_each_typed_parent_has_an_alternative_of_its_own():
    both = close_alternatives(nuclear(), "C", {"F", "M"})
    assert [a.parent for a in both] == ["F", "M"]
    assert "sister" in both[1].words
    assert [a.parent for a in close_alternatives(nuclear(), "C", {"M"})] == ["M"]


def test_siblings_alone_may_be_half_siblings():
    pedigree = nuclear(Person("S", "F", "M"))
    alternatives = close_alternatives(pedigree, "C", {"S"})
    assert [a.parent for a in alternatives] == ["F", "M"]
    relatives, mine = {"S": profile("6", "7")}, profile("6", "7")
    half = ratio(alternatives[0].pedigree, relatives, mine)
    # Half-siblings share by descent with probability 1/2: (LR of parent and child + 1) / 2.
    parent = 0.5 * (0.5 / 0.1 + 0.5 / 0.2)
    assert half == pytest.approx(0.5 * parent + 0.5, rel=1e-12)


def test_grandparents_cannot_tell_their_sons_apart():
    pedigree = Pedigree.build(
        [
            Person("GF", sex="male"),
            Person("GM", sex="female"),
            Person("F", "GF", "GM", sex="male"),
            Person("M", sex="female"),
            Person("C", "F", "M"),
        ]
    )
    (alternative,) = close_alternatives(pedigree, "C", {"GF", "GM"})
    relatives, mine = {"GF": profile("6", "7"), "GM": profile("9", "9")}, profile("6", "9.3")
    assert ratio(alternative.pedigree, relatives, mine) == pytest.approx(
        ratio(pedigree, relatives, mine), rel=1e-12
    )


def test_a_twin_of_another_mother_is_no_twin():
    twins = [Person("C", "F", "M", twin="1"), Person("T", "F", "M", twin="1")]
    pedigree = Pedigree.build([Person("F", sex="male"), Person("M", sex="female"), *twins])
    (alternative,) = close_alternatives(pedigree, "C", {"M", "T"})
    assert all(person.twin is None for person in alternative.pedigree.people)


def test_names_already_taken_are_avoided():
    pedigree = Pedigree.build(
        [
            Person("F", sex="male"),
            Person("M", sex="female"),
            Person("C", "F", "M"),
            Person("father of F", sex="male"),
        ]
    )
    (alternative,) = close_alternatives(pedigree, "C", {"F"})
    names = [person.id for person in alternative.pedigree.people]
    assert len(names) == len(set(names)) == 7
