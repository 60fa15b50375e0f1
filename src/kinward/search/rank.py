"""From raw hits to ranked candidates with everything a reader asks of a pair."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from numpy.typing import NDArray

from kinward.likelihood.missing import without_mutation
from kinward.model.locus_model import GeneticModel
from kinward.model.registry import ChildTable, FamilyTable
from kinward.search.child_rows import ChildRows, child_rows
from kinward.search.parent_tables import ParentTables
from kinward.search.posterior_table import TableBuilder, group_slots
from kinward.search.record import Candidates
from kinward.search.slots import Slots, find_slots

__all__ = ["Hits", "PairScorer", "below_together", "pair_scorer", "rank"]

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
        codes = self._parent_codes(slot, father=father)
        row = self.rows.rows[child].astype(np.int64)
        ratios = table.ratios[table.start[:-1] + np.maximum(row, 0) * table.codes + codes]
        both = self.slots.father_typed[slot] & self.slots.mother_typed[slot]
        return np.where(both, _log_sum(ratios, row >= 0), np.nan)

    def full(self, child: IntArray, slot: IntArray) -> FloatArray:
        """Return log10 LR with all relatives; NaN for an impossible family."""
        total = np.empty(len(child))
        coded = self.slots.coded[slot]
        total[coded] = self._full_coded(child[coded], slot[coded])
        child, slot = child[~coded], slot[~coded]
        total[~coded] = self.tabulated(child, slot).sum(axis=1)
        return total

    def _parent_codes(self, slot: IntArray, *, father: bool) -> IntArray:
        parent = (self.slots.father if father else self.slots.mother)[slot]
        return self.tables.parents.everywhere(parent).astype(np.int64)

    def _full_coded(self, child: IntArray, slot: IntArray) -> FloatArray:
        t = self.tables
        row = self.rows.rows[child].astype(np.int64)
        father, mother = (self._parent_codes(slot, father=side) for side in (True, False))
        flat = t.row_start[:-1] + np.maximum(row, 0)
        x = t.hand_start[:-1] + t.first[flat] * t.codes
        y = t.hand_start[:-1] + t.second[flat] * t.codes
        ratio = t.scale[flat] * (
            t.father[x + father] * t.mother[y + mother]
            + t.father[y + father] * t.mother[x + mother]
        )
        for locus, odd, mine in self._composite(child, row):
            table = self.composite_ratios(locus, odd)
            ratio[mine, locus] = table[father[mine, locus], mother[mine, locus]]
        return _log_sum(ratio, row >= 0)

    def _composite(self, child: IntArray, row: IntArray) -> Iterator[tuple[int, int, IntArray]]:
        """Yield locus, composite row and the pairs whose child shows it."""
        if not self.rows.composite[child].any():
            return
        for locus, locus_rows in enumerate(self.rows.per_locus):
            for odd in locus_rows.composite:
                mine = np.flatnonzero(row[:, locus] == odd)
                if len(mine):
                    yield locus, odd, mine

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

    def tabulated(self, child: IntArray, slot: IntArray, *, plain: bool = False) -> FloatArray:
        """Return log10 T (pairs, loci) of tabulated slots, 0 where the child is untyped.

        `plain`: with mutation, silent alleles and theta off. NaN where relatives are impossible.
        """
        builder = self.plain() if plain else self.builder
        out = np.ones((len(child), len(self.columns)))
        unique, position = np.unique(slot, return_inverse=True)
        for group in group_slots(self.families, self.slots, unique):
            place = np.full(len(unique), -1)
            place[np.searchsorted(unique, group.slots)] = np.arange(len(group.slots))
            lane = place[position]
            mine = np.flatnonzero(lane >= 0)
            for locus in range(len(self.columns)):
                table, _ = builder.tables(group, locus)
                row = builder.rows.rows[child[mine], locus]
                values = table[np.maximum(row, 0), lane[mine]]
                out[mine, locus] = np.where(row >= 0, values, 1.0)
        with np.errstate(divide="ignore"):
            log_ratios: FloatArray = np.log10(out)
        return log_ratios

    def exclusions(self, child: IntArray, slot: IntArray) -> NDArray[np.int16]:
        """Return the number of Mendelian inconsistencies, mutation and silent alleles off.

        Where the relatives contradict each other without mutation, only the parents are asked.
        """
        parents = self._excluded_by_parents(child, slot)
        coded = self.slots.coded[slot]
        tabulated = np.flatnonzero(~coded)
        if len(tabulated):
            ratios = self.tabulated(child[tabulated], slot[tabulated], plain=True)
            excluded = np.isneginf(ratios)
            parents[tabulated] = np.where(np.isnan(ratios), parents[tabulated], excluded)
        counts: NDArray[np.int16] = parents.sum(axis=1).astype(np.int16)
        return counts

    def _excluded_by_parents(self, child: IntArray, slot: IntArray) -> NDArray[np.bool_]:
        t = self.tables
        row = self.rows.rows[child].astype(np.int64)
        father, mother = (self._parent_codes(slot, father=side) for side in (True, False))
        flat = t.row_start[:-1] + np.maximum(row, 0)
        x = t.hand_start[:-1] + t.first[flat] * t.codes
        y = t.hand_start[:-1] + t.second[flat] * t.codes
        fits = (t.shown[x + father] & t.shown[y + mother]) | (
            t.shown[y + father] & t.shown[x + mother]
        )
        for locus, odd, mine in self._composite(child, row):
            base, size = int(t.hand_start[locus]), int(t.codes[locus])
            one, two = father[mine, locus], mother[mine, locus]
            fits[mine, locus] = False
            for a, b in np.argwhere(self.rows.per_locus[locus].composite[odd] > 0):
                fits[mine, locus] |= t.shown[base + a * size + one] & t.shown[base + b * size + two]
        excluded: NDArray[np.bool_] = (row >= 0) & ~fits
        return excluded

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


def pair_scorer(
    children: ChildTable, families: FamilyTable, model: GeneticModel, slots: Slots | None = None
) -> PairScorer:
    """Prepare the tables by which pairs are scored; `slots` if they are known already."""
    columns = np.array([families.genotypes.loci.index(x) for x in model.loci], dtype=np.intp)
    rows = child_rows(children, model, tuple(model.loci))

    @cache
    def plain() -> TableBuilder:
        strict = _without_mutation(model)
        plain_rows = child_rows(children, strict, tuple(model.loci))
        return TableBuilder(families, strict, plain_rows, columns.tolist())

    return PairScorer(
        children,
        families,
        find_slots(families, model, columns) if slots is None else slots,
        rows,
        ParentTables.build(families, model, rows, columns.tolist()),
        TableBuilder(families, model, rows, columns.tolist()),
        plain,
        columns,
    )


def _without_mutation(model: GeneticModel) -> GeneticModel:
    loci = {locus: without_mutation(m) for locus, m in model.loci.items()}
    return replace(model, loci=loci, mutation="none", theta=0.0, silent=0.0)


def below_together(
    alone: Mapping[str, Hits], full: Hits, scorer: PairScorer, threshold: float
) -> Hits:
    """Return pairs that one registered parent alone explains, but not both together."""
    slots = len(scorer.slots)
    keys = [hits.child * slots + hits.slot for hits in alone.values()]
    if not keys:
        return Hits.joined([])
    key = np.setdiff1d(np.unique(np.concatenate(keys)), full.child * slots + full.slot)
    child, slot = key // slots, key % slots
    log10_lr = scorer.full(child, slot)
    log10_lr = np.where(np.isnan(log10_lr), -np.inf, log10_lr)
    return Hits(child, slot, log10_lr).where(log10_lr < threshold)


def _log_sum(ratios: FloatArray, typed: NDArray[np.bool_]) -> FloatArray:
    """Return the sum of log10 T (pairs, loci) over the loci at which the child is typed."""
    with np.errstate(divide="ignore"):
        total: FloatArray = np.where(typed, np.log10(ratios), 0.0).sum(axis=1)
    return total


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
