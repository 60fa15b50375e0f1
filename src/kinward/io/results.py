"""Write the candidates of a search, block by block, as CSV or Parquet."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from kinward.errors import ModelError
from kinward.io.atomic import atomic_write
from kinward.io.csvtext import write_body, write_header
from kinward.io.source import file_fault

__all__ = ["RESULT_SCHEMA", "ResultWriter", "write_results"]

RESULT_SCHEMA = pa.schema(
    [
        ("child", pa.string()),
        ("family", pa.string()),
        ("missing", pa.string()),
        ("log10_lr", pa.float64()),
        ("loci", pa.int32()),
        ("exclusions", pa.int32()),
        ("sex_conflict", pa.bool_()),
    ]
)
"""Columns that every result has, in this order; further ones follow.

`log10_lr` is exactly zero likelihood as `-inf`, and null where the relatives alone are
inconsistent. CSV spells it with the digits that bring the number back exactly.
"""

Block: TypeAlias = "pa.Table | Mapping[str, Any]"


class ResultWriter:
    """Write blocks of results to a `.csv` or `.parquet` file that appears when it is complete.

    Use it as a context manager; leaving it by an exception leaves nothing behind. `extra` names
    further columns with their arrow types, in order.
    """

    def __init__(self, path: Path | str, extra: Mapping[str, pa.DataType] | None = None) -> None:
        self._path = Path(path)
        fields = [pa.field(name, kind) for name, kind in (extra or {}).items()]
        self.schema = pa.schema([*RESULT_SCHEMA, *fields])
        self.rows = 0
        ending = self._path.suffix.lower()
        if ending not in (".csv", ".parquet"):
            raise file_fault(
                path,
                "unknown-format",
                f"results cannot be written as {ending!r}",
                "name the file .csv or .parquet",
            )
        self._parquet_wanted = ending == ".parquet"
        self._opening: AbstractContextManager[BinaryIO] | None = None
        self._file: BinaryIO | None = None
        self._parquet: pq.ParquetWriter | None = None

    def __enter__(self) -> ResultWriter:
        self._opening = atomic_write(self._path)
        self._file = self._opening.__enter__()
        if self._parquet_wanted:
            self._parquet = pq.ParquetWriter(self._file, self.schema, compression="zstd")
        else:
            write_header(self.schema.names, self._file)
        return self

    def write(self, block: Block) -> None:
        """Append rows; raise ModelError if the block lacks a column or has one too many."""
        if self._file is None:
            raise ModelError("the results file is not open; use the writer in a with statement")
        table = as_result_table(block, self.schema)
        if self._parquet is not None:
            self._parquet.write_table(table)
        else:
            write_body(table, self._file)
        self.rows += table.num_rows

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        opening, self._file, self._opening = self._opening, None, None
        if opening is None:
            return
        try:
            if self._parquet is not None:
                self._parquet.close()
                self._parquet = None
        except BaseException as failure:
            opening.__exit__(type(failure), failure, failure.__traceback__)
            raise
        opening.__exit__(kind, error, trace)


def as_result_table(block: Block, schema: pa.Schema) -> pa.Table:
    """Bring a block to the schema's columns and types."""
    names = block.column_names if isinstance(block, pa.Table) else list(block)
    lacking = [name for name in schema.names if name not in names]
    surplus = [name for name in names if name not in schema.names]
    if lacking or surplus:
        raise ModelError(
            f"results: lacking columns {lacking}, unexpected ones {surplus}; "
            "name further columns when the writer is made"
        )
    columns = [_typed(block[field.name], field.type) for field in schema]
    return pa.table(columns, schema=schema)


def _typed(values: Any, kind: pa.DataType) -> pa.Array | pa.ChunkedArray:
    if isinstance(values, pa.Array | pa.ChunkedArray):
        return values.cast(kind)
    if isinstance(values, np.ndarray):
        return pa.array(values).cast(kind) if values.dtype != object else pa.array(values, kind)
    return pa.array(values, kind)


def write_results(
    path: Path | str, block: Block, extra: Mapping[str, pa.DataType] | None = None
) -> None:
    """Write all results at once."""
    with ResultWriter(path, extra) as out:
        out.write(block)
