"""Write children, families and rejected rows to CSV, gzipped CSV or XLSX."""

from __future__ import annotations

import gzip
import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
import openpyxl
import pyarrow as pa
from numpy.typing import NDArray
from openpyxl.cell import WriteOnlyCell
from openpyxl.utils.exceptions import IllegalCharacterError

from kinward.io.atomic import atomic_write
from kinward.io.csvtext import write_body, write_header
from kinward.io.layout import TYPING_COLUMNS
from kinward.io.source import file_fault
from kinward.io.tables import Rejects
from kinward.model.profile import TypingModel
from kinward.model.registry import SEXES, ChildTable, FamilyTable, GenotypeColumns

__all__ = ["write_children", "write_families", "write_rejects", "write_table"]

_SHEET_ROWS = 1_048_576
_REASONS = ("file", "row", "kind", "locus", "message", "mend")
_CHUNK = 100_000


def write_children(table: ChildTable, path: Path | str) -> None:
    """Write children.csv (or `.csv.gz`, `.xlsx`); raise InputError if the place is unwritable."""
    columns = {"id": _texts(table.ids), "sex": _coded(table.sex, SEXES)}
    columns |= _further(len(table), table.typing, table.facts, table.genotypes)
    write_table(pa.table(columns), path)


def write_families(table: FamilyTable, path: Path | str) -> None:
    """Write families.csv (or `.csv.gz`, `.xlsx`), one row per person."""
    people = len(table.person_ids)
    start = np.repeat(table.first[:-1], np.diff(table.first))
    family = np.repeat(np.arange(len(table), dtype=np.int32), np.diff(table.first))
    columns = {
        "family": pa.DictionaryArray.from_arrays(pa.array(family), _texts(table.family_ids)),
        "id": _texts(table.person_ids),
        "father": _parent_ids(table.person_ids, table.father, start),
        "mother": _parent_ids(table.person_ids, table.mother, start),
        "sex": _coded(table.sex, SEXES),
        "missing": _coded(table.missing.astype(np.int8), ("", "1")),
    }
    if table.twin.any():
        labels = ["", *(str(number) for number in range(1, int(table.twin.max()) + 1))]
        columns["twin"] = _coded(table.twin, labels)
    if table.founder_inbreeding.any():
        columns["founder_inbreeding"] = _numbers(table.founder_inbreeding)
    if (table.population != "").any():
        columns["population"] = _texts(table.population)
    columns |= _further(people, table.typing, table.facts, table.genotypes)
    write_table(pa.table(columns), path)


def write_rejects(rejects: Rejects, path: Path | str) -> None:
    """Write what was left out: file, row, kind, locus, message, mend, then the source's columns.

    Where a row has more fields than its header, further columns named `surplus` hold them.
    """
    width = max((len(row.cells) for row in rejects.rows), default=len(rejects.header))
    width = max(width, len(rejects.header))
    names = [*_REASONS, *rejects.header, *["surplus"] * (width - len(rejects.header))]
    rows = [
        [
            row.fault.file,
            "" if row.fault.row is None else str(row.fault.row),
            row.fault.kind,
            row.fault.locus or "",
            row.fault.message,
            row.fault.mend,
            *row.cells,
            *[""] * (width - len(row.cells)),
        ]
        for row in rejects.rows
    ]
    columns = [pa.array([row[i] for row in rows], pa.string()) for i in range(len(names))]
    write_table(pa.table(columns, names=names), path)


def write_table(table: pa.Table, path: Path | str) -> None:
    """Write a table by the ending of its name: `.csv`, `.csv.gz` or `.xlsx`."""
    path = Path(path)
    name = path.name.lower()
    if name.endswith(".xlsx"):
        _write_sheet(table, path)
        return
    with atomic_write(path) as file, _packed(file, name.endswith(".gz")) as target:
        write_header(table.column_names, target)
        for start in range(0, table.num_rows, _CHUNK):
            write_body(table.slice(start, _CHUNK), target)


@contextmanager
def _packed(file: BinaryIO, pack: bool) -> Iterator[BinaryIO]:
    if not pack:
        yield file
        return
    # No time stamp and no name, so that equal tables give equal files.
    with gzip.GzipFile(filename="", fileobj=file, mode="wb", compresslevel=6, mtime=0) as packed:
        yield cast(BinaryIO, packed)


def _write_sheet(table: pa.Table, path: Path) -> None:
    if table.num_rows >= _SHEET_ROWS:
        raise file_fault(
            path,
            "too-many-rows",
            f"{table.num_rows:,} rows do not fit on a spreadsheet",
            f"write .csv, or at most {_SHEET_ROWS - 1:,} rows",
        )
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet("kinward")
    columns = [column.cast(pa.string()).to_pylist() for column in table.columns]
    try:
        sheet.append([_text_cell(sheet, name) for name in table.column_names])
        for cells in zip(*columns, strict=True):
            sheet.append([_text_cell(sheet, text) if text else None for text in cells])
    except IllegalCharacterError as error:
        raise file_fault(
            path,
            "control-character",
            f"a spreadsheet cannot hold the control character in {str(error)[:60]!r}",
            "remove it, or write .csv",
        ) from None
    content = io.BytesIO()
    book.save(content)
    with atomic_write(path) as file:
        file.write(content.getbuffer())


def _text_cell(sheet: object, text: str) -> WriteOnlyCell:
    """Make a cell that stays text: neither a formula nor, after editing, a date."""
    cell = WriteOnlyCell(sheet, value=text)
    cell.data_type = "s"
    cell.number_format = "@"
    return cell


def _texts(values: NDArray[np.object_]) -> pa.Array:
    return pa.array(values, pa.string())


def _coded(codes: NDArray[np.integer], words: Sequence[str]) -> pa.Array:
    indices = pa.array(codes.astype(np.int32))
    return pa.DictionaryArray.from_arrays(indices, pa.array(words, pa.string()))


def _numbers(values: NDArray[np.float64]) -> pa.Array:
    """Spell numbers with the digits that bring them back; zero is an empty cell."""
    distinct, codes = np.unique(values, return_inverse=True)
    return _coded(codes, ["" if value == 0 else repr(float(value)) for value in distinct])


def _parent_ids(
    ids: NDArray[np.object_], parent: NDArray[np.int16], start: NDArray[np.int64]
) -> pa.Array:
    words = ids[start + np.maximum(parent, 0)]
    words[parent < 0] = ""
    return _texts(words)


def _further(
    people: int,
    typing: Mapping[int, TypingModel],
    facts: Mapping[str, NDArray[np.object_]],
    genotypes: GenotypeColumns,
) -> dict[str, pa.Array]:
    """Build the columns that children and families share."""
    columns: dict[str, pa.Array] = {}
    for name in TYPING_COLUMNS:
        values = np.zeros(people)
        for person, model in typing.items():
            values[person] = getattr(model, name)
        if values.any():
            columns[name] = _numbers(values)
    columns |= {name: _texts(words) for name, words in facts.items()}
    for position, locus in enumerate(genotypes.loci):
        words = ["", *(str(genotype) for genotype in genotypes.observed[position])]
        columns[locus] = _coded(genotypes.codes[:, position], words)
    return columns
