"""A registry of families held ready: a new child is compared with all of them in milliseconds.

The index answers what `engine.search` answers, by the same bounds and the same figures. It is
immutable: an update returns another index that shares what has not changed, so that a search that
is under way goes on undisturbed. New and changed families are prepared in a part of their own,
which is merged with the rest before it grows large.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from kinward.errors import ModelError
from kinward.model.locus_model import GeneticModel
from kinward.model.mutation import MutationScheme
from kinward.model.population import FrequencyTable
from kinward.model.profile import Genotype
from kinward.model.registry import ChildTable, FamilyTable, GenotypeColumns
from kinward.search.child_rows import ChildRows, child_rows, every_genotype
from kinward.search.engine import on_x
from kinward.search.index_part import FamilyPart, Query
from kinward.search.rank import Hits, PairScorer, below_together, pair_scorer, rank
from kinward.search.record import Candidates

__all__ = ["FamilyIndex", "IndexFindings", "Matches"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
ModelOf = Callable[[Mapping[str, set[str]]], GeneticModel]
"""Returns the model of a run, given the alleles seen at each locus."""
LARGEST_UPDATE = 1 / 16
"""Share of the registry above which changed families are merged with the rest."""
SMALLEST_MERGE = 2000
"""Families up to which they are not, however small the registry."""
_ODD = -2
"""Never a row: a genotype that the index has no figures for."""


@dataclass(frozen=True, slots=True, eq=False)
class Matches:
    """Pairs of child and missing child, as columns of equal length.

    `child` are positions in the table asked for; `family` and `missing` ids, since positions
    change with every update; the other columns as in `record.Candidates`. Sorted by child, then
    log10 LR descending; ties stand in the order in which the families came.
    """

    child: IntArray
    family: NDArray[np.object_]
    missing: NDArray[np.object_]
    log10_lr: FloatArray
    father_alone: FloatArray
    mother_alone: FloatArray
    loci: NDArray[np.int16]
    exclusions: NDArray[np.int16]
    sex_conflict: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.child)


@dataclass(frozen=True, slots=True, eq=False)
class IndexFindings:
    """What an index answers: candidates and one-parent findings, as in `record.SearchRun`."""

    candidates: Matches
    one_parent: Matches


@dataclass(frozen=True, slots=True, eq=False)
class FamilyIndex:
    """Families prepared for comparison; build it with `build`, ask it with `search`."""

    model: GeneticModel
    parts: tuple[FamilyPart, ...]
    model_of: ModelOf
    threads: int
    everybody: ChildTable
    rows: ChildRows
    row_of: tuple[Mapping[Genotype, int], ...]

    @classmethod
    def of(
        cls,
        families: FamilyTable,
        table: FrequencyTable,
        mutation: MutationScheme,
        *,
        theta: float = 0.0,
        silent: float = 0.0,
        threads: int = 2,
    ) -> FamilyIndex:
        """Prepare families under the model that `engine.prepare_model` would choose.

        Raises ModelError if the families have no locus in common with the frequencies.
        """
        loci = [x for x in families.genotypes.loci if x in table.loci and not on_x(x)]
        if not loci:
            raise ModelError(f"families and {table.name} share no locus; check the column names")

        def model_of(seen: Mapping[str, set[str]]) -> GeneticModel:
            return GeneticModel.build(
                table, mutation, theta=theta, silent=silent, loci=loci, seen=seen
            )

        return cls.build(families, model_of, threads=threads)

    @classmethod
    def build(cls, families: FamilyTable, model_of: ModelOf, *, threads: int = 2) -> FamilyIndex:
        """Prepare all families of a table.

        `model_of` is asked for the model of the alleles that families, or a child, show; it must
        give the same figures for the same alleles. `threads` serve building and searching.
        """
        model = model_of(_alleles(families.genotypes))
        everybody = every_genotype(model)
        part = FamilyPart.build(families, everybody, model, threads)
        row_of = tuple(
            {genotype: row for row, genotype in enumerate(observed)}
            for observed in everybody.genotypes.observed
        )
        return cls(model, (part,), model_of, threads, everybody, part.scorer.rows, row_of)

    def __len__(self) -> int:
        return sum(len(part.held_families()) for part in self.parts)

    def families(self) -> FamilyTable:
        """Return the families as one table: those never changed first, in their order."""
        return FamilyTable.joined([part.families.take(part.held_families()) for part in self.parts])

    def with_families(self, changed: FamilyTable) -> FamilyIndex:
        """Return the index with these families added; one whose id is known is replaced."""
        changed = FamilyTable.joined([changed])
        kept = self._without({str(name) for name in changed.family_ids})
        recent = [part.families.take(part.held_families()) for part in kept.parts[1:]]
        recent.append(changed)
        size = sum(len(table) for table in recent)
        if size > max(LARGEST_UPDATE * len(self), SMALLEST_MERGE) or kept._outdated(changed):
            old = kept.parts[0].families.take(kept.parts[0].held_families())
            return self.build(
                FamilyTable.joined([old, *recent]), self.model_of, threads=self.threads
            )
        part = FamilyPart.build(
            FamilyTable.joined(recent), self.everybody, self.model, self.threads
        )
        return replace(kept, parts=(kept.parts[0], part))

    def without(self, ids: Iterable[str]) -> FamilyIndex:
        """Return the index without some families. Raises KeyError for one it does not hold."""
        gone = set(ids)
        held = {
            str(name)
            for part in self.parts
            for name in part.families.family_ids[part.held & _named(part.families, gone)]
        }
        if gone - held:
            raise KeyError(f"families that the index does not hold: {sorted(gone - held)}")
        kept = self._without(gone)
        if kept._outdated(None):
            return self.build(kept.families(), self.model_of, threads=self.threads)
        return kept

    def _without(self, ids: set[str]) -> FamilyIndex:
        parts = tuple(part.without(_named(part.families, ids)) for part in self.parts)
        return replace(self, parts=parts)

    def _outdated(self, changed: FamilyTable | None) -> bool:
        """Whether the model has alleles that no family shows any more, or lacks one."""
        seen = _alleles(changed.genotypes) if changed is not None else {}
        models = self.model.loci
        if any(seen[x] - set(models[x].alleles) for x in models if x in seen):
            return True
        return any(
            set(extra) - seen.get(locus, set()).union(*(_shown(p, locus) for p in self.parts))
            for locus, extra in self.model.added.items()
        )

    def search(self, children: ChildTable, *, min_log10_lr: float) -> IndexFindings:
        """Return every pair at or above the threshold.

        Each child has the answer that `engine.search` gives when asked for it alone. Children
        whose samples are half-typed, not taken at their word, or show an allele that no family and
        no frequency table has take longer: where the index has no figures, bounds stand in for
        them, and what these let pass is computed.
        """
        if np.isnan(min_log10_lr):
            raise ModelError("the smallest log10 LR is not a number")
        children = _aligned(children, tuple(self.model.loci))
        rows = self._rows(children)
        odd = (rows == _ODD).any(axis=1)
        found: list[_Found] = []
        with ThreadPoolExecutor(max_workers=self.threads) as pool:
            found += self._stored(children, rows, np.flatnonzero(~odd), min_log10_lr, pool)
            for child in np.flatnonzero(odd).tolist():
                found += self._computed(children, child, rows[child], min_log10_lr, pool)
        return IndexFindings(
            _matches([(part, pairs) for part, pairs, _ in found]),
            _matches([(part, pairs) for part, _, pairs in found]),
        )

    def _rows(self, children: ChildTable) -> NDArray[np.int32]:
        """Return rows of the table of every genotype, -1 where not typed, _ODD if not there."""
        columns = children.genotypes
        rows = np.full(columns.codes.shape, -1, dtype=np.int32)
        for locus, (observed, known) in enumerate(zip(columns.observed, self.row_of, strict=True)):
            for child, code in enumerate(columns.codes[:, locus].tolist()):
                if code:
                    rows[child, locus] = known.get(observed[code - 1], _ODD)
        for child, typing in children.typing.items():
            if not typing.perfect:
                rows[child, rows[child] >= 0] = _ODD
        return rows

    def _stored(
        self,
        children: ChildTable,
        rows: NDArray[np.int32],
        members: IntArray,
        threshold: float,
        pool: ThreadPoolExecutor,
    ) -> Iterator[_Found]:
        """Answer for children all of whose genotypes the index has figures for."""
        composite = np.zeros(len(children), dtype=np.bool_)
        for locus, locus_rows in enumerate(self.rows.per_locus):
            if locus_rows.composite:
                composite |= np.isin(rows[:, locus], list(locus_rows.composite))
        shown = ChildRows(self.rows.loci, self.rows.per_locus, rows, composite)
        for part in self.parts:
            answers = [
                part.scan(Query(rows[child], threshold), child, pool, self.threads)
                for child in members.tolist()
            ]
            full, father, mother = (
                Hits.joined([answer[kind] for answer in answers])
                for kind in ("full", "father", "mother")
            )
            scorer = replace(part.scorer, children=children, rows=shown)
            yield _found(part, scorer, full, {"father": father, "mother": mother}, threshold)

    def _computed(
        self,
        children: ChildTable,
        child: int,
        rows: NDArray[np.int32],
        threshold: float,
        pool: ThreadPoolExecutor,
    ) -> Iterator[_Found]:
        """Answer for a child with odd genotypes: bounds from the others, then exact figures."""
        alone = _aligned(children, self.rows.loci, [child])
        model = self.model
        seen = _alleles(alone.genotypes)
        if any(seen[locus] - set(m.alleles) for locus, m in model.loci.items()):
            both = (alone.genotypes, *(part.families.genotypes for part in self.parts))
            model = self.model_of(_alleles(*both))
        shown = child_rows(alone, model, self.rows.loci)
        for part in self.parts:
            lowered = threshold - _most(shown, rows == _ODD, model, part)
            passed = part.scan(
                Query(np.where(rows == _ODD, -1, rows), lowered), 0, pool, self.threads
            )
            scorer = pair_scorer(alone, part.families, model, part.scorer.slots)
            full = passed["full"]
            full = Hits(full.child, full.slot, scorer.full(full.child, full.slot))
            sides = {}
            for side in ("father", "mother"):
                hits = passed[side]
                figures = scorer.alone(hits.child, hits.slot, father=side == "father")
                hits = Hits(hits.child, hits.slot, figures)
                sides[side] = hits.where(figures >= threshold)
            full = full.where(full.log10_lr >= threshold)
            _, candidates, one_parent = _found(part, scorer, full, sides, threshold)
            place = np.full(len(alone), child)
            yield (
                part,
                replace(candidates, child=place[candidates.child]),
                replace(one_parent, child=place[one_parent.child]),
            )


_Found = tuple[FamilyPart, Candidates, Candidates]


def _found(
    part: FamilyPart,
    scorer: PairScorer,
    full: Hits,
    alone: Mapping[str, Hits],
    threshold: float,
) -> _Found:
    below = below_together(alone, full, scorer, threshold)
    return part, rank(full, scorer), rank(below, scorer)


def _matches(found: Sequence[tuple[FamilyPart, Candidates]]) -> Matches:
    """Join the pairs of all parts, families by id."""
    columns = {
        item.name: np.concatenate([getattr(pairs, item.name) for _, pairs in found])
        for item in fields(Candidates)
    }
    number = np.repeat(np.arange(len(found)), [len(pairs) for _, pairs in found])
    tables = [part.families for part, _ in found]
    slot = columns.pop("slot")
    place = columns.pop("family")
    order = np.lexsort((slot, place, number, -columns["log10_lr"], columns["child"]))
    family = np.empty(len(order), dtype=object)
    missing = np.empty(len(order), dtype=object)
    for row, (at, f, s) in enumerate(zip(number[order], place[order], slot[order], strict=True)):
        family[row] = tables[at].family_ids[f]
        missing[row] = tables[at].person_ids[s]
    ordered = {name: column[order] for name, column in columns.items()}
    return Matches(family=family, missing=missing, **ordered)


def _alleles(*tables: GenotypeColumns) -> dict[str, set[str]]:
    """Return the alleles that occur at each locus."""
    seen: dict[str, set[str]] = {}
    for table in tables:
        for locus, observed in zip(table.loci, table.observed, strict=True):
            seen.setdefault(locus, set()).update(a for g in observed for a in g.alleles)
    return seen


def _named(families: FamilyTable, ids: set[str]) -> NDArray[np.bool_]:
    """Return which families have one of these ids."""
    return np.fromiter((name in ids for name in families.family_ids), np.bool_, len(families))


def _shown(part: FamilyPart, locus: str) -> set[str]:
    """Return the alleles that people of the families held show at a locus."""
    genotypes = part.families.genotypes
    column = genotypes.loci.index(locus)
    people = np.repeat(part.held, np.diff(part.families.first))
    codes = np.unique(genotypes.codes[people, column])
    return {
        a for code in codes.tolist() if code for a in genotypes.observed[column][code - 1].alleles
    }


def _aligned(
    children: ChildTable, loci: tuple[str, ...], members: Sequence[int] | None = None
) -> ChildTable:
    """Return the children (or some) with these loci as columns, whether typed or not."""
    chosen = np.arange(len(children)) if members is None else np.array(members, dtype=np.int64)
    genotypes = children.genotypes
    codes = np.zeros((len(chosen), len(loci)), dtype=np.int16)
    observed: list[tuple[Genotype, ...]] = []
    for column, locus in enumerate(loci):
        known: dict[Genotype, int] = {}
        if locus in genotypes.loci:
            at = genotypes.loci.index(locus)
            for place, code in enumerate(genotypes.codes[chosen, at].tolist()):
                if code:
                    shown = genotypes.observed[at][code - 1]
                    codes[place, column] = known.setdefault(shown, len(known) + 1)
        observed.append(tuple(known))
    typing = {
        place: children.typing[child]
        for place, child in enumerate(chosen.tolist())
        if child in children.typing
    }
    columns = GenotypeColumns(loci, tuple(observed), codes)
    return ChildTable(children.ids[chosen], children.sex[chosen], columns, typing)


def _most(shown: ChildRows, odd: NDArray[np.bool_], model: GeneticModel, part: FamilyPart) -> float:
    """Return the largest log10 LR that a child's odd loci can add up to.

    T = P(observation | relatives) / P(observation) is at most 1 / P(observation). Where the
    frequencies sum to more than one, since alleles were added, each founder allele may add as much.
    With theta no such bound is used.
    """
    if model.theta:
        return np.inf
    alleles = 2 * int(np.diff(part.families.first).max())
    total = 1e-9
    for locus in np.flatnonzero(odd):
        chance = float(shown.per_locus[locus].chance[shown.rows[0, locus]])
        if chance <= 0:
            return np.inf
        excess = max(1.0, float(model.loci[shown.loci[locus]].frequencies.sum()))
        total += alleles * np.log10(excess) - np.log10(chance)
    return total
