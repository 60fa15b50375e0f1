"""Every weight of the plan, with its reason, in one table.

Order of the decisions: as many children as possible; among plans that place as many, the sum of
MEDICAL and YOUTH; then, for the children chosen, the least sum of kilometres with OTHER_REGION and
NO_NURSE as if they were kilometres. CARER, BED and STAY rank what is asked for when not everyone
can be placed. Nothing here looks at ethnicity, and origin counts only as a distance.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["WEIGHTS", "Weight", "weight"]


def _(text: str) -> str:
    """Mark a text for the catalogues; the page translates it."""
    return text


@dataclass(frozen=True, slots=True)
class Weight:
    """One weight: what it counts, how much, and why."""

    key: str
    label: str
    value: int
    unit: str
    reason: str


WEIGHTS: tuple[Weight, ...] = (
    Weight(
        "medical",
        _("each level of medical need"),
        100,
        _("points"),
        _(
            "Whoever needs a nurse or a hospital cannot wait until tomorrow; one level outweighs"
            " every difference in age."
        ),
    ),
    Weight(
        "youth",
        _("each year below eighteen"),
        1,
        _("points"),
        _("The younger the child, the more a night without a bed harms."),
    ),
    Weight(
        "other_region",
        _("a home outside the jurisdiction of the case"),
        100,
        _("km"),
        _("The police and welfare agency that answer for the child must be able to visit."),
    ),
    Weight(
        "no_nurse",
        _("a home without a nurse, for a child not yet examined"),
        300,
        _("km"),
        _("Until the examination nobody knows whether the child was drugged or is ill."),
    ),
    Weight(
        "carer",
        _("each carer who would have to be found"),
        100,
        _("rank"),
        _("A trained carer is the hardest to find in one night."),
    ),
    Weight(
        "bed",
        _("each bed that would have to be found"),
        10,
        _("rank"),
        _("A bed can be borrowed, but needs a room."),
    ),
    Weight(
        "stay",
        _("each child whose stay would have to be paid for"),
        1,
        _("rank"),
        _("Money can be pledged by telephone."),
    ),
)

_BY_KEY = {row.key: row.value for row in WEIGHTS}


def weight(key: str) -> int:
    """Return the value of the weight `key`.

    :raises KeyError: the table has no such row.
    """
    return _BY_KEY[key]
