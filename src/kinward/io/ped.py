"""Read and write `.ped` pedigree files in the LINKAGE layout, for families.

The dialect: one person per line, fields separated by blanks: family, id, father, mother, sex
(1 male, 2 female, 0 unknown), status, then two alleles per locus. 0 stands for no parent and for
an allele that was not read. Status 2 ("affected") marks a missing child; 0 and 1 mark others. The
loci come from a first line `#family id father mother sex missing TH01 TH01 vWA vWA` (each name
once or twice), or else from a companion file with the same stem: `.map` (chromosome, name, ...)
or `.dat` (lines `M name`, and `A name` for the status column).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from kinward.errors import Fault, InputError
from kinward.io.atomic import atomic_write
from kinward.io.source import RaggedRow, RawTable, decode_text, file_fault, read_bytes
from kinward.io.tables import Read, tabulate_families
from kinward.model.marker import find_locus
from kinward.model.registry import FamilyTable

__all__ = ["read_ped", "write_ped"]

_FIXED = ("family", "id", "father", "mother", "sex", "missing")
_SEX = {"1": "male", "2": "female", "0": "unknown"}
_STATUS = {"2": "1", "0": "", "1": ""}


def read_ped(path: Path | str) -> Read[FamilyTable]:
    """Read families from a `.ped` file; faults are those of `read_families`, located by line.

    Raises InputError if the loci are not named or the file cannot be read.
    """
    path = Path(path)
    lines = decode_text(path, read_bytes(path)).splitlines()
    rows = [(n, line.split()) for n, line in enumerate(lines, start=1) if line.strip()]
    if not rows:
        raise file_fault(path, "empty-file", "the file is empty", "give at least one person")
    loci = _companion_loci(path)
    if rows[0][1][0].startswith("#"):
        loci = rows.pop(0)[1][len(_FIXED) :]
    if loci is None:
        raise file_fault(
            path,
            "no-header",
            "the loci are not named",
            "begin with a line such as #family id father mother sex missing TH01 vWA, "
            "or put a .map or .dat file beside it",
        )
    width = len(rows[0][1]) - len(_FIXED) if rows else 2 * len(loci)
    if len(loci) == width and all(a == b for a, b in zip(loci[::2], loci[1::2], strict=False)):
        loci = loci[::2]
    return tabulate_families(_raw_table(path, loci, rows))


def _raw_table(path: Path, loci: Sequence[str], rows: list[tuple[int, list[str]]]) -> RawTable:
    expected = len(_FIXED) + 2 * len(loci)
    on_x = [(locus := find_locus(name)) is not None and locus.kind == "X" for name in loci]
    kept: list[tuple[int, list[str]]] = []
    ragged: list[RaggedRow] = []
    for number, fields in rows:
        if len(fields) != expected:
            ragged.append(RaggedRow(number, tuple(fields), expected))
            continue
        family, person, father, mother, sex, status = fields[: len(_FIXED)]
        parents = ["" if parent == "0" else parent for parent in (father, mother)]
        cells = [family, person, *parents, _SEX.get(sex, sex), _STATUS.get(status, status)]
        pairs = zip(fields[len(_FIXED) :: 2], fields[len(_FIXED) + 1 :: 2], strict=True)
        cells += [
            _genotype(first, second, lone=x and sex == "1")
            for (first, second), x in zip(pairs, on_x, strict=True)
        ]
        kept.append((number, cells))
    header = (*_FIXED, *loci)
    columns = tuple(pa.array([c[i] for _, c in kept], pa.string()) for i in range(len(header)))
    numbers = np.array([number for number, _ in kept], dtype=np.int64)
    return RawTable(str(path), header, columns, len(kept), lambda: numbers, tuple(ragged))


def _genotype(first: str, second: str, *, lone: bool) -> str:
    if first == second == "0":
        return ""
    if "0" in (first, second):
        return f"{second if first == '0' else first}/?"
    return first if lone and first == second else f"{first}/{second}"


def _companion_loci(path: Path) -> list[str] | None:
    """Names from the `.map` or `.dat` file beside the pedigree, None if there is neither."""
    for ending, column in ((".map", 1), (".dat", 1)):
        companion = path.with_suffix(ending)
        if not companion.is_file():
            continue
        lines = decode_text(companion, read_bytes(companion)).splitlines()
        rows = [line.split() for line in lines if line.strip() and not line.startswith("#")]
        if ending == ".dat":
            rows = [row for row in rows if row[0].upper() == "M"]
        if any(len(row) <= column for row in rows):
            raise file_fault(
                companion, "ragged-row", "a line has no locus name", "write the name second"
            )
        return [row[column] for row in rows]
    return None


def write_ped(table: FamilyTable, path: Path | str) -> None:
    """Write families as `.ped` with a header line naming the loci.

    Raises InputError, naming all of it, if the table holds what the layout cannot: facts, twins,
    inbred founders, populations, typing errors, names with blanks, "0" as a name.
    """
    faults = [
        Fault(str(path), None, None, "cannot-hold", f"a .ped file cannot hold {what}", mend)
        for what, mend in _beyond_ped(table)
    ]
    if faults:
        raise InputError(faults)
    loci = [name.replace(" ", "_") for name in table.genotypes.loci]
    header = "#" + " ".join([*_FIXED, *(name for locus in loci for name in (locus, locus))])
    with atomic_write(path) as file:
        file.write(f"{header}\n".encode())
        for family in range(len(table)):
            file.writelines(f"{line}\n".encode() for line in _lines(table, family))


def _beyond_ped(table: FamilyTable) -> list[tuple[str, str]]:
    names = [*table.family_ids, *table.person_ids]
    checks = [
        (bool(table.facts), f"the facts {', '.join(table.facts)}"),
        (bool(table.twin.any()), "monozygotic twins"),
        (bool(table.founder_inbreeding.any()), "inbred founders"),
        (bool((table.population != "").any()), "populations"),
        (bool(table.typing), "dropout, drop-in or typing error"),
        (
            any(len(name.split()) != 1 or name == "0" or name.startswith("#") for name in names),
            'names with blanks, a leading # or "0"',
        ),
    ]
    return [(what, "convert to .csv or .xlsx, or remove them") for holds, what in checks if holds]


def _lines(table: FamilyTable, family: int) -> list[str]:
    start, stop = int(table.first[family]), int(table.first[family + 1])
    lines = []
    for row in range(start, stop):
        parents = [
            "0" if parent < 0 else str(table.person_ids[start + int(parent)])
            for parent in (table.father[row], table.mother[row])
        ]
        fields = [str(table.family_ids[family]), str(table.person_ids[row]), *parents]
        fields += [str(int(table.sex[row])), "2" if table.missing[row] else "1"]
        for locus in range(len(table.genotypes.loci)):
            genotype = table.genotypes.genotype(row, locus)
            if genotype is None:
                fields += ["0", "0"]
            else:
                second = "0" if genotype.partial else genotype.alleles[-1]
                fields += [genotype.alleles[0], second]
        lines.append(" ".join(fields))
    return lines
