"""What a Familias case file holds, as values of Kinward's own model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from kinward.model.marker import find_locus
from kinward.model.mutation import MutationScheme, NoMutation, SexMutation
from kinward.model.pedigree import Pedigree, Sex
from kinward.model.population import FrequencyTable, LocusFrequencies
from kinward.model.profile import PERFECT_TYPING, Profile, TypingModel

__all__ = ["FamiliasCase", "FamiliasLocus", "FamiliasPerson", "ReferenceFamily"]


@dataclass(frozen=True, slots=True)
class FamiliasLocus:
    """One locus of the file's database.

    `frequencies` are the visible alleles, which sum to 1 - `silent`; `database_size`, `dropout`
    and `minimum_frequency` stand as in the file.
    """

    name: str
    frequencies: LocusFrequencies
    mutation: SexMutation
    silent: float
    database_size: int | None
    dropout: float
    minimum_frequency: float

    @property
    def on_x(self) -> bool:
        """Whether the locus is known to lie on the X."""
        locus = find_locus(self.name)
        return locus is not None and locus.kind == "X"


@dataclass(frozen=True, slots=True)
class FamiliasPerson:
    """A person of the case, a relative of a DVI family or an unidentified victim."""

    id: str
    sex: Sex
    profile: Profile


@dataclass(frozen=True, slots=True)
class ReferenceFamily:
    """An ante-mortem family of a DVI file.

    `pedigrees` by name, each with the `missing` people among its members.
    """

    id: str
    people: tuple[FamiliasPerson, ...]
    missing: tuple[str, ...]
    pedigrees: Mapping[str, Pedigree]

    @property
    def profiles(self) -> Mapping[str, Profile]:
        """Profiles of the typed relatives, by id."""
        return _profiles(self.people)


@dataclass(frozen=True, slots=True)
class FamiliasCase:
    """A case: people, hypotheses, database, and the DVI part if there is one.

    Every pedigree of `hypotheses` holds all people of the case, related or not, and the extra
    untyped ones that it needs. People may have one parent only, whose other allele comes from the
    frequencies. `direct_typing` is what the file sets for comparing samples directly. `notes` say
    what was passed over.
    """

    file: str
    version: str
    people: tuple[FamiliasPerson, ...]
    hypotheses: Mapping[str, Pedigree]
    database: str
    theta: float
    loci: Mapping[str, FamiliasLocus]
    victims: tuple[FamiliasPerson, ...] = ()
    families: tuple[ReferenceFamily, ...] = ()
    direct_typing: TypingModel = PERFECT_TYPING
    notes: tuple[str, ...] = ()

    @property
    def profiles(self) -> Mapping[str, Profile]:
        """Profiles of the typed people, by id."""
        return _profiles(self.people)

    @property
    def frequencies(self) -> FrequencyTable:
        """The database as a frequency table; a silent allele is not in it."""
        name = self.database or self.file
        return FrequencyTable(name, {key: locus.frequencies for key, locus in self.loci.items()})

    @property
    def mutation(self) -> MutationScheme:
        """The mutation models of all loci."""
        per_locus = {name: locus.mutation for name, locus in self.loci.items()}
        default = SexMutation(NoMutation(), NoMutation())
        return MutationScheme(default, MappingProxyType(per_locus), f"per locus from {self.file}")


def _profiles(people: tuple[FamiliasPerson, ...]) -> Mapping[str, Profile]:
    return MappingProxyType({p.id: p.profile for p in people if p.profile.genotypes})
