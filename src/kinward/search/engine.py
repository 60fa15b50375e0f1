"""The search: every child against every slot, block by block, in several threads."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version

import numpy as np
from numpy.typing import NDArray

from kinward.errors import ModelError
from kinward.model.locus_model import GeneticModel
from kinward.model.marker import find_locus, linked_among
from kinward.model.mutation import MutationScheme
from kinward.model.population import FrequencyTable
from kinward.model.registry import ChildTable, FamilyTable
from kinward.search import exclusion
from kinward.search.chance import chance_matches
from kinward.search.child_rows import ChildRows
from kinward.search.consistency import check_families
from kinward.search.evidence import column_tables
from kinward.search.parent_tables import OneParentTable, ParentTables
from kinward.search.posterior_table import SlotGroup, group_slots
from kinward.search.rank import Hits, PairScorer, below_together, pair_scorer, rank
from kinward.search.record import FamilyFinding, SearchRun
from kinward.search.scan import budgets, penalties, scan_table, spread
from kinward.search.slots import Slots

__all__ = ["PreparedModel", "on_x", "prepare_model", "search", "time_scan"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
Job = Callable[[], "tuple[str, Hits]"]
"""One block's scan: returns what kind of score it made, and the pairs."""
Progress = Callable[[str, int, int], None]
"""Called with a stage's name, work done and work in all."""

CODED_BLOCK = 8192
TABLE_BLOCK = 512
"""Slots per block: their bits or bytes stay in the second-level cache."""
TABLE_BUILD = 1 << 15
"""Slots whose tables are built together: many share a column, and memory stays bounded."""
FIRST_HITS = 1 << 14


@dataclass(frozen=True, slots=True)
class PreparedModel:
    """The model of a run and what had to be said about making it."""

    model: GeneticModel
    notes: tuple[str, ...]


def _alleles_seen(*tables: ChildTable | FamilyTable) -> Mapping[str, set[str]]:
    seen: dict[str, set[str]] = {}
    for table in tables:
        for locus, observed in zip(table.genotypes.loci, table.genotypes.observed, strict=True):
            seen.setdefault(locus, set()).update(a for g in observed for a in g.alleles)
    return seen


def on_x(name: str) -> bool:
    """Return whether a locus lies on the X, where the search does not look."""
    locus = find_locus(name)
    return locus is not None and locus.kind == "X"


def prepare_model(
    children: ChildTable,
    families: FamilyTable,
    table: FrequencyTable,
    mutation: MutationScheme,
    *,
    theta: float = 0.0,
    silent: float = 0.0,
) -> PreparedModel:
    """Build the model for the loci that children, families and frequencies share.

    Notes name loci without frequencies or on the X, alleles that were added, and linked pairs.
    Raises ModelError if no locus is shared.
    """
    both = [locus for locus in children.genotypes.loci if locus in families.genotypes.loci]
    shared = [locus for locus in both if not on_x(locus)]
    usable = [locus for locus in shared if locus in table.loci]
    notes = [f"{locus} is skipped: loci on the X are not searched" for locus in both if on_x(locus)]
    notes += [
        f"{locus} is skipped: {table.name} has no frequencies for it"
        for locus in shared
        if locus not in table.loci
    ]
    if not usable:
        raise ModelError(
            f"children, families and {table.name} share no locus; check the column names or "
            "choose another frequency table"
        )
    model = GeneticModel.build(
        table,
        mutation,
        theta=theta,
        silent=silent,
        loci=usable,
        seen=_alleles_seen(children, families),
    )
    for locus, extra in model.added.items():
        listed = ", ".join(f"{allele} ({value:.2g})" for allele, value in extra.items())
        notes.append(f"{locus}: alleles not in {table.name} were given a frequency: {listed}")
    for pair in linked_among(usable):
        notes.append(
            f"{pair.first} and {pair.second} are linked; their product is exact only for "
            "parent and child, and close for other relatives"
        )
    notes.extend(table.notes)
    return PreparedModel(model, tuple(notes))


def search(
    children: ChildTable,
    families: FamilyTable,
    model: GeneticModel,
    *,
    min_log10_lr: float | None = None,
    expected_false: float | None = None,
    threads: int = 2,
    seed: int = 1,
    progress: Progress | None = None,
    notes: Sequence[str] = (),
    on_findings: Callable[[tuple[FamilyFinding, ...]], None] | None = None,
) -> SearchRun:
    """Compare every child with every missing child and return all pairs at or above a threshold.

    The threshold is `min_log10_lr`, or the one at which `expected_false` chance matches are
    expected in this run. Complete: a pair is left out only if its exact log10 LR is below it.
    `seed` serves the chance matches alone. `on_findings` is told of families whose relatives
    contradict each other before anything is compared, and may raise to stop there. Raises
    ModelError unless exactly one of the two is given, and if there is nobody to compare.
    """
    if (min_log10_lr is None) == (expected_false is None):
        raise ModelError("give either a smallest log10 LR or a number of expected chance matches")
    if min_log10_lr is not None and np.isnan(min_log10_lr):
        raise ModelError("the smallest log10 LR is not a number")
    if not len(children) or not families.missing.any():
        raise ModelError("a search needs at least one child and one missing child")
    clock = _Clock()
    scorer = pair_scorer(children, families, model)
    slots = scorer.slots
    clock.lap("prepare")
    findings = check_families(
        families, slots, scorer.builder, scorer.plain, scorer.columns, threads
    )
    clock.lap("check families")
    if on_findings is not None:
        on_findings(findings)
    chance = chance_matches(scorer, model, seed=seed)
    threshold = (
        float(min_log10_lr) if min_log10_lr is not None else chance.threshold(expected_false or 0.0)
    )
    clock.lap("chance matches")
    impossible = np.array([f.family for f in findings if f.impossible], dtype=np.int64)
    work = _Work(scorer, threshold)
    full, alone = work.run(threads, progress)
    clock.lap("scan")
    # Where the relatives cannot be related as stated, no figure means anything.
    full, *parts = (
        hits.where(~np.isin(slots.family[hits.slot], impossible))
        for hits in (full, *alone.values())
    )
    alone = dict(zip(alone, parts, strict=True))
    candidates = rank(full, scorer)
    one_parent = rank(below_together(alone, full, scorer, threshold), scorer)
    clock.lap("rank")
    return SearchRun(
        children=children,
        families=families,
        model=model,
        min_log10_lr=threshold,
        candidates=candidates,
        one_parent=one_parent,
        findings=findings,
        chance=chance.beside_found(threshold, full, alone),
        pairs=len(children) * len(slots),
        threads=threads,
        seed=seed,
        seconds=clock.laps,
        notes=tuple(notes),
        version=version("kinward"),
    )


def time_scan(
    children: ChildTable,
    families: FamilyTable,
    model: GeneticModel,
    min_log10_lr: float,
    threads: int,
) -> tuple[int, float]:
    """Scan the coded slots with all their relatives; return pairs and wall seconds.

    What `bench` measures: filter, extraction and exact scores of slots with one or two typed
    parents, without reading, tables of other families, ranking or one-parent scores.
    """
    scorer = pair_scorer(children, families, model)
    work = _Work(scorer, min_log10_lr)
    jobs = list(work.coded_jobs())
    start = time.perf_counter()
    work.run_jobs(jobs, threads, None)
    seconds = time.perf_counter() - start
    return len(children) * int(scorer.slots.coded.sum()), seconds


class _Clock:
    """Wall time by stage."""

    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, stage: str) -> None:
        now = time.perf_counter()
        self.laps[stage] = now - self._last
        self._last = now


@dataclass(frozen=True, slots=True, eq=False)
class _OneParentFilter:
    """What the scan of one-parent slots discards pairs by; see `exclusion.scan_one_parent`."""

    limits: IntArray
    steps: NDArray[np.int8]
    tops: IntArray
    scale: float


@dataclass(frozen=True, slots=True, eq=False)
class _TwoParentFilter:
    """What the scan of two-parent slots discards pairs by; see `exclusion`.

    `children` (children, loci) rows and `thresholds` (children,), composite rows left out.
    """

    best: FloatArray
    limits: IntArray
    children: NDArray[np.int32]
    thresholds: FloatArray


class _Work:
    """All blocks of one search. A block's scan is a pure function of the block and the children."""

    def __init__(self, scorer: PairScorer, threshold: float) -> None:
        self.scorer = scorer
        self.threshold = threshold
        self.rows: ChildRows = scorer.rows
        self.tables: ParentTables = scorer.tables
        slots: Slots = scorer.slots
        both = slots.father_typed & slots.mother_typed
        everything = np.arange(len(slots), dtype=np.int64)
        self.two_parents = everything[slots.coded & both]
        self.father = everything[slots.coded & slots.father_typed & ~both]
        self.mother = everything[slots.coded & ~slots.father_typed]
        self.alone = everything[both]
        self.tabulated = everything[~slots.coded]
        # Loci by the chance that two alleles are equal: the more of them, the more a locus tells.
        equal = [float((m.frequencies**2).sum()) for m in scorer.builder.models]
        self.telling_first = np.argsort(equal, kind="stable")
        self.in_order = np.ascontiguousarray(self.rows.rows[:, self.telling_first])
        self.alleles = np.array([len(m.frequencies) for m in scorer.builder.models], dtype=np.int64)

    def run(self, threads: int, progress: Progress | None) -> tuple[Hits, dict[str, Hits]]:
        """Scan everything; returns pairs with all relatives, and with one parent alone."""
        jobs = [*self._table_jobs(), *self.coded_jobs(), *self._alone_jobs()]
        return self.run_jobs(jobs, threads, progress)

    def run_jobs(
        self, jobs: Sequence[Job], threads: int, progress: Progress | None
    ) -> tuple[Hits, dict[str, Hits]]:
        """Run scans in threads; on an interrupt those not yet begun are dropped."""
        found: dict[str, list[Hits]] = {"full": [], "father": [], "mother": []}
        with ThreadPoolExecutor(max_workers=threads) as pool:
            waiting: set[Future[tuple[str, Hits]]] = {pool.submit(job) for job in jobs}
            try:
                done = 0
                while waiting:
                    finished, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                    for future in finished:
                        kind, hits = future.result()
                        found[kind].append(hits)
                    done += len(finished)
                    if progress is not None:
                        progress("comparing", done, len(jobs))
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        return Hits.joined(found["full"]), {
            side: Hits.joined(found[side]) for side in ("father", "mother")
        }

    def _table_jobs(self) -> Iterator[Job]:
        """Yield jobs that each build the tables of slots of one structure and scan them."""
        scorer = self.scorer
        for group in group_slots(scorer.families, scorer.slots, self.tabulated):
            for part in group.parts(TABLE_BUILD):
                yield partial(_labelled, "full", partial(self._table_part, part))

    def coded_jobs(self) -> Iterator[Job]:
        """Yield the scans of coded slots with all their relatives."""
        if len(self.two_parents):
            filter_ = self._two_parent_filter()
            for block in _blocks(self.two_parents, CODED_BLOCK):
                yield partial(_labelled, "full", partial(self._two_parent_block, block, filter_))
        yield from self._one_parent_jobs(self.father, "full", father=True)
        yield from self._one_parent_jobs(self.mother, "full", father=False)

    def _alone_jobs(self) -> Iterator[Job]:
        yield from self._one_parent_jobs(self.alone, "father", father=True)
        yield from self._one_parent_jobs(self.alone, "mother", father=False)

    def _one_parent_jobs(self, members: IntArray, label: str, *, father: bool) -> Iterator[Job]:
        if not len(members):
            return
        table = self.tables.father_only if father else self.tables.mother_only
        filter_ = self._one_parent_filter(table)
        for block in _blocks(members, CODED_BLOCK):
            scan = partial(self._one_parent_block, block, table, filter_, father=father)
            yield partial(_labelled, label, scan)

    def _one_parent_filter(self, table: OneParentTable) -> _OneParentFilter:
        t = self.tables
        best = exclusion.best_one_parent(
            table.ratios, table.excluded, table.start, table.codes, t.row_start
        )
        limits = exclusion.allowed_exclusions(best, self.rows.rows, t.row_start, self.threshold)
        with np.errstate(divide="ignore"):
            steps, scale = exclusion.quantise(np.log10(table.ratios))
        tops = np.concatenate(
            [
                steps[start:stop].reshape(-1, size).max(axis=1)
                for start, stop, size in zip(
                    table.start[:-1], table.start[1:], table.codes, strict=True
                )
            ]
        )
        steps = np.concatenate([steps, np.zeros(int(table.codes.max()), dtype=np.int8)])
        return _OneParentFilter(limits, steps, tops.astype(np.int64), scale)

    def _two_parent_filter(self) -> _TwoParentFilter:
        """Return limits and thresholds with composite rows left out.

        What those rows can add at most lowers the child's threshold: still an upper bound.
        """
        t = self.tables
        children = self.rows.rows.copy()
        thresholds = np.full(len(children), self.threshold, dtype=np.float64)
        for locus, locus_rows in enumerate(self.rows.per_locus):
            for row in locus_rows.composite:
                mine = self.rows.rows[:, locus] == row
                with np.errstate(divide="ignore"):
                    most = float(np.log10(self.scorer.composite_ratios(locus, row).max()))
                thresholds[mine] -= most + 1e-9
                children[mine, locus] = -1
        best = exclusion.best_two_parents(
            t.father, t.mother, t.shown, t.hand_start, t.codes, t.row_start, t.first, t.second,
            t.scale,
        )  # fmt: skip
        limits = exclusion.allowed_exclusions(best, children, t.row_start, thresholds)
        return _TwoParentFilter(best, limits, children, thresholds)

    def _codes(self, block: IntArray, *, father: bool) -> NDArray[np.int16]:
        """Return the genotype codes of the registered parent, (loci, slots)."""
        slots = self.scorer.slots
        parent = (slots.father if father else slots.mother)[block]
        return np.ascontiguousarray(self.tables.parents.everywhere(parent).T)

    def _one_parent_block(
        self,
        block: IntArray,
        table: OneParentTable,
        filter_: _OneParentFilter,
        *,
        father: bool,
    ) -> Hits:
        codes = self._codes(block, father=father)
        order = self.telling_first
        by_slot = np.ascontiguousarray(codes[order].T).astype(np.uint16)
        rows = self.tables.row_start
        bits = exclusion.bit_rows_one_parent(codes, table.excluded, table.start, table.codes, rows)
        return _collect(
            block,
            lambda out: exclusion.scan_one_parent(
                bits, by_slot, self.in_order, filter_.limits, rows[order], table.ratios,
                filter_.steps, filter_.tops, filter_.scale, table.start[order],
                table.codes[order], self.threshold, out,
            ),
        )  # fmt: skip

    def _two_parent_block(self, block: IntArray, filter_: _TwoParentFilter) -> Hits:
        t = self.tables
        father, mother = self._codes(block, father=True), self._codes(block, father=False)
        bits = exclusion.bit_rows_two_parents(
            father, mother, t.shown, t.hand_start, t.codes, self.alleles, t.row_start, t.first,
            t.second,
        )  # fmt: skip
        by_slot = [np.ascontiguousarray(codes.T) for codes in (father, mother)]
        hits = _collect(
            block,
            lambda out: exclusion.scan_two_parents(
                bits, by_slot[0], by_slot[1], filter_.children, filter_.limits, t.row_start,
                filter_.best, t.father, t.mother, t.hand_start, t.codes, t.first, t.second,
                t.scale, filter_.thresholds, out,
            ),
        )  # fmt: skip
        composite = self.rows.composite[hits.child]
        log10_lr = hits.log10_lr.copy()
        log10_lr[composite] = self.scorer.full(hits.child[composite], hits.slot[composite])
        return Hits(hits.child, hits.slot, log10_lr).where(log10_lr >= self.threshold)

    def _table_part(self, group: SlotGroup) -> Hits:
        scorer, rows = self.scorer, self.tables.row_start
        tables = column_tables(scorer.families, scorer.builder, group)
        tops = tables.tops()
        budget, scale = budgets(tops, self.rows.rows, rows, self.threshold)
        steps = penalties(tables.log_ratios, tops, scale, tables.start, tables.columns, rows)
        block = np.empty((int(rows[-1]) + 1, TABLE_BLOCK), dtype=np.uint8)
        found = []
        for first in range(0, len(group.slots), TABLE_BLOCK):
            span = slice(first, first + TABLE_BLOCK)
            which = np.ascontiguousarray(tables.which[:, span])
            size = which.shape[1]
            spread(steps, which, tables.start, tables.columns, rows, block[:, :size])
            scan = partial(
                scan_table, block[:, :size], budget, tables.log_ratios, which, tables.start,
                tables.columns, self.rows.rows, rows, self.threshold,
            )  # fmt: skip
            found.append(_collect(group.slots[span], scan))
        return Hits.joined(found)


def _labelled(kind: str, scan: Callable[[], Hits]) -> tuple[str, Hits]:
    return kind, scan()


def _blocks(members: IntArray, size: int) -> Iterator[IntArray]:
    for start in range(0, len(members), size):
        yield members[start : start + size]


def _collect(
    block: IntArray,
    scan: Callable[[tuple[IntArray, IntArray, FloatArray]], int],
) -> Hits:
    """Run a scan, with longer output arrays if the first ones do not hold all it finds."""
    length = FIRST_HITS
    while True:
        out = (np.empty(length, np.int64), np.empty(length, np.int64), np.empty(length))
        found = int(scan(out))
        if found <= length:
            return Hits(out[0][:found].copy(), block[out[1][:found]], out[2][:found].copy())
        length = found
