"""Genotypes, profiles and the errors of typing."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from kinward.errors import KinwardError
from kinward.model.allele import allele_sort_key, canonical_allele

__all__ = [
    "PERFECT_TYPING",
    "Genotype",
    "GenotypeError",
    "Profile",
    "TypingModel",
    "parse_genotype",
]


class GenotypeError(KinwardError):
    """A genotype cannot be read; `kind` is a short stable word, `mend` says what to do."""

    def __init__(self, kind: str, message: str, mend: str) -> None:
        self.kind = kind
        self.message = message
        self.mend = mend
        super().__init__(f"{message}; {mend}")


@dataclass(frozen=True, slots=True)
class Genotype:
    """What was seen at one locus.

    Two alleles, sorted; or one with `partial` (the other was not read, `12/?`); or one without
    (hemizygous: a male's X).
    """

    alleles: tuple[str, ...]
    partial: bool = False

    def __post_init__(self) -> None:
        """Sort the alleles, so that equal genotypes compare equal."""
        object.__setattr__(self, "alleles", tuple(sorted(self.alleles, key=allele_sort_key)))

    def __str__(self) -> str:
        return "/".join(self.alleles) + ("/?" if self.partial else "")


_DATE = re.compile(r"\d{1,2}[-.](?:[A-Za-z]{3}|\d{1,2})(?:[-.]\d{2,4})?\Z|\d{4}-\d{2}-\d{2}")


def parse_genotype(text: str) -> Genotype | None:
    """Read a genotype cell: `12/13`, `12|13`, `12/?`, a hemizygous `12`; None where not typed.

    Raises GenotypeError of kind `three-alleles`, `date-mangled` or `not-a-number`.
    """
    text = text.strip()
    if not text:
        return None
    parts = [part.strip() for part in re.split(r"[/|]", text)]
    if len(parts) > 2:
        raise GenotypeError(
            "three-alleles",
            f"{text!r} has {len(parts)} alleles",
            "leave the locus empty, or keep two after review of the electropherogram",
        )
    partial = len(parts) == 2 and parts.count("?") == 1
    visible = [part for part in parts if part != "?"] if partial else parts
    labels = [canonical_allele(part) for part in visible]
    if None in labels:
        if _DATE.match(text):
            raise GenotypeError(
                "date-mangled",
                f"{text!r} looks like a date made by a spreadsheet out of a genotype",
                "export the table again with the column as text, or write 9|10",
            )
        raise GenotypeError(
            "not-a-number",
            f"{text!r} is not a genotype",
            "write repeat numbers such as 12/13 or 9/9.3, or leave the cell empty",
        )
    return Genotype(tuple(label for label in labels if label is not None), partial)


@dataclass(frozen=True, slots=True)
class TypingModel:
    """How a sample's observed genotype may differ from the true one, per locus.

    `dropout`: probability that one allele copy is not seen, each copy alike and independently.
    `dropin`: probability that one allele drawn from the population appears besides.
    `typing_error`: probability that the result is that of a random person.
    """

    dropout: float = 0.0
    dropin: float = 0.0
    typing_error: float = 0.0

    def __post_init__(self) -> None:
        """Validate the probabilities."""
        for name in ("dropout", "dropin", "typing_error"):
            value = getattr(self, name)
            if not 0 <= value < 1:
                raise GenotypeError(
                    "bad-probability", f"{name} is {value:g}", "give a probability from 0 to 1"
                )

    @property
    def perfect(self) -> bool:
        """Whether every result is taken at its word."""
        return self.dropout == self.dropin == self.typing_error == 0.0


PERFECT_TYPING = TypingModel()


@dataclass(frozen=True, slots=True)
class Profile:
    """The genotypes of one sample by canonical locus name, and how far they may be trusted."""

    genotypes: Mapping[str, Genotype]
    typing: TypingModel = PERFECT_TYPING

    def __post_init__(self) -> None:
        """Freeze the mapping."""
        object.__setattr__(self, "genotypes", MappingProxyType(dict(self.genotypes)))
