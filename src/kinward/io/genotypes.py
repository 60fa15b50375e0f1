"""Turn a column of genotype cells into codes: each distinct cell is read once."""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

from kinward.io.arrays import distinct, rows_where
from kinward.io.faults import FaultLog
from kinward.io.source import RawTable
from kinward.model.marker import Locus
from kinward.model.profile import Genotype, GenotypeError, parse_genotype
from kinward.model.registry import SEXES, GenotypeColumns

__all__ = ["read_genotypes"]

_MOST_CODES = np.iinfo(np.int16).max
_MALE, _FEMALE = SEXES.index("male"), SEXES.index("female")
_SHEET_DATE = re.compile(
    r"\d{1,2}月\d{1,2}日?|\d{4}年.*|\d{4}[/-]\d{1,2}[/-]\d{1,2}.*|\d{1,2}[/-]\d{1,2}[/-]\d{4}"
    r"|[A-Za-z]{3}-\d{1,4}"
)
"""Dates that spreadsheets make of 9/10, besides those that the genotype grammar names."""


def _read_cell(text: str, autosomal: bool) -> Genotype | None:
    if _SHEET_DATE.fullmatch(text.strip()):
        raise GenotypeError(
            "date-mangled",
            f"{text!r} looks like a date made by a spreadsheet out of a genotype",
            "export the table again with the column as text, or write 9|10",
        )
    genotype = parse_genotype(text)
    if genotype is not None and autosomal and len(genotype.alleles) == 1 and not genotype.partial:
        raise GenotypeError(
            "lone-allele",
            f"{text!r} has one allele only",
            f"write {genotype}/{genotype} if it is homozygous, {genotype}/? if the other allele "
            "was not read",
        )
    return genotype


def read_genotypes(
    raw: RawTable,
    loci: tuple[tuple[int, Locus], ...],
    sex: NDArray[np.int8],
    log: FaultLog,
) -> GenotypeColumns:
    """Read the locus columns; every fault goes to the log and leaves the genotype empty."""
    codes = np.zeros((raw.rows, len(loci)), dtype=np.int16)
    observed = []
    for column, (position, locus) in enumerate(loci):
        texts, indices = distinct(raw.columns[position])
        known: dict[Genotype, int] = {}
        lookup = np.zeros(max(len(texts), 1), dtype=np.int16)
        errors: dict[int, GenotypeError] = {}
        for index, text in enumerate(texts):
            try:
                genotype = _read_cell(text, locus.kind == "autosomal")
                if genotype is not None:
                    lookup[index] = _code(known, genotype)
            except GenotypeError as error:
                errors[index] = error
        if errors:
            for row in rows_where(np.isin(indices, list(errors))):
                fault = errors[int(indices[row])]
                log.row(row, locus.name, fault.kind, fault.message, fault.mend)
        codes[:, column] = lookup[indices]
        observed.append(tuple(known))
        if locus.kind == "X":
            _check_x(codes[:, column], observed[-1], sex, locus.name, log)
    names = tuple(locus.name for _, locus in loci)
    return GenotypeColumns(names, tuple(observed), codes)


def _code(known: dict[Genotype, int], genotype: Genotype) -> int:
    code = known.setdefault(genotype, len(known) + 1)
    if code > _MOST_CODES:
        del known[genotype]
        raise GenotypeError(
            "too-many-genotypes",
            f"more than {_MOST_CODES} different genotypes at one locus",
            "check that the column holds genotypes",
        )
    return code


def _check_x(
    codes: NDArray[np.int16],
    observed: tuple[Genotype, ...],
    sex: NDArray[np.int8],
    locus: str,
    log: FaultLog,
) -> None:
    """On the X a male has one allele and a female two; both or neither may be unread."""
    lone = np.array([False, *(len(g.alleles) == 1 and not g.partial for g in observed)])
    typed = codes > 0
    log.rows(
        rows_where(typed & lone[codes] & (sex == _FEMALE)),
        locus,
        "lone-allele",
        "a female has one allele only on the X",
        "write both alleles, such as 12/12 or 12/?, or correct the sex",
    )
    log.rows(
        rows_where(typed & ~lone[codes] & (sex == _MALE)),
        locus,
        "two-alleles-on-male-x",
        "a male has two alleles on the X",
        "write the one allele, such as 12, or correct the sex",
    )
