"""Likelihood ratios of forrel for a simulated registry of nine kinds of family."""

from __future__ import annotations

import csv
from collections import defaultdict
from pathlib import Path

import pytest

from kinward.likelihood.missing import missing_person_lr
from kinward.model.locus_model import GeneticModel
from kinward.model.mutation import parse_mutation
from kinward.model.pedigree import Pedigree, Person
from kinward.model.population import FrequencyTable
from kinward.model.profile import Profile, parse_genotype

FOLDER = Path(__file__).parent / "registry_400"


def rows(name: str) -> list[dict[str, str]]:
    with (FOLDER / name).open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.fixture(scope="module")
def table() -> FrequencyTable:
    figures: dict[str, dict[str, float]] = defaultdict(dict)
    for row in rows("frequencies.csv"):
        figures[row["locus"]][row["allele"]] = float(row["frequency"])
    return FrequencyTable.build("registry_400", figures)


def profile(row: dict[str, str], loci: list[str]) -> Profile:
    return Profile({n: g for n in loci if (g := parse_genotype(row.get(n, ""))) is not None})


def test_every_expected_ratio(table: FrequencyTable) -> None:
    model = GeneticModel.build(table, parse_mutation("equal:0.002"))
    loci = list(model.loci)
    children = {row["id"]: profile(row, loci) for row in rows("children.csv")}
    families: dict[str, list[dict[str, str]]] = defaultdict(list)
    for row in rows("families.csv"):
        families[row["family"]].append(row)
    expected = rows("expected.csv")
    assert len(expected) == 237
    for pair in expected:
        family = families[pair["family"]]
        pedigree = Pedigree.build(
            Person(p["id"], p["father"] or None, p["mother"] or None, p["sex"])  # type: ignore[arg-type]
            for p in family
        )
        (missing,) = [p["id"] for p in family if p["missing"] == "1"]
        relatives = {p["id"]: profile(p, loci) for p in family}
        result = missing_person_lr(pedigree, relatives, missing, children[pair["child"]], model)
        assert result.log10_lr == pytest.approx(float(pair["log10_lr"]), abs=1e-9), pair
