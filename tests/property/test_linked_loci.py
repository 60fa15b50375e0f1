"""Pairs of linked loci on random pedigrees."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from kinship_strategies import locus_models, pedigrees, typings

from kinward.likelihood.genome import Genomes, Observation
from kinward.likelihood.linked import linked_pair_likelihood
from kinward.likelihood.run import locus_likelihood
from kinward.model.locus_model import LocusModel
from kinward.model.pedigree import Pedigree, Person

FEW = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
Typed = Mapping[int, Sequence[Observation]]


@dataclass(frozen=True)
class Pair:
    """Two loci in one family."""

    genomes: Genomes
    models: tuple[LocusModel, LocusModel]
    evidence: tuple[Typed, Typed]

    def likelihood(self, male: float, female: float) -> float:
        return linked_pair_likelihood(
            self.genomes, *self.evidence, *self.models,
            male_recombination=male, female_recombination=female,
        )  # fmt: skip


def _typed(draw: st.DrawFn, people: Sequence[Person], genomes: Genomes, model: LocusModel) -> Typed:
    chosen = draw(st.lists(st.sampled_from(people), unique_by=lambda p: p.id, max_size=4))
    fallible = draw(st.integers(0, 3)) == 0
    found: dict[int, list[Observation]] = {}
    for person in chosen:
        one = draw(typings(model, person.sex == "male", fallible))
        found.setdefault(genomes.of_person[person.id], []).append(one)
    return found


@st.composite
def pairs(draw: st.DrawFn) -> Pair:
    family = draw(pedigrees(most=5))
    people = [replace(person, founder_inbreeding=0.0) for person in family.people]
    genomes = Genomes.of(Pedigree.build(people, allow_single_parent=True))
    autosomal = locus_models(4, theta=False).filter(lambda model: model.chromosome != "X")
    models = draw(autosomal), draw(autosomal)
    first, second = (_typed(draw, people, genomes, model) for model in models)
    assume(first or second)
    return Pair(genomes, models, (first, second))


@FEW
@given(pairs())
def test_unlinked_loci_multiply(pair: Pair) -> None:
    first, second = (
        locus_likelihood(pair.genomes, seen, model)
        for seen, model in zip(pair.evidence, pair.models, strict=True)
    )
    assert pair.likelihood(0.5, 0.5) == pytest.approx(first * second, rel=1e-10, abs=1e-300)


@FEW
@given(pairs(), st.floats(0, 0.5), st.floats(0, 0.5))
def test_order_of_the_loci_is_immaterial(pair: Pair, male: float, female: float) -> None:
    turned = Pair(pair.genomes, pair.models[::-1], pair.evidence[::-1])
    assert turned.likelihood(male, female) == pytest.approx(
        pair.likelihood(male, female), rel=1e-10, abs=1e-300
    )
