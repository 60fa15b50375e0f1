"""Pedigrees: people with both parents or none, monozygotic twins, inbred founders, loops."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Literal

from kinward.errors import PedigreeError

__all__ = ["Pedigree", "Person", "Sex"]

Sex = Literal["male", "female", "unknown"]


@dataclass(frozen=True, slots=True)
class Person:
    """One member of a pedigree.

    `father` and `mother` are ids or None; `twin` is a label that monozygotic twins share;
    `founder_inbreeding` is the probability that a founder's two alleles are identical by descent.
    """

    id: str
    father: str | None = None
    mother: str | None = None
    sex: Sex = "unknown"
    twin: str | None = None
    founder_inbreeding: float = 0.0


@dataclass(frozen=True, slots=True)
class Pedigree:
    """A validated pedigree; make it with `Pedigree.build`.

    `people` keep the order given; `order` lists their positions with parents before children;
    `father` and `mother` give positions of parents, -1 for none. A parent's blank sex has been
    filled in from the role.
    """

    people: tuple[Person, ...]
    index: Mapping[str, int]
    father: tuple[int, ...]
    mother: tuple[int, ...]
    order: tuple[int, ...]

    @classmethod
    def build(cls, people: Iterable[Person], *, allow_single_parent: bool = False) -> Pedigree:
        """Validate the people and return their pedigree.

        With `allow_single_parent` a person may name one parent only, as in Familias files: the
        other allele then comes straight from the frequencies. Raises PedigreeError listing every
        problem: duplicate id, unknown parent, one parent only, parent of wrong sex, own ancestor,
        twins that differ in parents or sex, a lone twin label, inbreeding outside [0, 1] or of a
        person whose parents are known.
        """
        rows = tuple(people)
        problems: list[str] = []
        index: dict[str, int] = {}
        for position, person in enumerate(rows):
            if person.id in index:
                problems.append(f"person {person.id} is listed twice")
            index.setdefault(person.id, position)
        if not rows:
            problems.append("it has no people")
        problems += _parent_problems(rows, index, allow_single_parent)
        rows = _sexes_from_roles(rows, index)
        problems += _inbreeding_problems(rows)
        problems += _twin_problems(rows)
        father = tuple(index.get(p.father, -1) if p.father is not None else -1 for p in rows)
        mother = tuple(index.get(p.mother, -1) if p.mother is not None else -1 for p in rows)
        order, circle = _topological(father, mother)
        if circle:
            names = ", ".join(rows[i].id for i in circle)
            problems.append(f"own ancestor: {names} cannot be put in order of birth")
        if problems:
            raise PedigreeError(problems)
        return cls(rows, MappingProxyType(index), father, mother, order)


def _parent_problems(
    rows: Sequence[Person], index: Mapping[str, int], allow_single_parent: bool
) -> list[str]:
    problems = []
    for person in rows:
        if (person.father is None) != (person.mother is None) and not allow_single_parent:
            problems.append(
                f"person {person.id} has one parent only: add the other one as an untyped person"
            )
        if person.father is not None and person.father == person.mother:
            problems.append(f"person {person.id} has {person.father} as father and as mother")
        for role, parent, wrong in (
            ("father", person.father, "female"),
            ("mother", person.mother, "male"),
        ):
            if parent is None:
                continue
            if parent not in index:
                problems.append(f"{role} {parent} of {person.id} is not in the pedigree")
            elif rows[index[parent]].sex == wrong:
                problems.append(f"{role} {parent} of {person.id} is recorded as {wrong}")
    fathers = {p.father for p in rows} - {None}
    mothers = {p.mother for p in rows} - {None}
    for both in sorted(str(p) for p in fathers & mothers):
        if both in index and rows[index[both]].sex == "unknown":
            problems.append(f"{both} is named as a father and as a mother")
    return problems


def _sexes_from_roles(rows: Sequence[Person], index: Mapping[str, int]) -> tuple[Person, ...]:
    fathers = {p.father for p in rows}
    mothers = {p.mother for p in rows}
    filled = []
    for person in rows:
        if person.sex == "unknown" and person.id in fathers:
            person = replace(person, sex="male")
        elif person.sex == "unknown" and person.id in mothers:
            person = replace(person, sex="female")
        filled.append(person)
    return tuple(filled)


def _inbreeding_problems(rows: Sequence[Person]) -> list[str]:
    problems = []
    for person in rows:
        value = person.founder_inbreeding
        if not 0 <= value <= 1:
            problems.append(f"founder inbreeding of {person.id} is {value:g}, outside 0 to 1")
        elif value > 0 and (person.father is not None or person.mother is not None):
            problems.append(f"{person.id} has founder inbreeding but is not a founder")
    return problems


def _twin_problems(rows: Sequence[Person]) -> list[str]:
    groups: dict[str, list[Person]] = {}
    for person in rows:
        if person.twin is not None:
            groups.setdefault(person.twin, []).append(person)
    problems = []
    for label, twins in groups.items():
        if len(twins) == 1:
            problems.append(f"twin label {label} is carried by {twins[0].id} alone")
        if len({(t.father, t.mother) for t in twins}) > 1:
            problems.append(f"twins {label} have different parents")
        elif len(twins) > 1 and twins[0].father is None and twins[0].mother is None:
            problems.append(f"twins {label} have no parents: add them as untyped people")
        if len({t.sex for t in twins} - {"unknown"}) > 1:
            problems.append(f"twins {label} differ in sex")
    return problems


def _topological(
    father: Sequence[int], mother: Sequence[int]
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the order with parents first, and the people on or below a circle."""
    placed: set[int] = {-1}
    order: list[int] = []
    waiting = list(range(len(father)))
    while waiting:
        ready = [i for i in waiting if father[i] in placed and mother[i] in placed]
        if not ready:
            return tuple(order), tuple(waiting)
        order += ready
        placed.update(ready)
        waiting = [i for i in waiting if i not in placed]
    return tuple(order), ()
