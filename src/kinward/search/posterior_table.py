"""Missing-child tables: the likelihood ratio of every possible child, one family elimination each.

T[row] = P(observation, relatives | the child is the missing child) / P(observation, relatives |
it is unrelated), for each observation that occurs among the children. Families of one shape are
eliminated together, one lane each.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from kinward.likelihood.genome import Genomes, Observation, Status
from kinward.likelihood.observation import observation_matrix
from kinward.likelihood.run import evaluate, model_of
from kinward.likelihood.tables import Lanes
from kinward.model.locus_model import GeneticModel, LocusModel
from kinward.model.profile import PERFECT_TYPING, Genotype, TypingModel
from kinward.model.registry import FamilyTable
from kinward.search.child_rows import ChildRows, LocusRows
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
    groups: dict[bytes, list[int]] = {}
    for slot in chosen.tolist():
        start, stop = families.first[slots.family[slot] : slots.family[slot] + 2].tolist()
        key = b"".join(
            (
                (int(slots.row[slot]) - start).to_bytes(2, "little"),
                families.father[start:stop].tobytes(),
                families.mother[start:stop].tobytes(),
                families.missing[start:stop].tobytes(),
                families.twin[start:stop].tobytes(),
                families.founder_inbreeding[start:stop].tobytes(),
            )
        )
        groups.setdefault(key, []).append(slot)
    return [_slot_group(families, slots, members) for members in groups.values()]


def _slot_group(families: FamilyTable, slots: Slots, members: list[int]) -> SlotGroup:
    family = int(slots.family[members[0]])
    start, stop = int(families.first[family]), int(families.first[family + 1])
    person = int(slots.row[members[0]]) - start
    genomes = Genomes.of(families.pedigree(family))
    ids = [str(name) for name in families.person_ids[start:stop]]
    chosen = np.array(members, dtype=np.int64)
    first = families.first[slots.family[chosen]]
    hidden = np.flatnonzero(families.missing[start:stop]).tolist()
    return SlotGroup(
        chosen,
        first[:, None] + np.arange(stop - start),
        genomes,
        tuple(genomes.of_person[name] for name in ids),
        person,
        tuple(int(other) for other in hidden if other != person),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _LocusCodes:
    """Genotype codes of families at one locus: status and allele indices per code."""

    status: NDArray[np.int8]
    alleles: NDArray[np.intp]


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
        for lanes, status, evidence in self._lane_sets(group, locus):
            ratio, relatives = self._ratios(group, locus, locus_rows, status, evidence)
            out[:, lanes] = ratio
            alone[lanes] = relatives
        return out, alone

    def relatives(self, group: SlotGroup, locus: int) -> FloatArray:
        """Return P(relatives) (slots,) at one locus."""
        alone = np.empty(len(group.slots))
        for lanes, status, evidence in self._lane_sets(group, locus):
            shape = group.genomes.shape(status, x_linked=False)
            alone[lanes] = evaluate(shape, self.lane_models[locus], evidence)
        return alone

    def _ratios(
        self,
        group: SlotGroup,
        locus: int,
        locus_rows: LocusRows,
        status: tuple[Status, ...],
        evidence: Lanes,
    ) -> tuple[FloatArray, FloatArray]:
        model = self.lane_models[locus]
        target = group.genome_of_person[group.person]
        shape = group.genomes.shape(status, x_linked=False, target=(target,))
        joint = evaluate(shape, model, evidence)
        relatives = self._alone(joint, group, locus, status, evidence)
        same = locus_rows.onto_rows(joint)
        if model.theta:
            apart = group.genomes.with_founder(male=False)
            new = len(group.genomes.father)
            other = apart.shape((*status, "untyped"), x_linked=False, target=(new,))
            unrelated = locus_rows.onto_rows(evaluate(other, model, evidence))
        else:
            unrelated = locus_rows.chance[:, None] * relatives
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.where(relatives > 0, same / unrelated, np.nan)
        return ratio, relatives

    def _alone(
        self,
        joint: FloatArray,
        group: SlotGroup,
        locus: int,
        status: tuple[Status, ...],
        evidence: Lanes,
    ) -> FloatArray:
        """Return P(relatives) (lanes,), given P(relatives, alleles of the missing child).

        That is the sum over the child's alleles, unless frequencies do not sum to one (an allele
        was added): an untyped ancestor of the child alone counts as one, not as their sum.
        """
        if abs(self.models[locus].frequencies.sum() - 1.0) < SUMS_TO_ONE:
            alone: FloatArray = joint.sum(axis=(0, 1))
            return alone
        shape = group.genomes.shape(status, x_linked=False)
        return evaluate(shape, self.lane_models[locus], evidence)

    def _lane_sets(
        self, group: SlotGroup, locus: int
    ) -> Iterator[tuple[NDArray[np.intp], tuple[Status, ...], Lanes]]:
        """Yield lanes of equal status, at most LANES at a time, with their observations."""
        codes = self.families.genotypes.codes[group.people, self.columns[locus]].astype(np.intp)
        codes[:, list(group.hidden)] = 0
        status = self._genome_status(group, locus, codes)
        if status.shape[1] <= 40:
            key = status @ 3 ** np.arange(status.shape[1], dtype=np.int64)
            pattern, where = np.unique(key, return_inverse=True)
        else:  # such a number would not fit into 64 bits
            pattern, where = np.unique(status, axis=0, return_inverse=True)
            where = where.reshape(-1)
        for number in range(len(pattern)):
            members = np.flatnonzero(where == number)
            kinds = tuple(STATUSES[s] for s in status[members[0]])
            for start in range(0, len(members), LANES):
                lanes = members[start : start + LANES]
                yield lanes, kinds, self._lanes(group, locus, codes, lanes, kinds)

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

    def _lanes(
        self,
        group: SlotGroup,
        locus: int,
        codes: NDArray[np.intp],
        lanes: NDArray[np.intp],
        status: tuple[Status, ...],
    ) -> Lanes:
        alleles: dict[int, NDArray[np.intp]] = {}
        observed: dict[int, FloatArray] = {}
        for genome, kind in enumerate(status):
            people = [p for p, g in enumerate(group.genome_of_person) if g == genome]
            if kind == "phased":
                code = codes[lanes][:, people].max(axis=1)
                alleles[genome] = self.codes[locus].alleles[code].T
            elif kind == "open":
                observed[genome] = np.stack(
                    [self._observed(group, locus, codes[lane], lane, people) for lane in lanes],
                    axis=-1,
                )
        return Lanes(len(lanes), alleles, observed)

    def _observed(
        self,
        group: SlotGroup,
        locus: int,
        codes: NDArray[np.intp],
        lane: int,
        people: Sequence[int],
    ) -> FloatArray:
        genotypes = self.families.genotypes.observed[self.columns[locus]]
        typing: Mapping[int, TypingModel] = self.families.typing
        seen = [
            Observation(
                genotypes[codes[person] - 1],
                typing.get(int(group.people[lane, person]), PERFECT_TYPING),
            )
            for person in people
            if codes[person]
        ]
        return observation_matrix(seen, self.models[locus])


def _locus_codes(observed: Sequence[Genotype], model: LocusModel) -> _LocusCodes:
    status = np.zeros(len(observed) + 1, dtype=np.int8)
    alleles = np.zeros((len(observed) + 1, 2), dtype=np.intp)
    for code, genotype in enumerate(observed, start=1):
        homozygous = len(set(genotype.alleles)) == 1
        if genotype.partial or (homozygous and model.has_silent):
            status[code] = 2
        else:
            status[code] = 1
            alleles[code] = [model.position(allele) for allele in genotype.alleles]
    return _LocusCodes(status, alleles)
