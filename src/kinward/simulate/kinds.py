"""Kinds of searching families: who is in the pedigree, who gave a sample, who is missing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Literal

__all__ = ["DEFAULT_KINDS", "FAMILY_KINDS", "FamilyKind", "Member"]

MemberSex = Literal["male", "female", "any"]


@dataclass(frozen=True, slots=True)
class Member:
    """One person of a family kind; sex `any` is drawn anew for every family.

    `twin` marks monozygotic twins, who share genotypes and sex.
    """

    id: str
    father: str | None = None
    mother: str | None = None
    sex: MemberSex = "any"
    typed: bool = False
    missing: bool = False
    twin: str | None = None


@dataclass(frozen=True)
class FamilyKind:
    """A pedigree with roles; members are listed with parents before children."""

    name: str
    members: tuple[Member, ...]

    @cached_property
    def position(self) -> Mapping[str, int]:
        """Position of each member by id."""
        return {member.id: i for i, member in enumerate(self.members)}

    def parents(self, member: int) -> tuple[int, int]:
        """Return the positions of a member's father and mother, -1 for a founder."""
        person = self.members[member]
        if person.father is None or person.mother is None:
            return -1, -1
        return self.position[person.father], self.position[person.mother]

    @cached_property
    def missing(self) -> tuple[int, ...]:
        """Positions of the missing children."""
        return tuple(i for i, member in enumerate(self.members) if member.missing)

    @cached_property
    def source(self) -> tuple[int, ...]:
        """For each member the position of the one whose genotypes it carries (its first twin)."""
        first: dict[str, int] = {}
        sources = []
        for i, member in enumerate(self.members):
            sources.append(i if member.twin is None else first.setdefault(member.twin, i))
        return tuple(sources)


def _couple(
    father: str, mother: str, *, father_typed: bool = False, mother_typed: bool = False
) -> tuple[Member, Member]:
    return (
        Member(father, sex="male", typed=father_typed),
        Member(mother, sex="female", typed=mother_typed),
    )


def _child(
    id: str, *, typed: bool = False, missing: bool = False, twin: str | None = None
) -> Member:
    return Member(id, "father", "mother", typed=typed, missing=missing, twin=twin)


def _nuclear(
    name: str, *, father: bool = False, mother: bool = False, sibs: int = 0, missing: int = 1
) -> FamilyKind:
    """Return parents, missing children and typed full siblings."""
    children = [
        _child("child" if i == 0 else f"child{i + 1}", missing=True) for i in range(missing)
    ]
    siblings = [_child(f"sib{i + 1}", typed=True) for i in range(sibs)]
    couple = _couple("father", "mother", father_typed=father, mother_typed=mother)
    return FamilyKind(name, (*couple, *children, *siblings))


def _grandparents(name: str, *, mother: bool) -> FamilyKind:
    return FamilyKind(
        name,
        (
            *_couple("grandfather", "grandmother", father_typed=True, mother_typed=True),
            Member("father", "grandfather", "grandmother", sex="male"),
            Member("mother", sex="female", typed=mother),
            _child("child", missing=True),
        ),
    )


def _half_sibling() -> FamilyKind:
    """Half-sibling by the father, with the half-sibling's own mother."""
    return FamilyKind(
        "half-sibling and its mother",
        (
            *_couple("father", "mother"),
            Member("partner", sex="female", typed=True),
            _child("child", missing=True),
            Member("halfsib", "father", "partner", typed=True),
        ),
    )


def _uncle_and_aunt() -> FamilyKind:
    """The father's brother and the mother's sister."""
    return FamilyKind(
        "uncle and aunt",
        (
            *_couple("grandfather", "grandmother"),
            *_couple("grandfather2", "grandmother2"),
            Member("father", "grandfather", "grandmother", sex="male"),
            Member("uncle", "grandfather", "grandmother", sex="male", typed=True),
            Member("mother", "grandfather2", "grandmother2", sex="female"),
            Member("aunt", "grandfather2", "grandmother2", sex="female", typed=True),
            _child("child", missing=True),
        ),
    )


def _twin() -> FamilyKind:
    return FamilyKind(
        "mother and monozygotic twin",
        (
            *_couple("father", "mother", mother_typed=True),
            _child("child", missing=True, twin="1"),
            _child("twin", typed=True, twin="1"),
        ),
    )


def _cousins() -> FamilyKind:
    """Parents who are first cousins; the mother and a grandmother gave samples."""
    return FamilyKind(
        "mother and grandmother, parents first cousins",
        (
            *_couple("ancestor", "ancestress"),
            Member("grandfather", "ancestor", "ancestress", sex="male"),
            Member("grandmother", sex="female", typed=True),
            Member("grandmother2", "ancestor", "ancestress", sex="female"),
            Member("grandfather2", sex="male"),
            Member("father", "grandfather", "grandmother", sex="male"),
            Member("mother", "grandfather2", "grandmother2", sex="female", typed=True),
            _child("child", missing=True),
        ),
    )


_ALL = (
    _nuclear("both parents", father=True, mother=True),
    _nuclear("father", father=True),
    _nuclear("mother", mother=True),
    _nuclear("father and sibling", father=True, sibs=1),
    _nuclear("mother and sibling", mother=True, sibs=1),
    _nuclear("both parents and sibling", father=True, mother=True, sibs=1),
    _nuclear("sibling", sibs=1),
    _nuclear("two siblings", sibs=2),
    _nuclear("both parents, two missing", father=True, mother=True, missing=2),
    _nuclear("mother, three missing", mother=True, missing=3),
    _grandparents("grandparents", mother=False),
    _grandparents("grandparents and mother", mother=True),
    _half_sibling(),
    _uncle_and_aunt(),
    _twin(),
    _cousins(),
)

FAMILY_KINDS: Mapping[str, FamilyKind] = MappingProxyType({kind.name: kind for kind in _ALL})
"""Every kind, by name."""

DEFAULT_KINDS: Mapping[str, float] = MappingProxyType(
    {
        "both parents": 0.52,
        "mother": 0.14,
        "father": 0.07,
        "mother and sibling": 0.06,
        "father and sibling": 0.02,
        "both parents and sibling": 0.05,
        "sibling": 0.02,
        "two siblings": 0.02,
        "both parents, two missing": 0.02,
        "mother, three missing": 0.005,
        "grandparents": 0.02,
        "grandparents and mother": 0.025,
        "half-sibling and its mother": 0.01,
        "uncle and aunt": 0.01,
        "mother and monozygotic twin": 0.005,
        "mother and grandmother, parents first cousins": 0.005,
    }
)
"""Shares of a registry most of whose families have a parent who gave a sample."""
