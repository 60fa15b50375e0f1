"""Read a genotypes table exported by GeneMapper ID, as rescued children.

Unverified: written from the documented column layout; no real export was at hand.

The layout: fields separated by tabs, one row per sample and marker, with the columns `Sample Name`
(or `Sample File`), `Marker`, `Allele 1`, `Allele 2`, ...; other columns are passed over. A lone
allele is a homozygote, or a male's X; `?` is an allele that was not read; `OL` (off-ladder) leaves
the genotype empty. Sex is taken from amelogenin.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import numpy as np

from kinward.errors import Fault
from kinward.io.faults import in_file_order
from kinward.io.source import decode_text, file_fault, read_bytes
from kinward.io.tables import Read, RejectedRow, Rejects
from kinward.model.marker import Locus, find_locus
from kinward.model.pedigree import Sex
from kinward.model.profile import Genotype, GenotypeError, Profile, parse_genotype
from kinward.model.registry import SEXES, ChildTable, GenotypeColumns

__all__ = ["UNVERIFIED", "read_genemapper"]

UNVERIFIED = (
    "GeneMapper tables are read as documented; this has not been verified with a real export"
)
_AMELOGENIN = find_locus("AMEL")
_SEX_OF: dict[tuple[str, ...], Sex] = {("X",): "female", ("X", "X"): "female", ("X", "Y"): "male"}


@dataclass(frozen=True, slots=True)
class _Call:
    """One row: the alleles called, and the cells as they were."""

    row: int
    locus: Locus
    alleles: tuple[str, ...]
    cells: tuple[str, ...]


@dataclass(slots=True)
class _Samples:
    """What has been read so far."""

    file: str
    calls: dict[str, dict[str, _Call]] = field(default_factory=dict)
    sex: dict[str, Sex] = field(default_factory=dict)
    rejected: list[RejectedRow] = field(default_factory=list)
    homozygotes: list[str] = field(default_factory=list)
    off_ladder: list[str] = field(default_factory=list)
    passed_over: dict[str, None] = field(default_factory=dict)

    def fault(
        self, row: int, locus: str | None, kind: str, message: str, mend: str, cells: Sequence[str]
    ) -> None:
        fault = Fault(self.file, row, locus, kind, message, mend)
        self.rejected.append(RejectedRow(fault, tuple(cells)))


def read_genemapper(path: Path | str) -> Read[ChildTable]:
    """Read the samples of an export; a faulty genotype is left empty and listed.

    Raises InputError if the file cannot be read or lacks a column.
    """
    path = Path(path)
    text = decode_text(path, read_bytes(path))
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter="\t"))
    except csv.Error as error:
        raise file_fault(
            path, "malformed-table", f"cannot be read ({error})", "export the table again"
        ) from None
    if not any(any(row) for row in rows):
        raise file_fault(path, "empty-file", "the file is empty", "export the table again")
    header = [name.strip() for name in rows[0]]
    sample, marker, alleles = _columns(path, header)
    samples = _Samples(str(path))
    for number, cells in enumerate(rows[1:], start=2):
        if any(cell.strip() for cell in cells):
            padded = [*(cell.strip() for cell in cells), *[""] * (len(header) - len(cells))]
            calls = [padded[i] for i in alleles if padded[i]]
            _add(samples, number, padded[sample], padded[marker], calls, cells)
    return _table(samples, header)


def _columns(path: Path, header: Sequence[str]) -> tuple[int, int, list[int]]:
    plain = [name.casefold() for name in header]
    sample = next((plain.index(n) for n in ("sample name", "sample file") if n in plain), None)
    alleles = [i for i, name in enumerate(plain) if name.startswith("allele ")]
    if sample is None or "marker" not in plain or not alleles:
        raise file_fault(
            path,
            "missing-column",
            "the columns Sample Name, Marker and Allele 1 are not all there",
            "export the genotypes table with these columns, separated by tabs",
        )
    return sample, plain.index("marker"), alleles


def _add(
    samples: _Samples, row: int, name: str, marker: str, calls: list[str], cells: Sequence[str]
) -> None:
    locus = find_locus(marker)
    if not name:
        samples.fault(row, None, "empty-id", "the sample has no name", "name every sample", cells)
        return
    known = samples.calls.setdefault(name, {})
    if locus is None:
        mend = "correct the name of the marker or remove its rows"
        samples.fault(row, marker, "unknown-locus", f"{marker!r} is not a known locus", mend, cells)
    elif locus.name in known:
        mend = "keep one row for each sample and marker"
        samples.fault(
            row, locus.name, "duplicate-id", f"{name} has a second row for it", mend, cells
        )
    elif locus == _AMELOGENIN:
        known[locus.name] = _Call(row, locus, (), tuple(cells))
        samples.sex[name] = _SEX_OF.get(tuple(sorted(call.upper() for call in calls)), "unknown")
    elif locus.kind == "recognised":
        samples.passed_over[locus.name] = None
    else:
        known[locus.name] = _Call(row, locus, tuple(calls), tuple(cells))


def _genotype(
    samples: _Samples, name: str, locus: Locus, calls: tuple[str, ...]
) -> Genotype | None:
    """Read one call by GeneMapper's rules; raise GenotypeError."""
    where = f"{name} {locus.name}"
    if any(call.upper() == "OL" for call in calls):
        samples.off_ladder.append(where)
        return None
    if all(call == "?" for call in calls):
        return None
    male_x = locus.kind == "X" and samples.sex.get(name) == "male"
    if len(calls) == 1 and not male_x:
        samples.homozygotes.append(where)
        calls = calls * 2
    if male_x and len(set(calls)) == 1:
        calls = calls[:1]
    elif male_x:
        raise GenotypeError(
            "two-alleles-on-male-x", "a male has two alleles on the X", "review the sample"
        )
    return parse_genotype("/".join(calls))


def _table(samples: _Samples, header: Sequence[str]) -> Read[ChildTable]:
    profiles = []
    for name, known in samples.calls.items():
        genotypes: dict[str, Genotype] = {}
        for call in known.values():
            locus = call.locus.name
            try:
                genotype = _genotype(samples, name, call.locus, call.alleles)
            except GenotypeError as error:
                samples.fault(call.row, locus, error.kind, error.message, error.mend, call.cells)
                continue
            if genotype is not None:
                genotypes[locus] = genotype
        profiles.append(Profile(genotypes))
    sexes = [SEXES.index(samples.sex.get(name, "unknown")) for name in samples.calls]
    table = ChildTable(
        ids=np.array(list(samples.calls), dtype=object),
        sex=np.array(sexes, dtype=np.int8),
        genotypes=GenotypeColumns.from_profiles(profiles),
        facts=MappingProxyType({}),
    )
    faults = in_file_order(row.fault for row in samples.rejected)
    rejects = Rejects(tuple(header), tuple(samples.rejected))
    return Read(table, faults, rejects, 0, _notes(samples))


def _notes(samples: _Samples) -> tuple[str, ...]:
    notes = [UNVERIFIED]
    for what, items in (
        ("lone alleles read as homozygotes", samples.homozygotes),
        ("off-ladder alleles, genotype left empty", samples.off_ladder),
        ("known loci recognised but not searched", list(samples.passed_over)),
    ):
        if items:
            more = f" and {len(items) - 10} more" if len(items) > 10 else ""
            notes.append(f"{what}: {', '.join(items[:10])}{more}")
    return tuple(notes)
