"""Uploads are read as they are or refused with the place of each fault; nothing is guessed."""

from __future__ import annotations

import io
import zipfile
from datetime import datetime

import openpyxl
import pytest

from kinward_web.registry.transfer.reading import MAX_BYTES, read_upload
from kinward_web.registry.transfer.writing import escape_cell, write_csv, write_xlsx

HEADER = "first,second,kind,source"


def book(*rows, title="links", formats=None):
    workbook = openpyxl.Workbook()
    sheet = workbook.active
    sheet.title = title
    for row in rows:
        sheet.append(row)
    out = io.BytesIO()
    workbook.save(out)
    return out.getvalue()


def places(reading):
    return [(fault.row, fault.column, fault.kind) for fault in reading.faults]


def rows(reading):
    return [row for sheet in reading.sheets for row in sheet.rows]


@pytest.mark.parametrize(
    ("encoding", "chosen"),
    [
        ("utf-8", "utf-8"),
        ("utf-8-sig", "utf-8"),
        ("utf-16", "utf-8"),
        ("gb18030", "gb18030"),
    ],
)
def test_encodings(encoding, chosen):
    data = f"{HEADER}\nA,B,kin,村里的登记册\n".encode(encoding)
    reading = read_upload("t.csv", data, "links", chosen)
    assert places(reading) == []
    assert rows(reading)[0][1]["source"] == "村里的登记册"


def test_a_wrong_encoding_is_not_guessed():
    reading = read_upload("t.csv", f"{HEADER}\nA,B,kin,村里\n".encode("gb18030"), "links")
    assert places(reading) == [(None, "", "encoding")]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_delimiters_quotes_and_rows_of_several_lines(delimiter):
    text = f'{HEADER}\r\nA,B,kin,"line one\nline two"\r\n\r\nC,D,kin,x\r\n'
    data = text.replace(",", delimiter).encode()
    reading = read_upload("t.csv", data, "links")
    assert places(reading) == []
    assert [number for number, _values in rows(reading)] == [2, 5]
    assert rows(reading)[0][1]["source"] == "line one\nline two"


def test_an_open_quote_is_located():
    reading = read_upload("t.csv", f'{HEADER}\nA,B,kin,"x\nC,D,kin,x\n'.encode(), "links")
    assert places(reading) == [(2, "", "quotes")]


def test_a_state_column_is_refused_with_the_way_that_exists():
    reading = read_upload("t.csv", b"step,state,step\nlocate,reunited,locate\n", "children")
    assert places(reading) == [(1, "step", "double-column"), (1, "state", "unknown-column")]
    assert "step" in reading.faults[1].mend
    assert not reading.sheets


def test_a_missing_column_is_named():
    reading = read_upload("t.csv", b"first,kind,source\nA,kin,x\n", "links")
    assert places(reading) == [(1, "second", "missing-column")]


def test_a_cell_beyond_the_header_is_a_fault():
    reading = read_upload("t.csv", f"{HEADER}\nA,B,kin,x,y\n".encode(), "links")
    assert places(reading) == [(2, "5", "no-header")]


@pytest.mark.parametrize("value", [20110715123456789.0, 1.38e17, 41010219800101123])
def test_a_rounded_number_is_a_fault(value):
    data = book(
        ["name", "child", "relation", "source", "identity_document"],
        ["A", "B", "parent", "x", value],
        title="relatives",
    )
    assert places(read_upload("t.xlsx", data)) == [(2, "identity_document", "rounded")]


def test_a_rounded_number_in_a_csv_is_a_fault():
    data = b"child,relation,source,phone\nB,parent,x,1.38E+10\n"
    assert places(read_upload("t.csv", data, "relatives")) == [(2, "phone", "rounded")]


def test_dates_formulas_and_whole_numbers_of_a_workbook():
    header = ["step", "wristband", "born_from", "happened_at", "name", "region"]
    moment = datetime(2011, 7, 15, 4, 30)
    data = book(
        header,
        ["rescue", 20110715, moment, moment, "A", "Henan"],
        ["rescue", "x", None, None, moment, "Henan"],
        ["rescue", "x", None, None, "=1+1", "Henan"],
        title="children",
    )
    reading = read_upload("t.xlsx", data)
    assert places(reading) == [(3, "name", "date"), (4, "name", "formula")]
    first = rows(reading)[0][1]
    assert (first["wristband"], first["born_from"], first["happened_at"]) == (
        "20110715",
        "2011-07-15",
        "2011-07-15 04:30",
    )


def test_sheets_are_named_like_their_tables():
    assert places(read_upload("t.xlsx", book(["a"], ["b"], title="Sheet1"))) == [
        (None, "", "no-table")
    ]
    good = book(HEADER.split(","), ["A", "B", "kin", "x"], title="Sheet1")
    assert len(rows(read_upload("t.xlsx", good, "links"))) == 1


def test_a_zip_bomb_is_refused_before_it_unpacks():
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/worksheets/sheet1.xml", b"0" * 70_000_000)
    assert len(out.getvalue()) < MAX_BYTES
    assert places(read_upload("t.xlsx", out.getvalue(), "links")) == [(None, "", "bomb")]


def test_entities_are_refused():
    out = io.BytesIO()
    good = zipfile.ZipFile(io.BytesIO(book(HEADER.split(","), ["A", "B", "kin", "x"])))
    with zipfile.ZipFile(out, "w") as archive:
        for part in good.infolist():
            data = good.read(part)
            if part.filename.endswith("sheet1.xml"):
                data = b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaa">]>' + data
            archive.writestr(part.filename, data)
    assert places(read_upload("t.xlsx", out.getvalue())) == [(None, "", "entities")]


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"", "empty"),
        (b"x" * (MAX_BYTES + 1), "too-large"),
        (b"PK\x03\x04 nothing", "damaged"),
        (b"\xd0\xcf\x11\xe0 old", "old-workbook"),
        (b"first,second\0", "not-text"),
        (HEADER.encode(), "empty"),
        (HEADER.encode() + b"\nA,B,kin,x" * 5001, "too-many"),
    ],
)
def test_files_that_are_no_table(data, kind):
    assert [fault.kind for fault in read_upload("t.csv", data, "links").faults] == [kind]


@pytest.mark.parametrize("text", ["=1+1", "+86 138", "-x", "@SUM(A1)", "\t=1", "\r=1"])
def test_no_cell_of_an_export_runs_and_it_comes_back_as_it_was(text):
    assert escape_cell(text).startswith("'")
    row = ("A", "B", "kin", text)
    data = write_csv(HEADER.split(","), [row])
    if text[0] in "=+-@":
        assert rows(read_upload("t.csv", data, "links"))[0][1]["source"] == text
    workbook = openpyxl.load_workbook(io.BytesIO(write_xlsx({"links": (HEADER.split(","), [row])})))
    cell = workbook["links"]["D2"]
    assert cell.data_type == "s"
    assert cell.value.startswith("'")
