"""From people to genomes: monozygotic twins share one; observations belong to genomes.

A `Shape` is all that the plan of a computation depends on: who descends from whom, who is typed
and how, but no allele. Families and loci of one shape share one plan.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from kinward.errors import PedigreeError
from kinward.model.locus_model import LocusModel
from kinward.model.pedigree import Pedigree
from kinward.model.profile import PERFECT_TYPING, Genotype, TypingModel

__all__ = ["Genomes", "Observation", "Shape", "Status", "observed_states", "status_of"]

Status = Literal["untyped", "phased", "open"]
"""How a genome is known at a locus: not typed; genotype known up to phase; or known only through
an observation matrix (half-typed, silent alleles, fallible typing)."""

NO_PARENT = -1


@dataclass(frozen=True, slots=True)
class Observation:
    """One typing of one genome at one locus."""

    genotype: Genotype
    typing: TypingModel = PERFECT_TYPING


@dataclass(frozen=True, slots=True)
class Shape:
    """Structure of a computation at one locus.

    Per genome: positions of `father` and `mother` (-1 founder), `male`, `status`, `inbreeding`.
    `target` genomes keep their alleles open: the result is a table over them.
    """

    father: tuple[int, ...]
    mother: tuple[int, ...]
    male: tuple[bool, ...]
    status: tuple[Status, ...]
    inbreeding: tuple[float, ...]
    x_linked: bool
    target: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Genomes:
    """A pedigree with twins merged; `of_person` gives each person's genome."""

    father: tuple[int, ...]
    mother: tuple[int, ...]
    male: tuple[bool, ...]
    sex_known: tuple[bool, ...]
    inbreeding: tuple[float, ...]
    of_person: Mapping[str, int]

    @classmethod
    def of(cls, pedigree: Pedigree) -> Genomes:
        """Merge monozygotic twins and number the genomes."""
        number: dict[str, int] = {}
        twins: dict[str, int] = {}
        first: list[int] = []
        for position, person in enumerate(pedigree.people):
            if person.twin is not None and person.twin in twins:
                number[person.id] = twins[person.twin]
                continue
            number[person.id] = len(first)
            if person.twin is not None:
                twins[person.twin] = len(first)
            first.append(position)
        people = pedigree.people

        def parent(position: int) -> int:
            return NO_PARENT if position < 0 else number[people[position].id]

        return cls(
            tuple(parent(pedigree.father[i]) for i in first),
            tuple(parent(pedigree.mother[i]) for i in first),
            tuple(people[i].sex == "male" for i in first),
            tuple(people[i].sex != "unknown" for i in first),
            tuple(people[i].founder_inbreeding for i in first),
            number,
        )

    def with_founder(self, *, male: bool) -> Genomes:
        """Return the genomes with one more founder, unrelated to all, at the end."""
        return Genomes(
            (*self.father, NO_PARENT),
            (*self.mother, NO_PARENT),
            (*self.male, male),
            (*self.sex_known, True),
            (*self.inbreeding, 0.0),
            self.of_person,
        )

    def shape(
        self, status: Sequence[Status], *, x_linked: bool, target: tuple[int, ...] = ()
    ) -> Shape:
        """Return the shape for one locus; raises PedigreeError for X without known sexes."""
        if x_linked and not all(self.sex_known):
            raise PedigreeError(["an X-linked locus needs the sex of every person"])
        return Shape(
            self.father,
            self.mother,
            self.male,
            tuple(status),
            self.inbreeding,
            x_linked,
            target,
        )


def status_of(
    observations: Sequence[Observation], model: LocusModel, *, male: bool, inbreeding: float
) -> Status:
    """Return how well the observations determine one genome at this locus."""
    if not observations:
        return "untyped"
    if inbreeding > 0 and model.theta > 0:
        return "open"
    hemizygous = model.chromosome == "X" and male
    for seen in observations:
        alleles = seen.genotype.alleles
        homozygous = len(set(alleles)) == 1 and not hemizygous
        if (
            len(observations) > 1
            or seen.genotype.partial
            or not seen.typing.perfect
            or (homozygous and model.has_silent)
        ):
            return "open"
    return "phased"


def observed_states(genotype: Genotype, *, hemizygous: bool) -> tuple[str, str]:
    """Return the two alleles of a complete genotype (the same one twice if hemizygous)."""
    alleles = genotype.alleles
    if hemizygous:
        if len(set(alleles)) != 1:
            raise PedigreeError([f"a male has two X alleles: {genotype}"])
        return alleles[0], alleles[0]
    if len(alleles) != 2:
        raise PedigreeError([f"one allele only where two are expected: {genotype}"])
    return alleles[0], alleles[1]
