"""Tables of many families at once: relatives who show the same share one column.

At one locus the likelihood ratios of a missing child depend on what its relatives show there and
on nothing else of the family. Families of one structure are therefore eliminated once per distinct
evidence, a small part of their number, and refer to the column of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from kinward.model.registry import FamilyTable
from kinward.search.posterior_table import SlotGroup, TableBuilder
from kinward.search.side_tables import distinct

__all__ = ["ColumnTables", "column_tables", "distinct_evidence"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
Map = Callable[[Callable[[int], "tuple[FloatArray, IntArray]"], Iterable[int]], Iterable[
    "tuple[FloatArray, IntArray]"
]]  # fmt: skip
"""Runs one function on many numbers, as `map` does, perhaps in threads."""


def distinct_evidence(
    families: FamilyTable, group: SlotGroup, column: int
) -> tuple[SlotGroup, IntArray]:
    """Return one slot for each distinct evidence at a genotype column, and whose each slot's is.

    The second is a position in the first, (slots,). Fallible samples are told apart by person.
    """
    codes = families.genotypes.codes[group.people, column].astype(np.int64)
    codes[:, list(group.hidden)] = 0
    columns = [codes[:, person] for person in np.flatnonzero(codes.any(axis=0))]
    alone = np.zeros(len(codes), dtype=np.int64)
    if families.typing:
        fallible = np.isin(group.people, list(families.typing)).any(axis=1)
        alone[fallible] = 1 + np.flatnonzero(fallible)
    columns.append(alone)
    which, first = distinct(columns, [int(column.max()) + 1 for column in columns])
    shown = replace(group, slots=group.slots[first], people=group.people[first])
    return shown, which


@dataclass(frozen=True, slots=True, eq=False)
class ColumnTables:
    """Log10 likelihood ratios of all slots of one structure, one column per distinct evidence.

    Entry start[locus] + row * columns[locus] + which[locus, k] of the flat `log_ratios` is log10 T
    of a child row for slot `slots[k]`; NaN where the relatives are impossible.
    """

    slots: IntArray
    which: NDArray[np.uint16] | NDArray[np.int32]
    start: IntArray
    columns: IntArray
    log_ratios: FloatArray

    def tops(self) -> FloatArray:
        """Return the largest log10 T of every child row, loci one after the other."""
        parts = []
        for locus, size in enumerate(self.columns.tolist()):
            span = slice(int(self.start[locus]), int(self.start[locus + 1]))
            columns = self.log_ratios[span].reshape(-1, size)
            parts.append(np.max(columns, axis=1, initial=-np.inf, where=~np.isnan(columns)))
        return np.concatenate(parts)


def column_tables(
    families: FamilyTable, builder: TableBuilder, group: SlotGroup, over_loci: Map = map
) -> ColumnTables:
    """Build the tables of one structure; `over_loci` may run the loci in threads."""

    def locus_columns(locus: int) -> tuple[FloatArray, IntArray]:
        shown, which = distinct_evidence(families, group, builder.columns[locus])
        ratios, _ = builder.tables(shown, locus)
        with np.errstate(divide="ignore"):
            log_ratios: FloatArray = np.log10(ratios, out=ratios)
        return log_ratios, which

    parts = list(over_loci(locus_columns, range(len(builder.columns))))
    columns = np.array([part.shape[1] for part, _ in parts], dtype=np.int64)
    sizes = [part.size for part, _ in parts]
    which = np.stack([place for _, place in parts])
    narrow = int(columns.max()) <= 1 << 16
    return ColumnTables(
        group.slots,
        which.astype(np.uint16) if narrow else which.astype(np.int32),
        np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
        columns,
        np.concatenate([part.reshape(-1) for part, _ in parts]),
    )
