"""Read case files of Familias 3 (`.fam`), those of its DVI module included.

The file is a list of lines: a preamble, the people with genotypes as positions in the allele
lists, known relations, hypotheses (each a list of parent-child pairs, positions again, with extra
untyped people), the database (per locus: rates and models of mutation, female before male, then
alleles with frequencies) and bracketed sections for the DVI module and for settings.

Mutation codes: 0 equal, 1 proportional, 2 stepwise, 3 stepwise made stationary, 4 stepwise with a
rate of its own between microvariants. 3 is refused unless its rate is zero, and so is 2 where the
locus has microvariants, since no answer was at hand to check them against.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import NoReturn

import numpy as np

from kinward.errors import Fault, InputError, ModelError, PedigreeError
from kinward.io.fam_case import FamiliasCase, FamiliasLocus, FamiliasPerson
from kinward.io.fam_dvi import read_dvi
from kinward.io.fam_lines import FamLines
from kinward.model.allele import allele_sort_key, canonical_allele, repeat_number
from kinward.model.marker import find_locus
from kinward.model.mutation import (
    EqualMutation,
    MutationModel,
    NoMutation,
    ProportionalMutation,
    SexMutation,
    StepwiseMutation,
    mutation_matrix,
)
from kinward.model.pedigree import Pedigree, Person, Sex
from kinward.model.population import SUM_TOLERANCE, LocusFrequencies
from kinward.model.profile import PERFECT_TYPING, Genotype, Profile, TypingModel

__all__ = ["read_fam"]

_MANY = 100_000
_EXACT = 1e-6
_EQUAL, _PROPORTIONAL, _STEPWISE, _STATIONARY, _EXTENDED = range(5)


@dataclass(frozen=True, slots=True)
class _RawPerson:
    id: str
    sex: Sex
    dropout: bool
    genotypes: tuple[tuple[int, int, int, int], ...]
    """Line, first allele, second allele, locus; positions from 0."""


@dataclass(frozen=True, slots=True)
class _FileLocus:
    """A locus in the order of the file, with its alleles in the order of the file."""

    name: str
    labels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _RawHypothesis:
    row: int
    name: str
    extra: tuple[int, int]
    relations: tuple[tuple[int, int], ...]


def read_fam(path: Path | str, without: Iterable[str] = ()) -> FamiliasCase:
    """Read a Familias file; `without` names hypotheses to leave out.

    Raises InputError: the file is cut short or garbled (naming the line); a hypothesis is
    malformed, such as a person with two mothers, or two have one name (naming the hypothesis: no
    hypothesis is returned then, unless it is left out); a mutation model that is not known here.
    """
    lines = FamLines(path)
    version = _read_preamble(lines)
    people = [_read_person(lines) for _ in range(lines.integer("the number of people", 0, _MANY))]
    known, extra, hypotheses = _read_relations(lines)
    theta = _read_theta(lines)
    database, loci, order = _read_database(lines)
    typing = _typing_of(people, loci, lines)
    cast = tuple(_person(raw, order, loci, typing[raw.id], lines) for raw in people)
    pedigrees = _pedigrees(lines, cast, known, extra, hypotheses, tuple(without))
    victims, families, direct, notes = read_dvi(lines, loci)
    skipped = [locus.name for locus in order if locus.name not in loci]
    if skipped:
        notes.append(f"known loci recognised but not searched: {', '.join(skipped)}")
    return FamiliasCase(
        file=lines.file,
        version=version,
        people=cast,
        hypotheses=pedigrees,
        database=database,
        theta=theta,
        loci=MappingProxyType(loci),
        victims=victims,
        families=families,
        direct_typing=TypingModel(**direct) if direct else PERFECT_TYPING,
        notes=tuple(notes),
    )


def _read_preamble(lines: FamLines) -> str:
    if "Familias" not in lines.line("the title"):
        lines.fail("this is not a Familias file: the first line should name Familias", "not-a-fam")
    lines.line("the warning not to edit")
    version = lines.text("the version")
    if lines.peek().startswith('"'):  # remarks, which may run over several lines
        opening = lines.line("the remarks")
        closed = opening.count('"') % 2 == 0
        while not closed:
            closed = lines.line("the end of the remarks").count('"') % 2 == 1
    return version


def _read_person(lines: FamLines) -> _RawPerson:
    name = lines.text("the name of a person")
    if not name:
        lines.fail("a person has no name")
    lines.flag("whether the person is a child")
    dropout = "Consider dropouts" in lines.peek()
    lines.integer("the year of birth", -1, 9999)
    lines.flag("whether the person is dead")
    sex: Sex = "male" if lines.flag("the sex, #TRUE# for male") else "female"
    genotypes = []
    for _ in range(lines.integer(f"the number of genotypes of {name}", 0, _MANY)):
        first = lines.integer(f"an allele of {name}", 0, _MANY)
        second = lines.integer(f"an allele of {name}", 0, _MANY)
        locus = lines.integer(f"a locus of {name}", 0, _MANY)
        genotypes.append((lines.row, first, second, locus))
    return _RawPerson(name, sex, dropout, tuple(genotypes))


def _read_relations(
    lines: FamLines,
) -> tuple[tuple[tuple[int, int], ...], tuple[int, int], list[_RawHypothesis]]:
    if lines.text('"Known relations"') != "Known relations":
        lines.fail('"Known relations" should stand here')
    extra = _read_extra(lines)
    known = _read_pairs(lines, "the known relations")
    hypotheses = []
    for _ in range(lines.integer("the number of hypotheses", 0, _MANY)):
        lines.integer("the number of a hypothesis", 0, _MANY)
        name = lines.text("the name of a hypothesis")
        row = lines.row
        more = _read_extra(lines)
        pairs = _read_pairs(lines, f"hypothesis {name}")
        hypotheses.append(_RawHypothesis(row, name, more, pairs))
    return known, extra, hypotheses


def _read_extra(lines: FamLines) -> tuple[int, int]:
    females = lines.integer("the number of extra females", 0, 1000)
    return females, lines.integer("the number of extra males", 0, 1000)


def _read_pairs(lines: FamLines, what: str) -> tuple[tuple[int, int], ...]:
    pairs = []
    for _ in range(lines.integer(f"the number of relations of {what}", 0, _MANY)):
        if "Direct" in lines.peek():
            lines.line("a relation")
            lines.fail(
                f"{what}: a relation of identity (Direct) is not supported", "unsupported-relation"
            )
        parent = lines.integer(f"a parent in {what}", 0, _MANY)
        pairs.append((parent, lines.integer(f"a child in {what}", 0, _MANY)))
    return tuple(pairs)


def _read_theta(lines: FamLines) -> float:
    text = lines.line("the line about the databases")
    if text.startswith("#TRUE#"):
        lines.fail("the file holds computed probabilities; save the case before computing")
    if not text.startswith("#FALSE#"):
        lines.fail(f"the line about the databases should start with #FALSE#, found {text[:40]!r}")
    count = re.search(r"#Databases:\s*(\d+)", text)
    if count is not None and int(count[1]) != 1:
        lines.fail(f"the file has {count[1]} databases; only one is supported")
    theta = re.search(r"Fst:\s*([^\s;)]+)", text)
    return lines.as_number(theta[1], "theta", 0.0, 0.999) if theta is not None else 0.0


def _read_database(lines: FamLines) -> tuple[str, dict[str, FamiliasLocus], list[_FileLocus]]:
    """Read the loci; the list holds those that are not searched, too."""
    count = lines.integer("the number of loci", 0, _MANY)
    name = lines.text("the name of the database") if lines.flag("a flag for a name") else ""
    loci: dict[str, FamiliasLocus] = {}
    order: list[_FileLocus] = []
    faults: list[Fault] = []
    for _ in range(count):
        locus, labels, found = _read_locus(lines)
        if any(locus.name == other.name for other in order):
            lines.fail(f"locus {locus.name} is there twice")
        order.append(_FileLocus(locus.name, labels))
        known = find_locus(locus.name)
        if known is None or known.kind != "recognised":
            loci[locus.name] = locus
            faults += found
    if faults:
        raise InputError(faults)
    return name, loci, order


def _read_locus(lines: FamLines) -> tuple[FamiliasLocus, tuple[str, ...], list[Fault]]:
    """Read one locus, its alleles in the order of the file, and what is unsupported in it."""
    written = lines.text("the name of a locus")
    row = lines.row
    if not written:
        lines.fail("a locus has no name")
    known = find_locus(written)
    name = written if known is None else known.name
    rates = [lines.number(f"the {sex} mutation rate of {name}") for sex in ("female", "male")]
    codes = [
        lines.integer(f"the {sex} mutation model of {name}", 0, 4) for sex in ("female", "male")
    ]
    count = lines.integer(f"the number of alleles of {name}", 1, _MANY)
    ranges = [lines.number(f"a mutation range of {name}") for _ in codes]
    rates2 = [lines.number(f"a second mutation rate of {name}") for _ in codes]
    has_silent = lines.flag(f"whether {name} has a silent allele")
    silent = lines.number(f"the silent frequency of {name}")
    info = lines.line(f"the number of visible alleles of {name}")
    visible = re.match(r"\d{1,6}(?=\s|\Z)", info, re.ASCII)
    if visible is None or int(visible[0]) + has_silent != count:
        lines.fail(f"{name}: {count} alleles were announced, here stands {info[:30]!r}")
    frequencies, labels = _read_alleles(lines, name, int(visible[0]), silent if has_silent else 0.0)
    faults: list[Fault] = []
    models = []
    for i in range(2):
        try:
            model = _mutation(codes[i], rates[i], rates2[i], ranges[i], frequencies.alleles)
            mutation_matrix(model, frequencies.alleles, frequencies.frequencies)
        except ModelError as error:
            mend = "choose another mutation model for the locus in Familias, and export again"
            fault = Fault(lines.file, row, name, "unsupported-mutation", str(error), mend)
            faults += [] if fault in faults else [fault]
            model = NoMutation()
        models.append(model)
    size = _setting(lines, info, "DatabaseSize", 1e12)
    locus = FamiliasLocus(
        name=name,
        frequencies=frequencies,
        mutation=SexMutation(male=models[1], female=models[0]),
        silent=silent if has_silent else 0.0,
        database_size=int(size) if size else None,
        dropout=_setting(lines, info, "Dropout probability"),
        minimum_frequency=_setting(lines, info, "Minor allele frequency"),
    )
    return locus, labels, faults


def _setting(lines: FamLines, info: str, name: str, high: float = 1.0) -> float:
    found = re.search(name + r"\s*=\s*([^\s;)]+)", info)
    return lines.as_number(found[1], name, 0.0, high) if found is not None else 0.0


def _read_alleles(
    lines: FamLines, name: str, count: int, silent: float
) -> tuple[LocusFrequencies, tuple[str, ...]]:
    values: dict[str, float] = {}
    for _ in range(count):
        written = lines.text(f"an allele of {name}")
        label = canonical_allele(written) or written
        if not label or label in values:
            lines.fail(f"{name}: allele {label!r} is empty or there twice")
        values[label] = lines.number(f"the frequency of allele {label} of {name}")
        if values[label] <= 0:
            lines.fail(f"{name}: the frequency of allele {label} should be above 0")
    total = math.fsum(values.values()) + silent
    if abs(total - 1) > SUM_TOLERANCE:
        lines.fail(f"{name}: frequencies sum to {total:.6g}", "bad-sum")
    scale = (1 - silent) / (total - silent) if abs(total - 1) > _EXACT else 1.0
    alleles = tuple(sorted(values, key=allele_sort_key))
    table = LocusFrequencies(alleles, np.array([values[a] * scale for a in alleles]))
    return table, tuple(values)


def _mutation(
    code: int, rate: float, rate2: float, span: float, alleles: Sequence[str]
) -> MutationModel:
    if rate == 0 and (rate2 == 0 or code != _EXTENDED):
        return NoMutation()
    if code == _EQUAL:
        return EqualMutation(rate)
    if code == _PROPORTIONAL:
        return ProportionalMutation(rate)
    if code == _STATIONARY:
        raise ModelError("the stepwise model made stationary is not supported")
    if code == _STEPWISE:
        numbers = [repeat_number(allele) for allele in alleles]
        if any(number is None or number[1] for number in numbers):
            raise ModelError(
                "the stepwise model without microvariants is set for a locus with some"
            )
        return StepwiseMutation(rate, 0.0, span)
    return StepwiseMutation(rate, rate2, span)


def _typing_of(
    people: Sequence[_RawPerson], loci: Mapping[str, FamiliasLocus], lines: FamLines
) -> dict[str, TypingModel]:
    """Give dropout to the people marked for it; it must be the same at all loci."""
    values = {locus.dropout for locus in loci.values()}
    if any(person.dropout for person in people) and len(values) > 1:
        lines.fail(
            "the dropout probability differs between loci, which is not supported",
            "unsupported-dropout",
        )
    dropout = max(values, default=0.0)
    if dropout >= 1:
        lines.fail("the dropout probability should be below 1")
    return {p.id: TypingModel(dropout=dropout) if p.dropout else PERFECT_TYPING for p in people}


def _person(
    raw: _RawPerson,
    order: Sequence[_FileLocus],
    loci: Mapping[str, FamiliasLocus],
    typing: TypingModel,
    lines: FamLines,
) -> FamiliasPerson:
    """Turn positions in the file's lists into genotypes."""
    genotypes: dict[str, Genotype] = {}
    for row, first, second, position in raw.genotypes:
        if position >= len(order):
            _refuse(lines, row, None, f"{raw.id}: there is no locus number {position}")
        locus = order[position]
        if max(first, second) >= len(locus.labels):
            _refuse(lines, row, locus.name, f"{raw.id} has an allele that is not in the database")
        if locus.name not in loci:
            continue
        if locus.name in genotypes:
            _refuse(lines, row, locus.name, f"{raw.id} is typed twice")
        alleles: tuple[str, ...] = (locus.labels[first], locus.labels[second])
        if loci[locus.name].on_x and raw.sex == "male":
            if first != second:
                _refuse(lines, row, locus.name, f"{raw.id}, a male, has two alleles on the X")
            alleles = alleles[:1]
        genotypes[locus.name] = Genotype(alleles)
    return FamiliasPerson(raw.id, raw.sex, Profile(genotypes, typing))


def _refuse(lines: FamLines, row: int, locus: str | None, message: str) -> NoReturn:
    mend = "correct the genotype in Familias, and export again"
    raise InputError([Fault(lines.file, row, locus, "malformed-fam", message, mend)])


def _pedigrees(
    lines: FamLines,
    people: Sequence[FamiliasPerson],
    known: Sequence[tuple[int, int]],
    extra: tuple[int, int],
    hypotheses: Sequence[_RawHypothesis],
    without: Sequence[str],
) -> Mapping[str, Pedigree]:
    """Build every hypothesis that is wanted; refuse them all if one is malformed."""
    faults: list[Fault] = []
    names = [hypothesis.name for hypothesis in hypotheses]
    for name in without:
        if name not in names:
            message = f"there is no hypothesis {name} to leave out"
            mend = f"the hypotheses are {', '.join(names) or 'none'}"
            faults.append(Fault(lines.file, None, None, "unknown-hypothesis", message, mend))
    ids = [person.id for person in people]
    for name in sorted({name for name in ids if ids.count(name) > 1}):
        message = f"two people are named {name}"
        mend = "rename one of them in Familias"
        faults.append(Fault(lines.file, None, None, "duplicate-id", message, mend))
    pedigrees: dict[str, Pedigree] = {}
    for raw in hypotheses:
        if raw.name in without:
            continue
        if raw.name in pedigrees or not raw.name:
            message = f"two hypotheses are named {raw.name!r}" if raw.name else "it has no name"
            mend = "rename one of them in Familias"
            faults.append(Fault(lines.file, raw.row, None, "duplicate-hypothesis", message, mend))
            continue
        try:
            pedigrees[raw.name] = _pedigree(people, known, extra, raw)
        except PedigreeError as error:
            message = f"hypothesis {raw.name} is malformed: {'; '.join(error.problems)}"
            mend = "correct it in Familias, or leave it out with --without"
            faults.append(Fault(lines.file, raw.row, None, "malformed-hypothesis", message, mend))
    if faults:
        raise InputError(faults)
    return MappingProxyType(pedigrees)


def _pedigree(
    people: Sequence[FamiliasPerson],
    known: Sequence[tuple[int, int]],
    extra: tuple[int, int],
    raw: _RawHypothesis,
) -> Pedigree:
    """Collect the people, the extra ones and the parents of one hypothesis."""
    cast: list[tuple[str, Sex]] = [(person.id, person.sex) for person in people]
    taken = {name for name, _ in cast}
    counts: list[tuple[Sex, int]] = []
    for females, males in (extra, raw.extra):
        counts += [("female", females), ("male", males)]
    for sex, count in counts:
        for _ in range(count):
            name = _free_name(sex, taken)
            taken.add(name)
            cast.append((name, sex))
    parents: dict[int, dict[str, int]] = {}
    problems = []
    for parent, child in (*known, *raw.relations):
        if max(parent, child) >= len(cast):
            raise PedigreeError([f"person number {max(parent, child)} does not exist"])
        role = "father" if cast[parent][1] == "male" else "mother"
        if parents.setdefault(child, {}).setdefault(role, parent) != parent:
            other = cast[parents[child][role]][0]
            problems.append(f"{cast[child][0]} has two {role}s, {other} and {cast[parent][0]}")
    if problems:
        raise PedigreeError(problems)
    return Pedigree.build(
        [
            Person(
                id=name,
                father=_named(cast, parents.get(at, {}).get("father")),
                mother=_named(cast, parents.get(at, {}).get("mother")),
                sex=sex,
            )
            for at, (name, sex) in enumerate(cast)
        ],
        allow_single_parent=True,
    )


def _named(cast: Sequence[tuple[str, Sex]], position: int | None) -> str | None:
    return None if position is None else cast[position][0]


def _free_name(sex: Sex, taken: set[str]) -> str:
    number = 1
    while f"extra {sex} {number}" in taken:
        number += 1
    return f"extra {sex} {number}"
