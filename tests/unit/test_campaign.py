"""The campaign of July 2011 in outline: counts, facts, planted cases, reproducibility."""

from __future__ import annotations

import numpy as np
import pytest

from kinward.errors import ModelError
from kinward.likelihood.missing import missing_person_lr
from kinward.model.locus_model import GeneticModel
from kinward.model.mutation import default_mutation
from kinward.simulate.campaign import BROTHER, NOT_FATHER, vietnam_campaign
from kinward.simulate.registry import MISSING_CHILD, UNRELATED


@pytest.fixture(scope="module")
def campaign():
    return vietnam_campaign(families=3_000)


@pytest.fixture(scope="module")
def model(campaign):
    genotypes = campaign.registry.families.genotypes
    seen = {
        locus: {allele for genotype in observed for allele in genotype.alleles}
        for locus, observed in zip(genotypes.loci, genotypes.observed, strict=True)
    }
    return GeneticModel.build(
        campaign.population, default_mutation(), loci=campaign.loci, seen=seen
    )


def test_the_children_are_those_of_the_outline(campaign):
    children = campaign.registry.children
    assert len(children) == 89
    dates = list(children.facts["found_date"])
    assert dates.count("2011-07-15") == 8
    assert dates.count("2011-07-20") == 81
    early = children.facts["found_date"] == "2011-07-15"
    assert set(children.facts["found_place"][early]) <= {"Guangdong", "Guangxi"}
    ages = children.facts["age_months"].astype(float)
    assert ages.min() >= 0.3
    assert ages[early].max() <= 7.0
    assert ages[~early].max() <= 4.0
    assert (children.sex == 2).mean() > 0.6
    assert 20 <= len(campaign.loci) <= 22


def test_most_families_are_registered_and_two_cases_are_planted(campaign):
    words = list(campaign.registry.truth.relationship)
    assert words.count(MISSING_CHILD) == 70
    assert words.count(NOT_FATHER) == words.count(BROTHER) == 1
    assert words.count(UNRELATED) == 17


def test_facts_of_planted_families_do_not_contradict_the_find(campaign):
    registry = campaign.registry
    facts = registry.families.facts
    for child, slot in enumerate(registry.truth.slot):
        if slot < 0:
            continue
        born, taken = (np.datetime64(facts[name][slot]) for name in ("birth_date", "missing_date"))
        found = np.datetime64(registry.children.facts["found_date"][child])
        assert born < taken < found
        assert registry.children.sex[child] == registry.families.sex[slot]
        assert registry.families.population[slot] == "vietnam"


def test_it_is_reproducible(campaign):
    again = vietnam_campaign(families=3_000)
    assert list(again.registry.truth_rows()) == list(campaign.registry.truth_rows())
    for one, two in (
        (again.registry.families.genotypes, campaign.registry.families.genotypes),
        (again.registry.children.genotypes, campaign.registry.children.genotypes),
    ):
        assert (one.codes == two.codes).all()
        assert one.observed == two.observed


def pair_of(campaign, words):
    registry = campaign.registry
    child = list(registry.truth.relationship).index(words)
    family = registry.families.family(int(registry.truth.family[child]))
    return registry.children.genotypes.profile(child), family


def test_the_mother_fits_and_the_registered_father_does_not(campaign, model):
    child, family = pair_of(campaign, NOT_FATHER)
    mother = {"mother": family.profiles["mother"]}
    father = {"father": family.profiles["father"]}
    fits = missing_person_lr(family.pedigree, mother, "child", child, model)
    excluded = missing_person_lr(family.pedigree, father, "child", child, model)
    assert fits.log10_lr > 3
    assert excluded.log10_lr < -3


def test_the_brother_passes_for_a_father(campaign, model):
    child, family = pair_of(campaign, BROTHER)
    assert set(family.profiles) == {"father"}
    result = missing_person_lr(family.pedigree, family.profiles, "child", child, model)
    assert result.log10_lr > 4


def test_too_few_families_are_refused():
    with pytest.raises(ModelError, match="at least 500"):
        vietnam_campaign(families=100)
