"""Simulated genotypes and registries follow the model they are drawn from."""

from __future__ import annotations

import csv

import numpy as np
import pytest

from kinward.errors import ModelError
from kinward.likelihood.missing import missing_person_lr
from kinward.model.locus_model import GeneticModel
from kinward.model.mutation import EqualMutation, MutationScheme, SexMutation, parse_mutation
from kinward.model.population import FrequencyTable, load_population
from kinward.simulate.genotypes import build_loci, drop_typings, simulate_kind
from kinward.simulate.kinds import DEFAULT_KINDS, FAMILY_KINDS
from kinward.simulate.registry import (
    MISSING_CHILD,
    UNRELATED,
    SimulationPlan,
    simulate_registry,
)

VIETNAM = load_population("vietnam")
SMALL = FrequencyTable.build("small", {"TH01": {"6": 0.1, "7": 0.2, "9": 0.3, "9.3": 0.4}})


def plan(**changes):
    figures = {
        "children": 40,
        "families": 300,
        "populations": ((VIETNAM, 1.0),),
        "related_fraction": 0.75,
        "seed": 11,
    }
    return SimulationPlan(**{**figures, **changes})


def test_every_default_kind_exists_and_has_a_missing_child_and_a_typed_relative():
    assert set(DEFAULT_KINDS) == set(FAMILY_KINDS)
    for kind in FAMILY_KINDS.values():
        assert kind.missing
        assert any(member.typed and not member.missing for member in kind.members)


def test_founders_follow_the_frequencies():
    (locus,) = build_loci([SMALL], parse_mutation("none"))
    alleles = simulate_kind(
        np.random.default_rng(1), FAMILY_KINDS["both parents"], locus, 0, 100_000
    )
    observed = np.bincount(alleles[:2].ravel(), minlength=4)
    expected = 400_000 * np.array([0.1, 0.2, 0.3, 0.4])
    assert np.sum((observed - expected) ** 2 / expected) < 16.3  # chi-squared, 3 df, 0.001


def test_children_without_mutation_carry_an_allele_of_each_parent():
    (locus,) = build_loci([SMALL], parse_mutation("none"))
    father, mother, child = simulate_kind(
        np.random.default_rng(2), FAMILY_KINDS["both parents"], locus, 0, 5_000
    )
    assert ((child[0] == father[0]) | (child[0] == father[1])).all()
    assert ((child[1] == mother[0]) | (child[1] == mother[1])).all()
    assert 0.45 < np.mean(child[0] == father[0]) - np.mean(father[0] == father[1]) / 2 < 0.55


def test_mutations_come_at_the_rate_of_each_sex():
    scheme = MutationScheme(SexMutation(EqualMutation(0.05), EqualMutation(0.01)))
    (locus,) = build_loci([SMALL], scheme)
    count = 200_000
    father, mother, child = simulate_kind(
        np.random.default_rng(3), FAMILY_KINDS["both parents"], locus, 0, count
    )
    for side, parent, rate in ((0, father, 0.05), (1, mother, 0.01)):
        homozygous = parent[0] == parent[1]
        changed = child[side][homozygous] != parent[0][homozygous]
        error = np.sqrt(rate * (1 - rate) / homozygous.sum())
        assert abs(changed.mean() - rate) < 4 * error
        reached = np.bincount(child[side][homozygous][changed], minlength=4)
        assert (reached > 0).all()


def test_twins_are_alike_and_dropped_typings_come_at_their_rate():
    (locus,) = build_loci([SMALL], parse_mutation("equal:0.1"))
    alleles = simulate_kind(
        np.random.default_rng(4), FAMILY_KINDS["mother and monozygotic twin"], locus, 0, 500
    )
    assert (alleles[2] == alleles[3]).all()
    codes = np.ones(100_000, dtype=np.int16)
    drop_typings(np.random.default_rng(5), codes, 0.03)
    assert abs(np.mean(codes == 0) - 0.03) < 0.003


def test_founders_carry_only_alleles_of_their_own_population():
    han = load_population("china_han_42str")
    loci = build_loci([VIETNAM, han], parse_mutation("none"))
    assert {locus.locus for locus in loci} == set(VIETNAM.loci) & set(han.loci)
    rng = np.random.default_rng(6)
    for locus in loci:
        for population, table in enumerate((VIETNAM, han)):
            drawn = np.unique(locus.draw(rng, population, (20_000,)))
            assert {locus.alleles[a] for a in drawn} <= set(table.loci[locus.locus].alleles)


def test_a_registry_is_reproducible_from_its_seed():
    one, two, other = (simulate_registry(plan(seed=seed)) for seed in (11, 11, 12))
    assert (one.families.genotypes.codes == two.families.genotypes.codes).all()
    assert (one.children.genotypes.codes == two.children.genotypes.codes).all()
    assert list(one.truth_rows()) == list(two.truth_rows())
    assert list(one.truth_rows()) != list(other.truth_rows())


def test_planted_children_fit_their_family_and_no_locus_excludes_without_mutation():
    registry = simulate_registry(plan(mutation=parse_mutation("none"), missing_rate=0.05))
    model = GeneticModel.build(VIETNAM, parse_mutation("none"))
    checked = 0
    for child, (family, slot) in enumerate(
        zip(registry.truth.family, registry.truth.slot, strict=True)
    ):
        if family < 0:
            assert registry.truth.relationship[child] == UNRELATED
            continue
        assert registry.truth.relationship[child] == MISSING_CHILD
        assert registry.children.sex[child] == registry.families.sex[slot]
        home = registry.families.family(int(family))
        missing = str(registry.families.person_ids[slot])
        assert missing in home.missing
        result = missing_person_lr(
            home.pedigree,
            home.profiles,
            missing,
            registry.children.genotypes.profile(child),
            model,
        )
        assert result.exclusions == 0
        assert not result.inconsistent
        assert result.log10_lr is not None
        assert np.isfinite(result.log10_lr)
        checked += 1
    assert checked == 30


def test_each_missing_child_is_found_once_and_is_never_typed():
    registry = simulate_registry(plan(children=300, related_fraction=1.0))
    assert len(set(registry.truth.slot)) == 300
    assert (registry.families.genotypes.codes[registry.families.missing] == 0).all()


def test_several_populations_are_named_by_person():
    han = load_population("china_han_42str")
    registry = simulate_registry(plan(populations=((VIETNAM, 0.5), (han, 0.5))))
    assert set(registry.families.population) == {"vietnam", "china_han_42str"}
    first = registry.families.first
    for k in range(len(registry.families)):
        assert len(set(registry.families.population[first[k] : first[k + 1]])) == 1


def test_the_truth_is_written_as_a_table(tmp_path):
    registry = simulate_registry(plan())
    registry.write_truth(tmp_path / "truth.csv")
    with (tmp_path / "truth.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 40
    assert sum(row["family"] != "" for row in rows) == 30


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"children": 0}, "at least 1"),
        ({"missing_rate": 1.5}, "missing_rate is 1.5"),
        ({"kinds": {"neighbours": 1.0}}, "unknown family kind 'neighbours'"),
        ({"kinds": {"mother": 0.0}}, "weights of kinds"),
        ({"populations": ()}, "weights of populations"),
    ],
)
def test_impossible_plans_are_refused(changes, words):
    with pytest.raises(ModelError, match=words):
        plan(**changes)


def test_more_children_than_slots_are_refused():
    with pytest.raises(ModelError, match="only"):
        simulate_registry(plan(children=5000, families=10))


def test_a_locus_that_a_population_lacks_is_refused():
    with pytest.raises(ModelError, match="lacks D22S1045"):
        build_loci(
            [VIETNAM, load_population("china_han_42str")], parse_mutation("none"), ["D22S1045"]
        )
