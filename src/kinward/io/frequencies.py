"""Read and write allele frequencies: `locus,allele,frequency`, optionally `n` people sampled."""

from __future__ import annotations

import math
from pathlib import Path

import pyarrow as pa

from kinward.errors import ModelError
from kinward.io.lists import ListReader
from kinward.io.source import file_fault
from kinward.io.write import write_table
from kinward.model.allele import canonical_allele
from kinward.model.marker import find_locus
from kinward.model.population import SUM_TOLERANCE, FrequencyTable

__all__ = ["read_frequencies", "write_frequencies"]


def read_frequencies(path: Path | str, name: str | None = None) -> FrequencyTable:
    """Read a table of frequencies; `name` defaults to the file's.

    Raises InputError with every fault: unknown locus, allele named twice, a frequency that is not
    a number above 0 and at most 1, n that is not a count or differs within a locus, a sum further
    than `SUM_TOLERANCE` from 1.
    """
    reader = ListReader(path, ("locus", "allele", "frequency"), ("n",))
    figures: dict[str, dict[str, float]] = {}
    sizes: dict[str, int | None] = {}
    first: dict[str, int] = {}
    for row, cells in reader:
        locus = _locus(row, cells["locus"], reader)
        if locus is None:
            continue
        first.setdefault(locus, row)
        _add_frequency(row, locus, cells, figures.setdefault(locus, {}), reader)
        _add_size(row, locus, cells.get("n", ""), sizes, reader)
    reader.check()
    for locus, values in figures.items():
        total = math.fsum(values.values())
        if abs(total - 1.0) > SUM_TOLERANCE:
            reader.log.row(
                first[locus],
                locus,
                "bad-sum",
                f"frequencies sum to {total:.6g}",
                "correct the figures or add the missing alleles",
            )
    reader.check()
    try:
        stem = Path(path).name.partition(".")[0]
        return FrequencyTable.build(name or stem, figures, sizes)
    except ModelError as error:
        raise file_fault(path, "bad-frequencies", str(error), "correct the figures") from None


def _locus(row: int, given: str, reader: ListReader) -> str | None:
    locus = find_locus(given)
    if locus is None or locus.kind == "recognised":
        what = "is not a known locus" if locus is None else "is not used for kinship"
        reader.log.row(
            row,
            given or None,
            "unknown-locus",
            f"{given!r} {what}",
            "correct the name or remove its rows",
        )
        return None
    return locus.name


def _add_frequency(
    row: int, locus: str, cells: dict[str, str], values: dict[str, float], reader: ListReader
) -> None:
    allele = canonical_allele(cells["allele"]) or cells["allele"]
    if not allele:
        reader.log.row(row, locus, "empty-allele", "the allele is empty", "write its label")
        return
    if allele in values:
        reader.log.row(
            row,
            locus,
            "duplicate-allele",
            f"allele {allele} is there twice",
            "keep one of the rows",
        )
        return
    try:
        value = float(cells["frequency"])
    except ValueError:
        value = math.nan
    if not 0 < value <= 1:
        reader.log.row(
            row,
            locus,
            "bad-frequency",
            f"frequency of allele {allele} is {cells['frequency']!r}",
            "give a number above 0 and at most 1, with a decimal point, or remove the row",
        )
    values[allele] = value


def _add_size(
    row: int, locus: str, text: str, sizes: dict[str, int | None], reader: ListReader
) -> None:
    size = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None
    if text and (size is None or size < 3):
        reader.log.row(
            row,
            locus,
            "bad-n",
            f"n is {text!r}",
            "give the number of people sampled, at least 3, or leave it empty",
        )
    elif sizes.setdefault(locus, size) != size:
        reader.log.row(
            row,
            locus,
            "bad-n",
            f"n is {text or 'empty'} but {sizes[locus]} above",
            "give one n for the whole locus",
        )


def write_frequencies(table: FrequencyTable, path: Path | str) -> None:
    """Write frequencies with the digits that bring them back; n where it is known."""
    rows = [
        (name, allele, repr(frequency), "" if locus.n is None else str(locus.n))
        for name, locus in table.loci.items()
        for allele, frequency in zip(locus.alleles, locus.frequencies.tolist(), strict=True)
    ]
    names = ["locus", "allele", "frequency", "n"]
    columns = [pa.array([row[i] for row in rows], pa.string()) for i in range(4)]
    if not any(row[3] for row in rows):
        names, columns = names[:3], columns[:3]
    write_table(pa.table(columns, names=names), path)
