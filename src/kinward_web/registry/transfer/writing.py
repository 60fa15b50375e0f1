"""Writes tables as CSV or XLSX so that no cell of them runs as a formula."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence

import openpyxl

__all__ = ["MEDIA_TYPES", "escape_cell", "write_csv", "write_xlsx"]

_RUN = ("=", "+", "-", "@", "\t", "\r", "\n")
MEDIA_TYPES = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}

Rows = Iterable[Sequence[str]]


def escape_cell(text: str) -> str:
    """Return `text` with an apostrophe before a sign that a spreadsheet program would run."""
    return f"'{text}" if text.startswith(_RUN) else text


def write_csv(header: Sequence[str], rows: Rows) -> bytes:
    """Return a CSV in UTF-8, with the mark by which spreadsheet programs know the encoding."""
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(header)
    writer.writerows([escape_cell(cell) for cell in row] for row in rows)
    return b"\xef\xbb\xbf" + out.getvalue().encode()


def write_xlsx(sheets: Mapping[str, tuple[Sequence[str], Rows]]) -> bytes:
    """Return a workbook with one sheet for each (header, rows); every cell is text."""
    book = openpyxl.Workbook(write_only=True)
    for title, (header, rows) in sheets.items():
        sheet = book.create_sheet(title)
        for row in (header, *rows):
            cells = []
            for text in row:
                cell = openpyxl.cell.WriteOnlyCell(sheet, escape_cell(text))
                cell.data_type, cell.number_format = "s", "@"
                cells.append(cell)
            sheet.append(cells)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()
