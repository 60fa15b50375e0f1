"""The integer hull of what a home can take: the tightest linear rows with whole numbers.

A home takes `i` infants and `o` older children when i + o ≤ heads and a·i + b·o ≤ load. Fractions
of children would let a relaxation promise more than is there; the rows of the hull do not, so that
the solver has little left to search.
"""

from __future__ import annotations

from itertools import pairwise

from kinward_web.casework.plan.model import Home, Room

__all__ = ["Facet", "facets"]

Facet = tuple[int, int, int]
"""(p, q, r): p·infants + q·older ≤ r."""


def facets(home: Home, room: Room) -> list[Facet]:
    """Return rows whose whole-number solutions are exactly the numbers that fit, hull and all."""
    a, b, _ = home.load_unit
    heads = min(room.beds, room.paid)
    most = min(heads, room.load // a)
    corners: list[tuple[int, int]] = []
    for infants in range(most + 1):
        point = (infants, min(heads - infants, (room.load - a * infants) // b))
        while len(corners) > 1 and _turn(corners[-2], corners[-1], point) >= 0:
            corners.pop()
        corners.append(point)
    rows: list[Facet] = [(1, 0, most), (0, 1, corners[0][1])]
    for (x, y), (x_next, y_next) in pairwise(corners):
        rise, run = y - y_next, x_next - x
        if rise:
            rows.append((rise, run, rise * x + run * y))
    return rows


def _turn(first: tuple[int, int], second: tuple[int, int], third: tuple[int, int]) -> int:
    """Return a positive number for a turn to the left."""
    return (second[0] - first[0]) * (third[1] - first[1]) - (second[1] - first[1]) * (
        third[0] - first[0]
    )
