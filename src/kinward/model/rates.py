"""Packaged mutation rates per locus and sex.

The rates are apparent ones, counted where a child's allele fits neither of a parent's; changes
that stay hidden are missing, so true rates are somewhat higher. Sources: `data/README.md`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

from kinward.errors import ModelError
from kinward.model._packaged import packaged_rows

__all__ = ["DEFAULT_RATES", "SexRates", "packaged_mutation_rates"]

DEFAULT_RATES = "default"
"""Key of the rates for loci without figures of their own."""


@dataclass(frozen=True, slots=True)
class SexRates:
    """Probability of a mutation in one transmission, from a father and from a mother."""

    male: float
    female: float

    def __post_init__(self) -> None:
        for sex, rate in (("male", self.male), ("female", self.female)):
            if not 0.0 <= rate <= 1.0:
                raise ModelError(f"{sex} mutation rate {rate} is impossible; give one from 0 to 1")


@cache
def packaged_mutation_rates() -> Mapping[str, SexRates]:
    """Rates by canonical locus name; `DEFAULT_RATES` holds those for every other locus.

    Where only an overall rate is known, the table splits it between the sexes in the ratio of the
    default rates, so that their mean is the overall rate.
    """
    return MappingProxyType(
        {
            row["locus"]: SexRates(male=float(row["male"]), female=float(row["female"]))
            for row in packaged_rows("mutation_rates.csv")
        }
    )
