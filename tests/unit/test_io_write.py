"""Atomic writing, results, frequencies, mutation models, .ped, GeneMapper and conversion."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kinward.errors import InputError, ModelError
from kinward.io.atomic import atomic_write
from kinward.io.convert import convert
from kinward.io.frequencies import read_frequencies, write_frequencies
from kinward.io.genemapper import UNVERIFIED, read_genemapper
from kinward.io.mutation import read_mutation
from kinward.io.ped import read_ped, write_ped
from kinward.io.results import ResultWriter, write_results
from kinward.io.tables import read_children, read_families
from kinward.io.write import write_children
from kinward.model.mutation import EqualMutation, NoMutation, StepwiseMutation

REGISTRY = Path(__file__).parents[1] / "reference" / "registry_400"


def put(folder: Path, text: str, name: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def faults(error: pytest.ExceptionInfo[InputError]) -> list[tuple[str, int | None, str | None]]:
    return [(f.kind, f.row, f.locus) for f in error.value.faults]


@pytest.mark.parametrize("failure", [ValueError, KeyboardInterrupt])
def test_nothing_half_written(tmp_path: Path, failure: type[BaseException]) -> None:
    path = put(tmp_path, "before", "out.csv")

    def fail() -> None:
        with atomic_write(path) as file:
            file.write(b"half")
            raise failure

    with pytest.raises(failure):
        fail()
    assert path.read_text() == "before"
    assert [p.name for p in tmp_path.iterdir()] == ["out.csv"]


def test_replacing_keeps_permissions_and_links(tmp_path: Path) -> None:
    path = put(tmp_path, "before", "out.csv")
    path.chmod(0o640)
    (tmp_path / "link.csv").symlink_to(path)
    with atomic_write(tmp_path / "link.csv") as file:
        file.write(b"after")
    assert path.read_text() == "after"
    assert path.stat().st_mode & 0o777 == 0o640
    assert (tmp_path / "link.csv").is_symlink()


def test_an_unwritable_place_is_an_input_error(tmp_path: Path) -> None:
    for path in (tmp_path / "none" / "out.csv", tmp_path):
        with pytest.raises(InputError, match="cannot be written"), atomic_write(path):
            pass


BLOCK = {
    "child": ["C1", "C,2"],
    "family": ["F1", "F2"],
    "missing": ["M", "M"],
    "log10_lr": [0.1 + 0.2, float("-inf")],
    "loci": np.array([20, 3], dtype=np.int32),
    "exclusions": [0, 9],
    "sex_conflict": [False, True],
}


def test_results_as_csv_and_parquet(tmp_path: Path) -> None:
    with ResultWriter(tmp_path / "r.csv", {"posterior": pa.float64()}) as out:
        out.write({**BLOCK, "posterior": [None, 0.5]})
        out.write(pa.table({**BLOCK, "posterior": [0.25, 0.5]}).slice(0, 1))
    assert out.rows == 3
    assert (tmp_path / "r.csv").read_text().splitlines() == [
        "child,family,missing,log10_lr,loci,exclusions,sex_conflict,posterior",
        '"C1","F1","M",0.30000000000000004,20,0,false,',
        '"C,2","F2","M",-inf,3,9,true,0.5',
        "C1,F1,M,0.30000000000000004,20,0,false,0.25",
    ]
    write_results(tmp_path / "r.parquet", BLOCK)
    assert pq.read_table(tmp_path / "r.parquet").column("log10_lr").to_pylist() == BLOCK["log10_lr"]


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_interrupted_results_leave_nothing(tmp_path: Path, ending: str) -> None:
    def fail() -> None:
        with ResultWriter(tmp_path / f"r.{ending}") as out:
            out.write(BLOCK)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_results_need_their_columns(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="lacking"), ResultWriter(tmp_path / "r.csv") as out:
        out.write({"child": ["C"]})
    with pytest.raises(InputError, match="name the file"):
        ResultWriter(tmp_path / "r.json")


def test_frequencies_come_back(tmp_path: Path) -> None:
    table = read_frequencies(REGISTRY / "frequencies.csv")
    for name in ("f.csv", "f.xlsx", "f.csv.gz"):
        write_frequencies(table, tmp_path / name)
        assert read_frequencies(tmp_path / name).digest() == table.digest()
    with_n = put(tmp_path, "locus,allele,frequency,n\nvwa,14,0.4,200\nVWA,15,0.6,200\n", "n.csv")
    assert read_frequencies(with_n).loci["vWA"].n == 200


def test_faulty_frequencies_are_located(tmp_path: Path) -> None:
    text = (
        "locus,allele,frequency,n\nvWA,14,0.4,200\nvWA,14.0,0.2,100\nvWAA,1,1,\nTH01,6,0,\n"
        "TH01,,0.5,\nTH01,7,x,-1\n"
    )
    with pytest.raises(InputError) as caught:
        read_frequencies(put(tmp_path, text, "f.csv"))
    assert faults(caught) == [
        ("duplicate-allele", 3, "vWA"), ("bad-n", 3, "vWA"), ("unknown-locus", 4, "vWAA"),
        ("bad-frequency", 5, "TH01"), ("empty-allele", 6, "TH01"),
        ("bad-frequency", 7, "TH01"), ("bad-n", 7, "TH01"),
    ]  # fmt: skip
    with pytest.raises(InputError, match=r"row 2, vWA: frequencies sum to 0\.5; correct"):
        read_frequencies(put(tmp_path, "locus,allele,frequency\nvWA,14,0.5\n", "f.csv"))
    with pytest.raises(InputError, match="add a column frequency"):
        read_frequencies(put(tmp_path, "locus,allele,freq\nvWA,14,1\n", "f.csv"))


def test_mutation_models_per_locus(tmp_path: Path) -> None:
    text = (
        "locus,model,male,female,rate2,range\ndefault,equal,0.002,0.001,,\n"
        "vwa,stepwise,0.003,0.001,1e-5,0.2\nTH01,none,,,,\n"
    )
    scheme = read_mutation(put(tmp_path, text, "m.csv"))
    assert scheme.for_locus("FGA").female == EqualMutation(0.001)
    assert scheme.for_locus("vWA").male == StepwiseMutation(0.003, 1e-5, 0.2)
    assert scheme.for_locus("TH01").male == NoMutation()


@pytest.mark.parametrize(
    ("row", "kind", "word"),
    [
        ("vWAA,equal,0.1,0.1", "unknown-locus", "correct the name"),
        ("vWA,equal,x,0.1", "bad-mutation", "not a number"),
        ("vWA,equals,0.1,0.1", "bad-mutation", "unknown mutation model"),
        ("vWA,equal,2,0.1", "bad-mutation", "rate"),
        ("default,equal,0.1,0.1", "duplicate-locus", "keep one"),
    ],
)
def test_faulty_mutation_models(tmp_path: Path, row: str, kind: str, word: str) -> None:
    text = f"locus,model,male,female\ndefault,none,,\n{row}\n"
    with pytest.raises(InputError, match=word) as caught:
        read_mutation(put(tmp_path, text, "m.csv"))
    assert [(f.kind, f.row) for f in caught.value.faults] == [(kind, 3)]
    with pytest.raises(InputError, match="add a row with default"):
        read_mutation(put(tmp_path, "locus,model,male,female\nvWA,none,,\n", "m.csv"))


PED = (
    "#family id father mother sex missing TH01 PENTA_D\nF 1 0 0 1 1 6 9 0 0\nF 2 0 0 2 0 7 0 8 9\n"
)


def test_ped_with_a_header(tmp_path: Path) -> None:
    table = read_ped(put(tmp_path, PED + "F 3 1 2 0 2 0 0 0 0\n", "a.ped")).require_clean()
    family = table.family(0)
    assert family.missing == ("3",)
    assert {k: str(v) for k, v in family.profiles["2"].genotypes.items()} == {
        "TH01": "7/?", "Penta D": "8/9",
    }  # fmt: skip
    write_ped(table, tmp_path / "b.ped")
    again = read_ped(tmp_path / "b.ped").require_clean()
    assert again.family(0) == family


@pytest.mark.parametrize(
    ("name", "text"),
    [("a.map", "11 TH01 0\n21 PENTA_D 0\n"), ("a.dat", "A x\nM TH01\nM Penta_D\n")],
)
def test_ped_with_a_companion(tmp_path: Path, name: str, text: str) -> None:
    put(tmp_path, text, name)
    path = put(tmp_path, PED.partition("\n")[2] + "F 3 1 2 0 2 0 0 0 0\n", "a.ped")
    assert read_ped(path).require_clean().genotypes.loci == ("TH01", "Penta D")


def test_faulty_ped(tmp_path: Path) -> None:
    read = read_ped(put(tmp_path, PED + "F 3 1 0 0 2 0 0 0 0\nF 4 0 0 9 3 0 0 0\n", "a.ped"))
    assert [(f.kind, f.row) for f in read.faults] == [("one-parent-only", 4), ("ragged-row", 5)]
    with pytest.raises(InputError, match="loci are not named"):
        read_ped(put(tmp_path, "F 1 0 0 1 2\n", "b.ped"))


GENEMAPPER = (
    "Sample Name\tPanel\tMarker\tAllele 1\tAllele 2\tAllele 3\n"
    "C1\tp\tAMEL\tX\tY\t\nC1\tp\tTH01\t9.3\t\t\nC1\tp\tvWA\t14\tOL\t\nC1\tp\tFGA\t21\t?\t\n"
    "C1\tp\tDXS7132\t13\t\t\nC2\tp\tAMEL\tX\t\t\nC2\tp\tTH01\t6\t7\t9\nC2\tp\tD99\t6\t7\t\n"
)


def test_genemapper(tmp_path: Path) -> None:
    read = read_genemapper(put(tmp_path, GENEMAPPER, "g.txt"))
    assert list(read.table.ids) == ["C1", "C2"]
    assert list(read.table.sex) == [1, 2]
    assert {k: str(v) for k, v in read.table.genotypes.profile(0).genotypes.items()} == {
        "TH01": "9.3/9.3", "FGA": "21/?", "DXS7132": "13",
    }  # fmt: skip
    assert [(f.kind, f.row, f.locus) for f in read.faults] == [
        ("three-alleles", 8, "TH01"), ("unknown-locus", 9, "D99"),
    ]  # fmt: skip
    assert read.notes[0] == UNVERIFIED
    assert "lone alleles read as homozygotes: C1 TH01" in read.notes
    assert any("C1 vWA" in note for note in read.notes)


def test_convert_tables_and_ped(tmp_path: Path) -> None:
    source = REGISTRY / "families.csv"
    assert convert(source, tmp_path / "f.ped").count == 400
    convert(tmp_path / "f.ped", tmp_path / "f.xlsx")
    convert(tmp_path / "f.xlsx", tmp_path / "f.csv", "families")
    assert (tmp_path / "f.csv").read_text() == source.read_text()


def test_convert_refuses_losses(tmp_path: Path) -> None:
    for text, word in (
        ("id,sex,AMEL\nC,male,X/Y\n", "would not hold AMEL"),
        ("id,sex,TH01\nC,male,6\n", "lone|one allele"),
    ):
        with pytest.raises(InputError, match=word):
            convert(put(tmp_path, text, "c.csv"), tmp_path / "out.xlsx")
    with pytest.raises(InputError, match="holds families, not children"):
        convert(REGISTRY / "children.csv", tmp_path / "out.ped")
    with pytest.raises(InputError, match="holds children, not families"):
        convert(REGISTRY / "children.csv", tmp_path / "out.csv", "families")
    facts = "family,id,father,mother,sex,missing,hair\nF,C,,,male,1,black\n"
    with pytest.raises(InputError, match="the facts hair"):
        convert(put(tmp_path, facts, "f.csv"), tmp_path / "out.ped")
    assert not (tmp_path / "out.xlsx").exists()
    assert not (tmp_path / "out.ped").exists()


def test_convert_familias(tmp_path: Path, shared_reference: Path) -> None:
    source = shared_reference / "fam" / "planecrash-dvi.fam"
    assert convert(source, tmp_path / "c.csv", "children").count == 8
    families = convert(source, tmp_path / "f.csv", "families")
    assert "family F1: added untyped mother of Missing person as second parents" in families.notes
    assert convert(source, tmp_path / "q.csv", "frequencies").count == 22
    assert len(read_children(tmp_path / "c.csv").require_clean()) == 8
    table = read_families(tmp_path / "f.csv").require_clean()
    assert table.family(3).pedigree.people[0].mother == "Missing person"
    assert len(read_frequencies(tmp_path / "q.csv").loci) == 22
    with pytest.raises(InputError, match="say which"):
        convert(source, tmp_path / "x.csv")


def test_spreadsheets_hold_text_not_formulas(tmp_path: Path) -> None:
    text = "id,sex,notes\n=1+1,male,=A1\n"
    table = read_children(put(tmp_path, text, "c.csv")).require_clean()
    write_children(table, tmp_path / "c.xlsx")
    again = read_children(tmp_path / "c.xlsx").require_clean()
    assert list(again.ids) == ["=1+1"]
    assert list(again.facts["notes"]) == ["=A1"]
