"""Reading children.csv and families.csv: sound tables, and every fault located."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import openpyxl
import pytest

from kinward.errors import Fault, InputError
from kinward.io.tables import Read, read_children, read_families
from kinward.io.write import write_children, write_families, write_rejects
from kinward.model.profile import TypingModel
from kinward.model.registry import ChildTable, FamilyTable

REGISTRY = Path(__file__).parents[1] / "reference" / "registry_400"
CHILD = "id,sex,TH01,vWA,DXS7132\n"
FAMILY = "family,id,father,mother,sex,missing,TH01,vWA\n"
TRIO = FAMILY + "F1,A,,,male,,6/9,14/15\nF1,B,,,female,,7/9.3,\nF1,C,A,B,male,1,,\n"


def put(folder: Path, text: str | bytes, name: str = "table.csv") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def faults_of(path: Path, kind: str) -> tuple[Fault, ...]:
    read = read_children if kind == "children" else read_families
    try:
        return read(path).faults
    except InputError as error:
        return error.faults


# kind of table, content, kind of fault, row, locus, a word of the mend
BAD: list[tuple[str, str | bytes, str, int | None, str | None, str]] = [
    ("children", CHILD.replace("vWA", "vWAA") + "C,male,,,\n", "unknown-locus", 1, "vWAA", "vWA?"),
    ("children", "id,sex,shoe\nC,male,9\n", "unknown-locus", 1, "shoe", "remove the column"),
    ("children", CHILD + "C,male,6/7/9,,\n", "three-alleles", 2, "TH01", "leave the locus empty"),
    ("children", CHILD + "C,male,6,,\n", "lone-allele", 2, "TH01", "6/6 if it is homozygous"),
    ("children", CHILD + "C,male,6/x,,\n", "not-a-number", 2, "TH01", "repeat numbers"),
    ("children", CHILD + "C,male,9-Oct,,\n", "date-mangled", 2, "TH01", "9|10"),
    ("children", CHILD + "C,male,9月10日,,\n", "date-mangled", 2, "TH01", "9|10"),
    ("children", CHILD + "C,male,2024/9/10,,\n", "date-mangled", 2, "TH01", "9|10"),
    ("children", CHILD + "C,male,Oct-09,,\n", "date-mangled", 2, "TH01", "9|10"),
    ("children", CHILD + "C,male,,,\nD,male,,,\nC,male,,,\n", "duplicate-id", 4, None, "rename"),
    ("children", CHILD + " ,male,,,\n", "empty-id", 2, None, "give every child"),
    ("children", CHILD + "C,boy,,,\n", "bad-sex", 2, None, "male, female or unknown"),
    ("children", CHILD + "C,female,,,21\n", "lone-allele", 2, "DXS7132", "12/?"),
    ("children", CHILD + "C,male,,,20/21\n", "two-alleles-on-male-x", 2, "DXS7132", "one allele"),
    ("children", CHILD + "C,male,6/9\n", "ragged-row", 2, None, "commas"),
    ("children", CHILD + "C,male,6/9,,,,\n", "ragged-row", 2, None, "commas"),
    ("children", "id,TH01\nC,6/9\n", "missing-column", 1, None, "add a column sex"),
    ("children", "C1,6/9\nC2,6/9\n", "no-header", 1, None, "put a header"),
    ("children", "id,sex,vWA,VWA\nC,male,,\n", "duplicate-column", 1, "vWA", "keep one"),
    ("children", "id,sex,ID\nC,male,C\n", "duplicate-column", 1, None, "keep one"),
    ("children", "id;sex;TH01\nC;male;6/9\n", "wrong-separator", None, None, "commas"),
    ("children", "", "empty-file", None, None, "give a file"),
    ("children", "\n\n", "empty-file", None, None, "give a file"),
    ("children", CHILD.encode() + "孩,male,,,\n".encode("gbk"), "wrong-encoding", 2, None, "UTF-8"),
    ("children", "编号,sex\n".encode("gbk"), "wrong-encoding", 1, None, "UTF-8"),
    ("children", (CHILD + "C,male,,,\n").encode("utf-16"), "wrong-encoding", 1, None, "UTF-8"),
    ("children", b"PK\x03\x04zip", "wrong-format", None, None, ".xlsx"),
    ("children", "id,sex,dropout\nC,male,2\n", "bad-probability", 2, None, "probability from 0"),
    ("families", TRIO.replace("A,B", "X,B"), "unknown-parent", 4, None, "correct the id"),
    ("families", TRIO.replace("A,B", "A,"), "one-parent-only", 4, None, "add the mother"),
    ("families", TRIO.replace("A,B", "B,A"), "wrong-sex-parent", 4, None, "swap"),
    ("families", TRIO.replace("B,,,female", "B,C,A,female"), "own-ancestor", 3, None, "ancestor"),
    ("families", TRIO.replace("male,1", "male,"), "no-missing-child", 2, None, "write 1"),
    ("families", TRIO.replace("male,1", "male,yes"), "bad-missing", 4, None, "write 1"),
    ("families", TRIO.replace("F1,B", "F1,A"), "duplicate-id", 3, None, "rename"),
    ("families", TRIO.replace("F1,B", ",B"), "empty-id", 3, None, "column family"),
    ("families", TRIO.replace("F1,A", "F1,"), "empty-id", 2, None, "an id of its own"),
    ("families", TRIO.replace("A,,,male", "A,,,m"), "bad-sex", 2, None, "male, female or unknown"),
]


@pytest.mark.parametrize(("table", "content", "kind", "row", "locus", "mend"), BAD)
def test_each_fault_is_located_and_says_its_mend(
    tmp_path: Path,
    table: str,
    content: str | bytes,
    kind: str,
    row: int | None,
    locus: str | None,
    mend: str,
) -> None:
    path = put(tmp_path, content)
    found = [f for f in faults_of(path, table) if (f.kind, f.row, f.locus) == (kind, row, locus)]
    assert found, faults_of(path, table)
    assert mend in str(found[0])
    assert str(path) in str(found[0])


EXTRA = "family,id,father,mother,sex,missing,twin,founder_inbreeding\nF,A,,,,,,{a}\nF,B,,,,,{b},\n"
TWINS = [
    ("F,C,A,B,male,1,t,\n", "", "", "lone-twin", 4),
    ("F,C,A,B,male,1,t,\nF,D,A,B,female,,t,\n", "", "", "twins-differ", 5),
    ("F,C,A,B,male,1,t,\n", "", "t", "twins-differ", 4),
    ("F,C,A,B,male,1,,\nF,D,,,,,t,\n", "", "t", "twins-without-parents", 5),
    ("F,C,A,B,male,1,,\n", "1.5", "", "bad-inbreeding", 2),
    ("F,C,A,B,male,1,,\n", "x", "", "bad-inbreeding", 2),
    ("F,C,A,B,male,1,,0.25\n", "", "", "bad-inbreeding", 4),
]


@pytest.mark.parametrize(("rows", "a", "b", "kind", "row"), TWINS)
def test_faults_of_twins_and_inbreeding(
    tmp_path: Path, rows: str, a: str, b: str, kind: str, row: int
) -> None:
    faults = faults_of(put(tmp_path, EXTRA.format(a=a, b=b) + rows), "families")
    assert [(f.kind, f.row) for f in faults] == [(kind, row)]


def test_all_faults_are_reported_together(tmp_path: Path) -> None:
    text = CHILD.replace("vWA", "vWAA") + "C,boy,6,,\nC,male,6/7/8,,\nD,male\n"
    kinds = {fault.kind for fault in faults_of(put(tmp_path, text), "children")}
    assert kinds == {
        "unknown-locus", "bad-sex", "lone-allele", "three-alleles", "duplicate-id", "ragged-row",
    }  # fmt: skip


def test_rows_are_those_an_editor_shows(tmp_path: Path) -> None:
    text = '\ufeff"id",sex,notes\n\n\n"A",male,"one\ntwo\r\nthree"\n\nB,boy,""\nC\nD,girl,\n'
    read = read_children(put(tmp_path, text))
    assert [(f.kind, f.row) for f in read.faults] == [
        ("bad-sex", 8), ("ragged-row", 9), ("bad-sex", 10),
    ]  # fmt: skip
    assert list(read.table.facts["notes"]) == ["one\ntwo\r\nthree"]


def test_rows_are_right_after_a_stray_quotation_mark(tmp_path: Path) -> None:
    text = 'id,sex,notes\nA,male,5" tall\n\nB,boy,"two\nlines"\nC\nD,girl,\n'
    read = read_children(put(tmp_path, text))
    assert [(f.kind, f.row) for f in read.faults] == [
        ("bad-sex", 4), ("ragged-row", 6), ("bad-sex", 7),
    ]  # fmt: skip


def test_three_alleles_only_empty_the_genotype(tmp_path: Path) -> None:
    read = read_children(put(tmp_path, CHILD + "C,male,6/7/9,14/15,\nD,male,6/x,,\n"))
    assert list(read.table.ids) == ["C"]
    assert read.table.genotypes.profile(0).genotypes.keys() == {"vWA"}
    assert read.left_out == 1
    with pytest.raises(InputError) as caught:
        read.require_clean()
    assert [f.kind for f in caught.value.faults] == ["three-alleles", "not-a-number"]


def test_a_family_goes_out_whole_and_comes_back_in_the_rejects(tmp_path: Path) -> None:
    rows = TRIO + "F2,A,,,male,,6/9,14/15\nF2,C,A,,male,1,,\nF3,A,,,,1,6/6/6,7/7\nF4,A,,\n"
    read = read_families(put(tmp_path, rows))
    assert list(read.table.family_ids) == ["F1", "F3"]
    assert read.left_out == 2
    rejected = {(row.fault.kind, row.fault.row): row.cells for row in read.rejected.rows}
    assert rejected["one-parent-only", 6] == ("F2", "C", "A", "", "male", "1", "", "")
    assert rejected["with-its-family", 5][:2] == ("F2", "A")
    assert rejected["ragged-row", 8] == ("F4", "A", "", "")
    assert rejected["three-alleles", 7][:2] == ("F3", "A")
    write_rejects(read.rejected, tmp_path / "rejects.csv")
    lines = (tmp_path / "rejects.csv").read_text().splitlines()
    assert lines[0] == "file,row,kind,locus,message,mend," + FAMILY.strip()
    assert len(lines) == 1 + len(rejected)


def test_a_ragged_row_takes_its_family_along(tmp_path: Path) -> None:
    read = read_families(put(tmp_path, TRIO + "F1,D,A,B,male\n"))
    assert len(read.table) == 0
    assert read.left_out == 1
    assert {row.fault.row for row in read.rejected.rows} == {2, 3, 4, 5}


def test_families_in_any_order_and_sexes_from_roles(tmp_path: Path) -> None:
    text = FAMILY + (
        "F2,X,,,unknown,1,,\nF1,C,A,B,,1,,\nF2,Y,,,female,,7/8,\nF1,B,,,,,7/9.3,\nF1,A,,,,,6|9,\n"
    )
    table = read_families(put(tmp_path, text)).require_clean()
    assert list(table.family_ids) == ["F2", "F1"]
    assert list(table.first) == [0, 2, 5]
    family = table.family(1)
    assert [p.id for p in family.pedigree.people] == ["C", "B", "A"]
    assert {p.id: p.sex for p in family.pedigree.people} == {
        "C": "unknown", "B": "female", "A": "male",
    }  # fmt: skip
    assert family.missing == ("C",)
    assert str(family.profiles["A"].genotypes["TH01"]) == "6/9"


def test_known_but_unsearched_loci_are_noted(tmp_path: Path) -> None:
    text = "id,sex,AMEL,PENTA_D,found_place\nC,male,X/Y,9|10,Guangzhou\nD,,X,12/?,\n"
    read = read_children(put(tmp_path, text))
    table = read.require_clean()
    assert read.notes == ("known loci recognised but not searched: AMEL",)
    assert table.genotypes.loci == ("Penta D",)
    assert str(table.genotypes.genotype(1, 0)) == "12/?"
    assert list(table.sex) == [1, 0]
    assert list(table.facts["found_place"]) == ["Guangzhou", ""]


def test_typing_columns_become_models(tmp_path: Path) -> None:
    text = "id,sex,dropout,typing_error\nA,male,,\nB,male,0.1,0.01\n"
    table = read_children(put(tmp_path, text)).require_clean()
    assert dict(table.typing) == {1: TypingModel(dropout=0.1, typing_error=0.01)}


def test_hemizygous_x_of_a_male(tmp_path: Path) -> None:
    table = read_children(put(tmp_path, CHILD + "C,male,,,21\nD,female,,,20/21\n")).require_clean()
    assert [str(table.genotypes.genotype(i, 2)) for i in (0, 1)] == ["21", "20/21"]


def test_gzip_and_truncated_gzip(tmp_path: Path) -> None:
    packed = gzip.compress((CHILD + "C,male,6/9,,\n" * 1).encode() * 1, mtime=0)
    table = read_children(put(tmp_path, packed, "c.csv.gz")).require_clean()
    assert list(table.ids) == ["C"]
    (fault,) = faults_of(put(tmp_path, packed[:-12], "cut.csv.gz"), "children")
    assert fault.kind == "truncated-gzip"


def test_spreadsheet_cells_are_read_as_text(tmp_path: Path) -> None:
    import datetime

    book = openpyxl.Workbook()
    sheet = book.active
    sheet.append(["id", "sex", "DXS7132", "TH01", "birth_date"])
    sheet.append([7, "male", 12, "6/9.3", datetime.date(2020, 3, 2)])
    sheet.append(["B", "male", 9.3, datetime.datetime(2024, 9, 10), None])
    book.save(tmp_path / "c.xlsx")
    read = read_children(tmp_path / "c.xlsx")
    assert [(f.kind, f.row, f.locus) for f in read.faults] == [("date-mangled", 3, "TH01")]
    assert list(read.table.ids) == ["7"]
    assert str(read.table.genotypes.genotype(0, 0)) == "12"
    assert list(read.table.facts["birth_date"]) == ["2020-03-02"]
    (fault,) = faults_of(put(tmp_path, b"no zip", "x.xlsx"), "children")
    assert fault.kind == "not-a-spreadsheet"


def test_a_wrong_byte_is_found_across_blocks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kinward.io.source._BLOCK", 7)
    text = "id,sex,notes\n孩子,male,\n子,male,".encode()
    for broken in (b"\xb0\xa1", "子".encode()[:2]):
        (fault,) = faults_of(put(tmp_path, text + broken), "children")
        assert (fault.kind, fault.row) == ("wrong-encoding", 3)
        assert f"byte {len(text) + 1} " in fault.message


def test_missing_file_is_one_fault(tmp_path: Path) -> None:
    (fault,) = faults_of(tmp_path / "none.csv", "children")
    assert fault.kind == "unreadable"
    assert "check the path" in str(fault)


def same_children(one: ChildTable, two: ChildTable) -> None:
    assert list(one.ids) == list(two.ids)
    np.testing.assert_array_equal(one.sex, two.sex)
    assert dict(one.typing) == dict(two.typing)
    assert {k: list(v) for k, v in one.facts.items()} == {k: list(v) for k, v in two.facts.items()}
    for person in range(len(one)):
        assert one.genotypes.profile(person) == two.genotypes.profile(person)


def same_families(one: FamilyTable, two: FamilyTable) -> None:
    assert list(one.family_ids) == list(two.family_ids)
    for name in ("first", "father", "mother", "sex", "missing", "twin", "founder_inbreeding"):
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name), err_msg=name)
    for family in range(len(one)):
        assert one.family(family) == two.family(family)


@pytest.mark.parametrize("ending", [".csv", ".csv.gz", ".xlsx"])
def test_registry_survives_writing_and_reading(tmp_path: Path, ending: str) -> None:
    children: Read[ChildTable] = read_children(REGISTRY / "children.csv")
    families: Read[FamilyTable] = read_families(REGISTRY / "families.csv")
    assert (len(children.require_clean()), len(families.require_clean())) == (180, 400)
    write_children(children.table, tmp_path / f"c{ending}")
    write_families(families.table, tmp_path / f"f{ending}")
    same_children(children.table, read_children(tmp_path / f"c{ending}").require_clean())
    same_families(families.table, read_families(tmp_path / f"f{ending}").require_clean())


def test_registry_is_written_back_byte_for_byte(tmp_path: Path) -> None:
    write_families(read_families(REGISTRY / "families.csv").table, tmp_path / "f.csv")
    assert (tmp_path / "f.csv").read_text() == (REGISTRY / "families.csv").read_text()
