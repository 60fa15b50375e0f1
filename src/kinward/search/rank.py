"""From raw hits to ranked candidates with everything a reader asks of a pair."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kinward.model.registry import ChildTable, FamilyTable
from kinward.search.child_rows import ChildRows
from kinward.search.parent_tables import ParentTables
from kinward.search.posterior_table import TableBuilder, group_slots
from kinward.search.record import Candidates
from kinward.search.slots import Slots

__all__ = ["Hits", "PairScorer", "rank"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Hits:
    """Pairs of child and slot, by position, with a log10 LR."""

    child: IntArray
    slot: IntArray
    log10_lr: FloatArray

    @classmethod
    def joined(cls, parts: Sequence[Hits]) -> Hits:
        """Return all parts as one."""
        if not parts:
            return cls(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))
        return cls(
            np.concatenate([p.child for p in parts]),
            np.concatenate([p.slot for p in parts]),
            np.concatenate([p.log10_lr for p in parts]),
        )

    def where(self, keep: NDArray[np.bool_]) -> Hits:
        """Return some of the pairs."""
        return Hits(self.child[keep], self.slot[keep], self.log10_lr[keep])


@dataclass(frozen=True, slots=True, eq=False)
class PairScorer:
    """Exact figures for chosen pairs, whatever the threshold.

    `builder` uses the model of the run, `plain` the same without mutation and silent alleles, with
    `plain_rows` the children's rows under it.
    """

    children: ChildTable
    families: FamilyTable
    slots: Slots
    rows: ChildRows
    tables: ParentTables
    builder: TableBuilder
    plain: Callable[[], TableBuilder]
    columns: NDArray[np.intp]

    def alone(self, child: IntArray, slot: IntArray, *, father: bool) -> FloatArray:
        """Return log10 LR with one registered parent alone; NaN unless both are typed."""
        table = self.tables.father_only if father else self.tables.mother_only
        parent = (self.slots.father if father else self.slots.mother)[slot]
        both = self.slots.father_typed[slot] & self.slots.mother_typed[slot]
        total = np.zeros(len(child))
        for locus in range(len(self.columns)):
            row = self.rows.rows[child, locus]
            code = self.tables.parents.at(parent, locus)
            at = table.start[locus] + np.maximum(row, 0) * table.codes[locus] + code
            with np.errstate(divide="ignore"):
                total += np.where(row >= 0, np.log10(table.ratios[at]), 0.0)
        return np.where(both, total, np.nan)

    def full(self, child: IntArray, slot: IntArray) -> FloatArray:
        """Return log10 LR with all relatives; NaN for an impossible family."""
        total = np.empty(len(child))
        coded = self.slots.coded[slot]
        total[coded] = self._full_coded(child[coded], slot[coded])
        total[~coded] = self._full_tabulated(child[~coded], slot[~coded])
        return total

    def _full_coded(self, child: IntArray, slot: IntArray) -> FloatArray:
        t = self.tables
        total = np.zeros(len(child))
        for locus in range(len(self.columns)):
            row = self.rows.rows[child, locus].astype(np.int64)
            father = t.parents.at(self.slots.father[slot], locus)
            mother = t.parents.at(self.slots.mother[slot], locus)
            flat = t.row_start[locus] + np.maximum(row, 0)
            x = t.hand_start[locus] + t.first[flat] * t.codes[locus]
            y = t.hand_start[locus] + t.second[flat] * t.codes[locus]
            ratio = t.scale[flat] * (
                t.father[x + father] * t.mother[y + mother]
                + t.father[y + father] * t.mother[x + mother]
            )
            for odd in self.rows.per_locus[locus].composite:
                mine = np.flatnonzero(row == odd)
                if len(mine):
                    table = self.composite_ratios(locus, odd)
                    ratio[mine] = table[father[mine], mother[mine]]
            with np.errstate(divide="ignore"):
                total += np.where(row >= 0, np.log10(ratio), 0.0)
        return total

    def coded_table(self, locus: int, slot: IntArray) -> FloatArray:
        """Return T of every row at one locus for coded slots, (rows, slots)."""
        t = self.tables
        size = int(t.codes[locus])
        span = slice(int(t.hand_start[locus]), int(t.hand_start[locus + 1]))
        father = t.father[span].reshape(-1, size)[:, t.parents.at(self.slots.father[slot], locus)]
        mother = t.mother[span].reshape(-1, size)[:, t.parents.at(self.slots.mother[slot], locus)]
        locus_rows = self.rows.per_locus[locus]
        joint = father[:, None, :] * mother[None, :, :]
        table: FloatArray = locus_rows.onto_rows(joint) / locus_rows.chance[:, None]
        return table

    def alone_table(self, locus: int, slot: IntArray, *, father: bool) -> FloatArray:
        """Return T of every row at one locus with one registered parent alone, (rows, slots)."""
        table = self.tables.father_only if father else self.tables.mother_only
        parent = (self.slots.father if father else self.slots.mother)[slot]
        code = self.tables.parents.at(parent, locus)
        span = slice(int(table.start[locus]), int(table.start[locus + 1]))
        ratios: FloatArray = table.ratios[span].reshape(-1, int(table.codes[locus]))
        return ratios[:, code]

    def composite_ratios(self, locus: int, row: int) -> FloatArray:
        """Return T of a composite row by the codes of both parents, (codes, codes)."""
        t = self.tables
        size = int(t.codes[locus])
        span = slice(int(t.hand_start[locus]), int(t.hand_start[locus + 1]))
        father = t.father[span].reshape(-1, size)
        mother = t.mother[span].reshape(-1, size)
        locus_rows = self.rows.per_locus[locus]
        joint = father.T @ locus_rows.composite[row] @ mother
        ratios: FloatArray = joint / locus_rows.chance[row]
        return ratios

    def _full_tabulated(self, child: IntArray, slot: IntArray) -> FloatArray:
        with np.errstate(divide="ignore"):
            parts = self._per_locus(child, slot, self.builder, self.rows)
            total: FloatArray = np.log10(parts).sum(axis=1)
            return total

    def _per_locus(
        self, child: IntArray, slot: IntArray, builder: TableBuilder, rows: ChildRows
    ) -> FloatArray:
        """Return T per pair and locus (1 where the child is untyped), (pairs, loci)."""
        out = np.ones((len(child), len(self.columns)))
        unique, position = np.unique(slot, return_inverse=True)
        for group in group_slots(self.families, self.slots, unique):
            place = np.full(len(unique), -1)
            place[np.searchsorted(unique, group.slots)] = np.arange(len(group.slots))
            lane = place[position]
            mine = np.flatnonzero(lane >= 0)
            for locus in range(len(self.columns)):
                table, _ = builder.tables(group, locus)
                row = rows.rows[child[mine], locus]
                values = table[np.maximum(row, 0), lane[mine]]
                out[mine, locus] = np.where(row >= 0, values, 1.0)
        return out

    def exclusions(self, child: IntArray, slot: IntArray) -> NDArray[np.int16]:
        """Return the number of Mendelian inconsistencies, mutation and silent alleles off.

        Where the relatives contradict each other without mutation, only the parents are asked.
        """
        parents = self._excluded_by_parents(child, slot)
        coded = self.slots.coded[slot]
        tabulated = np.flatnonzero(~coded)
        if len(tabulated):
            plain = self.plain()
            ratios = self._per_locus(child[tabulated], slot[tabulated], plain, plain.rows)
            parents[tabulated] = np.where(np.isnan(ratios), parents[tabulated], ratios == 0.0)
        counts: NDArray[np.int16] = parents.sum(axis=1).astype(np.int16)
        return counts

    def _excluded_by_parents(self, child: IntArray, slot: IntArray) -> NDArray[np.bool_]:
        t = self.tables
        out = np.zeros((len(child), len(self.columns)), dtype=np.bool_)
        for locus in range(len(self.columns)):
            row = self.rows.rows[child, locus].astype(np.int64)
            father = t.parents.at(self.slots.father[slot], locus)
            mother = t.parents.at(self.slots.mother[slot], locus)
            locus_rows = self.rows.per_locus[locus]
            span = slice(int(t.hand_start[locus]), int(t.hand_start[locus + 1]))
            shown = t.shown[span].reshape(-1, int(t.codes[locus]))
            x = locus_rows.first[np.maximum(row, 0)]
            y = locus_rows.second[np.maximum(row, 0)]
            fits = (shown[x, father] & shown[y, mother]) | (shown[y, father] & shown[x, mother])
            for odd, weights in locus_rows.composite.items():
                mine = np.flatnonzero(row == odd)
                fits[mine] = False
                for one, two in np.argwhere(weights > 0):
                    fits[mine] |= shown[one, father[mine]] & shown[two, mother[mine]]
            out[:, locus] = (row >= 0) & ~fits
        return out

    def loci(self, child: IntArray, slot: IntArray) -> NDArray[np.int16]:
        """Return the number of loci typed in the child and in at least one relative."""
        families, position = np.unique(self.slots.family[slot], return_inverse=True)
        codes = self.families.genotypes.codes
        typed = np.zeros((len(families), len(self.columns)), dtype=np.bool_)
        for place, family in enumerate(families):
            start, stop = self.families.first[family : family + 2]
            people = ~self.families.missing[start:stop]
            typed[place] = (codes[start:stop][people][:, self.columns] > 0).any(axis=0)
        relatives = typed[position]
        relatives |= codes[self.slots.row[slot]][:, self.columns] > 0
        counts: NDArray[np.int16] = (
            (relatives & (self.rows.rows[child] >= 0)).sum(axis=1).astype(np.int16)
        )
        return counts


def rank(hits: Hits, scorer: PairScorer) -> Candidates:
    """Complete the pairs and sort them: by child, log10 LR descending, family, slot."""
    family = scorer.slots.family[hits.slot]
    order = np.lexsort((hits.slot, family, -hits.log10_lr, hits.child))
    child, slot, log10_lr = hits.child[order], hits.slot[order], hits.log10_lr[order]
    sex_child = scorer.children.sex[child]
    row = scorer.slots.row[slot]
    sex_missing = scorer.families.sex[row]
    return Candidates(
        child,
        scorer.slots.family[slot],
        row,
        log10_lr,
        scorer.alone(child, slot, father=True),
        scorer.alone(child, slot, father=False),
        scorer.loci(child, slot),
        scorer.exclusions(child, slot),
        (sex_child > 0) & (sex_missing > 0) & (sex_child != sex_missing),
    )
