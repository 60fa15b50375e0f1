"""Missing-child tables: the likelihood ratio of every possible child of each family.

T[row] = P(observation, relatives | the child is the missing child) / P(observation, relatives |
it is unrelated), for each observation that occurs among the children. Families of one shape are
computed together, what they have in common once: from the two sides of the missing child if these
can be told apart (`side_tables`), else from the joint table of its two alleles.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from kinward.likelihood.genome import Genomes, Observation, Shape, Status
from kinward.likelihood.observation import observation_matrix
from kinward.likelihood.run import evaluate, model_of
from kinward.likelihood.sides import Part, Sides, split_sides
from kinward.likelihood.tables import Lanes
from kinward.model.locus_model import GeneticModel, LocusModel
from kinward.model.profile import PERFECT_TYPING, Genotype, TypingModel
from kinward.model.registry import FamilyTable
from kinward.search.child_rows import ChildRows, LocusRows
from kinward.search.side_tables import Entries, PartEvaluator, SideValues, distinct, spread_axes
from kinward.search.slots import Slots

__all__ = ["SlotGroup", "TableBuilder", "group_slots"]

FloatArray = NDArray[np.float64]
STATUSES: tuple[Status, ...] = ("untyped", "phased", "open")
LANES = 512
"""Families eliminated together: enough to fill vector registers, few enough to stay in cache."""
SUMS_TO_ONE = 1e-12


@dataclass(frozen=True, slots=True, eq=False)
class SlotGroup:
    """Slots whose families have the same structure; `people` (slots, size) are table rows."""

    slots: NDArray[np.int64]
    people: NDArray[np.int64]
    genomes: Genomes
    genome_of_person: tuple[int, ...]
    person: int
    hidden: tuple[int, ...]
    """Other missing children: left untyped while this one is tested."""

    def parts(self, size: int) -> Iterator[SlotGroup]:
        """Yield the group in parts of at most `size` slots."""
        for start in range(0, len(self.slots), size):
            span = slice(start, start + size)
            yield replace(self, slots=self.slots[span], people=self.people[span])


def group_slots(families: FamilyTable, slots: Slots, chosen: NDArray[np.int64]) -> list[SlotGroup]:
    """Group slots by the structure of their family, in order of first appearance.

    Sex is no part of it: on autosomes only a parent's counts, which follows from the role.
    """
    family, start = slots.family[chosen], families.first[slots.family[chosen]]
    people = families.first[family + 1] - start
    found: list[NDArray[np.int64]] = []
    for size in np.unique(people).tolist():
        here = np.flatnonzero(people == size)
        rows = start[here, None] + np.arange(size)
        parts = (
            slots.row[chosen[here], None] - start[here, None],
            families.father[rows],
            families.mother[rows],
            families.missing[rows],
            families.twin[rows],
            np.unique(families.founder_inbreeding[rows], return_inverse=True)[1].reshape(
                rows.shape
            ),
        )
        table = np.concatenate([part.astype(np.int64) for part in parts], axis=1).T
        columns = [column - column.min() for column in table if column.min() < column.max()]
        columns.append(np.zeros(len(here), dtype=np.int64))
        number, first = distinct(columns, [int(column.max()) + 1 for column in columns])
        order = np.argsort(number, kind="stable")
        found += np.split(here[order], np.cumsum(np.bincount(number, minlength=len(first)))[:-1])
    found.sort(key=lambda members: int(members[0]))
    return [_slot_group(families, slots, chosen[members]) for members in found]


def _slot_group(families: FamilyTable, slots: Slots, members: NDArray[np.int64]) -> SlotGroup:
    family = int(slots.family[members[0]])
    start, stop = int(families.first[family]), int(families.first[family + 1])
    person = int(slots.row[members[0]]) - start
    genomes = Genomes.of(families.pedigree(family))
    ids = [str(name) for name in families.person_ids[start:stop]]
    first = families.first[slots.family[members]]
    hidden = np.flatnonzero(families.missing[start:stop]).tolist()
    return SlotGroup(
        members,
        first[:, None] + np.arange(stop - start),
        genomes,
        tuple(genomes.of_person[name] for name in ids),
        person,
        tuple(int(other) for other in hidden if other != person),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _LocusCodes:
    """Genotype codes of families at one locus: `status` (codes,) and allele indices (2, codes)."""

    status: NDArray[np.int8]
    alleles: NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class _Typed:
    """Slots `lanes` of a group in which the same genomes are typed equally well at one locus.

    `status` per genome; `codes` (slots, people) genotype codes, those of hidden people 0;
    `fallible` (slots, people): the person's sample is not taken at its word.
    """

    group: SlotGroup
    locus: int
    lanes: NDArray[np.intp]
    status: tuple[Status, ...]
    codes: NDArray[np.intp]
    known: _LocusCodes
    fallible: NDArray[np.bool_]

    def people(self, genome: int) -> list[int]:
        return [p for p, g in enumerate(self.group.genome_of_person) if g == genome]

    def pairs(self, genome: int, lanes: NDArray[np.intp]) -> NDArray[np.intp]:
        """Return the allele indices of a phased genome in some slots, (2, lanes)."""
        code = self.codes[lanes][:, self.people(genome)].max(axis=1)
        pair: NDArray[np.intp] = self.known.alleles[:, code]
        return pair

    def identity(self, genome: int) -> tuple[NDArray[np.int64], int]:
        """Return numbers (lanes,) that are equal only where typings are, and their bound.

        A genome with several typings, or a fallible one, is taken to be like no other.
        """
        people = self.people(genome)
        codes = self.codes[self.lanes][:, people]
        several = (codes > 0).sum(axis=1) > 1
        odd = several | (self.fallible[self.lanes][:, people] & (codes > 0)).any(axis=1)
        bound = len(self.known.status)
        alone = bound + np.arange(len(self.lanes))
        return np.where(odd, alone, codes.max(axis=1)), bound + len(self.lanes)

    def identities(self) -> tuple[list[NDArray[np.int64]], list[int]]:
        """Return the identity of every typed genome, and the bounds."""
        found = [self.identity(g) for g, kind in enumerate(self.status) if kind != "untyped"]
        found.append((np.zeros(len(self.lanes), dtype=np.int64), 1))
        return [identity for identity, _ in found], [bound for _, bound in found]

    def entries(self) -> Entries:
        """Return the typings of all these slots."""
        kinds = list(enumerate(self.status))
        return Entries(
            {g: self.pairs(g, self.lanes) for g, kind in kinds if kind == "phased"},
            {g: self.identity(g)[0] for g, kind in kinds if kind == "open"},
            np.arange(len(self.lanes)),
        )


class TableBuilder:
    """Builds tables for blocks of slots under one model (with or without mutation)."""

    def __init__(
        self,
        families: FamilyTable,
        model: GeneticModel,
        rows: ChildRows,
        columns: Sequence[int],
    ) -> None:
        self.families = families
        self.models = [model.loci[locus] for locus in rows.loci]
        self.lane_models = [model_of(m) for m in self.models]
        self.rows = rows
        self.columns = tuple(columns)
        self.codes = [
            _locus_codes(families.genotypes.observed[column], locus_model)
            for column, locus_model in zip(self.columns, self.models, strict=True)
        ]

    def tables(self, group: SlotGroup, locus: int) -> tuple[FloatArray, FloatArray]:
        """Return T (rows, slots) at one locus and P(relatives) (slots,).

        T is NaN where the relatives alone are impossible.
        """
        locus_rows = self.rows.per_locus[locus]
        out = np.empty((len(locus_rows), len(group.slots)))
        alone = np.empty(len(group.slots))
        for typed in self._typed_sets(group, locus):
            ratio, relatives = self._ratios(typed, locus_rows)
            out[:, typed.lanes] = ratio
            alone[typed.lanes] = relatives
        return out, alone

    def relatives(self, group: SlotGroup, locus: int) -> FloatArray:
        """Return P(relatives) (slots,) at one locus."""
        alone = np.empty(len(group.slots))
        for typed in self._typed_sets(group, locus):
            alone[typed.lanes] = self._relatives(typed)
        return alone

    def _ratios(self, typed: _Typed, locus_rows: LocusRows) -> tuple[FloatArray, FloatArray]:
        group, locus = typed.group, typed.locus
        target = group.genome_of_person[group.person]
        shape = group.genomes.shape(typed.status, x_linked=False, target=(target,))
        if not self.lane_models[locus].theta:
            sides = split_sides(shape)
            if sides is not None:
                return self._ratios_from_sides(typed, locus_rows, shape, sides)
        at, chunks = self._alike(typed)
        parts = [self._ratios_from_joint(typed, locus_rows, shape, chunk) for chunk in chunks]
        ratio = np.concatenate([part for part, _ in parts], axis=1)
        relatives = np.concatenate([part for _, part in parts])
        return ratio[:, at], relatives[at]

    def _ratios_from_sides(
        self, typed: _Typed, locus_rows: LocusRows, shape: Shape, sides: Sides
    ) -> tuple[FloatArray, FloatArray]:
        values = self._side_values(typed, shape, sides)
        relatives = values.relatives() if self._sums_to_one(typed) else self._relatives(typed)
        ratio = np.empty((len(locus_rows), len(typed.lanes)))
        with np.errstate(divide="ignore", invalid="ignore"):
            scale = 1.0 / locus_rows.chance
            values.onto_rows(locus_rows.first, locus_rows.second, scale, ratio)
            for row, weights in locus_rows.composite.items():
                ratio[row] = values.composite(weights) * scale[row]
            ratio *= np.where(relatives > 0, 1.0 / relatives, np.nan)
        return ratio, relatives

    def _side_values(self, typed: _Typed, shape: Shape, sides: Sides) -> SideValues:
        def observed(genome: int, families: NDArray[np.int64]) -> FloatArray:
            return self._observed(typed, genome, typed.lanes[families])

        evaluator = PartEvaluator(shape, self.lane_models[typed.locus], observed, LANES)
        terms = typed.entries().terms(sides.oriented, sides.alike)

        def valued(part: Part) -> tuple[FloatArray, NDArray[np.int64]]:
            value, number = evaluator.values(part, terms.entries)
            child = tuple(v for v in part.network.target if v.kind == "allele")
            spread = spread_axes(value, part.network.target, (*sides.selectors, *child))
            return spread.reshape(1 << len(sides.selectors), -1, value.shape[-1]), number

        father, at_father = valued(sides.father)
        mother, at_mother = valued(sides.mother)
        rest, at_rest = valued(sides.rest)
        return SideValues(
            father, mother, rest[:, 0], at_father, at_mother, at_rest, terms.start, terms.times
        )

    def _ratios_from_joint(
        self, typed: _Typed, locus_rows: LocusRows, shape: Shape, lanes: NDArray[np.intp]
    ) -> tuple[FloatArray, FloatArray]:
        """Compute T of some slots from the joint table of the child's two alleles."""
        group, locus = typed.group, typed.locus
        model = self.lane_models[locus]
        evidence = self._lanes(typed, lanes)
        joint = evaluate(shape, model, evidence)
        if self._sums_to_one(typed):
            relatives: FloatArray = joint.sum(axis=(0, 1))
        else:
            alone = group.genomes.shape(typed.status, x_linked=False)
            relatives = evaluate(alone, model, evidence)
        same = locus_rows.onto_rows(joint)
        if model.theta:
            apart = group.genomes.with_founder(male=False)
            new = len(group.genomes.father)
            other = apart.shape((*typed.status, "untyped"), x_linked=False, target=(new,))
            unrelated = locus_rows.onto_rows(evaluate(other, model, evidence))
        else:
            unrelated = locus_rows.chance[:, None] * relatives
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.where(relatives > 0, same / unrelated, np.nan)
        return ratio, relatives

    def _sums_to_one(self, typed: _Typed) -> bool:
        """Return whether P(relatives) is the sum over the alleles of the missing child.

        Not so where frequencies do not sum to one (an allele was added): an untyped ancestor of the
        child alone counts as one, not as their sum.
        """
        return bool(abs(self.models[typed.locus].frequencies.sum() - 1.0) < SUMS_TO_ONE)

    def _relatives(self, typed: _Typed) -> FloatArray:
        shape = typed.group.genomes.shape(typed.status, x_linked=False)
        model = self.lane_models[typed.locus]
        at, chunks = self._alike(typed)
        parts = [evaluate(shape, model, self._lanes(typed, chunk)) for chunk in chunks]
        alone: FloatArray = np.concatenate(parts)[at]
        return alone

    @staticmethod
    def _alike(typed: _Typed) -> tuple[NDArray[np.int64], list[NDArray[np.intp]]]:
        """Return the number of each family's genotypes, and per number a slot, LANES at a time."""
        number, first = distinct(*typed.identities())
        slots = typed.lanes[first]
        return number, [slots[start : start + LANES] for start in range(0, len(slots), LANES)]

    def _typed_sets(self, group: SlotGroup, locus: int) -> Iterator[_Typed]:
        """Yield slots in which the same genomes are typed equally well."""
        codes = self.families.genotypes.codes[group.people, self.columns[locus]].astype(np.intp)
        codes[:, list(group.hidden)] = 0
        status = self._genome_status(group, locus, codes)
        if status.shape[1] <= 40:
            key = status @ 3 ** np.arange(status.shape[1], dtype=np.int64)
            pattern, where = np.unique(key, return_inverse=True)
        else:  # such a number would not fit into 64 bits
            pattern, where = np.unique(status, axis=0, return_inverse=True)
            where = where.reshape(-1)
        fallible = np.isin(group.people, list(self.families.typing))
        for number in range(len(pattern)):
            lanes = np.flatnonzero(where == number)
            kinds = tuple(STATUSES[s] for s in status[lanes[0]])
            yield _Typed(group, locus, lanes, kinds, codes, self.codes[locus], fallible)

    def _genome_status(
        self, group: SlotGroup, locus: int, codes: NDArray[np.intp]
    ) -> NDArray[np.int64]:
        """Return the status code per slot and genome."""
        by_person = self.codes[locus].status[codes].astype(np.int64)
        theta = self.models[locus].theta > 0
        for row in self.families.typing:
            by_person[(group.people == row) & (by_person > 0)] = 2
        status = np.zeros((len(codes), len(group.genomes.father)), dtype=np.int64)
        typings = np.zeros_like(status)
        for person, genome in enumerate(group.genome_of_person):
            np.maximum(status[:, genome], by_person[:, person], out=status[:, genome])
            typings[:, genome] += by_person[:, person] > 0
            if theta and group.genomes.inbreeding[genome]:
                status[status[:, genome] > 0, genome] = 2
        status[typings > 1] = 2
        target = group.genome_of_person[group.person]
        status[status[:, target] > 0, target] = 2
        return status

    def _lanes(self, typed: _Typed, lanes: NDArray[np.intp]) -> Lanes:
        """Return the typings of some slots."""
        alleles: dict[int, NDArray[np.intp]] = {}
        observed: dict[int, FloatArray] = {}
        for genome, kind in enumerate(typed.status):
            if kind == "phased":
                alleles[genome] = typed.pairs(genome, lanes)
            elif kind == "open":
                observed[genome] = self._observed(typed, genome, lanes)
        return Lanes(len(lanes), alleles, observed)

    def _observed(self, typed: _Typed, genome: int, lanes: NDArray[np.intp]) -> FloatArray:
        """Return P(typings | alleles) of an open genome in some slots, slots last."""
        people = typed.people(genome)
        tables = [self._seen(typed, lane, people) for lane in lanes.tolist()]
        return np.stack(tables, axis=-1)

    def _seen(self, typed: _Typed, lane: int, people: Sequence[int]) -> FloatArray:
        locus, group, codes = typed.locus, typed.group, typed.codes
        genotypes = self.families.genotypes.observed[self.columns[locus]]
        typing: Mapping[int, TypingModel] = self.families.typing
        seen = [
            Observation(
                genotypes[codes[lane, person] - 1],
                typing.get(int(group.people[lane, person]), PERFECT_TYPING),
            )
            for person in people
            if codes[lane, person]
        ]
        return observation_matrix(seen, self.models[locus])


def _locus_codes(observed: Sequence[Genotype], model: LocusModel) -> _LocusCodes:
    status = np.zeros(len(observed) + 1, dtype=np.int8)
    alleles = np.zeros((2, len(observed) + 1), dtype=np.intp)
    for code, genotype in enumerate(observed, start=1):
        homozygous = len(set(genotype.alleles)) == 1
        if genotype.partial or (homozygous and model.has_silent):
            status[code] = 2
        else:
            status[code] = 1
            alleles[:, code] = [model.position(allele) for allele in genotype.alleles]
    return _LocusCodes(status, alleles)
