"""Many children and many searching families as columns: what a search reads.

Genotypes are held once per locus and referred to by code, so that a registry of a million
families takes a few bytes per genotype. All arrays are read-only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from kinward.model.pedigree import Pedigree, Person, Sex
from kinward.model.profile import PERFECT_TYPING, Genotype, Profile, TypingModel

__all__ = ["SEXES", "ChildTable", "Family", "FamilyTable", "GenotypeColumns"]

SEXES: tuple[Sex, ...] = ("unknown", "male", "female")
"""Meaning of the sex codes 0, 1, 2."""

_NO_FACTS: Mapping[str, NDArray[np.object_]] = MappingProxyType({})
_NO_TYPING: Mapping[int, TypingModel] = MappingProxyType({})


def _freeze(table: object) -> None:
    for item in fields(table):  # type: ignore[arg-type]
        value = getattr(table, item.name)
        if isinstance(value, np.ndarray):
            value.setflags(write=False)


@dataclass(frozen=True, slots=True, eq=False)
class GenotypeColumns:
    """Genotypes of many people at the same loci.

    `codes` has shape (people, loci), int16: 0 is not typed, k > 0 means `observed[locus][k - 1]`.
    """

    loci: tuple[str, ...]
    observed: tuple[tuple[Genotype, ...], ...]
    codes: NDArray[np.int16]

    def __post_init__(self) -> None:
        """Freeze the codes."""
        _freeze(self)

    def genotype(self, person: int, locus: int) -> Genotype | None:
        """Return one genotype, None where not typed."""
        code = int(self.codes[person, locus])
        return self.observed[locus][code - 1] if code else None

    def profile(self, person: int, typing: TypingModel = PERFECT_TYPING) -> Profile:
        """Return one person's profile."""
        genotypes = {}
        for position, locus in enumerate(self.loci):
            genotype = self.genotype(person, position)
            if genotype is not None:
                genotypes[locus] = genotype
        return Profile(genotypes, typing)

    def take(self, people: NDArray[np.intp] | slice) -> GenotypeColumns:
        """Return the columns of some people, in the order given."""
        return GenotypeColumns(self.loci, self.observed, self.codes[people].copy())

    @classmethod
    def joined(cls, tables: Sequence[GenotypeColumns]) -> GenotypeColumns:
        """Return the people of all tables under each other; genotypes that nobody has are dropped.

        Loci that a table lacks are not typed in its people.
        """
        loci = tuple(dict.fromkeys(locus for table in tables for locus in table.loci))
        codes = np.zeros((sum(len(table.codes) for table in tables), len(loci)), dtype=np.int16)
        observed = []
        for column, locus in enumerate(loci):
            known: dict[Genotype, int] = {}
            start = 0
            for table in tables:
                stop = start + len(table.codes)
                if locus in table.loci:
                    at = table.loci.index(locus)
                    present = np.bincount(table.codes[:, at], minlength=len(table.observed[at]) + 1)
                    renumbered = np.zeros(len(present), dtype=np.int16)
                    for code in np.flatnonzero(present[1:]) + 1:
                        genotype = table.observed[at][code - 1]
                        renumbered[code] = known.setdefault(genotype, len(known) + 1)
                    codes[start:stop, column] = renumbered[table.codes[:, at]]
                start = stop
            observed.append(tuple(known))
        return cls(loci, tuple(observed), codes)

    @classmethod
    def from_profiles(
        cls, profiles: Sequence[Profile], loci: Sequence[str] | None = None
    ) -> GenotypeColumns:
        """Collect profiles into columns; `loci` defaults to all that occur, in order met."""
        if loci is None:
            loci = list(dict.fromkeys(name for p in profiles for name in p.genotypes))
        observed: list[tuple[Genotype, ...]] = []
        codes = np.zeros((len(profiles), len(loci)), dtype=np.int16)
        for column, locus in enumerate(loci):
            known: dict[Genotype, int] = {}
            for row, profile in enumerate(profiles):
                genotype = profile.genotypes.get(locus)
                if genotype is not None:
                    codes[row, column] = known.setdefault(genotype, len(known) + 1)
            observed.append(tuple(known))
        return cls(tuple(loci), tuple(observed), codes)


@dataclass(frozen=True, slots=True, eq=False)
class ChildTable:
    """Rescued children.

    `ids` (children,) str objects, unique; `sex` (children,) int8, see `SEXES`; `typing` holds the
    children, by position, whose samples are not taken at their word; `facts` are further columns
    of the file, (children,) str objects, kept for the evidence and never used by the DNA search.
    """

    ids: NDArray[np.object_]
    sex: NDArray[np.int8]
    genotypes: GenotypeColumns
    typing: Mapping[int, TypingModel] = field(default_factory=lambda: _NO_TYPING)
    facts: Mapping[str, NDArray[np.object_]] = field(default_factory=lambda: _NO_FACTS)

    def __post_init__(self) -> None:
        """Freeze the arrays."""
        _freeze(self)

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True, slots=True)
class Family:
    """One searching family: its pedigree, the profiles of those typed, the missing children."""

    id: str
    pedigree: Pedigree
    profiles: Mapping[str, Profile]
    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class FamilyTable:
    """Searching families; the people of family k are the rows first[k] to first[k + 1] - 1.

    Per family: `family_ids` (families,) str objects, unique; `first` (families + 1,) int64.
    Per person: `person_ids` str objects, unique within the family; `father` and `mother` int16,
    position within the family, -1 for a founder; `sex` int8, see `SEXES`, a parent's already
    filled in from the role; `missing` bool; `twin` int16, equal positive numbers mark monozygotic
    twins of the family, 0 none; `founder_inbreeding` float64; `population` str objects, empty
    for the run's. A missing child's own genotypes come from a personal item (newborn card,
    toothbrush). `typing` and `facts` as in ChildTable, by person.
    """

    family_ids: NDArray[np.object_]
    first: NDArray[np.int64]
    person_ids: NDArray[np.object_]
    father: NDArray[np.int16]
    mother: NDArray[np.int16]
    sex: NDArray[np.int8]
    missing: NDArray[np.bool_]
    twin: NDArray[np.int16]
    founder_inbreeding: NDArray[np.float64]
    population: NDArray[np.object_]
    genotypes: GenotypeColumns
    typing: Mapping[int, TypingModel] = field(default_factory=lambda: _NO_TYPING)
    facts: Mapping[str, NDArray[np.object_]] = field(default_factory=lambda: _NO_FACTS)

    def __post_init__(self) -> None:
        """Freeze the arrays."""
        _freeze(self)

    def __len__(self) -> int:
        return len(self.family_ids)

    def pedigree(self, family: int) -> Pedigree:
        """Return the pedigree of one family, by position."""
        rows = range(int(self.first[family]), int(self.first[family + 1]))
        names = [str(self.person_ids[row]) for row in rows]
        people = []
        for row in rows:
            father, mother = int(self.father[row]), int(self.mother[row])
            people.append(
                Person(
                    id=str(self.person_ids[row]),
                    father=names[father] if father >= 0 else None,
                    mother=names[mother] if mother >= 0 else None,
                    sex=SEXES[self.sex[row]],
                    twin=str(self.twin[row]) if self.twin[row] > 0 else None,
                    founder_inbreeding=float(self.founder_inbreeding[row]),
                )
            )
        return Pedigree.build(people)

    def family(self, family: int) -> Family:
        """Return one family as objects, by position."""
        start, stop = int(self.first[family]), int(self.first[family + 1])
        profiles = {}
        for row in range(start, stop):
            typing = self.typing.get(row, PERFECT_TYPING)
            profile = self.genotypes.profile(row, typing)
            if profile.genotypes:
                profiles[str(self.person_ids[row])] = profile
        missing = tuple(str(self.person_ids[r]) for r in range(start, stop) if self.missing[r])
        return Family(
            str(self.family_ids[family]),
            self.pedigree(family),
            MappingProxyType(profiles),
            missing,
        )

    def take(self, families: NDArray[np.int64]) -> FamilyTable:
        """Return some families, by position, in the order given."""
        sizes = np.diff(self.first)[families]
        first = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        rows = np.arange(first[-1]) + np.repeat(self.first[families] - first[:-1], sizes)
        fallible = {int(row): at for at, row in enumerate(rows) if int(row) in self.typing}
        return FamilyTable(
            family_ids=self.family_ids[families],
            first=first,
            **{name: getattr(self, name)[rows] for name in _BY_PERSON},
            genotypes=GenotypeColumns.joined([self.genotypes.take(rows)]),
            typing={at: self.typing[row] for row, at in fallible.items()},
            facts={name: column[rows] for name, column in self.facts.items()},
        )

    @classmethod
    def joined(cls, tables: Sequence[FamilyTable]) -> FamilyTable:
        """Return the families of all tables one after the other; a missing fact is empty."""
        start = np.concatenate([[0], np.cumsum([table.first[-1] for table in tables])]).tolist()
        names = dict.fromkeys(name for table in tables for name in table.facts)
        empty = [np.full(int(table.first[-1]), "", dtype=object) for table in tables]
        return cls(
            family_ids=np.concatenate([table.family_ids for table in tables]),
            first=np.concatenate(
                [[0], *(t.first[1:] + at for t, at in zip(tables, start, strict=False))]
            ).astype(np.int64),
            **{
                name: np.concatenate([getattr(table, name) for table in tables])
                for name in _BY_PERSON
            },
            genotypes=GenotypeColumns.joined([table.genotypes for table in tables]),
            typing={
                row + at: typing
                for table, at in zip(tables, start, strict=False)
                for row, typing in table.typing.items()
            },
            facts={
                name: np.concatenate(
                    [t.facts.get(name, blank) for t, blank in zip(tables, empty, strict=True)]
                )
                for name in names
            },
        )


_BY_PERSON = (
    "person_ids", "father", "mother", "sex", "missing", "twin", "founder_inbreeding", "population",
)  # fmt: skip
