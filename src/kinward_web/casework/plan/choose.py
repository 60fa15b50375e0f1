"""Who can be placed: the most children, and among such choices the most urgent.

Units of one kind are alike to a home, so the model counts units of each kind at each home instead
of naming them. It is small enough to look at all homes at once.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from kinward_web.casework.plan.hull import facets
from kinward_web.casework.plan.milp import Answer, Model, whole_bound
from kinward_web.casework.plan.model import Home, Room, Unit
from kinward_web.casework.plan.weights import weight

__all__ = ["Choice", "choose", "points"]

Kind = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Choice:
    """The units chosen and one way to house them."""

    homes: dict[int, int]
    """Number of the unit → number of the home."""
    placed: int
    at_most: int
    points: int
    points_at_most: int


def points(unit: Unit) -> int:
    """Return what placing `unit` counts among plans that place as many children."""
    return sum(
        weight("medical") * child.medical_level + weight("youth") * child.years_below_adult
        for child in unit.children
    )


def choose(units: Sequence[Unit], homes: Sequence[Home], days: int, seconds: float) -> Choice:
    """Return which units to place, proved best as far as `seconds` allow.

    :param homes: receiving homes.
    """
    rooms = [Room.of(home, days) for home in homes]
    total = sum(unit.size for unit in units)
    best = _greedy(units, homes, rooms)
    at_most, points_at_most = total, sum(points(unit) for unit in units)
    if len(best) < len(units):
        first, answer = _solve(units, homes, rooms, None, seconds / 2)
        at_most = min(total, _most(answer, total))
        best = max(best, first or {}, key=lambda found: _count(units, found))
        if _count(units, best) < total:
            placed = _count(units, best)
            second, answer = _solve(units, homes, rooms, placed, seconds / 2)
            points_at_most = min(points_at_most, _most(answer, points_at_most))
            best = max(best, second or {}, key=lambda found: _rank(units, found))
    placed, gained = _rank(units, best)
    return Choice(best, placed, at_most, gained, max(gained, points_at_most))


def _most(answer: Answer, otherwise: int) -> int:
    bound = -whole_bound(answer.at_least)
    return int(bound) if bound < otherwise else otherwise


def _count(units: Sequence[Unit], found: dict[int, int]) -> int:
    return sum(units[number].size for number in found)


def _rank(units: Sequence[Unit], found: dict[int, int]) -> tuple[int, int]:
    return _count(units, found), sum(points(units[number]) for number in found)


def _greedy(units: Sequence[Unit], homes: Sequence[Home], rooms: Sequence[Room]) -> dict[int, int]:
    """House the neediest, largest and youngest first, wherever the least ability suffices."""
    order = sorted(
        range(len(units)), key=lambda n: (-units[n].need, -units[n].size, -points(units[n]), n)
    )
    ranked = sorted(range(len(homes)), key=lambda h: (homes[h].medical_level, h))
    left, found = list(rooms), {}
    for number in order:
        unit = units[number]
        for place in ranked:
            home = homes[place]
            if home.medical_level >= unit.need and not left[place].blocked_by(home, unit):
                per_infant, per_older, _ = home.load_unit
                left[place] = Room(
                    left[place].beds - unit.size,
                    left[place].paid - unit.size,
                    left[place].load - unit.infants * per_infant - unit.older * per_older,
                )
                found[number] = place
                break
    return found


def _solve(
    units: Sequence[Unit],
    homes: Sequence[Home],
    rooms: Sequence[Room],
    exactly: int | None,
    seconds: float,
) -> tuple[dict[int, int] | None, Answer]:
    """Place the most children; or, where `exactly` is given, so many with the most points."""
    members: dict[Kind, list[int]] = defaultdict(list)
    for number, unit in enumerate(units):
        members[unit.kind].append(number)
    model = Model()
    counts: dict[tuple[Kind, int], int] = {}
    for kind, numbers in members.items():
        unit = units[numbers[0]]
        for place, home in enumerate(homes):
            if home.medical_level >= unit.need and not rooms[place].blocked_by(home, unit):
                cost = -unit.size if exactly is None else 0
                counts[kind, place] = model.variable(cost, len(numbers))
    _keep_capacities(model, counts, homes, rooms)
    chosen: dict[int, int] = {}
    for kind, numbers in members.items():
        here = [(column, 1.0) for (other, _), column in counts.items() if other == kind]
        if exactly is None:
            model.at_most(here, len(numbers))
            continue
        for number in numbers:
            # The counts are whole, so the best units of a kind come out whole by themselves.
            chosen[number] = model.variable(-points(units[number]), 1, whole=False)
        model.equal([*here, *((chosen[number], -1.0) for number in numbers)], 0)
    if exactly is not None:
        terms = [(column, -units[number].size) for number, column in chosen.items()]
        model.at_most(terms, -exactly)
    answer = model.solve(seconds)
    if answer.values is None:
        return None, answer
    return _named(units, members, counts, answer), answer


def _keep_capacities(
    model: Model,
    counts: dict[tuple[Kind, int], int],
    homes: Sequence[Home],
    rooms: Sequence[Room],
) -> None:
    at_home: dict[int, list[tuple[Kind, int]]] = defaultdict(list)
    for (kind, place), column in counts.items():
        at_home[place].append((kind, column))
    for place, columns in at_home.items():
        for p, q, r in facets(homes[place], rooms[place]):
            terms = [(column, p * kind[0] + q * kind[1]) for kind, column in columns]
            model.at_most([term for term in terms if term[1]], r)


def _named(
    units: Sequence[Unit],
    members: dict[Kind, list[int]],
    counts: dict[tuple[Kind, int], int],
    answer: Answer,
) -> dict[int, int]:
    """Give the places counted for each kind to its most urgent units."""
    places: dict[Kind, list[int]] = defaultdict(list)
    for (kind, place), column in counts.items():
        places[kind] += [place] * int(answer.values[column])
    return {
        number: place
        for kind, numbers in members.items()
        for number, place in zip(
            sorted(numbers, key=lambda n: (-points(units[n]), n)), places[kind], strict=False
        )
    }
