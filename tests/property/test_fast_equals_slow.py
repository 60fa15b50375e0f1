"""The likelihood ratio of all loci at once against the one of one locus after the other."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from kinship_strategies import locus_models, pedigrees, typings

from kinward.errors import TooLargeError
from kinward.likelihood.missing import missing_person_lr, missing_person_lr_by_locus
from kinward.model.locus_model import GeneticModel, LocusModel
from kinward.model.mutation import SexMutation, StepwiseMutation
from kinward.model.pedigree import Pedigree, Person
from kinward.model.population import LocusFrequencies
from kinward.model.profile import PERFECT_TYPING, Genotype, Profile, TypingModel

SLOW_IS_FINE = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]


def genetic_model(loci: list[LocusModel]) -> GeneticModel:
    named = {f"locus {i}": replace(one, locus=f"locus {i}") for i, one in enumerate(loci)}
    return GeneticModel(MappingProxyType(named), "test", "test", 0.0, 0.0, {})


@st.composite
def profiles(draw: st.DrawFn, model: GeneticModel, male: bool) -> Profile:
    cells = {}
    for name, locus in model.loci.items():
        if draw(st.integers(0, 4)):
            cells[name] = draw(typings(locus, male, False)).genotype
    fallible = draw(st.integers(0, 5)) == 0
    return Profile(cells, TypingModel(0.1, 0.05, 0.01) if fallible else PERFECT_TYPING)


def agree(
    pedigree: Pedigree,
    relatives: dict[str, Profile],
    missing: str,
    child: Profile,
    model: GeneticModel,
) -> None:
    try:
        slow = missing_person_lr_by_locus(pedigree, relatives, missing, child, model)
        fast = missing_person_lr(pedigree, relatives, missing, child, model)
    except TooLargeError:
        assume(False)
        raise
    assert [one.locus for one in fast.per_locus] == [one.locus for one in slow.per_locus]
    for one, two in zip(fast.per_locus, slow.per_locus, strict=True):
        assert one.numerator == pytest.approx(two.numerator, rel=1e-10, abs=1e-300)
        assert one.denominator == pytest.approx(two.denominator, rel=1e-10, abs=1e-300)
        assert (one.exclusion, one.compared) == (two.exclusion, two.compared)
    assert fast.inconsistent == slow.inconsistent
    if slow.log10_lr is None:
        assert fast.log10_lr is None
    else:
        assert fast.log10_lr == pytest.approx(slow.log10_lr, rel=1e-10, abs=1e-10)


@settings(max_examples=60, deadline=None, suppress_health_check=SLOW_IS_FINE)
@given(st.data())
def test_any_pedigree(data: st.DataObject) -> None:
    pedigree = data.draw(pedigrees())
    count = data.draw(st.integers(1, 4))
    model = genetic_model([data.draw(locus_models(4)) for _ in range(count)])
    missing = data.draw(st.sampled_from(pedigree.people))
    typed = data.draw(st.lists(st.sampled_from(pedigree.people), unique_by=lambda p: p.id))
    relatives = {p.id: data.draw(profiles(model, p.sex == "male")) for p in typed}
    child = data.draw(profiles(model, missing.sex == "male"))
    agree(pedigree, relatives, missing.id, child, model)


@settings(max_examples=60, deadline=None, suppress_health_check=SLOW_IS_FINE)
@given(st.data())
def test_parents_only(data: st.DataObject) -> None:
    inbreeding = data.draw(st.sampled_from((0.0, 0.25, 1.0)))
    pedigree = Pedigree.build(
        [
            Person("father", sex="male", founder_inbreeding=inbreeding),
            Person("mother", sex="female"),
            Person("missing", "father", "mother", "female"),
        ]
    )
    model = genetic_model([data.draw(locus_models(4, theta=False)) for _ in range(5)])
    typed = data.draw(st.sampled_from((("father",), ("mother",), ("father", "mother"))))
    relatives = {p: data.draw(profiles(model, p == "father")) for p in typed}
    child = data.draw(profiles(model, False))
    agree(pedigree, relatives, "missing", child, model)


def test_widths_are_mixed_without_error() -> None:
    """Loci of two, five and thirty alleles run side by side, padded."""
    loci = []
    for size in (2, 5, 13, 30):
        alleles = tuple(str(10 + i) for i in range(size))
        frequencies = LocusFrequencies(alleles, np.full(size, 1.0 / size))
        stepwise = SexMutation(StepwiseMutation(0.002), StepwiseMutation(0.001))
        loci.append(LocusModel.build("x", frequencies, stepwise))
    model = genetic_model(loci)
    people = [
        Person("gf", sex="male"),
        Person("gm", sex="female"),
        Person("uncle", "gf", "gm", "male"),
        Person("father", "gf", "gm", "male"),
        Person("mother", sex="female"),
        Person("missing", "father", "mother"),
        Person("sister", "father", "mother"),
    ]
    one = Profile({name: Genotype(("10", "11")) for name in model.loci})
    two = Profile({name: Genotype(("11", "11")) for name in model.loci})
    agree(Pedigree.build(people), {"uncle": one, "sister": two}, "missing", one, model)
