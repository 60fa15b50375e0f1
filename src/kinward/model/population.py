"""Allele frequencies of populations: validated tables and the packaged ones.

Listed frequencies are used as they are. A locus whose sum is within `SUM_TOLERANCE` of 1 is
rescaled to 1, and the table's notes say so; beyond that it is refused. An allele that nobody in
the sample had gets the minimum frequency 5/(2n), n being the number of people sampled.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from kinward.errors import ModelError
from kinward.model._packaged import packaged_rows
from kinward.model.allele import allele_sort_key, canonical_allele
from kinward.model.marker import find_locus

__all__ = [
    "MINIMUM_FREQUENCY_UNKNOWN_N",
    "SUM_TOLERANCE",
    "FrequencyTable",
    "LocusFrequencies",
    "PopulationInfo",
    "list_populations",
    "load_population",
    "merge_tables",
]

SUM_TOLERANCE = 0.01
"""Largest distance from 1 of the sum of a locus that is put down to rounding."""

MINIMUM_FREQUENCY_UNKNOWN_N = 0.001
"""Frequency of an unlisted allele where the number of people sampled is unknown."""

_SILENT_RESCALING = 1e-6
_SMALLEST_SAMPLE = 3  # with fewer people 5/(2n) would exceed 1


@dataclass(frozen=True, slots=True, eq=False)
class LocusFrequencies:
    """Allele frequencies at one locus.

    `alleles` are unique and in the order of `allele_sort_key`; `frequencies` is a read-only array
    in the same order; `n` is the number of people sampled (each has two alleles), None if
    unknown. Frequencies sum to 1 as built by `FrequencyTable.build`, and to more after
    `with_alleles`. Raises ModelError if the parts do not fit together.
    """

    alleles: tuple[str, ...]
    frequencies: NDArray[np.float64]
    n: int | None = None

    def __post_init__(self) -> None:
        values = np.array(self.frequencies, dtype=np.float64)
        if values.shape != (len(self.alleles),):
            raise ModelError(
                f"{len(self.alleles)} alleles but frequencies of shape {values.shape}; "
                "give one frequency for each allele"
            )
        if not self.alleles:
            raise ModelError("a locus needs at least one allele; add its alleles or leave it out")
        if len(set(self.alleles)) != len(self.alleles) or list(self.alleles) != sorted(
            self.alleles, key=allele_sort_key
        ):
            raise ModelError("alleles must be unique and sorted; use FrequencyTable.build")
        if not np.all((values > 0.0) & (values <= 1.0)):
            raise ModelError("frequencies must be above 0 and at most 1; drop unseen alleles")
        if self.n is not None and self.n < _SMALLEST_SAMPLE:
            raise ModelError(f"n = {self.n} is too few people; leave n out or give at least 3")
        values.flags.writeable = False
        object.__setattr__(self, "frequencies", values)

    def __reduce__(
        self,
    ) -> tuple[type[LocusFrequencies], tuple[tuple[str, ...], NDArray[np.float64], int | None]]:
        # Through the constructor, so that a copy in another process is read-only as well.
        return (type(self), (self.alleles, self.frequencies, self.n))

    @property
    def minimum_frequency(self) -> float:
        """Frequency given to an allele that is not listed: 5/(2n), or 0.001 if n is unknown."""
        return MINIMUM_FREQUENCY_UNKNOWN_N if self.n is None else 5.0 / (2.0 * self.n)

    def with_alleles(self, labels: Iterable[str]) -> LocusFrequencies:
        """Add the unlisted ones of `labels` at the minimum frequency; listed values stay."""
        known = set(self.alleles)
        added = {_canonical_label(label) for label in labels} - known
        if not added:
            return self
        values = dict(zip(self.alleles, self.frequencies.tolist(), strict=True))
        values.update(dict.fromkeys(added, self.minimum_frequency))
        return _sorted_locus(values, self.n)


@dataclass(frozen=True, slots=True, eq=False)
class FrequencyTable:
    """Allele frequencies of one population, by canonical locus name.

    `notes` say in sentences what was done to the figures and what to beware of. Make tables with
    `build`, which checks everything; two tables with the same figures have the same `digest()`.
    """

    name: str
    loci: Mapping[str, LocusFrequencies]
    citation: str = ""
    licence: str = ""
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "loci", MappingProxyType(dict(self.loci)))

    def __reduce__(
        self,
    ) -> tuple[
        type[FrequencyTable],
        tuple[str, dict[str, LocusFrequencies], str, str, tuple[str, ...]],
    ]:
        # A mapping proxy cannot be pickled; the constructor makes a new one.
        return (type(self), (self.name, dict(self.loci), self.citation, self.licence, self.notes))

    @classmethod
    def build(
        cls,
        name: str,
        loci: Mapping[str, Mapping[str, float]],
        n: Mapping[str, int | None] | None = None,
        *,
        citation: str = "",
        licence: str = "",
        notes: Iterable[str] = (),
        allow_unknown_loci: bool = False,
    ) -> FrequencyTable:
        """Check and normalise figures given as `{locus: {allele: frequency}}`.

        `n` gives the people sampled per locus. Locus names and alleles are brought to their
        canonical spelling; labels that are not repeat numbers, such as `Rest allele`, stay as
        they are. `allow_unknown_loci` keeps loci that Kinward does not know under their own name.

        Raises:
            ModelError: a locus is unknown, named twice or carries no likelihood; an allele is
                named twice; a frequency is not finite, not above 0 or above 1; a sum is further
                than `SUM_TOLERANCE` from 1; n is below 3. All faults are told at once.
        """
        faults: list[str] = []
        said = list(notes)
        built: dict[str, LocusFrequencies] = {}
        sizes = _canonical_sizes(n or {}, allow_unknown_loci)
        if not loci:
            faults.append("it has no loci; add the rows of at least one")
        for given, alleles in loci.items():
            locus, fault = _locus_name(given, allow_unknown_loci)
            if fault is None and locus in built:
                fault = f"locus {locus} is given twice; keep one of the spellings"
            if fault is not None:
                faults.append(fault)
                continue
            values, found = _checked_alleles(locus, alleles)
            people = sizes.pop(locus, None)
            if people is not None and people < _SMALLEST_SAMPLE:
                found.append(f"{locus}: n = {people} is too few; leave n out or give at least 3")
            total = math.fsum(values.values())
            if not found and abs(total - 1.0) > SUM_TOLERANCE:
                found.append(
                    f"{locus}: frequencies sum to {total:.6g}; "
                    "correct the figures or add the missing alleles"
                )
            if found:
                faults.extend(found)
                continue
            if abs(total - 1.0) > _SILENT_RESCALING:
                said.append(f"{locus}: frequencies summed to {total:.6g} and were rescaled to 1.")
            built[locus] = _sorted_locus({a: p / total for a, p in values.items()}, people)
        if faults:
            raise ModelError(f"frequency table {name!r}: " + "; ".join(faults))
        return cls(name=name, loci=built, citation=citation, licence=licence, notes=tuple(said))

    def digest(self) -> str:
        """SHA-256 (hexadecimal) of the figures and sample sizes, by which a run is stamped.

        Name, citation, licence, notes and the order of the loci do not enter.
        """
        digest = hashlib.sha256(b"kinward frequency table 1\n")
        for name in sorted(self.loci):
            locus = self.loci[name]
            digest.update(f"{name}\t{locus.n}\n".encode())
            for allele, frequency in zip(locus.alleles, locus.frequencies.tolist(), strict=True):
                digest.update(f"{allele}\t{frequency.hex()}\n".encode())
        return digest.hexdigest()


@dataclass(frozen=True, slots=True)
class PopulationInfo:
    """What is known of a packaged population.

    `country` is an ISO 3166-1 alpha-2 code, empty for a wider region; `n_low` and `n_high` are the
    fewest and most people sampled at a locus, None if unknown; `loci` is a count.
    """

    name: str
    description: str
    country: str
    n_low: int | None
    n_high: int | None
    loci: int
    citation: str
    doi: str
    source: str
    licence: str
    caution: str


@cache
def list_populations() -> tuple[PopulationInfo, ...]:
    """The packaged populations, sorted by name."""
    return tuple(
        PopulationInfo(
            name=row["name"],
            description=row["description"],
            country=row["country"],
            n_low=int(row["n_low"]) if row["n_low"] else None,
            n_high=int(row["n_high"]) if row["n_high"] else None,
            loci=int(row["loci"]),
            citation=row["citation"],
            doi=row["doi"],
            source=row["source"],
            licence=row["licence"],
            caution=row["caution"],
        )
        for row in packaged_rows("populations.csv")
    )


def load_population(name: str) -> FrequencyTable:
    """Load a packaged population, or several joined by `+`.

    `china_han_42str+uk_dna17_chinese` takes from the second what the first lacks, as
    `merge_tables` does. Raises ModelError for an unknown name.
    """
    parts = [part.strip() for part in name.split("+")]
    tables = [_load_one(part) for part in parts]
    if len(tables) == 1:
        return tables[0]
    return merge_tables("+".join(parts), *tables)


def merge_tables(name: str, primary: FrequencyTable, *fallbacks: FrequencyTable) -> FrequencyTable:
    """Complete `primary` with the loci that it lacks, from the first fallback that has them.

    Whole loci are taken, never single alleles. The notes say which loci came from where, and carry
    those of every table used; fallbacks that gave nothing are not cited.
    """
    loci = dict(primary.loci)
    used = [primary]
    origins: list[str] = []
    for table in fallbacks:
        taken = [locus for locus in table.loci if locus not in loci]
        if not taken:
            continue
        loci.update((locus, table.loci[locus]) for locus in taken)
        used.append(table)
        origins.append(f"From {table.name}: {', '.join(taken)}.")
    return FrequencyTable(
        name=name,
        loci=loci,
        citation=_joined(used, lambda table: table.citation),
        licence=_joined(used, lambda table: table.licence),
        notes=(*origins, *(f"{table.name}: {note}" for table in used for note in table.notes)),
    )


@cache
def _load_one(name: str) -> FrequencyTable:
    known = {info.name: info for info in list_populations()}
    info = known.get(name)
    if info is None:
        near = get_close_matches(name, known, n=3) or [k for k in known if name and name in k][:3]
        hint = f"did you mean {' or '.join(near)}?" if near else f"known are {', '.join(known)}"
        raise ModelError(f"population {name!r} is not packaged; {hint}")
    figures: dict[str, dict[str, float]] = {}
    for row in packaged_rows(f"frequencies/{name}.csv"):
        figures.setdefault(row["locus"], {})[row["allele"]] = float(row["frequency"])
    return FrequencyTable.build(
        name,
        figures,
        _sample_sizes().get(name),
        citation=f"{info.citation}, doi:{info.doi}" if info.doi else info.citation,
        licence=info.licence,
        notes=[f"{info.caution[0].upper()}{info.caution[1:]}."] if info.caution else [],
    )


@cache
def _sample_sizes() -> Mapping[str, Mapping[str, int]]:
    sizes: dict[str, dict[str, int]] = {}
    for row in packaged_rows("sample_sizes.csv"):
        sizes.setdefault(row["name"], {})[row["locus"]] = int(row["n"])
    return sizes


def _canonical_label(label: str) -> str:
    label = label.strip()
    return canonical_allele(label) or label


def _locus_name(given: str, allow_unknown: bool) -> tuple[str, str | None]:
    """Canonical name of a locus, and what is wrong with it if anything is."""
    locus = find_locus(given)
    if locus is None:
        if allow_unknown and given.strip():
            return given.strip(), None
        return given, f"locus {given!r} is unknown; check its spelling or leave it out"
    if locus.kind == "recognised":
        return locus.name, f"{locus.name} is not used for kinship; leave it out"
    return locus.name, None


def _canonical_sizes(n: Mapping[str, int | None], allow_unknown: bool) -> dict[str, int | None]:
    return {_locus_name(locus, allow_unknown)[0]: people for locus, people in n.items()}


def _checked_alleles(
    locus: str, alleles: Mapping[str, float]
) -> tuple[dict[str, float], list[str]]:
    """Frequencies by canonical allele, and the faults found among them."""
    values: dict[str, float] = {}
    faults: list[str] = []
    if not alleles:
        faults.append(f"{locus}: no alleles; add them or leave the locus out")
    for given, frequency in alleles.items():
        allele = _canonical_label(given)
        if not allele:
            faults.append(f"{locus}: an allele has no label; give it one")
        elif allele in values:
            faults.append(f"{locus}: allele {allele} is given twice; keep one row")
        elif not 0.0 < frequency <= 1.0:
            faults.append(
                f"{locus}: frequency {frequency} of allele {allele} is impossible; "
                "give one above 0 and at most 1, or drop the row"
            )
        else:
            values[allele] = float(frequency)
    return values, faults


def _sorted_locus(values: Mapping[str, float], n: int | None) -> LocusFrequencies:
    alleles = tuple(sorted(values, key=allele_sort_key))
    return LocusFrequencies(alleles, np.array([values[allele] for allele in alleles]), n)


def _joined(tables: Iterable[FrequencyTable], part: Callable[[FrequencyTable], str]) -> str:
    return "; ".join(dict.fromkeys(text for table in tables if (text := part(table))))
