"""The input of a search as files: read together, with the faults of both told at once."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from kinward.errors import Fault, InputError
from kinward.io.genemapper import read_genemapper
from kinward.io.ped import read_ped
from kinward.io.source import open_table
from kinward.io.tables import Read, RejectedRow, Rejects, read_children, read_families
from kinward.model.registry import ChildTable, FamilyTable
from kinward.search.record import FamilyFinding

__all__ = ["InputFile", "Inputs", "inconsistent_families", "joined_rejects", "read_inputs"]

T = TypeVar("T")
MEND = (
    "check the genotypes and the relationships, or choose a mutation model that allows for it, "
    "or set the family aside with --rejects FILE"
)


@dataclass(frozen=True, slots=True)
class InputFile:
    """A file that a run has read, recognisable by its SHA-256."""

    path: str
    sha256: str

    @classmethod
    def of(cls, path: Path | str) -> InputFile:
        """Compute the digest of a file."""
        with Path(path).open("rb") as file:
            return cls(str(path), hashlib.file_digest(file, "sha256").hexdigest())


@dataclass(frozen=True, slots=True)
class Inputs:
    """Children and families with everything found while reading them."""

    children: Read[ChildTable]
    families: Read[FamilyTable]
    files: tuple[InputFile, InputFile]

    @property
    def notes(self) -> tuple[str, ...]:
        """What was said while reading, once each."""
        return tuple(dict.fromkeys((*self.children.notes, *self.families.notes)))

    @property
    def rejected_rows(self) -> int:
        """Number of entries that a rejects file holds."""
        return len(self.children.rejected) + len(self.families.rejected)

    def require_clean(self) -> None:
        """Raise InputError with the faults of both files if there are any."""
        faults = (*self.children.faults, *self.families.faults)
        if faults:
            raise InputError(faults)


def read_inputs(children: Path | str, families: Path | str) -> Inputs:
    """Read children (table or GeneMapper `.txt`) and families (table or `.ped`).

    Raises InputError, with what both files have, where no leaving out of rows could help.
    """
    faults: list[Fault] = []

    def attempt(read: Callable[[Path | str], Read[T]], path: Path | str) -> Read[T] | None:  # type: ignore[type-var]
        try:
            found = read(path)
        except InputError as error:
            faults.extend(error.faults)
            return None
        return found

    exported = Path(children).suffix.lower() in (".txt", ".tsv")
    first = attempt(read_genemapper if exported else read_children, children)
    linkage = Path(families).suffix.lower() == ".ped"
    second = attempt(read_ped if linkage else read_families, families)
    if first is None or second is None:
        for other in (first, second):
            faults.extend(other.faults if other is not None else ())
        raise InputError(sorted(faults, key=lambda f: (f.file, f.row or 0, f.locus or "")))
    return Inputs(first, second, (InputFile.of(children), InputFile.of(families)))


def inconsistent_families(
    families: FamilyTable, findings: Sequence[FamilyFinding], path: Path | str
) -> tuple[RejectedRow, ...]:
    """Return the rows of families that the model finds impossible, a reason with each.

    The first row of a family carries a fault for every locus concerned.
    """
    loci = {
        str(families.family_ids[finding.family]): finding.loci
        for finding in findings
        if finding.impossible
    }
    if not loci:
        return ()
    rejected = []
    told: dict[str, int | None] = {}
    for family, line, cells in _rows_of(path, loci):
        if family in told:
            message = f"left out with its family because of row {told[family]}"
            fault = Fault(str(path), line, None, "with-its-family", message, "mend that row")
            rejected.append(RejectedRow(fault, cells))
            continue
        told[family] = line
        message = f"family {family}: its members cannot be related as stated"
        for locus in loci[family]:
            fault = Fault(str(path), line, locus, "inconsistent-family", message, MEND)
            rejected.append(RejectedRow(fault, cells))
    return tuple(rejected)


def _rows_of(
    path: Path | str, families: dict[str, tuple[str, ...]]
) -> list[tuple[str, int | None, tuple[str, ...]]]:
    """Find the rows of some families in the source, which the tables no longer know."""
    if Path(path).suffix.lower() == ".ped":
        return [(family, None, ()) for family in families]
    raw = open_table(path)
    column = [name.strip().casefold() for name in raw.header].index("family")
    lines = raw.lines()
    names = [str(name).strip() for name in raw.columns[column].to_pylist()]
    wanted = [row for row, name in enumerate(names) if name in families]
    return [
        (names[row], int(lines[row]), cells)
        for row, cells in zip(wanted, raw.cells(wanted), strict=True)
    ]


def joined_rejects(parts: Sequence[Rejects]) -> Rejects:
    """Join rejected rows of several files under one header, cells by the name of their column."""
    header = tuple(dict.fromkeys(name for part in parts for name in part.header))
    place = {name: at for at, name in enumerate(header)}
    rows = []
    for part in parts:
        for row in part.rows:
            cells = [""] * len(header)
            for name, cell in zip(part.header, row.cells, strict=False):
                cells[place[name]] = cell
            surplus = row.cells[len(part.header) :]
            rows.append(RejectedRow(row.fault, (*cells, *surplus)))
    return Rejects(header, tuple(rows))
