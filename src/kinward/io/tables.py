"""Read the tables of a search: children.csv and families.csv, also gzipped or as XLSX.

Every fault is found in one reading. The table returned always consists of sound rows only; a
caller that wants all or nothing says `read.require_clean()`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Generic, TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from kinward.errors import Fault, InputError
from kinward.io.arrays import blank_column, rows_where, text_objects, trimmed
from kinward.io.cells import (
    check_child_ids,
    read_inbreeding,
    read_missing,
    read_sex,
    read_typing,
)
from kinward.io.faults import FaultLog, PlacedFault, in_file_order
from kinward.io.genotypes import read_genotypes
from kinward.io.layout import Layout, lay_out
from kinward.io.source import RawTable, open_table
from kinward.io.structure import (
    Families,
    check_twins,
    group_families,
    relate,
)
from kinward.model.profile import TypingModel
from kinward.model.registry import ChildTable, FamilyTable, GenotypeColumns

__all__ = [
    "Read",
    "RejectedRow",
    "Rejects",
    "read_children",
    "read_families",
    "tabulate_children",
    "tabulate_families",
]

_Columns = tuple[tuple[str, ...], tuple[str, ...]]
_CHILD_COLUMNS: _Columns = (("id", "sex"), ())
_FAMILY_COLUMNS: _Columns = (
    ("family", "id", "father", "mother", "sex", "missing"),
    ("twin", "founder_inbreeding", "population"),
)

T = TypeVar("T", ChildTable, FamilyTable)


@dataclass(frozen=True, slots=True)
class RejectedRow:
    """A row left out, or a genotype emptied, with the reason and the cells as they were."""

    fault: Fault
    cells: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Rejects:
    """What a rejects file holds: the columns of the source and the rows with their reasons.

    A row with several faults occurs once for each. The other rows of a family left out follow
    with the kind `with-its-family`, so that a mended file can be made of the rejects alone.
    """

    header: tuple[str, ...]
    rows: tuple[RejectedRow, ...]

    def __len__(self) -> int:
        return len(self.rows)


@dataclass(frozen=True, slots=True)
class Read(Generic[T]):
    """A table and what was found while reading it.

    `table` holds the sound rows; `left_out` counts the children or families that are not in it;
    `notes` are sentences for the run's summary.
    """

    table: T
    faults: tuple[Fault, ...]
    rejected: Rejects
    left_out: int
    notes: tuple[str, ...]

    def require_clean(self) -> T:
        """Return the table; raise InputError with every fault if there are any."""
        if self.faults:
            raise InputError(self.faults)
        return self.table


def read_children(path: Path | str) -> Read[ChildTable]:
    """Read rescued children: `id,sex`, fact columns, one column per locus.

    Raises InputError where no leaving out of rows could help: the file cannot be read, a column
    is unknown, lacking or there twice. Then, too, every fault is told. Faults of rows are in the
    result.
    """
    return tabulate_children(open_table(path))


def tabulate_children(raw: RawTable) -> Read[ChildTable]:
    """Do what `read_children` does for a table that is open already."""
    log = FaultLog(raw)
    layout = lay_out(raw, *_CHILD_COLUMNS, log)
    ids = _text(raw, layout.structure.get("id"))
    if "id" in layout.structure:
        check_child_ids(ids, log)
    sex = read_sex(raw, layout, log)
    genotypes = read_genotypes(raw, layout.loci, sex, log)
    typing = read_typing(raw, layout, log)
    placed = _finish(raw, log)
    keep = np.ones(raw.rows, dtype=np.bool_)
    keep[_dropping(placed)] = False
    kept = np.flatnonzero(keep)
    whole = len(kept) == raw.rows
    table = ChildTable(
        ids=text_objects(ids)[kept],
        sex=sex[kept],
        genotypes=genotypes if whole else _pruned(genotypes, kept),
        typing=_typing_at(typing, kept),
        facts=_facts(raw, layout, kept),
    )
    rejects = _rejects(raw, placed, keep, {})
    left_out = raw.rows - len(kept) + len(raw.ragged)
    return Read(table, tuple(p.fault for p in placed), rejects, left_out, layout.notes)


def read_families(path: Path | str) -> Read[FamilyTable]:
    """Read searching families: one row per person, rows in any order.

    Families come in the order of their first row. A fault in one row leaves out the whole family.
    Raises InputError as `read_children` does.
    """
    return tabulate_families(open_table(path))


def tabulate_families(raw: RawTable) -> Read[FamilyTable]:
    """Do what `read_families` does for a table that is open already."""
    log = FaultLog(raw)
    layout = lay_out(raw, *_FAMILY_COLUMNS, log)
    column = {
        name: _text(raw, layout.structure.get(name))
        for name in (*_FAMILY_COLUMNS[0], *_FAMILY_COLUMNS[1])
    }
    if log.of_whole_file and not set(_FAMILY_COLUMNS[0]) <= set(layout.structure):
        raise InputError(in_file_order([*log.of_whole_file, *(p.fault for p in log.placed())]))
    families = group_families(column["family"], log)
    written = read_sex(raw, layout, log)
    kin = relate(families, column["id"], column["father"], column["mother"], written, log)
    twin = check_twins(column["twin"], families, kin, column["id"], log)
    missing = read_missing(column["missing"], families, log)
    founder = (kin.father < 0) & (kin.mother < 0)
    inbreeding = read_inbreeding(column["founder_inbreeding"], founder, log)
    genotypes = read_genotypes(raw, layout.loci, kin.sex, log)
    typing = read_typing(raw, layout, log)
    placed = _finish(raw, log)
    bad, causes = _bad_families(raw, layout, families, placed)
    keep = ~bad[families.code] if raw.rows else np.ones(0, dtype=np.bool_)
    rows = families.order[keep[families.order]]
    kept_families = np.flatnonzero(~bad)
    size = np.diff(families.first)[kept_families]
    in_order = len(rows) == raw.rows and bool((rows[:-1] <= rows[1:]).all())
    table = FamilyTable(
        family_ids=families.names[kept_families],
        first=np.concatenate(([0], np.cumsum(size))).astype(np.int64),
        person_ids=text_objects(column["id"])[rows],
        father=_within(kin.father, families, rows),
        mother=_within(kin.mother, families, rows),
        sex=kin.sex[rows],
        missing=missing[rows],
        twin=twin[rows],
        founder_inbreeding=inbreeding[rows],
        population=text_objects(column["population"])[rows],
        genotypes=genotypes if in_order else _pruned(genotypes, rows),
        typing=_typing_at(typing, rows),
        facts=_facts(raw, layout, rows),
    )
    rejects = _rejects(raw, placed, keep, causes)
    left_out = int(bad.sum()) + _ragged_strangers(raw, layout, families)
    return Read(table, tuple(p.fault for p in placed), rejects, left_out, layout.notes)


def _text(raw: RawTable, position: int | None) -> pa.Array:
    """Return a column as trimmed strings; empty ones if there is no such column."""
    return blank_column(raw.rows) if position is None else trimmed(raw.columns[position])


def _finish(raw: RawTable, log: FaultLog) -> list[PlacedFault]:
    """Raise InputError if the whole file is at fault, else return the faults of rows."""
    placed = log.placed()
    if log.of_whole_file:
        raise InputError(in_file_order([*log.of_whole_file, *(p.fault for p in placed)]))
    return placed


def _typing_at(
    typing: Mapping[int, TypingModel], rows: NDArray[np.int64]
) -> Mapping[int, TypingModel]:
    if not typing:
        return MappingProxyType({})
    place = {int(row): at for at, row in enumerate(rows)}
    return MappingProxyType({place[row]: model for row, model in typing.items() if row in place})


def _facts(
    raw: RawTable, layout: Layout, rows: NDArray[np.int64]
) -> Mapping[str, NDArray[np.object_]]:
    facts = {}
    for name, position in layout.facts.items():
        words = text_objects(_text(raw, position))[rows]
        words.setflags(write=False)
        facts[name] = words
    return MappingProxyType(facts)


def _pruned(columns: GenotypeColumns, rows: NDArray[np.int64]) -> GenotypeColumns:
    """Take rows and forget genotypes that no longer occur, so that they raise no questions."""
    codes = columns.codes[rows]
    observed = []
    for column, genotypes in enumerate(columns.observed):
        used = np.unique(codes[:, column])
        used = used[used > 0]
        renumber = np.zeros(len(genotypes) + 1, dtype=np.int16)
        renumber[used] = np.arange(1, len(used) + 1)
        codes[:, column] = renumber[codes[:, column]]
        observed.append(tuple(genotypes[code - 1] for code in used))
    return GenotypeColumns(columns.loci, tuple(observed), codes)


def _within(
    parent: NDArray[np.int64], families: Families, rows: NDArray[np.int64]
) -> NDArray[np.int16]:
    chosen = parent[rows]
    return np.where(chosen >= 0, families.place[chosen], -1).astype(np.int16)


def _dropping(placed: list[PlacedFault]) -> list[int]:
    """Positions of the rows that must go: three alleles at a locus only empty the genotype."""
    return [p.position for p in placed if p.position >= 0 and p.fault.kind != "three-alleles"]


def _ragged_families(raw: RawTable, layout: Layout) -> list[str]:
    at = layout.structure["family"]
    return [row.cells[at].strip() if at < len(row.cells) else "" for row in raw.ragged]


def _ragged_strangers(raw: RawTable, layout: Layout, families: Families) -> int:
    """Count families of which no row could be read."""
    if not raw.ragged:
        return 0
    return len(set(_ragged_families(raw, layout)) - set(families.names) - {""})


def _bad_families(
    raw: RawTable, layout: Layout, families: Families, placed: list[PlacedFault]
) -> tuple[NDArray[np.bool_], dict[int, Fault]]:
    """Mark the families to leave out; also the first fault of each, by row of the family."""
    bad = np.zeros(len(families.names), dtype=np.bool_)
    bad[families.code[_dropping(placed)]] = True
    causes: dict[int, Fault] = {}
    for item in placed:
        if item.position >= 0 and item.fault.kind != "three-alleles":
            causes.setdefault(int(families.code[item.position]), item.fault)
    if raw.ragged:
        number = {name: at for at, name in enumerate(families.names)}
        ragged = [p.fault for p in placed if p.position < 0]
        for name, fault in zip(_ragged_families(raw, layout), ragged, strict=True):
            if name in number:
                bad[number[name]] = True
                causes.setdefault(number[name], fault)
    by_row: dict[int, Fault] = {}
    for family in rows_where(bad):
        span = families.order[families.first[family] : families.first[family + 1]]
        by_row.update((int(row), causes[family]) for row in span)
    return bad, by_row


def _rejects(
    raw: RawTable, placed: list[PlacedFault], keep: NDArray[np.bool_], causes: Mapping[int, Fault]
) -> Rejects:
    """Pair faults with their rows; `causes` says why a row without fault goes with its family."""
    if not placed:
        return Rejects(raw.header, ())
    told = list(dict.fromkeys(p.position for p in placed if p.position >= 0))
    others = rows_where(~keep & ~np.isin(np.arange(raw.rows), told))
    cells = dict(zip([*told, *others], raw.cells([*told, *others]), strict=True))
    ragged = iter(raw.ragged)
    rows = [
        RejectedRow(p.fault, cells[p.position] if p.position >= 0 else next(ragged).cells)
        for p in placed
    ]
    lines = raw.lines() if others else np.empty(0, dtype=np.int64)
    for row in others:
        fault = Fault(
            raw.file,
            int(lines[row]),
            None,
            "with-its-family",
            f"left out with its family because of row {causes[row].row}",
            "mend that row",
        )
        rows.append(RejectedRow(fault, cells[row]))
    return Rejects(raw.header, tuple(rows))
