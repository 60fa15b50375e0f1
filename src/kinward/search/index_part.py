"""Families of one table prepared in memory, to be asked about one child at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinward.model.locus_model import GeneticModel
from kinward.model.registry import ChildTable, FamilyTable
from kinward.search import exclusion, index_scan
from kinward.search.consistency import check_families
from kinward.search.evidence import ColumnTables, column_tables
from kinward.search.parent_tables import OneParentTable, ParentTables
from kinward.search.posterior_table import SlotGroup, group_slots
from kinward.search.rank import Hits, PairScorer, pair_scorer

__all__ = ["FamilyPart", "Query", "StoredScorer"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
Bits = NDArray[np.uint64]
Scan = Callable[[], "tuple[IntArray, FloatArray]"]
"""Returns slots at or above the threshold, and their log10 LR."""
SPAN = 1 << 17
"""Slots that one thread scans at a time; a multiple of 64."""


@dataclass(frozen=True, slots=True, eq=False)
class Query:
    """One child: `rows` (loci,) of the table of every genotype, -1 where none; its threshold."""

    rows: NDArray[np.int32]
    threshold: float


@dataclass(frozen=True, slots=True, eq=False)
class _Alleles:
    """Bits of the parents asked, and where a child's rows of bits are.

    `father` and `mother` (alleles, words): the parent of a slot may carry the allele; no rows for
    one who is not asked. `log_best` (flat child rows, 2) as in `exclusion.best_one_parent`, log10.
    """

    father: Bits
    mother: Bits
    log_best: FloatArray
    tables: ParentTables
    allele_start: IntArray

    def question(self, query: Query) -> tuple[IntArray, IntArray, int]:
        """Return rows of bits of the child's two alleles, and how many exclusions it may have."""
        typed = np.flatnonzero(query.rows >= 0)
        flat = self.tables.row_start[typed] + query.rows[typed]
        x, y = self.tables.first[flat], self.tables.second[flat]
        plain = x >= 0
        limit = exclusion.allowed_by_logs(
            self.log_best, query.rows[None, :], self.tables.row_start, np.array([query.threshold])
        )[0]
        start = self.allele_start[typed[plain]]
        return start + x[plain], start + y[plain], int(limit)


@dataclass(frozen=True, slots=True, eq=False)
class _OneParent:
    """Slots scored by one parent; `codes` (slots, loci) and log10 T of that parent."""

    slots: IntArray
    alleles: _Alleles
    codes: NDArray[np.uint16]
    table: OneParentTable
    log_ratios: FloatArray

    def scans(self, query: Query) -> Iterator[Scan]:
        x, y, limit = self.alleles.question(query)
        if limit < 0:
            return
        loci = np.flatnonzero(query.rows >= 0)
        base = self.table.start[loci] + query.rows[loci] * self.table.codes[loci]
        for first, last in _spans(len(self.slots)):
            yield partial(
                index_scan.scan_one, self.alleles.father, self.alleles.mother, x, y, limit,
                self.codes, loci, base, self.log_ratios, query.threshold, first, last,
            )  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class _TwoParents:
    """Slots scored by both parents' codes (slots, loci)."""

    slots: IntArray
    alleles: _Alleles
    father_codes: NDArray[np.uint16]
    mother_codes: NDArray[np.uint16]

    def scans(self, query: Query) -> Iterator[Scan]:
        x, y, limit = self.alleles.question(query)
        if limit < 0:
            return
        t = self.alleles.tables
        loci = np.flatnonzero(query.rows >= 0)
        flat = t.row_start[loci] + query.rows[loci]
        x_base = t.hand_start[loci] + t.first[flat] * t.codes[loci]
        y_base = t.hand_start[loci] + t.second[flat] * t.codes[loci]
        for first, last in _spans(len(self.slots)):
            yield partial(
                index_scan.scan_two, self.alleles.father, self.alleles.mother, x, y, limit,
                self.father_codes, self.mother_codes, loci, x_base, y_base, t.scale[flat],
                t.father, t.mother, query.threshold, first, last,
            )  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class _Columns:
    """Tabulated slots of one structure, filtered by a typed parent if there is one.

    `strict` as `tables.log_ratios` with mutation off, in one byte: an exclusion (1) or not (0), 2
    where the relatives are impossible.
    """

    slots: IntArray
    alleles: _Alleles | None
    tables: ColumnTables
    which: NDArray[np.uint16] | NDArray[np.int32]
    """(slots, loci) with a filter, (loci, slots) without: in the order in which it is read."""
    strict: NDArray[np.int8]

    def scans(self, query: Query) -> Iterator[Scan]:
        t = self.tables
        loci = np.flatnonzero(query.rows >= 0)
        base = t.start[loci] + query.rows[loci] * t.columns[loci]
        if self.alleles is None:
            for first, last in _spans(len(self.slots)):
                yield partial(
                    index_scan.scan_columns,
                    self.which,
                    loci,
                    base,
                    t.log_ratios,
                    query.threshold,
                    first,
                    last,
                )
            return
        x, y, limit = self.alleles.question(query)
        if limit < 0:
            return
        for first, last in _spans(len(self.slots)):
            yield partial(
                index_scan.scan_some_columns, self.alleles.father, self.alleles.mother, x, y,
                limit, self.which, loci, base, t.log_ratios, query.threshold, first, last,
            )  # fmt: skip

    def at(self, rows: IntArray, place: IntArray) -> IntArray:
        """Return where the figures of pairs stand, (pairs, loci), given rows and places here."""
        which: NDArray[Any] = self.which[:, place].T if self.alleles is None else self.which[place]
        found: IntArray = self.tables.start[:-1] + rows * self.tables.columns + which
        return found


@dataclass(frozen=True, slots=True, eq=False)
class StoredScorer(PairScorer):
    """A scorer that reads the figures of tabulated slots instead of building tables for them.

    `column_set` and `place` (slots,): where a tabulated slot is, -1 for the others.
    """

    column_sets: tuple[_Columns, ...]
    column_set: IntArray
    place: IntArray

    def tabulated(self, child: IntArray, slot: IntArray, *, plain: bool = False) -> FloatArray:
        """Return log10 T (pairs, loci) as `PairScorer` does."""
        out = np.zeros((len(child), len(self.columns)))
        rows = self.rows.rows[child].astype(np.int64)
        for number in np.unique(self.column_set[slot]).tolist():
            mine = np.flatnonzero(self.column_set[slot] == number)
            found = self.column_sets[number]
            at = found.at(np.maximum(rows[mine], 0), self.place[slot[mine]])
            out[mine] = _STRICT[found.strict[at]] if plain else found.tables.log_ratios[at]
        return np.where(rows >= 0, out, 0.0)


_STRICT = np.array([0.0, -np.inf, np.nan])


@dataclass(frozen=True, slots=True, eq=False)
class FamilyPart:
    """The families of one table.

    `held` (families,): those that are still part of the index; `live` (slots,): those of them that
    can be compared, their relatives not being impossible.
    """

    families: FamilyTable
    scorer: StoredScorer
    held: NDArray[np.bool_]
    live: NDArray[np.bool_]
    full: tuple[_OneParent | _TwoParents | _Columns, ...]
    father_alone: tuple[_OneParent, ...]
    mother_alone: tuple[_OneParent, ...]

    @classmethod
    def build(
        cls,
        families: FamilyTable,
        everybody: ChildTable,
        model: GeneticModel,
        threads: int,
    ) -> FamilyPart:
        """Prepare a table; `everybody` shows every genotype, see `child_rows.every_genotype`."""
        scorer = pair_scorer(everybody, families, model)
        findings = check_families(
            families, scorer.slots, scorer.builder, scorer.plain, scorer.columns, threads
        )
        impossible = np.array([f.family for f in findings if f.impossible], dtype=np.int64)
        maker = _Maker(scorer)
        slots = scorer.slots
        both = slots.father_typed & slots.mother_typed
        with ThreadPoolExecutor(max_workers=threads) as pool:
            columns = tuple(maker.columns(pool))
        column_set = np.full(len(slots), -1)
        place = np.full(len(slots), -1)
        for number, one in enumerate(columns):
            column_set[one.slots] = number
            place[one.slots] = np.arange(len(one.slots))
        full: tuple[_OneParent | _TwoParents | _Columns, ...] = (
            *columns,
            *maker.two_parents(slots.coded & both),
            *maker.one_parent(slots.coded & slots.father_typed & ~both, father=True),
            *maker.one_parent(slots.coded & ~slots.father_typed, father=False),
        )
        return cls(
            families,
            StoredScorer(
                everybody,
                families,
                slots,
                scorer.rows,
                scorer.tables,
                scorer.builder,
                scorer.plain,
                scorer.columns,
                columns,
                column_set,
                place,
            ),
            np.ones(len(families), dtype=np.bool_),
            ~np.isin(slots.family, impossible),
            full,
            tuple(maker.one_parent(both, father=True)),
            tuple(maker.one_parent(both, father=False)),
        )

    def held_families(self) -> IntArray:
        """Return the positions of the families that are still part of the index."""
        return np.flatnonzero(self.held)

    def without(self, families: NDArray[np.bool_]) -> FamilyPart:
        """Return the part with some families left out, given a mask over its families."""
        return replace(
            self, held=self.held & ~families, live=self.live & ~families[self.scorer.slots.family]
        )

    def scan(
        self, query: Query, child: int, pool: ThreadPoolExecutor, threads: int
    ) -> dict[str, Hits]:
        """Return pairs at or above the child's threshold: `full`, and one parent alone."""
        sets = {"full": self.full, "father": self.father_alone, "mother": self.mother_alone}
        scans = [
            (kind, one.slots, scan)
            for kind, members in sets.items()
            for one in members
            for scan in one.scans(query)
        ]

        def some(thread: int) -> list[tuple[str, Hits]]:
            found = []
            for kind, slots, scan in scans[thread::threads]:
                places, figures = scan()
                found.append((kind, Hits(np.full(len(places), child), slots[places], figures)))
            return found

        # One call per thread: handing over each scan would cost as much as the smaller ones take.
        parts = [part for answer in pool.map(some, range(threads)) for part in answer]
        joined = {kind: Hits.joined([hits for k, hits in parts if k == kind]) for kind in sets}
        return {kind: hits.where(self.live[hits.slot]) for kind, hits in joined.items()}


class _Maker:
    """Builds the sets of a part."""

    def __init__(self, scorer: PairScorer) -> None:
        self.scorer = scorer
        self.tables = scorer.tables
        self.alleles = np.array([len(m.frequencies) for m in scorer.builder.models], dtype=np.int64)
        self.allele_start = np.concatenate([[0], np.cumsum(self.alleles)])[:-1].astype(np.int64)

    def one_parent(self, chosen: NDArray[np.bool_], *, father: bool) -> Iterator[_OneParent]:
        slots = np.flatnonzero(chosen)
        if not len(slots):
            return
        t = self.tables
        table = t.father_only if father else t.mother_only
        codes = self._codes(slots, father=father)
        best = exclusion.best_one_parent(
            table.ratios, table.excluded, table.start, table.codes, t.row_start
        )
        bits, nobody = self._bits(codes), self._bits(codes[:0])
        with np.errstate(divide="ignore"):
            log_best, log_ratios = np.log10(best), np.log10(table.ratios)
        asked = (bits, nobody) if father else (nobody, bits)
        alleles = _Alleles(*asked, log_best, t, self.allele_start)
        yield _OneParent(slots, alleles, codes, table, log_ratios)

    def two_parents(self, chosen: NDArray[np.bool_]) -> Iterator[_TwoParents]:
        slots = np.flatnonzero(chosen)
        if not len(slots):
            return
        t = self.tables
        best = exclusion.best_two_parents(
            t.father, t.mother, t.shown, t.hand_start, t.codes, t.row_start, t.first, t.second,
            t.scale,
        )  # fmt: skip
        father, mother = (self._codes(slots, father=side) for side in (True, False))
        with np.errstate(divide="ignore"):
            log_best = np.log10(best)
        alleles = _Alleles(self._bits(father), self._bits(mother), log_best, t, self.allele_start)
        yield _TwoParents(slots, alleles, father, mother)

    def columns(self, pool: ThreadPoolExecutor) -> Iterator[_Columns]:
        scorer, slots = self.scorer, self.scorer.slots
        asked = slots.father_typed + 2 * slots.mother_typed
        for group in group_slots(scorer.families, slots, np.flatnonzero(~slots.coded)):
            for pattern in np.unique(asked[group.slots]).tolist():
                mine = asked[group.slots] == pattern
                part = replace(group, slots=group.slots[mine], people=group.people[mine])
                yield self._columns(part, bool(pattern & 1), bool(pattern & 2), pool)

    def _columns(
        self, group: SlotGroup, father: bool, mother: bool, pool: ThreadPoolExecutor
    ) -> _Columns:
        scorer = self.scorer
        tables = column_tables(scorer.families, scorer.builder, group, pool.map)
        plain = column_tables(scorer.families, scorer.plain(), group, pool.map).log_ratios
        strict = np.isneginf(plain) + 2 * np.isnan(plain).astype(np.int8)
        if not father and not mother:
            return _Columns(group.slots, None, tables, tables.which, strict)
        t = self.tables
        codes = [self._codes(group.slots, father=side) for side in (True, False)]
        if not father:
            codes[0][:] = 0
        if not mother:
            codes[1][:] = 0
        columns_of = [_by_column(tables, code) for code in codes]
        log_best = index_scan.best_columns(
            tables.log_ratios, tables.start, tables.columns, columns_of[0], columns_of[1], t.shown,
            t.hand_start, t.codes, t.row_start, t.first, t.second,
        )  # fmt: skip
        alleles = _Alleles(
            self._bits(codes[0][: len(codes[0]) * father]),
            self._bits(codes[1][: len(codes[1]) * mother]),
            log_best,
            t,
            self.allele_start,
        )
        return _Columns(group.slots, alleles, tables, tables.which.T.copy(), strict)

    def _codes(self, slots: IntArray, *, father: bool) -> NDArray[np.uint16]:
        """Return the genotype codes of a registered parent, (slots, loci)."""
        parent = (self.scorer.slots.father if father else self.scorer.slots.mother)[slots]
        return self.tables.parents.everywhere(parent).astype(np.uint16)

    def _bits(self, codes: NDArray[np.uint16]) -> Bits:
        """Return (alleles, words); no rows for no slots."""
        if not len(codes):
            return np.zeros((0, 0), dtype=np.uint64)
        t = self.tables
        bits: Bits = exclusion.allele_bits(
            np.ascontiguousarray(codes.T), t.shown, t.hand_start, t.codes, self.alleles
        )
        return bits


def _by_column(tables: ColumnTables, codes: NDArray[np.uint16]) -> IntArray:
    """Return the parent's code of every column, locus after locus, given codes (slots, loci)."""
    by_column = [np.zeros(size, dtype=np.int64) for size in tables.columns]
    for locus, out in enumerate(by_column):
        out[tables.which[locus]] = codes[:, locus]
    return np.concatenate(by_column)


def _spans(slots: int) -> Iterator[tuple[int, int]]:
    for first in range(0, slots, SPAN):
        yield first, min(first + SPAN, slots)
