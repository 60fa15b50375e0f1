"""Reads an uploaded CSV or XLSX into rows of text, with every fault of the file located.

Nothing is guessed: a cell that a spreadsheet program turned into a date, a rounded number or a
formula is a fault, because what the sender meant can no longer be known.
"""

from __future__ import annotations

import csv
import io
import zipfile
from dataclasses import asdict, dataclass, field
from datetime import date, datetime, time
from typing import Any

import openpyxl
from django.utils.translation import gettext as _

from kinward_web.registry.transfer.tables import TABLES, Kind, Table

__all__ = ["ENCODINGS", "MAX_BYTES", "MAX_ROWS", "Reading", "RowFault", "Sheet", "read_upload"]

MAX_BYTES = 5 * 1024 * 1024
"""Largest upload, bytes."""
MAX_ROWS = 5_000
"""Most rows of one upload."""
_MAX_COLUMNS = 100
_MAX_CELL = 4_000
_MAX_UNPACKED = 60 * 1024 * 1024
_MAX_PARTS = 500
_EXACT_DIGITS = 15
"""A spreadsheet keeps no more digits of a number."""
ENCODINGS = {
    "utf-8": "UTF-8",
    "gb18030": "GB 18030",
    "cp1258": "Windows-1258",
}
"""Encodings of a CSV that can be chosen; a mark at the beginning of the file decides before."""
_MARKS = (
    (b"\xef\xbb\xbf", "utf-8-sig"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)
_ESCAPED = ("'=", "'+", "'-", "'@", "'\t")


@dataclass(frozen=True, slots=True)
class RowFault:
    """One fault: where it is, what it is, how to mend it. `row` as the spreadsheet shows it."""

    sheet: str
    row: int | None
    column: str
    kind: str
    message: str
    mend: str

    def to_json(self) -> dict[str, Any]:
        """Return the fault as JSON values."""
        return asdict(self)


@dataclass(slots=True)
class Sheet:
    """The rows of one table: (row number, value by column) with every value as text."""

    name: str
    table: Table
    rows: list[tuple[int, dict[str, str]]] = field(default_factory=list)


@dataclass(slots=True)
class Reading:
    """What was read."""

    sheets: list[Sheet] = field(default_factory=list)
    faults: list[RowFault] = field(default_factory=list)

    def fault(
        self, sheet: str, row: int | None, column: str, kind: str, message: str, mend: str
    ) -> None:
        """Add a fault."""
        self.faults.append(RowFault(sheet, row, column, kind, message, mend))


def read_upload(name: str, data: bytes, table: str = "", encoding: str = "utf-8") -> Reading:
    """Read an upload; a workbook may hold several tables, one per sheet named like the table.

    :param table: key of the table; needed for a CSV and for a workbook with a single sheet of
        another name.
    :param encoding: a key of `ENCODINGS`, for a CSV without a mark at its beginning.
    """
    reading = Reading()
    if len(data) > MAX_BYTES:
        reading.fault(
            "",
            None,
            "",
            "too-large",
            _("the file is larger than %(n)d MB") % {"n": MAX_BYTES // 1024 // 1024},
            _("split it into several files"),
        )
    elif not data.strip():
        reading.fault("", None, "", "empty", _("the file is empty"), _("choose another file"))
    elif data.startswith(b"PK\x03\x04"):
        _read_workbook(reading, data, table)
    elif data.startswith(b"\xd0\xcf\x11\xe0"):
        reading.fault(
            "",
            None,
            "",
            "old-workbook",
            _("this is a workbook of an old format, or one with a password"),
            _("save it as .xlsx without a password, or as CSV"),
        )
    else:
        _read_csv(reading, name, data, table, encoding)
    return reading


# ------------------------------------------------------------------------------ CSV


def _decode(reading: Reading, name: str, data: bytes, encoding: str) -> str | None:
    marked = next((code for mark, code in _MARKS if data.startswith(mark)), None)
    try:
        text = data.decode(marked or encoding)
    except (UnicodeDecodeError, LookupError):
        reading.fault(
            name,
            None,
            "",
            "encoding",
            _("the text is not %(encoding)s") % {"encoding": ENCODINGS.get(encoding, encoding)},
            _("choose the encoding in which it was saved, or save it as CSV UTF-8"),
        )
        return None
    if "\0" in text:
        reading.fault(
            name,
            None,
            "",
            "not-text",
            _("this is no text file"),
            _("save the table as CSV UTF-8 or .xlsx"),
        )
        return None
    return text


def _delimiter(first_line: str) -> str:
    return max(",;\t", key=first_line.count)


def _read_csv(reading: Reading, name: str, data: bytes, table: str, encoding: str) -> None:
    if table not in TABLES:
        reading.fault(
            name,
            None,
            "",
            "no-table",
            _("it is not said which table this is"),
            _("choose the table beside the file"),
        )
        return
    text = _decode(reading, name, data, encoding)
    if text is None:
        return
    first_line = text.split("\n", 1)[0]
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(first_line), strict=True)
    cells: list[tuple[int, list[Any]]] = []
    start = 1
    try:
        for values in rows:
            cells.append((start, list(values)))
            start = rows.line_num + 1
            if len(cells) > MAX_ROWS + 1:
                break
    except csv.Error:
        reading.fault(
            name,
            start,
            "",
            "quotes",
            _("a quotation mark is opened and not closed"),
            _("double every quotation mark inside a cell, or save the table as .xlsx"),
        )
        return
    _take(reading, Sheet(name, TABLES[table]), cells)


# ------------------------------------------------------------------------------ XLSX


def _safe_parts(reading: Reading, data: bytes) -> bool:
    """Whether a workbook unpacks to a bounded size and declares no entities of its own."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            parts = archive.infolist()
            total = sum(part.file_size for part in parts)
            if len(parts) > _MAX_PARTS or total > _MAX_UNPACKED:
                reading.fault(
                    "",
                    None,
                    "",
                    "bomb",
                    _("the workbook unpacks to far more than a table needs"),
                    _("copy the cells into a new workbook without pictures, or save as CSV"),
                )
                return False
            for part in parts:
                # XML may declare entities only at its beginning.
                with archive.open(part) as opened:
                    head = opened.read(4_096)
                if b"<!DOCTYPE" in head or b"<!ENTITY" in head:
                    reading.fault(
                        "",
                        None,
                        "",
                        "entities",
                        _("the workbook declares entities, which no spreadsheet program does"),
                        _("copy the cells into a new workbook"),
                    )
                    return False
    except (zipfile.BadZipFile, RuntimeError, OSError, NotImplementedError):
        _damaged(reading)
        return False
    return True


def _damaged(reading: Reading) -> None:
    reading.fault(
        "",
        None,
        "",
        "damaged",
        _("the workbook is damaged or is none"),
        _("open it, save it as .xlsx and upload it again"),
    )


def _read_workbook(reading: Reading, data: bytes, table: str) -> None:
    if not _safe_parts(reading, data):
        return
    try:
        book = openpyxl.load_workbook(io.BytesIO(data), read_only=True, keep_links=False)
        found = {
            sheet.title: [
                (number, list(cells))
                for number, cells in enumerate(
                    sheet.iter_rows(max_row=MAX_ROWS + 2, max_col=_MAX_COLUMNS), start=1
                )
            ]
            for sheet in book.worksheets
        }
        book.close()
    except Exception:
        # openpyxl raises whatever its parts raise on a file that is not as it should be.
        _damaged(reading)
        return
    filled = {title: rows for title, rows in found.items() if any(map(_filled, rows))}
    for title, rows in filled.items():
        key = title.strip().casefold()
        if key not in TABLES and len(filled) == 1:
            key = table
        if key not in TABLES:
            reading.fault(
                title,
                None,
                "",
                "no-table",
                _("no table is called “%(title)s”") % {"title": title},
                _("name the sheet like one of these: %(tables)s") % {"tables": ", ".join(TABLES)},
            )
            continue
        _take(reading, Sheet(title, TABLES[key]), rows)
    if not filled:
        reading.fault("", None, "", "empty", _("the workbook is empty"), _("choose another file"))


def _filled(row: tuple[int, list[Any]]) -> bool:
    return any(_plain(cell) not in (None, "") for cell in row[1])


def _plain(cell: Any) -> Any:
    return getattr(cell, "value", cell)


# ------------------------------------------------------------------------------ rows


def _header(reading: Reading, sheet: Sheet, number: int, cells: list[Any]) -> list[str]:
    names = [str(_plain(cell) or "").strip().casefold() for cell in cells]
    known = sheet.table.keys
    for name in dict.fromkeys(names):
        if name and name not in known:
            mend = _("remove the column; this table has: %(names)s")
            if name in ("state", "status"):
                mend = _("name the step in “step”; a state is never set. Columns: %(names)s")
            reading.fault(
                sheet.name,
                number,
                name,
                "unknown-column",
                _("there is no such column"),
                mend % {"names": ", ".join(known)},
            )
        if name and names.count(name) > 1:
            reading.fault(
                sheet.name,
                number,
                name,
                "double-column",
                _("the column stands there twice"),
                _("remove one of the two"),
            )
    for column in sheet.table.columns:
        if column.required and column.key not in names:
            reading.fault(
                sheet.name,
                number,
                column.key,
                "missing-column",
                _("the column is missing"),
                _("start from the template of this table"),
            )
    return names


def _take(reading: Reading, sheet: Sheet, rows: list[tuple[int, list[Any]]]) -> None:
    filled = [row for row in rows if _filled(row)]
    if len(filled) < 2:
        reading.fault(
            sheet.name,
            None,
            "",
            "empty",
            _("there is no row below the header"),
            _("fill in at least one row"),
        )
        return
    if len(filled) > MAX_ROWS + 1:
        reading.fault(
            sheet.name,
            None,
            "",
            "too-many",
            _("there are more than %(n)d rows") % {"n": MAX_ROWS},
            _("split the table into several files"),
        )
        return
    faults = len(reading.faults)
    names = _header(reading, sheet, *filled[0])
    if len(reading.faults) > faults:
        return
    reading.sheets.append(sheet)
    kinds = {column.key: column.kind for column in sheet.table.columns}
    for number, cells in filled[1:]:
        values: dict[str, str] = {}
        for position, cell in enumerate(cells):
            name = names[position] if position < len(names) else ""
            text = _text(reading, sheet.name, number, name or "?", cell, kinds.get(name))
            if text and not name:
                reading.fault(
                    sheet.name,
                    number,
                    str(position + 1),
                    "no-header",
                    _("this cell stands in a column without a header"),
                    _("clear the cell, or look for a delimiter inside another cell"),
                )
            elif name:
                values[name] = text
        sheet.rows.append((number, values))


def _text(reading: Reading, sheet: str, row: int, column: str, cell: Any, kind: Kind | None) -> str:
    value = _plain(cell)

    def wrong(key: str, message: str, mend: str) -> str:
        reading.fault(sheet, row, column, key, message, mend)
        return ""

    if value is None:
        return ""
    if getattr(cell, "data_type", "") in ("f", "e"):
        return wrong(
            "formula",
            _("this is a formula or an error, not a value"),
            _("copy the column and paste it as values"),
        )
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime | date | time):
        if kind not in (Kind.DAY, Kind.MOMENT) or isinstance(value, time):
            return wrong(
                "date",
                _("the spreadsheet program has turned this into a date"),
                _("format the column as text and type the value again"),
            )
        form = "%Y-%m-%d" if kind == Kind.DAY else "%Y-%m-%d %H:%M"
        return value.strftime(form)
    if isinstance(value, int | float):
        text = str(int(value)) if float(value).is_integer() else repr(value)
        digits = len(text.lstrip("-"))
        if kind == Kind.DIGITS and (digits > _EXACT_DIGITS or "e" in text or "." in text):
            return wrong(
                "rounded",
                _("the spreadsheet program has rounded this number"),
                _("format the column as text and type the value again"),
            )
        return text
    text = str(value).strip()
    if len(text) > _MAX_CELL:
        return wrong(
            "too-long",
            _("the cell holds more than %(n)d characters") % {"n": _MAX_CELL},
            _("shorten it"),
        )
    if kind == Kind.DIGITS and _scientific(text):
        return wrong(
            "rounded",
            _("the spreadsheet program has rounded this number"),
            _("format the column as text and type the value again"),
        )
    # What an export put before a sign that a spreadsheet program would run.
    return text[1:] if text.startswith(_ESCAPED) else text


def _scientific(text: str) -> bool:
    """Whether `text` is a number such as 1.38E+10."""
    mantissa, _sign, exponent = text.upper().partition("E+")
    return exponent.isdecimal() and mantissa.replace(".", "", 1).isdecimal()
