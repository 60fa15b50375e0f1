"""Allele labels: repeat numbers such as `9.3`, in one canonical spelling."""

from __future__ import annotations

import re
from functools import lru_cache

__all__ = ["SILENT", "allele_sort_key", "canonical_allele", "repeat_number"]

SILENT = "silent"
"""Label of the silent (null) allele, which is transmitted but never seen in a typing."""

_NUMBER = re.compile(r"(\d{1,3})(?:\.(\d{1,2}))?\Z", re.ASCII)


@lru_cache(maxsize=65536)
def repeat_number(label: str) -> tuple[int, int] | None:
    """Split an allele label into whole repeats and the bases of an incomplete one.

    `"9.3"` gives (9, 3), `"12"` gives (12, 0); None if the label is not a repeat number.
    """
    match = _NUMBER.match(label)
    if match is None:
        return None
    return int(match[1]), int((match[2] or "0").rstrip("0") or "0")


def canonical_allele(label: str) -> str | None:
    """Spell a repeat number canonically: `"09.30"` becomes `"9.3"`; None if it is not one."""
    number = repeat_number(label)
    if number is None:
        return None
    whole, part = number
    return f"{whole}.{part}" if part else str(whole)


def allele_sort_key(label: str) -> tuple[int, int, int, str]:
    """Order alleles by length; labels that are not repeat numbers follow, the silent one last."""
    number = repeat_number(label)
    if number is not None:
        return (0, number[0], number[1], label)
    return (2 if label == SILENT else 1, 0, 0, label)
