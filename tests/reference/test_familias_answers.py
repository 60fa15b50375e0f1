"""Familias files with published likelihood ratios (sources: the reference folder's SOURCES.md)."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from pathlib import Path

import pytest

from kinward.io.fam import read_fam
from kinward.io.fam_case import FamiliasCase
from kinward.likelihood.genome import Genomes, Observation
from kinward.likelihood.run import locus_likelihood
from kinward.model.locus_model import LocusModel
from kinward.model.pedigree import Pedigree, Person
from kinward.model.profile import Profile


def likelihood(case: FamiliasCase, pedigree: Pedigree, profiles: Mapping[str, Profile]) -> float:
    genomes = Genomes.of(pedigree)
    factors = []
    for name, locus in case.loci.items():
        model = LocusModel.build(
            name, locus.frequencies, locus.mutation, theta=case.theta, silent=locus.silent
        )
        seen = {
            genomes.of_person[person]: (Observation(profile.genotypes[name], profile.typing),)
            for person, profile in profiles.items()
            if name in profile.genotypes
        }
        factors.append(locus_likelihood(genomes, seen, model))
    return prod(factors)


@pytest.mark.parametrize(
    ("file", "hypothesis", "reference", "answer"),
    [
        ("paternity", "H1", "H2", 760.34449),
        ("halfsib_case", "HS", "UN", 34.0),
        ("kinship-riddle", "H1", "H4", 569.39892),
        ("kinship-riddle", "H3", "H4", 805.11751),
    ],
)
def test_hypotheses(
    shared_reference: Path, file: str, hypothesis: str, reference: str, answer: float
) -> None:
    without = ("H2",) if file == "kinship-riddle" else ()
    case = read_fam(shared_reference / "fam" / f"{file}.fam", without=without)
    over, under = (
        likelihood(case, case.hypotheses[name], case.profiles) for name in (hypothesis, reference)
    )
    assert over / under == pytest.approx(answer, rel=1e-8)


@pytest.mark.parametrize(
    ("family", "victim", "answer"),
    [
        ("F1", "V1", 928.6003),
        ("F2", "V6", 1079809),
        ("F3", "V2", 67917.21),
        ("F5", "V4", 3.189844e7),
    ],
)
def test_victims_in_families(
    shared_reference: Path, family: str, victim: str, answer: float
) -> None:
    case = read_fam(shared_reference / "fam" / "planecrash-dvi.fam")
    home = next(f for f in case.families if f.id == family)
    found = next(v for v in case.victims if v.id == victim)
    pedigree = home.pedigrees["Reference pedigree"]
    apart = Pedigree.build(
        [*pedigree.people, Person("victim", sex=found.sex)], allow_single_parent=True
    )
    over = likelihood(case, pedigree, {**home.profiles, home.missing[0]: found.profile})
    under = likelihood(case, apart, {**home.profiles, "victim": found.profile})
    assert over / under == pytest.approx(answer, rel=5e-7)


def test_victims_as_sisters(shared_reference: Path) -> None:
    case = read_fam(shared_reference / "fam" / "planecrash-dvi.fam")
    profiles = {v.id: v.profile for v in case.victims if v.id in ("V7", "V8")}
    parents = [Person("father", sex="male"), Person("mother", sex="female")]
    sisters = Pedigree.build(
        [*parents, *(Person(name, "father", "mother", "female") for name in profiles)]
    )
    strangers = Pedigree.build([Person(name, sex="female") for name in profiles])
    ratio = likelihood(case, sisters, profiles) / likelihood(case, strangers, profiles)
    assert ratio == pytest.approx(562708.68, rel=1e-8)
