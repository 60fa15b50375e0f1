"""Loci: canonical names, aliases, positions, kits, and which loci are linked.

Figures come from the packaged `loci.csv`, `kits.csv` and `linked_pairs.csv`; their sources are
named in `data/README.md`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Literal

from kinward.errors import ModelError
from kinward.model._packaged import packaged_rows

__all__ = [
    "LINKAGE_CUT",
    "LinkedPair",
    "Locus",
    "LocusKind",
    "all_loci",
    "find_locus",
    "linked_among",
    "linked_pairs",
]

LocusKind = Literal["autosomal", "X", "recognised"]

LINKAGE_CUT = 0.25
"""Recombination fraction below which `linked_among` names a pair of loci.

The fraction is 0.5 for independent loci. Of the pairs that common kits hold, SE33-D6S1043 (0.05),
vWA-D12S391 (0.10) and D5S818-CSF1PO (0.20) lie below the cut; the next, D21S11-Penta D (0.30),
lies above it, and multiplying its likelihood ratios changes little in the pedigrees searched here.
"""

_IGNORED = str.maketrans("", "", " \t\u00a0_-/.")


@dataclass(frozen=True, slots=True)
class Locus:
    """One genetic marker.

    `chromosome` is "1" to "22", "X", "Y", "XY" for amelogenin, or "none" for the quality markers
    of a kit. `grch38_mb` is the position in megabases on GRCh38 and `cm_sex_average` the position
    on the sex-averaged genetic map in centimorgans, both None where no source was found.
    `repeat_bp` is the length of one repeat in bases. `linkage_group` names the cluster ("X1" to
    "X4", as in the Argus X-12 kit) within which X loci are inherited nearly as one.
    """

    name: str
    chromosome: str
    grch38_mb: float | None
    cm_sex_average: float | None
    repeat_bp: int | None
    aliases: tuple[str, ...]
    kits: tuple[str, ...]
    linkage_group: str | None = None

    @property
    def kind(self) -> LocusKind:
        """What a search may do with the locus.

        `autosomal` loci are searched; `X` loci have their own rules of transmission; those only
        `recognised` (amelogenin, Y markers, quality markers) are known columns without a
        likelihood.
        """
        if self.chromosome == "X":
            return "X"
        return "autosomal" if self.chromosome.isdigit() else "recognised"


@dataclass(frozen=True, slots=True)
class LinkedPair:
    """Two loci on one chromosome, with their distance.

    Distances are in megabases and in centimorgans (male, female and sex-averaged map);
    `recombination_fraction` follows from the sex average by Haldane's function,
    ½(1 − exp(−2d/100)).
    """

    first: str
    second: str
    chromosome: str
    distance_mb: float
    cm_male: float
    cm_female: float
    cm_sex_average: float
    recombination_fraction: float


@cache
def all_loci() -> tuple[Locus, ...]:
    """Every locus that Kinward knows, in the order of the packaged table."""
    kits: dict[str, list[str]] = {}
    for row in packaged_rows("kits.csv"):
        kits.setdefault(row["locus"], []).append(row["kit"])
    return tuple(
        Locus(
            name=row["locus"],
            chromosome=row["chromosome"],
            grch38_mb=float(row["grch38_mb"]) if row["grch38_mb"] else None,
            cm_sex_average=float(row["cm_sex_average"]) if row["cm_sex_average"] else None,
            repeat_bp=int(row["repeat_bp"]) if row["repeat_bp"] else None,
            aliases=tuple(row["aliases"].split("|")) if row["aliases"] else (),
            kits=tuple(kits.get(row["locus"], ())),
            linkage_group=row["linkage_group"] or None,
        )
        for row in packaged_rows("loci.csv")
    )


def find_locus(name: str) -> Locus | None:
    """Find a locus by its name or an alias; None if there is none.

    Case, spaces, underscores, hyphens, slashes and dots do not count: `vwa`, `PENTA_D` and
    `FES/FPS` find vWA, Penta D and FESFPS.
    """
    return _spellings().get(_plain(name))


@cache
def linked_pairs() -> tuple[LinkedPair, ...]:
    """Every pair of loci on one chromosome whose distance is packaged, however far apart."""
    return tuple(
        LinkedPair(
            first=row["locus_a"],
            second=row["locus_b"],
            chromosome=row["chromosome"],
            distance_mb=float(row["distance_mb"]),
            cm_male=float(row["cm_male"]),
            cm_female=float(row["cm_female"]),
            cm_sex_average=float(row["cm_sex_average"]),
            recombination_fraction=float(row["recombination_fraction_haldane"]),
        )
        for row in packaged_rows("linked_pairs.csv")
    )


def linked_among(names: Iterable[str]) -> tuple[LinkedPair, ...]:
    """Pairs among the named autosomal loci that recombine in less than `LINKAGE_CUT` of meioses.

    Names may be aliases; unknown ones are passed over, since nothing is known of their place.
    X loci are not covered: compare their `linkage_group`.
    """
    present = {locus.name for name in names if (locus := find_locus(name)) is not None}
    return tuple(
        pair
        for pair in linked_pairs()
        if pair.recombination_fraction < LINKAGE_CUT
        and pair.first in present
        and pair.second in present
    )


def _plain(name: str) -> str:
    return name.translate(_IGNORED).casefold()


@cache
def _spellings() -> dict[str, Locus]:
    spellings: dict[str, Locus] = {}
    for locus in all_loci():
        for spelling in (locus.name, *locus.aliases):
            holder = spellings.setdefault(_plain(spelling), locus)
            if holder is not locus:
                raise ModelError(
                    f"packaged loci.csv gives {spelling!r} to both {holder.name} and "
                    f"{locus.name}; remove it from one of them"
                )
    return spellings
