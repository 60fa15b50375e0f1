"""Any bytes give a valid table or an InputError; what is written is read back the same."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import openpyxl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kinward.errors import Fault, InputError
from kinward.io.fam import read_fam
from kinward.io.frequencies import read_frequencies
from kinward.io.genemapper import read_genemapper
from kinward.io.mutation import read_mutation
from kinward.io.ped import read_ped, write_ped
from kinward.io.tables import Read, read_children, read_families
from kinward.io.write import write_children, write_families, write_rejects
from kinward.model.profile import Genotype, TypingModel
from kinward.model.registry import ChildTable, FamilyTable, GenotypeColumns

CHILDREN = b'id,sex,notes,dropout,TH01,vWA,DXS7132\nA,male,"x,y",0.1,6/9,14/15,20\nB,,,,7/?,,\n'
FAMILIES = (
    b"family,id,father,mother,sex,missing,twin,founder_inbreeding,TH01\n"
    b"F,A,,,male,,,0.1,6/9\nF,C,A,B,,1,t,,\nG,X,,,,1,,,7/7\nF,B,,,,,,,\nF,D,A,B,male,,t,,9/9\n"
)
FREQUENCIES = b"locus,allele,frequency,n\nTH01,6,0.5,100\nTH01,9.3,0.5,100\n"
MUTATION = b"locus,model,male,female,rate2,range\ndefault,stepwise,0.002,0.001,1e-6,0.1\n"
PED = (
    b"#family id father mother sex missing TH01\n"
    b"F A 0 0 1 0 6 9\nF B 0 0 2 0 0 0\nF C A B 0 2 7 7\n"
)
GENEMAPPER = b"Sample Name\tMarker\tAllele 1\tAllele 2\nA\tAMEL\tX\tY\nA\tTH01\t6\t9.3\n"
FAM = (
    b'"Familias"\n"x"\n3.3\n""\n2\n"A"\n#FALSE#\n-1\n#FALSE#\n#TRUE#\n1\n0\n1\n0\n'
    b'"B"\n#FALSE#\n-1\n#FALSE#\n#FALSE#\n0\n"Known relations"\n0\n0\n0\n1\n0\n"H"\n0\n0\n1\n0\n1\n'
    b'#FALSE# (#Databases: 1 ;Theta/Kinship/Fst: 0 )\n1\n#TRUE#\n"db"\n'
    b'"VWA"\n0.001\n0.002\n4\n4\n2\n0.1\n0.1\n1e-006\n1e-006\n#FALSE#\n0\n'
    b"2\t(DatabaseSize = 500 , Dropout probability = 0 , Minor allele frequency = 0 )\n"
    b'"16"\n0.5\n"17"\n0.5\n[DVI]\n[[Unidentified persons]]\nnPersons= 1\n[[[Person 1]]]\nName= V\n'
    b"Gender= Male\n[[[[DNA data]]]]\nnSystems= 1\nSystemName= VWA\nAllele1= 16\nAllele2= 17\n"
    b"[[Reference Families]]\nnFamilies= 1\n[[[Family 1]]]\nName= F\n[[[[Persons]]]]\nnPersons= 2\n"
    b"[[[[[Person 1]]]]]\nName= R\nGender= Male\nnSystems= 0\n[[[[[Person 2]]]]]\n"
    b"Name= Missing male 1\nGender= Male\nnSystems= 0\n[[[[Pedigrees]]]]\nnPedigrees= 1\nName= P\n"
    b"nRelations= 1\nParent= R\nChild= Missing person\n"
)


def _xlsx() -> bytes:
    book = openpyxl.Workbook()
    for line in CHILDREN.decode().splitlines():
        book.active.append(line.split(","))
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


def check_children(read: Read[ChildTable]) -> None:
    table = read.table
    assert len(table) == len(table.sex) == len(table.genotypes.codes)
    assert len(set(table.ids)) == len(table)
    for person in range(len(table)):
        table.genotypes.profile(person)


def check_families(read: Read[FamilyTable]) -> None:
    for family in range(len(read.table)):
        assert read.table.family(family).missing
    if not read.faults:
        assert len(read.rejected) == read.left_out == 0


READERS: list[tuple[str, bytes, Callable[[Path], object]]] = [
    ("c.csv", CHILDREN, lambda path: check_children(read_children(path))),
    ("c.csv.gz", CHILDREN, lambda path: check_children(read_children(path))),
    ("f.csv", FAMILIES, lambda path: check_families(read_families(path))),
    ("c.xlsx", _xlsx(), lambda path: check_children(read_children(path))),
    ("q.csv", FREQUENCIES, read_frequencies),
    ("m.csv", MUTATION, read_mutation),
    ("p.ped", PED, lambda path: check_families(read_ped(path))),
    ("g.txt", GENEMAPPER, lambda path: check_children(read_genemapper(path))),
    ("k.fam", FAM, read_fam),
]
FUZZ = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
PIECES = st.sampled_from(
    [
        *(b"", b"\n", b"\r", b'"', b",", b"/", b"|", b"?", b"\x00", b"\xff", b"\xef\xbb\xbf"),
        *(b"-1", b"1", b"99999999999", b"nan", b"inf", b"1e999", b" ", b"\t", b"A", b"F"),
        *(b"\xc2\x85", "孩".encode(), "１２".encode(), b"12/13", b"female"),
    ]
)


def faults_of(read: Callable[[Path], object], path: Path) -> tuple[Fault, ...]:
    """Faults of a file that cannot be read; any other exception fails the test."""
    try:
        read(path)
    except InputError as error:
        return error.faults
    return ()


@st.composite
def mutated(draw: st.DrawFn, content: bytes) -> bytes:
    """Replace, insert and remove a few pieces."""
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(content)))
        width = draw(st.sampled_from([0, 0, 1, 1, 3, 20]))
        content = content[:at] + draw(PIECES | st.binary(max_size=4)) + content[at + width :]
    return content


@pytest.mark.parametrize(("name", "content", "read"), READERS, ids=[r[0] for r in READERS])
@FUZZ
@given(data=st.data())
def test_mutated_files(
    tmp_path: Path, name: str, content: bytes, read: Callable[[Path], object], data: st.DataObject
) -> None:
    path = tmp_path / name
    path.write_bytes(data.draw(mutated(content)))
    faults = faults_of(read, path)
    assert all(fault.message and fault.mend for fault in faults)


@pytest.mark.parametrize(("name", "read"), [(r[0], r[2]) for r in READERS])
@FUZZ
@given(content=st.binary(max_size=300))
def test_any_bytes(
    tmp_path: Path, name: str, read: Callable[[Path], object], content: bytes
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    faults_of(read, path)


@pytest.mark.parametrize(("name", "content", "read"), READERS, ids=[r[0] for r in READERS])
def test_the_seeds_are_sound(
    tmp_path: Path, name: str, content: bytes, read: Callable[[Path], object]
) -> None:
    (tmp_path / name).write_bytes(content)
    read(tmp_path / name)


@FUZZ
@given(data=st.data())
def test_rejects_name_every_fault(tmp_path: Path, data: st.DataObject) -> None:
    path = tmp_path / "f.csv"
    path.write_bytes(data.draw(mutated(FAMILIES)))
    try:
        read = read_families(path)
    except InputError:
        return
    told = [row.fault for row in read.rejected.rows if row.fault.kind != "with-its-family"]
    assert sorted(map(str, told)) == sorted(map(str, read.faults))
    write_rejects(read.rejected, tmp_path / "rejects.csv")


ALLELES = st.sampled_from(["6", "7", "9", "9.3", "10", "22.2"])
WORD = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cs", "Cc", "Z")), min_size=1, max_size=6
)
GENOTYPE = st.builds(lambda a, b: Genotype((a, b)), ALLELES, ALLELES) | st.builds(
    lambda a: Genotype((a,), True), ALLELES
)
FACT = st.text(st.characters(codec="utf-8", exclude_characters="\x00\r"), max_size=8).map(str.strip)


@st.composite
def genotypes(draw: st.DrawFn, people: int) -> GenotypeColumns:
    loci = ("TH01", "vWA", "Penta D")
    observed = tuple(
        tuple(draw(st.lists(GENOTYPE, min_size=1, max_size=5, unique=True))) for _ in loci
    )
    codes = np.array(
        [[draw(st.integers(0, len(seen))) for seen in observed] for _ in range(people)],
        dtype=np.int16,
    ).reshape(people, len(loci))
    return GenotypeColumns(loci, observed, codes)


@st.composite
def children(draw: st.DrawFn) -> ChildTable:
    ids = draw(st.lists(WORD, min_size=1, max_size=6, unique=True))
    sex = draw(st.lists(st.integers(0, 2), min_size=len(ids), max_size=len(ids)))
    facts = draw(st.lists(FACT, min_size=len(ids), max_size=len(ids)))
    dropout = draw(st.floats(0, 0.99))
    return ChildTable(
        np.array(ids, dtype=object),
        np.array(sex, dtype=np.int8),
        draw(genotypes(len(ids))),
        {0: TypingModel(dropout=dropout)} if dropout else {},
        {"notes": np.array(facts, dtype=object)},
    )


@st.composite
def families(draw: st.DrawFn) -> FamilyTable:
    """Families of a father, a mother and children, some of them twins or missing."""
    names = draw(st.lists(WORD, min_size=1, max_size=4, unique=True))
    counts = [draw(st.integers(1, 3)) for _ in names]
    first = np.concatenate(([0], np.cumsum([count + 2 for count in counts]))).astype(np.int64)
    people = int(first[-1])
    father, mother = (np.full(people, -1, dtype=np.int16) for _ in range(2))
    sex, missing = np.zeros(people, dtype=np.int8), np.zeros(people, dtype=np.bool_)
    twin = np.zeros(people, dtype=np.int16)
    ids: list[str] = []
    for start, count in zip(first[:-1].tolist(), counts, strict=True):
        ids += draw(st.lists(WORD, min_size=count + 2, max_size=count + 2, unique=True))
        sex[start : start + 2] = 1, 2
        father[start + 2 : start + 2 + count] = 0
        mother[start + 2 : start + 2 + count] = 1
        missing[start + 2] = True
        if count > 1 and draw(st.booleans()):
            twin[start + 2 : start + 4] = 1
    inbreeding = np.where(father < 0, draw(st.sampled_from([0.0, 0.0625])), 0.0)
    population = np.array([draw(st.sampled_from(["", "Han"])) for _ in range(people)], dtype=object)
    return FamilyTable(
        np.array(names, dtype=object), first, np.array(ids, dtype=object), father, mother, sex,
        missing, twin, inbreeding, population, draw(genotypes(people)),
    )  # fmt: skip


@pytest.mark.parametrize("ending", [".csv", ".csv.gz"])
@FUZZ
@given(table=children())
def test_children_come_back(tmp_path: Path, ending: str, table: ChildTable) -> None:
    path = tmp_path / f"c{ending}"
    write_children(table, path)
    again = read_children(path).require_clean()
    assert list(again.ids) == list(table.ids)
    assert list(again.sex) == list(table.sex)
    assert dict(again.typing) == dict(table.typing)
    assert list(again.facts["notes"]) == list(table.facts["notes"])
    for person in range(len(table)):
        assert again.genotypes.profile(person) == table.genotypes.profile(person)


@FUZZ
@given(table=families())
def test_families_come_back(tmp_path: Path, table: FamilyTable) -> None:
    write_families(table, tmp_path / "f.csv")
    again = read_families(tmp_path / "f.csv").require_clean()
    assert list(again.family_ids) == list(table.family_ids)
    assert list(again.population) == list(table.population)
    for family in range(len(table)):
        assert again.family(family) == table.family(family)


@FUZZ
@given(table=families())
def test_ped_holds_a_family_or_says_why_not(tmp_path: Path, table: FamilyTable) -> None:
    faults = faults_of(lambda path: write_ped(table, path), tmp_path / "f.ped")
    if faults:
        assert {fault.kind for fault in faults} == {"cannot-hold"}
        return
    again = read_ped(tmp_path / "f.ped").require_clean()
    for family in range(len(table)):
        assert again.family(family) == table.family(family)
