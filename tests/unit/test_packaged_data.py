"""The packaged tables agree with themselves and with the reference figures they came from."""

from __future__ import annotations

import csv
from importlib.resources import files
from pathlib import Path

import pytest

from kinward.model.marker import find_locus
from kinward.model.population import list_populations, load_population
from kinward.model.rates import DEFAULT_RATES, packaged_mutation_rates

DATA = Path(str(files("kinward") / "data"))
NAMES = [info.name for info in list_populations()]


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_every_population_has_its_file_and_every_file_its_population() -> None:
    assert sorted(path.stem for path in (DATA / "frequencies").iterdir()) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_population_agrees_with_its_entry(name: str) -> None:
    info = next(info for info in list_populations() if info.name == name)
    table = load_population(name)
    assert len(table.loci) == info.loci
    known = [locus.n for locus in table.loci.values() if locus.n is not None]
    if info.n_low is None:
        assert known == []
    else:
        assert len(known) == len(table.loci)
        assert (min(known), max(known)) == (info.n_low, info.n_high)
    assert info.description
    assert info.citation
    assert info.licence
    assert info.source


@pytest.mark.parametrize("name", NAMES)
def test_frequency_file_is_canonical(name: str) -> None:
    table = load_population(name)
    seen = {(row["locus"], row["allele"]) for row in rows(DATA / "frequencies" / f"{name}.csv")}
    assert seen == {(n, a) for n, locus in table.loci.items() for a in locus.alleles}


def test_other_tables_use_canonical_locus_names() -> None:
    named = [row["locus"] for row in rows(DATA / "kits.csv")]
    named += [row["locus"] for row in rows(DATA / "sample_sizes.csv")]
    named += [name for name in packaged_mutation_rates() if name != DEFAULT_RATES]
    for name in set(named):
        locus = find_locus(name)
        assert locus is not None
        assert locus.name == name


def test_every_mutation_rate_is_cited() -> None:
    assert all(row["citation"] for row in rows(DATA / "mutation_rates.csv"))


@pytest.mark.parametrize("name", NAMES)
def test_frequencies_equal_the_reference(name: str, shared_reference: Path) -> None:
    table = load_population(name)
    reference: dict[str, dict[str, float]] = {}
    for row in rows(shared_reference / "frequencies" / f"{name}.csv"):
        reference.setdefault(row["locus"], {})[row["allele"]] = float(row["frequency"])
    assert set(table.loci) == set(reference)
    for name_of_locus, locus in table.loci.items():
        expected = reference[name_of_locus]
        total = sum(expected.values())
        assert set(locus.alleles) == set(expected)
        for allele, frequency in zip(locus.alleles, locus.frequencies, strict=True):
            assert frequency == pytest.approx(expected[allele] / total, rel=1e-12)


def test_sample_sizes_and_licences_equal_the_reference(shared_reference: Path) -> None:
    sizes = {
        (row["file"].removesuffix(".csv"), row["locus"]): int(row["n_individuals"])
        for row in rows(shared_reference / "sample_sizes.csv")
    }
    for name in NAMES:
        for locus, figures in load_population(name).loci.items():
            assert figures.n == sizes.get((name, locus))
    populations = {row["file"]: row for row in rows(shared_reference / "populations.csv")}
    for info in list_populations():
        row = populations[f"{info.name}.csv"]
        assert (info.description, info.country) == (row["population"], row["country_iso2"])
        assert "GPL" not in row["licence"]
        assert "no licence" not in row["licence"]


def test_loci_equal_the_reference(shared_reference: Path) -> None:
    for row in rows(shared_reference / "loci.csv"):
        locus = find_locus(row["locus"])
        assert locus is not None
        assert locus.name == row["locus"]
        assert locus.chromosome == row["chromosome"]
        assert locus.grch38_mb == (float(row["grch38_mb"]) if row["grch38_mb"] else None)
        assert locus.repeat_bp == (int(row["repeat_bp"]) if row["repeat_bp"] else None)
        assert set(locus.aliases) == set(row["aliases"].split("|")) - {""}
        assert set(locus.kits) == set(row["kits"].split("|")) - {""}


def test_linked_pairs_equal_the_reference(shared_reference: Path) -> None:
    assert rows(DATA / "linked_pairs.csv") == rows(shared_reference / "linked_pairs.csv")


def test_mutation_rates_equal_the_reference(shared_reference: Path) -> None:
    packaged = packaged_mutation_rates()
    reference = rows(shared_reference / "mutation_rates.csv")
    for row in reference:
        if row["paternal_rate"]:
            rates = packaged[row["locus"]]
            assert rates.male == float(row["paternal_rate"])
            assert rates.female == float(row["maternal_rate"])
        elif row["overall_rate"]:
            rates = packaged[row["locus"]]
            assert (rates.male + rates.female) / 2 == pytest.approx(float(row["overall_rate"]))
        else:
            assert row["locus"] not in packaged
    assert set(packaged) <= {row["locus"] for row in reference}
