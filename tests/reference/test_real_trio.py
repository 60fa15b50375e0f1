"""A real family hidden among 1,325 real people.

The profiles are published ones of living people: they are read where they are kept beside the
checkout and never copied into it. Orientation figures: `genotypes/SOURCES.md` there.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import pytest

from kinward.io.tables import read_children, read_families
from kinward.model.marker import find_locus
from kinward.model.mutation import parse_mutation
from kinward.model.population import load_population
from kinward.report.decision import decide
from kinward.search.engine import prepare_model, search
from kinward.search.record import SearchRun

HOME = "home"
PANELS = {20: "PowerPlex 21", 39: "both kits"}
ROLES = {"grandmother": "NASTRA-GM", "father": "NASTRA-F", "mother": "NASTRA-M"}
CHILD = "NASTRA-C"

Row = dict[str, str]


def rows(path: Path) -> list[Row]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@dataclass(frozen=True)
class People:
    """The family by role, the strangers, and the loci of the family's two kits."""

    family: dict[str, Row]
    strangers: list[Row]
    loci: list[str]

    def panel(self, size: int) -> list[str]:
        if size == len(self.loci):
            return self.loci
        first_kit = [x for x in self.loci if "PowerPlex21" in find_locus(x).kits]  # type: ignore[union-attr]
        assert len(first_kit) == size
        return first_kit


@pytest.fixture(scope="module")
def people(shared_reference: Path) -> People:
    folder = shared_reference / "genotypes"
    family = {row["sample"]: row for row in rows(folder / "cn_family_39str.csv")}
    fixed = ("sample", "population", "sex", "father", "mother")
    loci = [name for name in family[CHILD] if name not in fixed]
    strangers = rows(folder / "kgp_forenseq27.csv") + rows(folder / "nist1036_29str.csv")
    assert len(strangers) == 289 + 1036
    named = {role: family[sample] for role, sample in ROLES.items()}
    return People({**named, "child": family[CHILD]}, strangers, loci)


def home(people: People, typed: tuple[str, ...], loci: list[str]) -> list[list[str]]:
    def member(role: str, father: str, mother: str, sex: str, missing: str = "") -> list[str]:
        profile = people.family[role] if role in typed else {}
        cells = [profile.get(locus, "") for locus in loci]
        return [HOME, role, father, mother, sex, missing, *cells]

    return [
        member("grandfather", "", "", "male"),
        member("grandmother", "", "", "female"),
        member("father", "", "", "male"),
        member("mother", "grandfather", "grandmother", "female"),
        member("missing", "father", "mother", "", "1"),
    ]


def stranger(number: int, person: Row, loci: list[str]) -> list[list[str]]:
    """Return a family that misses a child of this person, whose partner gave no sample."""
    name = f"S{number:04d}"
    profile, nothing = [person.get(locus, "") for locus in loci], [""] * len(loci)
    is_mother = person["sex"] == "F"
    return [
        [name, "father", "", "", "male", "", *(nothing if is_mother else profile)],
        [name, "mother", "", "", "female", "", *(profile if is_mother else nothing)],
        [name, "missing", "father", "mother", "", "1", *nothing],
    ]


def run(
    people: People, folder: Path, size: int, typed: tuple[str, ...], *, hidden: bool
) -> SearchRun:
    """Write the tables, read them as a user's, and search with Han frequencies, no mutation."""
    loci = people.panel(size)
    families = home(people, typed, loci)
    if hidden:
        for number, person in enumerate(people.strangers):
            one = stranger(number, person, loci)
            families = [*one, *families] if number % 2 else [*families, *one]
    child = ["child", "unknown", *(people.family["child"][locus] for locus in loci)]
    with (folder / "children.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["id", "sex", *loci], child])
    with (folder / "families.csv").open("w", newline="", encoding="utf-8") as file:
        header = ["family", "id", "father", "mother", "sex", "missing", *loci]
        csv.writer(file).writerows([header, *families])
    children = read_children(folder / "children.csv").require_clean()
    table = read_families(folder / "families.csv").require_clean()
    prepared = prepare_model(
        children, table, load_population("china_han_42str"), parse_mutation("none")
    )
    return search(children, table, prepared.model, min_log10_lr=0.0, notes=prepared.notes)


RATIOS = [
    (20, ("father", "mother"), 20.517, 3),
    (39, ("father", "mother"), 34.752, 3),
    (20, ("father",), 9.44, 2),
    (39, ("father",), 15.06, 2),
    (20, ("mother",), 8.12, 2),
    (39, ("mother",), 12.14, 2),
    (20, ("grandmother",), 0.76, 2),
    (39, ("grandmother",), 2.47, 2),
]


@pytest.mark.parametrize(("size", "typed", "expected", "decimals"), RATIOS)
def test_ratio_of_the_family_by_itself(
    people: People,
    tmp_path: Path,
    size: int,
    typed: tuple[str, ...],
    expected: float,
    decimals: int,
) -> None:
    found = run(people, tmp_path, size, typed, hidden=False)
    assert not found.model.added
    assert len(found.candidates) == 1
    assert round(float(found.candidates.log10_lr[0]), decimals) == expected
    assert found.candidates.loci[0] == size
    assert found.candidates.exclusions[0] == 0


@pytest.mark.parametrize(("size", "typed", "expected"), [case[:3] for case in RATIOS])
def test_the_child_among_all(
    people: People, tmp_path: Path, size: int, typed: tuple[str, ...], expected: float
) -> None:
    found = run(people, tmp_path, size, typed, hidden=True)
    ranked = [str(found.families.family_ids[family]) for family in found.candidates.family]
    assert found.pairs == 1 + 289 + 1036
    assert ranked[0] == HOME
    log10_lr = float(found.candidates.log10_lr[0])
    # The strangers carry alleles that the Han sample lacks; those are added to the frequencies,
    # which changes the figure of the family by itself a little.
    assert log10_lr == pytest.approx(expected, abs=0.2)
    decision = decide(found)[0]
    if typed == ("grandmother",):
        # A grandmother alone does not suffice, and the program must not claim that she does.
        assert decision.verdict != "found"
        assert decision.posterior < 0.5
    else:
        assert decision.verdict == "found"
        assert decision.posterior > 0.9999
        assert len(found.candidates) == 1


@pytest.mark.parametrize(("size", "expected"), [(20, 12.39), (39, 22.61)])
def test_a_registered_mother_makes_the_father_weigh_more(
    people: People, tmp_path: Path, size: int, expected: float
) -> None:
    """The trio against mother and child: what the father adds once the mother is known."""
    found = run(people, tmp_path, size, ("father", "mother"), hidden=False)
    added = float(found.candidates.log10_lr[0] - found.candidates.mother_alone[0])
    assert added == pytest.approx(expected, abs=0.01)
