"""Convert between file formats; what the target cannot hold is an error, never left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from kinward.errors import Fault, InputError
from kinward.io.fam import read_fam
from kinward.io.fam_case import FamiliasCase, FamiliasPerson, ReferenceFamily
from kinward.io.frequencies import write_frequencies
from kinward.io.genemapper import read_genemapper
from kinward.io.ped import read_ped, write_ped
from kinward.io.source import file_fault, open_table
from kinward.io.tables import tabulate_children, tabulate_families
from kinward.io.write import write_children, write_families
from kinward.model.allele import repeat_number
from kinward.model.marker import find_locus
from kinward.model.pedigree import Pedigree, Person
from kinward.model.profile import Profile
from kinward.model.registry import SEXES, ChildTable, FamilyTable, GenotypeColumns

__all__ = ["Conversion", "Kind", "convert"]

Kind = Literal["children", "families", "frequencies"]
_TABLES = (".csv", ".csv.gz", ".xlsx")


@dataclass(frozen=True, slots=True)
class Conversion:
    """What was written: the kind, how many children, families or loci, and notes to the user."""

    kind: Kind
    count: int
    notes: tuple[str, ...]


def convert(
    source: Path | str,
    target: Path | str,
    kind: Kind | None = None,
    *,
    without: Sequence[str] = (),
) -> Conversion:
    """Convert `source` to `target`, both by the ending of their names.

    Sources: `.csv`, `.csv.gz`, `.xlsx` (children or families, told apart by the column `family`),
    `.ped` (families), `.fam` (say with `kind` which part: DVI victims or else the typed people as
    children, reference families, or the database as frequencies; `without` names hypotheses to
    leave out) and GeneMapper's `.txt` or `.tsv` (children). Targets: the tables, and `.ped` for
    families. Raises InputError if the source has faults or the target cannot hold its content;
    nothing is written then.
    """
    source, target = Path(source), Path(target)
    _check_target(target)
    ending = source.suffix.lower()
    if ending == ".fam":
        return _convert_case(read_fam(source, without), target, kind)
    if ending == ".ped":
        families = read_ped(source)
        _require_kind(source, kind, "families")
        return _put_families(families.require_clean(), target, families.notes)
    if ending in (".txt", ".tsv"):
        _require_kind(source, kind, "children")
        children = read_genemapper(source)
        return _put_children(children.require_clean(), target, children.notes)
    raw = open_table(source)
    found: Kind = "families" if "family" in map(str.casefold, raw.header) else "children"
    _require_kind(source, kind, found)
    if found == "families":
        families = tabulate_families(raw)
        return _put_families(families.require_clean(), target, families.notes)
    children = tabulate_children(raw)
    return _put_children(children.require_clean(), target, children.notes)


def _check_target(target: Path) -> None:
    if not target.name.lower().endswith((*_TABLES, ".ped")):
        raise file_fault(
            target,
            "unknown-format",
            f"{target.suffix or 'a name without an ending'} cannot be written",
            f"write {', '.join(_TABLES)} or .ped",
        )


def _require_kind(source: Path, wanted: Kind | None, found: Kind) -> None:
    if wanted not in (None, found):
        raise file_fault(
            source, "wrong-kind", f"the file holds {found}, not {wanted}", f"ask for {found}"
        )


def _put_children(table: ChildTable, target: Path, notes: Sequence[str]) -> Conversion:
    if target.suffix.lower() == ".ped":
        raise file_fault(
            target, "cannot-hold", "a .ped file holds families, not children", "write .csv or .xlsx"
        )
    _refuse_losses(target, notes)
    write_children(table, target)
    return Conversion("children", len(table), tuple(notes))


def _put_families(table: FamilyTable, target: Path, notes: Sequence[str]) -> Conversion:
    _refuse_losses(target, notes)
    if target.suffix.lower() == ".ped":
        write_ped(table, target)
    else:
        write_families(table, target)
    return Conversion("families", len(table), tuple(notes))


def _refuse_losses(target: Path, notes: Sequence[str]) -> None:
    """Columns that were recognised but not read would be lost in the new file."""
    lost = [note for note in notes if note.startswith("known loci recognised but not searched")]
    if lost:
        names = lost[0].partition(": ")[2]
        raise file_fault(
            target,
            "cannot-hold",
            f"the new file would not hold {names}, which are recognised but not read",
            "remove them from the source first if they are not needed",
        )


def _convert_case(case: FamiliasCase, target: Path, kind: Kind | None) -> Conversion:
    if kind is None:
        raise file_fault(
            case.file,
            "wrong-kind",
            "a Familias file holds people, families and frequencies",
            "say which: children, families or frequencies",
        )
    if kind == "frequencies":
        _refuse_silent(case, target)
        if target.suffix.lower() == ".ped":
            raise file_fault(
                target, "cannot-hold", "a .ped file holds no frequencies", "write .csv or .xlsx"
            )
        _refuse_unknown_loci(target, list(case.loci))
        write_frequencies(case.frequencies, target)
        return Conversion(kind, len(case.loci), case.notes)
    if kind == "children":
        people = case.victims or tuple(p for p in case.people if p.profile.genotypes)
        _refuse_unreadable(target, people)
        return _put_children(_children_of(people), target, case.notes)
    if not case.families:
        raise file_fault(
            case.file, "wrong-kind", "the file has no reference families", "ask for children"
        )
    _refuse_unreadable(target, [person for family in case.families for person in family.people])
    table, notes = _families_of(case.families)
    return _put_families(table, target, (*case.notes, *notes))


def _refuse_silent(case: FamiliasCase, target: Path) -> None:
    silent = [name for name, locus in case.loci.items() if locus.silent]
    if silent:
        raise file_fault(
            target,
            "cannot-hold",
            f"a table of frequencies cannot hold the silent alleles of {', '.join(silent)}",
            "remove them in Familias, and give them when computing",
        )


def _refuse_unknown_loci(target: Path, names: Sequence[str]) -> None:
    unknown = [name for name in names if find_locus(name) is None]
    if unknown:
        raise file_fault(
            target,
            "cannot-hold",
            f"the loci {', '.join(unknown)} are not known here",
            "rename them, or remove them from the source",
        )


def _refuse_unreadable(target: Path, people: Sequence[FamiliasPerson]) -> None:
    """Refuse what the tables could hold but not be read from: strange loci, allele names."""
    _refuse_unknown_loci(
        target, list(dict.fromkeys(n for p in people for n in p.profile.genotypes))
    )
    faults = [
        Fault(
            str(target),
            None,
            locus,
            "cannot-hold",
            f"{person.id} has the genotype {genotype}, which is not made of repeat numbers",
            "replace the label by a repeat number, or remove the locus",
        )
        for person in people
        for locus, genotype in person.profile.genotypes.items()
        if any(repeat_number(allele) is None for allele in genotype.alleles)
    ]
    if faults:
        raise InputError(faults)


def _children_of(people: Sequence[FamiliasPerson]) -> ChildTable:
    return ChildTable(
        ids=np.array([person.id for person in people], dtype=object),
        sex=np.array([SEXES.index(person.sex) for person in people], dtype=np.int8),
        genotypes=GenotypeColumns.from_profiles([person.profile for person in people]),
        typing={
            at: person.profile.typing
            for at, person in enumerate(people)
            if not person.profile.typing.perfect
        },
    )


def _families_of(families: Sequence[ReferenceFamily]) -> tuple[FamilyTable, list[str]]:
    """Take each family's first pedigree, with untyped people for parents that it lacks."""
    notes: list[str] = []
    rows: list[tuple[Person, int, int, bool]] = []
    profiles: list[Profile] = []
    first = [0]
    for family in families:
        if not family.pedigrees or not family.missing:
            raise file_fault(
                family.id, "cannot-hold", "the family has no pedigree or nobody missing", "add it"
            )
        pedigree, added = _with_both_parents(next(iter(family.pedigrees.values())))
        if added:
            notes.append(f"family {family.id}: added untyped {', '.join(added)} as second parents")
        pairs = zip(pedigree.people, pedigree.father, pedigree.mother, strict=True)
        for person, father, mother in pairs:
            rows.append((person, father, mother, person.id in family.missing))
            profiles.append(family.profiles.get(person.id, Profile({})))
        first.append(len(rows))
    table = FamilyTable(
        family_ids=np.array([family.id for family in families], dtype=object),
        first=np.array(first, dtype=np.int64),
        person_ids=np.array([person.id for person, *_ in rows], dtype=object),
        father=np.array([father for _, father, _, _ in rows], dtype=np.int16),
        mother=np.array([mother for _, _, mother, _ in rows], dtype=np.int16),
        sex=np.array([SEXES.index(person.sex) for person, *_ in rows], dtype=np.int8),
        missing=np.array([missing for *_, missing in rows], dtype=np.bool_),
        twin=np.zeros(len(rows), dtype=np.int16),
        founder_inbreeding=np.zeros(len(rows)),
        population=np.full(len(rows), "", dtype=object),
        genotypes=GenotypeColumns.from_profiles(profiles),
    )
    return table, notes


def _with_both_parents(pedigree: Pedigree) -> tuple[Pedigree, list[str]]:
    people = list(pedigree.people)
    taken = set(pedigree.index)
    added: list[str] = []
    for at, person in enumerate(pedigree.people):
        if (person.father is None) == (person.mother is None):
            continue
        role: Literal["father", "mother"] = "father" if person.father is None else "mother"
        name = f"{role} of {person.id}"
        while name in taken:
            name += "'"
        taken.add(name)
        added.append(name)
        if role == "father":
            people[at] = replace(person, father=name)
            people.append(Person(name, sex="male"))
        else:
            people[at] = replace(person, mother=name)
            people.append(Person(name, sex="female"))
    return Pedigree.build(people), added
