"""Open a table file (CSV, gzipped CSV or XLSX) as columns of text, with the rows' line numbers.

Nothing is interpreted here. Faults that make the whole file unreadable are raised; rows with too
few or too many fields are set aside, so that the caller reports them with the other faults.
"""

from __future__ import annotations

import codecs
import csv
import datetime
import gzip
import io
import re
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import openpyxl
import pyarrow as pa
import pyarrow.csv as pacsv
from numpy.typing import NDArray

from kinward.errors import Fault, InputError

__all__ = ["RaggedRow", "RawTable", "decode_text", "file_fault", "open_table", "read_bytes"]

_BLOCK = 8 << 20
"""Bytes parsed at a time; also the longest row that can be read."""
_BOM = b"\xef\xbb\xbf"
_WIDE_BOMS = (b"\xff\xfe", b"\xfe\xff")
_GZIP = b"\x1f\x8b"
_ZIP = b"PK\x03\x04"
_FIELD = rb'(?:"(?:[^"]++|"")*+"?+[^,\r\n]*+|[^,\r\n]*+)'
_RECORD = re.compile(_FIELD + rb"(?:," + _FIELD + rb")*+(?:\r\n|\n|\r|\Z)")
_PLAIN = frozenset({"family", "id", "father", "mother"})
"""Columns with many distinct values: kept as plain text, not as a dictionary."""


@dataclass(frozen=True, slots=True)
class RaggedRow:
    """A row whose number of fields differs from the header's."""

    line: int
    cells: tuple[str, ...]
    expected: int


@dataclass(frozen=True, slots=True)
class RawTable:
    """A table of text.

    `header` holds the column names as written, stripped; `columns` are string or dictionary
    arrays, one per name, of equal length; `lines` turns row positions into the line numbers that
    an editor shows; `ragged` are the rows left out of the columns.
    """

    file: str
    header: tuple[str, ...]
    columns: tuple[pa.Array, ...]
    rows: int
    lines: Callable[[], NDArray[np.int64]]
    ragged: tuple[RaggedRow, ...] = ()

    def cells(self, rows: Sequence[int]) -> list[tuple[str, ...]]:
        """Return some rows as text."""
        wanted = pa.array(rows, pa.int64())
        texts = [column.take(wanted).to_pylist() for column in self.columns]
        return list(zip(*texts, strict=True)) if texts else [()] * len(rows)


def file_fault(path: Path | str, kind: str, message: str, mend: str) -> InputError:
    """Make the error for a fault of the whole file."""
    return InputError([Fault(str(path), None, None, kind, message, mend)])


def read_bytes(path: Path) -> bytes:
    """Read a file, unpacking gzip; raise InputError of kind `unreadable` or `truncated-gzip`."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise file_fault(
            path,
            "unreadable",
            f"cannot be opened ({error.strerror or error})",
            "check the path and the permissions",
        ) from None
    except ValueError:  # a null character in the name
        raise file_fault(path, "unreadable", "is not a file name", "check the path") from None
    if data[:2] != _GZIP:
        return data
    try:
        return gzip.decompress(data)
    except (EOFError, OSError, zlib.error):
        raise file_fault(
            path,
            "truncated-gzip",
            "the compressed file is cut short or damaged",
            "copy or export the file again",
        ) from None


def _wrong_encoding(path: Path | str, data: bytes, position: int) -> InputError:
    row = data.count(b"\n", 0, position) + 1
    guess = ""
    try:
        data[max(0, position - 2000) : position + 2000].decode("gb18030", errors="strict")
        guess = ", perhaps GBK"
    except UnicodeDecodeError:
        pass
    return InputError(
        [
            Fault(
                str(path),
                row,
                None,
                "wrong-encoding",
                f"byte {position + 1} (0x{data[position]:02X}) is not UTF-8{guess}",
                'save the file as UTF-8 (in a spreadsheet: "CSV UTF-8")',
            )
        ]
    )


def decode_text(path: Path | str, data: bytes) -> str:
    """Decode UTF-8 with or without a byte order mark; raise InputError naming byte and row."""
    if data[:2] in _WIDE_BOMS:
        raise _wrong_encoding(path, data, 0)
    try:
        return data.removeprefix(_BOM).decode("utf-8")
    except UnicodeDecodeError as error:
        offset = len(_BOM) if data.startswith(_BOM) else 0
        raise _wrong_encoding(path, data, error.start + offset) from None


def _check_utf8(path: Path, data: bytes) -> None:
    """Raise InputError at the first byte that is not UTF-8, without a second copy of the data."""
    if data.isascii():
        return
    decoder = codecs.getincrementaldecoder("utf-8")()
    view = memoryview(data)
    for start in range(0, len(data), _BLOCK):
        pending = len(decoder.getstate()[0])
        try:
            decoder.decode(view[start : start + _BLOCK], final=start + _BLOCK >= len(data))
        except UnicodeDecodeError as error:
            raise _wrong_encoding(path, data, start - pending + error.start) from None


def open_table(path: Path | str) -> RawTable:
    """Open a `.csv`, `.csv.gz` or `.xlsx` table; raise InputError if it is none of these."""
    path = Path(path)
    name = path.name.lower()
    if name.endswith((".xlsx", ".xlsm")):
        return _open_spreadsheet(path)
    if not name.endswith((".csv", ".csv.gz", ".txt")):
        raise file_fault(
            path,
            "unknown-format",
            f"{path.suffix or 'a file without an ending'} is not a table that can be read here",
            "give a .csv, .csv.gz or .xlsx file",
        )
    data = read_bytes(path)
    if data.startswith(_ZIP):
        raise file_fault(
            path,
            "wrong-format",
            "this is a spreadsheet or archive, not a CSV file",
            "name it .xlsx, or export it as CSV UTF-8",
        )
    if data[:2] in _WIDE_BOMS:
        raise _wrong_encoding(path, data, 0)
    _check_utf8(path, data)
    return _open_csv(path, data)


def _empty(path: Path) -> InputError:
    return file_fault(
        path, "empty-file", "the file is empty", "give a file with a header and at least one row"
    )


def _split(text: str) -> tuple[str, ...]:
    return tuple(next(csv.reader(io.StringIO(text, newline="")), []))


def _header_end(data: bytes, start: int) -> int:
    """Position after the header record, whose quoted names may hold newlines."""
    position = start
    while True:
        ends = [e for e in (data.find(b"\n", position), data.find(b"\r", position)) if e >= 0]
        if not ends:
            return len(data)
        end = min(ends)
        if data.count(b'"', start, end) % 2 == 0 or end - start > _BLOCK:
            return end + 2 if data[end : end + 2] == b"\r\n" else end + 1
        position = end + 1


def _next_record(data: bytes, start: int) -> int:
    """Position of the first line from `start` on that is not blank."""
    while data[start : start + 1] in (b"\n", b"\r"):
        start += 1
    return start


def _open_csv(path: Path, data: bytes) -> RawTable:
    start = _next_record(data, len(_BOM) if data.startswith(_BOM) else 0)
    end = _header_end(data, start)
    if not data[start:end].strip():
        raise _empty(path)
    try:
        header = tuple(name.strip() for name in _split(data[start:end].decode().rstrip("\r\n")))
    except csv.Error as error:
        raise _malformed(path, str(error)) from None
    _require_commas(path, header)
    body = pa.py_buffer(data).slice(end)
    if _next_record(data, end) == len(data):
        none = pa.array([], pa.string())
        return RawTable(str(path), header, (none,) * len(header), 0, lambda: np.empty(0, np.int64))
    table, skipped = _parse(path, data, end, body, header)
    columns = tuple(_combine(column) for column in table.columns)
    skipped_records = np.array([number - 1 for number, _ in skipped], dtype=np.int64)

    @cache
    def every() -> NDArray[np.int64]:
        return _record_lines(data, end, table.num_rows + len(skipped))

    @cache
    def lines() -> NDArray[np.int64]:
        return np.delete(every(), skipped_records)[: table.num_rows]

    ragged = tuple(
        RaggedRow(int(every()[min(number, len(every())) - 1]), _fields(text), len(header))
        for number, text in skipped
    )
    return RawTable(str(path), header, columns, table.num_rows, lines, ragged)


def _fields(text: str) -> tuple[str, ...]:
    try:
        return _split(text.rstrip("\r\n"))
    except csv.Error:
        return (text,)


def _require_commas(path: Path, header: Sequence[str]) -> None:
    if len(header) == 1:
        for mark, word in ((";", "semicolons"), ("\t", "tabs")):
            if header[0].count(mark) >= 1:
                raise file_fault(
                    path,
                    "wrong-separator",
                    f"columns are separated by {word}",
                    "separate them by commas",
                )


def _malformed(path: Path, detail: str) -> InputError:
    return file_fault(
        path,
        "malformed-csv",
        f"cannot be read as CSV ({detail})",
        "look for a quotation mark that is not closed, or export the file again",
    )


def _parse(
    path: Path, data: bytes, offset: int, body: pa.Buffer, header: Sequence[str]
) -> tuple[pa.Table, list[tuple[int, str]]]:
    """Parse the rows below the header; return also the ragged ones, numbered from 1."""
    names = [f"{i}" for i in range(len(header))]
    dictionary = pa.dictionary(pa.int32(), pa.string())
    types = {
        name: pa.string() if title.lower() in _PLAIN else dictionary
        for name, title in zip(names, header, strict=True)
    }
    quoted = data.find(b'"', offset) >= 0

    def run(*, threads: bool) -> tuple[pa.Table, list[tuple[int, str]]]:
        skipped: list[tuple[int, str]] = []

        def skip(row: pacsv.InvalidRow) -> str:
            skipped.append((row.number or 0, row.text))
            return "skip"

        table = pacsv.read_csv(
            pa.BufferReader(body),
            read_options=pacsv.ReadOptions(
                column_names=names, use_threads=threads, block_size=_BLOCK
            ),
            parse_options=pacsv.ParseOptions(newlines_in_values=quoted, invalid_row_handler=skip),
            convert_options=pacsv.ConvertOptions(
                column_types=types,
                strings_can_be_null=False,
                null_values=[],
                check_utf8=False,
                include_columns=names if threads else names[:1],
            ),
        )
        return table, skipped

    try:
        table, skipped = run(threads=True)
        if skipped:  # only the serial parser numbers the rows; one column suffices for that
            _, skipped = run(threads=False)
    except pa.ArrowException as error:
        raise _malformed(path, str(error).partition("\n")[0][:200]) from None
    return table, skipped


def _combine(column: pa.ChunkedArray) -> pa.Array:
    if pa.types.is_dictionary(column.type):
        column = column.unify_dictionaries()
    combined = column.combine_chunks()
    if isinstance(combined, pa.ChunkedArray):  # arrow's answer where there is no chunk
        return pa.array([], pa.string())
    return combined


def _record_lines(data: bytes, offset: int, records: int) -> NDArray[np.int64]:
    """Line number at which each record below the header starts; blank lines are passed over."""
    lines = _lines_by_parity(data, offset)
    if len(lines) != records:  # quotation marks inside a field mislead the count of them
        lines = _lines_by_field(data, offset)
    if len(lines) >= records:
        return lines
    # A broken quotation that even the fields do not explain: the last line known stands for it.
    return np.pad(lines, (0, records - len(lines)), mode="edge" if len(lines) else "constant")


def _first_line(data: bytes, offset: int) -> int:
    head = data[:offset]
    return head.count(b"\n") + head.count(b"\r") - head.count(b"\r\n") + 1


def _lines_by_field(data: bytes, offset: int) -> NDArray[np.int64]:
    """Walk over the fields: exact, but slow."""
    lines = []
    line = _first_line(data, offset)
    for match in _RECORD.finditer(data, offset):
        record = match[0]
        if record.strip(b"\r\n"):
            lines.append(line)
        line += record.count(b"\n") + record.count(b"\r") - record.count(b"\r\n")
    return np.array(lines, dtype=np.int64)


def _lines_by_parity(data: bytes, offset: int) -> NDArray[np.int64]:
    """Take every line break after an even number of quotation marks for the end of a record."""
    raw = np.frombuffer(data, dtype=np.uint8)[offset:]
    newline = raw == 10
    lone = raw == 13
    lone[:-1] &= raw[1:] != 10
    if len(lone):
        lone[-1] = False
    ends = np.flatnonzero(newline | lone)
    quotes = np.flatnonzero(raw == 34)
    starts = np.concatenate(([0], ends + 1)).astype(np.int64)
    numbers = _first_line(data, offset) + np.arange(len(starts), dtype=np.int64)
    stops = np.append(ends, len(raw))
    filled = stops > starts
    # A line that holds nothing but a carriage return is blank, too.
    inside = np.flatnonzero(filled)
    only_return = (stops[inside] - starts[inside] == 1) & (raw[starts[inside]] == 13)
    filled[inside[only_return]] = False
    open_quote = (np.searchsorted(quotes, starts) & 1).astype(bool)
    lines: NDArray[np.int64] = numbers[filled & ~open_quote]
    return lines


def _open_spreadsheet(path: Path) -> RawTable:
    data = read_bytes(path)
    try:
        book = openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=True)
        sheet = book.worksheets[0]
        rows = [
            (line, [_cell_text(value) for value in values])
            for line, values in enumerate(sheet.iter_rows(values_only=True), start=1)
        ]
    except Exception as error:  # a damaged archive can fail in any way
        raise file_fault(
            path,
            "not-a-spreadsheet",
            f"cannot be opened as a spreadsheet ({type(error).__name__})",
            "save it again as .xlsx, without a password",
        ) from None
    return _from_rows(path, rows)


def _from_rows(path: Path, rows: Iterable[tuple[int, list[str]]]) -> RawTable:
    filled = [(line, cells) for line, cells in rows if any(cell.strip() for cell in cells)]
    if not filled:
        raise _empty(path)
    header = tuple(name.strip() for name in filled[0][1])
    while header and not header[-1]:
        header = header[:-1]
    width = len(header)
    kept: list[tuple[int, list[str]]] = []
    ragged: list[RaggedRow] = []
    for line, cells in filled[1:]:
        if any(cell.strip() for cell in cells[width:]):
            ragged.append(RaggedRow(line, tuple(cells), width))
        else:
            kept.append((line, [*cells[:width], *[""] * (width - len(cells))]))
    columns = tuple(pa.array([cells[i] for _, cells in kept], pa.string()) for i in range(width))
    numbers = np.array([line for line, _ in kept], dtype=np.int64)
    return RawTable(str(path), header, columns, len(kept), lambda: numbers, tuple(ragged))


def _cell_text(value: object) -> str:
    """Spell a spreadsheet cell as its text; whole numbers lose their decimal point."""
    if value is None:
        return ""
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else f"{value:.15g}"
    if isinstance(value, datetime.datetime) and value.time() == datetime.time():
        return value.date().isoformat()
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    return str(value)
