"""The bracketed sections at the end of a Familias file: DVI data and settings.

Sections are headed by names in brackets, deeper ones in more brackets, and hold lines
`Key= value`. Only what the sections below name is read; others are passed over.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from kinward.errors import Fault, InputError, PedigreeError
from kinward.io.fam_case import FamiliasLocus, FamiliasPerson, ReferenceFamily
from kinward.io.fam_lines import FamLines
from kinward.model.allele import canonical_allele
from kinward.model.marker import find_locus
from kinward.model.pedigree import Pedigree, Person, Sex
from kinward.model.profile import Genotype, Profile

__all__ = ["read_dvi"]

MISSING = "Missing person"
_MANY = 100_000
_SEXES: Mapping[str, Sex] = {"male": "male", "female": "female"}
_DIRECT = {"Dropin": "dropin", "Dropout": "dropout", "Error": "typing_error"}

Sections = tuple[
    tuple[FamiliasPerson, ...], tuple[ReferenceFamily, ...], dict[str, float], list[str]
]


def read_dvi(lines: FamLines, loci: Mapping[str, FamiliasLocus]) -> Sections:
    """Read victims, reference families, settings of direct comparison, and notes."""
    victims: tuple[FamiliasPerson, ...] = ()
    families: tuple[ReferenceFamily, ...] = ()
    direct: dict[str, float] = {}
    notes: list[str] = []
    section = ""
    while not lines.at_end:
        text = lines.line("a section")
        if text.startswith("["):
            section = text.strip("[] ")
        if text == "[[Unidentified persons]]":
            victims = tuple(_person(lines, loci, notes) for _ in range(_count(lines, "nPersons")))
            _unique(lines, [victim.id for victim in victims], "victims")
        elif text == "[[Reference Families]]":
            families = tuple(_family(lines, loci, notes) for _ in range(_count(lines, "nFamilies")))
            _unique(lines, [family.id for family in families], "families")
        elif section == "Direct/Identity" and "=" in text:
            key, _, value = text.partition("=")
            if key.strip() in _DIRECT:
                direct[_DIRECT[key.strip()]] = lines.as_number(value.strip(), key, 0.0, 0.999)
    return victims, families, direct, list(dict.fromkeys(notes))


def _unique(lines: FamLines, names: Sequence[str], what: str) -> None:
    for name in names:
        if names.count(name) > 1:
            lines.fail(f"two {what} are named {name!r}")


def _value(lines: FamLines, key: str) -> str:
    """Read `key= value`, passing over headings."""
    text = lines.line(key)
    while text.startswith("[") or not text:
        text = lines.line(key)
    name, equals, value = text.partition("=")
    if name.strip() != key or not equals:
        lines.fail(f"{key}= should stand here, found {text[:40]!r}")
    return value.strip().replace('"', "")


def _count(lines: FamLines, key: str) -> int:
    text = _value(lines, key)
    if not (text.isascii() and text.isdigit() and int(text[:9]) <= _MANY and len(text) < 9):
        lines.fail(f"{key} should be a count, found {text[:40]!r}")
    return int(text)


def _person(lines: FamLines, loci: Mapping[str, FamiliasLocus], notes: list[str]) -> FamiliasPerson:
    name = _value(lines, "Name")
    if not name:
        lines.fail("a person has no name")
    sex = _SEXES.get(_value(lines, "Gender").casefold(), "unknown")
    genotypes: dict[str, Genotype] = {}
    for _ in range(_count(lines, "nSystems")):
        written = _value(lines, "SystemName")
        known = find_locus(written)
        locus = written if known is None else known.name
        alleles = tuple(_allele(lines, f"Allele{number}") for number in (1, 2))
        if known is not None and known.kind == "recognised":
            notes.append(f"known loci recognised but not searched: {locus}")
            continue
        if locus not in loci:
            lines.fail(f"{name}: locus {written} is not in the database of the file")
        if locus in genotypes:
            lines.fail(f"{name}: locus {locus} is typed twice")
        if loci[locus].on_x and sex == "male":
            if alleles[0] != alleles[1]:
                lines.fail(f"{name}, a male, has two alleles on the X")
            alleles = alleles[:1]
        genotypes[locus] = Genotype(alleles)
    return FamiliasPerson(name, sex, Profile(genotypes))


def _allele(lines: FamLines, key: str) -> str:
    text = _value(lines, key)
    if not text:
        lines.fail(f"{key} is empty")
    return canonical_allele(text) or text


def _family(
    lines: FamLines, loci: Mapping[str, FamiliasLocus], notes: list[str]
) -> ReferenceFamily:
    name = _value(lines, "Name")
    people = tuple(_person(lines, loci, notes) for _ in range(_count(lines, "nPersons")))
    _unique(lines, [person.id for person in people], f"people of family {name}")
    pedigrees: dict[str, Pedigree] = {}
    for _ in range(_count(lines, "nPedigrees")):
        title = _value(lines, "Name")
        if title in pedigrees:
            lines.fail(f"family {name}: two pedigrees are named {title!r}", "duplicate-hypothesis")
        row = lines.row
        relations = [
            (_value(lines, "Parent"), _value(lines, "Child"))
            for _ in range(_count(lines, "nRelations"))
        ]
        try:
            pedigrees[title] = _pedigree(people, relations)
        except PedigreeError as error:
            message = f"family {name}, pedigree {title}, is malformed: {'; '.join(error.problems)}"
            mend = "correct it in Familias, and export again"
            raise InputError(
                [Fault(lines.file, row, None, "malformed-hypothesis", message, mend)]
            ) from None
    relatives = tuple(person for person in people if not _is_missing(person))
    missing = tuple(_names(people)[person.id] for person in people if _is_missing(person))
    return ReferenceFamily(name, relatives, missing, MappingProxyType(pedigrees))


def _is_missing(person: FamiliasPerson) -> bool:
    return person.id.startswith("Missing ") and not person.profile.genotypes


def _names(people: Sequence[FamiliasPerson]) -> dict[str, str]:
    """Name by which relations call each person.

    Familias lists a missing person as `Missing female 1` but calls it `Missing person` in the
    relations; with several, only the first one can be meant.
    """
    names = {person.id: person.id for person in people}
    for person in people:
        if _is_missing(person) and MISSING not in names:
            names[person.id] = MISSING
            break
    return names


def _pedigree(people: Sequence[FamiliasPerson], relations: Sequence[tuple[str, str]]) -> Pedigree:
    """Build a pedigree of all people of the family; related or not."""
    names = _names(people)
    sexes: dict[str, Sex] = {names[person.id]: person.sex for person in people}
    parents: dict[str, dict[str, str]] = {}
    problems = []
    for parent, child in relations:
        parent, child = names.get(parent, parent), names.get(child, child)
        strangers = [name for name in (parent, child) if name not in sexes]
        if strangers or sexes.get(parent) == "unknown":
            problems.append(f"{(strangers or [parent])[0]} is not listed with a sex")
            continue
        role = "father" if sexes[parent] == "male" else "mother"
        if parents.setdefault(child, {}).setdefault(role, parent) != parent:
            problems.append(f"{child} has two {role}s, {parents[child][role]} and {parent}")
    if problems:
        raise PedigreeError(problems)
    return Pedigree.build(
        [
            Person(
                name,
                parents.get(name, {}).get("father"),
                parents.get(name, {}).get("mother"),
                sex,
            )
            for name, sex in sexes.items()
        ],
        allow_single_parent=True,
    )
