"""Write arrow tables as CSV: quotation marks only where a value needs them."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

__all__ = ["write_body", "write_header"]

_STRUCTURAL = '[,"\r\n]'


def write_header(names: Sequence[str], file: BinaryIO) -> None:
    """Write the header row."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(names)
    file.write(text.getvalue().encode("utf-8"))


def write_body(table: pa.Table, file: BinaryIO) -> None:
    """Write rows: floats with the digits that bring them back exactly, null as an empty cell."""
    if not table.num_rows:
        return
    style = "needed" if any(map(_needs_quotes, table.columns)) else "none"
    options = pacsv.WriteOptions(include_header=False, quoting_style=style)
    pacsv.write_csv(table, file, options)


def _needs_quotes(column: pa.ChunkedArray) -> bool:
    if pa.types.is_dictionary(column.type):
        texts = pa.chunked_array([chunk.dictionary for chunk in column.chunks])
    elif pa.types.is_string(column.type):
        texts = column
    else:
        return False
    found = pc.any(pc.match_substring_regex(texts, _STRUCTURAL)).as_py()
    return bool(found)
