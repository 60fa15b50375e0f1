"""Familias case files: people, genotypes, pedigrees, database, and what is refused."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from kinward.errors import InputError
from kinward.io.fam import read_fam
from kinward.io.fam_case import FamiliasCase
from kinward.model.mutation import EqualMutation, NoMutation, ProportionalMutation, StepwiseMutation

PREAMBLE = '"Output from Familias, version 3.3.1"\n"DO NOT EDIT!"\n3.3.1\n""\n'
PEOPLE = (
    '2\n"Vätér"\n#FALSE#\n-1\n#FALSE#\n#TRUE#\n1\n0\n1\n0\n'
    '"Kind"\n#FALSE#\n-1\n#FALSE#\n#FALSE#\n0\n'
)
RELATIONS = '"Known relations"\n0\n0\n0\n2\n0\n"H1"\n1\n0\n2\n0\n1\n2\n1\n1\n"H2"\n0\n0\n0\n'
HEAD = '#FALSE# (#Databases: 1 ;Theta/Kinship/Fst: 0.02 )\n1\n#TRUE#\n"db"\n'
LOCUS = (
    '"VWA"\n0.001\n0.002\n4\n4\n3\n0.1\n0.2\n1e-006\n2e-006\n#FALSE#\n0\n'
    "3\t(DatabaseSize = 500 , Dropout probability = 0 , Minor allele frequency = 0 )\n"
    '"16"\n0.2\n"15.3"\n0.3\n"17"\n0.5\n'
)
CASE = PREAMBLE + PEOPLE + RELATIONS + HEAD + LOCUS


def read(
    folder: Path, text: str, encoding: str = "utf-8", **options: tuple[str, ...]
) -> FamiliasCase:
    path = folder / "case.fam"
    path.write_bytes(text.encode(encoding))
    return read_fam(path, **options)


def fault_of(folder: Path, text: str) -> str:
    with pytest.raises(InputError) as caught:
        read(folder, text)
    return str(caught.value)


def test_a_small_case(tmp_path: Path) -> None:
    case = read(tmp_path, CASE)
    assert {p.id: p.sex for p in case.people} == {"Vätér": "male", "Kind": "female"}
    assert {k: str(g) for k, g in case.profiles["Vätér"].genotypes.items()} == {"vWA": "15.3/16"}
    assert case.theta == 0.02
    child = case.hypotheses["H1"].people[1]
    assert (child.father, child.mother) == ("Vätér", "extra female 1")
    assert case.hypotheses["H2"].people[1].father is None
    locus = case.loci["vWA"]
    assert locus.frequencies.alleles == ("15.3", "16", "17")
    assert list(locus.frequencies.frequencies) == [0.3, 0.2, 0.5]
    assert locus.mutation.female == StepwiseMutation(0.001, 1e-6, 0.1)
    assert locus.mutation.male == StepwiseMutation(0.002, 2e-6, 0.2)
    assert locus.database_size == 500


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_names_in_either_encoding(tmp_path: Path, encoding: str, newline: str) -> None:
    case = read(tmp_path, CASE.replace("\n", newline), encoding)
    assert case.people[0].id == "Vätér"


def test_silent_alleles_and_remarks_over_several_lines(tmp_path: Path) -> None:
    text = CASE.replace('\n""\n', '\n"first\nsecond"\n')
    text = text.replace("4\n4\n3\n", "0\n1\n4\n").replace("#FALSE#\n0\n3\t", "#TRUE#\n0.1\n3\t")
    case = read(tmp_path, text.replace('"17"\n0.5', '"17"\n0.4'))
    assert case.loci["vWA"].silent == 0.1
    assert case.loci["vWA"].frequencies.frequencies.sum() == pytest.approx(0.9, abs=1e-15)
    assert case.loci["vWA"].mutation.female == EqualMutation(0.001)
    assert case.loci["vWA"].mutation.male == ProportionalMutation(0.002)


def test_dropout_is_considered_for_marked_people_only(tmp_path: Path) -> None:
    text = CASE.replace("-1\n", "-1 (Consider dropouts)\n", 1)
    text = text.replace("Dropout probability = 0 ", "Dropout probability = 0.1 ")
    case = read(tmp_path, text)
    assert [p.profile.typing.dropout for p in case.people] == [0.1, 0.0]


@pytest.mark.parametrize(
    ("old", "new", "word"),
    [
        ("Output from Familias", "Output from Elsewhere", "row 1: this is not a Familias file"),
        ('"Known relations"', '"Relations"', "row 21"),
        ('"H2"', '"H1"', "two hypotheses are named 'H1'"),
        ("2\n0\n1\n2\n1\n1\n", "2\n0\n1\n1\n0\n1\n", "hypothesis H1 is malformed: own ancestor"),
        ("2\n0\n1\n2\n1\n1\n", "2\n0\n1\n9\n1\n1\n", "person number 9 does not exist"),
        ('"Kind"', '"Vätér"', "two people are named Vätér"),
        ('0\n1\n0\n"Kind', '0\n3\n0\n"Kind', "vWA: Vätér has an allele that is not in"),
        ('0\n1\n0\n"Kind', '0\n1\n7\n"Kind', "no locus number 7"),
        ('"15.3"', '"16"', "allele '16' is empty or there twice"),
        ('"17"\n0.5', '"17"\n0.7', "frequencies sum to 1.2"),
        ("4\n4\n3\n", "4\n4\n5\n", "5 alleles were announced"),
        ("4\n4\n3\n", "3\n4\n3\n", "made stationary is not supported"),
        ("4\n4\n3\n", "2\n4\n3\n", "without microvariants is set"),
        ("4\n4\n3\n", "7\n4\n3\n", "whole number from 0 to 4, found '7'"),
        ('"17"', '"Rest allele"', "'Rest allele' is not a repeat number"),
        ("0.001\n0.002", "x\n0.002", "found 'x'"),
        ("#FALSE# (#Data", "#TRUE# (#Data", "computed probabilities"),
        ("#Databases: 1", "#Databases: 2", "2 databases"),
    ],
)
def test_what_is_refused(tmp_path: Path, old: str, new: str, word: str) -> None:
    assert old in CASE
    message = fault_of(tmp_path, CASE.replace(old, new, 1))
    assert word in message
    assert "case.fam" in message


@pytest.mark.parametrize("lines", range(0, CASE.count("\n"), 3))
def test_a_file_cut_short_names_the_line(tmp_path: Path, lines: int) -> None:
    message = fault_of(tmp_path, "\n".join(CASE.splitlines()[:lines]) + "\n")
    assert re.search(r"case\.fam, row \d+", message)


def test_rest_allele_where_the_model_allows_it(tmp_path: Path) -> None:
    case = read(tmp_path, CASE.replace("4\n4\n3\n", "0\n0\n3\n").replace('"17"', '"Rest allele"'))
    assert case.loci["vWA"].frequencies.alleles == ("15.3", "16", "Rest allele")


def test_paternity(shared_reference: Path) -> None:
    case = read_fam(shared_reference / "fam" / "paternity.fam")
    assert [(p.id, p.sex, len(p.profile.genotypes)) for p in case.people] == [
        ("AF", "male", 10), ("MO", "female", 0), ("CH", "male", 10),
    ]  # fmt: skip
    assert list(case.hypotheses) == ["H1", "H2"]
    assert case.mutation.for_locus("D3S1358").male == StepwiseMutation(0.002, 1e-6, 0.1)
    assert case.mutation.for_locus("D3S1358").female == StepwiseMutation(0.001, 1e-6, 0.1)
    assert str(case.profiles["AF"].genotypes["D3S1358"]) == "17/17"
    assert len(case.frequencies.loci) == 10


def test_half_sibs(shared_reference: Path) -> None:
    case = read_fam(shared_reference / "fam" / "halfsib_case.fam")
    assert case.loci["vWA"].frequencies.alleles == ("16", "17", "Rest allele")
    assert case.loci["vWA"].mutation.male == NoMutation()
    siblings = {p.id: (p.father, p.mother) for p in case.hypotheses["HS"].people if p.father}
    assert siblings == {"NN1": ("2", "1"), "NN2": ("2", "3")}


def test_a_malformed_hypothesis_is_refused_or_left_out(shared_reference: Path) -> None:
    path = shared_reference / "fam" / "kinship-riddle.fam"
    with pytest.raises(InputError, match="hypothesis H2 is malformed: S2 has two mothers, 2 and 3"):
        read_fam(path)
    assert list(read_fam(path, without=("H2",)).hypotheses) == ["H1", "H3", "H4"]
    with pytest.raises(InputError, match="no hypothesis H9"):
        read_fam(path, without=("H2", "H9"))


def test_disaster_victims(shared_reference: Path) -> None:
    case = read_fam(shared_reference / "fam" / "planecrash-dvi.fam")
    assert [v.id for v in case.victims] == [f"V{i}" for i in range(1, 9)]
    assert {len(v.profile.genotypes) for v in case.victims} == {15}
    assert str(case.victims[0].profile.genotypes["D21S11"]) == "28/31.2"
    assert [f.id for f in case.families] == ["F1", "F2", "F3", "F4", "F5"]
    assert {f.missing for f in case.families} == {("Missing person",)}
    son = case.families[3].pedigrees["Son"]
    assert son.people[son.index["R4"]].mother == "Missing person"
    assert list(case.families[1].profiles) == ["R2"]
